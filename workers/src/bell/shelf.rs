//! Where the reader lays tickets down and the worker picks them up. The reader pops only as many
//! as the worker has free slots, so the shelf is all but empty; what lies there at a stop goes back
//! to Redis at once, although the worker may still be busy for the whole grace.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures::task::AtomicWaker;
use longshore_core::queue::{Popped, Popper, Ticket};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[derive(Default)]
pub(super) struct Shelf {
    state: Mutex<State>,
    wanted: Notify,
    worker: AtomicWaker,
}

#[derive(Default)]
struct State {
    tickets: VecDeque<Popped>,
    wanted: usize,
    reader_ended: bool,
}

/// The reader ended although nobody stopped it.
#[derive(Debug, thiserror::Error)]
#[error("the reader of tickets ended unasked")]
pub(super) struct ReaderEnded;

impl Shelf {
    /// The next ticket, or a wish for as many as there are free slots.
    pub(super) fn poll_take(
        &self,
        cx: &mut Context<'_>,
        free: usize,
    ) -> Poll<Result<Ticket, ReaderEnded>> {
        self.worker.register(cx.waker());
        let mut state = self.state();
        if let Some(popped) = state.tickets.pop_front() {
            return Poll::Ready(Ok(popped.ticket));
        }
        if state.reader_ended {
            return Poll::Ready(Err(ReaderEnded));
        }
        state.wanted = free;
        drop(state);
        self.wanted.notify_one();
        Poll::Pending
    }

    /// Ready once the reader ended and everything it held is back in Redis.
    pub(super) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.worker.register(cx.waker());
        if self.state().reader_ended {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// The reader's life: pops what is wanted until `stop`, then puts back what nobody took.
    pub(super) async fn fill(self: Arc<Self>, mut popper: Popper, stop: CancellationToken) {
        let _end = End(&self);
        while let Some(wanted) = stop.run_until_cancelled(self.wanted()).await {
            let popped = popper.pop(wanted, &stop).await;
            let mut state = self.state();
            // A wish that was renewed meanwhile does not know of these tickets yet.
            state.wanted = 0;
            state.tickets.extend(popped);
            drop(state);
            self.worker.wake();
        }
        let left = std::mem::take(&mut self.state().tickets);
        popper.put_back(left.into()).await;
    }

    async fn wanted(&self) -> usize {
        loop {
            match self.state().wanted {
                0 => {}
                wanted => return wanted,
            }
            self.wanted.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the worker that the reader ended, however it ended.
struct End<'a>(&'a Shelf);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.state().reader_ended = true;
        self.0.worker.wake();
    }
}

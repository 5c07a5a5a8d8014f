//! The tickets as an apalis backend. Apalis asks it for a ticket only while it holds a free slot;
//! the asking itself is done by a reader task, because after a stop apalis no longer polls the
//! backend until the last handler ended, and a pop left open would take tickets all the while.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use apalis::prelude::{RandomId, Task, WorkerContext};
use apalis_core::backend::{BackendConfig, finalize::Ephemeral};
use longshore_core::queue::{Popper, Ticket};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tower::layer::util::Identity;

use super::{
    Bell,
    shelf::{ReaderEnded, Shelf},
};

pub(super) struct Backend {
    slots: usize,
    stop: CancellationToken,
    shelf: Arc<Shelf>,
    popper: Option<Popper>,
    reader: Option<AbortOnDropHandle<()>>,
}

impl Backend {
    pub(super) fn new(bell: &Bell, stop: &CancellationToken) -> Backend {
        Backend {
            slots: bell.slots,
            stop: stop.child_token(),
            shelf: Arc::default(),
            popper: Some(bell.queue.popper(bell.verb)),
            reader: None,
        }
    }
}

impl apalis_core::backend::Backend for Backend {
    type Task = Task<Ticket>;
    type Error = ReaderEnded;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), ReaderEnded>> {
        Poll::Ready(Ok(()))
    }

    /// Never `None`, which would end the worker without a word.
    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Option<Result<Task<Ticket>, ReaderEnded>>> {
        // The monitor hears of the stop by itself and wakes the worker.
        if self.stop.is_cancelled() {
            return Poll::Pending;
        }
        let free = self.slots.saturating_sub(worker.task_count()).max(1);
        let taken = ready!(self.shelf.poll_take(cx, free));
        Poll::Ready(Some(taken.map(Task::new)))
    }

    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), ReaderEnded>> {
        self.stop.cancel();
        if self.reader.is_some() {
            ready!(self.shelf.poll_ended(cx));
        }
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Backend {
    type Args = Ticket;
    type Id = RandomId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    /// Called once, when the worker starts: the place to start the reader.
    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        if let Some(popper) = self.popper.take() {
            let filling = self.shelf.clone().fill(popper, self.stop.clone());
            self.reader = Some(AbortOnDropHandle::new(tokio::spawn(filling)));
        }
        Identity::new()
    }
}

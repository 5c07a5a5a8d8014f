//! Listening to the bell: tickets of one verb are handled by apalis' worker runtime, in a fixed
//! number of slots. This is the one place that knows apalis; jobs see a ticket and return nothing,
//! since what became of it stands in the ledger. No fault of Redis may end a worker, and no panic
//! of a handler may end anything but itself.

mod backend;
mod shelf;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use apalis::prelude::{Event, Monitor, ParallelizeExt, WorkerBuilder, WorkerBuilderExt};
use longshore_core::queue::{Queue, Ticket, Verb};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use backend::Backend;

/// Pause before a worker that ended unasked is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Counts the runs of this process, so that no two workers ever have the same name.
static RUNS: AtomicUsize = AtomicUsize::new(0);

/// Who listens: tickets of one verb, at most `slots` at once.
#[derive(Clone)]
pub struct Bell {
    queue: Queue,
    verb: Verb,
    slots: usize,
    restarts: Arc<AtomicUsize>,
}

impl Bell {
    /// Tickets of `verb` from `queue` in `slots` slots, at least one.
    #[must_use]
    pub fn new(queue: Queue, verb: Verb, slots: usize) -> Bell {
        Bell {
            queue,
            verb,
            slots: slots.max(1),
            restarts: Arc::default(),
        }
    }

    /// How often the worker ended unasked and was started again. Anything but 0 is a defect.
    #[must_use]
    pub fn restarts(&self) -> usize {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Runs `handle` for each ticket until `stop`, then lets the running ones end and returns.
    /// What runs longer than `grace` after the stop is aborted, so that nothing of it outlives the
    /// return. Tickets nobody started go back to Redis at the stop, not after the grace.
    pub async fn listen<H, F>(self, stop: CancellationToken, grace: Duration, handle: H)
    where
        H: Fn(Ticket) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        loop {
            self.run(&stop, grace, handle.clone()).await;
            if stop.is_cancelled() {
                return;
            }
            self.restarts.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                verb = self.verb.as_str(),
                "a worker ended unasked; starting it again"
            );
            tokio::time::sleep(RESTART_PAUSE).await;
        }
    }

    async fn run<H, F>(&self, stop: &CancellationToken, grace: Duration, handle: H)
    where
        H: Fn(Ticket) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (bell, token) = (self.clone(), stop.clone());
        let monitor = Monitor::new()
            .register(move |_| {
                let handle = handle.clone();
                WorkerBuilder::new(worker_name())
                    .backend(Backend::new(&bell, &token))
                    .concurrency(bell.slots)
                    .parallelize(spawn)
                    .build(move |ticket: Ticket| handle(ticket))
            })
            .on_event(|worker, event| {
                if let Event::Error(error) = event {
                    tracing::error!(worker = worker.name(), %error, "a handler panicked");
                }
            })
            // Lazy: the grace counts from the stop, when this is polled for the first time.
            .with_terminator(async move { tokio::time::sleep(grace).await });
        let signal = async {
            stop.cancelled().await;
            Ok(())
        };
        if let Err(error) = monitor.run_with_signal(signal).await {
            tracing::error!(verb = self.verb.as_str(), %error, "the worker runtime failed");
        }
    }
}

/// A task of its own gives parallelism and turns a panic into an error; aborting it on drop keeps
/// handlers of a dead worker from running on beside those of its successor.
fn spawn<F>(work: F) -> AbortOnDropHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    AbortOnDropHandle::new(tokio::spawn(work))
}

fn worker_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    format!("{}-{}-{run}", host.trim(), std::process::id())
}

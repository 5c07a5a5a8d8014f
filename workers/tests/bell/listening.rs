//! Rings, and hears what was rung.

use std::time::{Duration, Instant};

use longshore_core::queue::{Lane, Queue, Ticket, Verb};
use longshore_workers::bell::Bell;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Tests that load the machine, and the one that measures time, go one after another.
pub(crate) static MACHINE: Mutex<()> = Mutex::const_new(());

pub(crate) const GRACE: Duration = Duration::from_secs(10);
pub(crate) const SOON: Duration = Duration::from_secs(5);

pub(crate) fn apply(id: i64) -> Ticket {
    Ticket::new(Verb::Apply, id)
}

/// A bell that is listened to in the background.
pub(crate) struct Listening {
    bell: Bell,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Listening {
    pub(crate) fn start<H, F>(queue: &Queue, slots: usize, handle: H) -> Listening
    where
        H: Fn(Ticket) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let bell = Bell::new(queue.clone(), Verb::Apply, slots);
        let stop = CancellationToken::new();
        let task = tokio::spawn(bell.clone().listen(stop.clone(), GRACE, handle));
        Listening { bell, stop, task }
    }

    /// A listener whose handler only says which ticket it got, and when.
    pub(crate) fn hearing(queue: &Queue, slots: usize) -> (Listening, Heard) {
        let (says, heard) = mpsc::unbounded_channel();
        let listening = Listening::start(queue, slots, move |ticket| {
            let _ = says.send((ticket.id, Instant::now()));
            async {}
        });
        (listening, Heard(heard))
    }

    /// Stops, waits for the end and says how long it took.
    pub(crate) async fn stop(self) -> Duration {
        let asked = Instant::now();
        self.stop.cancel();
        timeout(SOON, self.task)
            .await
            .expect("listening ends")
            .unwrap();
        assert_eq!(self.bell.restarts(), 0);
        asked.elapsed()
    }
}

pub(crate) struct Heard(pub(crate) mpsc::UnboundedReceiver<(i64, Instant)>);

impl Heard {
    pub(crate) async fn next(&mut self) -> (i64, Instant) {
        timeout(SOON, self.0.recv())
            .await
            .expect("a ticket is heard")
            .unwrap()
    }

    /// Waits until every one of these was heard, whatever else is heard.
    pub(crate) async fn all(&mut self, ids: impl Iterator<Item = i64>) {
        let mut missing: std::collections::HashSet<i64> = ids.collect();
        while !missing.is_empty() {
            missing.remove(&self.next().await.0);
        }
    }
}

pub(crate) async fn waiting(queue: &Queue) -> u64 {
    queue
        .depth()
        .await
        .unwrap()
        .iter()
        .map(|depth| depth.waiting)
        .sum()
}

/// Rings until Redis takes it; the queue leaves Redis alone for a second after a failure.
pub(crate) async fn ring_when_back(queue: &Queue, id: i64) {
    let ring = async {
        while !queue.ring(Lane::Bulk, apply(id)).await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, ring)
        .await
        .expect("Redis takes tickets again");
}

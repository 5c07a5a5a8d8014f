//! A stop ends what runs, and loses nothing that has not begun.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use longshore_core::queue::{Lane, Ticket, Verb};
use longshore_workers::bell::Bell;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    listening::{Listening, SOON, apply, waiting},
    server::Server,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_what_runs_and_leaves_the_rest_in_redis() {
    let server = Server::start().await;
    let queue = server.queue().await;
    let tickets: Vec<Ticket> = (1..=45).map(apply).collect();
    queue.ring_all(Lane::Bulk, &tickets).await;
    let (says, mut began) = mpsc::unbounded_channel();
    let ended = Arc::new(AtomicUsize::new(0));
    let counts = ended.clone();
    let listening = Listening::start(&queue, 16, move |ticket| {
        let (says, counts) = (says.clone(), counts.clone());
        async move {
            says.send(ticket.id).unwrap();
            sleep(Duration::from_secs(1)).await;
            counts.fetch_add(1, Ordering::SeqCst);
        }
    });
    for _ in 0..16 {
        began.recv().await.unwrap();
    }
    sleep(Duration::from_millis(200)).await;
    assert_eq!(
        waiting(&queue).await,
        29,
        "tickets are popped for free slots only"
    );
    let took = listening.stop().await;
    assert_eq!(ended.load(Ordering::SeqCst), 16);
    assert!(took < Duration::from_secs(2), "stopping took {took:?}");
    assert_eq!(waiting(&queue).await, 29);
    let (listening, mut heard) = Listening::hearing(&queue, 16);
    heard.all(17..=45).await;
    listening.stop().await;
    assert!(began.recv().await.is_none() && heard.0.recv().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_the_middle_of_a_pop_loses_no_ticket() {
    let server = Server::start().await;
    let queue = server.queue().await;
    let mut rung = 0;
    for round in 0..30 {
        let (listening, mut heard) = Listening::hearing(&queue, 4);
        let ringing = queue.clone();
        let ring = tokio::spawn(async move {
            sleep(Duration::from_micros(500 * round)).await;
            let tickets: Vec<Ticket> = (1..=20).map(apply).collect();
            ringing.ring_all(Lane::Bulk, &tickets).await
        });
        sleep(Duration::from_millis(5)).await;
        let took = listening.stop().await;
        assert!(took < Duration::from_secs(1), "stopping took {took:?}");
        rung += ring.await.unwrap();
        while heard.0.recv().await.is_some() {
            rung -= 1;
        }
        assert_eq!(waiting(&queue).await, rung as u64, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_longer_than_the_grace_is_aborted() {
    struct Aborted(mpsc::UnboundedSender<()>);
    impl Drop for Aborted {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let server = Server::start().await;
    let queue = server.queue().await;
    let (aborts, mut aborted) = mpsc::unbounded_channel();
    let (says, mut began) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let bell = Bell::new(queue.clone(), Verb::Apply, 2);
    let grace = Duration::from_millis(300);
    let listening = tokio::spawn(bell.listen(stop.clone(), grace, move |ticket: Ticket| {
        let (says, guard) = (says.clone(), Aborted(aborts.clone()));
        async move {
            let _guard = guard;
            says.send(ticket.id).unwrap();
            sleep(Duration::from_secs(60)).await;
        }
    }));
    assert!(queue.ring(Lane::Express, apply(1)).await);
    began.recv().await.unwrap();
    stop.cancel();
    let asked = Instant::now();
    timeout(SOON, listening)
        .await
        .expect("listening ends")
        .unwrap();
    assert!(asked.elapsed() >= grace);
    timeout(SOON, aborted.recv())
        .await
        .expect("the handler is dropped")
        .unwrap();
}

//! What Redis and handlers may do to a worker, and that it goes on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use longshore_core::queue::{Lane, Queue, Ticket};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::{
    listening::{Listening, SOON, apply, ring_when_back, waiting},
    server::{Server, free_port},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flushed_redis_goes_on_waking_workers() {
    let server = Server::start().await;
    let queue = server.queue().await;
    let (listening, mut heard) = Listening::hearing(&queue, 4);
    ring_when_back(&queue, 1).await;
    heard.all(1..=1).await;
    let mut connection = server.connection().await.unwrap();
    redis::cmd("FLUSHALL")
        .query_async::<()>(&mut connection)
        .await
        .unwrap();
    for id in 2..=11 {
        assert!(queue.ring(Lane::Bulk, apply(id)).await);
    }
    heard.all(2..=11).await;
    listening.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_and_restarted_redis_goes_on_waking_workers() {
    let mut server = Server::start().await;
    let queue = server.queue().await;
    let (listening, mut heard) = Listening::hearing(&queue, 4);
    ring_when_back(&queue, 1).await;
    heard.all(1..=1).await;
    server.kill();
    assert!(!queue.ring(Lane::Bulk, apply(2)).await);
    heard.all(0..=0).await;
    server.start_again().await;
    ring_when_back(&queue, 3).await;
    for id in 4..=12 {
        assert!(queue.ring(Lane::Bulk, apply(id)).await);
    }
    heard.all(3..=12).await;
    listening.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_between_two_rings_costs_no_ring() {
    let mut server = Server::start().await;
    let queue = server.queue().await;
    assert!(queue.ring(Lane::Bulk, apply(1)).await);
    server.kill();
    server.start_again().await;
    assert!(queue.ring(Lane::Bulk, apply(2)).await);
    assert_eq!(waiting(&queue).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_frozen_for_eight_seconds_delays_no_caller_and_no_later_ticket() {
    let server = Server::start().await;
    let queue = server.queue().await;
    let (listening, mut heard) = Listening::hearing(&queue, 4);
    ring_when_back(&queue, 1).await;
    heard.all(1..=1).await;
    server.signal("-STOP");
    let frozen = Instant::now();
    let (mut id, mut slow) = (1, 0);
    while frozen.elapsed() < Duration::from_secs(8) {
        let asked = Instant::now();
        assert!(!queue.ring(Lane::Bulk, apply(id)).await);
        let took = asked.elapsed();
        assert!(took < Duration::from_millis(300), "took {took:?}");
        slow += usize::from(took > Duration::from_millis(50));
        id += 1;
        sleep(Duration::from_millis(50)).await;
    }
    assert!(slow <= 10, "{slow} callers had to wait");
    let mut looks = 0;
    while let Ok((id, _)) = heard.0.try_recv() {
        assert_eq!(id, 0);
        looks += 1;
    }
    assert!(looks >= 2, "looked {looks} times");
    server.signal("-CONT");
    ring_when_back(&queue, 1_000).await;
    for id in 1_001..1_010 {
        assert!(queue.ring(Lane::Bulk, apply(id)).await);
    }
    heard.all(1_000..1_010).await;
    listening.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_are_never_exceeded_not_even_when_redis_is_killed() {
    let mut server = Server::start().await;
    let queue = server.queue().await;
    let (running, most, done) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let gauges = (running.clone(), most.clone(), done.clone());
    let listening = Listening::start(&queue, 3, move |_| {
        let (running, most, done) = gauges.clone();
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            sleep(Duration::from_millis(5)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            done.fetch_add(1, Ordering::SeqCst);
        }
    });
    let tickets: Vec<Ticket> = (1..=200).map(apply).collect();
    for _ in 0..2 {
        ring_when_back(&queue, 1).await;
        queue.ring_all(Lane::Bulk, &tickets).await;
        sleep(Duration::from_millis(100)).await;
        server.kill();
        server.start_again().await;
    }
    let before = done.load(Ordering::SeqCst);
    ring_when_back(&queue, 1).await;
    queue.ring_all(Lane::Express, &tickets).await;
    let drained = async {
        while done.load(Ordering::SeqCst) < before + 200 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, drained)
        .await
        .expect("all tickets are handled");
    assert_eq!(most.load(Ordering::SeqCst), 3);
    listening.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_a_worker_looks_about_once_a_second() {
    let nobody = format!("redis://127.0.0.1:{}", free_port());
    let switched_off = Queue::connect(&nobody, "longshore").await.unwrap();
    for queue in [Queue::silent(), switched_off] {
        let (listening, mut heard) = Listening::hearing(&queue, 2);
        let started = Instant::now();
        for _ in 0..3 {
            assert_eq!(heard.next().await.0, 0);
        }
        let took = started.elapsed();
        assert!(
            (2_900..4_000).contains(&took.as_millis()),
            "three looks took {took:?}"
        );
        assert!(listening.stop().await < Duration::from_secs(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_ticket_is_dropped_and_the_next_is_heard() {
    let server = Server::start().await;
    let queue = server.queue().await;
    let mut connection = server.connection().await.unwrap();
    let texts = ["", "nonsense", r#"{"verb":"fetch","id":3}"#];
    let mut push = redis::cmd("RPUSH");
    push.arg("longshore:apply:express").arg(&texts);
    push.query_async::<()>(&mut connection).await.unwrap();
    assert!(queue.ring(Lane::Express, apply(4)).await);
    let (listening, mut heard) = Listening::hearing(&queue, 1);
    assert_eq!(heard.next().await.0, 4);
    listening.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_ends_only_its_own_handler() {
    let server = Server::start().await;
    let queue = server.queue().await;
    let (says, mut heard) = mpsc::unbounded_channel();
    let listening = Listening::start(&queue, 2, move |ticket| {
        let says = says.clone();
        async move {
            if ticket.id % 2 == 1 {
                // Unlike `panic!`, this prints nothing.
                std::panic::resume_unwind(Box::new("odd tickets panic"));
            }
            says.send(ticket.id).unwrap();
        }
    });
    let tickets: Vec<Ticket> = (1..=20).map(apply).collect();
    queue.ring_all(Lane::Bulk, &tickets).await;
    for _ in 0..10 {
        assert_eq!(
            timeout(SOON, heard.recv()).await.expect("heard").unwrap() % 2,
            0
        );
    }
    listening.stop().await;
}

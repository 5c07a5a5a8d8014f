//! Many tickets: they are drained, bounded, and leave nothing behind in Redis.

use std::time::Instant;

use longshore_core::{
    limits::TICKETS_WAITING_MAX,
    queue::{Lane, Ticket},
};

use crate::{
    listening::{Listening, MACHINE, apply, waiting},
    server::Server,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_waiting_tickets_are_drained() {
    let _alone = MACHINE.lock().await;
    let server = Server::start().await;
    let queue = server.queue().await;
    let tickets: Vec<Ticket> = (1..=20_000).map(apply).collect();
    assert_eq!(queue.ring_all(Lane::Bulk, &tickets).await, 20_000);
    let started = Instant::now();
    let (listening, mut heard) = Listening::hearing(&queue, 16);
    heard.all(1..=20_000).await;
    println!("20,000 tickets in {:?}", started.elapsed());
    assert_eq!(waiting(&queue).await, 0);
    listening.stop().await;
    assert!(heard.0.try_recv().is_err(), "a ticket was heard twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_of_redis_is_flat_over_three_hundred_thousand_tickets() {
    const ROUND: i64 = 50_000;
    let _alone = MACHINE.lock().await;
    let server = Server::start().await;
    let queue = server.queue().await;
    let (listening, mut heard) = Listening::hearing(&queue, 64);
    let mut used = Vec::new();
    for round in 0..6 {
        let ids = round * ROUND + 1..=(round + 1) * ROUND;
        let tickets: Vec<Ticket> = ids.clone().map(apply).collect();
        assert_eq!(queue.ring_all(Lane::Bulk, &tickets).await, tickets.len());
        heard.all(ids).await;
        used.push(server.info("used_memory").await);
    }
    println!("used_memory after each 50,000: {used:?}");
    let (least, most) = (used.iter().min().unwrap(), used.iter().max().unwrap());
    assert!(most - least < 512 * 1024, "{used:?}");
    listening.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_never_grows_above_its_limit_and_keeps_the_oldest() {
    let _alone = MACHINE.lock().await;
    let server = Server::start().await;
    let queue = server.queue().await;
    let limit = TICKETS_WAITING_MAX as i64;
    let tickets: Vec<Ticket> = (1..=limit + 1_500).map(apply).collect();
    assert_eq!(
        queue.ring_all(Lane::Bulk, &tickets).await,
        TICKETS_WAITING_MAX
    );
    assert!(!queue.ring(Lane::Bulk, apply(limit + 2_000)).await);
    assert!(queue.ring(Lane::Express, apply(1)).await);
    assert_eq!(waiting(&queue).await, TICKETS_WAITING_MAX as u64 + 1);
    let mut connection = server.connection().await.unwrap();
    let last: String = redis::cmd("LINDEX")
        .arg(&["longshore:apply:bulk", "-1"])
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(serde_json::from_str::<Ticket>(&last).unwrap(), apply(limit));
}

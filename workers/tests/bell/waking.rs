//! A ticket wakes a worker at once, in order of urgency, and an idle worker costs nothing.

use std::time::{Duration, Instant};

use longshore_core::queue::{Lane, Ticket, Verb};
use tokio::time::sleep;

use crate::{
    listening::{Listening, MACHINE, apply},
    server::Server,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_at_idle_is_picked_up_within_three_milliseconds() {
    let _alone = MACHINE.lock().await;
    let server = Server::start().await;
    let queue = server.queue().await;
    let (listening, mut heard) = Listening::hearing(&queue, 16);
    let mut delays = Vec::new();
    for id in 1..=50 {
        sleep(Duration::from_millis(20)).await;
        let rung = Instant::now();
        assert!(queue.ring(Lane::Express, apply(id)).await);
        delays.push(heard.next().await.1 - rung);
    }
    delays.sort();
    println!(
        "pick-up: median {:?}, p95 {:?}, max {:?}",
        delays[25], delays[47], delays[49]
    );
    assert!(
        delays[25] <= Duration::from_millis(3),
        "median {:?}",
        delays[25]
    );
    listening.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_worker_sends_less_than_two_commands_a_second() {
    let server = Server::start().await;
    let (listening, _heard) = Listening::hearing(&server.queue().await, 16);
    sleep(Duration::from_millis(500)).await;
    let before = server.info("total_commands_processed").await;
    sleep(Duration::from_secs(5)).await;
    let spent = server.info("total_commands_processed").await - before;
    println!("commands in 5 s, asking included: {spent}");
    assert!(spent <= 10, "{spent} commands");
    listening.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn express_tickets_go_before_bulk_tickets_and_each_lane_keeps_its_order() {
    let server = Server::start().await;
    let queue = server.queue().await;
    let of = |ids: std::ops::RangeInclusive<i64>| ids.map(apply).collect::<Vec<_>>();
    assert_eq!(queue.ring_all(Lane::Bulk, &of(11..=20)).await, 10);
    assert_eq!(queue.ring_all(Lane::Express, &of(1..=10)).await, 10);
    let (listening, mut heard) = Listening::hearing(&queue, 1);
    for expected in 1..=20 {
        assert_eq!(heard.next().await.0, expected);
    }
    listening.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verb_hears_only_its_own_tickets() {
    let server = Server::start().await;
    let queue = server.queue().await;
    let tickets = [Ticket::new(Verb::Fetch, 1), apply(2)];
    assert_eq!(queue.ring_all(Lane::Express, &tickets).await, 2);
    let (listening, mut heard) = Listening::hearing(&queue, 4);
    assert_eq!(heard.next().await.0, 2);
    listening.stop().await;
    let depth = queue.depth().await.unwrap();
    let fetch = depth
        .iter()
        .find(|d| d.verb == Verb::Fetch && d.lane == Lane::Express);
    assert_eq!(fetch.unwrap().waiting, 1);
}

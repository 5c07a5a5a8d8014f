//! The bell against a real Redis server, which these tests freeze, empty, kill and start again.
//! They prove that a ticket wakes a worker at once, and that no fault of Redis costs more than the
//! tickets that were in Redis at the time.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod faults;
mod filling;
mod listening;
mod server;
mod stopping;
mod waking;

//! The kill loop: three worker processes, killed and frozen at random over imports without end,
//! and every row accounted for afterwards. Planted bugs must turn it red, or it proves nothing.
//! `LONGSHORE_TEST_SEED` repeats the load and the choices of a run; the timing is the machine's.

mod checker;
mod load;
mod model;
mod raid;

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::app::TestApp;
use crate::app::witness;
use checker::Tables;
use raid::Raid;

/// One run of the loop.
struct Run {
    kills: usize,
    pauses: usize,
    /// Strikes only while a chunk stands between its rows and its commit.
    aimed: bool,
    plant: &'static str,
}

const DATABASES: usize = 5;
const LEASE: Duration = Duration::from_millis(600);

impl Run {
    /// Runs, and returns every fault that was found.
    async fn faults(&self) -> (Vec<String>, raid::Tally) {
        let seed = std::env::var("LONGSHORE_TEST_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
            .unwrap_or_else(rand::random);
        println!("LONGSHORE_TEST_SEED={seed}");
        let mut app = TestApp::start().await;
        app.ends_well = matches!(self.plant, "" | "shields_down");
        witness::install(&app).await;
        load::make_databases(&app, DATABASES).await;
        let mut tables = Vec::new();
        for database in 0..DATABASES {
            let name = load::database_name(database);
            tables.push(Tables {
                profiles: witness::watch(&app, &name, "key").await,
                orders: witness::watch(&app, &name, "orders.sku").await,
            });
        }
        witness::slow_checkpoints(&app, Duration::from_millis(30)).await;
        let began = Instant::now();
        let enough = CancellationToken::new();
        let mut raid = Raid::new(&app, seed, self.plant);
        let (submitted, ()) = tokio::join!(load::feed(&app, (seed, DATABASES), &enough), async {
            raid.run(self).await;
            enough.cancel();
        });
        let struck = began.elapsed();
        let mut faults = raid.end().await;
        let ended = began.elapsed();
        faults.extend(checker::faults(&app, &submitted, &tables).await);
        let rows: usize = submitted.iter().map(|import| import.lines.len()).sum();
        println!(
            "{:?}, {} imports, {rows} rows; struck for {struck:.1?}, done after {ended:.1?}, \
             checked after {:.1?}: {} faults",
            raid.tally,
            submitted.len(),
            began.elapsed(),
            faults.len()
        );
        for fault in faults.iter().take(5) {
            println!("{fault}");
        }
        (faults, raid.tally)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_kills_and_pauses_lose_no_row_and_double_none() {
    let run = Run {
        kills: 200,
        pauses: 25,
        aimed: false,
        plant: "",
    };
    let (faults, tally) = run.faults().await;
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(tally.kills_in_the_middle >= 160, "{tally:?}");
    assert!(tally.pauses_in_the_middle >= 20, "{tally:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_epoch_alone_stops_whoever_wakes_too_late() {
    let run = Run {
        kills: 0,
        pauses: 10,
        aimed: true,
        plant: "shields_down",
    };
    let (faults, _) = run.faults().await;
    assert!(faults.is_empty(), "{faults:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_loop_finds_a_dropped_epoch_check() {
    let run = Run {
        kills: 0,
        pauses: 10,
        aimed: true,
        plant: "epoch_check_dropped",
    };
    let (faults, _) = run.faults().await;
    assert!(!faults.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_loop_finds_a_checkpoint_outside_its_transaction() {
    let run = Run {
        kills: 12,
        pauses: 0,
        aimed: true,
        plant: "checkpoint_outside_transaction",
    };
    let (faults, _) = run.faults().await;
    assert!(!faults.is_empty());
}

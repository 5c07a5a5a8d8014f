//! Two kinds of imports race on one database: large ones that remove what they lack, and many small
//! ones, while their workers are killed. What comes out is the fold of all chunks, of rows and of
//! removals, in the recorded order of their commits.

mod fold;

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::processes::Process;
use fold::{Line, Submitted};

/// How long the race lasts, and what it is about.
const RACE: Duration = Duration::from_secs(60);
const LEASE_MS: &str = "600";
const WORKERS: usize = 3;
const POOL: usize = 6_000;
/// Every import ends this long after the last kill.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn large_imports_with_removals_and_small_ones_under_kills_fold_in_commit_order() {
    let seed = std::env::var("LONGSHORE_TEST_SEED")
        .ok()
        .map_or_else(rand::random, |text| text.parse().unwrap());
    println!("LONGSHORE_TEST_SEED={seed}");
    let mut lot = StdRng::seed_from_u64(seed);
    let app = TestApp::start().await;
    let fields = json!([{"name": "key", "type": "text"}, {"name": "score", "type": "integer"}]);
    app.database(json!({"name": "people", "fields": fields}))
        .await;
    let brake = json!({"brake": {"percent": 100, "percent_below_100": 100, "allow_empty": true}});
    app.call("PATCH", "/databases/people", Some(brake))
        .await
        .expect(200);
    let mut workers: Vec<Process> = (0..WORKERS).map(|_| worker(&app)).collect();
    let mut submitted: Vec<Submitted> = Vec::new();
    let mut kills = 0;
    let began = Instant::now();
    while began.elapsed() < RACE {
        feed(&app, &mut lot, &mut submitted).await;
        tokio::time::sleep(Duration::from_millis(lot.random_range(20..150))).await;
        let victim = lot.random_range(0..WORKERS * 2);
        if victim < WORKERS && may_be_killed(&app).await {
            workers[victim].kill();
            workers[victim] = worker(&app);
            kills += 1;
        }
    }
    all_ended(&app).await;
    for worker in &mut workers {
        worker.is_listening(&app).await;
        worker.terminate();
        assert_eq!(worker.exit_code(Duration::from_secs(20)).await, 0);
    }
    let removed = fold::compare(&app, &submitted).await;
    println!(
        "{kills} kills, {} imports, {removed} removed",
        submitted.len()
    );
    assert!(kills > 30 && removed > 1_000 && submitted.len() > 100);
}

fn worker(app: &TestApp) -> Process {
    app.worker_process(&[("LEASE_MS", LEASE_MS), ("PLANT", "")])
}

/// An import whose worker died again and again would be taken for a poison one.
async fn may_be_killed(app: &TestApp) -> bool {
    let spared: bool = sqlx::query_scalar(
        "select exists (select from leases l join imports i on i.id = l.import_id
                        where l.rescues >= 2 and i.finished_at is null)",
    )
    .fetch_one(&app.pool)
    .await
    .unwrap();
    !spared
}

/// One large import and a few small ones are always on their way.
async fn feed(app: &TestApp, lot: &mut StdRng, submitted: &mut Vec<Submitted>) {
    let (large, small): (i64, i64) = sqlx::query_as(
        "select count(*) filter (where definition ->> 'remove_missing' = 'true'),
             count(*) filter (where definition ->> 'remove_missing' = 'false')
         from imports where finished_at is null",
    )
    .fetch_one(&app.pool)
    .await
    .unwrap();
    if large < 1 {
        submitted.push(submit(app, lot, Size::Large).await);
    }
    for _ in small..4 {
        submitted.push(submit(app, lot, Size::Small).await);
    }
}

#[derive(PartialEq, Eq)]
enum Size {
    Large,
    Small,
}

async fn submit(app: &TestApp, lot: &mut StdRng, size: Size) -> Submitted {
    let (rows, actions): (usize, &[&'static str]) = match size {
        // At least half as long as the one before, or the brake would ask.
        Size::Large => (lot.random_range(2_500..4_500), &["update_or_add", "update"]),
        Size::Small => (
            lot.random_range(1..40),
            &["update_or_add", "update_or_add", "ignore_or_add", "delete"],
        ),
    };
    let action = actions[lot.random_range(0..actions.len())];
    let start = lot.random_range(0..POOL);
    let lines: Vec<Line> = (0..rows)
        .map(|row| Line {
            key: format!("k{:05}", (start + row) % POOL),
            score: lot.random_range(0..3),
        })
        .collect();
    let text: String = lines
        .iter()
        .map(|line| format!("{},{}\n", line.key, line.score))
        .collect();
    let definition = json!({"database": "people", "action": action, "key_fields": ["key"],
        "remove_missing": size == Size::Large, "format": "csv",
        "source": format!("key,score\n{text}")});
    let id = app.submit(definition).await;
    Submitted {
        id: id.strip_prefix("imp_").unwrap().parse().unwrap(),
        action,
        removes: size == Size::Large,
        lines,
    }
}

async fn all_ended(app: &TestApp) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left: Vec<Value> = sqlx::query_scalar(
            "select to_jsonb(id) || to_jsonb(state) from imports
             where state not in ('completed', 'failed', 'cancelled')",
        )
        .fetch_all(&app.pool)
        .await
        .unwrap();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

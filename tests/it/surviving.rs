//! Worker processes that die, freeze, stop or take long: what becomes of their imports, and when.

use std::time::{Duration, Instant};

use longshore_core::id::{Kind, parse};
use longshore_core::queue::Verb;
use serde_json::json;

use crate::app::TestApp;
use crate::app::processes::{Process, eventually};
use crate::app::witness;

const ROWS: i64 = 15_000;
/// Enough for an import to come to its end here, slow chunks and busy machines included.
const PATIENCE: Duration = Duration::from_secs(60);

/// A database whose touches are counted, and whose chunks take at least `chunk`.
async fn start(chunk: Duration) -> TestApp {
    let app = TestApp::start().await;
    app.database(json!({"name": "people", "fields": [{"name": "key", "type": "text"}]}))
        .await;
    witness::install(&app).await;
    witness::watch(&app, "people", "key").await;
    witness::slow_checkpoints(&app, chunk).await;
    app
}

async fn submit(app: &TestApp, rows: i64) -> i64 {
    let source = "key\n".to_owned() + &(0..rows).map(|row| format!("k{row}\n")).collect::<String>();
    let definition = json!({"database": "people", "action": "update_or_add",
                            "key_fields": ["key"], "format": "csv", "source": source});
    number(&app.submit(definition).await)
}

fn number(id: &str) -> i64 {
    parse(Kind::Import, id).unwrap()
}

async fn chunks(app: &TestApp, import: i64) -> usize {
    witness::chunks(app, import).await.len()
}

async fn a_chunk_after(app: &TestApp, import: i64, before: usize) {
    eventually("the next chunk", PATIENCE, || async {
        chunks(app, import).await > before
    })
    .await;
}

async fn ends(app: &TestApp, import: i64) {
    eventually("the import ends", PATIENCE, || async {
        state(app, import).await.1
    })
    .await;
}

/// Its state, and whether that is final.
async fn state(app: &TestApp, import: i64) -> (String, bool) {
    sqlx::query_as("select state, finished_at is not null from imports where id = $1")
        .bind(import)
        .fetch_one(&app.pool)
        .await
        .unwrap()
}

/// Epoch and rescues of its lease.
async fn lease(app: &TestApp, import: i64) -> (i64, i32) {
    sqlx::query_as("select epoch, rescues from leases where import_id = $1")
        .bind(import)
        .fetch_one(&app.pool)
        .await
        .unwrap()
}

/// Complete, every row in one chunk and touched once.
async fn is_whole(app: &TestApp, import: i64, rows: i64) {
    assert_eq!(state(app, import).await.0, "completed");
    let chunks = witness::chunks(app, import).await;
    assert!(witness::cover(&chunks, rows), "{chunks:?}");
    assert_eq!(witness::touched(app, "I").await, (rows, rows));
    assert_eq!(witness::touched(app, "U").await, (0, 0));
}

/// Which of these processes holds the import.
async fn holder(app: &TestApp, import: i64, workers: &[Process]) -> usize {
    let holder: Option<String> =
        sqlx::query_scalar("select holder from leases where import_id = $1")
            .bind(import)
            .fetch_one(&app.pool)
            .await
            .unwrap();
    let holder = holder.unwrap();
    let is_holder = |worker: &Process| holder.starts_with(&worker.holder_prefix());
    workers.iter().position(is_holder).unwrap()
}

async fn stops_well(mut worker: Process) {
    worker.terminate();
    assert_eq!(worker.exit_code(PATIENCE).await, 0, "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_another_worker_commits_the_next_chunk_within_45_seconds() {
    let app = start(Duration::from_millis(150)).await;
    let mut workers = [app.worker_process(&[]), app.worker_process(&[])];
    let import = submit(&app, ROWS).await;
    a_chunk_after(&app, import, 0).await;
    let victim = holder(&app, import, &workers).await;
    workers[victim].kill();
    let killed = Instant::now();
    let before = chunks(&app, import).await;
    assert!(!state(&app, import).await.1);
    a_chunk_after(&app, import, before).await;
    println!(
        "the next chunk came {:.1?} after the kill",
        killed.elapsed()
    );
    assert!(killed.elapsed() <= Duration::from_secs(45));
    ends(&app, import).await;
    is_whole(&app, import, ROWS).await;
    assert_eq!(lease(&app, import).await, (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_ten_leases_stays_with_its_worker() {
    // The first checkpoint alone takes longer than a lease.
    let lease_length = Duration::from_secs(1);
    let app = start(Duration::from_millis(2_500)).await;
    let settings = [("LEASE_MS", "1000")];
    let _workers = [app.worker_process(&settings), app.worker_process(&settings)];
    let rows = 14_000;
    let began = Instant::now();
    let import = submit(&app, rows).await;
    ends(&app, import).await;
    assert!(
        began.elapsed() >= 10 * lease_length,
        "{:?}",
        began.elapsed()
    );
    is_whole(&app, import, rows).await;
    assert_eq!(lease(&app, import).await, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_stop_hands_its_import_on_at_once() {
    let app = start(Duration::from_millis(150)).await;
    let mut workers = vec![app.worker_process(&[]), app.worker_process(&[])];
    let import = submit(&app, ROWS).await;
    a_chunk_after(&app, import, 0).await;
    let place = holder(&app, import, &workers).await;
    let leaving = workers.swap_remove(place);
    stops_well(leaving).await;
    let left = Instant::now();
    let before = chunks(&app, import).await;
    assert!(!state(&app, import).await.1);
    a_chunk_after(&app, import, before).await;
    assert!(
        left.elapsed() <= Duration::from_secs(5),
        "{:?}",
        left.elapsed()
    );
    ends(&app, import).await;
    is_whole(&app, import, ROWS).await;
    assert_eq!(lease(&app, import).await, (2, 0));
    for worker in workers {
        stops_well(worker).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_worker_is_replaced_though_it_was_the_sweeper_and_writes_nothing_when_it_wakes() {
    let app = start(Duration::from_millis(150)).await;
    let settings = [("LEASE_MS", "1000")];
    let first = app.worker_process(&settings);
    let import = submit(&app, ROWS).await;
    a_chunk_after(&app, import, 0).await;
    first.freeze();
    let second = app.worker_process(&settings);
    ends(&app, import).await;
    is_whole(&app, import, ROWS).await;
    first.thaw();
    eventually("it notices", Duration::from_secs(5), || async {
        first.log().contains("lease_lost")
    })
    .await;
    is_whole(&app, import, ROWS).await;
    assert_eq!(lease(&app, import).await.0, 2);
    // Both are fit for work.
    stops_well(second).await;
    let next = submit(&app, 100).await;
    ends(&app, next).await;
    assert_eq!(state(&app, next).await.0, "completed");
    stops_well(first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_cancelled_while_no_worker_is_alive() {
    let app = start(Duration::ZERO).await;
    let import = submit(&app, 100).await;
    let path = format!("/imports/imp_{import}/cancel");
    let answer = app.post(&path, json!({})).await.expect(202);
    assert_eq!(answer.json["state"], "cancelled");
    assert!(!app.worker.step(Verb::Apply).await.unwrap());
    assert_eq!(app.profiles("people").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_holder_was_killed_is_cancelled_by_whoever_takes_it_up() {
    let app = start(Duration::from_millis(150)).await;
    let mut worker = app.worker_process(&[("LEASE_MS", "2000")]);
    let import = submit(&app, ROWS).await;
    a_chunk_after(&app, import, 0).await;
    worker.kill();
    let before = witness::chunks(&app, import).await;
    let path = format!("/imports/imp_{import}/cancel");
    let answer = app.post(&path, json!({})).await.expect(202);
    assert_eq!(answer.json["state"], "applying");
    let _next = app.worker_process(&[("LEASE_MS", "2000")]);
    ends(&app, import).await;
    assert_eq!(state(&app, import).await.0, "cancelled");
    assert_eq!(witness::chunks(&app, import).await, before);
    let applied = before.last().unwrap().1 - 1;
    assert_eq!(witness::touched(&app, "I").await, (applied, applied));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_holder_is_long_dead_is_cancelled_without_any_worker() {
    let app = start(Duration::from_millis(150)).await;
    let mut worker = app.worker_process(&[("LEASE_MS", "1000")]);
    let import = submit(&app, ROWS).await;
    a_chunk_after(&app, import, 0).await;
    worker.kill();
    eventually("the lease runs out", PATIENCE, || async {
        sqlx::query_scalar("select held_until < now() from leases where import_id = $1")
            .bind(import)
            .fetch_one(&app.pool)
            .await
            .unwrap()
    })
    .await;
    let path = format!("/imports/imp_{import}/cancel");
    let answer = app.post(&path, json!({})).await.expect(202);
    assert_eq!(answer.json["state"], "cancelled");
    let totals = &answer.json["totals"];
    let applied = witness::chunks(&app, import).await.last().unwrap().1 - 1;
    assert_eq!(totals["created"], applied);
    assert_eq!(totals["unprocessed"], ROWS - applied);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_died_before_the_first_row_was_tried_cost_no_row() {
    let app = start(Duration::ZERO).await;
    let import = submit(&app, 10).await;
    // As after four holders that died while they surveyed it or waited for its turn.
    sqlx::query("update leases set rescues = 4 where import_id = $1")
        .bind(import)
        .execute(&app.pool)
        .await
        .unwrap();
    app.work_until_idle().await;
    is_whole(&app, import, 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_ends_its_connection_twice_is_tried_again_from_the_checkpoint() {
    let app = start(Duration::ZERO).await;
    let watched = witness::find(&app, "people", "key").await;
    // A sequence counts on, whatever is rolled back.
    let sql = format!(
        "create sequence test.deaths;
         create function test.die() returns trigger language plpgsql as $$ begin
             if nextval('test.deaths') <= 2 then perform pg_terminate_backend(pg_backend_pid()); end if;
             return new;
         end $$;
         create trigger test_die before insert on {} for each row when (new.{} = 'k7000')
             execute function test.die();",
        watched.table, watched.key
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&app.pool)
        .await
        .unwrap();
    let import = submit(&app, ROWS).await;
    app.work_until_idle().await;
    is_whole(&app, import, ROWS).await;
    let deaths: i64 = sqlx::query_scalar("select last_value from test.deaths")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert_eq!((deaths, lease(&app, import).await), (3, (1, 0)));
}

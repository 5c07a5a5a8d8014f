//! Whose turn it is: on one database, between databases, between accounts. A gate holds a chunk in
//! the middle where two imports have to meet.

use std::time::{Duration, Instant};

use longshore_core::id::{Kind, parse};
use longshore_core::queue::Verb;
use longshore_core::token::Scope;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::app::witness::{self, Gate};
use crate::app::{TestApp, answer, make_token};

async fn start() -> TestApp {
    let app = TestApp::start().await;
    database(&app, "people").await;
    app
}

async fn database(app: &TestApp, name: &str) {
    let fields = json!([{"name": "key", "type": "text"}]);
    app.database(json!({"name": name, "fields": fields})).await;
}

fn import(database: &str, source: &str) -> Value {
    json!({"database": database, "action": "update_or_add", "key_fields": ["key"],
           "format": "csv", "source": source})
}

/// Keys that no other source has, with a gate before the row `gate`, if there is one.
fn rows(prefix: &str, count: usize, gate: Option<usize>) -> String {
    let key = |row: usize| match Some(row) == gate {
        true => "gate\n".to_owned(),
        false => format!("{prefix}{row}\n"),
    };
    "key\n".to_owned() + &(0..count).map(key).collect::<String>()
}

/// Large enough for several chunks, with the gate in the second.
fn large(prefix: &str) -> String {
    rows(prefix, 30_000, Some(5_500))
}

fn number(id: &str) -> i64 {
    parse(Kind::Import, id).unwrap()
}

/// Takes one step, beside the test.
fn step(app: &TestApp) -> JoinHandle<bool> {
    let worker = app.worker.clone();
    tokio::spawn(async move { worker.step(Verb::Apply).await.unwrap() })
}

/// Which imports the chunks of this app belong to, in the order of truth, repetitions left out.
async fn order(app: &TestApp) -> Vec<i64> {
    let mut order: Vec<i64> = sqlx::query_scalar("select import_id from chunks order by seq")
        .fetch_all(&app.pool)
        .await
        .unwrap();
    order.dedup();
    order
}

async fn waits_for_turn(app: &TestApp, id: &str) -> bool {
    lease(app, id, "waiting_for_turn and due_at is null").await
}

async fn is_due(app: &TestApp, id: &str) -> bool {
    lease(app, id, "due_at <= now() and not waiting_for_turn").await
}

async fn lease(app: &TestApp, id: &str, condition: &'static str) -> bool {
    let sql = format!("select ({condition}) is true from leases where import_id = $1");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(number(id))
        .fetch_one(&app.pool)
        .await
        .unwrap()
}

/// Nobody claims it until it is made due.
async fn set_due(app: &TestApp, id: &str, due_at: &'static str) {
    let sql = format!("update leases set due_at = {due_at} where import_id = $1");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(number(id))
        .execute(&app.pool)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_of_one_database_apply_in_order_of_acceptance_whoever_is_ready_first() {
    let app = start().await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(app.submit(import("people", &rows(name, 2_000, None))).await);
    }
    // The last one is ready first, the first one last.
    set_due(&app, &ids[0], "now() + interval '1 hour'").await;
    set_due(&app, &ids[1], "now() + interval '1 hour'").await;
    assert!(app.worker.step(Verb::Apply).await.unwrap());
    set_due(&app, &ids[1], "now()").await;
    assert!(app.worker.step(Verb::Apply).await.unwrap());
    assert!(waits_for_turn(&app, &ids[1]).await && waits_for_turn(&app, &ids[2]).await);
    set_due(&app, &ids[0], "now()").await;
    app.work_until_idle().await;
    let expected: Vec<i64> = ids.iter().map(|id| number(id)).collect();
    assert_eq!(order(&app).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_has_begun_keeps_its_turn_when_an_earlier_one_gets_its_payload_later() {
    let app = start().await;
    let mut by_location = import("people", "");
    by_location.as_object_mut().unwrap().remove("source");
    by_location["location"] = json!(app.files.put("/late.csv", rows("e", 2_000, None)));
    let earlier = app.submit(by_location).await;
    let gate = Gate::shut(&app, "people", "key").await;
    let later = app.submit(import("people", &large("l"))).await;
    let mut holder = app.worker_process(&[("FETCH_SLOTS", "0")]);
    gate.reached(&app).await;
    assert!(app.worker.step(Verb::Fetch).await.unwrap());
    holder.kill();
    gate.open().await;
    // As the sweep does when the lease ran out.
    sqlx::query(
        "update leases set holder = null, held_until = null, due_at = now() where import_id = $1",
    )
    .bind(number(&later))
    .execute(&app.pool)
    .await
    .unwrap();
    app.work_until_idle().await;
    let expected = [number(&later), number(&earlier)];
    assert_eq!(order(&app).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_import_goes_between_two_chunks_of_a_running_large_one() {
    let app = start().await;
    let gate = Gate::shut(&app, "people", "key").await;
    let long = app.submit(import("people", &large("l"))).await;
    let running = step(&app);
    gate.reached(&app).await;
    let short = app.submit(import("people", &rows("s", 1, None))).await;
    let other = step(&app);
    witness::someone_waits_to_write(&app).await;
    gate.open().await;
    assert!(running.await.unwrap() && other.await.unwrap());
    let (long, short) = (number(&long), number(&short));
    assert_eq!(order(&app).await, [long, short, long]);
    app.work_until_idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_of_different_databases_run_side_by_side() {
    let app = start().await;
    database(&app, "shops").await;
    let gate = Gate::shut(&app, "people", "key").await;
    app.submit(import("people", &large("l"))).await;
    let running = step(&app);
    gate.reached(&app).await;
    let other = app.submit(import("shops", &rows("s", 2_000, None))).await;
    assert!(app.worker.step(Verb::Apply).await.unwrap());
    assert_eq!(app.status(&other).await["state"], "completed");
    assert!(!running.is_finished());
    gate.open().await;
    assert!(running.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_imports_of_one_account_do_not_hold_up_the_one_of_another() {
    let app = start().await;
    for row in 0..200 {
        let source = rows(&format!("a{row}-"), 1, None);
        app.submit(import("people", &source)).await;
    }
    let other = make_token(&app.database_url, "other", Scope::Admin).await;
    let post = |path: &str, body: Value| {
        let request = app.http.post(format!("{}/v1{path}", app.url));
        let request = request.bearer_auth(&other);
        answer(
            request
                .header("content-type", "application/json")
                .body(body.to_string()),
        )
    };
    let definition = json!({"name": "mine", "fields": [{"name": "key", "type": "text"}]});
    post("/databases", definition).await.expect(201);
    let accepted = post("/imports", import("mine", "key\nx\n"))
        .await
        .expect(202);
    let id = accepted.json["id"].as_str().unwrap().to_owned();
    // One slot only, so that nothing but the choice of the next import is fair or not.
    let mut steps = 0;
    while !lease(&app, &id, "due_at is null and holder is null").await {
        assert!(app.worker.step(Verb::Apply).await.unwrap());
        steps += 1;
        // Lots are drawn: the other account may be unlucky, but not this unlucky.
        assert!(steps <= 40, "the other account still waits");
    }
    app.work_until_idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_woken_when_the_one_before_completes() {
    let app = start().await;
    let gate = Gate::shut(&app, "people", "key").await;
    app.submit(import("people", &large("l"))).await;
    let running = step(&app);
    gate.reached(&app).await;
    let next = app.submit(import("people", &rows("n", 2_000, None))).await;
    let waiting = step(&app);
    witness::someone_waits_to_write(&app).await;
    gate.open().await;
    assert!(waiting.await.unwrap());
    assert!(running.await.unwrap());
    assert!(is_due(&app, &next).await);
    app.work_until_idle().await;
    assert_eq!(app.status(&next).await["state"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_woken_when_the_one_before_fails() {
    let app = start().await;
    let broken = app.submit(import("people", "key\n\"never closed\n")).await;
    set_due(&app, &broken, "now() + interval '1 hour'").await;
    let next = app.submit(import("people", &rows("n", 2_000, None))).await;
    assert!(app.worker.step(Verb::Apply).await.unwrap());
    assert!(waits_for_turn(&app, &next).await);
    set_due(&app, &broken, "now()").await;
    assert!(app.worker.step(Verb::Apply).await.unwrap());
    assert_eq!(app.status(&broken).await["state"], "failed");
    assert!(is_due(&app, &next).await);
    app.work_until_idle().await;
    assert_eq!(app.status(&next).await["state"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_woken_when_the_one_before_is_cancelled_held_or_not() {
    let app = start().await;
    let gate = Gate::shut(&app, "people", "key").await;
    let held = app.submit(import("people", &large("l"))).await;
    let running = step(&app);
    gate.reached(&app).await;
    let idle = app.submit(import("people", &rows("i", 2_000, None))).await;
    set_due(&app, &idle, "now() + interval '1 hour'").await;
    let next = app.submit(import("people", &rows("n", 2_000, None))).await;
    let waiting = step(&app);
    witness::someone_waits_to_write(&app).await;
    // A request does not wait for the chunk.
    let began = Instant::now();
    let answer = app
        .post(&format!("/imports/{held}/cancel"), json!({}))
        .await;
    assert_eq!(answer.expect(202).json["state"], "applying");
    assert!(began.elapsed() < Duration::from_secs(2));
    gate.open().await;
    assert!(waiting.await.unwrap());
    assert!(running.await.unwrap());
    let ended = app.status(&held).await;
    assert_eq!(ended["state"], "cancelled");
    let created = ended["totals"]["created"].as_u64().unwrap();
    assert!((1..30_000).contains(&created), "{ended}");
    assert_eq!(app.profiles("people").await.len() as u64, created);
    // Its turn has not come: another one, which nobody holds, is before it.
    app.worker.step(Verb::Apply).await.unwrap();
    assert!(waits_for_turn(&app, &next).await);
    let answer = app
        .post(&format!("/imports/{idle}/cancel"), json!({}))
        .await;
    assert_eq!(answer.expect(202).json["state"], "cancelled");
    assert!(is_due(&app, &next).await);
    app.work_until_idle().await;
    assert_eq!(app.status(&next).await["state"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_comes_while_an_import_gives_way_does_not_wait_for_its_turn() {
    let app = start().await;
    let gate = Gate::shut(&app, "people", "key").await;
    app.submit(import("people", &large("l"))).await;
    let running = step(&app);
    gate.reached(&app).await;
    let next = app.submit(import("people", &rows("n", 2_000, None))).await;
    let waiting = step(&app);
    witness::someone_waits_to_write(&app).await;
    // Its worker holds it still, and learns of this no more.
    app.post(&format!("/imports/{next}/cancel"), json!({}))
        .await
        .expect(202);
    gate.open().await;
    assert!(waiting.await.unwrap());
    assert!(is_due(&app, &next).await);
    assert!(running.await.unwrap());
    app.work_until_idle().await;
    assert_eq!(app.status(&next).await["state"], "cancelled");
}

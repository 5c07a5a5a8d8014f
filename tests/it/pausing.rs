//! Pause, resume and cancel: at every point of an import's path, with a worker and without, and
//! whoever asks at the same time. Nothing is applied twice, and nothing is lost.

mod racing;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::app::{Answer, TestApp, told};
use longshore_core::queue::Verb;

async fn people(app: &TestApp, name: &str) {
    let fields = json!([{"name": "email", "type": "text"}, {"name": "points", "type": "integer"}]);
    app.database(json!({"name": name, "fields": fields})).await;
}

fn definition(database: &str, rows: usize) -> Value {
    let rows: String = (0..rows).map(|row| format!("{row},1\n")).collect();
    json!({"database": database, "action": "add", "source": format!("email,points\n{rows}")})
}

async fn ask(app: &TestApp, id: &str, request: &str) -> Answer {
    app.post(&format!("/imports/{id}/{request}"), json!(null))
        .await
}

async fn state(app: &TestApp, id: &str) -> String {
    app.status(id).await["state"].as_str().unwrap().to_owned()
}

fn number(id: &str) -> i64 {
    id.strip_prefix("imp_").unwrap().parse().unwrap()
}

/// Single rows make a chunk each, as after several crashes.
async fn cut_small(app: &TestApp, id: &str) {
    sqlx::query("update leases set rescues = 3, rows_at_rescue = 1 where import_id = $1")
        .bind(number(id))
        .execute(&app.pool)
        .await
        .unwrap();
}

/// The rest goes in chunks of the usual size.
async fn cut_large(app: &TestApp) {
    sqlx::query("update leases set rescues = 0, rows_at_rescue = 0")
        .execute(&app.pool)
        .await
        .unwrap();
}

/// Stops every writer of a database before its next chunk, until it is dropped.
struct Gate(PgConnection);

impl Gate {
    async fn close(app: &TestApp) -> Gate {
        let mut connection = PgConnection::connect(&app.database_url).await.unwrap();
        sqlx::query("select pg_advisory_lock(4800, id::int) from databases")
            .execute(&mut connection)
            .await
            .unwrap();
        Gate(connection)
    }

    /// Until a writer stands before it.
    async fn reached(&mut self) {
        loop {
            let waiting: bool = sqlx::query_scalar(
                "select exists (select from pg_locks l join pg_database d on d.oid = l.database
                 where d.datname = current_database() and l.locktype = 'advisory'
                   and l.classid = 4800 and not l.granted)",
            )
            .fetch_one(&mut self.0)
            .await
            .unwrap();
            if waiting {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn open(self) {
        self.0.close().await.unwrap();
    }
}

/// Runs the worker until it has applied something and stands before its next chunk, does what is asked
/// then, and lets it go on.
async fn in_the_middle(app: &TestApp, id: &str, asked: impl AsyncFnOnce()) {
    let worker = app.worker.clone();
    let step = tokio::spawn(async move { worker.step(Verb::Apply).await });
    while app.status(id).await["totals"]["created"] == 0 {
        tokio::task::yield_now().await;
    }
    let mut gate = Gate::close(app).await;
    gate.reached().await;
    asked().await;
    gate.open().await;
    step.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_works_on_is_paused_at_once_and_goes_on_when_resumed() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    let id = app.submit(definition("p", 3)).await;
    let paused = ask(&app, &id, "pause").await.expect(202).json;
    assert_eq!(
        (paused["state"].as_str(), paused["phase"].as_str()),
        (Some("paused"), Some("paused"))
    );
    ask(&app, &id, "pause").await.expect(202);
    app.work_until_idle().await;
    assert_eq!(state(&app, &id).await, "paused", "no worker takes it up");
    let resumed = ask(&app, &id, "resume").await.expect(202).json;
    assert_eq!(resumed["state"], "queued");
    app.work_until_idle().await;
    assert_eq!(told(&app.status(&id).await), "created 3; profiles +3");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_paused_or_resumed_says_why() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    let draft = app.submit(json!({"database": "p", "action": "add"})).await;
    let refused = ask(&app, &draft, "pause").await.expect(409);
    assert_eq!(refused.code(), "not_pausable");
    assert!(refused.text.contains("not started yet"));
    assert_eq!(
        ask(&app, &draft, "resume").await.expect(409).code(),
        "not_resumable"
    );
    let done = app.submit(definition("p", 1)).await;
    assert_eq!(
        ask(&app, &done, "resume").await.expect(409).code(),
        "not_resumable"
    );
    app.work_until_idle().await;
    assert_eq!(
        ask(&app, &done, "pause").await.expect(409).code(),
        "not_pausable"
    );
    assert_eq!(
        ask(&app, &done, "resume").await.expect(409).code(),
        "not_resumable"
    );
    ask(&app, "imp_999", "pause").await.expect(404);
    ask(&app, "imp_999", "resume").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_pauses_at_the_end_of_its_chunk_and_gives_its_turn_up() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    let large = app.submit(definition("p", 1_100)).await;
    cut_small(&app, &large).await;
    in_the_middle(&app, &large, async || {
        let asked = ask(&app, &large, "pause").await.expect(202).json;
        assert_eq!(
            (asked["state"].as_str(), &asked["pause_requested"]),
            (Some("applying"), &json!(true))
        );
    })
    .await;
    let status = app.status(&large).await;
    assert_eq!(status["state"], "paused", "{status}");
    assert!(status["pause_requested"].is_null());
    let applied = status["totals"]["created"].as_i64().unwrap();
    assert!((1..1_100).contains(&applied));
    // Another large one has the turn now.
    let other = app.submit(definition("p", 1_200)).await;
    app.work_until_idle().await;
    assert_eq!(state(&app, &other).await, "completed");
    assert_eq!(app.status(&large).await["totals"]["created"], applied);
    cut_large(&app).await;
    ask(&app, &large, "resume").await.expect(202);
    app.work_until_idle().await;
    assert_eq!(
        told(&app.status(&large).await),
        "created 1100; profiles +1100"
    );
    assert_eq!(app.profiles("p").await.len(), 2_300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_taken_back_by_a_resume_before_anybody_obeys() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    let id = app.submit(definition("p", 400)).await;
    cut_small(&app, &id).await;
    in_the_middle(&app, &id, async || {
        ask(&app, &id, "pause").await.expect(202);
        let resumed = ask(&app, &id, "resume").await.expect(202).json;
        assert!(resumed["pause_requested"].is_null());
        assert_eq!(
            ask(&app, &id, "resume").await.expect(409).code(),
            "not_resumable"
        );
    })
    .await;
    app.work_until_idle().await;
    assert_eq!(told(&app.status(&id).await), "created 400; profiles +400");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_goes_before_a_pause_in_either_order() {
    let app = TestApp::start().await;
    for (name, first, second) in [("a", "pause", "cancel"), ("b", "cancel", "pause")] {
        people(&app, name).await;
        let id = app.submit(definition(name, 400)).await;
        cut_small(&app, &id).await;
        in_the_middle(&app, &id, async || {
            ask(&app, &id, first).await.expect(202);
            ask(&app, &id, second).await.expect(202);
        })
        .await;
        assert_eq!(state(&app, &id).await, "cancelled", "{first}, {second}");
    }
    people(&app, "c").await;
    let id = app.submit(definition("c", 20)).await;
    ask(&app, &id, "pause").await.expect(202);
    assert_eq!(
        ask(&app, &id, "cancel").await.expect(202).json["state"],
        "cancelled"
    );
    assert_eq!(
        ask(&app, &id, "resume").await.expect(409).code(),
        "not_resumable"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_in_the_last_chunk_comes_too_late_and_leaves_nothing_behind() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    let id = app.submit(definition("p", 5)).await;
    // It stands before the chunk that is its last: the request was not there when it looked.
    let mut gate = Gate::close(&app).await;
    let worker = app.worker.clone();
    let step = tokio::spawn(async move { worker.step(Verb::Apply).await });
    gate.reached().await;
    let mut first = PgConnection::connect(&app.database_url).await.unwrap();
    let mut tx = first.begin().await.unwrap();
    let database: i64 = sqlx::query_scalar("select id from databases")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    gate.open().await;
    // The turn passes; the chunk itself stands behind this lock, or is done already.
    sqlx::query("select pg_advisory_xact_lock(4800, $1::int)")
        .bind(database as i32)
        .execute(&mut *tx)
        .await
        .unwrap();
    let asked = ask(&app, &id, "pause").await;
    tx.commit().await.unwrap();
    step.await.unwrap().unwrap();
    app.work_until_idle().await;
    let status = app.status(&id).await;
    assert!([202, 409].contains(&asked.status), "{}", asked.text);
    match status["state"].as_str().unwrap() {
        "completed" => assert!(status["pause_requested"].is_null()),
        "paused" => {
            ask(&app, &id, "resume").await.expect(202);
            app.work_until_idle().await;
        }
        other => panic!("{other}"),
    }
    assert_eq!(told(&app.status(&id).await), "created 5; profiles +5");
    let requested: bool = sqlx::query_scalar("select bool_or(pause_requested) from leases")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert!(!requested);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_is_not_alive_is_not_waited_for_and_writes_nothing_when_it_wakes() {
    let app = TestApp::start().await;
    for (name, request, state_after) in [("p", "pause", "paused"), ("c", "cancel", "cancelled")] {
        people(&app, name).await;
        let id = app.submit(definition(name, 20)).await;
        cut_small(&app, &id).await;
        let mut gate = Gate::close(&app).await;
        let worker = app.worker.clone();
        let step = tokio::spawn(async move { worker.step(Verb::Apply).await });
        gate.reached().await;
        sqlx::query(
            "update leases set held_until = now() - interval '1 second' where import_id = $1",
        )
        .bind(number(&id))
        .execute(&app.pool)
        .await
        .unwrap();
        // The request waits for the lock before which the frozen worker stands as well.
        let (asked, ()) = tokio::join!(ask(&app, &id, request), async {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            gate.open().await;
        });
        assert_eq!(asked.expect(202).json["state"], state_after);
        step.await.unwrap().unwrap();
        app.work_until_idle().await;
        let status = app.status(&id).await;
        assert_eq!(status["state"], state_after);
        let there = app.profiles(name).await.len() as i64;
        assert_eq!(
            status["totals"]["created"].as_i64(),
            Some(there),
            "{status}"
        );
        if request == "pause" {
            ask(&app, &id, "resume").await.expect(202);
            app.work_until_idle().await;
            assert_eq!(told(&app.status(&id).await), "created 20; profiles +20");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_waits_for_its_turn_or_its_source_is_paused_at_once() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    let first = app.submit(definition("p", 1_100)).await;
    let second = app.submit(definition("p", 1_100)).await;
    ask(&app, &first, "pause").await.expect(202);
    // With the first one at rest the second has the turn; resumed, the first one waits behind it.
    app.work_until_idle().await;
    assert_eq!(state(&app, &second).await, "completed");
    let missing = json!({"database": "p", "action": "add", "format": "csv",
        "location": format!("http://{}/not-there-yet.csv", app.files.address)});
    let fetched = app.submit(missing).await;
    ask(&app, &fetched, "pause").await.expect(202);
    app.files.put("/not-there-yet.csv", "email,points\nz,1\n");
    app.work_until_idle().await;
    assert_eq!(state(&app, &fetched).await, "paused");
    for id in [&fetched, &first] {
        ask(&app, id, "resume").await.expect(202);
    }
    app.work_until_idle().await;
    assert_eq!(told(&app.status(&fetched).await), "created 1; profiles +1");
    assert_eq!(
        told(&app.status(&first).await),
        "created 1100; profiles +1100"
    );
}

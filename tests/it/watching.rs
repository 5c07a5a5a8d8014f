//! The status while an import is on its way: as a stream of events, with what it waits for and why
//! nothing moves.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::app::TestApp;
use longshore_core::queue::Verb;

async fn people(app: &TestApp) {
    let fields = json!([{"name": "email", "type": "text"}]);
    app.database(json!({"name": "p", "fields": fields})).await;
}

fn definition(rows: usize) -> Value {
    let rows: String = (0..rows).map(|row| format!("{row}\n")).collect();
    json!({"database": "p", "action": "add", "source": format!("email\n{rows}")})
}

fn number(id: &str) -> i64 {
    id.strip_prefix("imp_").unwrap().parse().unwrap()
}

/// A stream of events as a client reads it.
struct Stream {
    response: reqwest::Response,
    text: String,
}

#[derive(Debug)]
struct Event {
    id: String,
    status: Value,
}

impl Stream {
    async fn open(app: &TestApp, id: &str, last: Option<&str>) -> Stream {
        let mut request = app.request("GET", &format!("/imports/{id}/events"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Stream {
            response,
            text: String::new(),
        }
    }

    /// The next event; none: the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let line = |name: &str| {
                    let mut lines = event.lines();
                    lines
                        .find_map(|line| line.strip_prefix(name))
                        .map(str::trim)
                };
                let found = line("data:").map(|data| Event {
                    id: line("id:").unwrap().to_owned(),
                    status: serde_json::from_str(data).unwrap(),
                });
                assert!(found.is_none() || line("event:") == Some("status"));
                self.text = rest.to_owned();
                match found {
                    Some(found) => return Some(found),
                    None => continue,
                }
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.response.chunk());
            let chunk = chunk.await.unwrap().unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_every_stage_and_ends_with_the_import() {
    let app = TestApp::start().await;
    people(&app).await;
    let id = app.submit(definition(3)).await;
    let mut stream = Stream::open(&app, &id, None).await;
    let first = stream.next().await.unwrap();
    assert_eq!(
        first.status,
        app.status(&id).await,
        "the same object as the status"
    );
    app.work_until_idle().await;
    let mut last = first.status.clone();
    let mut ids = vec![first.id];
    while let Some(event) = stream.next().await {
        assert!(event.status["version"].as_i64() >= last["version"].as_i64());
        ids.push(event.id);
        last = event.status;
    }
    assert_eq!(last["state"], "completed");
    assert_eq!(last["totals"]["created"], 3);
    ids.dedup();
    // Who comes back hears nothing twice, but always the end.
    let mut again = Stream::open(&app, &id, ids.last().map(String::as_str)).await;
    assert_eq!(again.next().await.unwrap().status["state"], "completed");
    assert!(again.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_comes_back_hears_only_what_is_new() {
    let app = TestApp::start().await;
    people(&app).await;
    let id = app.submit(definition(1)).await;
    let known = Stream::open(&app, &id, None).await.next().await.unwrap();
    let mut stream = Stream::open(&app, &id, Some(&known.id)).await;
    app.post(&format!("/imports/{id}/pause"), json!(null))
        .await
        .expect(202);
    let news = stream.next().await.unwrap();
    assert_eq!(news.status["state"], "paused", "and not queued again");
    app.post(&format!("/imports/{id}/cancel"), json!(null))
        .await
        .expect(202);
    assert_eq!(stream.next().await.unwrap().status["state"], "cancelled");
    assert!(stream.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_refused_like_statuses_and_are_not_without_limit() {
    let app = TestApp::start().await;
    people(&app).await;
    assert_eq!(
        app.get("/imports/imp_99/events").await.expect(404).code(),
        "not_found"
    );
    let id = app.submit(definition(1)).await;
    let mut open = Vec::new();
    for _ in 0..longshore_core::limits::STREAMS_PER_ACCOUNT_MAX {
        open.push(Stream::open(&app, &id, None).await);
    }
    let refused = app.get(&format!("/imports/{id}/events")).await.expect(429);
    assert_eq!(refused.code(), "too_many_streams");
    assert_eq!(refused.headers["retry-after"], "10");
    // Whoever goes makes room, once the server notices.
    open.clear();
    for _ in 0..200 {
        let request = app.request("GET", &format!("/imports/{id}/events"));
        if request.send().await.unwrap().status() == 200 {
            app.work_until_idle().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no stream got free");
}

async fn stalled(app: &TestApp, id: &str) -> (Value, Value, Value) {
    let status = app.status(id).await;
    let member = |name: &str| status[name].clone();
    (
        member("stall_reason"),
        member("queue_position"),
        member("phase"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_says_what_it_waits_for() {
    let app = TestApp::start().await;
    people(&app).await;
    let large = app.submit(definition(1_100)).await;
    let next = app.submit(definition(1_200)).await;
    let third = app.submit(definition(1_300)).await;
    let dead = (
        json!("No worker is alive."),
        json!(0),
        json!("waiting for a worker"),
    );
    assert_eq!(stalled(&app, &large).await, dead);
    assert_eq!(stalled(&app, &third).await.1, 2);
    // A worker was seen, and has other things to do.
    sqlx::query("insert into workers (name) values ('busy')")
        .execute(&app.pool)
        .await
        .unwrap();
    assert_eq!(
        stalled(&app, &large).await.0,
        json!(null),
        "it was only just accepted"
    );
    sqlx::query("update leases set due_at = now() - interval '5 seconds'")
        .execute(&app.pool)
        .await
        .unwrap();
    assert_eq!(stalled(&app, &large).await.0, "All workers are busy.");
    // While the first is applied, the others wait for their turn.
    let mut gate = PgConnection::connect(&app.database_url).await.unwrap();
    let database: i64 = sqlx::query_scalar("select id from databases")
        .fetch_one(&mut gate)
        .await
        .unwrap();
    sqlx::query("select pg_advisory_lock(4800, $1::int)")
        .bind(database as i32)
        .execute(&mut gate)
        .await
        .unwrap();
    sqlx::query("update imports set state = 'applying', rows_total = 1100, columns = '{email}' where id = $1")
        .bind(number(&large)).execute(&app.pool).await.unwrap();
    sqlx::query("update leases set due_at = null, holder = 'somebody', held_until = now() + interval '30 seconds', renewed_at = now() where import_id = $1")
        .bind(number(&large)).execute(&app.pool).await.unwrap();
    sqlx::query("update leases set due_at = null, waiting_for_turn = true where import_id > $1")
        .bind(number(&large))
        .execute(&app.pool)
        .await
        .unwrap();
    sqlx::query("update imports set state = 'preparing', rows_total = 1200, columns = '{email}' where id > $1")
        .bind(number(&large)).execute(&app.pool).await.unwrap();
    assert_eq!(
        stalled(&app, &large).await,
        (json!(null), json!(null), json!("applying rows"))
    );
    assert!(app.status(&large).await["heartbeat_at"].is_string());
    let reason = format!("It waits for {large}, which goes into the same database.");
    assert_eq!(stalled(&app, &next).await.0, json!(reason));
    assert_eq!(stalled(&app, &next).await.1, 1);
    assert_eq!(stalled(&app, &third).await.1, 2);
    // Also those that were surveyed as they came, and prepare nothing.
    for state in ["queued", "preparing"] {
        sqlx::query("update imports set state = $2 where id > $1")
            .bind(number(&large))
            .bind(state)
            .execute(&app.pool)
            .await
            .unwrap();
        let phase = stalled(&app, &next).await.2;
        assert_eq!(phase, "waiting for its turn on the database", "{state}");
    }
    // The worker says nothing any more: nobody may believe that rows are being applied.
    sqlx::query("update leases set held_until = now() - interval '1 second' where import_id = $1")
        .bind(number(&large))
        .execute(&app.pool)
        .await
        .unwrap();
    let (reason, _, phase) = stalled(&app, &large).await;
    assert_eq!(
        reason,
        "Its worker vanished; another takes it up within seconds."
    );
    assert_eq!(phase, "waiting for a worker");
    gate.close().await.unwrap();
    sqlx::query("update leases set holder = null, held_until = null, waiting_for_turn = false, due_at = now()").execute(&app.pool).await.unwrap();
    sqlx::query("update imports set state = 'queued', rows_total = null, columns = null")
        .execute(&app.pool)
        .await
        .unwrap();
    app.work_until_idle().await;
    assert_eq!(app.profiles("p").await.len(), 3_600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_says_when_a_source_is_asked_again() {
    let app = TestApp::start().await;
    people(&app).await;
    let location = app
        .source
        .script("/x.csv", [crate::app::Reply::status(503)]);
    let id = app
        .submit(json!({"database": "p", "action": "add", "format": "csv", "location": location}))
        .await;
    app.worker.step(Verb::Fetch).await.unwrap();
    let (reason, _, phase) = stalled(&app, &id).await;
    assert_eq!(phase, "waiting to fetch the source again");
    let reason = reason.as_str().unwrap();
    assert!(
        reason.starts_with("The next attempt is at 20") && reason.contains("Attempt 1"),
        "{reason}"
    );
    app.post(&format!("/imports/{id}/cancel"), json!(null))
        .await
        .expect(202);
}

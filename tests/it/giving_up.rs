//! Imports that are given up for their rejects: more than half of many rows, or all of them.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::app::{TestApp, told};

/// So many that they do not fit into one chunk.
const MANY: usize = 60_000;

async fn people(app: &TestApp) {
    let fields = json!([{"name": "key", "type": "integer"}, {"name": "born", "type": "date"}]);
    app.database(json!({"name": "people", "fields": fields}))
        .await;
}

/// `MANY` rows, of which those have a day that is none.
fn listing(is_bad: impl Fn(usize) -> bool) -> Value {
    let mut source = String::from("key,born\n");
    for row in 1..=MANY {
        let born = if is_bad(row) { "soon" } else { "2001-02-03" };
        let _ = writeln!(source, "{row},{born}");
    }
    json!({"database": "people", "action": "update_or_add", "key_fields": ["key"], "source": source})
}

fn count(status: &Value, of: &str) -> i64 {
    status["totals"][of].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_half_of_many_rows_rejected_ends_the_import_and_leaves_the_rest() {
    let app = TestApp::start().await;
    people(&app).await;
    let id = app.submit(listing(|row| row % 5 > 1)).await;
    let behind = app.submit(json!({"database": "people", "action": "add", "source": "key\n-1\n"}));
    let behind = behind.await;
    app.work_until_idle().await;
    let status = app.status(&id).await;
    assert_eq!(status["state"], "failed");
    assert_eq!(status["error"]["code"], "too_many_rejects");
    let message = status["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("invalid_date") && message.contains("born"),
        "{message}"
    );
    let (created, rejected) = (count(&status, "created"), count(&status, "rejected"));
    // Judged behind the thousandth row, whatever the size of chunks.
    assert_eq!((created, rejected), (400, 600));
    assert_eq!(count(&status, "unprocessed"), MANY as i64 - 1_000);
    let kept = app.profiles("people").await.len() as i64;
    assert_eq!(kept, created + 1, "what was applied stays");
    assert_eq!(app.status(&behind).await["state"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_half_of_all_rows_rejected_is_a_failure_also_behind_the_last_row() {
    let app = TestApp::start().await;
    people(&app).await;
    let mut source = String::from("key,born\n");
    for row in 1..=2_500 {
        let born = if row > 1_000 { "soon" } else { "2001-02-03" };
        let _ = writeln!(source, "{row},{born}");
    }
    let definition = json!({"database": "people", "action": "update_or_add",
        "key_fields": ["key"], "source": source});
    let status = app.import(definition).await;
    assert_eq!(status["state"], "failed");
    assert_eq!(status["error"]["code"], "too_many_rejects");
    let counted = ["created", "rejected", "unprocessed"].map(|of| count(&status, of));
    assert_eq!(counted, [1_000, 1_500, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_half_of_many_rows_rejected_lets_the_import_go_on() {
    let app = TestApp::start().await;
    people(&app).await;
    // Good ones first: behind no row is the share above a half.
    let status = app.import(listing(|row| row % 2 == 0)).await;
    assert_eq!(status["state"], "completed_with_rejects");
    let half = MANY as i64 / 2;
    assert_eq!(count(&status, "created"), half);
    assert_eq!(count(&status, "rejected"), half);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_which_every_row_is_rejected_fails_and_removes_nothing() {
    let app = TestApp::start().await;
    people(&app).await;
    let brake = json!({"brake": {"percent": 100, "percent_below_100": 100, "allow_empty": true}});
    app.call("PATCH", "/databases/people", Some(brake))
        .await
        .expect(200);
    app.import(json!({"database": "people", "action": "add", "source": "key\n1\n2\n"}))
        .await;
    for one_by_one in [false, true] {
        let definition = json!({"database": "people", "action": "update_or_add",
            "key_fields": ["key"], "remove_missing": true, "source": "key,born\n1,soon\n3,later\n"});
        let status = match one_by_one {
            false => app.import(definition).await,
            true => app.import_row_by_row(definition).await,
        };
        assert_eq!(status["state"], "failed");
        assert_eq!(status["error"]["code"], "all_rows_failed");
        assert_eq!(told(&status), "rejected 2");
        assert_eq!(status["profiles"]["removed"], 0);
        let id = status["id"].as_str().unwrap();
        assert_eq!(app.rejects(id).await.len(), 2);
        assert_eq!(app.told_profiles("people").await, "-/1; -/2");
    }
}

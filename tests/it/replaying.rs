//! The same submission again: an Idempotency-Key makes one import of it, however often and however
//! many at once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::app::{Answer, TestApp, answer, make_token};
use longshore_core::token::Scope;

async fn app() -> TestApp {
    let app = TestApp::start().await;
    let fields = json!([{"name": "email", "type": "email"}]);
    app.database(json!({"name": "people", "fields": fields}))
        .await;
    app
}

fn definition(email: &str) -> Value {
    json!({"database": "people", "action": "add", "source": [{"email": email}]})
}

async fn submit(app: &TestApp, key: &str, body: &Value) -> Answer {
    let request = app
        .request("POST", "/imports")
        .header("idempotency-key", key);
    answer(
        request
            .header("content-type", "application/json")
            .body(body.to_string()),
    )
    .await
}

async fn count(app: &TestApp) -> i64 {
    let count = "select count(*) from imports";
    sqlx::query_scalar(count)
        .fetch_one(&app.pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_answered_with_the_first_import_quoted_or_bare() {
    let app = app().await;
    let body = definition("a@x.example");
    let first = submit(&app, "\"nightly-7\"", &body).await.expect(202);
    assert!(!first.headers.contains_key("idempotency-replayed"));
    // Members in another order are the same request.
    let turned = json!({"source": [{"email": "a@x.example"}], "action": "add", "database": "people",
        "autostart": true});
    for (key, body) in [
        ("nightly-7", &body),
        ("\"nightly-7\"", &body),
        ("nightly-7", &turned),
    ] {
        let again = submit(&app, key, body).await.expect(202);
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.headers["location"], first.headers["location"]);
        assert_eq!(again.json["id"], first.json["id"]);
    }
    app.work_until_idle().await;
    let later = submit(&app, "nightly-7", &body).await.expect(202);
    assert_eq!(
        later.json["state"], "completed",
        "a replay shows how the import stands now"
    );
    assert_eq!(count(&app).await, 1);
    assert_eq!(app.profiles("people").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_came_with_another_request_is_refused() {
    let app = app().await;
    submit(&app, "k", &definition("a@x.example"))
        .await
        .expect(202);
    let mut others = vec![definition("b@x.example"), definition("a@x.example")];
    others[1]["autostart"] = json!(false);
    for other in others {
        let refused = submit(&app, "k", &other).await.expect(422);
        assert_eq!(refused.code(), "idempotency_key_reused");
        let year = chrono::Utc::now().format("%Y-").to_string();
        assert!(
            refused.json["detail"].as_str().unwrap().contains(&year),
            "{}",
            refused.text
        );
    }
    assert_eq!(count(&app).await, 1);
    app.work_until_idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_leaves_its_key_free() {
    let app = app().await;
    let wrong = json!({"database": "people", "action": "ad"});
    submit(&app, "k", &wrong).await.expect(422);
    let right = submit(&app, "k", &definition("a@x.example"))
        .await
        .expect(202);
    assert!(!right.headers.contains_key("idempotency-replayed"));
    app.work_until_idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_have_keys_of_their_own() {
    let app = app().await;
    let stranger = make_token(&app.database_url, "other", Scope::Write).await;
    let database = json!({"name": "people", "fields": [{"name": "email", "type": "email"}]});
    app.call_as(&stranger, ("POST", "/databases"), Some(database))
        .await
        .expect(201);
    let body = definition("a@x.example");
    let ours = submit(&app, "k", &body).await.expect(202);
    let url = format!("{}/v1/imports", app.url);
    let request = app
        .http
        .post(url)
        .bearer_auth(&stranger)
        .header("idempotency-key", "k");
    let request = request
        .header("content-type", "application/json")
        .body(body.to_string());
    let theirs = answer(request).await.expect(202);
    assert!(!theirs.headers.contains_key("idempotency-replayed"));
    assert_ne!(ours.json["id"], theirs.json["id"]);
    app.work_until_idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_one_is_refused() {
    let app = app().await;
    let body = definition("a@x.example");
    let long = "k".repeat(256);
    for key in ["", "\"\"", "with space", "tab\there", "ключ", long.as_str()] {
        let refused = submit(&app, key, &body).await.expect(400);
        assert_eq!(refused.code(), "invalid_idempotency_key", "{key:?}");
    }
    let request = app
        .request("POST", "/imports")
        .header("content-type", "application/json");
    let request = request
        .header("idempotency-key", "a")
        .header("idempotency-key", "b");
    let refused = answer(request.body(body.to_string())).await.expect(400);
    assert_eq!(refused.code(), "invalid_idempotency_key");
    assert_eq!(count(&app).await, 0);
    submit(&app, &long[1..], &body).await.expect(202);
    app.work_until_idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_beside_the_first_request_is_told_to_wait() {
    let app = app().await;
    let body = definition("a@x.example");
    // As the first request does between taking its key and its commit.
    let mut first = app.pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('key', id)) from accounts")
        .execute(&mut *first)
        .await
        .unwrap();
    let refused = submit(&app, "key", &body).await;
    assert_eq!(
        (refused.status, refused.code()),
        (409, "idempotency_in_progress")
    );
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(count(&app).await, 0);
    first.rollback().await.unwrap();
    submit(&app, "key", &body).await.expect(202);
    app.work_until_idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_repeats_at_once_of_each_of_five_keys_make_five_imports() {
    let app = std::sync::Arc::new(app().await);
    let tasks: Vec<_> = (0..150)
        .map(|number| {
            let app = std::sync::Arc::clone(&app);
            tokio::spawn(async move {
                let key = format!("key-{}", number % 5);
                let body = definition(&format!("{key}@x.example"));
                // Whoever hears that the first one is still running asks again.
                loop {
                    let answer = submit(&app, &key, &body).await;
                    match answer.code() {
                        "idempotency_in_progress" => {
                            assert_eq!(answer.status, 409);
                            assert_eq!(answer.headers["retry-after"], "1");
                        }
                        _ => return (key, answer.expect(202).json["id"].clone()),
                    }
                }
            })
        })
        .collect();
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for task in tasks {
        let (key, id) = task.await.unwrap();
        ids.entry(key)
            .or_default()
            .insert(id.as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 5);
    assert!(ids.values().all(|of_key| of_key.len() == 1), "{ids:?}");
    assert_eq!(count(&app).await, 5);
    app.work_until_idle().await;
    assert_eq!(app.profiles("people").await.len(), 5);
}

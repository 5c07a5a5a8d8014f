//! Limits on what one client submits: how fast by token, and how much that is not at its end by
//! account.

use longshore::api::Allowance;
use longshore_core::token::Scope;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, answer, make_token};

async fn limited(submits_per_second: u32, unfinished_max: u32) -> TestApp {
    let mut app = TestApp::start().await;
    app.database(json!({"name": "p", "fields": [{"name": "key", "type": "text"}]}))
        .await;
    let allowance = Allowance::new(submits_per_second, unfinished_max);
    app.with_allowance(allowance).await;
    app
}

fn draft() -> Value {
    json!({"database": "p", "action": "add"})
}

/// Submits with an idempotency key.
async fn keyed(app: &TestApp, key: &str) -> Answer {
    let request = app.request("POST", "/imports");
    answer(request.header("idempotency-key", key).json(&draft())).await
}

async fn imports(app: &TestApp) -> i64 {
    let count = sqlx::query_scalar("select count(*) from imports");
    count.fetch_one(&app.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_submits_too_fast_is_told_when_to_come_back_and_leaves_nothing() {
    let app = limited(1, 0).await;
    let first = keyed(&app, "first").await.expect(202);
    let mut accepted = 1;
    let refused = loop {
        let answer = keyed(&app, &format!("k{accepted}")).await;
        if answer.status == 429 {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 100, "no limit in sight");
    };
    // Ten at once, and one for each second that this took.
    assert!(accepted >= 10, "{accepted}");
    assert_eq!(refused.code(), "rate_limited");
    let wait: u64 = refused.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(wait >= 1, "{wait}");
    assert_eq!(imports(&app).await, accepted);
    // A repeat is answered all the same, and so is another token of the account.
    let again = keyed(&app, "first").await.expect(202);
    assert_eq!(again.json["id"], first.json["id"]);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other = make_token(&app.database_url, "default", Scope::Write).await;
    app.call_as(&other, ("POST", "/imports"), Some(draft()))
        .await
        .expect(202);
    // What was refused left no key behind: after the wait it is accepted.
    tokio::time::sleep(std::time::Duration::from_secs(wait)).await;
    let later = keyed(&app, &format!("k{accepted}")).await.expect(202);
    assert!(!later.headers.contains_key("idempotency-replayed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_so_many_unfinished_imports_and_no_more() {
    let app = limited(0, 3).await;
    let ids = [
        app.submit(draft()).await,
        app.submit(draft()).await,
        app.submit(draft()).await,
    ];
    let refused = app.post("/imports", draft()).await.expect(429);
    assert_eq!(refused.code(), "too_many_queued_imports");
    assert!(refused.headers.contains_key("retry-after"));
    assert!(refused.text.contains("3 imports"), "{}", refused.text);
    assert_eq!(imports(&app).await, 3);
    assert_eq!(app.payload_files(), Vec::<String>::new());
    // One ends by itself, another on request: each makes room.
    app.upload(&ids[0], "text/csv", "key\na\n")
        .await
        .expect(202);
    app.post("/imports", draft()).await.expect(429);
    app.work_until_idle().await;
    app.submit(draft()).await;
    app.call("POST", &format!("/imports/{}/cancel", ids[1]), None)
        .await
        .expect(202);
    app.submit(draft()).await;
    app.post("/imports", draft()).await.expect(429);
    // Another account has its own.
    let other = make_token(&app.database_url, "other", Scope::Admin).await;
    let database = json!({"name": "p", "fields": []});
    app.call_as(&other, ("POST", "/databases"), Some(database))
        .await
        .expect(201);
    app.call_as(&other, ("POST", "/imports"), Some(draft()))
        .await
        .expect(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_limit_is_no_limit() {
    let app = limited(0, 0).await;
    for _ in 0..50 {
        app.submit(draft()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_unfinished_imports_are_counted_once_in_a_while_and_the_limit_holds() {
    let app = limited(0, 2_000).await;
    app.submit(draft()).await;
    let rows = "insert into imports (account_id, database_id, state, definition)
                select account_id, database_id, state, definition from imports, generate_series(1, $1)";
    let insert = sqlx::query(rows).bind(1_989).execute(&app.pool).await;
    assert_eq!(insert.unwrap().rows_affected(), 1_989);
    for _ in 0..10 {
        app.submit(draft()).await;
    }
    let refused = app.post("/imports", draft()).await.expect(429);
    assert_eq!(refused.code(), "too_many_queued_imports");
    assert_eq!(imports(&app).await, 2_000);
    let end = "update imports set state = 'cancelled', finished_at = now() where id % 100 = 0";
    sqlx::query(end).execute(&app.pool).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    app.submit(draft()).await;
}

//! Submissions that come at the same time are accepted by one statement, and each is its own affair.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::app::{Answer, TestApp};

async fn people(app: &TestApp) {
    let fields = json!([{"name": "key", "type": "integer", "unique": true}]);
    app.database(json!({"name": "people", "fields": fields}))
        .await;
}

fn named(name: &str) -> Value {
    json!({"database": "people", "action": "update_or_add", "key_fields": ["key"], "name": name,
           "source": [{"key": 1}]})
}

/// Sends one submission into a ledger that is locked, the others while it waits, then opens it.
async fn behind_one_that_waits(app: &TestApp, names: &[String]) -> (Answer, Vec<Answer>) {
    let mut lock = PgConnection::connect(&app.database_url).await.unwrap();
    let mut tx = lock.begin().await.unwrap();
    sqlx::query("lock table imports in share mode")
        .execute(&mut *tx)
        .await
        .unwrap();
    let first = app.post("/imports", named("first"));
    let others = async {
        until_one_waits(app).await;
        join_all(names.iter().map(|name| app.post("/imports", named(name)))).await
    };
    let opening = async {
        until_one_waits(app).await;
        // Every other one has asked for its acceptance once the ledger has said what its database is.
        tokio::time::sleep(Duration::from_millis(500)).await;
        tx.commit().await.unwrap();
    };
    let (first, others, ()) = tokio::join!(first, others, opening);
    (first, others)
}

async fn until_one_waits(app: &TestApp) {
    let waiting = "select count(*) from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waiting)
        .fetch_one(&app.pool)
        .await
        .unwrap()
        == 0
    {
        tokio::task::yield_now().await;
    }
}

async fn transactions(app: &TestApp) -> Vec<i64> {
    sqlx::query_scalar("select count(*) from imports group by xmin::text order by min(id)")
        .fetch_all(&app.pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_accepted_together_and_each_is_told_of_its_own() {
    let app = TestApp::start().await;
    people(&app).await;
    let names: Vec<String> = (0..20).map(|number| format!("number {number}")).collect();
    let (first, others) = behind_one_that_waits(&app, &names).await;
    assert_eq!(first.expect(202).json["queue_position"], 0);
    let transactions = transactions(&app).await;
    assert_eq!(transactions.iter().sum::<i64>(), 21);
    // The twenty that came meanwhile share one, or two where some of them came late.
    assert!(
        transactions[0] == 1 && transactions.len() < 10,
        "{transactions:?}"
    );
    let mut positions = BTreeSet::new();
    for (name, answer) in names.iter().zip(others) {
        let answer = answer.expect(202).json;
        assert_eq!(answer["name"], json!(name));
        let status = app.status(answer["id"].as_str().unwrap()).await;
        assert_eq!(answer, status);
        positions.insert(answer["queue_position"].as_i64().unwrap());
    }
    assert_eq!(positions, (1..=20).collect());
    app.work_until_idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_postgres_refuses_of_one_submission_keeps_no_other_from_being_accepted() {
    let app = TestApp::start().await;
    people(&app).await;
    app.expects_outage();
    sqlx::query("alter table imports add constraint unlucky check (name <> 'number 3')")
        .execute(&app.pool)
        .await
        .unwrap();
    let names: Vec<String> = (0..6).map(|number| format!("number {number}")).collect();
    let (first, others) = behind_one_that_waits(&app, &names).await;
    first.expect(202);
    for (number, answer) in others.into_iter().enumerate() {
        let status = if number == 3 { 500 } else { 202 };
        answer.expect(status);
    }
    // None was kept twice.
    assert_eq!(transactions(&app).await, [1; 6]);
    app.work_until_idle().await;
}

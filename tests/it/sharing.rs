//! Small imports of one database share a transaction, and each keeps books of its own.

use longshore_core::queue::Verb;
use serde_json::{Value, json};

use crate::app::{TestApp, told};

async fn people(app: &TestApp) {
    let fields = json!([{"name": "key", "type": "integer", "unique": true},
                        {"name": "value", "type": "text"}]);
    app.database(json!({"name": "people", "fields": fields}))
        .await;
}

fn rows(source: Value) -> Value {
    json!({"database": "people", "action": "update_or_add", "key_fields": ["key"], "source": source})
}

/// How many of these imports each transaction completed, in their order.
async fn transactions(app: &TestApp) -> Vec<i64> {
    sqlx::query_scalar(
        "select count(*) from lanes l join imports i on i.id = l.import_id
         group by l.xmin::text order by min(i.turn)",
    )
    .fetch_all(&app.pool)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_that_wait_share_a_transaction_and_each_keeps_its_books() {
    let app = TestApp::start().await;
    people(&app).await;
    let mut ids = Vec::new();
    for number in 0..10 {
        // Each changes what the one before it made, and makes one of its own.
        let source = json!([{"key": number, "value": "b"}, {"key": number + 1, "value": "a"}]);
        let mut definition = rows(source);
        definition["name"] = json!(format!("number {number}"));
        ids.push(app.submit(definition).await);
    }
    assert!(app.worker.step(Verb::Apply).await.unwrap());
    assert_eq!(transactions(&app).await, [10]);
    for (number, id) in ids.iter().enumerate() {
        let books = match number {
            0 => "created 2; profiles +2",
            _ => "created 1, updated 1; profiles +1 ~1",
        };
        let status = app.status(id).await;
        assert_eq!(told(&status), books, "{status}");
        assert_eq!(status["state"], "completed");
        assert_eq!(status["epoch"], 1);
    }
    // The order of truth is that of acceptance.
    let order: Vec<i64> = sqlx::query_scalar("select import_id from chunks order by seq")
        .fetch_all(&app.pool)
        .await
        .unwrap();
    assert!(order.is_sorted() && order.len() == 10, "{order:?}");
    assert!(!app.worker.step(Verb::Apply).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_row_keeps_its_import_from_sharing_and_nobody_else_from_anything() {
    let app = TestApp::start().await;
    people(&app).await;
    let mut ids = Vec::new();
    for number in 0..7 {
        let key = if number == 3 {
            json!("x")
        } else {
            json!(number)
        };
        let source = json!([{"key": key, "value": "a"}, {"key": 100 + number, "value": "a"}]);
        ids.push(app.submit(rows(source)).await);
    }
    app.work_until_idle().await;
    assert_eq!(transactions(&app).await, [3, 1, 3]);
    for (number, id) in ids.iter().enumerate() {
        let status = app.status(id).await;
        let books = match number {
            3 => "created 1, rejected 1; profiles +1",
            _ => "created 2; profiles +2",
        };
        assert_eq!(told(&status), books, "{status}");
    }
    let status = app.status(&ids[3]).await;
    assert_eq!(app.told_rejects(&status).await, ["1 key invalid_integer"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_something_else_or_is_asked_to_cancel_is_not_taken_along() {
    let app = TestApp::start().await;
    people(&app).await;
    let first = app.submit(rows(json!([{"key": 1, "value": "a"}]))).await;
    let second = app.submit(rows(json!([{"key": 1, "value": "b"}]))).await;
    let mut other = rows(json!([{"key": 1, "value": "c"}, {"key": 2, "value": "c"}]));
    other["action"] = json!("update");
    let third = app.submit(other).await;
    let fourth = app.submit(rows(json!([{"key": 1, "value": "d"}]))).await;
    let fifth = app.submit(rows(json!([{"key": 1, "value": "e"}]))).await;
    sqlx::query("update leases set cancel_requested = true where import_id = $1")
        .bind(fourth.trim_start_matches("imp_").parse::<i64>().unwrap())
        .execute(&app.pool)
        .await
        .unwrap();
    app.work_until_idle().await;
    assert_eq!(transactions(&app).await, [2, 1, 1]);
    assert_eq!(app.status(&fourth).await["state"], "cancelled");
    for (id, books) in [
        (first, "created 1; profiles +1"),
        (second, "updated 1; profiles ~1"),
        (third, "updated 1, ignored 1; profiles ~1"),
        (fifth, "updated 1; profiles ~1"),
    ] {
        assert_eq!(told(&app.status(&id).await), books);
    }
    assert_eq!(app.told_profiles("people").await, "1/e");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_postgres_refuses_of_one_import_is_nobody_elses_affair() {
    let app = TestApp::start().await;
    people(&app).await;
    app.let_postgres_refuse("value", "'x'").await;
    let mut ids = Vec::new();
    for number in 0..8 {
        let value = if number == 5 { "x" } else { "a" };
        let source = json!([{"key": number, "value": value}, {"key": 100 + number, "value": "a"}]);
        ids.push(app.submit(rows(source)).await);
    }
    app.work_until_idle().await;
    // Halved until the ones before it are found: four, one, itself, two.
    assert_eq!(transactions(&app).await, [4, 1, 1, 2]);
    for (number, id) in ids.iter().enumerate() {
        let status = app.status(id).await;
        let books = match number {
            5 => "created 1, rejected 1; profiles +1",
            _ => "created 2; profiles +2",
        };
        assert_eq!(told(&status), books, "{status}");
    }
    let refused = app.status(&ids[5]).await;
    assert_eq!(app.told_rejects(&refused).await, ["1 - row_refused"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_in_meanwhile_follows_without_being_claimed() {
    let app = TestApp::start().await;
    people(&app).await;
    let mut ids = Vec::new();
    for number in 0..140 {
        let source = json!([{"key": number % 7, "value": number.to_string()}]);
        ids.push(app.submit(rows(source)).await);
    }
    assert!(app.worker.step(Verb::Apply).await.unwrap());
    // As many as may share one, twice, and the rest.
    assert_eq!(transactions(&app).await, [64, 64, 12]);
    for id in ids {
        let status = app.status(&id).await;
        assert_eq!(
            (&status["state"], &status["epoch"]),
            (&json!("completed"), &json!(1))
        );
    }
    assert!(!app.worker.step(Verb::Apply).await.unwrap());
    let last = "0/133; 1/134; 2/135; 3/136; 4/137; 5/138; 6/139";
    assert_eq!(app.told_profiles("people").await, last);
}

#[tokio::test(flavor = "multi_thread")]
async fn cells_that_were_converted_are_in_the_books_of_their_own_import() {
    let app = TestApp::start().await;
    people(&app).await;
    let mut ids = Vec::new();
    for source in [
        json!([{"key": "1 piece", "value": "a"}, {"key": "2 pieces", "value": "a"}]),
        json!([{"key": 3, "value": "a"}]),
        json!([{"key": "4 pieces", "value": "a"}]),
    ] {
        ids.push(app.submit(rows(source)).await);
    }
    // As a door asks for it, whose clients rely on conversions.
    sqlx::query(
        "update imports set definition = definition || jsonb_build_object('on_invalid', 'coerce_like_copernica')",
    )
    .execute(&app.pool)
    .await
    .unwrap();
    app.work_until_idle().await;
    assert_eq!(transactions(&app).await, [3]);
    for (id, coerced) in ids.iter().zip([2, 0, 1]) {
        let status = app.status(id).await;
        assert_eq!(status["coerced_cells"], coerced, "{status}");
        assert_eq!(status["state"], "completed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_takes_subprofiles_along_goes_alone_and_counts_its_own() {
    let app = TestApp::start().await;
    people(&app).await;
    let fields = json!({"name": "orders", "fields": [{"name": "no", "type": "integer"}]});
    app.post("/databases/people/collections", fields)
        .await
        .expect(201);
    let mut orders = rows(
        json!([{"key": 1, "orders.no": 1}, {"key": 2, "orders.no": 1},
                                 {"key": 2, "orders.no": 2}, {"key": 3, "orders.no": 1}]),
    );
    orders["key_fields"] = json!(["key", "orders.no"]);
    app.import(orders).await;
    let mut ids = Vec::new();
    for key in 1..=3 {
        let mut deletion = rows(json!([{"key": key}]));
        deletion["action"] = json!("delete");
        ids.push(app.submit(deletion).await);
    }
    app.work_until_idle().await;
    assert_eq!(transactions(&app).await, [1, 1, 1, 1]);
    for (id, subprofiles) in ids.iter().zip([1, 2, 1]) {
        let status = app.status(id).await;
        assert_eq!(status["profiles"]["deleted"], 1, "{status}");
        assert_eq!(status["subprofiles"]["deleted"], subprofiles, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stands_before_a_damaged_payload_is_not_hurt_by_it() {
    let app = TestApp::start().await;
    people(&app).await;
    let first = app.submit(rows(json!([{"key": 1, "value": "a"}]))).await;
    let damaged = app.submit(rows(json!("key,value\n2,\"a"))).await;
    let last = app.submit(rows(json!([{"key": 1, "value": "b"}]))).await;
    app.work_until_idle().await;
    assert_eq!(told(&app.status(&first).await), "created 1; profiles +1");
    assert_eq!(app.status(&damaged).await["state"], "failed");
    assert_eq!(told(&app.status(&last).await), "updated 1; profiles ~1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_was_just_added_is_known_to_the_next_import_also_over_a_link() {
    let app = TestApp::start().await;
    people(&app).await;
    let fields = json!([{"name": "code", "type": "text"}]);
    app.database(json!({"name": "companies", "fields": fields}))
        .await;
    let link = json!({"name": "works_at", "database": "companies"});
    app.post("/databases/people/links", link).await.expect(201);
    // Read once, and so remembered by the door and by the worker.
    app.import(rows(json!([{"key": 1, "value": "a"}]))).await;
    let field = json!({"fields": [{"name": "city", "type": "text"}]});
    for database in ["people", "companies"] {
        app.post(&format!("/databases/{database}/fields"), field.clone())
            .await
            .expect(201);
    }
    let mut definition =
        rows(json!([{"key": 1, "city": "Ghent", "works_at.code": "x", "works_at.city": "Bruges"}]));
    definition["key_fields"] = json!(["key", "works_at.code"]);
    let status = app.import(definition).await;
    assert_eq!(status["state"], "completed", "{status}");
    assert_eq!(app.told_profiles("companies").await, "Bruges/x");
    assert_eq!(app.told_profiles("people").await, "Ghent/1/a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_held_against_the_fields_that_there_are_when_it_is_started() {
    let app = TestApp::start().await;
    people(&app).await;
    let mut draft = rows(json!([{"key": 1, "born": "2/1/2000"}, {"key": 2, "born": "31/1/2000"}]));
    draft["autostart"] = json!(false);
    draft["dates"] = json!("detect");
    draft["on_unknown_column"] = json!("ignore");
    let draft = app.post("/imports", draft).await.expect(202).json;
    let id = draft["id"].as_str().unwrap();
    let field = json!({"fields": [{"name": "born", "type": "date"}]});
    app.post("/databases/people/fields", field)
        .await
        .expect(201);
    app.post(&format!("/imports/{id}/start"), json!({}))
        .await
        .expect(202);
    app.work_until_idle().await;
    let status = app.status(id).await;
    assert_eq!(told(&status), "created 2; profiles +2", "{status}");
    let profiles = app.told_profiles("people").await;
    assert_eq!(profiles, "2000-01-02/1/-; 2000-01-31/2/-");
}

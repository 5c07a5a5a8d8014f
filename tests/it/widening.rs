//! A database is widened while an import of it runs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::app::TestApp;
use longshore_core::queue::Verb;

#[tokio::test(flavor = "multi_thread")]
async fn a_field_and_a_collection_are_added_while_an_import_is_half_applied() {
    let app = TestApp::start().await;
    app.database(json!({"name": "people", "fields": [{"name": "email", "type": "email"}]}))
        .await;
    let rows = 120_000;
    let csv: String = (0..rows).fold("email\n".to_owned(), |csv, row| {
        csv + &format!("u{row}@x.example\n")
    });
    let id = app
        .submit(json!({"database": "people", "action": "update_or_add", "key_fields": ["email"]}))
        .await;
    app.upload(&id, "text/csv", csv).await.expect(202);
    let worker = app.worker.clone();
    let step = tokio::spawn(async move { worker.step(Verb::Apply).await });
    let deadline = Instant::now() + Duration::from_secs(60);
    while app.status(&id).await["totals"]["created"] == 0 {
        assert!(Instant::now() < deadline, "nothing is applied");
    }
    let began = Instant::now();
    let field = json!({"name": "late", "type": "text", "unique": true});
    let orders = json!({"name": "Orders", "fields": [{"name": "no", "type": "integer"}]});
    app.post("/databases/people/collections", orders)
        .await
        .expect(201);
    let half = app.status(&id).await;
    app.post("/databases/people/fields", field)
        .await
        .expect(201);
    assert_eq!(half["state"], "applying", "{half}");
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
    // Readers see the new field at once.
    let page = app
        .get("/databases/people/profiles?limit=1")
        .await
        .expect(200)
        .json;
    assert_eq!(page["data"][0]["fields"]["late"], Value::Null);
    assert!(
        page["data"][0]["fields"]
            .as_object()
            .unwrap()
            .contains_key("late")
    );

    assert!(step.await.unwrap().unwrap());
    app.work_until_idle().await;
    let done = app.status(&id).await;
    assert_eq!(
        (&done["state"], &done["totals"]["created"]),
        (&json!("completed"), &json!(rows))
    );
    let next = json!({"database": "people", "action": "update", "key_fields": ["email"],
        "source": [{"email": "u7@x.example", "late": "now"}]});
    assert_eq!(app.import(next).await["totals"]["updated"], 1);
}

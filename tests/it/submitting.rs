//! Submitting imports and asking how they stand.

use serde_json::json;

use crate::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn an_import_by_location_upload_and_inline_ends_in_the_same_profiles() {
    let app = TestApp::start().await;
    app.database(json!({"name": "people", "fields": [
        {"name": "email", "type": "email"}, {"name": "age", "type": "integer"}]}))
        .await;
    let csv = "email,age\nann@x.example,1\nbob@x.example,2\n";
    let base = json!({"database": "people", "action": "update_or_add", "key_fields": ["email"]});

    let mut inline = base.clone();
    inline["source"] = json!(csv);
    let first = app.import(inline).await;
    assert_eq!(first["state"], "completed", "{first}");
    assert_eq!(first["totals"]["created"], 2);

    let mut location = base.clone();
    location["location"] = json!(app.files.put("/people.csv", csv));
    let second = app.import(location).await;
    assert_eq!(second["state"], "completed", "{second}");
    assert_eq!(second["totals"]["unchanged"], 2);

    let id = app.submit(base).await;
    let upload = app.request("PUT", &format!("/imports/{id}/payload"));
    let upload = upload.header("content-type", "text/csv").body(csv);
    crate::app::answer(upload).await.expect(202);
    app.work_until_idle().await;
    assert_eq!(app.status(&id).await["totals"]["unchanged"], 2);
    assert_eq!(app.profiles("people").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_a_submission_is_what_its_status_shows() {
    let app = TestApp::start().await;
    app.database(json!({"name": "People", "fields": [
        {"name": "email", "type": "email"}, {"name": "born", "type": "date"}]}))
        .await;
    let base = json!({"database": "people", "action": "update_or_add", "key_fields": ["email"],
        "name": "Zoë's", "dates": "detect"});
    let location = app.files.put("/people.csv", "email\n");
    let csv = "email;born\nann@x.example;31.12.1999\n";
    for further in [
        json!({}),
        json!({"source": csv}),
        json!({"source": csv, "autostart": false}),
        json!({"source": [{"email": "bob@x.example"}], "remove_missing": true}),
        json!({"source": "email\n\"broken"}),
        json!({"source": format!("email\n{}", "carl@x.example\n".repeat(10_000))}),
        json!({"location": location}),
        json!({"location": location, "autostart": false}),
    ] {
        let mut definition = base.clone();
        let members = further.as_object().unwrap().clone();
        definition.as_object_mut().unwrap().extend(members);
        let answer = app.post("/imports", definition).await.expect(202).json;
        let status = app.status(answer["id"].as_str().unwrap()).await;
        assert_eq!(answer, status, "{further}");
    }
    // The same where a key makes it a transaction, and the second time.
    let mut keyed = base.clone();
    keyed["source"] = json!([{"email": "dan@x.example"}]);
    for _ in 0..2 {
        let request = app.request("POST", "/imports").json(&keyed);
        let request = request.header("idempotency-key", "k1");
        let answer = crate::app::answer(request).await.expect(202).json;
        let status = app.status(answer["id"].as_str().unwrap()).await;
        assert_eq!(answer, status);
    }
    app.work_until_idle().await;
}

//! Codes in the places where they are met less often: reasons of rejects as refusals of a
//! definition, refusals of a definition as errors of an import, outages as warnings.

use serde_json::json;

use super::app;
use crate::app::{Reply, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_default_is_judged_like_a_value() {
    let app = TestApp::start().await;
    let fields = json!([
        {"name": "a", "type": "number", "default": "12 pieces"},
        {"name": "b", "type": "number", "default": "1234567890.1234567890"},
        {"name": "c", "type": "boolean", "default": "perhaps"},
        {"name": "d", "type": "date", "default": "26.06.2019"},
        {"name": "e", "type": "email", "default": "nobody"},
        {"name": "f", "type": "phone", "default": "none"},
        {"name": "g", "type": "select", "options": ["red"], "default": "green"}]);
    let refused = app.post("/databases", json!({"name": "wrong", "fields": fields}));
    let refused = refused.await.expect(422);
    let told: Vec<String> = refused
        .complaints()
        .iter()
        .map(|complaint| complaint["code"].as_str().unwrap().to_owned())
        .collect();
    let expected = [
        "invalid_number",
        "number_out_of_range",
        "invalid_boolean",
        "invalid_date",
        "invalid_email",
        "invalid_phone",
        "not_allowed_value",
    ];
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_line_rejects_its_row_alone() {
    let app = app().await;
    let id = app
        .submit(json!({"database": "people", "action": "add"}))
        .await;
    let lines = "{\"note\":\"one\"}\n{\"note\":\n{\"note\":\"three\"}\n";
    app.upload(&id, "application/x-ndjson", lines)
        .await
        .expect(202);
    app.work_until_idle().await;
    let status = app.status(&id).await;
    assert_eq!(status["totals"]["created"], 2, "{status}");
    assert_eq!(app.told_rejects(&status).await, ["2 - invalid_json"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_of_an_upload_are_judged_after_its_survey() {
    let app = app().await;
    let definition = json!({"database": "people", "action": "update_or_add",
        "key_fields": ["email"], "mapping": {"E-Mail": "email"}});
    let plain = json!({"database": "people", "action": "update_or_add", "key_fields": ["email"]});
    for (definition, payload, code) in [
        (
            &definition,
            "email,E-Mail\na@x.example,b@x.example\n",
            "duplicate_mapping",
        ),
        (&plain, "note\none\n", "key_not_mapped"),
        (&plain, "em\"ail,note\na@x.example,one\n", "stray_quote"),
    ] {
        let id = app.submit(definition.clone()).await;
        app.upload(&id, "text/csv", payload).await.expect(202);
        app.work_until_idle().await;
        assert_eq!(app.status(&id).await["error"]["code"], code);
    }
    assert_eq!(app.profiles("people").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_tried_again_is_named_in_a_warning() {
    let app = app().await;
    for (path, status, code) in [
        ("/odd", 0, "(connect_failed)"),
        ("/down", 503, "(source_status)"),
    ] {
        let location = app.source.script(path, [Reply::status(status)]);
        let waiting = app
            .import(json!({"database": "people", "action": "add", "location": location}))
            .await;
        assert!(waiting["warnings"].to_string().contains(code), "{waiting}");
        let cancel = format!("/imports/{}/cancel", waiting["id"].as_str().unwrap());
        app.call("POST", &cancel, None).await.expect(202);
    }
}

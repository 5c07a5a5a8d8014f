//! The survey of a payload on its way to the store: what is known by the time it is there, and what is
//! left to the worker that takes the import up.

use async_compression::tokio::write::GzipEncoder;
use longshore_core::queue::Verb;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::app::{Reply, TestApp};

async fn app() -> TestApp {
    let app = TestApp::start().await;
    let fields = json!([{"name": "name", "type": "text"}]);
    app.database(json!({"name": "people", "fields": fields}))
        .await;
    app
}

async fn draft(app: &TestApp, further: Value) -> String {
    let mut definition = json!({"database": "people", "action": "add"});
    let members = further.as_object().unwrap().clone();
    definition.as_object_mut().unwrap().extend(members);
    app.submit(definition).await
}

/// The rows that the answer to an upload knows of.
async fn rows_at_once(app: &TestApp, id: &str, bytes: impl Into<Vec<u8>>) -> Value {
    let accepted = app.upload(id, "text/csv", bytes).await.expect(202).json;
    accepted["progress"]["rows_total"].clone()
}

fn many_rows() -> String {
    format!("name\n{}", "Zoë\n".repeat(20_000))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_surveyed_on_its_way_and_a_draft_that_waits_is_not() {
    let app = app().await;
    let csv = many_rows();
    let mut packed = GzipEncoder::new(Vec::new());
    packed.write_all(csv.as_bytes()).await.unwrap();
    packed.shutdown().await.unwrap();
    let mut uploads = Vec::new();
    for (bytes, autostart, rows, state) in [
        (csv.clone().into_bytes(), true, json!(20_000), "completed"),
        (packed.into_inner(), true, json!(20_000), "completed"),
        (csv.clone().into_bytes(), false, Value::Null, "draft"),
        // Damage is for the import to tell.
        (
            format!("{csv}\"a").into_bytes(),
            true,
            Value::Null,
            "failed",
        ),
    ] {
        let id = draft(&app, json!({"autostart": autostart})).await;
        assert_eq!(rows_at_once(&app, &id, bytes).await, rows);
        uploads.push((id, state));
    }
    app.work_until_idle().await;
    for (id, state) in uploads {
        assert_eq!(app.status(&id).await["state"], state);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetched_source_is_surveyed_on_its_way() {
    let app = app().await;
    let location = app.source.script("/people", [Reply::ok(many_rows())]);
    let id = draft(&app, json!({"location": location})).await;
    app.worker.step(Verb::Fetch).await.unwrap();
    let fetched = app.status(&id).await;
    assert_eq!(fetched["state"], "preparing");
    assert_eq!(fetched["progress"]["rows_total"], 20_000);
    app.work_until_idle().await;
    assert_eq!(app.status(&id).await["totals"]["created"], 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_has_a_say_in_is_asked_when_a_worker_has_the_import() {
    let app = app().await;
    let csv = "name,born\nAnn,2/1/2000\nBob,31/1/2000\n";
    let open = json!({"dates": "detect", "on_unknown_column": "ignore"});
    let upload = draft(&app, open.clone()).await;
    assert_eq!(rows_at_once(&app, &upload, csv).await, Value::Null);
    let mut inline = open;
    inline["source"] = json!(csv);
    let inline = draft(&app, inline).await;
    let field = json!({"fields": [{"name": "born", "type": "date"}]});
    app.post("/databases/people/fields", field)
        .await
        .expect(201);
    app.work_until_idle().await;
    for id in [upload, inline] {
        let status = app.status(&id).await;
        assert_eq!(status["totals"]["created"], 2, "{status}");
        assert!(
            !status["warnings"].to_string().contains("left out"),
            "{status}"
        );
    }
    let profiles = app.profiles("people").await;
    let born: Vec<&Value> = profiles
        .iter()
        .map(|profile| &profile["fields"]["born"])
        .collect();
    assert_eq!(
        born,
        ["2000-01-02", "2000-01-31", "2000-01-02", "2000-01-31"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn warnings_are_the_same_and_told_once_however_a_payload_comes() {
    let app = app().await;
    let csv = "name;age\nZoë;1\nJosé;2\nBob;3\n";
    let base = json!({"mapping": {"name": "name", "age": null}});
    let upload = draft(&app, base.clone()).await;
    assert_eq!(rows_at_once(&app, &upload, csv).await, 3);
    let location = app.source.script("/people", [Reply::ok(csv)]);
    let mut imports = vec![upload];
    for (member, value) in [("source", csv), ("location", location.as_str())] {
        let mut definition = base.clone();
        definition[member] = json!(value);
        imports.push(draft(&app, definition).await);
    }
    // Another encoding is read by the worker, and told.
    let latin = draft(&app, base).await;
    let bytes: Vec<u8> = csv.chars().map(|char| char as u8).collect();
    assert_eq!(rows_at_once(&app, &latin, bytes).await, Value::Null);
    app.work_until_idle().await;
    let told = app.status(&imports[0]).await["warnings"].clone();
    assert_eq!(
        told.as_array().unwrap().len(),
        2,
        "format and delimiter: {told}"
    );
    for id in imports {
        assert_eq!(app.status(&id).await["warnings"], told);
    }
    let status = app.status(&latin).await;
    assert_eq!(status["totals"]["created"], 3);
    assert_eq!(status["warnings"].as_array().unwrap().len(), 3, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn four_uploads_are_surveyed_at_a_time_and_others_by_their_imports() {
    let app = app().await;
    let mut slow = Vec::new();
    let mut rows = json!(1);
    let mut quick = Vec::new();
    // Each takes a place, unless a quick one had the last of them at that moment.
    while !rows.is_null() && slow.len() < 50 {
        let id = draft(&app, json!({})).await;
        slow.push(begin_upload(&app, &id).await);
        let id = draft(&app, json!({})).await;
        rows = rows_at_once(&app, &id, "name\nAnn\n").await;
        assert!(!rows.is_null() || slow.len() >= 4, "after {}", slow.len());
        quick.push(id);
    }
    assert_eq!(rows, Value::Null);
    drop(slow);
    app.work_until_idle().await;
    for id in quick {
        assert_eq!(app.status(&id).await["totals"]["created"], 1);
    }
}

/// Sends the beginning of a payload and then nothing.
async fn begin_upload(app: &TestApp, id: &str) -> TcpStream {
    let address = app.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "PUT /v1/imports/{id}/payload HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
         content-type: text/csv\r\ncontent-length: 1000\r\n\r\nname\nAnn\n",
        app.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

//! A draft, its payload, its start and its end: one complete upload makes it final, an incomplete
//! one leaves nothing.

use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{Answer, TestApp, answer};

const CSV: &str = "email\nann@x.example\nbob@x.example\n";

async fn app() -> TestApp {
    let app = TestApp::start().await;
    let fields = json!([{"name": "email", "type": "email"}]);
    app.database(json!({"name": "people", "fields": fields}))
        .await;
    app
}

async fn draft(app: &TestApp, autostart: bool) -> String {
    let definition = json!({"database": "people", "action": "add", "autostart": autostart});
    app.submit(definition).await
}

async fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(bytes).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

async fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZstdEncoder::new(Vec::new());
    encoder.write_all(bytes).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

async fn ask(app: &TestApp, id: &str, verb: &str) -> Answer {
    app.call("POST", &format!("/imports/{id}/{verb}"), None)
        .await
}

/// Bytes that are many and cannot be told before: gzip helps little.
fn many_rows(rows: usize) -> String {
    let row = |number: usize| format!("{:x}@x.example\n", Sha256::digest(number.to_string()));
    (0..rows).fold("email\n".to_owned(), |csv, number| csv + &row(number))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_upload_makes_the_import_final_and_starts_it() {
    let app = app().await;
    let id = draft(&app, true).await;
    let before = app.status(&id).await;
    assert_eq!(
        (&before["state"], &before["payload"]),
        (&json!("draft"), &Value::Null)
    );
    assert_eq!(before["phase"], "waiting for its payload");
    let accepted = app.upload(&id, "text/csv", CSV).await.expect(202).json;
    assert_eq!(accepted["state"], "queued");
    assert_eq!(accepted["payload"]["bytes"], CSV.len());
    assert_eq!(
        accepted["payload"]["sha256"],
        format!("{:x}", Sha256::digest(CSV))
    );

    let second = app
        .upload(&id, "text/csv", "email\nmallory@x.example\n")
        .await
        .expect(409);
    assert_eq!(second.code(), "payload_exists");
    assert_eq!(
        app.payload_files().len(),
        1,
        "nothing of the second upload was kept"
    );
    app.work_until_idle().await;
    assert_eq!(app.status(&id).await["totals"]["created"], 2);
    app.upload(&id, "text/csv", CSV).await.expect(409);
    assert_eq!(app.profiles("people").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_uploads_at_once_one_wins_and_the_other_leaves_nothing() {
    let app = app().await;
    let id = draft(&app, true).await;
    let (one, other) = (many_rows(200), many_rows(300));
    let (one, other) = tokio::join!(
        app.upload(&id, "text/csv", one),
        app.upload(&id, "text/csv", other)
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409], "{} {}", one.text, other.text);
    assert_eq!(app.payload_files().len(), 1);
    app.work_until_idle().await;
    let created = app.status(&id).await["totals"]["created"].clone();
    assert_eq!(created, if one.status == 202 { 200 } else { 300 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_without_autostart_waits_for_its_start() {
    let app = app().await;
    let id = draft(&app, false).await;
    let early = ask(&app, &id, "start").await.expect(409);
    assert_eq!(early.code(), "not_startable");
    assert!(early.text.contains("no payload"), "{}", early.text);
    let kept = app.upload(&id, "text/csv", CSV).await.expect(202).json;
    assert_eq!(
        (&kept["state"], &kept["phase"]),
        (&json!("draft"), &json!("waiting to be started"))
    );
    app.upload(&id, "text/csv", CSV).await.expect(409);
    app.work_until_idle().await;
    assert_eq!(app.status(&id).await["state"], "draft");
    assert_eq!(
        ask(&app, &id, "start").await.expect(202).json["state"],
        "queued"
    );
    assert_eq!(
        ask(&app, &id, "start").await.expect(409).code(),
        "not_startable"
    );
    app.work_until_idle().await;
    assert_eq!(app.status(&id).await["state"], "completed");
    assert_eq!(
        ask(&app, &id, "start").await.expect(409).code(),
        "not_startable"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn inline_sources_and_locations_wait_for_their_start_as_well() {
    let app = app().await;
    let base = json!({"database": "people", "action": "add", "autostart": false});
    let mut inline = base.clone();
    inline["source"] = json!(CSV);
    let mut location = base;
    location["location"] = json!(app.files.put("/late.csv", CSV));
    for definition in [inline, location] {
        let id = app.submit(definition).await;
        app.work_until_idle().await;
        let draft = app.status(&id).await;
        assert_eq!(
            (&draft["state"], &draft["phase"]),
            (&json!("draft"), &json!("waiting to be started"))
        );
        app.upload(&id, "text/csv", CSV).await.expect(409);
        ask(&app, &id, "start").await.expect(202);
        app.work_until_idle().await;
        assert_eq!(app.status(&id).await["state"], "completed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_running_is_cancelled_at_once_and_what_is_final_is_not() {
    let app = app().await;
    let queued = app
        .submit(json!({"database": "people", "action": "add", "source": CSV}))
        .await;
    let draft = draft(&app, true).await;
    for id in [&queued, &draft] {
        let cancelled = ask(&app, id, "cancel").await.expect(202).json;
        assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
        assert!(cancelled["finished_at"].is_string());
        assert_eq!(
            ask(&app, id, "cancel").await.expect(409).code(),
            "not_cancellable"
        );
        assert_eq!(
            ask(&app, id, "start").await.expect(409).code(),
            "not_startable"
        );
        app.upload(id, "text/csv", CSV).await.expect(409);
    }
    assert!(app.payload_files().is_empty());
    app.work_until_idle().await;
    assert_eq!(
        app.profiles("people").await.len(),
        0,
        "a cancelled import applies nothing"
    );
    let done = app
        .import(json!({"database": "people", "action": "add", "source": CSV}))
        .await;
    let id = done["id"].as_str().unwrap();
    let refused = ask(&app, id, "cancel").await.expect(409);
    assert!(refused.text.contains("completed"), "{}", refused.text);
    assert_eq!(app.status(id).await, done);
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_uploads_are_unpacked_whether_the_header_says_so_or_the_bytes() {
    let app = app().await;
    let (gzipped, zstded) = (gzip(CSV.as_bytes()).await, zstd(CSV.as_bytes()).await);
    let both = gzip(&zstded).await;
    for (encoding, media, bytes) in [
        (Some("gzip"), "text/csv", gzipped.clone()),
        (Some("zstd"), "text/csv", zstded.clone()),
        (Some("identity"), "text/csv", CSV.as_bytes().to_vec()),
        (None, "application/gzip", gzipped.clone()),
        (None, "application/zstd", zstded),
        (None, "application/octet-stream", gzipped),
        (Some("gzip"), "application/zstd", both),
    ] {
        let id = draft(&app, true).await;
        let request = app.request("PUT", &format!("/imports/{id}/payload"));
        let request = request.header("content-type", media).body(bytes);
        let request = match encoding {
            Some(encoding) => request.header("content-encoding", encoding),
            None => request,
        };
        let accepted = answer(request).await.expect(202).json;
        assert_eq!(
            accepted["payload"]["bytes"],
            CSV.len(),
            "{encoding:?} {media}"
        );
        assert_eq!(
            accepted["payload"]["sha256"],
            format!("{:x}", Sha256::digest(CSV))
        );
        app.work_until_idle().await;
        assert_eq!(app.status(&id).await["totals"]["created"], 2);
    }
}

type Headers = &'static [(&'static str, &'static str)];

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_cannot_be_used_is_refused_and_the_draft_takes_another() {
    let app = app().await;
    let id = draft(&app, true).await;
    let packed = gzip(many_rows(3000).as_bytes()).await;
    let cut = packed[..packed.len() / 2].to_vec();
    let mut flipped = packed.clone();
    let middle = flipped.len() / 2;
    flipped[middle..middle + 64].fill(0x55);
    let bomb = gzip(&vec![b'a'; 40 << 20]).await;
    let cases: [(Headers, Vec<u8>, u16, &str); 10] = [
        (&[], CSV.into(), 415, "unsupported_media_type"),
        (
            &[("content-type", "application/pdf")],
            CSV.into(),
            415,
            "unsupported_media_type",
        ),
        (
            &[("content-type", "text/csv; charset=utf-16")],
            CSV.into(),
            415,
            "unsupported_charset",
        ),
        (
            &[("content-type", "text/csv"), ("content-encoding", "br")],
            CSV.into(),
            415,
            "unsupported_encoding",
        ),
        (
            &[
                ("content-type", "text/csv"),
                ("content-encoding", "gzip, gzip"),
            ],
            packed,
            415,
            "unsupported_encoding",
        ),
        (
            &[("content-type", "text/csv"), ("content-encoding", "gzip")],
            CSV.into(),
            422,
            "payload_corrupt",
        ),
        (
            &[("content-type", "application/gzip")],
            cut,
            422,
            "payload_truncated",
        ),
        (
            &[("content-type", "application/gzip")],
            flipped,
            422,
            "payload_corrupt",
        ),
        (
            &[("content-type", "application/gzip")],
            bomb,
            413,
            "payload_too_large_decompressed",
        ),
        (
            &[("content-type", "text/csv")],
            Vec::new(),
            422,
            "empty_payload",
        ),
    ];
    for (headers, bytes, status, code) in cases {
        // A connection whose upload was refused half-way is closed: nothing may be sent after it.
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = http
            .put(format!("{}/v1/imports/{id}/payload", app.url))
            .bearer_auth(&app.token)
            .body(bytes);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let refused = answer(request).await;
        assert_eq!(
            (refused.status, refused.code()),
            (status, code),
            "{headers:?}: {}",
            refused.text
        );
        assert_eq!(app.payload_files(), Vec::<String>::new(), "{code}");
        assert_eq!(app.status(&id).await["state"], "draft");
    }
    app.upload(&id, "text/csv", CSV).await.expect(202);
    app.work_until_idle().await;
    assert_eq!(app.status(&id).await["totals"]["created"], 2);
}

/// Announces more than it sends, then closes its side. Returns whatever was answered.
async fn break_off(app: &TestApp, id: &str, (announced, sent): (usize, &[u8])) -> String {
    let address = app.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "PUT /v1/imports/{id}/payload HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
         content-type: text/csv\r\ncontent-length: {announced}\r\n\r\n",
        app.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(sent).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text).await;
    app.hear_raw(&text);
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let app = app().await;
    let id = draft(&app, true).await;
    let rows = many_rows(400_000);
    // The store begins to write to disk at 10 MiB.
    assert!(rows.len() > 24 << 20);
    for (announced, sent) in [
        (1000, &rows.as_bytes()[..600]),
        (CSV.len() + 1, CSV.as_bytes()),
        (64 << 20, &rows.as_bytes()[..24 << 20]),
    ] {
        let answered = break_off(&app, &id, (announced, sent)).await;
        assert!(!answered.contains("HTTP/1.1 2"), "{answered}");
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !app.payload_files().is_empty() {
            assert!(
                std::time::Instant::now() < deadline,
                "{:?}",
                app.payload_files()
            );
            tokio::task::yield_now().await;
        }
        let status = app.status(&id).await;
        assert_eq!(
            (&status["state"], &status["payload"]),
            (&json!("draft"), &Value::Null)
        );
    }
    app.upload(&id, "text/csv", CSV).await.expect(202);
    app.work_until_idle().await;
    assert_eq!(app.status(&id).await["totals"]["created"], 2);
}

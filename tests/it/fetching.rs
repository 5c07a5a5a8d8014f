//! Sources at a location: what is fetched and kept, what is tried again and what is not, and
//! addresses that are never asked.

use async_compression::tokio::write::GzipEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::app::{Canary, Reply, TestApp};
use longshore_core::queue::Verb;

const CSV: &str = "email\nann@x.example\nbob@x.example\n";

async fn app() -> TestApp {
    let app = TestApp::start().await;
    let fields = json!([{"name": "email", "type": "email"}]);
    app.database(json!({"name": "people", "fields": fields}))
        .await;
    app
}

fn definition(location: &str) -> Value {
    json!({"database": "people", "action": "add", "location": location})
}

/// The next attempt is due now instead of when its schedule says.
async fn let_the_wait_be_over(app: &TestApp) {
    let moved = sqlx::query("update leases set due_at = now() where due_at > now()")
        .execute(&app.pool)
        .await
        .unwrap();
    assert_eq!(moved.rows_affected(), 1, "an attempt is waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_is_fetched_and_its_snapshot_named() {
    let app = app().await;
    let location = app.source.script("/people", [Reply::ok(CSV)]);
    let done = app.import(definition(&location)).await;
    assert_eq!(done["state"], "completed", "{done}");
    assert_eq!(done["payload"]["bytes"], CSV.len());
    assert_eq!(
        done["payload"]["sha256"],
        format!("{:x}", Sha256::digest(CSV))
    );
    assert_eq!(app.source.asked("/people"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_sources_are_unpacked() {
    let app = app().await;
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(CSV.as_bytes()).await.unwrap();
    encoder.shutdown().await.unwrap();
    let packed = encoder.into_inner();
    let on_the_way = Reply::ok(packed.clone()).header("content-encoding", "gzip");
    let of_itself = Reply::ok(packed).header("content-type", "application/gzip");
    for (path, reply) in [("/way", on_the_way), ("/file.csv.gz", of_itself)] {
        let done = app
            .import(definition(&app.source.script(path, [reply])))
            .await;
        assert_eq!(done["totals"]["created"], 2, "{path}: {done}");
        assert_eq!(
            done["payload"]["sha256"],
            format!("{:x}", Sha256::digest(CSV))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_will_not_change_fails_the_import_at_once() {
    let app = app().await;
    let page = "<!DOCTYPE html><title>Sign in</title>";
    for (path, reply, code, words) in [
        ("/400", Reply::status(400), "source_status", "400"),
        ("/401", Reply::status(401), "source_status", "401"),
        ("/403", Reply::status(403), "source_status", "403"),
        ("/404", Reply::status(404), "source_status", "404"),
        ("/410", Reply::status(410), "source_status", "410"),
        (
            "/page",
            Reply::ok(page).header("content-type", "text/html"),
            "source_not_data",
            "text/html",
        ),
        (
            "/page-as-csv",
            Reply::ok(page).header("content-type", "text/csv"),
            "source_not_data",
            "<!DOCTYPE",
        ),
        ("/empty", Reply::ok(""), "empty_payload", "no bytes"),
        (
            "/204",
            Reply::status(204),
            "empty_payload",
            "without any data",
        ),
        (
            "/corrupt",
            Reply::ok(CSV).header("content-encoding", "gzip"),
            "payload_corrupt",
            "compression",
        ),
        (
            "/brotli",
            Reply::ok(CSV).header("content-encoding", "br"),
            "unsupported_encoding",
            "gzip",
        ),
    ] {
        let failed = app
            .import(definition(&app.source.script(path, [reply])))
            .await;
        assert_eq!(failed["state"], "failed", "{path}: {failed}");
        assert_eq!(failed["error"]["code"], code, "{path}: {failed}");
        assert!(
            failed["error"]["message"].as_str().unwrap().contains(words),
            "{path}: {failed}"
        );
        assert_eq!(app.source.asked(path), 1, "{path}");
        assert_eq!(failed["payload"], Value::Null);
    }
    assert!(app.payload_files().is_empty(), "{:?}", app.payload_files());
    assert_eq!(app.profiles("people").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_for_a_while_is_asked_again_later() {
    let app = app().await;
    let replies = [
        Reply::status(500),
        Reply::status(503).header("retry-after", "1200"),
        Reply::ok(CSV),
    ];
    let id = app
        .submit(definition(&app.source.script("/moody", replies)))
        .await;
    app.work_until_idle().await;
    let waiting = app.status(&id).await;
    assert_eq!(waiting["state"], "fetching", "{waiting}");
    assert_eq!(waiting["phase"], "waiting to fetch the source again");
    assert!(waiting["retry_at"].is_string(), "{waiting}");
    assert!(
        waiting["warnings"][0]
            .as_str()
            .unwrap()
            .contains("Attempt 1"),
        "{waiting}"
    );
    app.work_until_idle().await;
    assert_eq!(
        app.source.asked("/moody"),
        1,
        "it is not asked before its time"
    );

    let_the_wait_be_over(&app).await;
    app.work_until_idle().await;
    let minutes: f64 =
        sqlx::query_scalar("select extract(epoch from due_at - now())::float8 / 60 from leases")
            .fetch_one(&app.pool)
            .await
            .unwrap();
    assert!(
        (15.0..=20.1).contains(&minutes),
        "Retry-After is kept: {minutes} minutes"
    );
    let_the_wait_be_over(&app).await;
    app.work_until_idle().await;
    let done = app.status(&id).await;
    assert_eq!(
        (&done["state"], app.source.asked("/moody")),
        (&json!("completed"), 3)
    );
    assert_eq!(done["retry_at"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_never_recovers_is_given_up_after_six_attempts() {
    let app = app().await;
    let short = Reply::ok(CSV).short_of(1000);
    let framed = |word: &str| format!("6\r\nemail\n\r\n{word}");
    let chunked = Reply::ok(framed("")).header("transfer-encoding", "chunked");
    for (path, reply, code) in [
        ("/500", Reply::status(500), "source_unavailable"),
        ("/429", Reply::status(429), "source_unavailable"),
        ("/short", short, "payload_truncated"),
        ("/endless", chunked, "payload_truncated"),
    ] {
        let id = app
            .submit(definition(&app.source.script(path, [reply])))
            .await;
        app.work_until_idle().await;
        for _ in 0..5 {
            assert_eq!(app.status(&id).await["state"], "fetching", "{path}");
            let_the_wait_be_over(&app).await;
            app.work_until_idle().await;
        }
        let failed = app.status(&id).await;
        assert_eq!(
            (&failed["state"], &failed["error"]["code"]),
            (&json!("failed"), &json!(code)),
            "{path}: {failed}"
        );
        assert_eq!(app.source.asked(path), 6, "{path}");
        assert!(app.payload_files().is_empty(), "{path}");
    }
    assert_eq!(app.profiles("people").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_waits_for_its_source_can_be_cancelled_and_holds_nobody_up() {
    let app = app().await;
    let id = app
        .submit(definition(
            &app.source.script("/down", [Reply::status(500)]),
        ))
        .await;
    app.work_until_idle().await;
    let other = app
        .import(json!({"database": "people", "action": "add", "source": CSV}))
        .await;
    assert_eq!(other["state"], "completed", "{other}");
    let cancelled = app
        .call("POST", &format!("/imports/{id}/cancel"), None)
        .await
        .expect(202);
    assert_eq!(cancelled.json["state"], "cancelled");
    app.work_until_idle().await;
    assert_eq!(app.source.asked("/down"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_changes_after_the_fetch_changes_nothing() {
    let app = app().await;
    let location = app.files.put("/people.csv", CSV);
    let id = app.submit(definition(&location)).await;
    assert!(app.worker.step(Verb::Fetch).await.unwrap());
    app.files.put("/people.csv", "email\nmallory@x.example\n");
    app.work_until_idle().await;
    let done = app.status(&id).await;
    assert_eq!(done["totals"]["created"], 2, "{done}");
    assert_eq!(
        done["payload"]["sha256"],
        format!("{:x}", Sha256::digest(CSV))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_followed_to_allowed_addresses_only() {
    let app = app().await;
    let canary = Canary::start();
    let target = app.source.script("/target", [Reply::ok(CSV)]);
    let to = |location: &str| Reply::status(302).header("location", location);
    let good = app.source.script("/good", [to(&target)]);
    assert_eq!(app.import(definition(&good)).await["totals"]["created"], 2);
    let forbidden = [
        format!("http://127.0.0.1:{}/", canary.port()),
        format!("https://127.0.0.1:{}/", canary.port()),
        format!("https://[::ffff:127.0.0.1]:{}/", canary.port()),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ];
    for (number, location) in forbidden.iter().enumerate() {
        let path = format!("/bad{number}");
        let failed = app
            .import(definition(&app.source.script(&path, [to(location)])))
            .await;
        assert_eq!(
            (&failed["state"], &failed["error"]["code"]),
            (&json!("failed"), &json!("redirect_not_allowed")),
            "{location}: {failed}"
        );
    }
    let loops = app.source.script("/loop", [to("/loop")]);
    let failed = app.import(definition(&loops)).await;
    assert_eq!(failed["error"]["code"], "too_many_redirects", "{failed}");
    assert!(!canary.is_touched());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_allowed_is_refused_at_submit_and_never_asked() {
    let app = app().await;
    let canary = Canary::start();
    let port = canary.port();
    let long = format!("https://x.example/{}", "a".repeat(10_000));
    let scheme = "url_scheme_not_allowed";
    let address = "address_not_allowed";
    let cases = [
        (format!("http://127.0.0.1:{port}/x"), scheme),
        ("http://x.example/".to_owned(), scheme),
        ("file:///etc/passwd".to_owned(), scheme),
        ("ftp://x.example/".to_owned(), scheme),
        ("gopher://x.example/".to_owned(), scheme),
        ("data:text/csv,a".to_owned(), scheme),
        ("not a url".to_owned(), "url_invalid"),
        (String::new(), "url_invalid"),
        ("//host/x".to_owned(), "url_invalid"),
        ("https://".to_owned(), "url_invalid"),
        ("https://x.example/\u{0}".to_owned(), "url_invalid"),
        ("https://x.example/a\r\nb".to_owned(), "url_invalid"),
        (long, "url_too_long"),
        (
            "https://user:pw@x.example/".to_owned(),
            "url_credentials_not_allowed",
        ),
        ("https://x.example:22/".to_owned(), "port_not_allowed"),
        ("https://x.example:0/".to_owned(), "url_invalid"),
        ("https://x.example:65536/".to_owned(), "url_invalid"),
        (format!("https://127.0.0.1:{port}/"), address),
        (format!("https://localhost:{port}/"), address),
        (format!("https://foo.localhost:{port}/"), address),
        (format!("https://[::1]:{port}/"), address),
        (format!("https://[::ffff:7f00:1]:{port}/"), address),
        (format!("https://2130706433:{port}/"), address),
        (format!("https://0x7f.1:{port}/"), address),
        (format!("https://0177.0.0.1:{port}/"), address),
        (format!("https://127.1:{port}/"), address),
        (format!("https://①②⑦.0.0.1:{port}/"), address),
        (format!("https://0:{port}/"), address),
        ("https://10.0.0.1/".to_owned(), address),
        ("https://172.16.0.1/".to_owned(), address),
        ("https://192.168.1.1/".to_owned(), address),
        ("https://100.64.0.1/".to_owned(), address),
        (
            "https://169.254.169.254/latest/meta-data/".to_owned(),
            address,
        ),
        ("https://[fd00:ec2::254]/".to_owned(), address),
        ("https://[64:ff9b::7f00:1]/".to_owned(), address),
        ("https://metadata.google.internal/".to_owned(), address),
        ("https://intranet/".to_owned(), address),
        ("https://224.0.0.1/".to_owned(), address),
    ];
    for (location, code) in cases {
        let refused = app.post("/imports", definition(&location)).await;
        let shown: String = location.chars().take(60).collect();
        assert_eq!(
            (refused.status, refused.code()),
            (422, code),
            "{shown:?}: {}",
            refused.text
        );
        assert_eq!(refused.json["pointer"], "/location");
        assert!(refused.text.len() < 2000);
    }
    assert!(!canary.is_touched());
    assert_eq!(app.get("/imports").await.json["data"], json!([]));
}

//! The HTTP server's own limits: headers, bodies, slowness, paths and methods. Whatever comes, the
//! answer is a problem in words or a closed connection, and never of the 500 family.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{TestApp, answer};

async fn connect(app: &TestApp) -> TcpStream {
    TcpStream::connect(app.url.trim_start_matches("http://"))
        .await
        .unwrap()
}

/// Sends these bytes and reads what comes until the server closes.
async fn raw(app: &TestApp, bytes: &[u8]) -> String {
    let mut stream = connect(app).await;
    // A server that has heard enough may close before it has read all.
    let _ = stream.write_all(bytes).await;
    read(app, &mut stream).await
}

async fn read(app: &TestApp, stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let reading = stream.read_to_end(&mut bytes);
    let read = tokio::time::timeout(Duration::from_secs(30), reading).await;
    assert!(read.is_ok(), "the server keeps the connection open");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    app.hear_raw(&text);
    text
}

fn head(app: &TestApp, line: &str, more: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n{more}\r\n",
        app.token
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_beyond_the_limit_are_refused() {
    let app = TestApp::start().await;
    let long = format!("x-long: {}\r\n", "a".repeat(64 << 10));
    let many: String = (0..500)
        .map(|number| format!("x-{number}: a\r\n"))
        .collect();
    for more in [long, many] {
        let answered = raw(&app, head(&app, "GET /v1/overview", &more).as_bytes()).await;
        assert!(
            answered.is_empty() || answered.starts_with("HTTP/1.1 431"),
            "{answered:.200}"
        );
    }
    let path = format!("GET /v1/databases/{}", "a".repeat(64 << 10));
    let answered = raw(&app, head(&app, &path, "").as_bytes()).await;
    let refused = ["HTTP/1.1 414", "HTTP/1.1 431"]
        .iter()
        .any(|line| answered.starts_with(line));
    assert!(answered.is_empty() || refused, "{answered:.200}");
    let fine = format!("x-long: {}\r\n", "a".repeat(8 << 10));
    let answered = raw(&app, head(&app, "GET /v1/overview", &fine).as_bytes()).await;
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered:.200}");
}

/// Begins something and goes silent; returns the answer and how long it took.
async fn go_silent(app: &TestApp, beginning: &[u8]) -> (String, Duration) {
    let began = Instant::now();
    let mut stream = connect(app).await;
    stream.write_all(beginning).await.unwrap();
    (read(app, &mut stream).await, began.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_silent_is_cut_off_after_ten_seconds() {
    let app = TestApp::start().await;
    let draft = async {
        let fields = serde_json::json!([{"name": "a", "type": "text"}]);
        app.database(serde_json::json!({"name": "people", "fields": fields}))
            .await;
        app.submit(serde_json::json!({"database": "people", "action": "add"}))
            .await
    };
    let draft = draft.await;
    let body = head(
        &app,
        "POST /v1/imports",
        "content-type: application/json\r\ncontent-length: 10\r\n",
    );
    let body = body + "{\"dat";
    let upload = format!("PUT /v1/imports/{draft}/payload");
    let upload = head(
        &app,
        &upload,
        "content-type: text/csv\r\ncontent-length: 10\r\n",
    ) + "a\n1\n";
    let (nothing, line, headers, body, upload) = tokio::join!(
        go_silent(&app, b""),
        go_silent(&app, b"GET /v1/over"),
        go_silent(&app, b"GET /v1/overview HTTP/1.1\r\nhost: x\r\n"),
        go_silent(&app, body.as_bytes()),
        go_silent(&app, upload.as_bytes()),
    );
    for (answered, took) in [&nothing, &line, &headers, &body, &upload] {
        assert!((9..20).contains(&took.as_secs()), "{took:?} {answered}");
    }
    for (answered, _) in [&body, &upload] {
        assert!(answered.starts_with("HTTP/1.1 408"), "{answered}");
        assert!(answered.contains("body_timeout"), "{answered}");
    }
    assert_eq!(app.status(&draft).await["state"], "draft");
    assert!(app.payload_files().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let app = TestApp::start().await;
    let announced = "content-type: application/json\r\ncontent-length: 50000000\r\n";
    let began = Instant::now();
    let answered = raw(&app, head(&app, "POST /v1/imports", announced).as_bytes()).await;
    assert!(answered.starts_with("HTTP/1.1 413"), "{answered}");
    assert!(answered.contains("body_too_large"), "{answered}");
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );

    // A chunked body has no length; it is read up to the limit and no further.
    let chunked = "content-type: application/json\r\ntransfer-encoding: chunked\r\n";
    let mut stream = connect(&app).await;
    stream
        .write_all(head(&app, "POST /v1/imports", chunked).as_bytes())
        .await
        .unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let mut sent = 0;
    while stream.write_all(chunk.as_bytes()).await.is_ok() && sent < 100 << 20 {
        sent += 0x10000;
    }
    assert!(sent < 40 << 20, "{sent} bytes were taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_length_is_told_in_two_ways_is_no_two_requests() {
    let app = TestApp::start().await;
    let two = "content-length: 5\r\ncontent-length: 6\r\n";
    let answered = raw(&app, head(&app, "POST /v1/imports", two).as_bytes()).await;
    assert!(answered.starts_with("HTTP/1.1 400"), "{answered}");
    for order in [
        "content-length: 4\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
        "transfer-encoding: identity, chunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
    ] {
        let smuggled = head(&app, "GET /v1/tokens", "");
        let first = head(&app, "POST /v1/imports", order).replace("connection: close\r\n", "");
        let bytes = format!("{first}0\r\n\r\n{smuggled}");
        let mut stream = connect(&app).await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let answered = read(&app, &mut stream).await;
        let answers = answered.matches("HTTP/1.1 ").count();
        assert!(
            answers <= 2 && !answered.contains("HTTP/1.1 5"),
            "{order}: {answered}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_address_is_404_and_a_wrong_method_405_with_allow() {
    let app = TestApp::start().await;
    for path in [
        "",
        "/",
        "/nothing",
        "/overview/",
        "/overview/x",
        "/imports/imp_1/pause/x",
        "//overview",
        "/IMPORTS",
    ] {
        let refused = app.get(path).await.expect(404);
        assert_eq!(refused.code(), "not_found", "{path}");
        assert_eq!(refused.headers["content-type"], "application/problem+json");
    }
    for (method, path, allowed) in [
        ("DELETE", "/imports/imp_1", "GET,HEAD"),
        ("PATCH", "/imports", "GET,HEAD,POST"),
        ("PUT", "/overview", "GET,HEAD"),
        ("GET", "/imports/imp_1/start", "POST"),
        ("GET", "/imports/imp_1/payload", "PUT"),
        ("POST", "/imports/imp_1/payload", "PUT"),
        ("GET", "/tokens/x", "DELETE"),
        ("OPTIONS", "/overview", "GET,HEAD"),
        ("PURGE", "/overview", "GET,HEAD"),
    ] {
        let refused = app.call(method, path, None).await.expect(405);
        assert_eq!(refused.code(), "method_not_allowed", "{method} {path}");
        assert_eq!(refused.headers["allow"], allowed, "{method} {path}");
    }
    let health = app.http.get(format!("{}/healthz", app.url));
    assert_eq!(answer(health).await.expect(200).text, "");
    let head = app.call("HEAD", "/overview", None).await.expect(200);
    assert_eq!(head.text, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn tricks_in_the_path_reach_no_other_route() {
    let app = TestApp::start().await;
    for path in [
        "/v1/imports/..%2f..%2fv1%2ftokens",
        "/v1/imports/..%2F..%2F..%2Fhealthz",
        "/v1/imports/../../v1/tokens",
        "/v1/imports/%2e%2e/tokens",
        "/v1/imports/imp_1%00",
        "/v1/imports/%00",
        "/v1/imports/%ff",
        "/v1/imports/%",
        "/v1/imports/%zz",
        "/v1/imports/imp_1%2fcancel",
        "/v1/databases/%00",
        "/v1/databases/a%00b/profiles",
        "/v1/databases/%ff/profiles",
        "/v1/databases/%c0%af/profiles/pro_1",
        "/v1/databases/%F0%9F%98%80",
        "/v1/databases/'%20or%201=1--",
        "/v1/tokens/%00",
        "/v1/imports?database=%00",
        "/v1/imports?state=%00",
        "/v1/imports?database=%ff",
        "/v1/databases;a=b",
        "/v1/imports/imp_9223372036854775808",
        "/v1/imports/imp_9223372036854775807",
        "/v1/imports/imp_%30",
        "/v1\\tokens",
    ] {
        for method in ["GET", "POST", "DELETE", "PUT"] {
            let line = format!("{method} {path}");
            let more = "content-type: text/csv\r\ncontent-length: 0\r\n";
            let answered = raw(&app, head(&app, &line, more).as_bytes()).await;
            let status: u16 = answered
                .get(9..12)
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
            let known = [400, 404, 405, 415].contains(&status);
            assert!(known, "{line}: {answered}");
            assert!(
                answered.contains("application/problem+json"),
                "{line}: {answered}"
            );
        }
    }
    // An absolute address is the same place, and another host is no other.
    let line = format!("GET {}/v1/overview", app.url);
    assert!(
        raw(&app, head(&app, &line, "").as_bytes())
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_http_is_closed_without_harm() {
    let app = TestApp::start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\0\x01\0"[..],
        b"*1\r\n$4\r\nPING\r\n",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = connect(&app).await;
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let answered = read(&app, &mut stream).await;
        assert!(
            answered.is_empty() || answered.starts_with("HTTP/1.1 4"),
            "{answered}"
        );
    }
    app.get("/overview").await.expect(200);
}

//! What a source's answers become.

use sha2::{Digest, Sha256};

use super::*;

#[tokio::test]
async fn a_payload_arrives_with_its_hash_size_and_headers() {
    let headers = "etag: \"v1\"\r\nlast-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                   content-type: text/csv\r\n";
    let source = Source::saying(answer("200 OK", headers, CSV)).await;
    let download = client_for(&source, short())
        .get(&source.url())
        .await
        .unwrap();
    assert_eq!(download.headers.etag.as_deref(), Some("\"v1\""));
    assert_eq!(
        download.headers.last_modified.as_deref(),
        Some("Sun, 06 Nov 1994 08:49:37 GMT")
    );
    assert_eq!(download.headers.content_type.as_deref(), Some("text/csv"));
    assert_eq!(download.headers.content_length, Some(CSV.len() as u64));
    let (mut sink, mut heard) = (Vec::new(), 0);
    let snapshot = stream_to(download, &mut sink, |bytes| heard = bytes)
        .await
        .unwrap();
    assert_eq!(sink, CSV);
    assert_eq!((snapshot.bytes, snapshot.wire_bytes, heard), (22, 22, 22));
    assert_eq!(snapshot.sha256, <[u8; 32]>::from(Sha256::digest(CSV)));
}

#[tokio::test]
async fn a_fetch_can_run_on_any_thread() {
    let source = Source::saying(answer("200 OK", "", CSV)).await;
    let (client, url) = (client_for(&source, short()), source.url());
    let fetched = tokio::spawn(async move { fetch(&client, &url).await });
    assert_eq!(fetched.await.unwrap().unwrap().0, CSV);
}

#[tokio::test]
async fn localhost_reaches_the_listed_address() {
    let source = Source::saying(answer("200 OK", "", CSV)).await;
    let url = format!("http://localhost:{}/", source.address.port());
    let (bytes, _) = fetch(&client_for(&source, short()), &url).await.unwrap();
    assert_eq!(bytes, CSV);
    assert!(source.requests()[0].contains("localhost"));
}

#[tokio::test]
async fn a_final_status_is_told_with_its_number_and_not_retried() {
    for status in [206, 300, 304, 400, 401, 403, 404, 410, 418, 451] {
        let source = Source::saying(answer(&format!("{status} No"), "", b"")).await;
        let error = failure(&source, short()).await;
        assert_eq!(
            (error.code, error.retry),
            (Code::SourceStatus, Retry::Never),
            "{status}"
        );
        assert_eq!(
            error.message,
            format!("the source answered with status {status}")
        );
        assert_eq!(error.given_up().code, Code::SourceStatus);
    }
}

#[tokio::test]
async fn a_passing_status_is_retried_and_becomes_source_unavailable() {
    for status in [202, 408, 425, 429, 500, 502, 503, 504] {
        let source = Source::saying(answer(&format!("{status} No"), "", b"")).await;
        let error = failure(&source, short()).await;
        assert_eq!(
            (error.code, error.retry),
            (Code::SourceStatus, LATER),
            "{status}"
        );
        let last = error.given_up();
        assert_eq!(
            (last.code, last.retry),
            (Code::SourceUnavailable, Retry::Never),
            "{status}"
        );
        assert!(
            last.message.contains(&status.to_string()),
            "{}",
            last.message
        );
    }
}

#[tokio::test]
async fn retry_after_of_a_year_is_capped_at_an_hour() {
    let source = Source::saying(answer("503 No", "retry-after: 31536000\r\n", b"")).await;
    let hour = Duration::from_secs(3600);
    let error = failure(&source, short()).await;
    assert_eq!(error.retry, Retry::Later { after: Some(hour) });
    let source = Source::saying(answer("429 No", "retry-after: 7\r\n", b"")).await;
    let error = failure(&source, short()).await;
    assert_eq!(
        error.retry,
        Retry::Later {
            after: Some(Duration::from_secs(7))
        }
    );
}

#[tokio::test]
async fn a_login_page_is_not_data() {
    let page = b"<!DOCTYPE html><title>Sign in</title>";
    let packed = gzip(page).await;
    for (headers, body) in [
        (
            "content-type: text/html; charset=utf-8\r\n",
            page.as_slice(),
        ),
        ("content-type: text/csv\r\n", page.as_slice()),
        ("", b"\n<html><body>".as_slice()),
        ("content-type: text/html\r\n", CSV),
        (
            "content-type: text/html\r\ncontent-encoding: gzip\r\n",
            packed.as_slice(),
        ),
    ] {
        let source = Source::saying(answer("200 OK", headers, body)).await;
        let error = failure(&source, short()).await;
        assert_eq!(
            (error.code, error.retry),
            (Code::SourceNotData, Retry::Never),
            "{headers}"
        );
    }
    let headers = "content-type: text/html\r\n";
    let source = Source::saying(answer("200 OK", headers, page)).await;
    let message = failure(&source, short()).await.message;
    assert!(
        message.starts_with("got text/html starting `<!DOCTYPE"),
        "{message}"
    );
}

#[tokio::test]
async fn an_answer_without_bytes_is_an_empty_payload() {
    let packed = gzip(b"").await;
    for answer in [
        answer("200 OK", "", b""),
        answer("200 OK", "content-type: text/html\r\n", b""),
        answer("200 OK", "content-encoding: gzip\r\n", b""),
        answer("200 OK", "content-encoding: gzip\r\n", &packed),
        answer("200 OK", "", &packed),
        b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec(),
    ] {
        let source = Source::saying(answer.clone()).await;
        let error = failure(&source, short()).await;
        let shown = String::from_utf8_lossy(&answer);
        assert_eq!(
            (error.code, error.retry),
            (Code::EmptyPayload, Retry::Never),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_body_cut_on_the_way_is_truncated_and_tried_again() {
    let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    chunked.extend_from_slice(b"16\r\n");
    chunked.extend_from_slice(CSV);
    chunked.extend_from_slice(b"\r\n");
    let mut short_body = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n".to_vec();
    short_body.extend_from_slice(&[b'a'; 600]);
    for cut in [
        short_body,
        chunked.clone(),
        chunked[..chunked.len() - 5].to_vec(),
    ] {
        let source = Source::saying(cut).await;
        let error = failure(&source, short()).await;
        assert_eq!((error.code, error.retry), (Code::PayloadTruncated, LATER));
        assert_eq!(error.given_up().code, Code::PayloadTruncated);
    }
}

#[tokio::test]
async fn a_gzip_file_that_is_cut_itself_stays_cut() {
    let packed = gzip(&CSV.repeat(1000)).await;
    let cut = &packed[..packed.len() - 9];
    let whole_answer = Source::saying(answer("200 OK", "", cut)).await;
    let error = failure(&whole_answer, short()).await;
    assert_eq!(
        (error.code, error.retry),
        (Code::PayloadTruncated, Retry::Never)
    );

    let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    let perhaps_cut_on_the_way = Source::saying([head, cut].concat()).await;
    let error = failure(&perhaps_cut_on_the_way, short()).await;
    assert_eq!((error.code, error.retry), (Code::PayloadTruncated, LATER));
}

#[tokio::test]
async fn an_unknown_content_encoding_is_refused() {
    for encoding in ["br", "deflate", "gzip, gzip", "aws-chunked"] {
        let headers = format!("content-encoding: {encoding}\r\n");
        let source = Source::saying(answer("200 OK", &headers, CSV)).await;
        let error = failure(&source, short()).await;
        assert_eq!(
            (error.code, error.retry),
            (Code::UnsupportedEncoding, Retry::Never)
        );
    }
}

#[tokio::test]
async fn a_source_that_is_down_or_speaks_no_http_is_tried_again() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let client = client_with(rules(&closed.to_string()), short(), system_lookup());
    let error = fetch(&client, &format!("http://{closed}/"))
        .await
        .unwrap_err();
    assert_eq!((error.code, error.retry), (Code::ConnectFailed, LATER));
    assert_eq!(error.message, "could not connect");

    for banner in [
        "",
        "-ERR unknown command 'GET'\r\n",
        "220 mail.corp ESMTP\r\n",
    ] {
        let source = Source::saying(banner).await;
        let error = failure(&source, short()).await;
        assert_eq!(
            (error.code, error.retry),
            (Code::ConnectFailed, LATER),
            "{banner}"
        );
        assert!(!error.message.contains("mail.corp") && !error.message.contains("127.0.0.1"));
    }
}

#[tokio::test]
async fn a_store_that_fails_is_not_blamed_on_the_source() {
    let source = Source::saying(answer("200 OK", "", CSV)).await;
    let download = client_for(&source, short())
        .get(&source.url())
        .await
        .unwrap();
    let (mut sink, reader) = tokio::io::duplex(8);
    drop(reader);
    let error = stream_to(download, &mut sink, |_| {}).await.unwrap_err();
    assert_eq!(
        (error.code, error.retry),
        (Code::TemporarilyUnavailable, LATER)
    );
}

//! Sources that are silent, slow or without end.

use super::*;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";

fn with_head(step: Step) -> Vec<Step> {
    vec![Step::Send(HEAD.to_vec()), step]
}

async fn assert_too_slow(steps: Vec<Step>, limits: Limits, message: &str) {
    let source = Source::playing(steps).await;
    let error = failure(&source, limits).await;
    assert_eq!((error.code, error.retry), (Code::SourceTooSlow, LATER));
    assert_eq!(error.message, message);
    assert_eq!(error.given_up().code, Code::SourceTooSlow);
}

#[tokio::test]
async fn a_source_that_never_answers_is_left() {
    let limits = Limits {
        connect_timeout: Duration::from_millis(100),
        first_byte_timeout: Duration::from_millis(100),
        ..short()
    };
    assert_too_slow(
        vec![Step::Hang],
        limits,
        "the source did not answer in time",
    )
    .await;
}

#[tokio::test]
async fn a_source_that_falls_silent_is_left() {
    let limits = Limits {
        body_idle_timeout: Duration::from_millis(100),
        ..short()
    };
    assert_too_slow(with_head(Step::Hang), limits, "the source stopped sending").await;
}

#[tokio::test]
async fn a_source_that_drips_is_left() {
    let limits = Limits {
        speed_window: Duration::from_millis(200),
        ..short()
    };
    let drip = Step::Drip(b"a".to_vec(), Duration::from_millis(20));
    assert_too_slow(with_head(drip), limits, "the source sends too slowly").await;
}

#[tokio::test]
async fn a_source_above_the_least_speed_is_kept_until_the_fetch_ends() {
    let limits = Limits {
        speed_window: Duration::from_millis(50),
        fetch_timeout: Duration::from_millis(400),
        ..short()
    };
    let drip = Step::Drip(vec![b'a'; 1000], Duration::from_millis(10));
    let source = Source::playing(with_head(drip)).await;
    let error = failure(&source, limits).await;
    assert_eq!(error.code, Code::SourceTooSlow);
    assert_ne!(error.message, "the source sends too slowly");
}

#[tokio::test]
async fn an_endless_body_stops_at_the_limit() {
    let source = Source::playing(with_head(Step::Flood(vec![b'a'; 64 << 10]))).await;
    let error = failure(&source, short()).await;
    assert_eq!(
        (error.code, error.retry),
        (Code::PayloadTooLarge, Retry::Never)
    );
}

#[tokio::test]
async fn an_announced_length_above_the_limit_is_refused_unread() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n";
    let source = Source::playing(vec![Step::Send(head.into()), Step::Hang]).await;
    let error = failure(&source, short()).await;
    assert_eq!(
        (error.code, error.retry),
        (Code::PayloadTooLarge, Retry::Never)
    );
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_passes() {
    let source = Source::saying(answer("200 OK", "", &vec![b'a'; 1 << 20])).await;
    let (bytes, _) = fetch(&client_for(&source, short()), &source.url())
        .await
        .unwrap();
    assert_eq!(bytes.len(), 1 << 20);
}

#[tokio::test]
async fn a_slow_store_is_not_held_against_the_source() {
    let limits = Limits {
        speed_window: Duration::from_millis(300),
        bytes_per_second_min: 1 << 30,
        ..short()
    };
    let source = Source::saying(answer("200 OK", "", &vec![b'a'; 1 << 20])).await;
    let download = client_for(&source, limits)
        .get(&source.url())
        .await
        .unwrap();
    let (mut sink, mut reader) = tokio::io::duplex(16 << 10);
    let slow_store = tokio::spawn(async move {
        let mut block = vec![0; 16 << 10];
        while reader.read(&mut block).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    stream_to(download, &mut sink, |_| {}).await.unwrap();
    drop(sink);
    slow_store.await.unwrap();
}

//! Redirects: followed by hand, each hop judged as if a user had typed it.

use super::*;

fn to(location: &str) -> Vec<Step> {
    let head = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    vec![Step::Send(head.into_bytes())]
}

/// Sends `/hop/N` to `/hop/N-1` and `/hop/0` to `end`.
async fn hops_to(end: String) -> Source {
    Source::answering(move |head| {
        let path = head.split(' ').nth(1).unwrap();
        match path
            .strip_prefix("/hop/")
            .and_then(|left| left.parse::<u32>().ok())
        {
            Some(0) => to(&end),
            Some(left) => to(&format!("{}", left - 1)),
            None => vec![Step::Send(answer("200 OK", "", CSV))],
        }
    })
    .await
}

async fn at_hop(source: &Source, hop: u32) -> Result<Vec<u8>, FetchError> {
    let url = format!("http://{}/hop/{hop}", source.address);
    fetch(&client_for(source, short()), &url)
        .await
        .map(|(bytes, _)| bytes)
}

#[tokio::test]
async fn a_forbidden_address_is_refused_on_every_hop_before_connecting() {
    let canary = Canary::new();
    let port = canary.port();
    for end in [
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("//127.0.0.1:{port}/"),
        format!("https://[::1]:{port}/"),
        format!("https://2130706433:{port}/"),
        format!("https://localhost:{port}/"),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "ftp://example.com/".to_owned(),
        "http://example.com/".to_owned(),
        "https://user:pw@example.com/".to_owned(),
        "https://example.com:22/".to_owned(),
        "https://".to_owned(),
        "https://exa\tmple.com/".to_owned(),
        format!("https://example.com/{}", "a".repeat(3_000)),
    ] {
        let source = hops_to(end.clone()).await;
        for hop in 0..3 {
            let error = at_hop(&source, hop).await.unwrap_err();
            let verdict = (error.code, error.retry);
            assert_eq!(
                verdict,
                (Code::RedirectNotAllowed, Retry::Never),
                "{end} after {hop}"
            );
            assert_eq!(canary.connections(), 0, "{end} after {hop}");
        }
    }
}

#[tokio::test]
async fn three_redirects_are_followed_and_a_fourth_is_refused() {
    let source = hops_to("/people.csv".to_owned()).await;
    assert_eq!(at_hop(&source, 2).await.unwrap(), CSV);
    let error = at_hop(&source, 3).await.unwrap_err();
    assert_eq!(
        (error.code, error.retry),
        (Code::TooManyRedirects, Retry::Never)
    );
    assert_eq!(source.requests().len(), 4 + 4);
}

#[tokio::test]
async fn a_redirect_loop_ends() {
    let source = Source::answering(|_| to("/people.csv")).await;
    assert_eq!(failure(&source, short()).await.code, Code::TooManyRedirects);
}

#[tokio::test]
async fn a_redirect_without_a_location_is_an_error_of_the_source() {
    let source = Source::saying("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n").await;
    let error = failure(&source, short()).await;
    assert_eq!(
        (error.code, error.retry),
        (Code::SourceStatus, Retry::Never)
    );
}

#[tokio::test]
async fn nothing_is_carried_from_one_origin_to_the_next() {
    let end = Source::saying(answer("200 OK", "", CSV)).await;
    let location = end.url();
    let start = Source::answering(move |_| {
        let cookie = "set-cookie: session=secret\r\n";
        let head = format!(
            "HTTP/1.1 307 Moved\r\n{cookie}location: {location}\r\ncontent-length: 0\r\n\r\n"
        );
        vec![Step::Send(head.into_bytes())]
    })
    .await;
    let list = format!("{},{}", start.address, end.address);
    let client = client_with(rules(&list), short(), system_lookup());
    fetch(&client, &start.url()).await.unwrap();
    let request = end.requests().remove(0).to_ascii_lowercase();
    let mut names: Vec<_> = request
        .lines()
        .skip(1)
        .filter_map(|line| Some(line.split_once(':')?.0))
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"]);
    assert!(
        request.contains("accept-encoding: gzip, zstd, identity"),
        "{request}"
    );
}

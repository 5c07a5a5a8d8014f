//! What must be refused before anything is connected to.

use std::io::ErrorKind;

use super::*;

async fn assert_refused(client: &Outbound, canary: &Canary, url: &str, code: Code) {
    let error = fetch(client, url).await.unwrap_err();
    assert_eq!((error.code, error.retry), (code, Retry::Never), "{url}");
    assert_eq!(canary.connections(), 0, "{url}");
}

#[tokio::test]
async fn no_spelling_of_loopback_gets_a_connection() {
    let canary = Canary::new();
    let port = canary.port();
    let client = Outbound::new(AddressRules::none()).unwrap();
    for host in [
        "127.0.0.1",
        "[::1]",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "①②⑦.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "localhost.",
        "foo.localhost",
    ] {
        let url = format!("https://{host}:{port}/");
        assert_refused(&client, &canary, &url, Code::AddressNotAllowed).await;
        let url = format!("http://{host}:{port}/");
        assert_refused(&client, &canary, &url, Code::UrlSchemeNotAllowed).await;
    }
    let url = format!("https:\\\\127.0.0.1:{port}");
    assert_refused(&client, &canary, &url, Code::AddressNotAllowed).await;
}

#[tokio::test]
async fn bad_urls_are_refused_by_the_client_as_at_submit() {
    let canary = Canary::new();
    let client = Outbound::new(AddressRules::none()).unwrap();
    let long = format!("https://example.com/{}", "a".repeat(10_000));
    for (url, code) in [
        ("file:///etc/passwd", Code::UrlSchemeNotAllowed),
        ("http://example.com/", Code::UrlSchemeNotAllowed),
        ("not a url", Code::UrlInvalid),
        (
            "https://user:pw@example.com/",
            Code::UrlCredentialsNotAllowed,
        ),
        (
            "https://169.254.169.254/latest/meta-data/",
            Code::AddressNotAllowed,
        ),
        ("https://metadata.google.internal/", Code::AddressNotAllowed),
        ("https://redis/", Code::AddressNotAllowed),
        ("https://example.com:6379/", Code::PortNotAllowed),
        ("https://exam\tple.com/", Code::UrlInvalid),
        (long.as_str(), Code::UrlTooLong),
    ] {
        assert_refused(&client, &canary, url, code).await;
    }
}

#[tokio::test]
async fn one_private_address_among_a_names_addresses_refuses_it() {
    let canary = Canary::new();
    for ips in [
        vec!["127.0.0.1"],
        vec!["8.8.8.8", "127.0.0.1"],
        vec!["2606:4700::1111", "::1"],
        vec!["::ffff:127.0.0.1"],
        vec!["8.8.8.8", "10.0.0.1", "9.9.9.9"],
    ] {
        let (lookup, asked) = scripted(vec![Ok(ips)]);
        let client = client_with(AddressRules::none(), short(), lookup);
        let url = "https://source.test/";
        assert_refused(&client, &canary, url, Code::AddressNotAllowed).await;
        assert_eq!(*asked.lock().unwrap(), 1);
    }
}

#[tokio::test]
async fn a_listed_address_opens_its_own_port_only_for_a_name() {
    let canary = Canary::new();
    let list = format!("127.0.0.1:{}", canary.port());
    let (lookup, _) = scripted(vec![Ok(vec!["127.0.0.1"])]);
    let client = client_with(rules(&list), short(), lookup);
    let url = "https://source.test/";
    assert_refused(&client, &canary, url, Code::AddressNotAllowed).await;
    let url = format!("https://source.test:{}/", canary.port());
    assert_refused(&client, &canary, &url, Code::PortNotAllowed).await;
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_tried_again_and_never_unchecked() {
    for answer in [
        Err(ErrorKind::NotFound.into()),
        Err(ErrorKind::Other.into()),
        Ok(vec![]),
    ] {
        let (lookup, _) = scripted(vec![answer]);
        let client = client_with(AddressRules::none(), short(), lookup);
        let error = fetch(&client, "https://source.test/").await.unwrap_err();
        assert_eq!((error.code, error.retry), (Code::DnsFailed, LATER));
        assert_eq!(error.given_up().code, Code::DnsFailed);
    }
}

#[tokio::test]
async fn a_resolver_that_never_answers_ends_in_dns_failed() {
    let lookup: Lookup = Arc::new(|_| std::future::pending().boxed());
    let client = client_with(AddressRules::none(), short(), lookup);
    let error = fetch(&client, "https://source.test/").await.unwrap_err();
    assert_eq!((error.code, error.retry), (Code::DnsFailed, LATER));
}

#[tokio::test]
async fn a_failed_lookup_first_does_not_switch_the_check_off() {
    let canary = Canary::new();
    let (lookup, _) = scripted(vec![Err(ErrorKind::Other.into()), Ok(vec!["127.0.0.1"])]);
    let client = client_with(AddressRules::none(), short(), lookup);
    let url = "https://source.test/";
    assert_eq!(fetch(&client, url).await.unwrap_err().code, Code::DnsFailed);
    assert_refused(&client, &canary, url, Code::AddressNotAllowed).await;
}

#[tokio::test]
async fn a_peer_outside_the_rules_is_refused_after_connecting_too() {
    let client = Outbound::new(rules("127.0.0.1:8000")).unwrap();
    for peer in [
        "127.0.0.1:8001",
        "[::ffff:127.0.0.1]:443",
        "10.0.0.1:443",
        "[fd00::1]:443",
    ] {
        let error = client.check_peer(peer.parse().ok()).unwrap_err();
        assert_eq!(error.code, Code::AddressNotAllowed, "{peer}");
    }
    assert!(client.check_peer(None).is_err());
    assert!(
        client
            .check_peer("[::ffff:127.0.0.1]:8000".parse().ok())
            .is_ok()
    );
    assert!(client.check_peer("8.8.8.8:443".parse().ok()).is_ok());
}

#[tokio::test]
async fn refusals_name_no_address_and_no_library() {
    let (lookup, _) = scripted(vec![Ok(vec!["10.1.2.3"])]);
    let client = client_with(AddressRules::none(), short(), lookup);
    let error = fetch(&client, "https://source.test/secret")
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "address not allowed");
    assert!(
        std::error::Error::source(&error).is_some(),
        "the log keeps the cause"
    );
}

//! TLS: certificates that must not be accepted, and names that change their address.

use std::io::{Read, Write};
use std::net::TcpStream as Stream;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

const GOOD: &[u8] = include_bytes!("tls/good.pem");
const EXPIRED: &[u8] = include_bytes!("tls/expired.pem");
const OTHER_NAME: &[u8] = include_bytes!("tls/other_name.pem");
const KEY: &[u8] = include_bytes!("tls/key.pem");

/// Serves one answer over TLS to every connection, until the test's process ends.
fn serve(listener: Listener, certificate: &[u8], answer: Vec<u8>) -> SocketAddr {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let chain = vec![CertificateDer::from_pem_slice(certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key);
    let config = Arc::new(config.unwrap());
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer_once(stream, config.clone(), &answer);
        }
    });
    address
}

fn answer_once(stream: Stream, config: Arc<ServerConfig>, answer: &[u8]) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    stream.write_all(answer)?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn on_any_port() -> Listener {
    Listener::bind("127.0.0.1:0").unwrap()
}

async fn tls_failure(address: SocketAddr) -> FetchError {
    let client = client_with(rules(&address.to_string()), short(), system_lookup());
    let error = fetch(&client, &format!("https://{address}/"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.code, error.retry),
        (Code::TlsFailed, Retry::Never),
        "{error:?}"
    );
    error
}

#[tokio::test]
async fn a_payload_arrives_over_tls() {
    let address = serve(on_any_port(), GOOD, answer("200 OK", "", CSV));
    let client = client_with(rules(&address.to_string()), short(), system_lookup());
    let (bytes, _) = fetch(&client, &format!("https://{address}/"))
        .await
        .unwrap();
    assert_eq!(bytes, CSV);
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_refused_even_to_a_listed_address() {
    let canary = Canary::new();
    let plain = format!("127.0.0.1:{}", canary.port());
    let head = format!("HTTP/1.1 302 Found\r\nlocation: http://{plain}/\r\n");
    let address = serve(
        on_any_port(),
        GOOD,
        format!("{head}content-length: 0\r\n\r\n").into(),
    );
    let client = client_with(
        rules(&format!("{address},{plain}")),
        short(),
        system_lookup(),
    );
    let error = fetch(&client, &format!("https://{address}/"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.code, error.retry),
        (Code::RedirectNotAllowed, Retry::Never)
    );
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn a_bad_certificate_is_told_by_its_class() {
    for (certificate, class) in [(EXPIRED, "expired"), (OTHER_NAME, "for another name")] {
        let error = tls_failure(serve(on_any_port(), certificate, Vec::new())).await;
        assert!(error.message.ends_with(class), "{error}");
        assert!(!error.message.contains("other.test"), "{error}");
    }
}

#[tokio::test]
async fn an_issuer_that_the_machine_does_not_know_is_refused() {
    let address = serve(on_any_port(), GOOD, answer("200 OK", "", CSV));
    let client = Outbound::new(rules(&address.to_string())).unwrap();
    let error = fetch(&client, &format!("https://{address}/"))
        .await
        .unwrap_err();
    assert_eq!((error.code, error.retry), (Code::TlsFailed, Retry::Never));
    assert!(error.message.ends_with("issuer is unknown"), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_told_so() {
    let listener = on_any_port();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\nsecret banner");
            let _ = stream.read(&mut [0; 1024]);
        }
    });
    let error = tls_failure(address).await;
    assert!(
        error.message.ends_with("does not speak TLS on this port"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_only_speaks_an_old_version_is_told_so() {
    let listener = on_any_port();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A fatal alert: protocol version.
            let _ = stream.write_all(&[0x15, 3, 1, 0, 2, 2, 70]);
            let _ = stream.read(&mut [0; 1024]);
        }
    });
    let error = tls_failure(address).await;
    assert!(
        error.message.ends_with("TLS 1.2 or 1.3 is needed"),
        "{error}"
    );
}

/// Two addresses of this process alone, on the port that names may use: only Linux has all of
/// 127/8.
#[cfg(target_os = "linux")]
fn own_addresses() -> [Listener; 2] {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    [7, 8].map(|last| {
        Listener::bind((format!("127.{}.{low}.{last}", 64 | (high & 63)), 8443)).unwrap()
    })
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_name_that_moves_to_a_private_address_gets_no_second_connection() {
    let [first, second] = own_addresses();
    let ip_of = |listener: &Listener| listener.local_addr().unwrap().ip().to_string();
    let (listed, forbidden) = (ip_of(&first), ip_of(&second));
    let (listed, forbidden) = (listed.as_str(), forbidden.as_str());
    let canary = Canary::of(vec![second]);
    let move_on = "HTTP/1.1 302 Found\r\nlocation: /again\r\nconnection: close\r\n\r\n";
    let list = serve(first, GOOD, move_on.into()).to_string();

    let (lookup, asked) = scripted(vec![Ok(vec![listed]), Ok(vec![forbidden])]);
    let client = client_with(rules(&list), short(), lookup);
    let url = "https://source.test:8443/";
    let error = fetch(&client, url).await.unwrap_err();
    assert_eq!(
        error.code,
        Code::RedirectNotAllowed,
        "the first answer was good, {error:?}"
    );
    assert_eq!(
        fetch(&client, url).await.unwrap_err().code,
        Code::AddressNotAllowed
    );
    assert_eq!(*asked.lock().unwrap(), 3, "one lookup for each connection");

    let (lookup, _) = scripted(vec![Ok(vec![listed, forbidden])]);
    let client = client_with(rules(&list), short(), lookup);
    assert_eq!(
        fetch(&client, url).await.unwrap_err().code,
        Code::AddressNotAllowed
    );
    assert_eq!(canary.connections(), 0);

    let (lookup, _) = scripted(vec![Ok(vec![forbidden])]);
    let both = rules(&format!("{forbidden}:8443"));
    let limits = Limits {
        connect_timeout: Duration::from_millis(300),
        ..short()
    };
    let client = client_with(both, limits, lookup);
    assert!(fetch(&client, url).await.is_err());
    assert_eq!(
        canary.connections(),
        1,
        "the canary can be reached when it is listed"
    );
}

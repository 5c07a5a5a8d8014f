//! The client against real servers on loopback: each plays one answer of a source byte by byte.

mod fetching;
mod one_client;
mod pacing;
mod redirecting;
mod refusing;
mod tls;
mod unpacking;

use std::net::{IpAddr, SocketAddr, TcpListener as Listener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::FutureExt;
use longshore_core::address::AddressRules;
use longshore_core::code::Code;
use reqwest::Certificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::client::Setup;
use super::guard::{Lookup, system_lookup};
use super::*;

/// What a server does after it has read a request's head.
#[derive(Clone)]
enum Step {
    Send(Vec<u8>),
    Drip(Vec<u8>, Duration),
    Flood(Vec<u8>),
    Hang,
}

/// A source on loopback; it closes each connection after its steps.
struct Source {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Source {
    async fn playing(steps: Vec<Step>) -> Self {
        Self::answering(move |_| steps.clone()).await
    }

    async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        Self::playing(vec![Step::Send(answer.into())]).await
    }

    async fn answering(script: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (script, seen) = (Arc::new(script), requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(play(stream, script.clone(), seen.clone()));
            }
        });
        Self { address, requests }
    }

    fn url(&self) -> String {
        format!("http://{}/people.csv", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

type Script = Arc<dyn Fn(&str) -> Vec<Step> + Send + Sync>;

async fn play(mut stream: TcpStream, script: Script, seen: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    seen.lock().unwrap().push(head.clone());
    for step in script(&head) {
        if take(&mut stream, step).await.is_err() {
            return;
        }
    }
}

async fn take(stream: &mut TcpStream, step: Step) -> std::io::Result<()> {
    match step {
        Step::Send(bytes) => stream.write_all(&bytes).await,
        Step::Drip(bytes, pause) => loop {
            stream.write_all(&bytes).await?;
            tokio::time::sleep(pause).await;
        },
        Step::Flood(bytes) => loop {
            stream.write_all(&bytes).await?;
        },
        Step::Hang => std::future::pending().await,
    }
}

/// A listener that nobody may reach. A connection on loopback is made before `connect` returns,
/// so it can be counted as soon as the client has answered.
struct Canary(Vec<Listener>);

impl Canary {
    fn new() -> Self {
        let first = Listener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let second = Listener::bind(("::1", port)).ok();
        Self::of([Some(first), second].into_iter().flatten().collect())
    }

    fn of(listeners: Vec<Listener>) -> Self {
        listeners
            .iter()
            .for_each(|listener| listener.set_nonblocking(true).unwrap());
        Self(listeners)
    }

    fn port(&self) -> u16 {
        self.0[0].local_addr().unwrap().port()
    }

    fn connections(&self) -> usize {
        self.0
            .iter()
            .map(|listener| std::iter::from_fn(|| listener.accept().ok()).count())
            .sum()
    }
}

/// Limits that a test can reach in a moment.
fn short() -> Limits {
    Limits {
        wire_bytes_max: 1 << 20,
        unpacked_bytes_max: 8 << 20,
        ratio_after_bytes: 1 << 20,
        dns_timeout: Duration::from_millis(200),
        connect_timeout: Duration::from_secs(2),
        first_byte_timeout: Duration::from_secs(2),
        body_idle_timeout: Duration::from_secs(2),
        ..Limits::default()
    }
}

fn rules(list: &str) -> AddressRules {
    AddressRules::parse(list).unwrap()
}

fn client_with(rules: AddressRules, limits: Limits, lookup: Lookup) -> Outbound {
    let authority = Certificate::from_pem(include_bytes!("tls/authority.pem")).unwrap();
    let setup = Setup {
        limits,
        lookup,
        authorities: Some(vec![authority]),
    };
    Outbound::with(rules, setup).unwrap()
}

fn client_for(source: &Source, limits: Limits) -> Outbound {
    client_with(rules(&source.address.to_string()), limits, system_lookup())
}

/// A resolver that gives these answers, one a question, and the last one for ever.
fn scripted(answers: Vec<std::io::Result<Vec<&str>>>) -> (Lookup, Arc<Mutex<usize>>) {
    let ips = |texts: Vec<&str>| texts.iter().map(|text| text.parse().unwrap()).collect();
    let answers: Vec<Result<Vec<IpAddr>, _>> = answers
        .into_iter()
        .map(|answer| answer.map(ips).map_err(|error| error.kind()))
        .collect();
    let asked = Arc::new(Mutex::new(0));
    let count = asked.clone();
    let lookup: Lookup = Arc::new(move |_| {
        let mut asked = count.lock().unwrap();
        let answer = answers[(*asked).min(answers.len() - 1)].clone();
        *asked += 1;
        async move { answer.map_err(std::io::Error::from) }.boxed()
    });
    (lookup, asked)
}

async fn fetch(client: &Outbound, url: &str) -> Result<(Vec<u8>, Snapshot), FetchError> {
    let mut sink = Vec::new();
    let download = client.get(url).await?;
    let snapshot = stream_to(download, &mut sink, |_| {}).await?;
    Ok((sink, snapshot))
}

async fn failure(source: &Source, limits: Limits) -> FetchError {
    fetch(&client_for(source, limits), &source.url())
        .await
        .unwrap_err()
}

/// An answer with a status line, headers and a body of the announced length.
fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

async fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = async_compression::tokio::write::GzipEncoder::new(Vec::new());
    encoder.write_all(bytes).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

async fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = async_compression::tokio::write::ZstdEncoder::new(Vec::new());
    encoder.write_all(bytes).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

const LATER: Retry = Retry::Later { after: None };
const CSV: &[u8] = b"id,name\n1,Ada\n2,Grace\n";

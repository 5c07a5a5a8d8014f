//! A source whose answers are written by the test, byte for byte, so that it can also fail, lie
//! and break off. And a listener that nobody may ever connect to.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One answer.
#[derive(Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    announced: usize,
    body: Vec<u8>,
}

impl Reply {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Reply {
        let body = body.into();
        Reply {
            status: 200,
            headers: Vec::new(),
            announced: body.len(),
            body,
        }
    }

    pub(crate) fn status(status: u16) -> Reply {
        Reply {
            status,
            ..Reply::ok("")
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Announces more bytes than it sends.
    pub(crate) fn short_of(mut self, announced: usize) -> Reply {
        self.announced = announced;
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} -\r\nconnection: close\r\n", self.status);
        text += &format!("content-length: {}\r\n", self.announced);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        [text.as_bytes(), b"\r\n", &self.body].concat()
    }
}

type Scripts = Arc<Mutex<HashMap<String, Script>>>;

struct Script {
    replies: VecDeque<Reply>,
    asked: usize,
}

/// The server.
pub(crate) struct Source {
    pub(crate) address: String,
    scripts: Scripts,
}

impl Source {
    pub(crate) async fn start() -> Source {
        let scripts = Scripts::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let served = Arc::clone(&scripts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        Source { address, scripts }
    }

    /// What is answered at this path, one after the other; the last one again and again.
    pub(crate) fn script(&self, path: &str, replies: impl Into<VecDeque<Reply>>) -> String {
        let script = Script {
            replies: replies.into(),
            asked: 0,
        };
        let mut scripts = self.scripts.lock().unwrap();
        scripts.insert(path.to_owned(), script);
        format!("http://{}{path}", self.address)
    }

    /// How often it was asked for this path.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.scripts.lock().unwrap()[path].asked
    }
}

async fn serve(mut stream: TcpStream, scripts: Scripts) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let reply = {
        let mut scripts = scripts.lock().unwrap();
        match scripts.get_mut(&path) {
            None => Reply::status(404),
            Some(script) => {
                script.asked += 1;
                match script.replies.len() {
                    1 => script.replies[0].clone(),
                    _ => script.replies.pop_front().unwrap(),
                }
            }
        }
    };
    let _ = stream.write_all(&reply.bytes()).await;
    let _ = stream.shutdown().await;
}

/// Listens on loopback, outside the allowed addresses.
pub(crate) struct Canary {
    listener: std::net::TcpListener,
}

impl Canary {
    pub(crate) fn start() -> Canary {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Canary { listener }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// Whether anybody connected.
    pub(crate) fn is_touched(&self) -> bool {
        self.listener.accept().is_ok()
    }
}

//! The upload of a payload to its draft. Bytes go as they are, compressed ones too. A file is sent
//! again when the connection breaks; standard input cannot be, so one break ends it.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Method};
use tokio::fs::File;
use tokio::sync::mpsc;
use tokio_util::io::ReaderStream;

use super::client::Client;
use super::failure::Failure;
use super::progress::Progress;

const PIECE_BYTES: usize = 64 << 10;
const LOOK_EVERY: Duration = Duration::from_millis(150);
const STALLED_AFTER: Duration = Duration::from_secs(10 * 60);
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// What is uploaded.
#[derive(Debug)]
pub(super) enum Payload {
    /// Standard input: unknown size, to be read once.
    StandardInput,
    /// A file.
    File {
        /// Where it is.
        path: PathBuf,
        /// Its size, if it is a regular file.
        size: Option<u64>,
    },
}

impl Payload {
    /// Finds the file, so that nothing is submitted for one that is not there.
    pub(super) async fn open(file: &str) -> Result<Payload, Failure> {
        if file == "-" {
            return Ok(Payload::StandardInput);
        }
        let path = PathBuf::from(file);
        let failed = |source| Failure::File {
            path: path.clone(),
            source,
        };
        let about = File::open(&path)
            .await
            .map_err(failed)?
            .metadata()
            .await
            .map_err(failed)?;
        if about.is_dir() {
            return Err(failed(std::io::ErrorKind::IsADirectory.into()));
        }
        let size = about.is_file().then_some(about.len());
        Ok(Payload::File { path, size })
    }

    fn size(&self) -> Option<u64> {
        match self {
            Payload::StandardInput => None,
            Payload::File { size, .. } => *size,
        }
    }

    /// A regular file can be read again from its start.
    fn tries(&self) -> u32 {
        if self.size().is_some() { TRIES } else { 1 }
    }

    async fn body(&self, sent: &Arc<AtomicU64>) -> Result<Body, Failure> {
        sent.store(0, Ordering::Relaxed);
        match self {
            Payload::StandardInput => Ok(counted(standard_input(), sent)),
            Payload::File { path, .. } => File::open(path)
                .await
                .map(|file| counted(ReaderStream::with_capacity(file, PIECE_BYTES), sent))
                .map_err(|source| Failure::File {
                    path: path.clone(),
                    source,
                }),
        }
    }
}

type Piece = std::io::Result<Bytes>;

fn counted(pieces: impl Stream<Item = Piece> + Send + 'static, sent: &Arc<AtomicU64>) -> Body {
    let sent = Arc::clone(sent);
    Body::wrap_stream(pieces.inspect_ok(move |piece| {
        sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
    }))
}

/// Standard input, read on a thread of its own: a read that waits for a person must not keep the
/// process from ending.
fn standard_input() -> impl Stream<Item = Piece> + Send + 'static {
    let (sender, mut receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut room = vec![0; PIECE_BYTES];
        loop {
            let piece = match input.read(&mut room) {
                Ok(0) => break,
                Ok(length) => Ok(Bytes::copy_from_slice(&room[..length])),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let last = piece.is_err();
            if sender.blocking_send(piece).is_err() || last {
                break;
            }
        }
    });
    futures::stream::poll_fn(move |context| receiver.poll_recv(context))
}

/// How an upload ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uploaded {
    /// The service has every byte.
    Whole,
    /// Ctrl-C.
    Interrupted,
}

/// Where a payload goes.
#[derive(Debug)]
pub(super) struct Upload<'a> {
    /// The service.
    pub(super) client: &'a Client,
    /// The draft.
    pub(super) id: &'a str,
    /// What the payload is.
    pub(super) content_type: &'static str,
}

impl Upload<'_> {
    /// Uploads until the service has it all, gives a reason why not, or Ctrl-C comes.
    pub(super) async fn run(
        &self,
        payload: Payload,
        progress: &mut Progress,
    ) -> Result<Uploaded, Failure> {
        progress.upload(payload.size());
        let interrupted = tokio::signal::ctrl_c();
        tokio::select! {
            done = self.persist(&payload, progress) => done.map(|()| Uploaded::Whole),
            _ = interrupted => Ok(Uploaded::Interrupted),
        }
    }

    async fn persist(&self, payload: &Payload, progress: &mut Progress) -> Result<(), Failure> {
        for left in (0..payload.tries()).rev() {
            let failure = match self.once(payload, progress).await {
                Ok(()) => return Ok(()),
                // An earlier try arrived although its answer did not.
                Err(failure) if failure.has_code("payload_exists") => return Ok(()),
                Err(failure) => failure,
            };
            if left == 0 || !failure.may_pass() {
                return Err(failure);
            }
            progress.note(&format!("{failure}; sending it again"));
            tokio::time::sleep(failure.retry_after().unwrap_or(PAUSE).min(STALLED_AFTER)).await;
        }
        Ok(())
    }

    async fn once(&self, payload: &Payload, progress: &mut Progress) -> Result<(), Failure> {
        let sent = Arc::new(AtomicU64::new(0));
        let call = self
            .client
            .call(Method::PUT, &["v1", "imports", self.id, "payload"])
            .header(CONTENT_TYPE, self.content_type)
            .body(payload.body(&sent).await?);
        // With its length announced, the service can tell a broken upload from a short file.
        let call = match payload.size() {
            Some(size) => call.header(CONTENT_LENGTH, size),
            None => call,
        };
        tokio::select! {
            answer = self.client.send(call) => answer.map(drop),
            failure = look(&sent, payload.size(), progress) => Err(failure),
        }
    }
}

/// Shows what has been sent; ends only when nothing moves any more.
async fn look(sent: &AtomicU64, total: Option<u64>, progress: &mut Progress) -> Failure {
    let (mut before, mut moved) = (0, Instant::now());
    while moved.elapsed() < STALLED_AFTER {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = sent.load(Ordering::Relaxed);
        if now != before {
            (before, moved) = (now, Instant::now());
            progress.uploaded(now, total);
        }
    }
    Failure::Stalled(STALLED_AFTER.as_secs() / 60)
}

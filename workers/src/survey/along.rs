//! Surveys a payload while its bytes are on their way to the store, so that its import begins with its
//! first row. Where this comes to nothing, the import surveys the payload itself.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use longshore_core::definition::Definition;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::PollSender;

use super::{Outcome, Surveyed, survey};
use crate::rows::Error;

/// How many written parts may wait to be surveyed: whoever writes is not to be much faster.
const PARTS_WAITING: usize = 8;

/// A sink whose bytes are surveyed as they are written to it.
pub struct Along<W> {
    sink: W,
    /// None once nobody surveys.
    parts: Option<PollSender<Bytes>>,
    surveying: Option<JoinHandle<Result<Outcome, Error>>>,
}

impl<W> Along<W> {
    /// Surveys what is written to `sink`, by this definition, on a thread that is busy until then;
    /// without one nothing is surveyed.
    pub fn new(sink: W, definition: Option<Definition>) -> Along<W> {
        let Some(definition) = definition else {
            return Along {
                sink,
                parts: None,
                surveying: None,
            };
        };
        let (parts, receiver) = mpsc::channel(PARTS_WAITING);
        let source = Parts {
            receiver,
            part: Bytes::new(),
        };
        let surveying = tokio::task::spawn_blocking(move || survey(&definition, source));
        Along {
            sink,
            parts: Some(PollSender::new(parts)),
            surveying: Some(surveying),
        }
    }

    /// What was found, once all is written. None: nothing was surveyed; or the payload is damaged, or in
    /// another encoding, which is for the import to say.
    pub async fn surveyed(self) -> Option<Surveyed> {
        // Behind these parts comes nothing more.
        drop(self.parts);
        match self.surveying?.await {
            Ok(Ok(Outcome::Surveyed(surveyed))) => Some(surveyed),
            _ => None,
        }
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Along<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        // A place is kept before anything is written: what is written once must be sent once.
        if let Some(parts) = &mut this.parts
            && ready!(parts.poll_reserve(context)).is_err()
        {
            this.parts = None;
        }
        let written = ready!(Pin::new(&mut this.sink).poll_write(context, bytes))?;
        // An empty part would be taken for the end.
        if let Some(parts) = this.parts.as_mut().filter(|_| written > 0) {
            let part = Bytes::copy_from_slice(&bytes[..written]);
            // Who surveyed has seen enough, as the next reservation says.
            let _ = parts.send_item(part);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.sink).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.sink).poll_shutdown(context)
    }
}

/// What was written, as a thread that may block reads it.
struct Parts {
    receiver: mpsc::Receiver<Bytes>,
    part: Bytes,
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.part.is_empty() {
            self.part = self.receiver.blocking_recv().unwrap_or_default();
        }
        let length = buffer.len().min(self.part.len());
        self.part.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::address::AddressRules;
    use longshore_core::definition;
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn csv() -> Definition {
        let text = r#"{"database": "people", "action": "add", "format": "csv"}"#;
        definition::parse(text.as_bytes(), &AddressRules::default())
            .unwrap()
            .0
    }

    async fn written(parts: &[&[u8]], definition: Option<Definition>) -> (Vec<u8>, Option<i64>) {
        let mut sink = Vec::new();
        let mut along = Along::new(&mut sink, definition);
        for part in parts {
            along.write_all(part).await.unwrap();
        }
        along.flush().await.unwrap();
        let surveyed = along.surveyed().await;
        (sink, surveyed.map(|surveyed| surveyed.survey.rows))
    }

    #[tokio::test]
    async fn what_is_written_is_surveyed_however_it_is_cut() {
        let payload = format!("name\n{}", "Zoë\n".repeat(10_000));
        for size in [1, 7, 4_096, payload.len()] {
            let parts: Vec<&[u8]> = payload.as_bytes().chunks(size).collect();
            let whole = (payload.clone().into_bytes(), Some(10_000));
            assert_eq!(
                written(&parts, Some(csv())).await,
                whole,
                "in parts of {size}"
            );
        }
    }

    #[tokio::test]
    async fn damage_and_other_encodings_are_left_to_the_import_and_all_is_written() {
        let damaged = format!("name,name\n{}", "x,y\n".repeat(200_000));
        let latin = [b"name\n".as_slice(), &b"J\xfcrgen\n".repeat(500)].concat();
        for payload in [damaged.as_bytes(), &latin, b"name\n"] {
            let parts: Vec<&[u8]> = payload.chunks(1_000).collect();
            let (kept, rows) = written(&parts, Some(csv())).await;
            assert!(kept == payload);
            assert_eq!(rows, None, "{:?}", &payload[..20.min(payload.len())]);
        }
    }

    #[tokio::test]
    async fn without_a_definition_bytes_pass_through() {
        let whole = (b"name\nAnn\n".to_vec(), None);
        assert_eq!(written(&[b"name\n", b"Ann\n"], None).await, whole);
    }
}

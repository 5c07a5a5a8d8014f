//! Counts the bytes that leave a reader and stops above a limit. Errors of the reader are wrapped,
//! so that behind a decoder they can be told from errors of the decoder.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

/// An error that does not come from a decoder.
#[derive(Debug, thiserror::Error)]
pub(super) enum MeterFault {
    #[error("the reader failed")]
    Reader(#[source] io::Error),
    #[error("more bytes than the limit")]
    TooLarge,
}

/// A reader that is counted.
pub(super) struct Meter<R> {
    reader: R,
    count: Arc<AtomicU64>,
    bytes_max: u64,
}

impl<R> Meter<R> {
    pub(super) fn new(reader: R, count: Arc<AtomicU64>, bytes_max: u64) -> Self {
        Self {
            reader,
            count,
            bytes_max,
        }
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Meter<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        let full = this.count.load(Ordering::Relaxed) >= this.bytes_max;
        let wrap = |error| io::Error::other(MeterFault::Reader(error));
        let bytes = ready!(Pin::new(&mut this.reader).poll_fill_buf(context)).map_err(wrap)?;
        if full && !bytes.is_empty() {
            return Poll::Ready(Err(io::Error::other(MeterFault::TooLarge)));
        }
        Poll::Ready(Ok(bytes))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let this = self.get_mut();
        this.count.fetch_add(amount as u64, Ordering::Relaxed);
        Pin::new(&mut this.reader).consume(amount);
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Meter<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = ready!(self.as_mut().poll_fill_buf(context))?;
        let amount = bytes.len().min(into.remaining());
        into.put_slice(&bytes[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

//! From received bytes to the snapshot: opens the packing that HTTP names and the one of the file
//! itself, writes the unpacked bytes and hashes them as written. One stream in constant memory,
//! for fetched sources and uploads alike. It stops at the first limit that is passed, so a small
//! payload cannot unpack into a full disk.

use std::io::{self, Cursor};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use longshore_core::code::Code;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::limits::Limits;
use super::meter::{Meter, MeterFault};
use super::packing::{Layer, Packing};

/// Enough of a payload to tell what it is.
const HEAD_BYTES: u64 = 512;
const BLOCK_BYTES: usize = 64 << 10;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Bytes written, unpacked.
    pub bytes: u64,
    /// Bytes received.
    pub wire_bytes: u64,
    /// Hash of the bytes as written.
    pub sha256: [u8; 32],
}

/// Why there is no snapshot. What the sink holds by then is worth nothing.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The payload breaks a rule.
    #[error("{message}")]
    Payload {
        /// What clients switch on.
        code: Code,
        /// What people read.
        message: String,
        /// What the decoder said.
        #[source]
        source: Option<io::Error>,
    },
    /// The received bytes could not be read on.
    #[error("the payload could not be read")]
    Reader(#[source] io::Error),
    /// The snapshot could not be written.
    #[error("the payload could not be stored")]
    Sink(#[source] io::Error),
}

impl UnpackError {
    pub(super) fn payload(code: Code, message: impl Into<String>) -> Self {
        Self::Payload {
            code,
            message: message.into(),
            source: None,
        }
    }
}

/// Who looks on while bytes are poured.
pub(super) struct Watch<'a, J, P> {
    pub(super) limits: &'a Limits,
    /// Judges the first unpacked bytes.
    pub(super) judge: J,
    /// Hears how many bytes of the wire are done.
    pub(super) progress: P,
    /// Whether what has come already is taken along with each read. Not where it is measured how long a
    /// source takes: it would be asked before it is waited for.
    pub(super) takes_along: bool,
}

/// Unpacks a payload into a sink and flushes it.
///
/// # Errors
/// When the payload is empty, damaged, cut short, packed in an unknown way or above a limit, or
/// when the reader or the sink fails.
pub async fn unpack<R, W>(
    reader: R,
    content_encoding: Option<&str>,
    sink: &mut W,
    limits: &Limits,
) -> Result<Snapshot, UnpackError>
where
    R: AsyncBufRead + Send + Unpin,
    W: AsyncWrite + Unpin,
{
    let watch = Watch {
        limits,
        judge: |_: &[u8]| Ok(()),
        progress: |_| {},
        takes_along: true,
    };
    pour(reader, content_encoding, sink, watch).await
}

pub(super) async fn pour<R, W, J, P>(
    reader: R,
    content_encoding: Option<&str>,
    sink: &mut W,
    mut watch: Watch<'_, J, P>,
) -> Result<Snapshot, UnpackError>
where
    R: AsyncBufRead + Send + Unpin,
    W: AsyncWrite + Unpin,
    J: FnOnce(&[u8]) -> Result<(), UnpackError>,
    P: FnMut(u64),
{
    let wire = Arc::new(AtomicU64::new(0));
    let metered = Meter::new(reader, wire.clone(), watch.limits.wire_bytes_max);
    let (head, mut layer) = open(metered, content_encoding).await?;
    (watch.judge)(&head)?;

    let (mut bytes, mut hash) = (0, Sha256::new());
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let mut length = layer.read(&mut block).await.map_err(unreadable)?;
        if watch.takes_along {
            length = take_along(&mut layer, &mut block, length)?;
        }
        if length == 0 {
            break;
        }
        bytes += length as u64;
        let wire_bytes = wire.load(Ordering::Relaxed);
        check_growth(bytes, wire_bytes, watch.limits)?;
        hash.update(&block[..length]);
        sink.write_all(&block[..length])
            .await
            .map_err(UnpackError::Sink)?;
        (watch.progress)(wire_bytes);
        // A payload that is all in memory would otherwise keep its thread to the end.
        tokio::task::coop::consume_budget().await;
    }
    sink.flush().await.map_err(UnpackError::Sink)?;
    let wire_bytes = wire.load(Ordering::Relaxed);
    Ok(Snapshot {
        bytes,
        wire_bytes,
        sha256: hash.finalize().into(),
    })
}

/// Takes along whatever has come behind the bytes that were read: a sender of small pieces costs what
/// others do. Returns how many there are now.
fn take_along(
    layer: &mut Layer<'_>,
    block: &mut [u8],
    mut length: usize,
) -> Result<usize, UnpackError> {
    while length > 0 && length < block.len() {
        match layer.read(&mut block[length..]).now_or_never() {
            None | Some(Ok(0)) => break,
            Some(Ok(more)) => length += more,
            Some(Err(error)) => return Err(unreadable(error)),
        }
    }
    Ok(length)
}

/// Opens both packings and returns the first unpacked bytes beside a reader of all of them.
async fn open<'a, R>(
    mut metered: Meter<R>,
    content_encoding: Option<&str>,
) -> Result<(Vec<u8>, Layer<'a>), UnpackError>
where
    R: AsyncBufRead + Send + Unpin + 'a,
{
    let Some(transfer) = Packing::named(content_encoding) else {
        let message = "the payload's content encoding is not gzip, zstd or identity";
        return Err(UnpackError::payload(Code::UnsupportedEncoding, message));
    };
    if metered.fill_buf().await.map_err(unreadable)?.is_empty() {
        return Err(empty());
    }
    let (mut head, mut layer) = peek(transfer.open(Box::new(metered))).await?;
    let file = Packing::shown_by(&head);
    if file != Packing::None {
        (head, layer) = peek(file.open(layer)).await?;
    }
    if head.is_empty() {
        Err(empty())
    } else {
        Ok((head, layer))
    }
}

async fn peek(mut layer: Layer<'_>) -> Result<(Vec<u8>, Layer<'_>), UnpackError> {
    let mut head = Vec::new();
    (&mut layer)
        .take(HEAD_BYTES)
        .read_to_end(&mut head)
        .await
        .map_err(unreadable)?;
    let whole = Cursor::new(head.clone()).chain(layer);
    Ok((head, Box::new(whole)))
}

fn check_growth(bytes: u64, wire_bytes: u64, limits: &Limits) -> Result<(), UnpackError> {
    let code = Code::PayloadTooLargeDecompressed;
    if bytes > limits.unpacked_bytes_max {
        let message = format!("stopped at {} unpacked bytes", limits.unpacked_bytes_max);
        return Err(UnpackError::payload(code, message));
    }
    if bytes > limits.ratio_after_bytes && bytes > wire_bytes.saturating_mul(limits.ratio_max) {
        let message = format!("stopped at {}:1", limits.ratio_max);
        return Err(UnpackError::payload(code, message));
    }
    Ok(())
}

fn empty() -> UnpackError {
    UnpackError::payload(Code::EmptyPayload, "the payload has no bytes")
}

fn unreadable(error: io::Error) -> UnpackError {
    match error.downcast::<MeterFault>() {
        Ok(MeterFault::Reader(error)) => UnpackError::Reader(error),
        Ok(MeterFault::TooLarge) => {
            UnpackError::payload(Code::PayloadTooLarge, "the payload is above the limit")
        }
        Err(error) => damaged(error),
    }
}

fn damaged(error: io::Error) -> UnpackError {
    let (code, message) = if error.kind() == io::ErrorKind::UnexpectedEof {
        (
            Code::PayloadTruncated,
            "the payload's compression ends too early",
        )
    } else {
        (Code::PayloadCorrupt, "the payload's compression is damaged")
    };
    UnpackError::Payload {
        code,
        message: message.to_owned(),
        source: Some(error),
    }
}

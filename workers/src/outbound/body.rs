//! The body of a source's answer, read at a pace that the limits allow: silence, a drip and an
//! endless fetch each end. Only time spent waiting for the source counts, so that a slow store is
//! never held against it.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use longshore_core::code::Code;
use reqwest::Response;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED,
    TRANSFER_ENCODING,
};
use tokio::io::{AsyncBufRead, AsyncWrite};
use tokio::time::{Instant, timeout};
use tokio_util::io::StreamReader;

use super::error::{FetchError, Retry, broken_off};
use super::limits::Limits;
use super::unpack::{Snapshot, UnpackError, Watch, pour};
use super::web_page;

/// What the answer's head says about the payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceHeaders {
    /// The source's name for this version of the payload.
    pub etag: Option<String>,
    /// When the source says it last changed, as sent.
    pub last_modified: Option<String>,
    /// The media type, as sent.
    pub content_type: Option<String>,
    /// Bytes on the wire, if announced.
    pub content_length: Option<u64>,
    /// The packing for the way, as sent.
    pub content_encoding: Option<String>,
}

/// An answer whose body is still to come.
pub struct Download {
    /// What its head says.
    pub headers: SourceHeaders,
    /// Whether HTTP itself marks the body's end; without, a cut looks like an end.
    framed: bool,
    body: Paced,
}

impl Download {
    pub(super) fn new(
        response: Response,
        deadline: Instant,
        limits: Limits,
    ) -> Result<Self, FetchError> {
        let headers = source_headers(response.headers());
        if headers
            .content_length
            .is_some_and(|length| length > limits.wire_bytes_max)
        {
            return Err(FetchError::never(
                Code::PayloadTooLarge,
                "the payload is above the limit",
            ));
        }
        let chunked = response.headers().contains_key(TRANSFER_ENCODING);
        let framed = headers.content_length.is_some() || chunked;
        let body = Paced {
            response,
            limits,
            deadline,
            waited: Duration::ZERO,
            received: 0,
        };
        Ok(Self {
            headers,
            framed,
            body,
        })
    }
}

/// Streams the answer's body into a sink, unpacked. `progress` hears the bytes of the wire that
/// are done, to be held against the announced length.
///
/// # Errors
/// When the body is cut, too slow, above a limit, damaged, empty or a web page. What the sink
/// holds by then is worth nothing.
pub async fn stream_to<W: AsyncWrite + Unpin>(
    download: Download,
    sink: &mut W,
    progress: impl FnMut(u64),
) -> Result<Snapshot, FetchError> {
    let Download {
        headers,
        framed,
        body,
    } = download;
    let limits = body.limits.clone();
    let judge = |head: &[u8]| match web_page::found(headers.content_type.as_deref(), head) {
        Some(message) => Err(UnpackError::payload(Code::SourceNotData, message)),
        None => Ok(()),
    };
    let watch = Watch {
        limits: &limits,
        judge,
        progress,
        takes_along: false,
    };
    let poured = pour(
        body.reader(),
        headers.content_encoding.as_deref(),
        sink,
        watch,
    )
    .await;
    poured.map_err(|error| {
        let mut error = FetchError::from(error);
        if error.code == Code::PayloadTruncated && !framed {
            error.retry = Retry::Later { after: None };
        }
        error
    })
}

struct Paced {
    response: Response,
    limits: Limits,
    deadline: Instant,
    waited: Duration,
    received: u64,
}

impl Paced {
    fn reader(self) -> impl AsyncBufRead + Send + Unpin {
        let chunks = stream::try_unfold(self, |mut body| async move {
            let chunk = body.next().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>(chunk.map(|chunk| (chunk, body)))
        });
        StreamReader::new(Box::pin(chunks))
    }

    async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        let started = Instant::now();
        let left = self.deadline.saturating_duration_since(started);
        if left.is_zero() {
            return Err(too_slow("the fetch took longer than its limit"));
        }
        let patience = self.limits.body_idle_timeout.min(left);
        let chunk = timeout(patience, self.response.chunk()).await;
        let chunk = chunk.map_err(|_| too_slow("the source stopped sending"))?;
        let Some(chunk) = chunk.map_err(|error| broken_off().because(error.without_url()))? else {
            return Ok(None);
        };
        self.waited += started.elapsed();
        self.received += chunk.len() as u64;
        self.check_pace()?;
        Ok(Some(chunk))
    }

    fn check_pace(&mut self) -> Result<(), FetchError> {
        if self.waited < self.limits.speed_window {
            return Ok(());
        }
        let least = self.limits.bytes_per_second_min as f64 * self.waited.as_secs_f64();
        if (self.received as f64) < least {
            return Err(too_slow("the source sends too slowly"));
        }
        (self.waited, self.received) = (Duration::ZERO, 0);
        Ok(())
    }
}

fn too_slow(message: &str) -> FetchError {
    FetchError::later(Code::SourceTooSlow, message)
}

fn source_headers(headers: &HeaderMap) -> SourceHeaders {
    let text = |name: HeaderName| {
        let values = headers.get_all(name).into_iter();
        let texts: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    };
    SourceHeaders {
        etag: text(ETAG),
        last_modified: text(LAST_MODIFIED),
        content_type: text(CONTENT_TYPE),
        content_length: text(CONTENT_LENGTH).and_then(|length| length.parse().ok()),
        content_encoding: text(CONTENT_ENCODING),
    }
}

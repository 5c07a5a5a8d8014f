//! Request bodies: read with a limit on size and on silence.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use futures::StreamExt;
use longshore_core::code::Code;

use super::problem::{Problem, problem};

/// Silence inside a body.
pub(crate) const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The whole body, which must be JSON.
pub(crate) async fn json(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
) -> Result<Bytes, Problem> {
    media_type(headers, &["application/json"])?;
    refuse_encoding(headers)?;
    if content_length(headers).is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large(bytes_max));
    }
    let mut stream = body.into_data_stream();
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        let next = tokio::time::timeout(BODY_IDLE_TIMEOUT, stream.next()).await;
        match next.map_err(|_| timed_out())? {
            None => return Ok(bytes.into()),
            Some(Err(_)) => return Err(incomplete()),
            Some(Ok(part)) if bytes.len() + part.len() > bytes_max => {
                return Err(too_large(bytes_max));
            }
            Some(Ok(part)) => bytes.extend_from_slice(&part),
        }
    }
}

/// The body's media type, which must be one of these; in UTF-8, if it says.
pub(crate) fn media_type(headers: &HeaderMap, accepted: &[&str]) -> Result<String, Problem> {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let mut parts = value.unwrap_or_default().split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    if !accepted.contains(&name.as_str()) {
        let detail = format!("Send Content-Type: {}.", accepted.join(" or "));
        return Err(problem(Code::UnsupportedMediaType, detail));
    }
    for parameter in parts {
        let (key, value) = parameter.split_once('=').unwrap_or_default();
        let value = value.trim_matches('"').to_ascii_lowercase();
        if key.eq_ignore_ascii_case("charset") && value != "utf-8" && value != "us-ascii" {
            return Err(problem(Code::UnsupportedCharset, "Send UTF-8."));
        }
    }
    Ok(name)
}

fn refuse_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(header::CONTENT_ENCODING) {
        None => Ok(()),
        Some(encoding) if encoding == "identity" => Ok(()),
        Some(_) => {
            let detail = "Send the definition uncompressed; payloads may be gzip or zstd.";
            Err(problem(Code::UnsupportedEncoding, detail))
        }
    }
}

pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn too_large(bytes_max: usize) -> Problem {
    let detail = format!(
        "The body may have {bytes_max} bytes at most. Give a location, or make the import without \
         source and upload its payload."
    );
    problem(Code::BodyTooLarge, detail)
}

pub(crate) fn timed_out() -> Problem {
    let seconds = BODY_IDLE_TIMEOUT.as_secs();
    problem(
        Code::BodyTimeout,
        format!("Nothing of the body came for {seconds} seconds."),
    )
}

pub(crate) fn incomplete() -> Problem {
    problem(
        Code::BodyIncomplete,
        "The body ended before it was complete. Nothing was kept.",
    )
}

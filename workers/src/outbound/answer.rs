//! Judges the head of a source's answer: a redirect, data, or an error that passes or stays.

use longshore_core::code::Code;
use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::error::{FetchError, Retry};
use super::retry::asked_wait;

/// Where the answer sends us, if it does.
pub(super) fn redirect(response: &Response) -> Option<String> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

/// Lets an answer through that carries the whole payload.
pub(super) fn accept(response: &Response) -> Result<(), FetchError> {
    let status = response.status();
    match status {
        StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION => Ok(()),
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT => Err(FetchError::never(
            Code::EmptyPayload,
            "the source answered without any data",
        )),
        _ => Err(refused(response)),
    }
}

fn refused(response: &Response) -> FetchError {
    let status = response.status();
    let message = format!("the source answered with status {}", status.as_u16());
    let mut error = FetchError::never(Code::SourceStatus, message);
    if passes(status) {
        let asked = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        error.retry = Retry::Later {
            after: asked.and_then(|text| asked_wait(text, chrono::Utc::now())),
        };
    }
    error
}

/// 202 says that an export is still being made.
fn passes(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 202 | 408 | 425 | 429)
}

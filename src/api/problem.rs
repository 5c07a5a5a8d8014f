//! Every answer that is not a success, as RFC 9457 `application/problem+json`. The one file that
//! chooses a status code for a problem.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use longshore_core::code::Code;
use longshore_core::error::{Class, Complaint, Error};
use serde_json::json;

/// Where every code is explained, under an anchor of its own.
pub(crate) const ERRORS_PAGE: &str = "/docs/errors";

/// A refusal, on its way to the client.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    complaints: Vec<Complaint>,
    retry_after_secs: Option<u32>,
}

/// A problem about the request as a whole.
pub(crate) fn problem(code: Code, detail: impl Into<String>) -> Problem {
    Problem::from(Complaint::new(code, "", detail))
}

/// Nothing of this kind in the account; the same words whether it exists elsewhere or not.
pub(crate) fn not_found(what: &str) -> Problem {
    problem(Code::NotFound, format!("This account has no such {what}."))
}

impl Problem {
    pub(crate) fn retry_after(mut self, seconds: u32) -> Problem {
        self.retry_after_secs = Some(seconds);
        self
    }

    pub(crate) fn code(&self) -> Code {
        self.complaints
            .first()
            .map_or(Code::InternalError, |complaint| complaint.code)
    }
}

impl From<Complaint> for Problem {
    fn from(complaint: Complaint) -> Problem {
        Problem {
            complaints: vec![complaint],
            retry_after_secs: None,
        }
    }
}

impl From<Vec<Complaint>> for Problem {
    fn from(complaints: Vec<Complaint>) -> Problem {
        Problem {
            complaints,
            retry_after_secs: None,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        match error {
            Error::Refused(complaint) => complaint.into(),
            Error::NotFound(what) => not_found(what),
            Error::LeaseLost => problem(
                Code::TemporarilyUnavailable,
                "The import changed at the same moment. Look at its state and try again.",
            )
            .retry_after(1),
            error if error.class() == Class::Transient => {
                tracing::warn!(error = %error, "a request could not be served");
                let detail =
                    "A part of the service cannot be reached. Nothing was done; try again.";
                problem(Code::TemporarilyUnavailable, detail).retry_after(5)
            }
            error => {
                tracing::error!(error = %error, "a request met a fault of ours");
                problem(
                    Code::InternalError,
                    "A fault of Longshore; its log says more.",
                )
            }
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Problem {
        Error::from(error).into()
    }
}

/// The status for a code. Whatever is not named here is wrong in the request's meaning: 422.
#[must_use]
pub fn status(code: Code) -> StatusCode {
    match code {
        Code::TokenInQuery
        | Code::AmbiguousCredentials
        | Code::InvalidJson
        | Code::EmptyBody
        | Code::BodyIncomplete
        | Code::TooDeep
        | Code::InvalidIdempotencyKey
        | Code::InvalidLimit
        | Code::InvalidCursor
        | Code::InvalidParameter
        | Code::InvalidFilter => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::ScopeMissing => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
        Code::NameTaken
        | Code::IdempotencyInProgress
        | Code::NotStartable
        | Code::NothingToApprove
        | Code::NotPausable
        | Code::NotResumable
        | Code::ApprovalOutdated
        | Code::NotCancellable
        | Code::NotDraft
        | Code::PayloadExists => StatusCode::CONFLICT,
        Code::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        Code::BodyTooLarge | Code::PayloadTooLarge | Code::PayloadTooLargeDecompressed => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        Code::UnsupportedMediaType | Code::UnsupportedCharset | Code::UnsupportedEncoding => {
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        }
        Code::RateLimited | Code::TooManyStreams | Code::TooManyQueuedImports => {
            StatusCode::TOO_MANY_REQUESTS
        }
        Code::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        Code::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let code = self.code();
        let status = status(code);
        let first = self.complaints.first();
        let mut body = json!({
            "type": format!("urn:longshore:problem:{code}"),
            "title": code.meaning(),
            "status": status.as_u16(),
            "code": code,
            "detail": first.map_or("", |complaint| complaint.detail.as_str()),
            "remedy": code.remedy(),
            "docs": format!("{ERRORS_PAGE}#{code}"),
        });
        if let Some(pointer) = first
            .map(|complaint| &complaint.pointer)
            .filter(|at| !at.is_empty())
        {
            body["pointer"] = json!(pointer);
        }
        if self.complaints.len() > 1 {
            body["errors"] = json!(self.complaints);
        }
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_secs {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

//! How a fetch fails: a stable code, words for the user, and whether to try again.
//! The words never hold an address, a URL or what a library said; that stays in the source, for
//! the log.

use std::error::Error;
use std::time::Duration;

use longshore_core::address::Refusal;
use longshore_core::code::Code;

use super::unpack::UnpackError;

/// Whether another attempt can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same would happen again.
    Never,
    /// Worth another attempt; see [`super::wait_before`].
    Later {
        /// The wait that the source asked for, capped.
        after: Option<Duration>,
    },
}

/// A fetch that brought no snapshot.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct FetchError {
    /// What clients switch on.
    pub code: Code,
    /// What people read.
    pub message: String,
    /// Whether another attempt can help.
    pub retry: Retry,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl FetchError {
    pub(super) fn never(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retry: Retry::Never,
            source: None,
        }
    }

    pub(crate) fn later(code: Code, message: impl Into<String>) -> Self {
        let retry = Retry::Later { after: None };
        Self {
            code,
            message: message.into(),
            retry,
            source: None,
        }
    }

    pub(crate) fn because(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// What a user is told once the last attempt failed. An outage becomes `source_unavailable`;
    /// a code that says more than that stays.
    #[must_use]
    pub fn given_up(mut self) -> Self {
        let outage = matches!(self.code, Code::SourceStatus | Code::ConnectFailed);
        if outage && self.retry != Retry::Never {
            self.message = format!("gave up after the last attempt: {}", self.message);
            self.code = Code::SourceUnavailable;
        }
        self.retry = Retry::Never;
        self
    }
}

impl From<Refusal> for FetchError {
    fn from(refusal: Refusal) -> Self {
        Self::never(refusal.code, refusal.message)
    }
}

impl From<UnpackError> for FetchError {
    fn from(error: UnpackError) -> Self {
        match error {
            UnpackError::Payload {
                code, ref message, ..
            } => Self::never(code, message.clone()).because(error),
            UnpackError::Reader(error) => match error.downcast::<FetchError>() {
                Ok(own) => own,
                Err(error) => broken_off().because(error),
            },
            UnpackError::Sink(_) => Self::later(
                Code::TemporarilyUnavailable,
                "the payload could not be stored",
            )
            .because(error),
        }
    }
}

pub(super) fn broken_off() -> FetchError {
    FetchError::later(
        Code::PayloadTruncated,
        "the source's answer broke off before its end",
    )
}

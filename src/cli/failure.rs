//! Everything that can stop a command, in words for people and with its exit code.
//! No text here may ever hold the token.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::exit::Exit;
use super::render::plain;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The arguments contradict each other or lack something.
    #[error("{0}")]
    Usage(String),
    /// A file on this side.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// No connection, or one that broke.
    #[error("{}", words(url, source))]
    Unreachable {
        /// The service.
        url: String,
        /// What happened.
        source: reqwest::Error,
    },
    /// The upload does not move any more.
    #[error("nothing of the upload moved for {0} minutes")]
    Stalled(u64),
    /// The service refused the call.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// The service failed.
    #[error("{0}")]
    Faulty(Box<Problem>),
    /// An answer that is no Longshore answer.
    #[error("the answer is not {what} as this client knows it: {source}")]
    NotUnderstood {
        /// What was expected.
        what: &'static str,
        /// What happened.
        source: serde_json::Error,
    },
}

impl Failure {
    /// How the command ends.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Failure::Usage(_) | Failure::File { .. } => Exit::Usage,
            Failure::Refused(_) => Exit::Refused,
            Failure::Unreachable { .. }
            | Failure::Stalled(_)
            | Failure::Faulty(_)
            | Failure::NotUnderstood { .. } => Exit::Unreachable,
        }
    }

    /// Whether asking the same again may bring an answer.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Failure::Unreachable { .. } => true,
            Failure::Faulty(problem) => matches!(problem.status, 502..=504),
            Failure::Refused(problem) => problem.status == 429,
            _ => false,
        }
    }

    /// How long the service asks to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Failure::Refused(problem) | Failure::Faulty(problem) => {
                problem.retry_after.map(Duration::from_secs)
            }
            _ => None,
        }
    }

    /// Whether this is a refusal with this code.
    pub(super) fn has_code(&self, code: &str) -> bool {
        matches!(self, Failure::Refused(problem) if problem.code == code)
    }

    /// The lines for standard error.
    pub(super) fn report(&self) -> String {
        format!("error: {self}{}", self.hint())
    }

    fn hint(&self) -> &'static str {
        match self {
            Failure::Unreachable { source, .. } if source.is_connect() => {
                "\n  Is the service running there? LONGSHORE_URL or --url says where it is."
            }
            Failure::Refused(problem) if problem.status == 401 => {
                "\n  LONGSHORE_TOKEN or --token gives the token."
            }
            _ => "",
        }
    }
}

fn words(url: &str, source: &reqwest::Error) -> String {
    let what = match source {
        source if source.is_connect() => "cannot reach",
        source if source.is_timeout() => "no answer in time from",
        _ => "the connection broke to",
    };
    let mut text = format!("{what} {url}");
    let mut cause = source.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    plain(&text)
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    /// The HTTP status.
    pub(super) status: u16,
    /// The stable code.
    pub(super) code: String,
    title: String,
    detail: String,
    pointer: Option<String>,
    did_you_mean: Option<String>,
    errors: Vec<Complaint>,
    request_id: Option<String>,
    #[serde(skip)]
    retry_after: Option<u64>,
}

/// One of several complaints in a problem.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Complaint {
    code: String,
    detail: String,
    pointer: Option<String>,
}

impl Problem {
    /// The problem in this body; a body that is none becomes one that says so.
    pub(super) fn read(status: u16, body: &[u8]) -> Problem {
        let mut problem: Problem = serde_json::from_slice(body).unwrap_or_default();
        problem.status = status;
        if problem.detail.is_empty() {
            problem.detail = match problem.title.is_empty() {
                true => format!("HTTP status {status} without a reason; is this Longshore?"),
                false => problem.title.clone(),
            };
        }
        problem
    }

    /// The same, with the seconds that the service asks to wait.
    pub(super) fn after(mut self, retry_after: Option<u64>) -> Problem {
        self.retry_after = retry_after;
        self
    }

    /// Complaints beside the first, which the problem itself repeats.
    fn further(&self) -> impl Iterator<Item = &Complaint> {
        self.errors
            .iter()
            .filter(|other| other.detail != self.detail || other.pointer != self.pointer)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = if self.code.is_empty() {
            "no code"
        } else {
            &self.code
        };
        write!(formatter, "{} ({})", plain(&self.detail), plain(code))?;
        if let Some(pointer) = self
            .pointer
            .as_deref()
            .filter(|pointer| !pointer.is_empty())
        {
            write!(formatter, "\n  at {}", plain(pointer))?;
        }
        if let Some(meant) = &self.did_you_mean {
            write!(formatter, "\n  did you mean {}?", plain(meant))?;
        }
        for other in self.further() {
            write!(
                formatter,
                "\n  {} ({})",
                plain(&other.detail),
                plain(&other.code)
            )?;
            if let Some(pointer) = &other.pointer {
                write!(formatter, " at {}", plain(pointer))?;
            }
        }
        if let Some(id) = &self.request_id {
            write!(formatter, "\n  request {}", plain(id))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_shows_detail_code_place_and_request() {
        let body = br#"{"title":"Unprocessable","status":422,"code":"unknown_field",
            "detail":"No member \"kez\". Did you mean \"key\"?","pointer":"/kez","request_id":"r1",
            "errors":[{"code":"unknown_field","detail":"No member \"kez\". Did you mean \"key\"?",
            "pointer":"/kez"},{"code":"missing_field","detail":"action is missing.","pointer":"/action"}]}"#;
        let failure = Failure::Refused(Box::new(Problem::read(422, body)));
        assert_eq!(
            failure.report(),
            "error: No member \"kez\". Did you mean \"key\"? (unknown_field)\n  at /kez\n  \
             action is missing. (missing_field) at /action\n  request r1"
        );
        assert_eq!(failure.exit(), Exit::Refused);
    }

    #[test]
    fn a_web_page_instead_of_a_problem_is_named_as_such() {
        let failure = Failure::Faulty(Box::new(Problem::read(502, b"<html>Bad gateway</html>")));
        assert!(
            failure
                .report()
                .contains("HTTP status 502 without a reason")
        );
        assert_eq!(failure.exit(), Exit::Unreachable);
        assert!(failure.may_pass());
    }

    #[test]
    fn a_text_of_the_service_cannot_steer_the_terminal() {
        let body = b"{\"code\":\"x\",\"detail\":\"a\\u001b[2Jb\"}";
        assert!(!Problem::read(400, body).to_string().contains('\u{1b}'));
    }
}

//! What can go wrong below the doors, and whether trying again can help.
//! A bad row is never an error: rejects are data.

use crate::code::Code;

/// An error of the core. It keeps its source; whoever handles it logs it once.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Postgres, or the way to it.
    #[error("postgres: {0}")]
    Sql(#[from] sqlx::Error),
    /// The payload store.
    #[error("payload store: {0}")]
    Payload(#[source] object_store::Error),
    /// The payload is gone from the store.
    #[error("the payload is gone from the store")]
    PayloadGone,
    /// Nothing of this kind with this name or id in the account.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The request contradicts the state of things or its rules.
    #[error("{}", .0.detail)]
    Refused(Complaint),
    /// Another holder has the import: whatever was being done must stop, without a trace.
    #[error("the lease is lost")]
    LeaseLost,
    /// The ledger holds something this version cannot read.
    #[error("unreadable in the ledger: {0}")]
    Unreadable(String),
}

/// A refusal in words: a stable code, the place, and what to do.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Complaint {
    /// The stable code.
    pub code: Code,
    /// JSON pointer to the member that is refused; empty for the whole.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pointer: String,
    /// What was expected and what to do, for people.
    pub detail: String,
}

impl Complaint {
    /// A complaint about the member at `pointer`.
    pub fn new(code: Code, pointer: impl Into<String>, detail: impl Into<String>) -> Complaint {
        Complaint {
            code,
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }
}

/// A refusal about no member in particular.
pub fn refused(code: Code, detail: impl Into<String>) -> Error {
    Error::Refused(Complaint::new(code, "", detail))
}

impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Error {
        match error {
            object_store::Error::NotFound { .. } => Error::PayloadGone,
            error => Error::Payload(error),
        }
    }
}

/// Whether, and how, a failed statement may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The way to Postgres, a lock or a deadlock: the same again may succeed.
    Transient,
    /// The data: the same again fails the same way. Find the row.
    Data,
    /// A fault of ours.
    Fault,
}

impl Error {
    /// How to go on after this error.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Error::Sql(error) => class_of_sql(error),
            Error::Payload(object_store::Error::Generic { .. }) => Class::Transient,
            _ => Class::Fault,
        }
    }
}

impl Error {
    /// What Postgres said, without our words around it.
    #[must_use]
    pub fn said_by_postgres(&self) -> String {
        match self {
            Error::Sql(sqlx::Error::Database(database)) => database.message().to_owned(),
            error => error.to_string(),
        }
    }

    /// Whether a lock was not to be had, or several waited for each other.
    #[must_use]
    pub fn is_lock_trouble(&self) -> bool {
        let Error::Sql(sqlx::Error::Database(database)) = self else {
            return false;
        };
        matches!(database.code().as_deref(), Some("55P03" | "40P01"))
    }

    /// Whether a statement took longer than it may: the same again would take as long.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        let Error::Sql(sqlx::Error::Database(database)) = self else {
            return false;
        };
        database.code().as_deref() == Some("57014")
    }
}

/// SQLSTATE classes by what can be done about them: connection trouble, shutdown, too many
/// connections, lock and serialisation trouble and lack of room pass; 22, 23, 54 and 21 lie in the data.
fn class_of_sql(error: &sqlx::Error) -> Class {
    match error {
        sqlx::Error::Database(database) => match database.code().as_deref() {
            Some(code) if is_transient(code) => Class::Transient,
            Some(code) if is_data(code) => Class::Data,
            _ => Class::Fault,
        },
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Class::Transient,
        _ => Class::Fault,
    }
}

fn is_transient(code: &str) -> bool {
    code.starts_with("08")
        || code.starts_with("53")
        || code.starts_with("57")
        || code.starts_with("40")
        || matches!(code, "55P03" | "25P03" | "58030")
}

fn is_data(code: &str) -> bool {
    code.starts_with("22") || code.starts_with("23") || matches!(code, "54000" | "21000")
}

/// The name of the violated constraint, to turn it into words beside the query.
#[must_use]
pub fn violated(error: &sqlx::Error) -> Option<&str> {
    error
        .as_database_error()
        .and_then(|database| database.constraint())
}

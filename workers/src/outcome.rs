//! What became of a job, and whether and when it is tried again: decided here and nowhere else.

use std::time::Duration;

use longshore_core::code::Code;
use longshore_core::error::{Class, Complaint, Error};
use longshore_core::import::Failure;
use longshore_core::store::connect::lock_database;
use longshore_core::store::imports::{self, Import};
use longshore_core::store::requests::{self, Requests};
use longshore_core::store::{endings, leases, turns};
use sqlx::{Connection, PgConnection};

use crate::rows;

/// How a job on an import came to its end, for now.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The import is complete. These may be next on its database.
    Complete(Vec<i64>),
    /// The import goes on with the next job.
    Next,
    /// It waits for its turn; whoever is before it wakes it.
    WaitsForTurn,
    /// It is tried again at a time that the ledger keeps.
    WaitsForRetry,
    /// It was given back because this worker stops.
    Released,
    /// The brake holds it. These may be next.
    Held(Vec<i64>),
    /// It failed for its rejects. These may be next.
    GivenUp(Vec<i64>),
    /// It rests on request. These may be next.
    Paused(Vec<i64>),
    /// It was cancelled on request. These may be next.
    Cancelled(Vec<i64>),
}

/// Why a job could not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// The import fails, for good.
    #[error("{}: {}", .0.code, .0.message)]
    Fail(Failure),
    /// The same again may succeed: at once, or after a wait.
    #[error("{0}")]
    Again(#[source] Error),
    /// Someone else has the import.
    #[error("the lease is lost")]
    LeaseLost,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        match error {
            Error::LeaseLost => Stop::LeaseLost,
            error if error.class() == Class::Transient => Stop::Again(error),
            Error::Refused(complaint) => fail(complaint.code, complaint.detail),
            Error::NotFound(what) => fail(
                Code::UnknownDatabase,
                format!("The {what} of this import is gone."),
            ),
            Error::PayloadGone => fail(
                Code::PayloadMissing,
                "The payload is no longer in the store. Submit the import again.",
            ),
            error => {
                tracing::error!(error = %error, "a fault of ours ended an import");
                fail(
                    Code::InternalError,
                    "A fault of Longshore ended this import; its log says more.",
                )
            }
        }
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Stop {
        Error::from(error).into()
    }
}

impl From<rows::Error> for Stop {
    fn from(error: rows::Error) -> Stop {
        match error {
            rows::Error::Damage(damage) => Stop::Fail(Failure {
                code: damage.code.as_str().to_owned(),
                message: damage.message,
                line: damage.line,
                column: damage.column,
            }),
            rows::Error::Io(error) => Stop::Again(Error::Sql(sqlx::Error::Io(error))),
        }
    }
}

/// The import fails with this code.
pub(crate) fn fail(code: Code, message: impl Into<String>) -> Stop {
    let message = message.into();
    Stop::Fail(Failure {
        code: code.as_str().to_owned(),
        message,
        line: None,
        column: None,
    })
}

/// The import fails for the first of these complaints; the others are named with it.
pub(crate) fn fail_for(complaints: &[Complaint]) -> Stop {
    let code = complaints
        .first()
        .map_or(Code::InternalError, |complaint| complaint.code);
    let details: Vec<&str> = complaints
        .iter()
        .take(5)
        .map(|complaint| complaint.detail.as_str())
        .collect();
    fail(code, details.join(" "))
}

/// The holder obeys what was asked of it: nothing is applied after this. None: nothing was asked.
pub(crate) async fn obey(
    connection: &mut PgConnection,
    import: &Import,
    epoch: i64,
) -> Result<Option<Outcome>, Stop> {
    let asked = requests::of_holder(connection, import.id, epoch).await?;
    if !asked.cancel && !asked.pause {
        return Ok(None);
    }
    let mut tx = connection.begin().await?;
    lock_database(&mut tx, import.database_id).await?;
    leases::fence(&mut tx, import.id, epoch).await?;
    // Asked again under the lock: a pause may have been taken back, or a cancel have come.
    let asked = requests::of_holder(&mut tx, import.id, epoch).await?;
    let obeyed: fn(Vec<i64>) -> Outcome = match asked {
        Requests { cancel: true, .. } => {
            endings::cancel(&mut tx, import.id).await?;
            Outcome::Cancelled
        }
        Requests { pause: true, .. } => {
            imports::pause(&mut tx, import.id).await?;
            Outcome::Paused
        }
        _ => return Ok(None),
    };
    leases::close(&mut tx, import.id).await?;
    let next = turns::wake_next(&mut tx, import.database_id).await?;
    tx.commit().await?;
    Ok(Some(obeyed(next)))
}

/// How long to wait before the same is tried again, by how often it failed in a row.
pub(crate) fn wait_before_retry(failures: u32) -> Duration {
    Duration::from_millis(200)
        .saturating_mul(1 << failures.min(7))
        .min(Duration::from_secs(30))
}

/// After this many failures in a row the job gives the import back, for any worker to take.
pub(crate) const FAILURES_MAX: u32 = 10;

//! The fetch job: takes the snapshot of a location, so that every later attempt reads the same
//! bytes, and surveys it on its way. Needs no turn. A source that fails for a while is tried again on a schedule that the
//! ledger keeps.

use longshore_core::code::Code;
use longshore_core::import::State;
use longshore_core::queue::Verb;
use longshore_core::store::imports::{self, Import, Rest, Snapshot};
use longshore_core::store::leases::{self, Claim};
use longshore_core::store::removal;
use sqlx::{Connection, PgConnection};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

use crate::context::Context;
use crate::lease::Held;
use crate::outbound::{self, FetchError, Retry};
use crate::outcome::{Outcome, Stop, fail, obey};
use crate::survey::{Along, Surveyed};

/// Fetches the payload of an import and hands it on to be applied.
pub(crate) async fn run(
    context: &Context,
    connection: &mut PgConnection,
    claim: &Claim,
    held: &Held,
) -> Result<Outcome, Stop> {
    let import = imports::find(connection, claim.import_id).await?;
    if import.state.is_final() {
        return Err(Stop::LeaseLost);
    }
    if let Some(outcome) = obey(connection, &import, held.epoch).await? {
        return Ok(outcome);
    }
    if import.snapshot.is_some() {
        hand_on(context, connection, (&import, held), None).await?;
        return Ok(Outcome::Next);
    }
    let mut tx = connection.begin().await?;
    leases::fence(&mut tx, import.id, held.epoch).await?;
    imports::enter(&mut tx, import.id, State::Fetching).await?;
    tx.commit().await?;
    tokio::select! {
        fetched = download(context, &import) => match fetched {
            Ok(fetched) => {
                hand_on(context, connection, (&import, held), Some(fetched)).await?;
                Ok(Outcome::Next)
            }
            Err(error) => later_or_never(connection, &import, held, error).await,
        },
        () = held.lost.cancelled() => Err(Stop::LeaseLost),
        () = held.asked.cancelled() => {
            // Taken back meanwhile: the download begins anew.
            match obey(connection, &import, held.epoch).await? {
                Some(outcome) => Ok(outcome),
                None => release(connection, &import, held).await,
            }
        }
        () = context.stop.cancelled() => {
            release(connection, &import, held).await
        }
    }
}

/// Gives the import back at once, for any worker to take.
async fn release(
    connection: &mut PgConnection,
    import: &Import,
    held: &Held,
) -> Result<Outcome, Stop> {
    let again = Some((Verb::Fetch, Duration::ZERO));
    leases::release(connection, import.id, held.epoch, again).await?;
    Ok(Outcome::Released)
}

/// The payload as it is kept, and what reading it on its way brought.
type Fetched = (Snapshot, Option<Surveyed>);

async fn download(context: &Context, import: &Import) -> Result<Fetched, FetchError> {
    let location = import.definition.location.as_deref().unwrap_or_default();
    let download = context.outbound.get(location).await?;
    let (key, mut writer) = context.payloads.create();
    let mut along = Along::new(&mut writer, Some(import.definition.clone()));
    let streamed = outbound::stream_to(download, &mut along, |_| {}).await;
    let surveyed = along.surveyed().await;
    let taken = match streamed {
        Ok(taken) => taken,
        Err(error) => {
            // What is half written must not stay behind; the sweep takes what this misses.
            let _ = writer.abort().await;
            return Err(error);
        }
    };
    writer.shutdown().await.map_err(|error| {
        let message = "The payload could not be kept in the payload store.";
        FetchError::later(Code::TemporarilyUnavailable, message).because(error)
    })?;
    let snapshot = Snapshot {
        rest: Rest::Stored(key),
        bytes: i64::try_from(taken.bytes).unwrap_or(i64::MAX),
        sha256: taken.sha256.to_vec(),
    };
    Ok((snapshot, surveyed))
}

/// What was fetched is kept and the next job is due, in one step.
async fn hand_on(
    context: &Context,
    connection: &mut PgConnection,
    (import, held): (&Import, &Held),
    fetched: Option<Fetched>,
) -> Result<(), Stop> {
    let (snapshot, surveyed) = fetched.unzip();
    let settled = match surveyed.flatten() {
        Some(surveyed) => {
            let schemas = &context.schemas;
            surveyed
                .settle_on_the_way(connection, schemas, import)
                .await
        }
        None => None,
    };
    let mut tx = connection.begin().await?;
    removal::wait_for_writers(&mut tx, import.id).await?;
    leases::fence(&mut tx, import.id, held.epoch).await?;
    if let Some(snapshot) = snapshot {
        imports::keep_snapshot(&mut tx, import.id, &snapshot, State::Preparing).await?;
    }
    if let Some((survey, warnings)) = settled {
        imports::keep_survey(&mut tx, import.id, &survey, &warnings).await?;
    }
    let next = Some((Verb::Apply, Duration::ZERO));
    leases::release(&mut tx, import.id, held.epoch, next).await?;
    tx.commit().await?;
    Ok(())
}

async fn later_or_never(
    connection: &mut PgConnection,
    import: &Import,
    held: &Held,
    error: FetchError,
) -> Result<Outcome, Stop> {
    let Retry::Later { after } = error.retry else {
        return Err(fail(error.code, error.message));
    };
    let mut tx = connection.begin().await?;
    leases::fence(&mut tx, import.id, held.epoch).await?;
    let attempts = leases::count_attempt(&mut tx, import.id).await?;
    let wait = outbound::wait_before(attempts.unsigned_abs(), after);
    let Some(wait) = wait else {
        let error = error.given_up();
        return Err(fail(error.code, error.message));
    };
    tracing::info!(import = import.id, attempts, wait_secs = wait.as_secs(), code = %error.code, "a source is tried again later");
    let warning = format!(
        "Attempt {attempts} to fetch the source failed: {} ({})",
        error.message, error.code
    );
    imports::warn(&mut tx, import.id, &warning).await?;
    leases::release(&mut tx, import.id, held.epoch, Some((Verb::Fetch, wait))).await?;
    tx.commit().await?;
    Ok(Outcome::WaitsForRetry)
}

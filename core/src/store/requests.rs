//! What was asked of an import while a worker holds it, or nobody does: to cancel, to pause. Kept with
//! the lease, so that asking waits for no chunk; obeyed by whoever holds it.

use sqlx::{FromRow, PgConnection};

use crate::error::Error;

/// What somebody asked of the holder. Cancelling goes before pausing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Requests {
    /// End the import.
    pub cancel: bool,
    /// Let it rest.
    pub pause: bool,
}

/// Whether the lease is still ours, and what was asked of its holder.
pub async fn of_holder(
    connection: &mut PgConnection,
    import_id: i64,
    epoch: i64,
) -> Result<Requests, Error> {
    let held: Option<Requests> = sqlx::query_as(
        "select cancel_requested as cancel, pause_requested as pause from leases
         where import_id = $1 and epoch = $2 and holder is not null",
    )
    .bind(import_id)
    .bind(epoch)
    .fetch_optional(connection)
    .await?;
    held.ok_or(Error::LeaseLost)
}

/// Asks the holder to cancel. Returns whether anybody holds the lease alive.
pub async fn cancel(tx: &mut PgConnection, import_id: i64) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(
        "update leases set cancel_requested = true where import_id = $1
         returning holder is not null and held_until >= now()",
    )
    .bind(import_id)
    .fetch_one(tx)
    .await?)
}

/// Asks the holder to pause. Returns whether anybody holds the lease alive.
pub async fn pause(tx: &mut PgConnection, import_id: i64) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(
        "update leases set pause_requested = true where import_id = $1
         returning holder is not null and held_until >= now()",
    )
    .bind(import_id)
    .fetch_one(tx)
    .await?)
}

/// Whether the pause is left to somebody who holds the lease alive, or was taken back.
pub async fn pause_is_left_to_holder(tx: &mut PgConnection, import_id: i64) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(
        "select not pause_requested or (holder is not null and held_until >= now())
         from leases where import_id = $1",
    )
    .bind(import_id)
    .fetch_one(tx)
    .await?)
}

/// Takes a request to pause back. False: there was none.
pub async fn withdraw_pause(tx: &mut PgConnection, import_id: i64) -> Result<bool, Error> {
    let withdrawn = sqlx::query(
        "update leases set pause_requested = false where import_id = $1 and pause_requested",
    )
    .bind(import_id)
    .execute(tx)
    .await?;
    Ok(withdrawn.rows_affected() > 0)
}

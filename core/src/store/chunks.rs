//! The checkpoint: how far an import is durable, moved by the last statement of every chunk.

use sqlx::{FromRow, PgConnection};

use crate::error::Error;
use crate::import::{Effects, Totals};
use crate::store::imports::expect_one;

/// Where a lane goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Checkpoint {
    /// The epoch that may write.
    pub epoch: i64,
    /// The first row that is not applied yet.
    pub next_row: i64,
}

/// What a chunk did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// The books of its rows.
    pub totals: Totals,
    /// What they did to profiles.
    pub profiles: Effects,
    /// What they did to subprofiles.
    pub subprofiles: Effects,
    /// Links made and undone; nothing is updated about a link.
    pub links: Effects,
    /// What they did to profiles of linked databases.
    pub linked: Effects,
    /// Cells that were converted.
    pub coerced: i64,
    /// Rows whose key could not be read, where that matters.
    pub keys_unread: i64,
}

/// Where the import stands. None before its first turn.
pub async fn checkpoint(
    connection: &mut PgConnection,
    import_id: i64,
) -> Result<Option<Checkpoint>, Error> {
    Ok(
        sqlx::query_as("select epoch, next_row from lanes where import_id = $1 and lane = 0")
            .bind(import_id)
            .fetch_optional(connection)
            .await?,
    )
}

/// Which rows a chunk covers, and under which epoch it is written.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The import.
    pub import_id: i64,
    /// The epoch of the lease.
    pub epoch: i64,
    /// Its first row.
    pub first_row: i64,
    /// The row behind its last.
    pub next_row: i64,
}

/// Notes the chunk in the order of truth: that of its database, and those of the linked ones that it
/// may write into. The caller holds the locks of all of them.
pub async fn log(tx: &mut PgConnection, span: Span, linked: &[i64]) -> Result<(), Error> {
    sqlx::query(
        "insert into chunks (import_id, lane, first_row, next_row, linked_database_ids)
         values ($1, 0, $2, $3, $4)",
    )
    .bind(span.import_id)
    .bind(span.first_row)
    .bind(span.next_row)
    .bind(linked)
    .execute(tx)
    .await?;
    Ok(())
}

/// Moves the checkpoint and adds to the books. The last statement of the chunk: whoever lost the
/// epoch in the meantime finds no row here, and everything before it is undone. Returns how many
/// rows are rejected so far.
pub async fn move_checkpoint(tx: &mut PgConnection, span: Span, done: &Done) -> Result<i64, Error> {
    let rejected = sqlx::query_scalar(
        "update lanes set next_row = $4, chunks = chunks + 1,
             created = created + $5, updated = updated + $6, unchanged = unchanged + $7,
             ignored = ignored + $8, deleted = deleted + $9, rejected = rejected + $10,
             profiles_created = profiles_created + $11, profiles_updated = profiles_updated + $12,
             profiles_deleted = profiles_deleted + $13,
             subprofiles_created = subprofiles_created + $14,
             subprofiles_updated = subprofiles_updated + $15,
             subprofiles_deleted = subprofiles_deleted + $16, coerced = coerced + $17,
             links_created = links_created + $18, links_deleted = links_deleted + $19,
             linked_created = linked_created + $20, linked_updated = linked_updated + $21,
             keys_unread = keys_unread + $22
         where import_id = $1 and lane = 0 and epoch = $2 and next_row = $3
         returning rejected",
    )
    .bind(span.import_id)
    .bind(span.epoch)
    .bind(span.first_row)
    .bind(span.next_row)
    .bind(done.totals.created)
    .bind(done.totals.updated)
    .bind(done.totals.unchanged)
    .bind(done.totals.ignored)
    .bind(done.totals.deleted)
    .bind(done.totals.rejected)
    .bind(done.profiles.created)
    .bind(done.profiles.updated)
    .bind(done.profiles.deleted)
    .bind(done.subprofiles.created)
    .bind(done.subprofiles.updated)
    .bind(done.subprofiles.deleted)
    .bind(done.coerced)
    .bind(done.links.created)
    .bind(done.links.deleted)
    .bind(done.linked.created)
    .bind(done.linked.updated)
    .bind(done.keys_unread)
    .fetch_optional(tx)
    .await?;
    rejected.ok_or(Error::LeaseLost)
}

/// Closes the books of an import of which nothing is applied because of these rejects. The rows
/// that have an outcome are counted, though they need not be the first ones.
pub async fn settle_rejects(
    tx: &mut PgConnection,
    import_id: i64,
    epoch: i64,
    count: i64,
) -> Result<(), Error> {
    let settled = sqlx::query(
        "update lanes set rejected = $3::bigint, next_row = $3 + 1
         where import_id = $1 and lane = 0 and epoch = $2 and next_row = 1",
    )
    .bind(import_id)
    .bind(epoch)
    .bind(count)
    .execute(tx)
    .await?;
    expect_one(settled.rows_affected())
}

/// The order of truth is kept for a while, for those who must explain a result.
pub async fn forget_old(connection: &mut PgConnection, days: i32) -> Result<u64, Error> {
    Ok(sqlx::query(
        "delete from chunks where seq in (select seq from chunks
             where committed_at < now() - make_interval(days => $1) order by committed_at limit 10000)",
    )
    .bind(days)
    .execute(connection)
    .await?
    .rows_affected())
}

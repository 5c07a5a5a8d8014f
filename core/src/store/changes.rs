//! The list of changes: what imports took away, as it was.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use crate::error::Error;

/// A profile or subprofile as it was before an import removed it.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Removed {
    /// Grows with every change.
    pub seq: i64,
    /// The id that it had.
    pub id: i64,
    /// Its profile, for a subprofile.
    pub profile_id: Option<i64>,
    /// Its row, by the names of columns.
    pub before: serde_json::Value,
    /// When it went.
    pub changed_at: DateTime<Utc>,
}

/// A page of what an import removed, after a change.
pub async fn removed(
    connection: &mut PgConnection,
    import_id: i64,
    (after, limit): (i64, i64),
) -> Result<Vec<Removed>, Error> {
    Ok(sqlx::query_as(
        "select seq, id, profile_id, before, changed_at from changes
         where import_id = $1 and kind = 'removed' and seq > $2 order by seq limit $3",
    )
    .bind(import_id)
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await?)
}

//! Rejects: kept with the chunk that met them, read back in the order of their rows.

use serde::Serialize;
use sqlx::{FromRow, PgConnection};

use crate::error::Error;
use crate::import::Reject;
use crate::limits::REJECTS_KEPT_MAX;

/// A reject as kept.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize)]
pub struct RejectRow {
    /// The row's number in the payload.
    #[serde(rename = "row")]
    pub row_number: i64,
    /// The line on which it starts.
    pub line: i64,
    /// The column at fault.
    #[serde(rename = "column")]
    pub column_name: Option<String>,
    /// The stable code.
    pub code: String,
    /// The value, shortened.
    pub value: Option<String>,
    /// What was expected.
    pub expected: String,
}

/// Keeps the rejects of a chunk. Beyond the limit they are counted in the books only.
pub async fn keep(tx: &mut PgConnection, import_id: i64, rejects: &[Reject]) -> Result<(), Error> {
    if rejects.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into rejects (import_id, row_number, line, column_name, code, value, expected)
         select $1, r.* from unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[])
             as r(row_number, line, column_name, code, value, expected)
         where (select coalesce(sum(rejected), 0) from lanes where import_id = $1) < $8",
    )
    .bind(import_id)
    .bind(rejects.iter().map(|reject| reject.number).collect::<Vec<_>>())
    .bind(rejects.iter().map(|reject| reject.line).collect::<Vec<_>>())
    .bind(rejects.iter().map(|reject| reject.column.clone()).collect::<Vec<_>>())
    .bind(rejects.iter().map(|reject| reject.code.as_str()).collect::<Vec<_>>())
    .bind(rejects.iter().map(|reject| reject.value.as_deref().map(storable)).collect::<Vec<_>>())
    .bind(rejects.iter().map(|reject| storable(&reject.expected)).collect::<Vec<_>>())
    .bind(REJECTS_KEPT_MAX)
    .execute(tx)
    .await?;
    Ok(())
}

/// Postgres keeps no NUL in text; what is shown of a value names it instead.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}

/// A page of rejects after a row.
pub async fn page(
    connection: &mut PgConnection,
    import_id: i64,
    after_row: i64,
    limit: i64,
) -> Result<Vec<RejectRow>, Error> {
    Ok(sqlx::query_as(
        "select row_number, line, column_name, code, value, expected from rejects
         where import_id = $1 and row_number > $2 order by row_number limit $3",
    )
    .bind(import_id)
    .bind(after_row)
    .bind(limit)
    .fetch_all(connection)
    .await?)
}

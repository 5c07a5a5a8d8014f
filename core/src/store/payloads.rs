//! Payloads in the store, as the ledger knows them: which may be forgotten, and which nobody names.

use sqlx::PgConnection;

use crate::error::Error;

/// Imports that ended before `days` days whose payload is still kept in the store.
pub async fn forget_old(connection: &mut PgConnection, days: i32) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar(
        "update imports i set payload_key = null
         from (select id, payload_key from imports
               where payload_key is not null and finished_at < now() - make_interval(days => $1)
               order by id limit 100 for update skip locked) o
         where i.id = o.id returning o.payload_key",
    )
    .bind(days)
    .fetch_all(connection)
    .await?)
}

/// Which of these keys belong to no import.
pub async fn orphaned(
    connection: &mut PgConnection,
    keys: &[String],
) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar(
        "select k from unnest($1::text[]) k
         where not exists (select from imports where payload_key = k)",
    )
    .bind(keys)
    .fetch_all(connection)
    .await?)
}

//! Idempotency keys: the same request with the same key makes one import. The key is written in
//! the transaction that accepts the import, so that neither is there without the other.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use crate::error::Error;
use crate::limits::IDEMPOTENCY_KEPT_DAYS;

/// What came with this key before.
#[derive(Debug, Clone, FromRow)]
pub struct Known {
    /// SHA-256 of the request.
    pub fingerprint: Vec<u8>,
    /// The import it made.
    pub import_id: i64,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Lets one request with this key through at a time, until the end of its transaction.
/// False: another one is in the middle of it.
pub async fn lock(tx: &mut PgConnection, account_id: i64, key: &str) -> Result<bool, Error> {
    Ok(
        sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtextextended($2, $1))")
            .bind(account_id)
            .bind(key)
            .fetch_one(tx)
            .await?,
    )
}

/// What came with this key before, if anything did.
pub async fn find(
    tx: &mut PgConnection,
    account_id: i64,
    key: &str,
) -> Result<Option<Known>, Error> {
    Ok(sqlx::query_as(
        "select fingerprint, import_id, created_at from idempotency_keys
         where account_id = $1 and key = $2",
    )
    .bind(account_id)
    .bind(key)
    .fetch_optional(tx)
    .await?)
}

/// Remembers the key.
pub async fn keep(
    tx: &mut PgConnection,
    account_id: i64,
    key: &str,
    known: (&[u8], i64),
) -> Result<(), Error> {
    sqlx::query(
        "insert into idempotency_keys (account_id, key, fingerprint, import_id)
         values ($1, $2, $3, $4)",
    )
    .bind(account_id)
    .bind(key)
    .bind(known.0)
    .bind(known.1)
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets keys that no client retries any more.
pub async fn forget_old(connection: &mut PgConnection) -> Result<u64, Error> {
    Ok(sqlx::query(
        "delete from idempotency_keys where created_at < now() - make_interval(days => $1)",
    )
    .bind(IDEMPOTENCY_KEPT_DAYS)
    .execute(connection)
    .await?
    .rows_affected())
}

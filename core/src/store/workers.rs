//! Who is working. For people only: what is decided, leases decide.

use sqlx::PgConnection;

use crate::error::Error;

/// A worker says that it is there.
pub async fn seen(connection: &mut PgConnection, name: &str) -> Result<(), Error> {
    sqlx::query(
        "insert into workers (name) values ($1) on conflict (name) do update set seen_at = now()",
    )
    .bind(name)
    .execute(connection)
    .await?;
    Ok(())
}

/// A worker leaves.
pub async fn left(connection: &mut PgConnection, name: &str) -> Result<(), Error> {
    sqlx::query("delete from workers where name = $1")
        .bind(name)
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets workers that left without a word.
pub async fn forget_lost(connection: &mut PgConnection) -> Result<u64, Error> {
    Ok(
        sqlx::query("delete from workers where seen_at < now() - interval '1 hour'")
            .execute(connection)
            .await?
            .rows_affected(),
    )
}

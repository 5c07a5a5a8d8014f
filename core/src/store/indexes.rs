//! The indexes that keys are matched by: one for each combination of key fields that was used.
//! Built beside readers and writers; one that a crash left invalid is dropped and built again.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::code::Code;
use crate::database::TableNumber;
use crate::error::{Error, refused};
use crate::limits::KEY_INDEXES_MAX;
use crate::plan::Side;
use crate::store::typed;

/// Whether the index of this combination is there and valid.
pub async fn is_ready(connection: &mut PgConnection, side: &Side) -> Result<bool, Error> {
    let ready: Option<bool> = sqlx::query_scalar(
        "select ready from key_indexes where table_number = $1 and field_ids = $2 and without_case = $3",
    )
    .bind(side.number.0)
    .bind(field_ids(side))
    .bind(side.keys_without_case())
    .fetch_optional(connection)
    .await?;
    Ok(ready.unwrap_or(false))
}

/// Whether an index of this table is being built: nothing else may change the table meanwhile, and
/// whoever waits for it keeps readers waiting behind.
pub async fn is_building(
    connection: &mut PgConnection,
    number: TableNumber,
) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(
        "select exists (select from pg_stat_progress_create_index where relid = to_regclass($1))",
    )
    .bind(number.table())
    .fetch_one(connection)
    .await?)
}

fn field_ids(side: &Side) -> Vec<i64> {
    side.fields[..side.keys]
        .iter()
        .map(|field| field.id)
        .collect()
}

/// Builds the index, or waits for who is building it. On a connection of its own: building takes
/// as long as the table is large, and no timeout may cut it short.
pub async fn ensure(
    connection: &mut PgConnection,
    database: i64,
    side: &Side,
) -> Result<(), Error> {
    claim_place(connection, database, side).await?;
    connection
        .execute("set statement_timeout = 0; set lock_timeout = 0")
        .await?;
    let name = typed::key_index_name(side);
    // Waiting inside Postgres would hold a snapshot that the builder waits for in its turn.
    while !try_lock(connection, &name).await? {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let built = build(connection, side, &name).await;
    sqlx::query("select pg_advisory_unlock(hashtextextended($1, 4801))")
        .bind(&name)
        .execute(&mut *connection)
        .await?;
    built
}

/// One of the places for key combinations, counted under the row lock of the database.
async fn claim_place(
    connection: &mut PgConnection,
    database: i64,
    side: &Side,
) -> Result<(), Error> {
    let mut tx = sqlx::Connection::begin(connection).await?;
    sqlx::query("select from databases where id = $1 for no key update")
        .bind(database)
        .execute(&mut *tx)
        .await?;
    let others: i64 = sqlx::query_scalar(
        "select count(*) from key_indexes
         where database_id = $1 and (table_number, field_ids, without_case) <> ($2, $3, $4)",
    )
    .bind(database)
    .bind(side.number.0)
    .bind(field_ids(side))
    .bind(side.keys_without_case())
    .fetch_one(&mut *tx)
    .await?;
    if others >= KEY_INDEXES_MAX {
        let detail = format!(
            "This database matches by {KEY_INDEXES_MAX} combinations of key fields already, which is \
             the limit. Use one of them."
        );
        return Err(refused(Code::TooManyKeyIndexes, detail));
    }
    sqlx::query(
        "insert into key_indexes (table_number, field_ids, without_case, database_id)
         values ($1, $2, $3, $4) on conflict do nothing",
    )
    .bind(side.number.0)
    .bind(field_ids(side))
    .bind(side.keys_without_case())
    .bind(database)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

async fn try_lock(connection: &mut PgConnection, name: &str) -> Result<bool, Error> {
    Ok(
        sqlx::query_scalar("select pg_try_advisory_lock(hashtextextended($1, 4801))")
            .bind(name)
            .fetch_one(connection)
            .await?,
    )
}

async fn build(connection: &mut PgConnection, side: &Side, name: &str) -> Result<(), Error> {
    let valid: Option<bool> = sqlx::query_scalar(
        "select indisvalid from pg_index where indexrelid = to_regclass('data.' || $1)",
    )
    .bind(name)
    .fetch_optional(&mut *connection)
    .await?;
    if valid == Some(false) {
        let drop = format!("drop index concurrently if exists data.{name}");
        connection
            .execute(sqlx::query(AssertSqlSafe(drop)).persistent(false))
            .await?;
    }
    if valid != Some(true) {
        let create = typed::create_key_index(side);
        connection
            .execute(sqlx::query(AssertSqlSafe(create)).persistent(false))
            .await?;
    }
    sqlx::query(
        "update key_indexes set ready = true
         where table_number = $1 and field_ids = $2 and without_case = $3",
    )
    .bind(side.number.0)
    .bind(field_ids(side))
    .bind(side.keys_without_case())
    .execute(connection)
    .await?;
    Ok(())
}

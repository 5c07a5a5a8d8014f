//! Imports from acceptance to their end. Every change of state is guarded by the state before it,
//! and by the lease's fence where a worker makes it.

use sqlx::{FromRow, PgConnection};

use crate::definition::Definition;
use crate::error::Error;
use crate::import::State;
use crate::reading::Found;
use crate::store::{leases, removal};

/// The channel on which changes of an import are announced, with its number.
pub const CHANNEL: &str = "longshore_imports";

/// Where the bytes of a payload rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rest {
    /// With the import, in the ledger.
    Inline(Vec<u8>),
    /// In the payload store, under this key.
    Stored(String),
}

/// A snapshot: the bytes that every attempt reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Where they rest.
    pub rest: Rest,
    /// How many.
    pub bytes: i64,
    /// Their SHA-256.
    pub sha256: Vec<u8>,
}

/// An import as a worker needs it.
#[derive(Debug, Clone)]
pub struct Import {
    /// Its number.
    pub id: i64,
    /// The account that submitted it.
    pub account_id: i64,
    /// The database it goes into.
    pub database_id: i64,
    /// Where it stands.
    pub state: State,
    /// What was asked for.
    pub definition: Definition,
    /// Its payload, once there.
    pub snapshot: Option<Snapshot>,
    /// What the survey of the payload found, once it is done.
    pub survey: Option<Survey>,
}

/// What a survey of the whole payload found before the first row is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// How many rows.
    pub rows: i64,
    /// All columns, in order of appearance.
    pub columns: Vec<String>,
    /// How it is read, where the definition leaves that open.
    pub found: Found,
}

#[derive(FromRow)]
pub(super) struct Row {
    id: i64,
    account_id: i64,
    database_id: i64,
    state: String,
    definition: serde_json::Value,
    payload_inline: Option<Vec<u8>>,
    payload_key: Option<String>,
    payload_bytes: Option<i64>,
    payload_sha256: Option<Vec<u8>>,
    rows_total: Option<i64>,
    columns: Option<Vec<String>>,
    found: Option<sqlx::types::Json<Found>>,
}

impl Row {
    pub(super) fn import(self) -> Result<Import, Error> {
        let snapshot = match (self.payload_inline, self.payload_key, self.payload_sha256) {
            (Some(bytes), _, Some(sha256)) => Some((Rest::Inline(bytes), sha256)),
            (None, Some(key), Some(sha256)) => Some((Rest::Stored(key), sha256)),
            _ => None,
        };
        Ok(Import {
            id: self.id,
            account_id: self.account_id,
            database_id: self.database_id,
            state: State::parse(&self.state).ok_or(Error::Unreadable(self.state))?,
            definition: serde_json::from_value(self.definition)
                .map_err(|error| Error::Unreadable(error.to_string()))?,
            snapshot: snapshot.map(|(rest, sha256)| Snapshot {
                rest,
                sha256,
                bytes: self.payload_bytes.unwrap_or(0),
            }),
            survey: self
                .rows_total
                .zip(self.columns)
                .map(|(rows, columns)| Survey {
                    rows,
                    columns,
                    found: self.found.map(|found| found.0).unwrap_or_default(),
                }),
        })
    }
}

pub(super) fn rest_columns(snapshot: Option<&Snapshot>) -> (Option<&[u8]>, Option<&str>) {
    match snapshot.map(|snapshot| &snapshot.rest) {
        Some(Rest::Inline(bytes)) => (Some(bytes), None),
        Some(Rest::Stored(key)) => (None, Some(key)),
        None => (None, None),
    }
}

/// The import of this number.
pub async fn find(connection: &mut PgConnection, id: i64) -> Result<Import, Error> {
    let row: Option<Row> = sqlx::query_as(
        "select id, account_id, database_id, state, definition, payload_inline, payload_key,
                payload_bytes, payload_sha256, rows_total, columns, found
         from imports where id = $1",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    row.ok_or(Error::NotFound("import"))?.import()
}

/// The database of the account's import.
pub async fn database_of(
    connection: &mut PgConnection,
    account_id: i64,
    id: i64,
) -> Result<i64, Error> {
    let database: Option<i64> =
        sqlx::query_scalar("select database_id from imports where id = $1 and account_id = $2")
            .bind(id)
            .bind(account_id)
            .fetch_optional(connection)
            .await?;
    database.ok_or(Error::NotFound("import"))
}

/// The import of this number if it is the account's, locked against other changes of state.
pub async fn find_for_change(
    tx: &mut PgConnection,
    account_id: i64,
    id: i64,
) -> Result<Import, Error> {
    let row: Option<Row> = sqlx::query_as(
        "select id, account_id, database_id, state, definition, payload_inline, payload_key,
                payload_bytes, payload_sha256, rows_total, columns, found
         from imports where id = $1 and account_id = $2 for no key update",
    )
    .bind(id)
    .bind(account_id)
    .fetch_optional(tx)
    .await?;
    row.ok_or(Error::NotFound("import"))?.import()
}

/// Keeps the snapshot of a draft or of a fetch, and moves on to `state`.
pub async fn keep_snapshot(
    tx: &mut PgConnection,
    id: i64,
    snapshot: &Snapshot,
    state: State,
) -> Result<(), Error> {
    let (inline, key) = rest_columns(Some(snapshot));
    let kept = sqlx::query(
        "update imports set payload_inline = $2, payload_key = $3, payload_bytes = $4,
             payload_sha256 = $5, state = $6, version = version + 1,
             turn = case when $6 = 'draft' then turn else coalesce(turn, nextval('turns')) end
         where id = $1 and state in ('draft', 'queued', 'fetching') and payload_sha256 is null",
    )
    .bind(id)
    .bind(inline)
    .bind(key)
    .bind(snapshot.bytes)
    .bind(&snapshot.sha256)
    .bind(state.as_str())
    .execute(&mut *tx)
    .await?;
    expect_one(kept.rows_affected())?;
    if state != State::Draft {
        removal::note_acceptance(tx, id).await?;
    }
    leases::note_size(tx, id).await
}

/// Moves a draft into the queue.
pub async fn queue(tx: &mut PgConnection, id: i64) -> Result<(), Error> {
    let queued = sqlx::query(
        "update imports set state = 'queued', turn = nextval('turns'), version = version + 1
         where id = $1 and state = 'draft'",
    )
    .bind(id)
    .execute(&mut *tx)
    .await?;
    expect_one(queued.rows_affected())?;
    removal::note_acceptance(tx, id).await
}

/// An import that rested, paused or held, goes on: it waits for its turn again, in its old place.
pub async fn queue_again(tx: &mut PgConnection, id: i64) -> Result<(), Error> {
    let queued = sqlx::query(
        "update imports set state = 'queued', version = version + 1
         where id = $1 and state in ('held', 'paused')",
    )
    .bind(id)
    .execute(tx)
    .await?;
    expect_one(queued.rows_affected())
}

/// Lets an import rest on request. What is applied stays applied, and the rest waits.
pub async fn pause(tx: &mut PgConnection, id: i64) -> Result<(), Error> {
    let paused = sqlx::query(
        "update imports set state = 'paused', version = version + 1
         where id = $1
           and state in ('queued', 'fetching', 'preparing', 'applying', 'finishing')",
    )
    .bind(id)
    .execute(&mut *tx)
    .await?;
    expect_one(paused.rows_affected())?;
    announce(tx, id).await
}

/// Work on it begins, or begins again after a crash.
pub async fn enter(tx: &mut PgConnection, id: i64, state: State) -> Result<(), Error> {
    sqlx::query(
        "update imports set state = $2, version = version + 1, started_at = coalesce(started_at, now())
         where id = $1 and state <> $2 and finished_at is null",
    )
    .bind(id)
    .bind(state.as_str())
    .execute(tx)
    .await?;
    Ok(())
}

/// How many imports of the account are not at their end, counted up to `most`.
pub async fn unfinished(
    connection: &mut PgConnection,
    account_id: i64,
    most: u32,
) -> Result<i64, Error> {
    Ok(sqlx::query_scalar(
        "select count(*) from (select from imports where account_id = $1 and finished_at is null
                               limit $2) unfinished",
    )
    .bind(account_id)
    .bind(i64::from(most))
    .fetch_one(connection)
    .await?)
}

/// Keeps what the survey found.
pub async fn keep_survey(
    tx: &mut PgConnection,
    id: i64,
    survey: &Survey,
    warnings: &[String],
) -> Result<(), Error> {
    sqlx::query(
        "update imports set rows_total = $2, columns = $3, found = $5, warnings = warnings || $4,
             version = version + 1
         where id = $1 and state in ('queued', 'preparing')",
    )
    .bind(id)
    .bind(survey.rows)
    .bind(&survey.columns)
    .bind(sqlx::types::Json(warnings))
    .bind(sqlx::types::Json(&survey.found))
    .execute(&mut *tx)
    .await?;
    leases::note_size(tx, id).await
}

/// Something about it changed that it does not keep itself.
pub async fn touch(tx: &mut PgConnection, id: i64) -> Result<(), Error> {
    sqlx::query("update imports set version = version + 1 where id = $1")
        .bind(id)
        .execute(&mut *tx)
        .await?;
    announce(tx, id).await
}

/// Adds a line to what the client should know.
pub async fn warn(tx: &mut PgConnection, id: i64, warning: &str) -> Result<(), Error> {
    sqlx::query(
        "update imports set warnings = warnings || to_jsonb($2::text), version = version + 1
         where id = $1",
    )
    .bind(id)
    .bind(warning)
    .execute(tx)
    .await?;
    Ok(())
}

/// Rows may be applied from here on: the import has its turn, its snapshot and its index.
pub async fn begin_applying(tx: &mut PgConnection, id: i64, epoch: i64) -> Result<(), Error> {
    let begun = sqlx::query(
        "update imports set applying_at = coalesce(applying_at, now()), version = version + 1,
             started_at = coalesce(started_at, now()),
             state = case when state = 'finishing' then state else 'applying' end
         where id = $1 and state in ('queued', 'preparing', 'applying', 'finishing')",
    )
    .bind(id)
    .execute(&mut *tx)
    .await?;
    expect_one(begun.rows_affected())?;
    sqlx::query(
        "insert into lanes (import_id, lane, epoch) values ($1, 0, $2)
         on conflict (import_id, lane) do update set epoch = excluded.epoch
         where lanes.epoch < excluded.epoch",
    )
    .bind(id)
    .bind(epoch)
    .execute(tx)
    .await?;
    Ok(())
}

/// Wakes whoever waits for the import; heard after the commit.
pub async fn announce(tx: &mut PgConnection, id: i64) -> Result<(), Error> {
    sqlx::query("select pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(id.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

/// A guarded change that touched nothing means that someone else was first.
pub(super) fn expect_one(rows: u64) -> Result<(), Error> {
    if rows == 1 {
        Ok(())
    } else {
        Err(Error::LeaseLost)
    }
}

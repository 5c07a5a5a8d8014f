//! The acceptance of imports: each with its survey, its turn and its lease, at once.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};

use crate::definition::Definition;
use crate::error::Error;
use crate::import::State;
use crate::queue::Verb;
use crate::store::imports::{Snapshot, Survey, rest_columns};
use crate::store::removal;

/// What acceptance writes.
#[derive(Debug)]
pub struct NewImport {
    /// The account.
    pub account_id: i64,
    /// The database.
    pub database_id: i64,
    /// What was asked for.
    pub definition: Definition,
    /// Where it begins: draft or queued.
    pub state: State,
    /// The payload, if it came inline.
    pub snapshot: Option<Snapshot>,
    /// What the survey of an inline payload found, with its warnings.
    pub survey: Option<(Survey, Vec<String>)>,
    /// The job that it waits for.
    pub verb: Verb,
}

impl NewImport {
    /// The definition as the ledger keeps it.
    pub(super) fn definition_as_kept(&self) -> Result<serde_json::Value, Error> {
        serde_json::to_value(&self.definition).map_err(|error| Error::Unreadable(error.to_string()))
    }
}

/// What acceptance gave a new import.
#[derive(Debug, Clone, Copy, FromRow)]
pub struct Accepted {
    /// Its number.
    pub id: i64,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// How many are due before it; none for a draft.
    pub queue_position: Option<i64>,
    /// Workers that were seen within a minute.
    pub workers_alive: i64,
    /// Whether it is small, as far as is known.
    pub small: bool,
}

/// Keeps a new import as [`accept_all`] does, and judges what it may remove.
pub async fn accept(tx: &mut PgConnection, new: &NewImport) -> Result<Accepted, Error> {
    let accepted = accept_all(tx, &[new]).await?;
    let accepted = accepted
        .into_iter()
        .next()
        .ok_or(sqlx::Error::RowNotFound)?;
    if new.definition.remove_missing && new.state != State::Draft {
        removal::wait_for_writers(tx, accepted.id).await?;
        removal::note_acceptance(tx, accepted.id).await?;
    }
    Ok(accepted)
}

/// Keeps new imports that remove nothing, in this order, each with its lease, which is due at once
/// unless it is a draft; its acceptance gives it its turn. One statement, that commits by itself where
/// nothing else belongs to it.
pub async fn accept_all(
    connection: &mut PgConnection,
    new: &[&NewImport],
) -> Result<Vec<Accepted>, Error> {
    let definitions: Vec<_> = new
        .iter()
        .map(|one| one.definition_as_kept())
        .collect::<Result<_, _>>()?;
    let rests = each(new, |one| rest_columns(one.snapshot.as_ref()));
    let snapshots = each(new, |one| one.snapshot.as_ref());
    let surveys = each(new, |one| one.survey.as_ref().map(|(survey, _)| survey));
    let warnings = each(new, |one| match &one.survey {
        Some((_, warnings)) => Json(warnings.as_slice()),
        None => Json(&[][..]),
    });
    // Numbers are given in a step of its own, so that each row is known by its own in the end.
    Ok(sqlx::query_as(
        "with asked as materialized (
             select a.*, nextval('imports_id_seq') as id,
                 case when a.state <> 'draft' then nextval('turns') end as turn
             from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::jsonb[], $6::bytea[],
                         $7::text[], $8::bigint[], $9::bytea[], $10::bigint[], $11::jsonb[],
                         $12::jsonb[], $13::jsonb[], $14::text[]) with ordinality
                 as a(account_id, database_id, name, state, definition, payload_inline, payload_key,
                      payload_bytes, payload_sha256, rows_total, columns, found, warnings, verb, place)
         ), accepted as (
             insert into imports (id, account_id, database_id, name, state, definition, turn,
                                  payload_inline, payload_key, payload_bytes, payload_sha256,
                                  rows_total, columns, found, warnings)
             overriding system value
             select id, account_id, database_id, name, state, definition, turn, payload_inline,
                 payload_key, payload_bytes, payload_sha256, rows_total,
                 case when columns is not null then array(select jsonb_array_elements_text(columns)) end,
                 found, warnings
             from asked order by place
             returning id, small, created_at
         ), leased as (
             insert into leases (import_id, account_id, database_id, small, verb, due_at)
             select id, account_id, database_id, small, verb, case when turn is not null then now() end
             from asked join accepted using (id)
         ), due as materialized (
             select verb, count(*) from leases where due_at <= now() group by verb
         )
         select id, created_at, small,
             case when turn is not null then
                 coalesce((select count from due where due.verb = asked.verb), 0)
                 + count(turn) over (partition by verb order by place) - 1
             end as queue_position,
             (select count(*) from workers where seen_at > now() - interval '1 minute')
                 as workers_alive
         from asked join accepted using (id) order by place",
    )
    .bind(each(new, |one| one.account_id))
    .bind(each(new, |one| one.database_id))
    .bind(each(new, |one| one.definition.name.as_deref()))
    .bind(each(new, |one| one.state.as_str()))
    .bind(definitions)
    .bind(each(&rests, |(inline, _)| *inline))
    .bind(each(&rests, |(_, key)| *key))
    .bind(each(&snapshots, |one| one.map(|one| one.bytes)))
    .bind(each(&snapshots, |one| one.map(|one| one.sha256.as_slice())))
    .bind(each(&surveys, |one| one.map(|one| one.rows)))
    .bind(each(&surveys, |one| one.map(|one| Json(&one.columns))))
    .bind(each(&surveys, |one| one.map(|one| Json(&one.found))))
    .bind(warnings)
    .bind(each(new, |one| one.verb.as_str()))
    .fetch_all(connection)
    .await?)
}

fn each<'a, T, U>(all: &'a [T], one: impl Fn(&'a T) -> U) -> Vec<U> {
    all.iter().map(one).collect()
}

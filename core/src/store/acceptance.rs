//! The acceptance of an import: the import, its survey, its turn and its lease, at once.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use crate::definition::Definition;
use crate::error::Error;
use crate::import::State;
use crate::queue::Verb;
use crate::store::imports::{Snapshot, Survey, rest_columns};
use crate::store::removal;

/// What acceptance writes.
#[derive(Debug)]
pub struct NewImport<'a> {
    /// The account.
    pub account_id: i64,
    /// The database.
    pub database_id: i64,
    /// What was asked for.
    pub definition: &'a Definition,
    /// Where it begins: draft or queued.
    pub state: State,
    /// The payload, if it came inline.
    pub snapshot: Option<&'a Snapshot>,
    /// What the survey of an inline payload found, with its warnings.
    pub survey: Option<&'a (Survey, Vec<String>)>,
    /// The job that it waits for.
    pub verb: Verb,
}

impl NewImport<'_> {
    /// The definition as the ledger keeps it.
    pub(super) fn definition_as_kept(&self) -> Result<serde_json::Value, Error> {
        serde_json::to_value(self.definition).map_err(|error| Error::Unreadable(error.to_string()))
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

/// Keeps a new import with its lease, which is due at once unless it is a draft; its acceptance gives
/// it its turn. One statement, that commits by itself where nothing else belongs to it.
pub async fn accept(tx: &mut PgConnection, new: &NewImport<'_>) -> Result<Accepted, Error> {
    let (inline, key) = rest_columns(new.snapshot);
    let survey = new.survey.map(|(survey, _)| survey);
    let warnings = new.survey.map_or(&[][..], |(_, warnings)| warnings);
    let definition = new.definition_as_kept()?;
    let accepted: Accepted = sqlx::query_as(
        "with accepted as (
             insert into imports (account_id, database_id, name, state, definition, turn,
                                  payload_inline, payload_key, payload_bytes, payload_sha256,
                                  rows_total, columns, found, warnings)
             values ($1, $2, $3, $4, $5, case when $4 <> 'draft' then nextval('turns') end, $6, $7,
                     $8, $9, $10, $11, $12, $13)
             returning id, account_id, database_id, small, created_at
         ), leased as (
             insert into leases (import_id, account_id, database_id, small, verb, due_at)
             select id, account_id, database_id, small, $14, case when $4 <> 'draft' then now() end
             from accepted
         )
         select a.id, a.created_at, a.small,
             case when $4 <> 'draft' then
                 (select count(*) from leases d
                  where d.verb = $14 and d.due_at <= now() and d.import_id < a.id)
             end as queue_position,
             (select count(*) from workers where seen_at > now() - interval '1 minute')
                 as workers_alive
         from accepted a",
    )
    .bind(new.account_id)
    .bind(new.database_id)
    .bind(&new.definition.name)
    .bind(new.state.as_str())
    .bind(definition)
    .bind(inline)
    .bind(key)
    .bind(new.snapshot.map(|snapshot| snapshot.bytes))
    .bind(new.snapshot.map(|snapshot| snapshot.sha256.as_slice()))
    .bind(survey.map(|survey| survey.rows))
    .bind(survey.map(|survey| &survey.columns))
    .bind(survey.map(|survey| sqlx::types::Json(&survey.found)))
    .bind(sqlx::types::Json(warnings))
    .bind(new.verb.as_str())
    .fetch_one(&mut *tx)
    .await?;
    if new.definition.remove_missing && new.state != State::Draft {
        removal::wait_for_writers(tx, accepted.id).await?;
        removal::note_acceptance(tx, accepted.id).await?;
    }
    Ok(accepted)
}

//! The status of an import, as it is in the ledger at one moment: state, books and progress come
//! from one statement, so that they always fit together. What it waits for is looked up behind it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use crate::error::Error;
use crate::import::State;
use crate::store::acceptance::{Accepted, NewImport};

/// The window of the rate that a running import shows, in seconds.
pub const RECENT_SECS: f64 = 10.0;

/// Everything that a status answer is made of.
#[derive(Debug, Clone, Default, FromRow)]
pub struct Status {
    /// The import's number.
    pub id: i64,
    /// Its name, for people.
    pub name: Option<String>,
    /// Its state, as kept.
    pub state: String,
    /// The database's number.
    pub database_id: i64,
    /// The database's name.
    pub database_name: String,
    /// What was asked for.
    pub definition: serde_json::Value,
    /// Bytes of the payload, once there.
    pub payload_bytes: Option<i64>,
    /// SHA-256 of the payload, once there.
    pub payload_sha256: Option<Vec<u8>>,
    /// Rows of the payload, once counted.
    pub rows_total: Option<i64>,
    /// What was taken for granted on the way.
    pub warnings: serde_json::Value,
    /// Why it failed.
    pub error: Option<serde_json::Value>,
    /// Grows with every change.
    pub version: i64,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When a worker first took it.
    pub started_at: Option<DateTime<Utc>>,
    /// When its first rows could be applied.
    pub applying_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The ledger's clock.
    pub now: DateTime<Utc>,
    /// How often a worker took it.
    pub epoch: i64,
    /// It waits for its turn on the database.
    pub waiting_for_turn: bool,
    /// Someone asked to cancel it.
    pub cancel_requested: bool,
    /// Someone asked to pause it.
    pub pause_requested: bool,
    /// A worker has it.
    pub held: bool,
    /// Until when that worker need not renew.
    pub held_until: Option<DateTime<Utc>>,
    /// When it said last that it is there.
    pub heartbeat_at: Option<DateTime<Utc>>,
    /// Since when a worker may take it.
    pub due_since: Option<DateTime<Utc>>,
    /// How it moves, while it is not at its end.
    #[sqlx(skip)]
    pub movement: Movement,
    /// When it is tried again, if it waits for that.
    pub retry_at: Option<DateTime<Utc>>,
    /// Books: rows created.
    pub created: i64,
    /// Books: rows updated.
    pub updated: i64,
    /// Books: rows unchanged.
    pub unchanged: i64,
    /// Books: rows ignored.
    pub ignored: i64,
    /// Books: rows deleted.
    pub deleted: i64,
    /// Books: rows rejected.
    pub rejected: i64,
    /// Cells that were converted.
    pub coerced: i64,
    /// The removal, if the import has one: its state.
    pub removal_state: Option<String>,
    /// Why it is held.
    pub removal_reasons: Option<serde_json::Value>,
    /// Profiles that would go, as counted last.
    pub removal_profiles: Option<i64>,
    /// Subprofiles that would go.
    pub removal_subprofiles: Option<i64>,
    /// Profiles that were there.
    pub removal_living: Option<i64>,
    /// Until when it waits for somebody to decide.
    pub removal_held_until: Option<DateTime<Utc>>,
    /// Profiles removed.
    pub profiles_removed: i64,
    /// Subprofiles removed.
    pub subprofiles_removed: i64,
    /// Links made.
    pub links_created: i64,
    /// Links undone.
    pub links_deleted: i64,
    /// Profiles of linked databases made.
    pub linked_created: i64,
    /// Profiles of linked databases changed.
    pub linked_updated: i64,
    /// Profiles made.
    pub profiles_created: i64,
    /// Profiles changed.
    pub profiles_updated: i64,
    /// Profiles deleted.
    pub profiles_deleted: i64,
    /// Subprofiles made.
    pub subprofiles_created: i64,
    /// Subprofiles changed.
    pub subprofiles_updated: i64,
    /// Subprofiles deleted.
    pub subprofiles_deleted: i64,
}

/// How an import that is not at its end moves, and what it waits for.
#[derive(Debug, Clone, Default, FromRow)]
pub struct Movement {
    /// How many go before it, while it waits for a worker or for its turn.
    pub queue_position: Option<i64>,
    /// Whom it waits for on its database.
    pub waits_for: Option<i64>,
    /// Workers that were seen within a minute.
    pub workers_alive: Option<i64>,
    /// Rows applied in the last [`RECENT_SECS`] seconds.
    pub recent_rows: i64,
}

impl Status {
    /// The status of an import that was accepted a moment ago, as the ledger has it by then.
    pub fn of_new(
        new: &NewImport,
        accepted: &Accepted,
        database_name: &str,
    ) -> Result<Status, Error> {
        let survey = new.survey.as_ref();
        let warnings = survey.map_or(&[][..], |(_, warnings)| warnings);
        Ok(Status {
            id: accepted.id,
            name: new.definition.name.clone(),
            state: new.state.as_str().to_owned(),
            database_id: new.database_id,
            database_name: database_name.to_owned(),
            definition: new.definition_as_kept()?,
            payload_bytes: new.snapshot.as_ref().map(|snapshot| snapshot.bytes),
            payload_sha256: new
                .snapshot
                .as_ref()
                .map(|snapshot| snapshot.sha256.clone()),
            rows_total: survey.map(|(survey, _)| survey.rows),
            warnings: serde_json::Value::from(warnings),
            version: 1,
            created_at: accepted.created_at,
            now: accepted.created_at,
            due_since: accepted.queue_position.map(|_| accepted.created_at),
            movement: Movement {
                queue_position: accepted.queue_position,
                workers_alive: Some(accepted.workers_alive),
                ..Movement::default()
            },
            ..Status::default()
        })
    }

    /// The state.
    pub fn state(&self) -> Result<State, Error> {
        State::parse(&self.state).ok_or_else(|| Error::Unreadable(self.state.clone()))
    }
}

/// What a status shows, of the imports that the rest of the statement names.
/// Narrow on purpose: clients ask for it again and again.
macro_rules! statuses {
    () => {
        "select i.id, i.name, i.state, i.database_id, d.name as database_name, i.definition,
             i.payload_bytes, i.payload_sha256, i.rows_total, i.warnings, i.error,
             i.version + coalesce(b.chunks, 0) as version, i.created_at, i.started_at,
             i.applying_at, i.finished_at, clock_timestamp() as now,
             coalesce(l.epoch, 0) as epoch,
             coalesce(l.waiting_for_turn, false) as waiting_for_turn,
             coalesce(l.cancel_requested, false) as cancel_requested,
             coalesce(l.pause_requested, false) as pause_requested,
             coalesce(l.holder is not null, false) as held, l.held_until,
             l.renewed_at as heartbeat_at,
             case when l.due_at <= now() then l.due_at end as due_since,
             case when l.due_at > now() then l.due_at end as retry_at,
             r.state as removal_state, r.reasons as removal_reasons,
             r.profiles as removal_profiles, r.subprofiles as removal_subprofiles,
             r.living as removal_living, r.held_until as removal_held_until,
             coalesce(b.created, 0) as created, coalesce(b.updated, 0) as updated,
             coalesce(b.unchanged, 0) as unchanged, coalesce(b.ignored, 0) as ignored,
             coalesce(b.deleted, 0) as deleted, coalesce(b.rejected, 0) as rejected,
             coalesce(b.coerced, 0) as coerced,
             coalesce(b.profiles_removed, 0) as profiles_removed,
             coalesce(b.subprofiles_removed, 0) as subprofiles_removed,
             coalesce(b.links_created, 0) as links_created,
             coalesce(b.links_deleted, 0) as links_deleted,
             coalesce(b.linked_created, 0) as linked_created,
             coalesce(b.linked_updated, 0) as linked_updated,
             coalesce(b.profiles_created, 0) as profiles_created,
             coalesce(b.profiles_updated, 0) as profiles_updated,
             coalesce(b.profiles_deleted, 0) as profiles_deleted,
             coalesce(b.subprofiles_created, 0) as subprofiles_created,
             coalesce(b.subprofiles_updated, 0) as subprofiles_updated,
             coalesce(b.subprofiles_deleted, 0) as subprofiles_deleted
         from imports i
         join databases d on d.id = i.database_id
         left join leases l on l.import_id = i.id
         left join removals r on r.import_id = i.id
         left join lanes b on b.import_id = i.id and b.lane = 0
         where "
    };
}

/// The status of the account's import.
pub async fn find(
    connection: &mut PgConnection,
    account_id: i64,
    id: i64,
) -> Result<Status, Error> {
    let found = find_all(connection, account_id, &[id]).await?;
    found.into_iter().next().ok_or(Error::NotFound("import"))
}

/// The status of those imports of the account that there are, in no order. Found by primary keys
/// alone: `is true` keeps Postgres from looking for the account, which it may take for the shorter way
/// while it knows little of a new table.
pub async fn find_all(
    connection: &mut PgConnection,
    account_id: i64,
    ids: &[i64],
) -> Result<Vec<Status>, Error> {
    let mut found: Vec<Status> = sqlx::query_as(concat!(
        statuses!(),
        "i.id = any($2) and (i.account_id = $1) is true"
    ))
    .bind(account_id)
    .bind(ids)
    .fetch_all(&mut *connection)
    .await?;
    add_movements(connection, &mut found).await?;
    Ok(found)
}

/// The states of those imports of the account that there are: cheap, for those who wait for them.
pub async fn states(
    connection: &mut PgConnection,
    account_id: i64,
    ids: &[i64],
) -> Result<HashMap<i64, State>, Error> {
    let states: Vec<(i64, String)> = sqlx::query_as(
        "select id, state from imports where id = any($2) and (account_id = $1) is true",
    )
    .bind(account_id)
    .bind(ids)
    .fetch_all(connection)
    .await?;
    let state = |(id, word): (i64, String)| match State::parse(&word) {
        Some(state) => Ok((id, state)),
        None => Err(Error::Unreadable(word)),
    };
    states.into_iter().map(state).collect()
}

#[derive(FromRow)]
struct MovementRow {
    id: i64,
    #[sqlx(flatten)]
    movement: Movement,
}

/// Looks how those move that are not at their end. A statement of its own: most of what is asked for
/// has ended.
async fn add_movements(
    connection: &mut PgConnection,
    statuses: &mut [Status],
) -> Result<(), Error> {
    let moving = statuses.iter().filter(|one| one.finished_at.is_none());
    let ids: Vec<i64> = moving.map(|one| one.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let rows: Vec<MovementRow> = sqlx::query_as(
        "select i.id,
             case when l.waiting_for_turn then b.before
                  when l.due_at <= now() then
                      (select count(*) from leases d
                       where d.verb = l.verb and d.due_at <= now()
                         and d.import_id < l.import_id) end as queue_position,
             case when l.waiting_for_turn then b.first end as waits_for,
             (select count(*) from workers where seen_at > now() - interval '1 minute')
                 as workers_alive,
             coalesce((select sum(c.next_row - c.first_row) from chunks c
                       where c.import_id = i.id
                         and c.committed_at > now() - make_interval(secs => $2)), 0)::bigint
                 as recent_rows
         from imports i
         left join leases l on l.import_id = i.id
         left join lateral (
             select count(*) as before,
                 (array_agg(o.id order by o.state not in ('applying', 'finishing'), o.turn))[1]
                     as first
             from imports o
             where l.waiting_for_turn and o.database_id = i.database_id and o.id <> i.id
               and (o.small or not i.small) and o.payload_sha256 is not null
               and ((o.turn < i.turn
                     and o.state in ('queued', 'preparing', 'applying', 'finishing'))
                    or (not o.small and o.state in ('applying', 'finishing')))
         ) b on l.waiting_for_turn
         where i.id = any($1) and i.finished_at is null",
    )
    .bind(ids)
    .bind(RECENT_SECS)
    .fetch_all(connection)
    .await?;
    for row in rows {
        if let Some(status) = statuses.iter_mut().find(|status| status.id == row.id) {
            status.movement = row.movement;
        }
    }
    Ok(())
}

/// Which imports a list shows.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// Only in this state.
    pub state: Option<State>,
    /// Only of this database.
    pub database_id: Option<i64>,
    /// Only older than this one.
    pub before: Option<i64>,
}

macro_rules! page_of {
    () => {
        " and i.account_id = $1 and ($2::text is null or i.state = $2) and i.id < $4
         order by i.id desc limit $5"
    };
}

/// A page of an account's imports, newest first.
pub async fn page(
    connection: &mut PgConnection,
    account_id: i64,
    filter: &ListFilter,
    limit: i64,
) -> Result<Vec<Status>, Error> {
    // One plan for both would read all imports of the account to find those of a database.
    let query = match filter.database_id {
        Some(_) => sqlx::query_as(concat!(statuses!(), "i.database_id = $3", page_of!())),
        None => sqlx::query_as(concat!(statuses!(), "$3::bigint is null", page_of!())),
    };
    let mut page: Vec<Status> = query
        .bind(account_id)
        .bind(filter.state.map(State::as_str))
        .bind(filter.database_id)
        .bind(filter.before.unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(&mut *connection)
        .await?;
    add_movements(connection, &mut page).await?;
    Ok(page)
}

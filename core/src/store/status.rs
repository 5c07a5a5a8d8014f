//! The status of an import, as it is in the ledger at one moment: state, books and progress come
//! from one statement, so that they always fit together.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use crate::error::Error;
use crate::import::State;

/// The window of the rate that a running import shows, in seconds.
pub const RECENT_SECS: f64 = 10.0;

/// Everything that a status answer is made of.
#[derive(Debug, Clone, FromRow)]
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
    /// How many go before it, while it waits for a worker or for its turn.
    pub queue_position: Option<i64>,
    /// Whom it waits for on its database.
    pub waits_for: Option<i64>,
    /// Workers that were seen within a minute.
    pub workers_alive: Option<i64>,
    /// Rows applied in the last [`RECENT_SECS`] seconds.
    pub recent_rows: i64,
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

impl Status {
    /// The state.
    pub fn state(&self) -> Result<State, Error> {
        State::parse(&self.state).ok_or_else(|| Error::Unreadable(self.state.clone()))
    }
}

/// What a status shows, of the imports that the rest of the statement names: `$1` is the account, `$2`
/// how many seconds are recent.
macro_rules! statuses {
    () => {
        "select i.id, i.name, i.state, i.database_id, d.name as database_name, i.definition,
             i.payload_bytes, i.payload_sha256, i.rows_total, i.warnings, i.error,
             i.version + b.chunks as version, i.created_at, i.started_at, i.applying_at,
             i.finished_at, clock_timestamp() as now, coalesce(l.epoch, 0) as epoch,
             coalesce(l.waiting_for_turn, false) as waiting_for_turn,
             coalesce(l.cancel_requested, false) as cancel_requested,
             coalesce(l.pause_requested, false) as pause_requested,
             coalesce(l.holder is not null, false) as held, l.held_until, l.renewed_at as heartbeat_at,
             case when l.due_at <= now() then l.due_at end as due_since,
             w.queue_position, w.waits_for, w.workers_alive,
             coalesce(w.recent_rows, 0)::bigint as recent_rows,
             case when l.due_at > now() then l.due_at end as retry_at,
             b.created, b.updated, b.unchanged, b.ignored, b.deleted, b.rejected,
             r.state as removal_state, r.reasons as removal_reasons,
             r.profiles as removal_profiles, r.subprofiles as removal_subprofiles,
             r.living as removal_living, r.held_until as removal_held_until,
             b.profiles_removed, b.subprofiles_removed, b.coerced,
             b.links_created, b.links_deleted, b.linked_created, b.linked_updated,
             b.profiles_created, b.profiles_updated, b.profiles_deleted,
             b.subprofiles_created, b.subprofiles_updated, b.subprofiles_deleted
         from imports i
         join databases d on d.id = i.database_id
         left join leases l on l.import_id = i.id
         left join removals r on r.import_id = i.id
         left join lateral (
             select case when l.waiting_for_turn then b.before
                         when l.due_at <= now() then
                             (select count(*) from leases d
                              where d.verb = l.verb and d.due_at <= now()
                                and d.import_id < l.import_id) end as queue_position,
                 case when l.waiting_for_turn then b.first end as waits_for,
                 (select count(*) from workers where seen_at > now() - interval '1 minute')
                     as workers_alive,
                 (select sum(c.next_row - c.first_row) from chunks c where c.import_id = i.id
                      and c.committed_at > now() - make_interval(secs => $2)) as recent_rows
             from (select count(*) as before,
                          (array_agg(o.id order by o.state not in ('applying', 'finishing'), o.turn))[1]
                              as first
                   from imports o
                   where l.waiting_for_turn and o.database_id = i.database_id and o.id <> i.id
                     and (o.small or not i.small) and o.payload_sha256 is not null
                     and ((o.turn < i.turn
                           and o.state in ('queued', 'preparing', 'applying', 'finishing'))
                          or (not o.small and o.state in ('applying', 'finishing')))) b
         ) w on i.finished_at is null
         cross join lateral (
             select coalesce(sum(chunks), 0)::bigint as chunks,
                 coalesce(sum(created), 0)::bigint as created,
                 coalesce(sum(updated), 0)::bigint as updated,
                 coalesce(sum(unchanged), 0)::bigint as unchanged,
                 coalesce(sum(ignored), 0)::bigint as ignored,
                 coalesce(sum(deleted), 0)::bigint as deleted,
                 coalesce(sum(rejected), 0)::bigint as rejected,
                 coalesce(sum(profiles_removed), 0)::bigint as profiles_removed,
                 coalesce(sum(subprofiles_removed), 0)::bigint as subprofiles_removed,
                 coalesce(sum(coerced), 0)::bigint as coerced,
                 coalesce(sum(links_created), 0)::bigint as links_created,
                 coalesce(sum(links_deleted), 0)::bigint as links_deleted,
                 coalesce(sum(linked_created), 0)::bigint as linked_created,
                 coalesce(sum(linked_updated), 0)::bigint as linked_updated,
                 coalesce(sum(profiles_created), 0)::bigint as profiles_created,
                 coalesce(sum(profiles_updated), 0)::bigint as profiles_updated,
                 coalesce(sum(profiles_deleted), 0)::bigint as profiles_deleted,
                 coalesce(sum(subprofiles_created), 0)::bigint as subprofiles_created,
                 coalesce(sum(subprofiles_updated), 0)::bigint as subprofiles_updated,
                 coalesce(sum(subprofiles_deleted), 0)::bigint as subprofiles_deleted
             from lanes where lanes.import_id = i.id) b
             where i.account_id = $1 "
    };
}

/// The status of the account's import. A statement of its own: clients ask for it again and again, and
/// it is found by its number alone.
pub async fn find(
    connection: &mut PgConnection,
    account_id: i64,
    id: i64,
) -> Result<Status, Error> {
    let found = sqlx::query_as(concat!(statuses!(), "and i.id = $3"))
        .bind(account_id)
        .bind(RECENT_SECS)
        .bind(id)
        .fetch_optional(connection)
        .await?;
    found.ok_or(Error::NotFound("import"))
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

/// A page of an account's imports, newest first.
pub async fn page(
    connection: &mut PgConnection,
    account_id: i64,
    filter: &ListFilter,
    limit: i64,
) -> Result<Vec<Status>, Error> {
    Ok(sqlx::query_as(concat!(
        statuses!(),
        "and ($3::text is null or i.state = $3)
         and ($4::bigint is null or i.database_id = $4)
         and ($5::bigint is null or i.id < $5)
         order by i.id desc limit $6"
    ))
    .bind(account_id)
    .bind(RECENT_SECS)
    .bind(filter.state.map(State::as_str))
    .bind(filter.database_id)
    .bind(filter.before)
    .bind(limit)
    .fetch_all(connection)
    .await?)
}

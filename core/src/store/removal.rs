//! The removal of an import, from its first judgement to its end: what its rows named, what the brake
//! says, what was approved, and how far it is. Every change of state names the states before it.

use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};

use crate::brake::{Brake, Payload, Reason};
use crate::error::Error;
use crate::import::RemovalState;
use crate::limits::{CHANGES_KEPT_DAYS, HELD_HOURS};
use crate::store::connect::lock_database;

/// A removal as it stands.
#[derive(Debug, Clone)]
pub struct Removal {
    /// Where it stands.
    pub state: RemovalState,
    /// The tables that are cleaned: the profiles' first.
    pub tables: Vec<i64>,
    /// How many an approval allows.
    pub approved: Option<i64>,
    /// Everything up to this id is removed.
    pub after_id: i64,
}

#[derive(FromRow)]
struct Row {
    state: String,
    tables: Vec<i64>,
    approved: Option<i64>,
    after_id: i64,
}

/// Waits until no chunk is on its way into the database of an import that removes, and keeps others from
/// beginning until the acceptance is committed. Chunks that are applied side by side write before
/// the one before them commits: only where none is under way do times part what was written before.
/// The first statement of its transaction but those on rows that nobody else knows: whoever ends an
/// import changes leases under this lock.
pub async fn wait_for_writers(tx: &mut PgConnection, import_id: i64) -> Result<(), Error> {
    let database: Option<i64> = sqlx::query_scalar(
        "select database_id from imports
         where id = $1 and coalesce(definition ->> 'remove_missing', 'false') = 'true'",
    )
    .bind(import_id)
    .fetch_optional(&mut *tx)
    .await?;
    match database {
        Some(database) => lock_database(tx, database).await,
        None => Ok(()),
    }
}

/// Notes what was written before the import was accepted: whatever another import writes later is
/// spared. All writes of a database are in one order, so the newest chunk that is committed now parts
/// the two; the times of profiles are those of statements under the database's lock, which the caller
/// has. Without any chunk in the log, a writer may still be on its way, and none takes minutes.
pub async fn note_acceptance(tx: &mut PgConnection, import_id: i64) -> Result<(), Error> {
    sqlx::query(
        "update imports i set spares_after = coalesce(
             (select max(c.committed_at) from chunks c join imports o on o.id = c.import_id
              where o.database_id = i.database_id or i.database_id = any(c.linked_database_ids)),
             now() - interval '10 minutes')
         where i.id = $1 and i.spares_after is null
           and coalesce(i.definition ->> 'remove_missing', 'false') = 'true'",
    )
    .bind(import_id)
    .execute(tx)
    .await?;
    Ok(())
}

/// Begins a removal: its rows are about to be applied.
pub async fn open(tx: &mut PgConnection, import_id: i64, tables: &[i64]) -> Result<(), Error> {
    sqlx::query("insert into removals (import_id, tables) values ($1, $2) on conflict do nothing")
        .bind(import_id)
        .bind(tables)
        .execute(tx)
        .await?;
    Ok(())
}

/// Keeps what rows named. Part of the chunk's transaction.
pub async fn keep_seen(tx: &mut PgConnection, import_id: i64, ids: &[i64]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into seen (import_id, id) select $1, i from unnest($2::bigint[]) i
         on conflict do nothing",
    )
    .bind(import_id)
    .bind(ids)
    .execute(tx)
    .await?;
    Ok(())
}

/// The removal of an import, locked against other changes of it.
pub async fn find(tx: &mut PgConnection, import_id: i64) -> Result<Removal, Error> {
    let row: Option<Row> = sqlx::query_as(
        "select state, tables, approved, after_id from removals where import_id = $1 for update",
    )
    .bind(import_id)
    .fetch_optional(tx)
    .await?;
    let row = row.ok_or(Error::NotFound("removal"))?;
    Ok(Removal {
        state: RemovalState::parse(&row.state).ok_or(Error::Unreadable(row.state))?,
        tables: row.tables,
        approved: row.approved,
        after_id: row.after_id,
    })
}

#[derive(FromRow)]
struct PayloadRow {
    rows: i64,
    rejected: i64,
    keys_unread: i64,
    bytes: i64,
}

/// The import as the brake looks at it. The one before is the last that cleaned the same tables by the
/// same keys; one whose removal was refused is no measure.
pub async fn payload(tx: &mut PgConnection, import_id: i64) -> Result<Payload, Error> {
    let row: PayloadRow = sqlx::query_as(
        "select coalesce(i.rows_total, 0) as rows, coalesce(i.payload_bytes, 0) as bytes,
             coalesce(sum(l.rejected), 0)::bigint as rejected,
             coalesce(sum(l.keys_unread), 0)::bigint as keys_unread
         from imports i left join lanes l on l.import_id = i.id where i.id = $1 group by i.id",
    )
    .bind(import_id)
    .fetch_one(&mut *tx)
    .await?;
    let before: Option<(Option<i64>, Option<i64>)> = sqlx::query_as(
        "select o.rows_total, o.payload_bytes
         from imports i join removals r on r.import_id = i.id
         join imports o on o.database_id = i.database_id and o.id <> i.id
             and o.state in ('completed', 'completed_with_rejects')
             and (select array_agg(lower(key) order by lower(key))
                  from jsonb_array_elements_text(o.definition -> 'key_fields') key)
                 is not distinct from
                 (select array_agg(lower(key) order by lower(key))
                  from jsonb_array_elements_text(i.definition -> 'key_fields') key)
             and o.definition -> 'match_by' is not distinct from i.definition -> 'match_by'
         join removals p on p.import_id = o.id and p.tables = r.tables and p.state = 'done'
         where i.id = $1 order by o.finished_at desc, o.id desc limit 1",
    )
    .bind(import_id)
    .fetch_optional(tx)
    .await?;
    Ok(Payload {
        rows: row.rows,
        rejected: row.rejected,
        keys_unread: row.keys_unread,
        bytes: row.bytes,
        before: before.and_then(|(rows, bytes)| rows.zip(bytes)),
    })
}

#[derive(FromRow)]
struct BrakeRow {
    brake_percent: Option<i32>,
    brake_percent_below_100: Option<i32>,
    brake_count: Option<i64>,
    brake_allows_empty: bool,
}

/// The brake of a database.
pub async fn brake(connection: &mut PgConnection, database: i64) -> Result<Brake, Error> {
    let row: Option<BrakeRow> = sqlx::query_as(
        "select brake_percent, brake_percent_below_100, brake_count, brake_allows_empty
         from databases where id = $1",
    )
    .bind(database)
    .fetch_optional(connection)
    .await?;
    let row = row.ok_or(Error::NotFound("database"))?;
    let default = Brake::default();
    Ok(Brake {
        percent: row.brake_percent.map_or(default.percent, i64::from),
        percent_below_100: row
            .brake_percent_below_100
            .map_or(default.percent_below_100, i64::from),
        count: row.brake_count,
        allow_empty: row.brake_allows_empty,
    })
}

/// What is asked of a brake; none of them changes nothing, `Some(None)` is the default again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NewBrake {
    /// See [`Brake::percent`].
    pub percent: Option<Option<i32>>,
    /// See [`Brake::percent_below_100`].
    pub percent_below_100: Option<Option<i32>>,
    /// See [`Brake::count`].
    pub count: Option<Option<i64>>,
    /// See [`Brake::allow_empty`].
    pub allow_empty: Option<bool>,
}

/// Changes the brake of a database. What is judged later is judged by it.
pub async fn change_brake(
    connection: &mut PgConnection,
    database: i64,
    new: &NewBrake,
) -> Result<(), Error> {
    sqlx::query(
        "update databases set
             brake_percent = case when $2 then $3 else brake_percent end,
             brake_percent_below_100 = case when $4 then $5 else brake_percent_below_100 end,
             brake_count = case when $6 then $7 else brake_count end,
             brake_allows_empty = coalesce($8, brake_allows_empty)
         where id = $1",
    )
    .bind(database)
    .bind(new.percent.is_some())
    .bind(new.percent.flatten())
    .bind(new.percent_below_100.is_some())
    .bind(new.percent_below_100.flatten())
    .bind(new.count.is_some())
    .bind(new.count.flatten())
    .bind(new.allow_empty)
    .execute(connection)
    .await?;
    Ok(())
}

/// What a judgement counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Judged {
    /// Profiles that would go.
    pub profiles: i64,
    /// Subprofiles that would go.
    pub subprofiles: i64,
    /// Profiles that are there.
    pub living: i64,
}

/// Writes down what a judgement counted, and where the removal stands after it.
pub async fn judged(
    tx: &mut PgConnection,
    import_id: i64,
    (counts, reasons): (&Judged, &[Reason]),
    state: RemovalState,
) -> Result<(), Error> {
    sqlx::query(
        "update removals set state = $2, reasons = $3, profiles = $4, subprofiles = $5, living = $6,
             held_until = case when $2 = 'held' and state = 'held' then held_until
                               when $2 = 'held' then now() + make_interval(hours => $7) end
         where import_id = $1 and state in ('pending', 'approved', 'held')",
    )
    .bind(import_id)
    .bind(state.as_str())
    .bind(Json(reasons))
    .bind(counts.profiles)
    .bind(counts.subprofiles)
    .bind(counts.living)
    .bind(HELD_HOURS)
    .execute(tx)
    .await?;
    Ok(())
}

/// Allows a held removal, as long as no more than `approved` go.
pub async fn approve(tx: &mut PgConnection, import_id: i64, approved: i64) -> Result<(), Error> {
    sqlx::query(
        "update removals set state = 'approved', approved = $2, held_until = null
         where import_id = $1 and state = 'held'",
    )
    .bind(import_id)
    .bind(approved)
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends a removal that is not under way.
pub async fn end(tx: &mut PgConnection, import_id: i64, state: RemovalState) -> Result<(), Error> {
    sqlx::query(
        "update removals set state = $2, held_until = null
         where import_id = $1 and state not in ('refused', 'expired', 'done')",
    )
    .bind(import_id)
    .bind(state.as_str())
    .execute(tx)
    .await?;
    Ok(())
}

/// Moves on to behind `to_id` and counts what went: the last statements of a chunk of a removal. Who
/// lost the epoch finds no row here, and everything before it is undone.
pub async fn move_on(
    tx: &mut PgConnection,
    (import_id, epoch): (i64, i64),
    to_id: i64,
    (profiles, subprofiles): (i64, i64),
) -> Result<(), Error> {
    sqlx::query(
        "insert into chunks (import_id, lane, first_row, next_row, removed_after_id, removed_to_id)
         select r.import_id, 0, l.next_row, l.next_row, r.after_id, $2
         from removals r join lanes l on l.import_id = r.import_id and l.lane = 0
         where r.import_id = $1",
    )
    .bind(import_id)
    .bind(to_id)
    .execute(&mut *tx)
    .await?;
    let moved = sqlx::query(
        "with moved as (
             update removals set after_id = $3
             where import_id = $1 and state = 'removing' and after_id < $3 returning import_id)
         update lanes l set chunks = chunks + 1, profiles_removed = profiles_removed + $4,
             subprofiles_removed = subprofiles_removed + $5
         from moved m where l.import_id = m.import_id and l.lane = 0 and l.epoch = $2",
    )
    .bind(import_id)
    .bind(epoch)
    .bind(to_id)
    .bind(profiles)
    .bind(subprofiles)
    .execute(tx)
    .await?;
    match moved.rows_affected() {
        1 => Ok(()),
        _ => Err(Error::LeaseLost),
    }
}

/// The end of a removal stands in the order of truth too: behind this line nothing is left to remove.
pub async fn log_end(tx: &mut PgConnection, import_id: i64) -> Result<(), Error> {
    sqlx::query(
        "insert into chunks (import_id, lane, first_row, next_row, removed_after_id, removed_to_id)
         select r.import_id, 0, l.next_row, l.next_row, r.after_id, r.after_id
         from removals r join lanes l on l.import_id = r.import_id and l.lane = 0
         where r.import_id = $1",
    )
    .bind(import_id)
    .execute(tx)
    .await?;
    Ok(())
}

/// Imports whose removal was held for too long, with their databases.
pub async fn overdue(connection: &mut PgConnection) -> Result<Vec<(i64, i64)>, Error> {
    Ok(sqlx::query_as(
        "select r.import_id, i.database_id from removals r join imports i on i.id = r.import_id
         where r.state = 'held' and r.held_until < now() order by r.held_until limit 100",
    )
    .fetch_all(connection)
    .await?)
}

/// Purges some of what ended imports saw. False: there is nothing left.
pub async fn purge_seen(connection: &mut PgConnection) -> Result<bool, Error> {
    let ended: Option<i64> = sqlx::query_scalar(
        "select r.import_id from removals r join imports i on i.id = r.import_id
         where not r.seen_purged and i.finished_at is not null order by r.import_id limit 1",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(ended) = ended else {
        return Ok(false);
    };
    let purged = sqlx::query(
        "delete from seen where (import_id, id) in
             (select import_id, id from seen where import_id = $1 limit 10000)",
    )
    .bind(ended)
    .execute(&mut *connection)
    .await?;
    if purged.rows_affected() == 0 {
        sqlx::query("update removals set seen_purged = true where import_id = $1")
            .bind(ended)
            .execute(connection)
            .await?;
    }
    Ok(true)
}

/// What was removed is remembered for a while. False: there is nothing left to forget.
pub async fn forget_changes(connection: &mut PgConnection) -> Result<bool, Error> {
    let forgotten = sqlx::query(
        "delete from changes where seq in (select seq from changes
             where changed_at < now() - make_interval(days => $1) order by changed_at limit 10000)",
    )
    .bind(CHANGES_KEPT_DAYS)
    .execute(connection)
    .await?;
    Ok(forgotten.rows_affected() > 0)
}

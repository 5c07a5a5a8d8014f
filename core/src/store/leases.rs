//! Leases: the right to try. Postgres' clock decides; the epoch they carry decides who may write.

use std::time::Duration;

use sqlx::{FromRow, PgConnection};

use crate::error::Error;
use crate::queue::Verb;
use crate::store::connect::interval;
use crate::store::imports::expect_one;

/// A lease as its claimant got it.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Claim {
    /// The import.
    pub import_id: i64,
    /// The epoch that the claimant writes under.
    pub epoch: i64,
    /// How often a holder vanished since the last chunk. None counts that vanished before the first
    /// row was tried: no row can be at fault.
    pub rescues: i32,
    /// How often the job failed in a way that may pass.
    pub attempts: i32,
    /// Whether the import is small, as far as is known.
    pub small: bool,
    /// Its database.
    pub database_id: i64,
    /// Backends of the holder before, which may still be in the middle of something.
    pub old_backend_pids: Vec<i32>,
}

/// What a free slot may take.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The job.
    pub verb: Verb,
    /// Only what is small: the last free slot is not given to an import that takes long.
    pub small_only: bool,
    /// Databases whose small imports are left to whoever applies such ones already.
    pub busy: Vec<i64>,
}

/// Whether lease `l` is due and fits a wish: `$1` is its verb, `$2` whether it must be small, `$3` the
/// databases whose small imports are passed over.
macro_rules! fits_wish {
    () => {
        "l.verb = $1 and l.due_at <= now() and (l.small or not $2)
         and not (l.small and l.database_id = any($3))"
    };
}

/// Claims what is due, fairly: of the account that has the fewest imports in work, the oldest.
/// Equals draw lots, since any fixed order would let one account wait for all of another's imports
/// where there is but one slot. Raises the epoch, so that whoever held it before can write no more.
pub async fn claim_next(
    connection: &mut PgConnection,
    wish: &Wish,
    holder: &str,
    lease: Duration,
) -> Result<Option<Claim>, Error> {
    Ok(sqlx::query_as(concat!(
        "with recursive waiting as (
             (select account_id from leases l where ",
        fits_wish!(),
        " order by account_id limit 1)
             union all
             select (select l.account_id from leases l
                     where l.account_id > w.account_id and ",
        fits_wish!(),
        " order by l.account_id limit 1)
             from waiting w where w.account_id is not null
         ), fairest as (
             select w.account_id from waiting w where w.account_id is not null
             order by (select count(*) from leases h
                       where h.account_id = w.account_id and h.holder is not null), random()
             limit 1
         ), next as (
             select l.import_id, l.backend_pids from leases l, fairest f
             where l.account_id = f.account_id and ",
        fits_wish!(),
        " order by l.import_id limit 1 for update of l skip locked
         )
         update leases l set epoch = l.epoch + 1, holder = $4, due_at = null,
             held_until = now() + $5, renewed_at = now(), backend_pids = array[pg_backend_pid()],
             waiting_for_turn = false
         from next n where l.import_id = n.import_id
         returning l.import_id, l.database_id, l.epoch, l.attempts, l.small,
             n.backend_pids as old_backend_pids,
             case when l.rows_at_rescue > 0 then l.rescues else 0 end as rescues",
    ))
    .bind(wish.verb.as_str())
    .bind(wish.small_only)
    .bind(&wish.busy)
    .bind(holder)
    .bind(interval(lease))
    .fetch_optional(connection)
    .await?)
}

/// Whether anything is due that the wish fits, be it locked by someone at this moment or not.
pub async fn any_due(connection: &mut PgConnection, wish: &Wish) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(concat!(
        "select exists (select from leases l where ",
        fits_wish!(),
        ")"
    ))
    .bind(wish.verb.as_str())
    .bind(wish.small_only)
    .bind(&wish.busy)
    .fetch_one(connection)
    .await?)
}

/// Ends what the holder before was doing. Only backends that are a worker's: numbers are reused.
pub async fn terminate_backends(connection: &mut PgConnection, pids: &[i32]) -> Result<(), Error> {
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where pid = any($1) and pid <> pg_backend_pid() and application_name like 'longshore-work%'
           and datname = current_database()",
    )
    .bind(pids)
    .execute(connection)
    .await?;
    Ok(())
}

/// Names the backend that works under the lease from now on.
pub async fn move_to_this_backend(
    connection: &mut PgConnection,
    import_id: i64,
    epoch: i64,
) -> Result<(), Error> {
    let held = sqlx::query(
        "update leases set backend_pids = array[pg_backend_pid()] where import_id = $1 and epoch = $2
         and holder is not null",
    )
    .bind(import_id)
    .bind(epoch)
    .execute(connection)
    .await?;
    expect_one(held.rows_affected())
}

/// Names one more backend that works under the lease.
pub async fn add_this_backend(
    connection: &mut PgConnection,
    import_id: i64,
    epoch: i64,
) -> Result<(), Error> {
    let held = sqlx::query(
        "update leases set backend_pids = backend_pids || pg_backend_pid()
         where import_id = $1 and epoch = $2 and holder is not null",
    )
    .bind(import_id)
    .bind(epoch)
    .execute(connection)
    .await?;
    expect_one(held.rows_affected())
}

/// One renewal for everything that a worker holds. What is not in the answer is lost.
#[derive(Debug, Clone, Copy, FromRow)]
pub struct Renewed {
    /// The import.
    pub import_id: i64,
    /// Something is asked of its holder.
    pub asked: bool,
}

/// Renews leases by import and epoch.
pub async fn renew(
    connection: &mut PgConnection,
    held: &[(i64, i64)],
    lease: Duration,
) -> Result<Vec<Renewed>, Error> {
    let (imports, epochs): (Vec<i64>, Vec<i64>) = held.iter().copied().unzip();
    Ok(sqlx::query_as(
        "update leases l set held_until = now() + $3, renewed_at = now()
         from unnest($1::bigint[], $2::bigint[]) as h(import_id, epoch)
         where l.import_id = h.import_id and l.epoch = h.epoch and l.holder is not null
         returning l.import_id, l.cancel_requested or l.pause_requested as asked",
    )
    .bind(imports)
    .bind(epochs)
    .bind(interval(lease))
    .fetch_all(connection)
    .await?)
}

/// Locks the lease for a step that is no chunk, if it is still ours. The first statement of its
/// transaction: from here on nobody can claim the import.
pub async fn fence(tx: &mut PgConnection, import_id: i64, epoch: i64) -> Result<(), Error> {
    let held: Option<i64> = sqlx::query_scalar(
        "select import_id from leases where import_id = $1 and epoch = $2 and holder is not null
         for update",
    )
    .bind(import_id)
    .bind(epoch)
    .fetch_optional(tx)
    .await?;
    held.map(|_| ()).ok_or(Error::LeaseLost)
}

/// Locks an import's lease, whoever has it: the first statement of a door that changes its state.
/// Leases are always locked before imports.
pub async fn lock(tx: &mut PgConnection, import_id: i64) -> Result<(), Error> {
    sqlx::query("select from leases where import_id = $1 for update")
        .bind(import_id)
        .execute(tx)
        .await?;
    Ok(())
}

/// Makes an import due that nothing could be done for before.
pub async fn make_due(tx: &mut PgConnection, import_id: i64, verb: Verb) -> Result<(), Error> {
    sqlx::query(
        "update leases set due_at = now(), verb = $2 where import_id = $1 and holder is null",
    )
    .bind(import_id)
    .bind(verb.as_str())
    .execute(tx)
    .await?;
    Ok(())
}

/// Makes an import that nobody holds due for the job that it waits for, so that a worker comes by and
/// obeys what was asked.
pub async fn wake(connection: &mut PgConnection, import_id: i64) -> Result<(), Error> {
    sqlx::query(
        "update leases set due_at = now(), waiting_for_turn = false
         where import_id = $1 and holder is null and (cancel_requested or pause_requested)",
    )
    .bind(import_id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives the lease back. The import is due again after `wait`, for `verb`; none: nothing to do.
/// A request that the holder did not see any more makes it due at once.
pub async fn release(
    tx: &mut PgConnection,
    import_id: i64,
    epoch: i64,
    next: Option<(Verb, Duration)>,
) -> Result<(), Error> {
    let released = sqlx::query(
        "update leases set holder = null, held_until = null, backend_pids = '{}',
             verb = coalesce($3, verb),
             due_at = case when cancel_requested or pause_requested then now() else now() + $4 end
         where import_id = $1 and epoch = $2 and holder is not null",
    )
    .bind(import_id)
    .bind(epoch)
    .bind(next.map(|(verb, _)| verb.as_str()))
    .bind(next.map(|(_, wait)| interval(wait)))
    .execute(tx)
    .await?;
    expect_one(released.rows_affected())
}

/// What crashed before is behind us: crashes are counted anew.
pub async fn forget_rescues(connection: &mut PgConnection, import_id: i64) -> Result<(), Error> {
    sqlx::query("update leases set rescues = 0 where import_id = $1")
        .bind(import_id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes whether an import is small, which its payload or its survey decides.
pub async fn note_size(tx: &mut PgConnection, import_id: i64) -> Result<(), Error> {
    sqlx::query(
        "update leases l set small = i.small from imports i where i.id = $1 and l.import_id = $1",
    )
    .bind(import_id)
    .execute(tx)
    .await?;
    Ok(())
}

/// Counts an attempt that failed in a way that may pass; returns how many there were.
pub async fn count_attempt(tx: &mut PgConnection, import_id: i64) -> Result<i32, Error> {
    Ok(sqlx::query_scalar(
        "update leases set attempts = attempts + 1 where import_id = $1 returning attempts",
    )
    .bind(import_id)
    .fetch_one(tx)
    .await?)
}

/// The right to sweep, until the end of the transaction and no longer: a sweeper that is frozen
/// keeps it until Postgres ends its idle transaction, not for as long as it lives.
pub async fn try_sweep(tx: &mut PgConnection) -> Result<bool, Error> {
    Ok(
        sqlx::query_scalar("select pg_try_advisory_xact_lock(4802, 1)")
            .fetch_one(tx)
            .await?,
    )
}

/// Takes away what was not renewed in time, and makes it due. A rescue counts only when no row was
/// committed since the one before. Returns what was taken.
pub async fn take_expired(connection: &mut PgConnection) -> Result<Vec<(i64, String)>, Error> {
    Ok(sqlx::query_as(
        "update leases l set holder = null, held_until = null, due_at = now(),
             rescues = case when p.rows > l.rows_at_rescue then 1 else l.rescues + 1 end,
             rows_at_rescue = p.rows
         from (select h.import_id, coalesce((select sum(next_row) from lanes where lanes.import_id = h.import_id), 0) as rows
               from leases h where h.holder is not null and h.held_until < now()
               order by h.held_until limit 1000 for update skip locked) p
         where l.import_id = p.import_id
         returning l.import_id, l.verb",
    )
    .fetch_all(connection)
    .await?)
}

/// What is due and was not claimed for `since`: its ticket may be lost. Keyset by import.
pub async fn unclaimed(
    connection: &mut PgConnection,
    after: i64,
    since: Duration,
) -> Result<Vec<(i64, String)>, Error> {
    Ok(sqlx::query_as(
        "select import_id, verb from leases where due_at < now() - $2::interval and import_id > $1
         order by import_id limit 1000",
    )
    .bind(after)
    .bind(interval(since))
    .fetch_all(connection)
    .await?)
}

/// Ends the lease of an import that its holder has brought to its end, under the fence.
pub async fn close(tx: &mut PgConnection, import_id: i64) -> Result<(), Error> {
    sqlx::query(
        "update leases set holder = null, held_until = null, due_at = null, backend_pids = '{}',
             waiting_for_turn = false, pause_requested = false
         where import_id = $1",
    )
    .bind(import_id)
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes the lease, and the right to write, away from whoever may still believe to have it: for
/// an import that ends without a worker.
pub async fn revoke(tx: &mut PgConnection, import_id: i64) -> Result<(), Error> {
    close(tx, import_id).await?;
    sqlx::query(
        "with raised as (
             update leases set epoch = epoch + 1 where import_id = $1 returning epoch
         )
         update lanes set epoch = raised.epoch from raised where import_id = $1",
    )
    .bind(import_id)
    .execute(tx)
    .await?;
    Ok(())
}

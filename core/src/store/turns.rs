//! Whose turn it is on a database. Imports apply in the order of their acceptance, one large one
//! at a time; small ones go between two chunks of a large one. An import without its snapshot is
//! not in line yet: while a source is fetched again and again, others go first. Callers hold the
//! database's lock, so that no two look at once; it is taken before any lease, and leases before
//! imports.

use sqlx::PgConnection;

use crate::error::Error;
use crate::queue::Verb;
use crate::store::imports::expect_one;

/// Whether import `i` has its turn: nobody who comes before it is still to be done. A small import
/// waits for small ones only. One that has begun keeps its turn, also against an earlier one whose
/// snapshot came later; otherwise the two would wait for each other for ever.
macro_rules! has_turn {
    () => {
        "(i.state in ('applying', 'finishing') or not exists (
             select from imports o
             where o.database_id = i.database_id and o.id <> i.id and (o.small or not i.small)
               and o.payload_sha256 is not null
               and ((o.turn < i.turn and o.state in ('queued', 'preparing', 'applying', 'finishing'))
                    or (not o.small and o.state in ('applying', 'finishing')))))"
    };
}

/// Whether an import has its turn.
pub async fn is_next(tx: &mut PgConnection, id: i64) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(concat!(
        "select ",
        has_turn!(),
        " from imports i where i.id = $1"
    ))
    .bind(id)
    .fetch_one(tx)
    .await?)
}

/// Gives the lease back until the turn comes, unless something was asked: to obey needs no turn.
pub async fn wait(tx: &mut PgConnection, id: i64, epoch: i64) -> Result<(), Error> {
    let waiting = sqlx::query(
        "update leases set holder = null, held_until = null, backend_pids = '{}',
             due_at = case when cancel_requested or pause_requested then now() end,
             waiting_for_turn = not (cancel_requested or pause_requested)
         where import_id = $1 and epoch = $2 and holder is not null",
    )
    .bind(id)
    .bind(epoch)
    .execute(tx)
    .await?;
    expect_one(waiting.rows_affected())
}

/// Makes due whose turn has come on a database: one small and one large import at most. Returns the
/// imports to ring for.
pub async fn wake_next(tx: &mut PgConnection, database_id: i64) -> Result<Vec<i64>, Error> {
    Ok(sqlx::query_scalar(concat!(
        "update leases l set due_at = now(), waiting_for_turn = false, verb = $2
         from (select distinct on (i.small) i.id, i.database_id, i.small, i.turn, i.state
               from imports i join leases w on w.import_id = i.id
               where i.database_id = $1 and w.waiting_for_turn
                 and i.state in ('queued', 'fetching', 'preparing', 'applying', 'finishing')
               order by i.small, i.turn) i
         where l.import_id = i.id and l.waiting_for_turn and ",
        has_turn!(),
        " returning l.import_id"
    ))
    .bind(database_id)
    .bind(Verb::Apply.as_str())
    .fetch_all(tx)
    .await?)
}

/// Databases in which someone waits although the turn has come: the sweep wakes them, should whoever
/// was to do so have missed it. Takes no lock, so that a sweep waits for no writer, and none for it.
pub async fn databases_to_wake(connection: &mut PgConnection) -> Result<Vec<i64>, Error> {
    Ok(sqlx::query_scalar(concat!(
        "select distinct i.database_id
         from (select distinct on (i.database_id, i.small)
                      i.id, i.database_id, i.small, i.turn, i.state
               from leases l join imports i on i.id = l.import_id
               where l.waiting_for_turn
               order by i.database_id, i.small, i.turn) i
         where ",
        has_turn!()
    ))
    .fetch_all(connection)
    .await?)
}

//! The transaction of a chunk: rows, rejects, books and checkpoint commit together or not at all.

use longshore_core::error::{Class, Error};
use longshore_core::import::{Failure, State};
use longshore_core::plan::Plan;
use longshore_core::store::chunks::{self, Span};
use longshore_core::store::connect::lock_databases;
use longshore_core::store::{endings, imports, leases, rejects, turns};
use sqlx::{Connection, PgConnection};

use super::chunk::Chunk;
use super::give_up::{self, Standing};
use super::name;
use super::numbers::Numbers;
use super::pieces::{Outcome, Pieces, fold_all_keys};
use super::write::{self, Applied};

/// What a chunk is applied for.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) import_id: i64,
    pub(crate) database_id: i64,
    pub(crate) epoch: i64,
}

impl Target<'_> {
    /// Every database that is written to: nobody else writes there meanwhile.
    pub(crate) fn databases(&self) -> Vec<i64> {
        let mut databases = self.linked();
        databases.push(self.database_id);
        databases
    }

    /// Those of them that are reached by links.
    pub(crate) fn linked(&self) -> Vec<i64> {
        let others = self.plan.other_databases();
        others.map(|number| number.0).collect()
    }
}

/// What a committed chunk leads to.
pub(crate) enum Committed {
    /// There is more to apply.
    More,
    /// All rows are applied; the removal comes next.
    Rows,
    /// The import is complete; these may be next on its database.
    Complete(Vec<i64>),
    /// The import failed for its rejects; these may be next.
    GivenUp(Vec<i64>),
}

/// Applies a chunk and commits it; the last one completes the import in the same transaction.
pub(crate) async fn commit(
    connection: &mut PgConnection,
    target: &Target<'_>,
    chunk: &mut Chunk,
) -> Result<Committed, Error> {
    fold_all_keys(connection, chunk).await?;
    if !target.plan.goes_row_by_row() {
        match attempt(connection, target, chunk, true).await {
            Err(error) if error.class() == Class::Data => {}
            done => return done,
        }
    }
    attempt(connection, target, chunk, false).await
}

async fn attempt(
    connection: &mut PgConnection,
    target: &Target<'_>,
    chunk: &Chunk,
    at_once: bool,
) -> Result<Committed, Error> {
    let mut tx = connection.begin().await?;
    lock_databases(&mut tx, &target.databases()).await?;
    let mut pieces = Pieces::of(target, chunk, Numbers::default());
    match at_once {
        true => pieces.apply_whole(&mut tx, &chunk.all_rows()).await?,
        false => pieces.apply_cut(&mut tx, &chunk.all_rows()).await?,
    }
    let committed = settle(&mut tx, target, chunk, pieces.outcome).await?;
    tx.commit().await?;
    Ok(committed)
}

/// Everything behind the rows: whom the rejects protect, the rejects, the place in the order of truth,
/// and last the checkpoint with the books.
pub(super) async fn settle(
    tx: &mut PgConnection,
    target: &Target<'_>,
    chunk: &Chunk,
    mut outcome: Outcome,
) -> Result<Committed, Error> {
    name::protect_rejected(tx, target.plan, chunk, target.import_id).await?;
    outcome.rejects.sort_by_key(|reject| reject.number);
    rejects::keep(tx, target.import_id, &outcome.rejects).await?;
    let span = Span {
        import_id: target.import_id,
        epoch: target.epoch,
        first_row: chunk.first_row,
        next_row: chunk.next_row,
    };
    if span.next_row > span.first_row {
        chunks::log(tx, span, &target.linked()).await?;
    }
    let span = crate::plant::before_checkpoint(tx, span).await?;
    let rejected = chunks::move_checkpoint(tx, span, &outcome.done).await?;
    let standing = Standing {
        rows: span.next_row - 1,
        rejected,
        all: chunk.last,
    };
    Ok(match give_up::judge(standing, &outcome.rejects) {
        Some(failure) => Committed::GivenUp(fail(tx, target, &failure).await?),
        None => go_on(tx, target, chunk.last).await?,
    })
}

/// Applies a chunk inside a transaction that more than this chunk belongs to.
pub(crate) async fn apply_within(
    tx: &mut PgConnection,
    target: &Target<'_>,
    chunk: &mut Chunk,
) -> Result<Outcome, Error> {
    fold_all_keys(tx, chunk).await?;
    let mut pieces = Pieces::of(target, chunk, Numbers::default());
    pieces.apply_guarded(tx, &chunk.all_rows()).await?;
    let mut outcome = pieces.outcome;
    name::protect_rejected(tx, target.plan, chunk, target.import_id).await?;
    outcome.rejects.sort_by_key(|reject| reject.number);
    Ok(outcome)
}

/// Applies a chunk that several imports share, where an error of the data may end the transaction.
/// None: it matches too much at once.
pub(crate) async fn apply_shared(
    tx: &mut PgConnection,
    target: &Target<'_>,
    chunk: &mut Chunk,
) -> Result<Option<Applied>, Error> {
    fold_all_keys(tx, chunk).await?;
    let rows = chunk.all_rows();
    write::apply(tx, target, (chunk, &rows), &mut Numbers::default()).await
}

async fn go_on(tx: &mut PgConnection, target: &Target<'_>, last: bool) -> Result<Committed, Error> {
    Ok(match (last, target.plan.remove_missing) {
        (false, _) => Committed::More,
        (true, false) => Committed::Complete(complete(tx, target).await?),
        (true, true) => {
            leases::fence(tx, target.import_id, target.epoch).await?;
            imports::enter(tx, target.import_id, State::Finishing).await?;
            Committed::Rows
        }
    })
}

/// The books are closed, the lease goes, and the next in line is woken.
pub(crate) async fn complete(
    tx: &mut PgConnection,
    target: &Target<'_>,
) -> Result<Vec<i64>, Error> {
    leases::fence(tx, target.import_id, target.epoch).await?;
    endings::complete(tx, target.import_id).await?;
    leases::close(tx, target.import_id).await?;
    turns::wake_next(tx, target.database_id).await
}

/// The import ends here, whatever rows are left; the lease goes, and the next in line is woken.
async fn fail(
    tx: &mut PgConnection,
    target: &Target<'_>,
    failure: &Failure,
) -> Result<Vec<i64>, Error> {
    leases::fence(tx, target.import_id, target.epoch).await?;
    endings::fail(tx, target.import_id, failure).await?;
    leases::close(tx, target.import_id).await?;
    turns::wake_next(tx, target.database_id).await
}

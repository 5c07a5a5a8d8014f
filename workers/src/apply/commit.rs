//! The transaction of a chunk: rows, rejects, books and checkpoint commit together or not at all.
//! A data error never ends a chunk: it is bisected down to its row.

use std::ops::Range;

use longshore_core::cell::Cell;
use longshore_core::code::Code;
use longshore_core::error::{Class, Error, violated};
use longshore_core::import::{Effects, Failure, Reject, State, Totals};
use longshore_core::plan::Plan;
use longshore_core::store::chunks::{self, Done, Span};
use longshore_core::store::connect::lock_databases;
use longshore_core::store::{endings, imports, leases, profiles, rejects, turns, typed};
use longshore_core::value;
use sqlx::{Connection, PgConnection};

use super::chunk::{Chunk, Slot};
use super::give_up::{self, Standing};
use super::name;
use super::typing::{field_name, shown};
use super::write::{self, Piece};

/// What a chunk is applied for.
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
        match attempt(connection, target, chunk, Cut::Whole).await {
            Err(error) if error.class() == Class::Data => {}
            done => return done,
        }
    }
    attempt(connection, target, chunk, Cut::Pieces).await
}

/// How the rows of a chunk are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// All at once.
    Whole,
    /// Under savepoints, cut smaller where the data makes an error.
    Pieces,
}

async fn fold_all_keys(connection: &mut PgConnection, chunk: &mut Chunk) -> Result<(), Error> {
    fold_keys(connection, chunk).await?;
    match &mut chunk.named {
        Some(named) => fold_keys(connection, named).await,
        None => Ok(()),
    }
}

async fn fold_keys(connection: &mut PgConnection, chunk: &mut Chunk) -> Result<(), Error> {
    if chunk.unfolded.is_empty() {
        return Ok(());
    }
    let places = std::mem::take(&mut chunk.unfolded);
    let texts: Vec<&str> = places
        .iter()
        .map(|place| std::str::from_utf8(chunk.bytes(chunk.keys[*place])).unwrap_or_default())
        .collect();
    let folded = profiles::fold(connection, &texts).await?;
    for (place, text) in places.into_iter().zip(folded) {
        chunk.put_folded(place, &text);
    }
    Ok(())
}

async fn attempt(
    connection: &mut PgConnection,
    target: &Target<'_>,
    chunk: &Chunk,
    cut: Cut,
) -> Result<Committed, Error> {
    let mut tx = connection.begin().await?;
    lock_databases(&mut tx, &target.databases()).await?;
    let outcome = apply_rows(&mut tx, target, chunk, cut).await?;
    rejects::keep(&mut tx, target.import_id, &outcome.rejects).await?;
    let span = Span {
        import_id: target.import_id,
        epoch: target.epoch,
        first_row: chunk.first_row,
        next_row: chunk.next_row,
    };
    if span.next_row > span.first_row {
        chunks::log(&mut tx, span, &target.linked()).await?;
    }
    let span = crate::plant::before_checkpoint(&mut tx, span).await?;
    let rejected = chunks::move_checkpoint(&mut tx, span, &outcome.done).await?;
    let standing = Standing {
        rows: span.next_row - 1,
        rejected,
        all: chunk.last,
    };
    let committed = match give_up::judge(standing, &outcome.rejects) {
        Some(failure) => Committed::GivenUp(fail(&mut tx, target, &failure).await?),
        None => go_on(&mut tx, target, chunk.last).await?,
    };
    tx.commit().await?;
    Ok(committed)
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

/// What the rows of a chunk come to, inside a transaction of the caller.
async fn apply_rows(
    tx: &mut PgConnection,
    target: &Target<'_>,
    chunk: &Chunk,
    cut: Cut,
) -> Result<Outcome, Error> {
    let mut outcome = Outcome::of_unreadable_rows(chunk);
    match cut {
        Cut::Whole => {
            let all = 0..chunk.rows.len();
            match write::apply(tx, target.plan, chunk, all.clone(), target.import_id).await? {
                Piece::Applied(done, rejects) => outcome.add(done, rejects),
                Piece::TooLarge => in_pieces(tx, target, chunk, &mut outcome).await?,
            }
        }
        Cut::Pieces => in_pieces(tx, target, chunk, &mut outcome).await?,
    }
    name::protect_rejected(tx, target.plan, chunk, target.import_id).await?;
    outcome.rejects.sort_by_key(|reject| reject.number);
    Ok(outcome)
}

/// Applies a chunk inside a transaction that more than this chunk belongs to.
pub(crate) async fn apply_within(
    tx: &mut PgConnection,
    target: &Target<'_>,
    chunk: &mut Chunk,
) -> Result<Outcome, Error> {
    fold_all_keys(tx, chunk).await?;
    if !target.plan.goes_row_by_row() {
        let mut savepoint = tx.begin().await?;
        match apply_rows(&mut savepoint, target, chunk, Cut::Whole).await {
            Err(error) if error.class() == Class::Data => savepoint.rollback().await?,
            Err(error) => return Err(error),
            Ok(outcome) => {
                savepoint.commit().await?;
                return Ok(outcome);
            }
        }
    }
    apply_rows(tx, target, chunk, Cut::Pieces).await
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

/// Takes the rows in their order, in pieces that are halved where one fails. Where unique fields
/// are written every row is a piece: the order in which values are freed and taken decides.
async fn in_pieces(
    tx: &mut PgConnection,
    target: &Target<'_>,
    chunk: &Chunk,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let rows = chunk.rows.len();
    let mut todo: Vec<Range<usize>> = match target.plan.goes_row_by_row() {
        true => (0..rows).rev().map(|row| row..row + 1).collect(),
        false => halves(0..rows),
    };
    while let Some(piece) = todo.pop() {
        let mut savepoint = tx.begin().await?;
        let applied = write::apply(
            &mut savepoint,
            target.plan,
            chunk,
            piece.clone(),
            target.import_id,
        )
        .await;
        match applied {
            Ok(Piece::Applied(done, rejects)) => {
                savepoint.commit().await?;
                outcome.add(done, rejects);
            }
            Ok(Piece::TooLarge) => {
                savepoint.rollback().await?;
                todo.extend(halves(piece));
            }
            Err(error) if error.class() == Class::Data => {
                savepoint.rollback().await?;
                match piece.len() {
                    1 => {
                        let reject = refused_row(target.plan, chunk, piece.start, &error);
                        outcome.refuse(reject);
                        name::protect(tx, target.plan, (chunk, piece), target.import_id).await?;
                    }
                    _ => todo.extend(halves(piece)),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Both halves, the first one on top of the stack.
fn halves(range: Range<usize>) -> Vec<Range<usize>> {
    let middle = range.start + range.len().div_ceil(2);
    [middle..range.end, range.start..middle]
        .into_iter()
        .filter(|half| !half.is_empty())
        .collect()
}

/// What Postgres refused, in words.
fn refused_row(plan: &Plan, chunk: &Chunk, row: usize, error: &Error) -> Reject {
    let position = chunk.rows[row];
    let constraint = match error {
        Error::Sql(error) => violated(error).and_then(typed::field_of_unique_index),
        _ => None,
    };
    let conflict = constraint.and_then(|id| conflicting(plan, chunk, row, id));
    let (column, value) = conflict.unzip();
    let (code, expected) = match constraint {
        Some(_) => (
            Code::UniqueConflict,
            "a value that no other profile has in this field".to_owned(),
        ),
        None => (
            Code::RowRefused,
            format!(
                "a row that Postgres accepts; it says: {}",
                error.said_by_postgres()
            ),
        ),
    };
    Reject {
        number: position.number,
        line: position.line,
        column,
        code,
        value: value.flatten(),
        expected,
    }
}

/// The column of a unique field, and what the row brings for it.
fn conflicting(
    plan: &Plan,
    chunk: &Chunk,
    row: usize,
    field_id: i64,
) -> Option<(String, Option<String>)> {
    plan.sides.iter().enumerate().find_map(|(side, side_plan)| {
        let mut fields = side_plan.fields.iter().chain(&side_plan.others);
        let place = fields.position(|field| field.id == field_id)?;
        let field = side_plan.fields.get(place);
        let brought = field.and_then(|field| match chunk.slot(row, side, place) {
            Slot::Set(start, end) => value::to_text(field.kind, chunk.bytes((start, end))).ok(),
            Slot::Blank | Slot::Absent => None,
        });
        let field = field.or_else(|| side_plan.others.get(place - side_plan.fields.len()))?;
        let value = brought.map(|text| shown(Cell::Text(&text)));
        Some((field_name(plan, side, field), value))
    })
}

/// The sum of the pieces.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) done: Done,
    pub(crate) rejects: Vec<Reject>,
}

impl Outcome {
    fn of_unreadable_rows(chunk: &Chunk) -> Outcome {
        let mut outcome = Outcome {
            rejects: chunk.rejects.clone(),
            ..Outcome::default()
        };
        outcome.done.totals.rejected = chunk.rejects.len() as i64;
        outcome.done.coerced = chunk.coerced;
        outcome.done.keys_unread = chunk.keys_unread;
        outcome
    }

    pub(crate) fn add(&mut self, done: Done, rejects: Vec<Reject>) {
        add_totals(&mut self.done.totals, &done.totals);
        add_effects(&mut self.done.profiles, &done.profiles);
        add_effects(&mut self.done.subprofiles, &done.subprofiles);
        add_effects(&mut self.done.links, &done.links);
        add_effects(&mut self.done.linked, &done.linked);
        self.done.coerced += done.coerced;
        self.done.keys_unread += done.keys_unread;
        self.rejects.extend(rejects);
    }

    fn refuse(&mut self, reject: Reject) {
        self.done.totals.rejected += 1;
        self.rejects.push(reject);
    }
}

fn add_totals(sum: &mut Totals, part: &Totals) {
    sum.created += part.created;
    sum.updated += part.updated;
    sum.unchanged += part.unchanged;
    sum.ignored += part.ignored;
    sum.deleted += part.deleted;
    sum.rejected += part.rejected;
}

fn add_effects(sum: &mut Effects, part: &Effects) {
    sum.created += part.created;
    sum.updated += part.updated;
    sum.deleted += part.deleted;
}

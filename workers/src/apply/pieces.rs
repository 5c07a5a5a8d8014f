//! What the rows of a chunk come to, inside a transaction of the caller: all at once, or cut smaller
//! where the data makes an error. A data error never ends a chunk: it is bisected down to its row.

use longshore_core::cell::Cell;
use longshore_core::code::Code;
use longshore_core::error::{Class, Error, violated};
use longshore_core::import::{Effects, Reject, Totals};
use longshore_core::plan::Plan;
use longshore_core::store::chunks::Done;
use longshore_core::store::{profiles, typed};
use longshore_core::value;
use sqlx::{Connection, PgConnection};

use super::all_new::AllNew;
use super::chunk::{Chunk, Slot};
use super::commit::Target;
use super::name;
use super::numbers::Numbers;
use super::typing::{field_name, shown};
use super::write;

/// Folds the keys that only Postgres can fold.
pub(super) async fn fold_all_keys(
    connection: &mut PgConnection,
    chunk: &mut Chunk,
) -> Result<(), Error> {
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

/// The rows of a chunk on their way into the database, and what they come to so far.
pub(super) struct Pieces<'a> {
    target: &'a Target<'a>,
    chunk: &'a Chunk,
    numbers: Numbers<'a>,
    /// Whether a row of it matched a profile.
    matched: bool,
    pub(super) outcome: Outcome,
}

impl<'a> Pieces<'a> {
    pub(super) fn of(target: &'a Target<'a>, chunk: &'a Chunk, numbers: Numbers<'a>) -> Pieces<'a> {
        Pieces {
            target,
            chunk,
            numbers,
            matched: false,
            outcome: Outcome::of_unreadable_rows(chunk),
        }
    }

    /// Applies these rows at once. An error of the data ends the transaction.
    pub(super) async fn apply_whole(
        &mut self,
        tx: &mut PgConnection,
        rows: &[usize],
    ) -> Result<(), Error> {
        let (target, of) = (self.target, (self.chunk, rows));
        match write::apply(tx, target, of, &mut self.numbers).await? {
            Some(applied) => {
                self.outcome.add(applied.done, applied.rejects);
                Ok(())
            }
            None => self.apply_cut(tx, rows).await,
        }
    }

    /// Applies these rows where an error of the data must not end the transaction.
    pub(super) async fn apply_guarded(
        &mut self,
        tx: &mut PgConnection,
        rows: &[usize],
    ) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        if self.target.plan.goes_row_by_row() {
            return self.apply_cut(tx, rows).await;
        }
        let mut savepoint = tx.begin().await?;
        let (target, of) = (self.target, (self.chunk, rows));
        match write::apply(&mut savepoint, target, of, &mut self.numbers).await {
            Ok(Some(applied)) => {
                savepoint.commit().await?;
                self.matched |= applied.matched;
                self.outcome.add(applied.done, applied.rejects);
                return Ok(());
            }
            Ok(None) => savepoint.rollback().await?,
            Err(error) if error.class() == Class::Data => savepoint.rollback().await?,
            Err(error) => return Err(error),
        }
        self.apply_cut(tx, rows).await
    }

    /// The same beside other chunks of the import, that show whether it is worth looking keys up.
    pub(super) async fn apply_beside(
        &mut self,
        tx: &mut PgConnection,
        rows: &[usize],
        all_new: &AllNew,
    ) -> Result<(), Error> {
        if rows.is_empty() || !self.target.plan.cannot_double() {
            return self.apply_guarded(tx, rows).await;
        }
        if all_new.seems_so() {
            if self.apply_as_new(tx, rows).await? {
                return Ok(());
            }
            all_new.refute();
        }
        self.apply_guarded(tx, rows).await?;
        all_new.learn(self.matched);
        Ok(())
    }

    /// False: somebody is there already, or a row is not what a new profile needs; nothing was done.
    async fn apply_as_new(&mut self, tx: &mut PgConnection, rows: &[usize]) -> Result<bool, Error> {
        let mut savepoint = tx.begin().await?;
        let (target, of) = (self.target, (self.chunk, rows));
        match write::apply_as_new(&mut savepoint, target, of, &mut self.numbers).await {
            Ok(applied) if applied.rejects.is_empty() => {
                savepoint.commit().await?;
                self.outcome.add(applied.done, applied.rejects);
                Ok(true)
            }
            // What is wrong with a new profile may be right with one that is there: no index says so of a
            // row that is not written.
            Ok(_) => {
                savepoint.rollback().await?;
                Ok(false)
            }
            Err(error) if error.class() == Class::Data => {
                savepoint.rollback().await?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes the rows in their order, under savepoints, in pieces that are halved where one fails. Where
    /// unique fields are written every row is a piece: the order in which values are freed and taken
    /// decides.
    pub(super) async fn apply_cut(
        &mut self,
        tx: &mut PgConnection,
        rows: &[usize],
    ) -> Result<(), Error> {
        let (target, chunk) = (self.target, self.chunk);
        self.numbers.expect(rows);
        let mut todo: Vec<&[usize]> = match target.plan.goes_row_by_row() {
            true => rows.chunks(1).rev().collect(),
            false => halves(rows),
        };
        while let Some(piece) = todo.pop() {
            let mut savepoint = tx.begin().await?;
            let of = (chunk, piece);
            match write::apply(&mut savepoint, target, of, &mut self.numbers).await {
                Ok(Some(applied)) => {
                    savepoint.commit().await?;
                    self.matched |= applied.matched;
                    self.outcome.add(applied.done, applied.rejects);
                }
                Ok(None) => {
                    savepoint.rollback().await?;
                    todo.extend(halves(piece));
                }
                Err(error) if error.class() == Class::Data => {
                    savepoint.rollback().await?;
                    match piece {
                        [row] => {
                            self.outcome
                                .refuse(refused_row(target.plan, chunk, *row, &error));
                            name::protect(tx, target.plan, of, target.import_id).await?;
                        }
                        _ => todo.extend(halves(piece)),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Both halves, the first one on top of the stack.
fn halves(rows: &[usize]) -> Vec<&[usize]> {
    let (first, second) = rows.split_at(rows.len().div_ceil(2));
    let halves = [second, first].into_iter();
    halves.filter(|half| !half.is_empty()).collect()
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

//! Whom rows name that are not applied: a rejected row still protects the profile of its key from a
//! removal. Where a key cannot be read, it is not known whom it protects.

use std::ops::Range;

use longshore_core::cell::Cell;
use longshore_core::error::Error;
use longshore_core::plan::{Plan, Target};
use longshore_core::store::removal;
use sqlx::PgConnection;

use super::chunk::Chunk;
use super::find::find;
use super::typing::{Cells, add_keys, position, type_cells};
use crate::rows::Row;

/// Keeps the keys of a row that was rejected, or counts it as one that may name anybody.
pub(crate) fn keep_keys(plan: &Plan, columns: &[String], row: &Row, chunk: &mut Chunk) {
    let mut named = match chunk.named.take() {
        Some(named) => named,
        None => Box::new(Chunk::new(chunk.layout.clone(), chunk.first_row)),
    };
    let mark = named.mark();
    let read = type_cells(plan, columns, (row, Cells::Keys), &mut named)
        .and_then(|()| add_keys(plan, row, &mut named));
    match read {
        Ok(()) if !names_without_key(plan, row, &named) => named.rows.push(position(row)),
        _ => {
            named.rewind(mark);
            chunk.keys_unread += 1;
        }
    }
    chunk.named = Some(named);
}

/// Whether the row says something about a subprofile, but not which.
fn names_without_key(plan: &Plan, row: &Row, named: &Chunk) -> bool {
    let says_something = |side: usize| {
        plan.targets.iter().enumerate().any(|(column, target)| {
            let cell = row.cell(column);
            let of_side = matches!(target, Target::Field { side: of, .. } if *of == side);
            of_side && cell != Cell::Absent && !cell.is_blank()
        })
    };
    (1..plan.sides.len()).any(|side| says_something(side) && !named.brings(named.rows.len(), side))
}

/// Protects whom the rejected rows of a chunk name.
pub(crate) async fn protect_rejected(
    tx: &mut PgConnection,
    plan: &Plan,
    chunk: &Chunk,
    import_id: i64,
) -> Result<(), Error> {
    match &chunk.named {
        Some(named) => protect(tx, plan, (named, 0..named.rows.len()), import_id).await,
        None => Ok(()),
    }
}

/// Protects whom these rows name, without applying them.
pub(crate) async fn protect(
    tx: &mut PgConnection,
    plan: &Plan,
    (chunk, rows): (&Chunk, Range<usize>),
    import_id: i64,
) -> Result<(), Error> {
    if !plan.remove_missing {
        return Ok(());
    }
    // Where there are several ways to name, each row is looked up alone.
    let step = match plan.sides[0].alternatives.is_empty() {
        true => rows.len().max(1),
        false => 1,
    };
    for start in rows.clone().step_by(step) {
        let piece = start..rows.end.min(start + step);
        let found = find(tx, plan, chunk, piece, None).await?;
        removal::keep_seen(tx, import_id, &found.ids(plan)?).await?;
    }
    Ok(())
}

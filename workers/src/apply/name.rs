//! Whom rows name that are not applied: a rejected row still protects the profile of its key from a
//! removal. Where a key cannot be read, it is not known whom it protects.

use longshore_core::cell::Cell;
use longshore_core::error::Error;
use longshore_core::field::Field;
use longshore_core::plan::{Plan, Target};
use longshore_core::policies::MatchBy;
use longshore_core::store::removal;
use sqlx::PgConnection;

use super::chunk::{Chunk, Slot};
use super::find::find;
use super::typing::{add_key, position, type_cell};
use crate::rows::Row;

/// Keeps the keys of a row that was rejected, as far as they can be read; where they cannot, counts
/// the row as one that may name anybody.
pub(crate) fn keep_keys(plan: &Plan, columns: &[String], row: &Row, chunk: &mut Chunk) {
    let mut named = match chunk.named.take() {
        Some(named) => named,
        None => Box::new(Chunk::new(chunk.layout.clone(), chunk.first_row)),
    };
    let mark = named.mark();
    named.make_room();
    let mut unread = false;
    let mut names_profile = true;
    for side in 0..plan.sides.len() {
        let misfits = type_keys(plan, columns, (row, side), &mut named);
        let tells = misfits == 0 || (side == 0 && tells_otherwise(plan, &named));
        let read = tells && add_key(plan, side, row, &mut named).is_ok();
        unread |= !read || misfits > 0;
        if !read && side == 0 {
            names_profile = false;
            break;
        }
        if !read {
            // The profile is named all the same.
            named.forget_side(side, plan.sides[side].fields.len());
            unread |= add_key(plan, side, row, &mut named).is_err();
        }
    }
    unread |= names_profile && names_without_key(plan, row, &named);
    chunk.keys_unread += i64::from(unread);
    match names_profile {
        true => named.rows.push(position(row)),
        false => named.rewind(mark),
    }
    chunk.named = Some(named);
}

/// Whether a row whose profile has a damaged key may still name it: by another field of which any is
/// enough, or by the id, which goes before the uid.
fn tells_otherwise(plan: &Plan, named: &Chunk) -> bool {
    let is_id = |(_, field): &(usize, &Field)| !field.is_written();
    match plan.policies.match_by {
        MatchBy::AnyKeyField => true,
        MatchBy::IdOrUid => {
            let id = plan.sides[0].fields.iter().enumerate().find(is_id);
            id.is_some_and(|(place, _)| {
                matches!(named.slot(named.rows.len(), 0, place), Slot::Set(..))
            })
        }
        MatchBy::KeyFields | MatchBy::Uid | MatchBy::Id => false,
    }
}

/// Types the cells that say whom a row means on one side. Returns how many of them do not fit.
fn type_keys(
    plan: &Plan,
    columns: &[String],
    (row, side): (&Row, usize),
    named: &mut Chunk,
) -> usize {
    let is_key = |target: &Target| match *target {
        Target::Field { side: of, field } => of == side && plan.sides[side].is_matched_by(field),
        _ => false,
    };
    let keys = plan.targets.iter().enumerate();
    keys.filter(|(_, target)| is_key(target) && !plan.passes_over(side))
        .filter(|(column, _)| type_cell(plan, columns, (row, *column), named).is_err())
        .count()
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
        Some(named) => protect(tx, plan, (named, &named.all_rows()), import_id).await,
        None => Ok(()),
    }
}

/// Protects whom these rows name, without applying them.
pub(crate) async fn protect(
    tx: &mut PgConnection,
    plan: &Plan,
    (chunk, rows): (&Chunk, &[usize]),
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
    for piece in rows.chunks(step) {
        let found = find(tx, plan, chunk, piece, None).await?;
        removal::keep_seen(tx, import_id, &found.ids(plan)).await?;
    }
    Ok(())
}

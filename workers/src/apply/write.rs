//! One piece of a chunk against the database: match its keys, decide, write what really changes.
//! Runs inside the chunk's transaction, under the database's lock.

use longshore_core::error::Error;
use longshore_core::import::Reject;
use longshore_core::plan::{Plan, Side};
use longshore_core::store;
use longshore_core::store::chunks::Done;
use longshore_core::store::new_rows::{FEW, NewRows};
use longshore_core::store::profiles;
use longshore_core::store::removal;
use longshore_core::value;
use sqlx::PgConnection;

use super::cells::Cells;
use super::chunk::Chunk;
use super::commit::Target;
use super::decide::{Decision, Entity, Known, decide};
use super::find::{Found, find};
use super::links;
use super::numbers::Numbers;

/// Most profiles or subprofiles that one piece of several rows may match; a piece with more is
/// cut, so that keys with many matches do not fill the memory.
const MATCHES_MAX: i64 = 100_000;

/// What a piece came to.
pub(crate) struct Applied {
    /// What its rows did, of an import that has the chunk for itself.
    pub(crate) done: Done,
    /// What those of each import did, where several share the chunk.
    pub(crate) of_imports: Vec<Done>,
    pub(crate) rejects: Vec<Reject>,
    /// Whether a row matched a profile.
    pub(crate) matched: bool,
}

/// Applies these rows of a chunk, in their order. None: they match too much at once, and are to be cut.
pub(crate) async fn apply(
    connection: &mut PgConnection,
    target: &Target<'_>,
    (chunk, rows): (&Chunk, &[usize]),
    numbers: &mut Numbers<'_>,
) -> Result<Option<Applied>, Error> {
    // One row alone is not cut: whatever it matches must be found.
    let limit = (rows.len() > 1).then_some(MATCHES_MAX);
    let found = find(connection, target.plan, chunk, rows, limit).await?;
    if found.too_large {
        return Ok(None);
    }
    apply_found(connection, target, (chunk, rows, found), numbers)
        .await
        .map(Some)
}

/// Applies these rows as if they matched nobody. Where they do, the unique index of the key objects.
pub(crate) async fn apply_as_new(
    connection: &mut PgConnection,
    target: &Target<'_>,
    (chunk, rows): (&Chunk, &[usize]),
    numbers: &mut Numbers<'_>,
) -> Result<Applied, Error> {
    let found = Found::nobody(target.plan, chunk, rows);
    apply_found(connection, target, (chunk, rows, found), numbers).await
}

async fn apply_found(
    connection: &mut PgConnection,
    target: &Target<'_>,
    (chunk, rows, found): (&Chunk, &[usize], Found<'_>),
    numbers: &mut Numbers<'_>,
) -> Result<Applied, Error> {
    let (plan, import_id) = (target.plan, target.import_id);
    let known = known(plan, chunk, &found);
    let standing = links::load(connection, plan, chunk, rows, &known).await?;
    let mut decision = decide(plan, chunk, rows, (known, standing));
    write(connection, target, &mut decision, numbers).await?;
    if plan.remove_missing {
        removal::keep_seen(connection, import_id, &named(plan, &decision)).await?;
    }
    Ok(Applied {
        done: decision.done,
        of_imports: decision.of_imports,
        rejects: decision.rejects,
        matched: found.matches.first().is_some_and(|found| !found.is_empty()),
    })
}

/// What rows matched or made, whether they changed it or were rejected in the end.
fn named(plan: &Plan, decision: &Decision<'_>) -> Vec<i64> {
    let of_database = plan.sides.iter().zip(&decision.sides);
    of_database
        .filter(|(side, _)| side.link.is_none())
        .flat_map(|(_, known)| known.entities.iter().filter_map(|entity| entity.id))
        .collect()
}

/// What was found, as the decision takes it. Profiles keep the order in which they were found, on
/// which the places in the pairs rest.
fn known<'a>(plan: &Plan, chunk: &Chunk, found: &'a Found<'a>) -> Vec<Known<'a>> {
    let Found {
        distinct,
        pairs,
        matches,
        ..
    } = found;
    let mut sides: Vec<Known<'a>> = plan.sides.iter().map(|_| Known::new()).collect();
    // Rows that get their key by default have no place: what they make is found by its key.
    if chunk.keyed_by_default.is_empty() {
        sides[0] = Known::of_rows(distinct.of_rows.clone(), distinct.keys.len());
    }
    for (side, matches) in matches.iter().enumerate() {
        for found in matches.iter() {
            let (parent, key) = match side {
                0 => (0, distinct.keys[found.key]),
                _ => {
                    let (_, parent, key) = pairs[side - 1][found.key];
                    (parent, key)
                }
            };
            let entity = Entity {
                id: Some(found.id),
                row: 0,
                parent,
                cells: Cells::Found(found.cells),
                updated_at: found.updated_at.as_ref().map(value::micros),
                new: false,
                changed: false,
                deleted: false,
            };
            sides[side].add(parent, Some(key), entity);
        }
    }
    sides
}

/// Writes profiles before subprofiles: these need the ids of their parents.
async fn write(
    connection: &mut PgConnection,
    target: &Target<'_>,
    decision: &mut Decision<'_>,
    numbers: &mut Numbers<'_>,
) -> Result<(), Error> {
    let (plan, import_id) = (target.plan, target.import_id);
    for (place, side) in plan.sides.iter().enumerate() {
        delete(connection, plan, place, decision).await?;
        update(connection, side, &decision.sides[place].entities, import_id).await?;
        let entities = &mut decision.sides[place].entities;
        if place == 0 {
            number_profiles(connection, plan, entities, numbers).await?;
        } else if plan.remove_missing || side.link.is_some() {
            give_ids(connection, side, entities).await?;
        }
        let (profiles, this) = decision.sides.split_at(place);
        let profiles = profiles.first().map(|known| known.entities.as_slice());
        let parents = profiles.filter(|_| side.collection.is_some());
        insert(connection, side, &this[0].entities, parents, import_id).await?;
        if let (Some((link, _)), Some(own)) = (&side.link, profiles) {
            let ends = (own, this[0].entities.as_slice());
            links::write(connection, link, &decision.links[place], ends, import_id).await?;
        }
    }
    Ok(())
}

async fn delete(
    connection: &mut PgConnection,
    plan: &Plan,
    place: usize,
    decision: &mut Decision<'_>,
) -> Result<(), Error> {
    let entities = &decision.sides[place].entities;
    let ids: Vec<i64> = entities
        .iter()
        .filter(|entity| entity.deleted && !entity.new)
        .filter_map(|entity| entity.id)
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    if place == 0 {
        for collection in &plan.collections {
            let deleted = profiles::delete_children(connection, *collection, &ids).await?;
            decision.done.subprofiles.deleted += i64::try_from(deleted).unwrap_or(i64::MAX);
        }
        for link in &plan.links {
            let undone = store::links::delete_all(connection, link, &ids).await?;
            decision.done.links.deleted += i64::try_from(undone).unwrap_or(i64::MAX);
        }
    }
    profiles::delete(connection, plan.sides[place].number, &ids).await?;
    Ok(())
}

async fn update(
    connection: &mut PgConnection,
    side: &Side,
    entities: &[Entity<'_>],
    import_id: i64,
) -> Result<(), Error> {
    let changed = |entity: &&Entity<'_>| entity.changed && !entity.deleted && !entity.new;
    let mut changed: Vec<&Entity<'_>> = entities.iter().filter(changed).collect();
    if changed.is_empty() {
        return Ok(());
    }
    // Neighbours in the table are written one after the other.
    changed.sort_by_key(|entity| entity.id);
    let ids: Vec<i64> = changed.iter().filter_map(|entity| entity.id).collect();
    let columns = (0..side.fields.len() - side.keys)
        .map(|column| {
            changed
                .iter()
                .map(|entity| entity.cells.made()[column])
                .collect()
        })
        .collect();
    profiles::update(connection, side, &ids, columns, import_id).await
}

fn new<'e, 'a>(entities: &'e mut [Entity<'a>]) -> Vec<&'e mut Entity<'a>> {
    let new = |entity: &&mut Entity<'a>| entity.new && !entity.deleted;
    entities.iter_mut().filter(new).collect()
}

/// Gives new profiles their ids beforehand: in the order of their rows, whatever the order in which
/// they are written, and because subprofiles name them. A few get theirs as they are written, which is in
/// the order of their rows then.
async fn number_profiles(
    connection: &mut PgConnection,
    plan: &Plan,
    entities: &mut [Entity<'_>],
    numbers: &mut Numbers<'_>,
) -> Result<(), Error> {
    let new = new(entities);
    let named = plan.goes_beyond_profiles() || plan.remove_missing;
    let many = numbers.are_in_line() || numbers.are_drawn() || new.len() > FEW;
    if !many && (new.is_empty() || !named) {
        return Ok(());
    }
    let rows: Vec<usize> = new.iter().map(|entity| entity.row).collect();
    let ids = numbers.of(connection, plan.sides[0].number, &rows).await?;
    for (entity, id) in new.into_iter().zip(ids) {
        entity.id = Some(id);
    }
    Ok(())
}

/// Gives others their ids beforehand, where something is to name them.
async fn give_ids(
    connection: &mut PgConnection,
    side: &Side,
    entities: &mut [Entity<'_>],
) -> Result<(), Error> {
    let new = new(entities);
    if new.is_empty() {
        return Ok(());
    }
    let ids = profiles::draw_ids(connection, side.number, new.len()).await?;
    for (entity, id) in new.into_iter().zip(ids) {
        entity.id = Some(id);
    }
    Ok(())
}

async fn insert(
    connection: &mut PgConnection,
    side: &Side,
    entities: &[Entity<'_>],
    parents: Option<&[Entity<'_>]>,
    import_id: i64,
) -> Result<(), Error> {
    let mut new: Vec<&Entity<'_>> = entities
        .iter()
        .filter(|entity| entity.new && !entity.deleted)
        .collect();
    let Some(first) = new.first() else {
        return Ok(());
    };
    // Neighbours in the index are written one after the other, unless writing gives them their order.
    if first.id.is_some() {
        new.sort_by(|one, other| {
            let [one, other] = [one, other].map(|entity| &entity.cells.made()[..side.keys]);
            one.cmp(other)
        });
    }
    let parents = parents.map(|parents| {
        // Profiles are numbered before their subprofiles are written.
        let id = |entity: &&Entity<'_>| parents[entity.parent].id.unwrap_or_default();
        new.iter().map(id).collect()
    });
    let rows = NewRows {
        ids: new.iter().map(|entity| entity.id).collect(),
        parents,
        cells: new.iter().map(|entity| entity.cells.made()).collect(),
        import_id,
    };
    rows.insert(connection, side).await
}

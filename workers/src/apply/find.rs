//! Finds what the keys of rows mean in the database, before anything is decided.

use foldhash::{HashMap, HashMapExt};

use longshore_core::definition::Action;
use longshore_core::error::Error;
use longshore_core::plan::{Plan, Side};
use longshore_core::policies::MatchBy;
use longshore_core::store::binary::ColumnArray;
use longshore_core::store::matches::{self, Matches};
use sqlx::PgConnection;

use super::chunk::{Chunk, Key};

/// What rows mean in the database.
pub(crate) struct Found<'a> {
    pub(super) distinct: Distinct<'a>,
    pub(super) pairs: Vec<Vec<Pair<'a>>>,
    /// By side.
    pub(super) matches: Vec<Matches>,
    /// There was more than the limit.
    pub(super) too_large: bool,
}

impl Found<'_> {
    /// The ids of what a removal leaves alone: linked profiles are not in question.
    pub(crate) fn ids(&self, plan: &Plan) -> Vec<i64> {
        let of_database = plan.sides.iter().zip(&self.matches);
        of_database
            .filter(|(side, _)| side.link.is_none())
            .flat_map(|(_, matches)| matches.iter())
            .map(|found| found.id)
            .collect()
    }
}

impl<'a> Found<'a> {
    /// These rows mean nobody who is there.
    pub(super) fn nobody(plan: &Plan, chunk: &'a Chunk, rows: &[usize]) -> Found<'a> {
        Found {
            distinct: Distinct::of(plan, chunk, rows),
            pairs: Vec::new(),
            matches: vec![Matches::default()],
            too_large: false,
        }
    }
}

/// Finds what these rows mean. With a limit, it gives up where they mean more.
pub(crate) async fn find<'a>(
    connection: &mut PgConnection,
    plan: &Plan,
    chunk: &'a Chunk,
    rows: &[usize],
    limit: Option<i64>,
) -> Result<Found<'a>, Error> {
    let is_too_much = |count: usize| limit.is_some_and(|limit| count as i64 >= limit);
    let mut found = Found {
        distinct: Distinct::of(plan, chunk, rows),
        pairs: Vec::new(),
        matches: Vec::new(),
        too_large: false,
    };
    if plan.action != Action::Add {
        let profiles = match_profiles(connection, plan, chunk, &found.distinct.keys, limit).await?;
        found.too_large = is_too_much(profiles.len());
        found.matches.push(profiles);
    }
    if found.too_large {
        return Ok(found);
    }
    let keys = &found.distinct.keys;
    found.pairs = pairs_of_collections(plan, chunk, rows, keys, found.matches.first());
    for (side, pairs) in plan.sides[1..].iter().zip(&found.pairs) {
        let subprofiles = match_pairs(connection, side, pairs, limit).await?;
        found.too_large |= is_too_much(pairs.len()) || is_too_much(subprofiles.len());
        found.matches.push(subprofiles);
        if found.too_large {
            break;
        }
    }
    Ok(found)
}

/// Several ways of saying who is meant are tried for one row alone: what the row before wrote may
/// decide.
async fn match_profiles(
    connection: &mut PgConnection,
    plan: &Plan,
    chunk: &Chunk,
    keys: &[Key<'_>],
    limit: Option<i64>,
) -> Result<Matches, Error> {
    let side = &plan.sides[0];
    let Some(key) = keys.first() else {
        return Ok(Matches::default());
    };
    if side.alternatives.is_empty() {
        let columns = key_columns(side, keys);
        return matches::of_keys(connection, side, None, columns, limit).await;
    }
    let mut found = Matches::default();
    for group in &side.alternatives {
        let Some(cells) = chunk.group(side, key.row, group) else {
            continue;
        };
        found.take_in(&matches::of_alternative(connection, side, group, &cells).await?);
        // An id of ours leaves nothing to the ids of others.
        if plan.policies.match_by == MatchBy::IdOrUid {
            break;
        }
    }
    Ok(found)
}

async fn match_pairs(
    connection: &mut PgConnection,
    side: &Side,
    pairs: &[Pair<'_>],
    limit: Option<i64>,
) -> Result<Matches, Error> {
    if pairs.is_empty() {
        return Ok(Matches::default());
    }
    let parents: Option<Vec<i64>> = match side.link {
        Some(_) => None,
        None => Some(pairs.iter().map(|(parent, _, _)| *parent).collect()),
    };
    let keys: Vec<Key<'_>> = pairs.iter().map(|(_, _, key)| *key).collect();
    let columns = key_columns(side, &keys);
    matches::of_keys(connection, side, parents.as_deref(), columns, limit).await
}

/// The keys of profiles that some rows name, each once and in their order: neighbours in the index are
/// looked up one after the other.
pub(super) struct Distinct<'a> {
    pub(super) keys: Vec<Key<'a>>,
    /// For each row of the chunk its place among them; none for rows that are not asked for, or have
    /// no key.
    pub(super) of_rows: Vec<Option<u32>>,
}

impl<'a> Distinct<'a> {
    fn of(plan: &Plan, chunk: &'a Chunk, rows: &[usize]) -> Distinct<'a> {
        let key = |row: usize| Key {
            chunk,
            row,
            side: 0,
            cells: plan.sides[0].keys,
        };
        let has_key = |row: &usize| !chunk.keyless.contains(&(*row, 0));
        // Most keys differ in their first bytes already, which are compared without being looked up.
        let mut sorted: Vec<(u128, usize)> = rows
            .iter()
            .copied()
            .filter(has_key)
            .map(|row| (key(row).prefix(), row))
            .collect();
        sorted.sort_unstable_by(|(one, row), (other, other_row)| {
            let by_key = || key(*row).cmp(&key(*other_row)).then(row.cmp(other_row));
            one.cmp(other).then_with(by_key)
        });
        let mut distinct = Distinct {
            keys: Vec::with_capacity(sorted.len()),
            of_rows: vec![None; chunk.rows.len()],
        };
        for (_, row) in sorted {
            let key = key(row);
            if distinct.keys.last() != Some(&key) {
                distinct.keys.push(key);
            }
            distinct.of_rows[row] = u32::try_from(distinct.keys.len() - 1).ok();
        }
        distinct
    }
}

fn key_columns<'a>(side: &Side, keys: &[Key<'a>]) -> Vec<ColumnArray<'a>> {
    let fields = side.fields[..side.keys].iter().enumerate();
    let column = |(place, field): (usize, &longshore_core::field::Field)| ColumnArray {
        kind: field.kind,
        cells: keys.iter().map(|key| Some(key.cell(place))).collect(),
    };
    fields.map(column).collect()
}

/// What stands for the parent of a linked profile, which has none.
const NOBODY: [(i64, usize); 1] = [(0, 0)];

/// A profile's id, its place among the entities of side 0, and the key of a subprofile of it.
pub(super) type Pair<'a> = (i64, usize, Key<'a>);

/// For each collection: the subprofiles that the rows name under profiles that exist, each once.
fn pairs_of_collections<'a>(
    plan: &Plan,
    chunk: &'a Chunk,
    rows: &[usize],
    keys: &[Key<'a>],
    profiles: Option<&Matches>,
) -> Vec<Vec<Pair<'a>>> {
    let needed = (1..plan.sides.len()).any(|side| !plan.passes_over(side));
    let Some(profiles) = profiles.filter(|_| needed) else {
        return vec![Vec::new(); plan.sides.len() - 1];
    };
    let mut by_key: HashMap<Key<'a>, Vec<(i64, usize)>> = HashMap::new();
    for (place, found) in profiles.iter().enumerate() {
        by_key
            .entry(keys[found.key])
            .or_default()
            .push((found.id, place));
    }
    let of_side = |side: usize| {
        let mut seen: HashMap<(i64, Key<'a>), ()> = HashMap::new();
        let mut pairs = Vec::new();
        let says_who =
            |row: &usize| chunk.brings(*row, side) && !chunk.keyless.contains(&(*row, side));
        for row in rows.iter().copied().filter(says_who) {
            let profile_key = Key {
                chunk,
                row,
                side: 0,
                cells: plan.sides[0].keys,
            };
            let key = Key {
                chunk,
                row,
                side,
                cells: plan.sides[side].keys,
            };
            let parents = match plan.sides[side].link {
                Some(_) => &NOBODY,
                None if chunk.keyless.contains(&(row, 0)) => continue,
                None => by_key
                    .get(&profile_key)
                    .map(Vec::as_slice)
                    .unwrap_or_default(),
            };
            for (id, place) in parents {
                if seen.insert((*id, key), ()).is_none() {
                    pairs.push((*id, *place, key));
                }
            }
        }
        pairs
    };
    (1..plan.sides.len()).map(of_side).collect()
}

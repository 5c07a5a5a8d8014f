//! The links of a piece: which stand, which its rows make or undo, and their writing.

use std::collections::{HashMap, HashSet};

use longshore_core::definition::Action;
use longshore_core::error::Error;
use longshore_core::plan::{LinkTable, Plan};
use longshore_core::store::links::{self, Pairs};
use sqlx::PgConnection;

use super::chunk::{Chunk, Key};
use super::decide::{Entity, Known, Places};

/// A profile and one of the other database, by their places among the entities of their sides.
type Pair = (usize, usize);

/// The links of one side.
#[derive(Default)]
pub(crate) struct Links {
    /// Those that stood before the piece.
    before: HashSet<Pair>,
    /// What its rows said about a pair last: whether it is linked.
    said: HashMap<Pair, bool>,
}

impl Links {
    fn stands(&self, pair: Pair) -> bool {
        let said = self.said.get(&pair).copied();
        said.unwrap_or_else(|| self.before.contains(&pair))
    }

    /// Links a pair, or unlinks it. False: it was so already.
    pub(crate) fn set(&mut self, pair: Pair, linked: bool) -> bool {
        let changes = self.stands(pair) != linked;
        if changes {
            self.said.insert(pair, linked);
        }
        changes
    }

    /// What is to be written: the pairs that are linked now and were not, or the other way round.
    fn changed(&self, linked: bool) -> Vec<Pair> {
        let said = self.said.iter();
        said.filter(|(pair, now)| **now == linked && self.before.contains(pair) != linked)
            .map(|(pair, _)| *pair)
            .collect()
    }
}

/// Finds which of the links stand that these rows could say something about.
pub(crate) async fn load(
    connection: &mut PgConnection,
    plan: &Plan,
    chunk: &Chunk,
    rows: &[usize],
    known: &[Known<'_>],
) -> Result<Vec<Links>, Error> {
    let mut all: Vec<Links> = plan.sides.iter().map(|_| Links::default()).collect();
    for (side, side_plan) in plan.sides.iter().enumerate() {
        let Some((link, _)) = &side_plan.link else {
            continue;
        };
        if plan.action == Action::Add || plan.passes_over(side) {
            continue;
        }
        let mut pairs: Vec<Pair> = Vec::new();
        for row in rows.iter().copied().filter(|row| chunk.brings(*row, side)) {
            let matched = |side: usize| match chunk.keyless.contains(&(row, side)) {
                true => Places::new(),
                false => {
                    let cells = plan.sides[side].keys;
                    let key = Key {
                        chunk,
                        row,
                        side,
                        cells,
                    };
                    known[side].matched(0, key)
                }
            };
            let others = matched(side);
            let own = matched(0);
            pairs.extend(
                own.iter()
                    .flat_map(|own| others.iter().map(move |other| (*own, *other))),
            );
        }
        if pairs.is_empty() {
            continue;
        }
        let ids = ids(&pairs, &known[0].entities, &known[side].entities);
        let standing = links::known(connection, link, &ids).await?;
        all[side].before = standing.into_iter().map(|place| pairs[place]).collect();
    }
    Ok(all)
}

/// Writes what the rows made and undid. The profiles of both ends are written already.
pub(crate) async fn write(
    connection: &mut PgConnection,
    link: &LinkTable,
    links: &Links,
    (own, others): (&[Entity<'_>], &[Entity<'_>]),
    import_id: i64,
) -> Result<(), Error> {
    let undone = links.changed(false);
    if !undone.is_empty() {
        links::delete(connection, link, &ids(&undone, own, others)).await?;
    }
    let made = links.changed(true);
    if !made.is_empty() {
        links::insert(connection, link, &ids(&made, own, others), import_id).await?;
    }
    Ok(())
}

fn ids(pairs: &[Pair], own: &[Entity<'_>], others: &[Entity<'_>]) -> Pairs {
    let id = |entity: &Entity<'_>| entity.id.unwrap_or_default();
    pairs
        .iter()
        .map(|(one, other)| (id(&own[*one]), id(&others[*other])))
        .unzip()
}

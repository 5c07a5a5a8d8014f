//! The keys of a chunk, as far as needed to tell whether two chunks can mean the same profile.

use std::hash::BuildHasher;
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use foldhash::{HashSet, HashSetExt};
use longshore_core::definition::Action;
use longshore_core::plan::Plan;

use super::chunk::{Chunk, Key};

/// The keys of profiles that the rows of a chunk name, hashed. Two keys with one hash make a row wait
/// that need not wait; no key is ever missed.
#[derive(Debug)]
pub(super) struct Keys {
    /// Of each row; none: the row is matched by nothing.
    of_rows: Vec<Option<u64>>,
    all: HashSet<u64>,
}

/// The same for all chunks of this process, and for no other process.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

impl Keys {
    /// Those of a chunk whose keys are folded, also of its rejected rows, which may protect whom they
    /// name.
    pub(super) fn of(plan: &Plan, chunk: &Chunk) -> Keys {
        let of_rows: Vec<Option<u64>> = hashed(plan, chunk).collect();
        let mut all = HashSet::with_capacity(of_rows.len());
        all.extend(of_rows.iter().flatten());
        if let Some(named) = &chunk.named {
            all.extend(hashed(plan, named).flatten());
        }
        Keys { of_rows, all }
    }

    /// Whether this row means somebody whom others name.
    pub(super) fn is_among(&self, row: usize, others: &Keys) -> bool {
        let key = self.of_rows.get(row).copied().flatten();
        key.is_some_and(|key| others.all.contains(&key))
    }
}

fn hashed<'a>(plan: &'a Plan, chunk: &'a Chunk) -> impl Iterator<Item = Option<u64>> + 'a {
    (0..chunk.rows.len()).map(move |row| {
        let at = &(row, 0);
        let keyless = chunk.keyless.contains(at) && !chunk.keyed_by_default.contains(at);
        let key = Key {
            chunk,
            row,
            side: 0,
            cells: plan.sides[0].keys,
        };
        (plan.action != Action::Add && !keyless).then(|| HASHER.hash_one(key))
    })
}

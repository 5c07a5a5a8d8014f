//! Databases in which a slot of this process applies small imports. It takes along whatever comes in
//! meanwhile, so that other slots leave that to it: two would stand in each other's way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The databases of one process, and how many slots are at work in each. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Busy(Arc<Mutex<BTreeMap<i64, usize>>>);

impl Busy {
    /// A slot begins to apply small imports in a database.
    pub(crate) fn enter(&self, database_id: i64) -> Stay {
        *self.lock().entry(database_id).or_default() += 1;
        Stay {
            busy: self.clone(),
            database_id,
        }
    }

    /// Where somebody is at work.
    pub(crate) fn databases(&self) -> Vec<i64> {
        self.lock().keys().copied().collect()
    }

    /// Whether somebody is at work in this one.
    pub(crate) fn is_at(&self, database_id: i64) -> bool {
        self.lock().contains_key(&database_id)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends with the small imports, or as soon as one of them has to go alone.
pub(crate) struct Stay {
    busy: Busy,
    database_id: i64,
}

impl Drop for Stay {
    fn drop(&mut self) {
        let mut all = self.busy.lock();
        if let Some(slots) = all.get_mut(&self.database_id) {
            *slots -= 1;
            if *slots == 0 {
                all.remove(&self.database_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_busy_until_the_last_slot_leaves() {
        let busy = Busy::default();
        let (first, second, other) = (busy.enter(1), busy.enter(1), busy.enter(2));
        drop(first);
        assert_eq!(busy.databases(), [1, 2]);
        drop(second);
        drop(other);
        assert!(busy.databases().is_empty());
    }
}

//! Whether an import seems to bring nobody but new profiles. Then the keys of a chunk are not looked up: it
//! is written as if nothing matched, and where somebody is there already, the unique index of the key
//! says so and the chunk is looked up after all, as where one of its rows would be rejected. One such
//! chunk, and the import is taken for an ordinary one from then on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const UNKNOWN: u8 = 0;
const SEEMS_SO: u8 = 1;
const REFUTED: u8 = 2;

/// What the chunks of an import have shown so far. Clones share it.
#[derive(Clone, Default)]
pub(super) struct AllNew(Arc<AtomicU8>);

impl AllNew {
    /// Whether it is worth trying.
    pub(super) fn seems_so(&self) -> bool {
        self.0.load(Ordering::Relaxed) == SEEMS_SO
    }

    /// A chunk was looked up, and something matched, or nothing did.
    pub(super) fn learn(&self, matched: bool) {
        match matched {
            true => self.refute(),
            false => {
                let known = (Ordering::Relaxed, Ordering::Relaxed);
                // What is refuted stays so.
                let _ = self.0.compare_exchange(UNKNOWN, SEEMS_SO, known.0, known.1);
            }
        }
    }

    /// Somebody was there already.
    pub(super) fn refute(&self) {
        self.0.store(REFUTED, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_match_is_enough_to_know_better() {
        let all_new = AllNew::default();
        assert!(!all_new.seems_so());
        all_new.learn(false);
        assert!(all_new.clone().seems_so());
        all_new.learn(true);
        all_new.learn(false);
        assert!(!all_new.seems_so());
    }
}

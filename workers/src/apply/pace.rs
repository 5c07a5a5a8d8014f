//! How many rows a chunk has. It adapts so that a chunk takes 100 to 300 ms: short enough for
//! short locks and little loss, long enough for set-based speed. After a crash it goes carefully.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How many rows a chunk has at first.
pub const ROWS_AT_START: usize = 5_000;
const ROWS_MIN: usize = 100;
const ROWS_MAX: usize = 50_000;
const FAST: Duration = Duration::from_millis(100);
const SLOW: Duration = Duration::from_millis(300);

/// Most bytes that a chunk holds, whatever the number of rows. Some four chunks of an import are in
/// memory at a time, each with what it matches; decision 017 has the figures.
pub(crate) const CHUNK_BYTES_MAX: usize = 2 << 20;

/// From this rescue on, chunks are smaller and taken one at a time.
pub(crate) const CAREFUL_AFTER_RESCUES: i32 = 2;

/// The wish of the one who applies, read by the one who fills chunks.
#[derive(Debug)]
pub(crate) struct Pace {
    at_start: usize,
    rows: AtomicUsize,
    /// Rows that are still taken carefully, after crashes without progress.
    careful: AtomicUsize,
}

impl Pace {
    /// A first crash may be anybody's. After a second one a tenth of a chunk is tried, after a
    /// third one row at a time, until the chunk that crashed is behind us.
    pub(crate) fn after(rescues: i32, at_start: usize) -> Pace {
        let (rows, careful) = match rescues {
            ..CAREFUL_AFTER_RESCUES => (at_start, 0),
            CAREFUL_AFTER_RESCUES => (at_start.div_ceil(10), at_start),
            _ => (1, at_start),
        };
        Pace {
            at_start,
            rows: AtomicUsize::new(rows),
            careful: AtomicUsize::new(careful),
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows.load(Ordering::Relaxed)
    }

    /// Learns from a chunk of `rows` that took `took`.
    pub(crate) fn learn(&self, rows: usize, took: Duration) {
        let careful = self.careful.load(Ordering::Relaxed);
        if careful > 0 {
            let left = careful.saturating_sub(rows);
            self.careful.store(left, Ordering::Relaxed);
            if left == 0 {
                self.rows.store(self.at_start, Ordering::Relaxed);
            }
            return;
        }
        let wish = self.rows();
        // A chunk that came short of the wish says nothing about it.
        if took < FAST && rows >= wish {
            self.rows.store((wish * 2).min(ROWS_MAX), Ordering::Relaxed);
        } else if took > SLOW {
            self.rows.store((wish / 2).max(ROWS_MIN), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_grow_when_fast_shrink_when_slow_and_keep_their_bounds() {
        let pace = Pace::after(0, ROWS_AT_START);
        for _ in 0..20 {
            pace.learn(pace.rows(), Duration::from_millis(1));
        }
        assert_eq!(pace.rows(), ROWS_MAX);
        for _ in 0..20 {
            pace.learn(pace.rows(), Duration::from_secs(1));
        }
        assert_eq!(pace.rows(), ROWS_MIN);
    }

    #[test]
    fn crashes_without_progress_make_chunks_small_until_they_are_behind() {
        assert_eq!(Pace::after(2, ROWS_AT_START).rows(), ROWS_AT_START / 10);
        let pace = Pace::after(3, ROWS_AT_START);
        assert_eq!(pace.rows(), 1);
        for _ in 0..ROWS_AT_START {
            pace.learn(1, Duration::from_millis(1));
        }
        assert_eq!(pace.rows(), ROWS_AT_START);
    }
}

//! Counting physical lines. LF, CRLF and a lone CR each end one, in every format.

use memchr::{memchr2, memchr2_iter};

use super::damage::Damage;
use super::window::Held;

/// The place of the next byte. Passing bytes in pieces or at once comes to the same.
#[derive(Debug, Clone)]
pub(super) struct Position {
    pub(super) line: u64,
    column: u64,
    after_cr: bool,
}

impl Position {
    pub(super) fn start() -> Position {
        Position {
            line: 1,
            column: 1,
            after_cr: false,
        }
    }

    /// Moves behind these bytes.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        self.column += bytes.len() as u64;
        for at in memchr2_iter(b'\n', b'\r', bytes) {
            let before = at
                .checked_sub(1)
                .map_or(self.after_cr, |before| bytes[before] == b'\r');
            if bytes[at] == b'\r' || !before {
                self.line += 1;
            }
            self.column = (bytes.len() - at) as u64;
        }
        if let Some(last) = bytes.last() {
            self.after_cr = *last == b'\r';
        }
    }

    /// Puts damage behind these bytes.
    pub(super) fn mark(&self, bytes: &[u8], damage: Damage) -> Damage {
        let mut place = self.clone();
        place.pass(bytes);
        damage.at(place.line, place.column)
    }
}

/// How many line ends these bytes hold.
pub(super) fn count_line_ends(bytes: &[u8]) -> usize {
    memchr2_iter(b'\n', b'\r', bytes)
        .filter(|&at| bytes[at] == b'\r' || at == 0 || bytes[at - 1] != b'\r')
        .count()
}

/// Where the first line ends and how many bytes its end takes: 0 at the end of the payload.
/// `None` if that shows only in later bytes.
pub(super) fn find_line_end(held: Held<'_>) -> Option<(usize, usize)> {
    match memchr2(b'\n', b'\r', held.bytes) {
        Some(at) => line_end_at(held, at).map(|length| (at, length)),
        None if held.ended => Some((held.bytes.len(), 0)),
        None => None,
    }
}

/// The length of the line end that starts here, unless that shows only in later bytes.
#[inline]
pub(super) fn line_end_at(held: Held<'_>, at: usize) -> Option<usize> {
    match (held.bytes[at], held.bytes.get(at + 1)) {
        (b'\r', Some(b'\n')) => Some(2),
        (b'\r', None) if !held.ended => None,
        _ => Some(1),
    }
}

//! Finds one CSV row in the bytes held, and its cells, without changing or keeping anything.
//! Unlike lenient readers it tells a quote that closes from one that strays or never closes.

use longshore_core::limits::{CELL_BYTES_MAX, QUOTED_LINES_MAX};
use longshore_core::reading::Quotes;

use super::csv_quotes;
use super::position::{count_line_ends, find_line_end};
use super::row::{Kind, Slot};
use super::window::Held;

/// A row that was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// Bytes of the row, without its line end.
    pub(super) bytes: usize,
    /// Bytes of its line end; 0 at the end of the payload.
    pub(super) ending: usize,
    /// Physical lines it takes.
    pub(super) lines: u64,
    /// Cells, also those that were not kept.
    pub(super) cells: usize,
    /// The first cell above its limit.
    pub(super) too_long: Option<usize>,
    /// The cell that a quote stands inside or after. The row then ends at the next line end.
    pub(super) stray: Option<usize>,
}

/// Why no row was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The row goes on behind the bytes held.
    Short,
    /// A quote opens this many lines below the row's first line and does not close properly.
    Unclosed(u64),
}

/// The scanner of one delimiter and one kind of quotes.
pub(super) struct Scanner {
    delimiter: u8,
    pub(super) quotes: Quotes,
    stops: [bool; 256],
    /// Cells of the last row that hold doubled quotes or escapes.
    pub(super) rewritten: Vec<usize>,
}

impl Scanner {
    pub(super) fn new(delimiter: u8, quotes: Quotes) -> Scanner {
        let mut stops = [false; 256];
        for byte in [delimiter, b'\n', b'\r'] {
            stops[usize::from(byte)] = true;
        }
        // An apostrophe in the middle of a cell without quotes is one: only a double quote strays.
        stops[usize::from(b'"')] = quotes.open_with(b'"');
        Scanner {
            delimiter,
            quotes,
            stops,
            rewritten: Vec::new(),
        }
    }

    /// Scans the row at the start of the bytes, of which there are some. Keeps the first `keep`
    /// cells in `slots`.
    pub(super) fn row(
        &mut self,
        held: Held<'_>,
        slots: &mut Vec<Slot>,
        keep: usize,
    ) -> Result<Extent, Stop> {
        slots.clear();
        self.rewritten.clear();
        let mut extent = Extent::default();
        let mut at = 0;
        loop {
            let lines_before = extent.lines;
            let opens = |byte: &u8| self.quotes.open_with(*byte);
            let slot = if held.bytes.get(at).is_some_and(opens) {
                let slot = self.quoted(held.from(at), &mut extent)?.moved(at);
                at = slot.end as usize + 1;
                slot
            } else {
                let slot = self.plain(&held.bytes[at..], &mut extent).moved(at);
                at = slot.end as usize;
                slot
            };
            extent.cells += 1;
            if extent.cells <= keep {
                slots.push(slot);
            }
            match held.bytes.get(at) {
                Some(byte) if *byte == self.delimiter => at += 1,
                // Where a cell of several lines ends is doubtful then, and with it every row since.
                Some(byte) if !is_line_end(*byte) && extent.lines > lines_before => {
                    return Err(Stop::Unclosed(lines_before));
                }
                _ => return extent.finish(held.from(at), at),
            }
        }
    }

    #[inline]
    fn plain(&mut self, bytes: &[u8], extent: &mut Extent) -> Slot {
        let stop = bytes.iter().position(|byte| self.stops[usize::from(*byte)]);
        let length = stop.unwrap_or(bytes.len());
        if length > CELL_BYTES_MAX {
            extent.too_long.get_or_insert(extent.cells);
        }
        if csv_quotes::is_escaped(self.quotes, &bytes[..length]) {
            self.rewritten.push(extent.cells);
        }
        Slot::new(0, length, Kind::Text)
    }

    fn quoted(&mut self, held: Held<'_>, extent: &mut Extent) -> Result<Slot, Stop> {
        let close = csv_quotes::find_close(self.quotes, held.bytes);
        let inside = &held.bytes[1..close.at];
        let lines = count_line_ends(inside);
        if inside.len() - close.spare > CELL_BYTES_MAX || lines > QUOTED_LINES_MAX {
            return Err(Stop::Unclosed(extent.lines));
        }
        if !close.closed {
            return Err(if held.ended {
                Stop::Unclosed(extent.lines)
            } else {
                Stop::Short
            });
        }
        if close.spare > 0 {
            self.rewritten.push(extent.cells);
        }
        extent.lines += lines as u64;
        Ok(Slot::new(1, close.at, Kind::Text))
    }
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

impl Extent {
    /// The row's last cell ends here: at a line end, at the end of the payload, or at a stray
    /// quote or what follows one.
    fn finish(mut self, rest: Held<'_>, at: usize) -> Result<Extent, Stop> {
        let (step, ending) = find_line_end(rest).ok_or(Stop::Short)?;
        if step > 0 {
            self.stray = Some(self.cells - 1);
        }
        self.bytes = at + step;
        self.ending = ending;
        self.lines += 1;
        Ok(self)
    }
}

//! One row, owned and used again: its text in one buffer, and where in it each cell lies.

use longshore_core::cell::Cell;

/// A row with its place in the payload. Reading into the same one allocates nothing once its
/// buffers have grown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// Its number, from 1; rows with faults count.
    pub number: u64,
    /// The physical line on which it starts, from 1.
    pub line: u64,
    pub(super) text: String,
    pub(super) slots: Vec<Slot>,
}

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Absent,
    Null,
    Text,
    Number,
    True,
    False,
    List,
    Object,
}

/// Where a cell lies in the row's text. 32 bits are plenty: a row is at most
/// `ROW_BYTES_MAX` long and its text at most twice that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) kind: Kind,
}

impl Slot {
    pub(super) const ABSENT: Slot = Slot {
        start: 0,
        end: 0,
        kind: Kind::Absent,
    };

    pub(super) fn new(start: usize, end: usize, kind: Kind) -> Slot {
        Slot {
            start: start as u32,
            end: end as u32,
            kind,
        }
    }

    /// The same cell, seen from so many bytes earlier.
    pub(super) fn moved(self, bytes: usize) -> Slot {
        let bytes = bytes as u32;
        Slot {
            start: self.start + bytes,
            end: self.end + bytes,
            ..self
        }
    }

    pub(super) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Row {
    /// An empty row, to be read into.
    #[must_use]
    pub fn new() -> Row {
        Row::default()
    }

    /// The cell of a column of [`Reader::columns`](super::Reader::columns).
    /// [`Cell::Absent`] if the row has none there.
    #[must_use]
    pub fn cell(&self, column: usize) -> Cell<'_> {
        let Some(slot) = self.slots.get(column) else {
            return Cell::Absent;
        };
        let text = self.text.get(slot.range()).unwrap_or_default();
        match slot.kind {
            Kind::Absent => Cell::Absent,
            Kind::Null => Cell::Null,
            Kind::Text => Cell::Text(text),
            Kind::Number => Cell::Number(text),
            Kind::True => Cell::Boolean(true),
            Kind::False => Cell::Boolean(false),
            Kind::List => Cell::List(text),
            Kind::Object => Cell::Object(text),
        }
    }

    /// The bytes its text takes, for those who bound a chunk by size.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    pub(super) fn clear(&mut self, number: u64) {
        self.number = number;
        self.line = 0;
        self.forget_cells();
    }

    pub(super) fn forget_cells(&mut self) {
        self.text.clear();
        self.slots.clear();
    }
}

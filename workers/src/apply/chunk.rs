//! A chunk: rows of a payload, typed, with their cells in binary format in one buffer. Filled by
//! the reading thread, read by whoever applies it; nothing is copied in between.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};

use longshore_core::field::Field;
use longshore_core::import::Reject;
use longshore_core::plan::{Plan, Side};

/// What a row brings for one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// No such member in the row: the field stays as it is.
    Absent,
    /// An empty cell: it clears the field, or keeps it, as the definition says.
    Blank,
    /// A value: where it begins and ends in the chunk's buffer.
    Set(u32, u32),
}

/// What a row says about the version of the profile that it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Nothing.
    Missing,
    /// It does not matter.
    Any,
    /// The profile's `updated_at` in microseconds, and the unit down to which it is given.
    Expected { micros: i64, unit: i64 },
}

/// Where the fields and keys of each side stand in a row's slots.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) fields: Vec<usize>,
    pub(crate) keys: Vec<usize>,
    pub(crate) row_slots: usize,
    pub(crate) row_keys: usize,
}

impl Layout {
    pub(crate) fn new(plan: &Plan) -> Layout {
        let mut layout = Layout {
            fields: Vec::new(),
            keys: Vec::new(),
            row_slots: 0,
            row_keys: 0,
        };
        for side in &plan.sides {
            layout.fields.push(layout.row_slots);
            layout.keys.push(layout.row_keys);
            layout.row_slots += side.fields.len();
            layout.row_keys += side.keys;
        }
        layout
    }
}

/// Where a typed row stands in its payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    pub(crate) number: i64,
    pub(crate) line: i64,
}

/// How far a chunk was filled.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    slots: usize,
    keys: usize,
    unfolded: usize,
    buffer: usize,
    coerced: i64,
}

/// Rows that are applied in one transaction.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) layout: Layout,
    /// The number of its first row, typed or rejected.
    pub(crate) first_row: i64,
    /// The number behind its last row.
    pub(crate) next_row: i64,
    /// Nothing comes after it.
    pub(crate) last: bool,
    /// The rows that can be applied.
    pub(crate) rows: Vec<Position>,
    /// Where several imports share the chunk: behind how many rows each of them ends.
    pub(crate) ends: Vec<usize>,
    /// The rows that cannot.
    pub(crate) rejects: Vec<Reject>,
    pub(crate) slots: Vec<Slot>,
    /// Key cells as they are compared; the same as the cells, unless folding changes them.
    pub(crate) keys: Vec<(u32, u32)>,
    /// Keys that only Postgres can fold, by their place in `keys`.
    pub(crate) unfolded: Vec<usize>,
    /// Rows and sides whose key is empty, where that makes no reject.
    pub(crate) keyless: HashSet<(usize, usize)>,
    /// Those of them that defaults give a whole key: later rows can mean what they make.
    pub(crate) keyed_by_default: HashSet<(usize, usize)>,
    /// What the rows expect, where versions are checked.
    pub(crate) versions: Vec<Version>,
    /// Cells that were converted.
    pub(crate) coerced: i64,
    /// Where an import removes what is missing: the keys of rows that are rejected.
    pub(crate) named: Option<Box<Chunk>>,
    /// Rejected rows whose keys cannot be read.
    pub(crate) keys_unread: i64,
    pub(crate) buffer: Vec<u8>,
}

impl Chunk {
    pub(crate) fn new(layout: Layout, first_row: i64) -> Chunk {
        Chunk {
            layout,
            first_row,
            next_row: first_row,
            last: false,
            rows: Vec::new(),
            ends: Vec::new(),
            rejects: Vec::new(),
            slots: Vec::new(),
            keys: Vec::new(),
            unfolded: Vec::new(),
            keyless: HashSet::new(),
            keyed_by_default: HashSet::new(),
            versions: Vec::new(),
            coerced: 0,
            named: None,
            keys_unread: 0,
            buffer: Vec::new(),
        }
    }

    /// The chunk behind it, with room for as much: one that grew on its way would hold up to twice what
    /// it needs.
    pub(crate) fn successor(&self) -> Chunk {
        let room = |size: usize| size + size / 8;
        let mut next = Chunk::new(self.layout.clone(), self.next_row);
        next.buffer.reserve_exact(room(self.buffer.len()));
        next.slots.reserve_exact(room(self.slots.len()));
        next.keys.reserve_exact(room(self.keys.len()));
        next.rows.reserve_exact(room(self.rows.len()));
        next
    }

    /// The rows that can be applied, in their order.
    pub(crate) fn all_rows(&self) -> Vec<usize> {
        (0..self.rows.len()).collect()
    }

    /// How many rows of the payload it stands for, typed or rejected.
    pub(crate) fn rows_covered(&self) -> usize {
        usize::try_from(self.next_row - self.first_row).unwrap_or(usize::MAX)
    }

    /// Where the next row begins.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            slots: self.slots.len(),
            keys: self.keys.len(),
            unfolded: self.unfolded.len(),
            buffer: self.buffer.len(),
            coerced: self.coerced,
        }
    }

    /// Takes back what was added of a row that is not one.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        let this_row = self.rows.len();
        self.slots.truncate(mark.slots);
        self.keys.truncate(mark.keys);
        self.unfolded.truncate(mark.unfolded);
        self.buffer.truncate(mark.buffer);
        self.keyless.retain(|(row, _)| *row != this_row);
        self.keyed_by_default.retain(|(row, _)| *row != this_row);
        self.coerced = mark.coerced;
    }

    /// Makes room for the row that is being added: nothing is said in it yet.
    pub(crate) fn make_room(&mut self) {
        let end = (self.rows.len() + 1) * self.layout.row_slots;
        self.slots.resize(end, Slot::Absent);
    }

    /// Fills a slot of the row that is being added.
    pub(crate) fn put(&mut self, side: usize, field: usize, slot: Slot) {
        let first = self.rows.len() * self.layout.row_slots + self.layout.fields[side];
        self.slots[first + field] = slot;
    }

    /// Empties the slots of one side of the row that is being added, and takes its keys back.
    pub(crate) fn forget_side(&mut self, side: usize, fields: usize) {
        (0..fields).for_each(|field| self.put(side, field, Slot::Absent));
        let keys = self.rows.len() * self.layout.row_keys + self.layout.keys[side];
        self.keys.truncate(keys);
        self.unfolded.retain(|place| *place < keys);
    }

    pub(crate) fn slot(&self, row: usize, side: usize, field: usize) -> Slot {
        self.slots[row * self.layout.row_slots + self.layout.fields[side] + field]
    }

    pub(crate) fn bytes(&self, (start, end): (u32, u32)) -> &[u8] {
        &self.buffer[start as usize..end as usize]
    }

    /// One field of a row's key, as it is compared.
    pub(crate) fn key_cell(&self, row: usize, side: usize, key: usize) -> &[u8] {
        self.bytes(self.keys[row * self.layout.row_keys + self.layout.keys[side] + key])
    }

    /// The cells of a group of fields of side 0, if all of them can be part of a key.
    pub(crate) fn group(&self, side: &Side, row: usize, group: &[usize]) -> Option<Vec<&[u8]>> {
        let cell = |place: &usize| match self.slot(row, 0, *place) {
            Slot::Set(start, end) => Some(self.bytes((start, end)))
                .filter(|bytes| !is_white(&side.fields[*place], bytes)),
            Slot::Blank | Slot::Absent => None,
        };
        group.iter().map(cell).collect()
    }

    /// Whether the row brings anything for this side. An empty set of collection columns makes
    /// no subprofile.
    pub(crate) fn brings(&self, row: usize, side: usize) -> bool {
        let start = row * self.layout.row_slots + self.layout.fields[side];
        let end = match self.layout.fields.get(side + 1) {
            Some(next) => row * self.layout.row_slots + next,
            None => (row + 1) * self.layout.row_slots,
        };
        self.slots[start..end]
            .iter()
            .any(|slot| matches!(slot, Slot::Set(..)))
    }

    /// Memory that its rows take, nearly.
    pub(crate) fn bytes_held(&self) -> usize {
        self.buffer.len() + self.slots.len() * size_of::<Slot>()
    }

    /// Puts the folded text of a key in place.
    pub(crate) fn put_folded(&mut self, place: usize, text: &str) {
        let start = self.buffer.len() as u32;
        self.buffer.extend_from_slice(text.as_bytes());
        self.keys[place] = (start, self.buffer.len() as u32);
    }
}

/// White space alone is no key.
pub(crate) fn is_white(field: &Field, bytes: &[u8]) -> bool {
    field.kind.is_text() && std::str::from_utf8(bytes).is_ok_and(|text| text.trim().is_empty())
}

/// The key of a row on one side, compared cell by cell without being copied together.
#[derive(Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) chunk: &'a Chunk,
    pub(crate) row: usize,
    pub(crate) side: usize,
    pub(crate) cells: usize,
}

impl<'a> Key<'a> {
    pub(crate) fn cell(&self, cell: usize) -> &'a [u8] {
        self.chunk.key_cell(self.row, self.side, cell)
    }

    /// Its first bytes as a number of the same order.
    pub(crate) fn prefix(&self) -> u128 {
        let first = if self.cells > 0 { self.cell(0) } else { &[] };
        let mut bytes = [0; 16];
        let known = first.len().min(bytes.len());
        bytes[..known].copy_from_slice(&first[..known]);
        u128::from_be_bytes(bytes)
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        (0..self.cells).all(|cell| self.cell(cell) == other.cell(cell))
    }
}

impl Eq for Key<'_> {}

impl Ord for Key<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let cells = (0..self.cells).map(|cell| self.cell(cell));
        cells.cmp((0..other.cells).map(|cell| other.cell(cell)))
    }
}

impl PartialOrd for Key<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for cell in 0..self.cells {
            self.cell(cell).hash(state);
        }
    }
}

//! The pure parts of the job as `make bench-parts` measures them. Only there with the feature `bench`:
//! nothing else may know what a chunk is.

use std::io::Read;

use longshore_core::plan::Plan;
use longshore_core::store::binary::Value;
use longshore_core::store::new_rows::NewRows;

use super::chunk::{Chunk, Layout, Slot};
use super::feed;
use crate::rows::{Error, Reader, Row};

/// All rows of a payload in one chunk.
pub struct Typed(Chunk);

impl Typed {
    /// Reads, types and checks them as the feed does.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub fn read(reader: &mut Reader<impl Read>, plan: &Plan) -> Result<Typed, Error> {
        let mut chunk = Chunk::new(Layout::new(plan), 1);
        let mut row = Row::new();
        while !chunk.last {
            feed::add_next(reader, plan, &mut row, &mut chunk)?;
        }
        Ok(Typed(chunk))
    }

    /// How many rows can be applied.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.0.rows.len()
    }

    /// The cells of its rows, as a decision hands them on to be written.
    #[must_use]
    pub fn cells(&self, plan: &Plan) -> Vec<Vec<Value<'_>>> {
        let chunk = &self.0;
        let cell = |row: usize, field: usize| match chunk.slot(row, 0, field) {
            Slot::Set(start, end) => Some(chunk.bytes((start, end))),
            Slot::Blank | Slot::Absent => None,
        };
        let fields = plan.sides[0].fields.len();
        let rows = 0..chunk.rows.len();
        rows.map(|row| (0..fields).map(|field| cell(row, field)).collect())
            .collect()
    }
}

/// New profiles as COPY takes them in.
#[must_use]
pub fn copy(plan: &Plan, cells: &[Vec<Value<'_>>]) -> Vec<u8> {
    let rows = NewRows {
        ids: None,
        parents: None,
        cells: cells.iter().map(Vec::as_slice).collect(),
        import_id: 1,
    };
    rows.encode(&plan.sides[0])
}

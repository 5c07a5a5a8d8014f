//! The pure parts of the job as `make bench-parts` measures them. Only there with the feature `bench`:
//! nothing else may know what a chunk is.

use std::io::Read;

use longshore_core::plan::Plan;
use longshore_core::store::binary::CopyRows;

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

    /// The cells of the profiles as COPY takes them in, without the columns that only the ledger knows.
    #[must_use]
    pub fn copy(&self, plan: &Plan) -> Vec<u8> {
        let chunk = &self.0;
        let fields = plan.sides[0].fields.len();
        let mut rows = CopyRows::default();
        rows.reserve(chunk.buffer.len() + chunk.rows.len() * (2 + fields * 4));
        for row in 0..chunk.rows.len() {
            rows.row(fields);
            for field in 0..fields {
                rows.cell(match chunk.slot(row, 0, field) {
                    Slot::Set(start, end) => Some(chunk.bytes((start, end))),
                    Slot::Blank | Slot::Absent => None,
                });
            }
        }
        rows.finish()
    }
}

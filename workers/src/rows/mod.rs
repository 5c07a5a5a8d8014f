//! Pure readers: bytes to rows with positions. No I/O of their own, no async.
//! A row that cannot be read is a [`Fault`] and reading goes on; bytes whose rows cannot be told
//! apart are [`Damage`] and end the import. A reader never holds more than a few rows' bytes.

mod columns;
mod csv;
mod csv_header;
mod csv_quotes;
mod csv_scan;
mod damage;
mod decode;
mod fault;
mod json;
mod ndjson;
mod object;
mod position;
mod row;
mod sniff;
mod syntax;
#[cfg(test)]
mod tests;
mod token;
mod window;

use std::io::Read;

use longshore_core::reading::Quotes;

pub use damage::{Damage, Error};
pub use decode::Decoded;
pub use fault::Fault;
pub use row::Row;
use window::Window;

/// How a payload's bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Separated values with one header row.
    Csv {
        /// One of `,`, `;`, tab and `|`.
        delimiter: u8,
        /// What goes around a cell.
        quotes: Quotes,
    },
    /// One array of objects.
    Json,
    /// One object per line.
    Ndjson,
}

/// What one call of [`Reader::next`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The row was filled.
    Row,
    /// The next row cannot be used. It has its number all the same.
    Fault(Fault),
    /// No more rows.
    End,
}

enum Rows {
    Csv(csv::Csv),
    Json(json::Array),
    Ndjson(ndjson::Lines),
}

/// Reads the rows of one payload in the order in which they stand.
pub struct Reader<R> {
    window: Window<R>,
    rows: Rows,
    number: u64,
    damage: Option<Damage>,
}

impl<R: Read> Reader<R> {
    /// Looks at the first bytes, and reads the header of a CSV payload.
    ///
    /// # Errors
    /// [`Error::Damage`] if the bytes are of another kind or the header cannot serve;
    /// [`Error::Io`] if the source fails.
    pub fn open(format: Format, source: R) -> Result<Self, Error> {
        let mut window = Window::new(source);
        window.more()?;
        let mark = sniff::check(format, window.data())?;
        window.consume(mark);
        Reader::over(format, window)
    }

    fn over(format: Format, mut window: Window<R>) -> Result<Self, Error> {
        let rows = match format {
            Format::Csv { delimiter, quotes } => {
                Rows::Csv(csv::Csv::open((delimiter, quotes), &mut window)?)
            }
            Format::Json => Rows::Json(json::Array::open(&mut window)?),
            Format::Ndjson => Rows::Ndjson(ndjson::Lines::open(&mut window)?),
        };
        Ok(Reader {
            window,
            rows,
            number: 0,
            damage: None,
        })
    }

    /// The columns by index. Fixed for CSV; for the JSON formats every member name seen so far,
    /// so the list may grow with each call of [`Reader::next`], never change.
    pub fn columns(&self) -> &[String] {
        match &self.rows {
            Rows::Csv(rows) => rows.columns(),
            Rows::Json(rows) => rows.columns(),
            Rows::Ndjson(rows) => rows.columns(),
        }
    }

    /// Reads the next row into `row`, whose former cells are gone whatever comes out.
    ///
    /// # Errors
    /// [`Error::Damage`] is final and comes again on every later call. After [`Error::Io`] the
    /// call may be repeated: nothing was lost and no row was counted.
    pub fn next(&mut self, row: &mut Row) -> Result<Step, Error> {
        if let Some(damage) = &self.damage {
            return Err(damage.clone().into());
        }
        row.clear(self.number + 1);
        let step = match &mut self.rows {
            Rows::Csv(rows) => rows.next(&mut self.window, row),
            Rows::Json(rows) => rows.next(&mut self.window, row),
            Rows::Ndjson(rows) => rows.next(&mut self.window, row),
        };
        match &step {
            Ok(Step::Row) => self.number += 1,
            Ok(Step::Fault(_)) => {
                self.number += 1;
                row.forget_cells();
            }
            Ok(Step::End) => {}
            Err(Error::Damage(damage)) => self.damage = Some(damage.clone()),
            Err(Error::Io(_)) => {}
        }
        step
    }

    /// Drops rows and faults until [`Reader::next`] yields the row of this number. It reads them
    /// as `next` does, so that numbers, lines and columns come out alike. Never goes back.
    ///
    /// # Errors
    /// As [`Reader::next`]; after an I/O error it may be repeated.
    pub fn skip_to(&mut self, number: u64) -> Result<(), Error> {
        let mut dropped = Row::new();
        while self.number + 1 < number {
            if self.next(&mut dropped)? == Step::End {
                break;
            }
        }
        Ok(())
    }
}

//! What the tests of the readers share: reading a whole payload into something to compare.

mod csv;
mod json;
mod json_broken;
mod ndjson;
mod opening;
mod properties;
mod speed;

use std::io::{self, Read};

use longshore_core::cell::Cell;
use longshore_core::code::Code;
use longshore_core::reading::Quotes;

use super::{Damage, Error, Fault, Format, Reader, Row, Step};

pub(super) const CSV: Format = Format::Csv {
    delimiter: b',',
    quotes: Quotes::Double,
};

/// All that came out of a payload.
#[derive(Debug, PartialEq)]
pub(super) struct Reading {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<(u64, u64, Vec<String>)>,
    pub(super) faults: Vec<Fault>,
    pub(super) damage: Option<Damage>,
}

impl Reading {
    pub(super) fn cells(&self) -> Vec<Vec<&str>> {
        let rows = self.rows.iter();
        rows.map(|(_, _, cells)| cells.iter().map(String::as_str).collect())
            .collect()
    }

    /// (number, line, code) of every fault.
    pub(super) fn fault_places(&self) -> Vec<(u64, u64, Code)> {
        self.faults
            .iter()
            .map(|fault| (fault.number, fault.line, fault.code))
            .collect()
    }

    pub(super) fn code(&self) -> Option<Code> {
        self.damage.as_ref().map(|damage| damage.code)
    }
}

/// A cell in a form that tells all kinds apart and keeps plain text readable.
pub(super) fn shown(cell: Cell<'_>) -> String {
    match cell {
        Cell::Absent => "~".to_owned(),
        Cell::Null => "~null".to_owned(),
        Cell::Text(text) => text.to_owned(),
        Cell::Number(text) => format!("~{text}"),
        Cell::Boolean(value) => format!("~{value}"),
        Cell::List(text) | Cell::Object(text) => format!("~{text}"),
    }
}

pub(super) fn read(format: Format, payload: impl AsRef<[u8]>) -> Reading {
    read_from(format, payload.as_ref())
}

pub(super) fn read_from(format: Format, source: impl Read) -> Reading {
    read_opened(Reader::open(format, source))
}

pub(super) fn read_opened<R: Read>(opened: Result<Reader<R>, Error>) -> Reading {
    let mut all = Reading {
        columns: vec![],
        rows: vec![],
        faults: vec![],
        damage: None,
    };
    let mut reader = match opened {
        Ok(reader) => reader,
        Err(error) => {
            all.damage = Some(damage_of(error));
            return all;
        }
    };
    read_rest(&mut reader, &mut all);
    all
}

pub(super) fn read_rest<R: Read>(reader: &mut Reader<R>, all: &mut Reading) {
    let mut row = Row::new();
    loop {
        match reader.next(&mut row) {
            Ok(Step::Row) => {
                let cells = (0..reader.columns().len())
                    .map(|at| shown(row.cell(at)))
                    .collect();
                all.rows.push((row.number, row.line, cells));
            }
            Ok(Step::Fault(fault)) => {
                assert_eq!((fault.number, fault.line), (row.number, row.line));
                assert_eq!(row.cell(0), Cell::Absent);
                all.faults.push(fault);
            }
            Ok(Step::End) => {
                assert_eq!(reader.next(&mut row).unwrap(), Step::End);
                break;
            }
            Err(error) => {
                let damage = damage_of(error);
                assert_eq!(damage_of(reader.next(&mut row).unwrap_err()), damage);
                all.damage = Some(damage);
                break;
            }
        }
    }
    all.columns = reader.columns().to_vec();
}

pub(super) fn damage_of(error: Error) -> Damage {
    match error {
        Error::Damage(damage) => damage,
        Error::Io(error) => panic!("an I/O error: {error}"),
    }
}

/// Gives its bytes in pieces of the given sizes, over and over, and an error before each piece
/// if asked to.
pub(super) struct Pieces<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) sizes: Vec<usize>,
    pub(super) turn: usize,
    pub(super) failing: bool,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.turn += 1;
        if self.failing && self.turn.is_multiple_of(2) {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "reset"));
        }
        if self.turn.is_multiple_of(7) {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        let wanted = self.sizes[self.turn % self.sizes.len()].max(1);
        let count = wanted.min(buffer.len()).min(self.bytes.len());
        buffer[..count].copy_from_slice(&self.bytes[..count]);
        self.bytes = &self.bytes[count..];
        Ok(count)
    }
}

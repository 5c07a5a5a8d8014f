//! CSV rows under a header. The header decides how many cells a row has.

use std::io::Read;
use std::str::Utf8Error;

use longshore_core::code::Code;
use longshore_core::limits::{COLUMNS_MAX, ROW_BYTES_MAX};
use longshore_core::reading::Quotes;

use super::Step;
use super::csv_header;
use super::csv_quotes;
use super::csv_scan::{Extent, Scanner, Stop};
use super::damage::{Damage, Error, damage, line_too_long};
use super::fault::{Fault, field_too_long, invalid_utf8};
use super::position::line_end_at;
use super::row::{Kind, Row, Slot};
use super::sniff::empty_payload;
use super::window::{ROW_AND_END_BYTES_MAX, Window};

/// Reads CSV.
pub(super) struct Csv {
    scanner: Scanner,
    delimiter: u8,
    columns: Vec<String>,
    line: u64,
}

impl Csv {
    pub(super) fn open<R: Read>(
        (delimiter, quotes): (u8, Quotes),
        window: &mut Window<R>,
    ) -> Result<Csv, Error> {
        let scanner = Scanner::new(delimiter, quotes);
        let mut csv = Csv {
            scanner,
            delimiter,
            columns: Vec::new(),
            line: 1,
        };
        let mut row = Row::new();
        // One more than allowed, so that too many show.
        let extent = csv
            .scan(window, &mut row, COLUMNS_MAX + 1)?
            .ok_or_else(empty_payload)?;
        let raw = &window.data()[..extent.bytes];
        let names = csv.header(raw, &extent, &mut row);
        csv.columns = names.map_err(|damage| damage.on(csv.line))?;
        csv.pass(window, &extent);
        Ok(csv)
    }

    fn header(&self, raw: &[u8], extent: &Extent, row: &mut Row) -> Result<Vec<String>, Damage> {
        let stray = extent.stray.is_some();
        csv_header::check(raw, self.delimiter, stray || extent.cells == 1)?;
        if stray {
            return Err(csv_header::stray_quote());
        }
        self.load(raw, row).map_err(|_| csv_header::not_utf8())?;
        csv_header::names(row, extent.cells)
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn next<R: Read>(
        &mut self,
        window: &mut Window<R>,
        row: &mut Row,
    ) -> Result<Step, Error> {
        let Some(extent) = self.scan(window, row, self.columns.len())? else {
            return Ok(Step::End);
        };
        row.line = self.line;
        let raw = &window.data()[..extent.bytes];
        let fault = self.judge(raw, row, &extent).or_else(|| {
            let error = self.load(raw, row).err()?;
            Some(self.not_utf8(raw, row, window.passed(), error))
        });
        self.pass(window, &extent);
        Ok(fault.map_or(Step::Row, Step::Fault))
    }

    /// Scans the next row that is not blank. Consumes blank lines only, so that a call after an
    /// I/O error starts anew.
    fn scan<R: Read>(
        &mut self,
        window: &mut Window<R>,
        row: &mut Row,
        keep: usize,
    ) -> Result<Option<Extent>, Error> {
        if !self.skip_blank_lines(window)? {
            return Ok(None);
        }
        loop {
            match self.scanner.row(window.held(), &mut row.slots, keep) {
                Ok(extent) if extent.bytes <= ROW_BYTES_MAX => return Ok(Some(extent)),
                Err(Stop::Unclosed(below)) => return Err(self.unclosed(below).into()),
                Err(Stop::Short) if window.data().len() < ROW_AND_END_BYTES_MAX => window.more()?,
                _ => return Err(line_too_long(self.line).into()),
            }
        }
    }

    /// False at the end of the payload.
    fn skip_blank_lines<R: Read>(&mut self, window: &mut Window<R>) -> Result<bool, Error> {
        loop {
            let held = window.held();
            match held.bytes.first() {
                Some(b'\n' | b'\r') => match line_end_at(held, 0) {
                    Some(length) => {
                        window.consume(length);
                        self.line += 1;
                    }
                    None => window.more()?,
                },
                Some(_) => return Ok(true),
                None if held.ended => return Ok(false),
                None => window.more()?,
            }
        }
    }

    fn pass<R: Read>(&mut self, window: &mut Window<R>, extent: &Extent) {
        self.line += extent.lines;
        window.consume(extent.bytes + extent.ending);
    }

    fn judge(&self, raw: &[u8], row: &Row, extent: &Extent) -> Option<Fault> {
        if let Some(cell) = extent.stray {
            let expected = "quotes around the whole cell, those inside it doubled";
            let fault = Fault::new(row, Code::StrayQuote, raw, expected);
            return Some(fault.of(self.columns.get(cell)));
        }
        let (wanted, got) = (self.columns.len(), extent.cells);
        if got != wanted {
            let expected = format!("{wanted} cells, got {got}{}", self.advice(wanted, got));
            return Some(Fault::new(row, Code::WrongFieldCount, raw, expected));
        }
        let cell = extent.too_long?;
        let value = row.slots.get(cell).and_then(|slot| raw.get(slot.range()));
        Some(field_too_long(row, value.unwrap_or(raw)).of(self.columns.get(cell)))
    }

    fn advice(&self, wanted: usize, got: usize) -> String {
        match self.delimiter {
            _ if got < wanted => String::new(),
            b'\t' => ": a tab in a cell without quotes?".to_owned(),
            delimiter => format!(": a `{}` in a cell without quotes?", char::from(delimiter)),
        }
    }

    fn not_utf8(&self, raw: &[u8], row: &Row, passed: u64, error: Utf8Error) -> Fault {
        let at = error.valid_up_to();
        let cell = row.slots.iter().position(|slot| at < slot.end as usize);
        let value = cell
            .and_then(|cell| raw.get(row.slots[cell].range()))
            .unwrap_or(raw);
        invalid_utf8(row, value, passed + at as u64)
            .of(cell.and_then(|cell| self.columns.get(cell)))
    }

    /// Takes over the text of a scanned row. Cells whose text is not what stands there are written
    /// out behind it.
    fn load(&self, raw: &[u8], row: &mut Row) -> Result<(), Utf8Error> {
        let text = std::str::from_utf8(raw)?;
        row.text.clear();
        row.text.push_str(text);
        for &cell in &self.scanner.rewritten {
            let Some(slot) = row.slots.get_mut(cell) else {
                break;
            };
            let start = row.text.len();
            let written = text.get(slot.range()).unwrap_or_default();
            let before = text.get(..slot.start as usize).unwrap_or_default();
            let quote = before.chars().next_back().filter(char::is_ascii);
            let quote = quote.filter(|c| self.scanner.quotes.open_with(*c as u8));
            csv_quotes::write_out(self.scanner.quotes, quote, written, &mut row.text);
            *slot = Slot::new(start, row.text.len(), Kind::Text);
        }
        Ok(())
    }

    fn unclosed(&self, below: u64) -> Damage {
        let message = "The quote that opens here is never closed, or quotes inside its cell are \
                       not doubled, or the cell is above the limits.";
        damage(Code::UnclosedQuote, message).on(self.line + below)
    }
}

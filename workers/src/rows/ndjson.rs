//! The rows of a payload with one JSON object per line. A broken line is a fault of its own: the
//! next line starts anew. Only a last line that is cut short shows a payload that was cut short.

use std::io::Read;

use longshore_core::code::Code;
use longshore_core::limits::ROW_BYTES_MAX;

use super::Step;
use super::damage::{Damage, Error, damage, line_too_long};
use super::fault::Fault;
use super::json::is_white;
use super::object::Objects;
use super::position::find_line_end;
use super::row::Row;
use super::sniff::{empty_payload, mismatch};
use super::syntax::Found;
use super::token::Stop;
use super::window::{ROW_AND_END_BYTES_MAX, Window};

/// So many lines without any JSON are enough to say that the payload is something else.
const LINES_WITHOUT_JSON_MAX: u64 = 100;

/// Reads lines.
pub(super) struct Lines {
    objects: Objects,
    line: u64,
    /// Lines tried until one was JSON, and what was wrong with the first; `None` from then on.
    strange: Option<(u64, String)>,
}

/// A line in the window.
#[derive(Clone, Copy)]
struct Line {
    bytes: usize,
    ending: usize,
    blank: usize,
}

impl Lines {
    pub(super) fn open<R: Read>(window: &mut Window<R>) -> Result<Lines, Error> {
        let mut lines = Lines {
            objects: Objects::default(),
            line: 1,
            strange: Some((0, String::new())),
        };
        lines.find(window)?.ok_or_else(empty_payload)?;
        Ok(lines)
    }

    pub(super) fn columns(&self) -> &[String] {
        self.objects.columns()
    }

    pub(super) fn next<R: Read>(
        &mut self,
        window: &mut Window<R>,
        row: &mut Row,
    ) -> Result<Step, Error> {
        let Some(line) = self.find(window)? else {
            return match &self.strange {
                Some((tried, first)) => Err(no_json(*tried, first).into()),
                None => Ok(Step::End),
            };
        };
        row.line = self.line;
        let text = &window.data()[..line.bytes];
        let step = match self.value(text, line.blank) {
            Ok(found) => {
                self.strange = None;
                let (value, offset) = (&text[line.blank..], window.passed() + line.blank as u64);
                let step = self.objects.fill(&found, value, row, offset);
                step.map_err(|damage| damage.on(self.line))?
            }
            Err(Stop::Short) if line.ending == 0 => {
                let message = "The last line ends in the middle.";
                return Err(damage(Code::PayloadTruncated, message).on(self.line).into());
            }
            Err(stop) => Step::Fault(self.broken(text, stop, row)?),
        };
        self.pass(window, line);
        Ok(step)
    }

    fn value(&mut self, text: &[u8], blank: usize) -> Result<Found, Stop> {
        let behind = |at: usize| blank + at;
        let value = &text[blank..];
        let found = self.objects.find(value, true).map_err(|stop| match stop {
            Stop::Bad(at, hint) => Stop::Bad(behind(at), hint),
            Stop::Short => Stop::Short,
        })?;
        let rest = &value[found.bytes..];
        match rest.iter().position(|byte| !is_white(*byte)) {
            Some(at) => Err(Stop::Bad(
                behind(found.bytes + at),
                "one object per line, no more",
            )),
            None => Ok(found),
        }
    }

    fn broken(&mut self, text: &[u8], stop: Stop, row: &Row) -> Result<Fault, Error> {
        let (column, hint) = match stop {
            Stop::Bad(at, hint) => (at + 1, hint),
            Stop::Short => (text.len() + 1, "the line ends too early"),
        };
        let expected = format!("JSON; column {column}: {hint}");
        if let Some((tried, first)) = &mut self.strange {
            if *tried == 0 {
                *first = format!("line {}, column {column}: {hint}", self.line);
            }
            *tried += 1;
            if *tried == LINES_WITHOUT_JSON_MAX {
                return Err(no_json(*tried, first).into());
            }
        }
        Ok(Fault::new(row, Code::InvalidJson, text, expected))
    }

    /// Finds the next line that is not blank. Consumes blank lines only.
    fn find<R: Read>(&mut self, window: &mut Window<R>) -> Result<Option<Line>, Error> {
        loop {
            let held = window.held();
            match find_line_end(held) {
                Some((0, 0)) => return Ok(None),
                Some((bytes, ending)) if bytes <= ROW_BYTES_MAX => {
                    let text = &held.bytes[..bytes];
                    let blank = text.iter().take_while(|byte| is_white(**byte)).count();
                    let line = Line {
                        bytes,
                        ending,
                        blank,
                    };
                    if blank < bytes {
                        return Ok(Some(line));
                    }
                    self.pass(window, line);
                }
                None if held.bytes.len() < ROW_AND_END_BYTES_MAX => window.more()?,
                _ => return Err(line_too_long(self.line).into()),
            }
        }
    }

    fn pass<R: Read>(&mut self, window: &mut Window<R>, line: Line) {
        self.line += 1;
        window.consume(line.bytes + line.ending);
    }
}

fn no_json(lines: u64, first: &str) -> Damage {
    mismatch(format!("No line is JSON, of {lines} tried; {first}."))
}

//! The rows of one JSON array of objects. The array's own syntax is judged here; a fault in it,
//! or in a row's syntax, is damage, since nothing behind it can be trusted.

use std::io::Read;

use longshore_core::code::Code;
use longshore_core::limits::ROW_BYTES_MAX;

use super::Step;
use super::damage::{Damage, Error, damage, line_too_long};
use super::fault::excerpt;
use super::object::Objects;
use super::position::Position;
use super::row::Row;
use super::sniff::{empty_payload, mismatch};
use super::syntax::{Found, TRAILING_COMMA, after_value_hint};
use super::token::Stop;
use super::window::Window;

/// What has been read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Opened,
    Item,
    Comma,
    Closed,
}

/// Reads an array.
pub(super) struct Array {
    objects: Objects,
    position: Position,
    state: State,
}

impl Array {
    pub(super) fn open<R: Read>(window: &mut Window<R>) -> Result<Array, Error> {
        let mut array = Array {
            objects: Objects::default(),
            position: Position::start(),
            state: State::Opened,
        };
        match array.first(window)? {
            None => return Err(empty_payload().into()),
            Some(b'[') => array.pass(window, 1),
            Some(byte) => {
                let damage = not_an_array(byte, window.data());
                return Err(array.position.mark(&[], damage).into());
            }
        }
        Ok(array)
    }

    pub(super) fn columns(&self) -> &[String] {
        self.objects.columns()
    }

    pub(super) fn next<R: Read>(
        &mut self,
        window: &mut Window<R>,
        row: &mut Row,
    ) -> Result<Step, Error> {
        loop {
            let first = self.first(window)?;
            let Some(byte) = first else {
                return match self.state {
                    State::Closed => Ok(Step::End),
                    _ => Err(self.truncated().into()),
                };
            };
            match (self.state, byte) {
                (State::Closed, _) => return Err(self.bad("nothing may follow the array").into()),
                (State::Opened | State::Item, b']') => {
                    self.pass(window, 1);
                    self.state = State::Closed;
                }
                (State::Item, b',') => {
                    self.pass(window, 1);
                    self.state = State::Comma;
                }
                (State::Item, other) => return Err(self.bad(after_value_hint(other)).into()),
                (State::Comma, b']') => return Err(self.bad(TRAILING_COMMA).into()),
                (State::Opened | State::Comma, _) => return self.item(window, row),
            }
        }
    }

    fn item<R: Read>(&mut self, window: &mut Window<R>, row: &mut Row) -> Result<Step, Error> {
        let found = self.find(window)?;
        row.line = self.position.line;
        let step = self
            .objects
            .fill(&found, window.data(), row, window.passed());
        let step = step.map_err(|damage| damage.on(row.line))?;
        self.pass(window, found.bytes);
        self.state = State::Item;
        Ok(step)
    }

    /// The value that is next, wholly in the window.
    fn find<R: Read>(&mut self, window: &mut Window<R>) -> Result<Found, Error> {
        loop {
            let held = window.held();
            match self.objects.find(held.bytes, false) {
                Ok(found) if found.bytes <= ROW_BYTES_MAX => return Ok(found),
                Err(Stop::Short) if held.bytes.len() <= ROW_BYTES_MAX => {
                    if held.ended {
                        return Err(self.truncated().into());
                    }
                    window.more()?;
                }
                Err(Stop::Bad(at, hint)) => {
                    let damage = damage(Code::InvalidJson, sentence(hint));
                    return Err(self.position.mark(&held.bytes[..at], damage).into());
                }
                _ => return Err(line_too_long(self.position.line).into()),
            }
        }
    }

    /// Moves behind white space to the next byte, if there is one.
    fn first<R: Read>(&mut self, window: &mut Window<R>) -> Result<Option<u8>, Error> {
        loop {
            let held = window.held();
            let white = held
                .bytes
                .iter()
                .take_while(|byte| is_white(**byte))
                .count();
            let first = held.bytes.get(white).copied();
            let ended = held.ended;
            self.pass(window, white);
            if first.is_some() || ended {
                return Ok(first);
            }
            window.more()?;
        }
    }

    fn pass<R: Read>(&mut self, window: &mut Window<R>, bytes: usize) {
        self.position.pass(&window.data()[..bytes]);
        window.consume(bytes);
    }

    fn truncated(&self) -> Damage {
        let message = "The payload ends before its array does.";
        damage(Code::PayloadTruncated, message).on(self.position.line)
    }

    fn bad(&self, hint: &str) -> Damage {
        self.position
            .mark(&[], damage(Code::InvalidJson, sentence(hint)))
    }
}

/// JSON's white space, which is less than ASCII's.
pub(super) fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

fn sentence(hint: &str) -> String {
    format!("This is not JSON: {hint}.")
}

fn not_an_array(byte: u8, data: &[u8]) -> Damage {
    let literal = [&b"true"[..], b"false", b"null"]
        .iter()
        .any(|word| data.starts_with(word));
    let found = match byte {
        b'{' => "an object; put it into [ ], or declare ndjson if each line is an object",
        b'"' => "a string",
        b'-' | b'0'..=b'9' => "a number",
        _ if literal => "a single word",
        b'a'..=b'z' | b'A'..=b'Z' => {
            let line = data
                .split(|byte| matches!(byte, b'\n' | b'\r'))
                .next()
                .unwrap_or_default();
            let start = excerpt(&line[..line.len().min(60)]);
            return mismatch(format!(
                "The payload is not JSON; it starts with `{start}`."
            ));
        }
        _ => {
            return damage(
                Code::InvalidJson,
                sentence("an array of objects was expected"),
            );
        }
    };
    damage(
        Code::ExpectedArray,
        format!("An array of objects was expected, not {found}."),
    )
}

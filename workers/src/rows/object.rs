//! From the noted members of a JSON object to a row. What the array and the lines have in common.

use longshore_core::code::Code;
use longshore_core::limits::{CELL_BYTES_MAX, COLUMNS_MAX, JSON_DEPTH_MAX};

use super::Step;
use super::columns::Columns;
use super::damage::Damage;
use super::fault::{Fault, excerpt, field_too_long, invalid_utf8};
use super::row::{Kind, Row, Slot};
use super::syntax::{Found, Member, Syntax};
use super::token::{Stop, unescape};

/// Makes rows of objects.
#[derive(Default)]
pub(super) struct Objects {
    syntax: Syntax,
    columns: Columns,
    name: String,
}

impl Objects {
    pub(super) fn columns(&self) -> &[String] {
        self.columns.names()
    }

    /// Finds the value that starts with the first byte, see [`Syntax::value`].
    pub(super) fn find(&mut self, bytes: &[u8], whole: bool) -> Result<Found, Stop> {
        self.syntax.value(bytes, whole, &self.columns)
    }

    /// Fills the row from the value that [`Objects::find`] has just found. `offset` is the place
    /// of its first byte in the payload.
    pub(super) fn fill(
        &mut self,
        found: &Found,
        bytes: &[u8],
        row: &mut Row,
        offset: u64,
    ) -> Result<Step, Damage> {
        let bytes = &bytes[..found.bytes];
        let fault = match self.refuse(found, bytes, row) {
            Some(fault) => Some(fault),
            None => match std::str::from_utf8(bytes) {
                Ok(text) => self.take(text, row)?,
                Err(error) => {
                    let at = error.valid_up_to();
                    Some(self.not_utf8(bytes, row, at, offset))
                }
            },
        };
        Ok(fault.map_or(Step::Row, Step::Fault))
    }

    /// What shows from the members' places alone.
    fn refuse(&self, found: &Found, bytes: &[u8], row: &Row) -> Option<Fault> {
        if !found.object {
            return Some(Fault::new(row, Code::ExpectedObject, bytes, "an object"));
        }
        let members = &self.syntax.members;
        if members.len() > COLUMNS_MAX {
            let expected = format!("at most {COLUMNS_MAX} members");
            return Some(Fault::new(row, Code::TooManyFields, bytes, expected));
        }
        let member = members.get(self.syntax.too_deep?)?;
        let expected = format!("at most {JSON_DEPTH_MAX} levels");
        let fault = Fault::new(row, Code::TooDeep, &bytes[member.value.range()], expected);
        Some(fault.of(Some(&shown_name(bytes, member))))
    }

    fn take(&mut self, text: &str, row: &mut Row) -> Result<Option<Fault>, Damage> {
        row.text.clear();
        row.text.push_str(text);
        row.slots.clear();
        row.slots.resize(self.columns.names().len(), Slot::ABSENT);
        for index in 0..self.syntax.members.len() {
            let member = self.syntax.members[index];
            if member.name.range().len() > CELL_BYTES_MAX {
                let name = text.get(member.name.range()).unwrap_or_default();
                return Ok(Some(field_too_long(row, name.as_bytes())));
            }
            let column = match member.column {
                Some(column) => column as usize,
                None => self.column(text, &member)?,
            };
            let fault = place(text, row, &member, column);
            if let Some(fault) = fault {
                return Ok(Some(fault.of(self.columns.names().get(column))));
            }
        }
        Ok(None)
    }

    /// The column of a member that was not known when it was read.
    fn column(&mut self, text: &str, member: &Member) -> Result<usize, Damage> {
        let written = text.get(member.name.range()).unwrap_or_default();
        let name = if member.name_escaped {
            self.name.clear();
            unescape(written, &mut self.name);
            &self.name
        } else {
            written
        };
        self.columns.number(name)
    }

    fn not_utf8(&self, bytes: &[u8], row: &Row, at: usize, offset: u64) -> Fault {
        let member = self
            .syntax
            .members
            .iter()
            .find(|member| at < member.value.end as usize);
        let place = offset + at as u64;
        match member {
            Some(member) if at >= member.value.start as usize => {
                invalid_utf8(row, &bytes[member.value.range()], place)
                    .of(Some(&shown_name(bytes, member)))
            }
            _ => invalid_utf8(row, bytes, place),
        }
    }
}

/// Puts a member's value into its column.
#[inline]
fn place(text: &str, row: &mut Row, member: &Member, column: usize) -> Option<Fault> {
    let mut value = member.value;
    if member.value_escaped {
        value = unescaped(text, row, value);
    }
    if column >= row.slots.len() {
        row.slots.resize(column + 1, Slot::ABSENT);
    }
    let written = || row.text.get(value.range()).unwrap_or_default().as_bytes();
    if row.slots[column].kind != Kind::Absent {
        return Some(Fault::new(
            row,
            Code::DuplicateField,
            written(),
            "every member once",
        ));
    }
    if value.range().len() > CELL_BYTES_MAX {
        return Some(field_too_long(row, written()));
    }
    row.slots[column] = value;
    None
}

/// Writes a string with escapes out behind the row's text.
fn unescaped(text: &str, row: &mut Row, value: Slot) -> Slot {
    let start = row.text.len();
    unescape(text.get(value.range()).unwrap_or_default(), &mut row.text);
    Slot::new(start, row.text.len(), Kind::Text)
}

/// A name as it stands, for a row whose columns are not taken up.
fn shown_name(bytes: &[u8], member: &Member) -> String {
    excerpt(&bytes[member.name.range()])
}

//! One JSON value at the start of some bytes: checks all of its syntax and notes the members of an
//! object. Never recurses: the nesting of a payload costs heap, at most a byte per byte of a row.

use longshore_core::limits::{COLUMNS_MAX, JSON_DEPTH_MAX};

use super::columns::Columns;
use super::row::{Kind, Slot};
use super::token::{Cursor, Stop};

/// A member of a row, by its places in the bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    /// The name, without its quotes.
    pub(super) name: Slot,
    pub(super) name_escaped: bool,
    /// The column of that name, if an earlier row had it. A name with escapes is not looked up.
    pub(super) column: Option<u32>,
    /// The value; a string without its quotes.
    pub(super) value: Slot,
    pub(super) value_escaped: bool,
}

/// Reads values; its buffers are used again.
#[derive(Default)]
pub(super) struct Syntax {
    /// Members of the last object; no more are noted than show that there are too many.
    pub(super) members: Vec<Member>,
    /// The first member that is nested too deep.
    pub(super) too_deep: Option<usize>,
    /// Closing brackets of what is open inside a member.
    open: Vec<u8>,
}

/// A value was read.
pub(super) struct Found {
    pub(super) bytes: usize,
    pub(super) object: bool,
}

impl Syntax {
    /// Reads the value that starts with the first byte. `whole`: the value must end with the bytes.
    /// `columns` are those of the rows before it.
    pub(super) fn value(
        &mut self,
        bytes: &[u8],
        whole: bool,
        columns: &Columns,
    ) -> Result<Found, Stop> {
        self.members.clear();
        self.too_deep = None;
        let mut cursor = Cursor {
            bytes,
            at: 0,
            whole,
        };
        let object = cursor.peek()? == b'{';
        if object {
            self.row(&mut cursor, columns)?;
        } else {
            self.member_value(&mut cursor)?;
        }
        Ok(Found {
            bytes: cursor.at,
            object,
        })
    }

    fn row(&mut self, cursor: &mut Cursor<'_>, columns: &Columns) -> Result<(), Stop> {
        cursor.at += 1;
        cursor.white();
        if cursor.peek()? == b'}' {
            cursor.at += 1;
            return Ok(());
        }
        let mut expected = 0;
        loop {
            let name = member_name(cursor, columns, &mut expected)?;
            // Places are put together here and not handed up: stored in halves and loaded as a
            // whole at once, they would keep the processor waiting.
            let start = cursor.at;
            let (kind, value_escaped) = self.member_value(cursor)?;
            let quote = usize::from(kind == Kind::Text);
            if self.members.len() <= COLUMNS_MAX {
                self.members.push(Member {
                    name: Slot::new(name.start, name.end, Kind::Text),
                    name_escaped: name.escaped,
                    column: name.column,
                    value: Slot::new(start + quote, cursor.at - quote, kind),
                    value_escaped,
                });
            }
            cursor.white();
            match cursor.peek()? {
                b',' => next_item(cursor, b'}')?,
                b'}' => {
                    cursor.at += 1;
                    return Ok(());
                }
                other => return cursor.bad(after_value_hint(other)),
            }
        }
    }

    /// Moves behind a value; true for a string with escapes.
    #[inline]
    fn member_value(&mut self, cursor: &mut Cursor<'_>) -> Result<(Kind, bool), Stop> {
        match cursor.peek()? {
            b'[' => self.nested(cursor).map(|()| (Kind::List, false)),
            b'{' => self.nested(cursor).map(|()| (Kind::Object, false)),
            _ => cursor.scalar(),
        }
    }

    /// Moves behind a list or object that stands inside a row, and all that is in it.
    fn nested(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        self.open.clear();
        loop {
            match cursor.peek()? {
                b'[' => self.enter(cursor, b']')?,
                b'{' => self.enter(cursor, b'}')?,
                _ => {
                    cursor.scalar()?;
                    self.leave(cursor)?;
                }
            }
            match self.open.last() {
                None => return Ok(()),
                Some(b'}') => {
                    name(cursor)?;
                    colon(cursor)?;
                }
                Some(_) => {}
            }
        }
    }

    /// Moves to the first item inside, or behind all that ends where there is none.
    fn enter(&mut self, cursor: &mut Cursor<'_>, closing: u8) -> Result<(), Stop> {
        self.open.push(closing);
        // The row's own object is the first level.
        if self.open.len() >= JSON_DEPTH_MAX {
            self.too_deep.get_or_insert(self.members.len());
        }
        cursor.at += 1;
        cursor.white();
        if cursor.peek()? == closing {
            cursor.at += 1;
            self.open.pop();
            return self.leave(cursor);
        }
        Ok(())
    }

    /// Behind a value: moves to the next item, or behind all that ends here.
    fn leave(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        while let Some(closing) = self.open.last() {
            cursor.white();
            match cursor.peek()? {
                b',' => return next_item(cursor, *closing),
                byte if byte == *closing => {
                    cursor.at += 1;
                    self.open.pop();
                }
                other => return cursor.bad(after_value_hint(other)),
            }
        }
        Ok(())
    }
}

/// A member's name, without its quotes.
struct Name {
    start: usize,
    end: usize,
    escaped: bool,
    column: Option<u32>,
}

/// Moves behind the name of a member of a row and its colon, to its value. `expected` is the column
/// that follows the one before it.
#[inline]
fn member_name(
    cursor: &mut Cursor<'_>,
    columns: &Columns,
    expected: &mut usize,
) -> Result<Name, Stop> {
    let start = cursor.at + 1;
    if let Some(bytes) = columns.begins(*expected, cursor.rest()) {
        cursor.at += bytes;
        let name = Name {
            start,
            end: cursor.at - 2,
            escaped: false,
            column: Some(*expected as u32),
        };
        *expected += 1;
        cursor.white();
        return Ok(name);
    }
    let escaped = name(cursor)?;
    let end = cursor.at - 1;
    colon(cursor)?;
    let written = cursor.bytes.get(start..end).filter(|_| !escaped);
    let column = written.and_then(|name| columns.known(name));
    *expected = column.unwrap_or(*expected) + 1;
    Ok(Name {
        start,
        end,
        escaped,
        column: column.map(|column| column as u32),
    })
}

/// Moves behind a name; true if it holds escapes.
#[inline]
fn name(cursor: &mut Cursor<'_>) -> Result<bool, Stop> {
    match cursor.peek()? {
        b'"' => {}
        b'/' | b'#' => return cursor.bad("JSON has no comments"),
        b'\'' => return cursor.bad("names have double quotes, not single ones"),
        _ => return cursor.bad("a name in double quotes was expected"),
    }
    cursor.string()
}

/// Moves behind the colon of a name, to the value.
#[inline]
fn colon(cursor: &mut Cursor<'_>) -> Result<(), Stop> {
    cursor.white();
    if cursor.peek()? != b':' {
        return cursor.bad("a colon was expected after the name");
    }
    cursor.at += 1;
    cursor.white();
    Ok(())
}

/// Moves from a comma to what follows.
#[inline]
fn next_item(cursor: &mut Cursor<'_>, closing: u8) -> Result<(), Stop> {
    cursor.at += 1;
    cursor.white();
    if cursor.peek()? == closing {
        return cursor.bad(TRAILING_COMMA);
    }
    Ok(())
}

pub(super) const TRAILING_COMMA: &str = "a comma may not stand behind the last item";

/// What to say of a byte that may not follow a value.
pub(super) fn after_value_hint(byte: u8) -> &'static str {
    match byte {
        b'/' | b'#' => "JSON has no comments",
        b'"' | b'{' | b'[' => "a comma is missing",
        _ => "a comma or the closing bracket was expected",
    }
}

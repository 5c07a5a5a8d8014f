//! One JSON value at the start of some bytes: checks all of its syntax and notes the members of an
//! object. Never recurses: the nesting of a payload costs heap, at most a byte per byte of a row.

use longshore_core::limits::{COLUMNS_MAX, JSON_DEPTH_MAX};

use super::row::{Kind, Slot};
use super::token::{Cursor, Stop};

/// A member of a row, by its places in the bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    /// The name, without its quotes.
    pub(super) name: Slot,
    pub(super) name_escaped: bool,
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
    pub(super) fn value(&mut self, bytes: &[u8], whole: bool) -> Result<Found, Stop> {
        self.members.clear();
        self.too_deep = None;
        let mut cursor = Cursor {
            bytes,
            at: 0,
            whole,
        };
        let object = cursor.peek()? == b'{';
        if object {
            self.row(&mut cursor)?;
        } else {
            self.member_value(&mut cursor)?;
        }
        Ok(Found {
            bytes: cursor.at,
            object,
        })
    }

    fn row(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        cursor.at += 1;
        cursor.white();
        if cursor.peek()? == b'}' {
            cursor.at += 1;
            return Ok(());
        }
        loop {
            let (name, name_escaped) = member_name(cursor)?;
            let (value, value_escaped) = self.member_value(cursor)?;
            if self.members.len() <= COLUMNS_MAX {
                self.members.push(Member {
                    name,
                    name_escaped,
                    value,
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

    #[inline]
    fn member_value(&mut self, cursor: &mut Cursor<'_>) -> Result<(Slot, bool), Stop> {
        let start = cursor.at;
        match cursor.peek()? {
            bracket @ (b'[' | b'{') => {
                self.nested(cursor)?;
                let kind = if bracket == b'[' {
                    Kind::List
                } else {
                    Kind::Object
                };
                Ok((Slot::new(start, cursor.at, kind), false))
            }
            _ => {
                let (kind, escaped) = cursor.scalar()?;
                let quote = usize::from(kind == Kind::Text);
                Ok((Slot::new(start + quote, cursor.at - quote, kind), escaped))
            }
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
                    member_name(cursor)?;
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

/// Moves behind a member's name and its colon, to its value.
#[inline]
fn member_name(cursor: &mut Cursor<'_>) -> Result<(Slot, bool), Stop> {
    match cursor.peek()? {
        b'"' => {}
        b'/' | b'#' => return cursor.bad("JSON has no comments"),
        b'\'' => return cursor.bad("names have double quotes, not single ones"),
        _ => return cursor.bad("a name in double quotes was expected"),
    }
    let start = cursor.at + 1;
    let escaped = cursor.string()?;
    let name = Slot::new(start, cursor.at - 1, Kind::Text);
    cursor.white();
    if cursor.peek()? != b':' {
        return cursor.bad("a colon was expected after the name");
    }
    cursor.at += 1;
    cursor.white();
    Ok((name, escaped))
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

//! One value as a payload holds it, before anything is known about its field.
//! Readers make cells, [`crate::value`] judges them; nothing in between may change one.

/// A value as read. Borrowed from the row's buffer: reading allocates nothing per cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// The row has no such column (JSON object without the key): the field stays untouched.
    Absent,
    /// JSON `null`.
    Null,
    /// Text: every CSV cell, and JSON strings with their escapes resolved.
    Text(&'a str),
    /// A JSON number exactly as written, so that no digit is lost on the way.
    Number(&'a str),
    /// JSON `true` or `false`.
    Boolean(bool),
    /// A JSON array, as its source text.
    List(&'a str),
    /// A JSON object, as its source text.
    Object(&'a str),
}

impl Cell<'_> {
    /// A blank cell clears its field, or keeps it under `ignore_empty_fields`.
    /// White space alone is not blank: it is a text of its own.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        matches!(self, Cell::Null | Cell::Text(""))
    }
}

//! What is wrong with one row. A fault is data: it becomes a reject and reading goes on.

use longshore_core::code::Code;
use longshore_core::limits::{CELL_BYTES_MAX, REJECT_VALUE_CHARS_MAX};

use super::row::Row;

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The row's number, from 1.
    pub number: u64,
    /// The physical line on which the row starts, from 1.
    pub line: u64,
    /// The column at fault, where one is.
    pub column: Option<String>,
    /// What is wrong.
    pub code: Code,
    /// The cell or the row as it stands, at most [`REJECT_VALUE_CHARS_MAX`] characters of it.
    pub value: String,
    /// What should have stood there.
    pub expected: String,
}

impl Fault {
    /// A fault of the row that is being read.
    pub(super) fn new(row: &Row, code: Code, value: &[u8], expected: impl Into<String>) -> Fault {
        Fault {
            number: row.number,
            line: row.line,
            column: None,
            code,
            value: excerpt(value),
            expected: expected.into(),
        }
    }

    /// With the column at fault.
    pub(super) fn of(mut self, column: Option<&String>) -> Fault {
        self.column = column.cloned();
        self
    }
}

/// A cell above its limit.
pub(super) fn field_too_long(row: &Row, value: &[u8]) -> Fault {
    Fault::new(
        row,
        Code::FieldTooLong,
        value,
        format!("at most {CELL_BYTES_MAX} bytes"),
    )
}

/// Bytes that are not UTF-8. `offset` counts from the start of the payload.
pub(super) fn invalid_utf8(row: &Row, value: &[u8], offset: u64) -> Fault {
    let expected = format!("UTF-8, but byte {offset} of the payload (from 0) is not");
    Fault::new(row, Code::InvalidUtf8, value, expected)
}

/// The first characters of what may be long and may not be UTF-8.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min((REJECT_VALUE_CHARS_MAX + 1) * 4)];
    let text = String::from_utf8_lossy(start);
    if text.chars().nth(REJECT_VALUE_CHARS_MAX).is_none() {
        return text.into_owned();
    }
    text.chars()
        .take(REJECT_VALUE_CHARS_MAX - 1)
        .chain(['…'])
        .collect()
}

//! Why reading stops: for good, because of the bytes, or for now, because of their source.
//! The two must never be mixed up: damage fails an import, an I/O error is tried again.

use std::fmt;
use std::io;

use longshore_core::code::Code;
use longshore_core::limits::ROW_BYTES_MAX;

/// Bytes whose rows cannot be told apart, or a payload of another kind. Final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What is wrong.
    pub code: Code,
    /// Physical line, from 1.
    pub line: Option<u64>,
    /// Byte within that line, from 1.
    pub column: Option<u64>,
    /// A sentence for the user, without the place.
    pub message: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(formatter, "line {line}, column {column}: ")?,
            (Some(line), None) => write!(formatter, "line {line}: ")?,
            _ => {}
        }
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Damage {}

/// Why a reader gave up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The payload is at fault: trying again changes nothing.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// The source is at fault: the same call may succeed later.
    #[error("the payload could not be read")]
    Io(#[from] io::Error),
}

/// Damage without a place.
pub(super) fn damage(code: Code, message: impl Into<String>) -> Damage {
    Damage {
        code,
        line: None,
        column: None,
        message: message.into(),
    }
}

/// A row above its limit, which starts on this line.
pub(super) fn line_too_long(line: u64) -> Damage {
    let message = format!("The row is longer than {ROW_BYTES_MAX} bytes.");
    damage(Code::LineTooLong, message).on(line)
}

impl Damage {
    /// With its line.
    pub(super) fn on(mut self, line: u64) -> Damage {
        self.line = Some(line);
        self
    }

    /// With its line and column.
    pub(super) fn at(mut self, line: u64, column: u64) -> Damage {
        self.line = Some(line);
        self.column = Some(column);
        self
    }
}

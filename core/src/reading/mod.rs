//! How the texts of a payload are meant: what the definition says about quotes and dates, and what
//! the survey found where the definition leaves it to the payload. Found once for the whole payload
//! and kept, so that whoever reads it again reads the same.

mod dates;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use dates::{DateOrder, Dates, Evidence, Sign};

/// What goes around a CSV cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quotes {
    /// `"`, doubled inside a cell, as in RFC 4180.
    #[default]
    Double,
    /// `'`. An apostrophe inside a cell is doubled, or has a backslash before it.
    Single,
    /// Each cell either of them.
    Either,
}

impl Quotes {
    /// Whether a cell that begins with this byte is quoted.
    #[must_use]
    pub fn open_with(self, byte: u8) -> bool {
        match byte {
            b'"' => self != Quotes::Single,
            b'\'' => self != Quotes::Double,
            _ => false,
        }
    }

    /// Whether a backslash before an apostrophe says that it is one.
    #[must_use]
    pub fn escape(self) -> bool {
        self != Quotes::Double
    }
}

/// What the survey of a payload found about how it is read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Found {
    /// The encoding, where neither the definition nor a byte order mark says it and it is not UTF-8.
    pub encoding: Option<String>,
    /// The columns whose dates are not in ISO order.
    pub dates: BTreeMap<String, DateOrder>,
}

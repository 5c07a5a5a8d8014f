//! Bytes that no column of the type could have sent.

use crate::field::FieldType;

/// The bytes of a column are not what its field's type writes.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The length or the inner lengths are wrong.
    #[error("{bytes} bytes are not a kept {}", kind.as_str())]
    Shape {
        /// What was to be read.
        kind: FieldType,
        /// How many bytes there are.
        bytes: usize,
    },
    /// A text is damaged.
    #[error("a kept text is not UTF-8")]
    Utf8(#[from] std::str::Utf8Error),
    /// A value that Postgres could hold, but that no cell can bring: infinity, the year 20240.
    #[error("a kept {} is out of range", kind.as_str())]
    Range {
        /// What was to be read.
        kind: FieldType,
    },
}

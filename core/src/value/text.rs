//! Text is kept byte for byte; only NUL, which Postgres cannot hold, and length are judged.

use super::{Misfit, source_text};
use crate::cell::Cell;
use crate::code::Code;
use crate::limits::CELL_BYTES_MAX;

/// A JSON number or boolean is kept as it was written: nothing of it is lost.
pub(super) fn encode(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let Some(text) = source_text(cell) else {
        return Err(Misfit::new(Code::InvalidType, "a text"));
    };
    if text.len() > CELL_BYTES_MAX {
        let expected = format!(
            "a text of at most {CELL_BYTES_MAX} bytes, not {}",
            text.len()
        );
        return Err(Misfit::new(Code::TooLong, expected));
    }
    if text.as_bytes().contains(&0) {
        return Err(nul());
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

pub(super) fn nul() -> Misfit {
    Misfit::new(Code::NulCharacter, "a text without the NUL character")
}

/// The text in lower case if it is ASCII. Beyond ASCII the answer depends on the locale of the
/// database, so that its own `lower()` must be asked: `None`.
#[must_use]
pub fn fold_ascii(text: &str) -> Option<String> {
    text.is_ascii().then(|| text.to_ascii_lowercase())
}

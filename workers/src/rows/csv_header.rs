//! What a CSV header must be. Every fault of a header is damage: without it no row has a meaning.

use std::collections::HashSet;

use longshore_core::cell::Cell;
use longshore_core::code::Code;
use longshore_core::limits::COLUMNS_MAX;

use super::damage::{Damage, damage};
use super::row::Row;

const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Refuses a header that seems to use another delimiter. It is asked only of one that came out
/// as a single column, or whose quotes are not followed by the declared delimiter.
pub(super) fn check(raw: &[u8], delimiter: u8, doubtful: bool) -> Result<(), Damage> {
    let others = DELIMITERS.into_iter().filter(|other| *other != delimiter);
    let most = others
        .map(|other| (count_unquoted(raw, other), other))
        .max();
    match most {
        Some((count, other)) if doubtful && count > 0 => {
            let message = format!(
                "found {} {}, read with {}",
                name(other),
                times(count),
                name(delimiter)
            );
            Err(damage(Code::DelimiterSuspect, message))
        }
        _ => Ok(()),
    }
}

/// The columns of a loaded header row.
pub(super) fn names(row: &Row, cells: usize) -> Result<Vec<String>, Damage> {
    if cells > COLUMNS_MAX {
        let message = format!("The header has {cells} columns; the limit is {COLUMNS_MAX}.");
        return Err(damage(Code::TooManyColumns, message));
    }
    let mut seen = HashSet::new();
    let mut names = Vec::with_capacity(cells);
    for index in 0..cells {
        let Cell::Text(text) = row.cell(index) else {
            continue;
        };
        let name = text.trim_ascii();
        if name.is_empty() {
            let message = format!("Column {} of the header has no name.", index + 1);
            return Err(damage(Code::EmptyHeader, message));
        }
        if name.contains('\0') {
            return Err(not_utf8());
        }
        if !seen.insert(name.to_lowercase()) {
            let message = format!("Two columns of the header are named `{name}`.");
            return Err(damage(Code::DuplicateHeader, message));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

pub(super) fn stray_quote() -> Damage {
    damage(
        Code::StrayQuote,
        "A quote stands inside or after a cell of the header.",
    )
}

pub(super) fn not_utf8() -> Damage {
    damage(
        Code::EncodingUnsupported,
        "The header is not UTF-8; save as UTF-8.",
    )
}

fn count_unquoted(raw: &[u8], wanted: u8) -> usize {
    let mut quoted = false;
    let mut count = 0;
    for byte in raw {
        quoted ^= *byte == b'"';
        count += usize::from(*byte == wanted && !quoted);
    }
    count
}

fn name(delimiter: u8) -> String {
    if delimiter == b'\t' {
        "tab".to_owned()
    } else {
        char::from(delimiter).to_string()
    }
}

fn times(count: usize) -> String {
    if count == 1 {
        "once".to_owned()
    } else {
        format!("{count} times")
    }
}

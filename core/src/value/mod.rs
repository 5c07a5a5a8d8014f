//! Judges a cell against its field, and keeps it in the binary format of its column, canonically:
//! two values are equal exactly when their bytes are.
//! Nothing is guessed, trimmed, rounded or cut; what does not fit is a [`Misfit`], which is data.

mod array;
mod boolean;
mod choice;
mod coerce;
mod contact;
mod decimal;
mod number;
mod read;
mod text;
mod time;
mod unreadable;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use crate::cell::Cell;
use crate::code::Code;
use crate::field::{Field, FieldType};

pub use array::array_literal;
pub use choice::SEPARATOR;
pub use coerce::{Encoded, encode_by};
pub use decimal::SIGNIFICANT_DIGITS_MAX;
pub use read::{to_json, to_text};
pub use text::fold_ascii;
pub use time::micros;
pub use unreadable::Unreadable;

/// Why a cell does not fit its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The stable code of the reject.
    pub code: Code,
    /// What would have fitted, for humans; reads on after "expected ".
    pub expected: String,
}

impl Misfit {
    fn new(code: Code, expected: impl Into<String>) -> Misfit {
        Misfit {
            code,
            expected: expected.into(),
        }
    }
}

/// Appends the value in the binary format of the field's column, without a length prefix.
///
/// `Ok(true)`: appended. `Ok(false)`: the cell is blank (null, empty text, empty list, or absent)
/// and nothing was appended. On a misfit nothing was appended either.
pub fn encode(field: &Field, cell: Cell<'_>, out: &mut Vec<u8>) -> Result<bool, Misfit> {
    match cell {
        // No JSON number is empty; if one came all the same, no text may be kept for it.
        Cell::Absent | Cell::Null | Cell::Text("") | Cell::Number("") => return Ok(false),
        Cell::List(source) if field.kind == FieldType::Multiselect => {
            return choice::encode_list(field, source, out);
        }
        Cell::List(_) | Cell::Object(_) => {
            return Err(Misfit::new(Code::InvalidType, form(field.kind)));
        }
        Cell::Text(_) | Cell::Number(_) | Cell::Boolean(_) => {}
    }
    let encoded = match field.kind {
        FieldType::Text => text::encode(cell, out),
        FieldType::Integer => number::encode_integer(cell, out),
        FieldType::Number => number::encode_number(cell, out),
        FieldType::Boolean => boolean::encode(cell, out),
        FieldType::Date => time::encode_date(cell, out),
        FieldType::Datetime => time::encode_datetime(cell, out),
        FieldType::Email => contact::encode_email(cell, out),
        FieldType::Phone => contact::encode_phone(cell, out),
        FieldType::Select => choice::encode_one(field, cell, out),
        FieldType::Multiselect => choice::encode_separated(field, cell, out),
    };
    encoded
        .map(|()| true)
        .map_err(|misfit| nul_first(cell, misfit))
}

/// The value of a field's `default` attribute, in the binary format of its column.
///
/// A number is no default for a field that keeps text: JSON values no longer know how they were
/// written, and `1.50` would silently become `1.5`.
pub fn default_from_json(field: &Field, value: &serde_json::Value) -> Result<Vec<u8>, Misfit> {
    use serde_json::Value;
    let source = match value {
        Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
        Value::Null | Value::Bool(_) | Value::String(_) => String::new(),
    };
    let cell = match value {
        Value::Null => Cell::Null,
        Value::Bool(truth) => Cell::Boolean(*truth),
        Value::String(text) => Cell::Text(text),
        Value::Number(_) if keeps_text(field.kind) => {
            return Err(Misfit::new(
                Code::InvalidType,
                "the default in quotes, as a text",
            ));
        }
        Value::Number(_) => Cell::Number(&source),
        Value::Array(_) => Cell::List(&source),
        Value::Object(_) => Cell::Object(&source),
    };
    let mut out = Vec::new();
    if encode(field, cell, &mut out)? {
        return Ok(out);
    }
    let expected = format!(
        "{}; a field without a default leaves it out",
        form(field.kind)
    );
    Err(Misfit::new(Code::InvalidType, expected))
}

/// The value of a `?field[NAME]=text` filter, in the binary format of its column.
/// Every misfit has the code `invalid_filter`; so has a blank text, which equals no value.
pub fn from_filter(field: &Field, text: &str) -> Result<Vec<u8>, Misfit> {
    let mut out = Vec::new();
    match encode(field, Cell::Text(text), &mut out) {
        Ok(true) => Ok(out),
        Ok(false) => Err(Misfit::new(Code::InvalidFilter, form(field.kind))),
        Err(misfit) => Err(Misfit::new(Code::InvalidFilter, misfit.expected)),
    }
}

/// What a field of this type takes, in words.
fn form(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Text => "a text",
        FieldType::Integer => number::INTEGER_FORM,
        FieldType::Number => number::NUMBER_FORM,
        FieldType::Boolean => boolean::FORM,
        FieldType::Date => time::DATE_FORM,
        FieldType::Datetime => time::DATETIME_FORM,
        FieldType::Email => contact::EMAIL_FORM,
        FieldType::Phone => contact::PHONE_FORM,
        FieldType::Select => "one of the field's options, as a text",
        FieldType::Multiselect => "a list of the field's options, each a text",
    }
}

fn keeps_text(kind: FieldType) -> bool {
    kind.is_text() || kind == FieldType::Multiselect
}

/// NUL is the more telling reason, but looking for it is left to the cells that fail anyway.
fn nul_first(cell: Cell<'_>, misfit: Misfit) -> Misfit {
    match cell {
        Cell::Text(text) if text.contains('\0') => text::nul(),
        _ => misfit,
    }
}

/// Text as it stands; a JSON number or boolean as it was written.
fn source_text(cell: Cell<'_>) -> Option<&str> {
    match cell {
        Cell::Text(text) | Cell::Number(text) => Some(text),
        Cell::Boolean(true) => Some("true"),
        Cell::Boolean(false) => Some("false"),
        Cell::Absent | Cell::Null | Cell::List(_) | Cell::Object(_) => None,
    }
}

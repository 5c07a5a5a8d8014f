//! Reads kept values back, for answers and exports. What Longshore never wrote is an error here,
//! not a null: a damaged value may not pass for an empty one.

use serde_json::{Number, Value};

use super::unreadable::Unreadable;
use super::{SEPARATOR, array, time};
use crate::field::FieldType;

/// The value as the API shows it: dates `YYYY-MM-DD`, datetimes RFC 3339 in UTC with `Z`,
/// multiselect as an array, no value as `null`. What it returns is accepted by imports unchanged.
pub fn to_json(kind: FieldType, binary: Option<&[u8]>) -> Result<Value, Unreadable> {
    let Some(binary) = binary else {
        return Ok(Value::Null);
    };
    Ok(match kind {
        FieldType::Integer => Value::from(i64::from_be_bytes(fixed(kind, binary)?)),
        FieldType::Number => Value::Number(json_number(double(binary)?)?),
        FieldType::Boolean => Value::Bool(truth(binary)?),
        FieldType::Multiselect => Value::from(array::elements(binary)?),
        _ => Value::String(to_text(kind, binary)?),
    })
}

/// The value as text: like [`to_json`], numbers without an exponent, the options of a multiselect
/// with [`SEPARATOR`] between them. A CSV import reads the same value from it.
pub fn to_text(kind: FieldType, binary: &[u8]) -> Result<String, Unreadable> {
    let out_of_range = || Unreadable::Range { kind };
    Ok(match kind {
        FieldType::Text | FieldType::Email | FieldType::Phone | FieldType::Select => {
            std::str::from_utf8(binary)?.to_owned()
        }
        FieldType::Integer => i64::from_be_bytes(fixed(kind, binary)?).to_string(),
        FieldType::Number => double(binary)?.to_string(),
        FieldType::Boolean => truth(binary)?.to_string(),
        FieldType::Date => {
            let day = i32::from_be_bytes(fixed(kind, binary)?);
            time::date_text(day).ok_or_else(out_of_range)?
        }
        FieldType::Datetime => {
            let micros = i64::from_be_bytes(fixed(kind, binary)?);
            time::datetime_text(micros).ok_or_else(out_of_range)?
        }
        FieldType::Multiselect => array::elements(binary)?.join(SEPARATOR.encode_utf8(&mut [0; 4])),
    })
}

/// Whole numbers show without `.0`, as they were most likely written.
fn json_number(double: f64) -> Result<Number, Unreadable> {
    // Below this, a double and an i64 mean the same whole numbers.
    let exact = 1e15;
    if double.fract() == 0.0 && double.abs() <= exact {
        return Ok(Number::from(double as i64));
    }
    Number::from_f64(double).ok_or(Unreadable::Range {
        kind: FieldType::Number,
    })
}

fn double(binary: &[u8]) -> Result<f64, Unreadable> {
    let kind = FieldType::Number;
    let double = f64::from_be_bytes(fixed(kind, binary)?);
    if double.is_finite() {
        Ok(double)
    } else {
        Err(Unreadable::Range { kind })
    }
}

fn truth(binary: &[u8]) -> Result<bool, Unreadable> {
    let kind = FieldType::Boolean;
    match fixed(kind, binary)? {
        [0] => Ok(false),
        [1] => Ok(true),
        [_] => Err(Unreadable::Range { kind }),
    }
}

fn fixed<const BYTES: usize>(kind: FieldType, binary: &[u8]) -> Result<[u8; BYTES], Unreadable> {
    let wrong_length = |_| Unreadable::Shape {
        kind,
        bytes: binary.len(),
    };
    binary.try_into().map_err(wrong_length)
}

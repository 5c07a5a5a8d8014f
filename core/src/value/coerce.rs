//! Values that do not fit, converted by the rules of another system, for doors whose clients rely on
//! it. Each rule set is a table in `docs/coercing.md`; the native API converts nothing. What a rule
//! set has no answer for stays a misfit.

use super::{Misfit, encode, time};
use crate::cell::Cell;
use crate::field::{Field, FieldType};
use crate::limits::CELL_BYTES_MAX;
use crate::policies::OnInvalid;

/// What became of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoded {
    /// A value was appended; otherwise the cell is blank.
    pub set: bool,
    /// It was converted: what is kept is not what came.
    pub converted: bool,
}

impl Encoded {
    fn as_it_came(set: bool) -> Encoded {
        Encoded {
            set,
            converted: false,
        }
    }

    fn converted(set: bool) -> Encoded {
        Encoded {
            set,
            converted: true,
        }
    }
}

/// Appends the value in the binary format of the field's column, like [`encode`], after converting
/// what does not fit.
pub fn encode_by(
    rules: OnInvalid,
    field: &Field,
    cell: Cell<'_>,
    out: &mut Vec<u8>,
) -> Result<Encoded, Misfit> {
    match rules {
        OnInvalid::Reject => encode(field, cell, out).map(Encoded::as_it_came),
        OnInvalid::CoerceLikeCopernica => like_copernica(field, cell, out),
        OnInvalid::CoerceLikeMautic => like_mautic(field, cell, out),
    }
}

/// Nothing is ever refused but NUL and length: garbage becomes zero or nothing.
fn like_copernica(field: &Field, cell: Cell<'_>, out: &mut Vec<u8>) -> Result<Encoded, Misfit> {
    if field.kind.is_text() && field.kind != FieldType::Select {
        return match cell {
            Cell::Boolean(true) => put_text("1", out),
            Cell::Boolean(false) | Cell::List(_) | Cell::Object(_) => Ok(Encoded::converted(false)),
            Cell::Text(text) | Cell::Number(text) if !text.is_empty() => {
                // E-mail addresses and phone numbers are kept unseen.
                let as_text = Field {
                    kind: FieldType::Text,
                    ..field.clone()
                };
                encode(&as_text, Cell::Text(text), out).map(Encoded::as_it_came)
            }
            _ => Ok(Encoded::as_it_came(false)),
        };
    }
    let misfit = match encode(field, cell, out) {
        Ok(set) => return Ok(Encoded::as_it_came(set)),
        Err(misfit) => misfit,
    };
    match field.kind {
        FieldType::Integer => out.extend_from_slice(&whole(cell).to_be_bytes()),
        FieldType::Number => out.extend_from_slice(&decimal(cell).to_be_bytes()),
        FieldType::Boolean => out.push(u8::from(is_yes(cell))),
        FieldType::Date | FieldType::Datetime => match wall_clock(field.kind, cell) {
            Some(text) => {
                let set = encode(field, Cell::Text(&text), out);
                return Ok(Encoded::converted(set.unwrap_or(false)));
            }
            None => return Ok(Encoded::converted(false)),
        },
        FieldType::Select | FieldType::Multiselect => return Ok(Encoded::converted(false)),
        FieldType::Text | FieldType::Email | FieldType::Phone => return Err(misfit),
    }
    Ok(Encoded::converted(true))
}

/// What Mautic's own parsers take is taken; the rest stays a misfit.
fn like_mautic(field: &Field, cell: Cell<'_>, out: &mut Vec<u8>) -> Result<Encoded, Misfit> {
    if let Cell::Number(source) = cell
        && source.trim_start_matches('-').parse() == Ok(0.0)
    {
        return Ok(Encoded::converted(false));
    }
    let misfit = match encode(field, cell, out) {
        Ok(set) => return Ok(Encoded::as_it_came(set)),
        Err(misfit) => misfit,
    };
    let again = match (field.kind, cell) {
        (FieldType::Email, Cell::Text(text)) => {
            Some(text.trim().trim_end_matches([',', ';']).to_owned())
        }
        (FieldType::Date | FieldType::Datetime, _) => wall_clock(field.kind, cell),
        (FieldType::Boolean, _) if is_yes(cell) => Some("true".to_owned()),
        (FieldType::Boolean, _) if is_no(cell) => Some("false".to_owned()),
        _ => None,
    };
    match again {
        Some(text) => encode(field, Cell::Text(&text), out)
            .map(Encoded::converted)
            .map_err(|_| misfit),
        None => Err(misfit),
    }
}

fn put_text(text: &str, out: &mut Vec<u8>) -> Result<Encoded, Misfit> {
    debug_assert!(text.len() < CELL_BYTES_MAX);
    out.extend_from_slice(text.as_bytes());
    Ok(Encoded::converted(true))
}

/// The number that a text begins with, cut towards zero and to 64 bits.
fn whole(cell: Cell<'_>) -> i64 {
    match cell {
        Cell::Boolean(truth) => i64::from(truth),
        Cell::List(list) => i64::from(!is_empty_list(list)),
        Cell::Text(text) | Cell::Number(text) => {
            let prefix = numeric_prefix(text);
            prefix
                .parse()
                .unwrap_or(prefix.parse::<f64>().map_or(0, |number| number as i64))
        }
        Cell::Object(_) => 1,
        Cell::Absent | Cell::Null => 0,
    }
}

fn decimal(cell: Cell<'_>) -> f64 {
    match cell {
        Cell::Text(text) | Cell::Number(text) => {
            let number: f64 = numeric_prefix(text).parse().unwrap_or(0.0);
            // The service keeps no infinity, and zero has one sign.
            if number.is_finite() {
                number + 0.0
            } else {
                0.0
            }
        }
        cell => whole(cell) as f64,
    }
}

fn is_empty_list(list: &str) -> bool {
    list.trim_matches(['[', ']']).trim().is_empty()
}

/// What of a text reads as a number from its beginning: `-1.9kg` gives `-1.9`.
fn numeric_prefix(text: &str) -> &str {
    let text = text.trim_start();
    let (mut end, mut digits, mut dot, mut exponent) = (0, false, false, false);
    for (place, byte) in text.bytes().enumerate() {
        let before = text.as_bytes().get(place.wrapping_sub(1));
        let fits = match byte {
            b'+' | b'-' => place == 0 || matches!(before, Some(b'e' | b'E')),
            b'.' => !std::mem::replace(&mut dot, true) && !exponent,
            b'e' | b'E' => digits && !std::mem::replace(&mut exponent, true),
            byte => byte.is_ascii_digit(),
        };
        if !fits {
            break;
        }
        if byte.is_ascii_digit() {
            digits = true;
            end = place + 1;
        }
    }
    &text[..end]
}

fn is_yes(cell: Cell<'_>) -> bool {
    is_word(cell, &["1", "yes", "true", "on", "y"])
}

fn is_no(cell: Cell<'_>) -> bool {
    is_word(cell, &["0", "no", "false", "off", "n"])
}

fn is_word(cell: Cell<'_>, words: &[&str]) -> bool {
    match cell {
        Cell::Text(text) | Cell::Number(text) => words
            .iter()
            .any(|word| text.trim().eq_ignore_ascii_case(word)),
        _ => false,
    }
}

/// A day or a time without its zone, as both systems write it: taken as a clock that shows UTC.
fn wall_clock(kind: FieldType, cell: Cell<'_>) -> Option<String> {
    let Cell::Text(text) = cell else {
        return None;
    };
    let text = text.trim().replace('/', "-");
    let day = text.get(..10)?;
    let clock = text.get(11..).unwrap_or("").trim_end_matches('Z');
    match kind {
        FieldType::Date => Some(day.to_owned()),
        _ => {
            let clock = match clock.len() {
                0 => "00:00:00".to_owned(),
                5 => format!("{clock}:00"),
                _ => clock.to_owned(),
            };
            Some(format!("{day}T{clock}{}", time::UTC))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;
    use crate::value::to_json;
    use serde_json::{Value, json};

    fn field(kind: FieldType) -> Field {
        Field {
            id: 1,
            name: "f".to_owned(),
            kind,
            required: false,
            unique: false,
            case_insensitive: false,
            default: None,
            options: vec!["red".to_owned(), "blue".to_owned()],
        }
    }

    /// What is kept, and whether it was converted.
    fn kept(rules: OnInvalid, kind: FieldType, cell: Cell<'_>) -> Result<(Value, bool), Code> {
        let mut out = Vec::new();
        let encoded =
            encode_by(rules, &field(kind), cell, &mut out).map_err(|misfit| misfit.code)?;
        let value = encoded.set.then_some(out.as_slice());
        Ok((to_json(kind, value).unwrap(), encoded.converted))
    }

    #[test]
    fn copernica_converts_whatever_comes() {
        use FieldType::{Boolean, Date, Datetime, Email, Integer, Number, Select, Text};
        for (kind, cell, expected, converted) in [
            (Integer, Cell::Text("12 pieces"), json!(12), true),
            (Integer, Cell::Text("-1.9"), json!(-1), true),
            (Integer, Cell::Text("none"), json!(0), true),
            (
                Integer,
                Cell::Text("99999999999999999999"),
                json!(i64::MAX),
                true,
            ),
            (Integer, Cell::List("[1]"), json!(1), true),
            (Integer, Cell::List("[]"), json!(0), true),
            (Integer, Cell::Text("7"), json!(7), false),
            (Number, Cell::Text("1.5e1x"), json!(15), true),
            (Number, Cell::Text("1e"), json!(1), true),
            (Number, Cell::Text("x"), json!(0), true),
            (Boolean, Cell::Text("Yes"), json!(true), true),
            (Boolean, Cell::Text("perhaps"), json!(false), true),
            (Text, Cell::Boolean(true), json!("1"), true),
            (Text, Cell::Boolean(false), json!(null), true),
            (Text, Cell::Object("{}"), json!(null), true),
            (Text, Cell::Text(" as it is "), json!(" as it is "), false),
            (
                Email,
                Cell::Text("not an address"),
                json!("not an address"),
                false,
            ),
            (Select, Cell::Text("green"), json!(null), true),
            (Select, Cell::Text("red"), json!("red"), false),
            (Date, Cell::Text("2024/02/29"), json!("2024-02-29"), true),
            (Date, Cell::Text("0000-00-00"), json!(null), true),
            (Date, Cell::Text("31-02-2024"), json!(null), true),
            (
                Datetime,
                Cell::Text("2024-02-29 10:11:12"),
                json!("2024-02-29T10:11:12Z"),
                true,
            ),
            (
                Datetime,
                Cell::Text("2024-02-29"),
                json!("2024-02-29T00:00:00Z"),
                true,
            ),
        ] {
            let found = kept(OnInvalid::CoerceLikeCopernica, kind, cell);
            assert_eq!(found, Ok((expected, converted)), "{kind:?} {cell:?}");
        }
        let nul = kept(OnInvalid::CoerceLikeCopernica, Text, Cell::Text("a\0"));
        assert_eq!(nul, Err(Code::NulCharacter));
    }

    #[test]
    fn mautic_takes_what_its_parsers_take_and_refuses_the_rest() {
        use FieldType::{Boolean, Date, Datetime, Email, Integer, Number, Select};
        for (kind, cell, expected) in [
            (Email, Cell::Text("a@b.example,"), json!("a@b.example")),
            (Boolean, Cell::Text("no"), json!(false)),
            (Boolean, Cell::Number("1"), json!(true)),
            (Number, Cell::Number("0"), json!(null)),
            (Number, Cell::Number("0.0"), json!(null)),
            (Date, Cell::Text("2019-06-26 13:29:43"), json!("2019-06-26")),
            (
                Datetime,
                Cell::Text("2019-06-26 13:29"),
                json!("2019-06-26T13:29:00Z"),
            ),
        ] {
            let found = kept(OnInvalid::CoerceLikeMautic, kind, cell);
            assert_eq!(found, Ok((expected, true)), "{kind:?} {cell:?}");
        }
        for (kind, text, code) in [
            (Integer, "12 pieces", Code::InvalidInteger),
            (Select, "green", Code::NotAllowedValue),
            (Email, "nobody", Code::InvalidEmail),
            (Boolean, "perhaps", Code::InvalidBoolean),
            (Date, "26.06.2019", Code::InvalidDate),
        ] {
            let found = kept(OnInvalid::CoerceLikeMautic, kind, Cell::Text(text));
            assert_eq!(found, Err(code), "{kind:?} {text}");
        }
    }
}

//! The binary format of `text[]`, as `array_send` of Postgres writes it: number of dimensions, flag
//! for nulls, type of the elements, then length and lower bound, then each element after its length.

use super::unreadable::Unreadable;
use crate::field::FieldType;

/// `text` in `pg_type`.
const TEXT_OID: i32 = 25;

/// Appends a one-dimensional array without nulls; an empty one has no dimension at all.
pub(super) fn write<'a>(elements: impl Iterator<Item = &'a str> + Clone, out: &mut Vec<u8>) {
    // Cells are bounded far below what an i32 counts.
    let count = elements.clone().count() as i32;
    for head in [i32::from(count > 0), 0, TEXT_OID] {
        out.extend_from_slice(&head.to_be_bytes());
    }
    if count > 0 {
        out.extend_from_slice(&count.to_be_bytes());
        out.extend_from_slice(&1_i32.to_be_bytes());
    }
    for element in elements {
        out.extend_from_slice(&(element.len() as i32).to_be_bytes());
        out.extend_from_slice(element.as_bytes());
    }
}

/// The elements of an array as [`write`] or Postgres wrote it.
pub(super) fn elements(binary: &[u8]) -> Result<Vec<&str>, Unreadable> {
    let unreadable = || Unreadable::Shape {
        kind: FieldType::Multiselect,
        bytes: binary.len(),
    };
    let mut rest = binary;
    let mut next = || take_i32(&mut rest).ok_or_else(unreadable);
    let count = match (next()?, next()?, next()?) {
        (0, _, TEXT_OID) => 0,
        (1, 0, TEXT_OID) => {
            let count = next()?;
            next()?;
            count
        }
        _ => return Err(unreadable()),
    };
    let mut elements = Vec::new();
    for _ in 0..count {
        let length = take_i32(&mut rest).and_then(|length| usize::try_from(length).ok());
        let split = length.and_then(|length| rest.split_at_checked(length));
        let (element, tail) = split.ok_or_else(unreadable)?;
        elements.push(std::str::from_utf8(element)?);
        rest = tail;
    }
    if rest.is_empty() {
        Ok(elements)
    } else {
        Err(unreadable())
    }
}

/// The array as a literal of Postgres, `{"a","b"}`, to be sent as a text and cast to `text[]`:
/// arrays of arrays do not exist there, so a column of them travels as texts.
pub fn array_literal(binary: &[u8]) -> Result<String, Unreadable> {
    let mut literal = String::from("{");
    for (at, element) in elements(binary)?.into_iter().enumerate() {
        literal.push_str(if at == 0 { "\"" } else { ",\"" });
        for character in element.chars() {
            if matches!(character, '"' | '\\') {
                literal.push('\\');
            }
            literal.push(character);
        }
        literal.push('"');
    }
    literal.push('}');
    Ok(literal)
}

fn take_i32(rest: &mut &[u8]) -> Option<i32> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(i32::from_be_bytes(*head))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(elements: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        write(elements.iter().copied(), &mut out);
        out
    }

    /// Both taken from `select array_send(...)` of Postgres.
    #[test]
    fn the_bytes_are_those_of_postgres() {
        assert_eq!(written(&[]), b"\0\0\0\0\0\0\0\0\0\0\0\x19");
        assert_eq!(
            written(&["a", "ü;"]),
            b"\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\x02\0\0\0\x01\0\0\0\x01a\0\0\0\x03\xc3\xbc;"
        );
    }

    #[test]
    fn a_literal_quotes_every_element() {
        for (elements, literal) in [
            (&[][..], "{}"),
            (&["a", "b"], r#"{"a","b"}"#),
            (
                &["NULL", "", " ", "a,b", "{}"],
                r#"{"NULL",""," ","a,b","{}"}"#,
            ),
            (
                &[r#"say "hi""#, r"back\slash"],
                r#"{"say \"hi\"","back\\slash"}"#,
            ),
        ] {
            assert_eq!(array_literal(&written(elements)).unwrap(), literal);
        }
    }

    #[test]
    fn a_damaged_array_is_unreadable_and_not_an_empty_one() {
        let whole = written(&["a", "bc"]);
        for end in 0..whole.len() {
            assert!(elements(&whole[..end]).is_err(), "cut at {end}");
        }
        assert!(elements(&[&whole[..], b"x"].concat()).is_err());
        let mut null = whole.clone();
        null[20..24].copy_from_slice(&(-1_i32).to_be_bytes());
        assert!(elements(&null).is_err());
        let mut not_utf8 = whole;
        not_utf8[24] = 0xff;
        assert!(matches!(elements(&not_utf8), Err(Unreadable::Utf8(_))));
    }
}

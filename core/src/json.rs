//! Reads the JSON of requests strictly: one value, no member twice, not too deep, with the place
//! of every complaint. The members of the top level stay as source text, so that a large `source`
//! is neither copied into a tree nor changed.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use crate::code::Code;
use crate::error::Complaint;
use crate::limits::JSON_DEPTH_MAX;

/// The members of the one object in `text`, in their order, values as source text.
pub fn members(text: &[u8]) -> Result<Vec<(String, &RawValue)>, Complaint> {
    let text = utf8(text)?;
    check_depth(text)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let members = Members
        .deserialize(&mut reader)
        .map_err(|error| complaint(&error))?;
    reader.end().map_err(|error| complaint(&error))?;
    Ok(members)
}

/// The value in `text`. Duplicate members are refused wherever they stand.
pub fn value(text: &[u8]) -> Result<Value, Complaint> {
    let text = utf8(text)?;
    check_depth(text)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict
        .deserialize(&mut reader)
        .map_err(|error| complaint(&error))?;
    reader.end().map_err(|error| complaint(&error))?;
    Ok(value)
}

fn utf8(text: &[u8]) -> Result<&str, Complaint> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(Complaint::new(
            Code::EmptyBody,
            "",
            "The body is empty; a JSON object is expected.",
        ));
    }
    std::str::from_utf8(text).map_err(|error| {
        let at = error.valid_up_to();
        Complaint::new(
            Code::InvalidJson,
            "",
            format!("Byte {at} is not UTF-8; JSON is UTF-8."),
        )
    })
}

/// Deepest nesting of a request: an inline source has its rows' depth on top of its own.
const REQUEST_DEPTH_MAX: usize = 2 * JSON_DEPTH_MAX;

/// Depth is judged before parsing: the parser recurses, this does not. Rows deeper than the limit
/// are the reader's to reject, so one level for the definition and one for the array come on top.
fn check_depth(text: &str) -> Result<(), Complaint> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > REQUEST_DEPTH_MAX {
            let detail = format!("The JSON is nested deeper than {REQUEST_DEPTH_MAX} levels.");
            return Err(Complaint::new(Code::TooDeep, "", detail));
        }
    }
    Ok(())
}

/// serde_json ends its messages with the place, which is said once, in our words.
fn complaint(error: &serde_json::Error) -> Complaint {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    if let Some(name) = reason.strip_prefix(DUPLICATE) {
        let detail = format!("The member {name} stands twice (line {}).", error.line());
        return Complaint::new(Code::DuplicateKey, "", detail);
    }
    let detail = format!(
        "Not valid JSON at line {}, column {}: {reason}.",
        error.line(),
        error.column()
    );
    Complaint::new(Code::InvalidJson, "", detail)
}

const DUPLICATE: &str = "duplicate member ";

struct Members;

impl<'de> DeserializeSeed<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(String, &'de RawValue)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            if members.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format!("{DUPLICATE}{name:?}")));
            }
            members.push((name, value));
        }
        Ok(members)
    }
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Strict)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(Strict)?;
            if members.contains_key(&name) {
                return Err(A::Error::custom(format!("{DUPLICATE}{name:?}")));
            }
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_stands_twice_is_refused_at_any_depth() {
        assert_eq!(
            members(br#"{"a":1,"a":2}"#).unwrap_err().code,
            Code::DuplicateKey
        );
        assert_eq!(
            value(br#"[{"a":{"b":1,"b":2}}]"#).unwrap_err().code,
            Code::DuplicateKey
        );
    }

    #[test]
    fn deep_nesting_is_refused_without_recursion() {
        let deep = "[".repeat(1_000_000);
        assert_eq!(value(deep.as_bytes()).unwrap_err().code, Code::TooDeep);
        let brackets_in_text = format!("{{\"a\":\"{}\"}}", "[".repeat(1000));
        assert!(value(brackets_in_text.as_bytes()).is_ok());
    }

    #[test]
    fn a_broken_body_says_where() {
        let complaint = members(b"{\n \"a\": nope}").unwrap_err();
        assert_eq!(complaint.code, Code::InvalidJson);
        assert!(complaint.detail.contains("line 2"), "{}", complaint.detail);
        assert_eq!(members(b"  \n").unwrap_err().code, Code::EmptyBody);
    }
}

//! What cells say, and what is kept of it.

use serde_json::{Value, json};

pub(super) const KINDS: [&str; 10] = [
    "text",
    "integer",
    "number",
    "boolean",
    "date",
    "datetime",
    "email",
    "phone",
    "select",
    "multiselect",
];

/// The caller's own ids are drawn like a type.
pub(super) const UID: &str = "uid";

/// Texts of a type, each with what is kept of it.
pub(super) fn values(kind: &str) -> Vec<(&'static str, Value)> {
    let same = |texts: &[&'static str]| texts.iter().map(|text| (*text, json!(text))).collect();
    match kind {
        UID => same(&["u1", "U1", "u2", "U2", "ü", " "]),
        "text" => same(&["a", "A", "ü", "Ü", " ", "=x, \"y\"\n", "00123"]),
        "integer" => vec![
            ("1", json!(1)),
            ("01", json!(1)),
            ("-3", json!(-3)),
            ("0", json!(0)),
        ],
        "number" => vec![
            ("1.50", json!(1.5)),
            ("-0", json!(0)),
            ("0.0", json!(0)),
            ("2", json!(2)),
        ],
        "boolean" => vec![("true", json!(true)), ("FALSE", json!(false))],
        "date" => same(&["2024-02-29", "1999-12-31"]),
        "datetime" => vec![
            ("2024-01-01T00:00:00Z", json!("2024-01-01T00:00:00Z")),
            ("2024-01-01 01:00:00+01:00", json!("2024-01-01T00:00:00Z")),
            ("2024-01-01T00:00:01Z", json!("2024-01-01T00:00:01Z")),
        ],
        "email" => same(&["a@x.example", "A@X.example", "ü@x.example", "Ü@x.example"]),
        "phone" => same(&["112", "+31 20 1234567"]),
        "select" => same(&["red", "Red", "blue"]),
        _ => vec![
            ("red", json!(["red"])),
            ("blue;red", json!(["red", "blue"])),
            ("red;blue", json!(["red", "blue"])),
        ],
    }
}

/// A text that does not fit, and why.
pub(super) fn misfit(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "text" | UID => ("nul\0", "nul_character"),
        "integer" => ("1.5", "invalid_integer"),
        "number" => ("1e3", "invalid_number"),
        "boolean" => ("yes", "invalid_boolean"),
        "date" => ("2023-02-29", "invalid_date"),
        "datetime" => ("2024-01-01", "invalid_datetime"),
        "email" => ("a@x", "invalid_email"),
        "phone" => ("no", "invalid_phone"),
        _ => ("green", "not_allowed_value"),
    }
}

//! Facts that hold across all types of fields.

use serde_json::json;

use super::*;
use crate::limits::CELL_BYTES_MAX;

pub(super) fn field(kind: FieldType) -> Field {
    let options = ["red", "green", "blue", "a;b", "say \"hi\"", "5"];
    Field {
        id: 1,
        name: "Field".to_owned(),
        kind,
        required: false,
        unique: false,
        case_insensitive: false,
        default: None,
        options: options.map(str::to_owned).to_vec(),
    }
}

pub(super) fn kept(kind: FieldType, cell: Cell<'_>) -> Result<Vec<u8>, Misfit> {
    let mut out = Vec::new();
    encode(&field(kind), cell, &mut out).map(|_| out)
}

fn code(kind: FieldType, cell: Cell<'_>) -> Option<Code> {
    kept(kind, cell).err().map(|misfit| misfit.code)
}

#[test]
fn null_empty_text_and_absence_are_blank_in_every_type() {
    for kind in FieldType::ALL {
        for cell in [Cell::Null, Cell::Text(""), Cell::Number(""), Cell::Absent] {
            let mut out = vec![7];
            assert_eq!(
                encode(&field(kind), cell, &mut out),
                Ok(false),
                "{kind:?} {cell:?}"
            );
            assert_eq!(out, [7]);
        }
    }
    let mut out = Vec::new();
    let list = encode(&field(FieldType::Multiselect), Cell::List("[ ]"), &mut out);
    assert_eq!((list, out.len()), (Ok(false), 0));
}

#[test]
fn white_space_alone_is_a_text_and_fits_nothing_else() {
    for kind in FieldType::ALL {
        for blank in [" ", "\t", "\u{a0}", "\n"] {
            let fits = kept(kind, Cell::Text(blank)).is_ok();
            assert_eq!(fits, kind == FieldType::Text, "{kind:?} {blank:?}");
        }
    }
}

#[test]
fn nul_is_named_in_every_type() {
    for kind in FieldType::ALL {
        for text in ["\0", "a\0b", "1\0", "red\0"] {
            assert_eq!(
                code(kind, Cell::Text(text)),
                Some(Code::NulCharacter),
                "{kind:?}"
            );
        }
    }
    let list = Cell::List(r#"["red", "gre\u0000en"]"#);
    assert_eq!(code(FieldType::Multiselect, list), Some(Code::NulCharacter));
}

#[test]
fn lists_and_objects_fit_no_field_but_multiselect() {
    for kind in FieldType::ALL {
        assert_eq!(
            code(kind, Cell::Object("{}")),
            Some(Code::InvalidType),
            "{kind:?}"
        );
        let list = code(kind, Cell::List(r#"["red"]"#));
        assert_eq!(list.is_none(), kind == FieldType::Multiselect, "{kind:?}");
    }
}

#[test]
fn text_is_kept_byte_for_byte() {
    for text in [
        "00123",
        "+31612345678",
        "=cmd|' /C calc'!A0",
        "__proto__",
        "constructor",
        "$where",
        "a.b",
        "'; drop table profiles; --",
        "\"quoted\"",
        "{\"$gt\": \"\"}",
        "NULL",
        "undefined",
        "１２",
        "\u{feff}bom",
        "\u{202e}turned",
        "e\u{301}",
        "👩‍👩‍👧",
        " padded ",
        "line\r\nend",
        "\\N",
        "\u{1}",
    ] {
        assert_eq!(
            kept(FieldType::Text, Cell::Text(text)).unwrap(),
            text.as_bytes()
        );
    }
    assert_eq!(
        kept(FieldType::Text, Cell::Number("1.50")).unwrap(),
        b"1.50"
    );
    assert_eq!(
        kept(FieldType::Text, Cell::Number("1E400")).unwrap(),
        b"1E400"
    );
    assert_eq!(
        kept(FieldType::Text, Cell::Boolean(false)).unwrap(),
        b"false"
    );
}

#[test]
fn a_text_above_the_limit_is_refused_and_not_cut() {
    let longest = "x".repeat(CELL_BYTES_MAX);
    assert_eq!(
        kept(FieldType::Text, Cell::Text(&longest)).unwrap().len(),
        CELL_BYTES_MAX
    );
    let longer = format!("{longest}x");
    assert_eq!(
        code(FieldType::Text, Cell::Text(&longer)),
        Some(Code::TooLong)
    );
}

#[test]
fn a_boolean_is_true_or_false_and_no_other_word() {
    for (cell, byte) in [
        (Cell::Boolean(true), 1),
        (Cell::Text("true"), 1),
        (Cell::Text("True"), 1),
        (Cell::Text("TRUE"), 1),
        (Cell::Boolean(false), 0),
        (Cell::Text("False"), 0),
    ] {
        assert_eq!(kept(FieldType::Boolean, cell).unwrap(), [byte]);
    }
    for text in [
        "ja", "Y", "1", "0", "TRUE ", " true", "tRUE", "yes", "t", "on", "waar",
    ] {
        let misfit = kept(FieldType::Boolean, Cell::Text(text)).unwrap_err();
        assert_eq!(misfit.code, Code::InvalidBoolean, "{text}");
        assert!(misfit.expected.contains("true or false"));
    }
    assert_eq!(
        code(FieldType::Boolean, Cell::Number("1")),
        Some(Code::InvalidBoolean)
    );
}

#[test]
fn a_json_number_or_boolean_gets_the_code_of_the_type_it_misses() {
    for (kind, expected) in [
        (FieldType::Date, Code::InvalidDate),
        (FieldType::Datetime, Code::InvalidDatetime),
        (FieldType::Email, Code::InvalidEmail),
        (FieldType::Phone, Code::InvalidPhone),
    ] {
        assert_eq!(code(kind, Cell::Number("20.5")), Some(expected));
        assert_eq!(code(kind, Cell::Boolean(true)), Some(expected));
    }
}

#[test]
fn a_misfit_says_what_was_expected() {
    let date = kept(FieldType::Date, Cell::Text("31-02-2024")).unwrap_err();
    assert_eq!(
        (date.code, date.expected.as_str()),
        (Code::InvalidDate, "YYYY-MM-DD")
    );
    let zone = kept(FieldType::Datetime, Cell::Text("2024-01-01T10:00:00")).unwrap_err();
    assert!(zone.expected.starts_with("a zone at the end"));
    let digits = kept(FieldType::Number, Cell::Text("1234567890.123456")).unwrap_err();
    assert_eq!(digits.code, Code::NumberOutOfRange);
    assert!(digits.expected.starts_with("at most 15 significant digits"));
}

#[test]
fn an_option_is_spelled_as_the_field_spells_it() {
    assert_eq!(
        kept(FieldType::Select, Cell::Text("green")).unwrap(),
        b"green"
    );
    assert_eq!(kept(FieldType::Select, Cell::Text("a;b")).unwrap(), b"a;b");
    assert_eq!(kept(FieldType::Select, Cell::Number("5")).unwrap(), b"5");
    assert_eq!(
        code(FieldType::Select, Cell::Number("5.0")),
        Some(Code::NotAllowedValue)
    );
    for text in ["Green", "grene", " green"] {
        let misfit = kept(FieldType::Select, Cell::Text(text)).unwrap_err();
        assert_eq!(misfit.code, Code::NotAllowedValue);
        assert_eq!(
            misfit.expected,
            r#"one of "red", "green", "blue", "a;b", "say "hi"" and 1 more. Did you mean "green"?"#
        );
    }
}

#[test]
fn several_options_are_kept_in_the_order_of_the_field() {
    let listed = kept(FieldType::Multiselect, Cell::List(r#"["blue", "red"]"#)).unwrap();
    assert_eq!(
        listed,
        kept(FieldType::Multiselect, Cell::Text("red;blue")).unwrap()
    );
    assert_eq!(array_literal(&listed).unwrap(), r#"{"red","blue"}"#);
    assert_eq!(
        to_text(FieldType::Multiselect, &listed).unwrap(),
        "red;blue"
    );
    for text in ["red;red", "red; blue", "red;", ";", "red,blue", "redd"] {
        let misfit = code(FieldType::Multiselect, Cell::Text(text));
        assert_eq!(misfit, Some(Code::NotAllowedValue), "{text}");
    }
    let comma = kept(FieldType::Multiselect, Cell::Text("red,blue")).unwrap_err();
    assert!(
        comma
            .expected
            .ends_with("and 1 more, with ; between several"),
        "{comma:?}"
    );
    for source in ["[1]", "[null]", r#"[["red"]]"#, "[", r#"["red"] x"#] {
        let misfit = code(FieldType::Multiselect, Cell::List(source));
        assert_eq!(misfit, Some(Code::InvalidType), "{source}");
    }
}

#[test]
fn a_default_is_a_value_that_fits() {
    let default = |kind, value| default_from_json(&field(kind), &value);
    assert_eq!(
        default(FieldType::Integer, json!(7)).unwrap(),
        7_i64.to_be_bytes()
    );
    assert_eq!(default(FieldType::Boolean, json!(true)).unwrap(), [1]);
    assert_eq!(default(FieldType::Text, json!("00123")).unwrap(), b"00123");
    for (kind, value) in [
        (FieldType::Text, json!(1.5)),
        (FieldType::Text, json!(null)),
        (FieldType::Text, json!("")),
        (FieldType::Text, json!({})),
        (FieldType::Multiselect, json!([])),
    ] {
        let misfit = default(kind, value).unwrap_err();
        assert_eq!(misfit.code, Code::InvalidType);
    }
    let misfit = default(FieldType::Date, json!("tomorrow")).unwrap_err();
    assert_eq!(misfit.code, Code::InvalidDate);
}

#[test]
fn a_filter_that_does_not_fit_is_an_invalid_filter() {
    let filter = |kind, text| from_filter(&field(kind), text);
    assert_eq!(
        filter(FieldType::Date, "2000-01-02").unwrap(),
        1_i32.to_be_bytes()
    );
    let misfit = filter(FieldType::Date, "02-01-2000").unwrap_err();
    assert_eq!(
        (misfit.code, misfit.expected.as_str()),
        (Code::InvalidFilter, "YYYY-MM-DD")
    );
    assert_eq!(
        filter(FieldType::Text, "").unwrap_err().code,
        Code::InvalidFilter
    );
}

#[test]
fn only_ascii_is_folded_here() {
    assert_eq!(
        fold_ascii("Name@Example.ORG").as_deref(),
        Some("name@example.org")
    );
    assert_eq!(fold_ascii("ÉTÉ"), None);
}

#[test]
fn damaged_bytes_are_unreadable_and_never_null() {
    for (kind, binary) in [
        (FieldType::Integer, &[0; 7][..]),
        (FieldType::Number, &f64::NAN.to_be_bytes()),
        (FieldType::Boolean, &[2]),
        (FieldType::Date, &i32::MAX.to_be_bytes()),
        (FieldType::Datetime, &i64::MIN.to_be_bytes()),
        (FieldType::Text, &[0xff]),
        (FieldType::Multiselect, &[]),
    ] {
        assert!(to_json(kind, Some(binary)).is_err(), "{kind:?}");
        assert!(to_text(kind, binary).is_err(), "{kind:?}");
    }
    assert_eq!(to_json(FieldType::Text, None).unwrap(), json!(null));
}

#[test]
fn whole_numbers_show_without_a_fraction() {
    for (text, shown) in [("3", "3"), ("-3.0", "-3"), ("1.50", "1.5"), ("0.1", "0.1")] {
        let binary = kept(FieldType::Number, Cell::Text(text)).unwrap();
        assert_eq!(
            to_json(FieldType::Number, Some(&binary))
                .unwrap()
                .to_string(),
            shown
        );
    }
}

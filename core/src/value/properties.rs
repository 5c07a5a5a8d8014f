//! What is kept reads back to itself, whatever the cell; no cell makes the judging panic.

use proptest::prelude::*;
use serde_json::json;

use super::tests::{field, kept};
use super::*;

/// Texts that some type takes, and close misses of them.
fn likely_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        any::<i64>().prop_map(|whole| whole.to_string()),
        "[+-]?[0-9]{1,20}(\\.[0-9]{0,18})?([eE][+-]?[0-9]{1,4})?",
        "[0-9]{4}-[01][0-9]-[0-3][0-9]([Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,9})?(Z|[+-][0-2][0-9]:?[0-9]{2})?)?",
        "[a-zé.+]{1,8}@[a-zé.-]{1,10}(\\.org)?",
        "\\+?[0-9 ./()-]{1,20}( ?(x|ext) ?[0-9]{0,4})?",
        "(true|false|red|green|blue|a;b|5|;){1,3}",
        "\\[(\"red\"|\"blue\"|,|5){0,4}\\]",
    ]
}

fn cell(form: u8, text: &str) -> Cell<'_> {
    match form % 7 {
        0 => Cell::Absent,
        1 => Cell::Null,
        2 => Cell::Number(text),
        3 => Cell::Boolean(text.len() > 4),
        4 => Cell::List(text),
        5 => Cell::Object(text),
        _ => Cell::Text(text),
    }
}

fn kind() -> impl Strategy<Value = FieldType> {
    prop::sample::select(FieldType::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn any_cell_is_judged_and_a_kept_one_reads_back_to_itself(
        kind in kind(), form in any::<u8>(), text in likely_text(),
    ) {
        let field = field(kind);
        let mut out = vec![7];
        let judged = encode(&field, cell(form, &text), &mut out);
        if judged == Ok(true) {
            let json = to_json(kind, Some(&out[1..])).unwrap();
            prop_assert_eq!(&default_from_json(&field, &json).unwrap(), &out[1..]);
        } else {
            prop_assert_eq!(out, [7]);
        }
    }

    #[test]
    fn every_whole_number_reads_back_to_itself(whole in any::<i64>()) {
        let binary = whole.to_be_bytes();
        let json = to_json(FieldType::Integer, Some(&binary)).unwrap();
        prop_assert_eq!(default_from_json(&field(FieldType::Integer), &json).unwrap(), binary);
    }

    #[test]
    fn fifteen_digits_survive_at_every_magnitude(
        digits in 1_i64..1_000_000_000_000_000, power in -321_i32..=293, negative in any::<bool>(),
    ) {
        let sign = if negative { "-" } else { "" };
        let source = format!("{sign}{digits}e{power}");
        let Ok(binary) = kept(FieldType::Number, Cell::Number(&source)) else {
            prop_assert!(digits.ilog10() as i32 + power < -307, "{}", source);
            return Ok(());
        };
        let json = to_json(FieldType::Number, Some(&binary)).unwrap();
        prop_assert_eq!(&default_from_json(&field(FieldType::Number), &json).unwrap(), &binary);
        let text = to_text(FieldType::Number, &binary).unwrap();
        prop_assert_eq!(&kept(FieldType::Number, Cell::Text(&text)).unwrap(), &binary);
        let shown = text.replace(['-', '.'], "");
        let shown = shown.trim_start_matches('0');
        let digits = digits.to_string();
        prop_assert_eq!(shown.trim_end_matches('0'), digits.trim_end_matches('0'));
    }

    #[test]
    fn every_day_and_instant_reads_back_to_itself(
        day in -730_119..=2_921_939_i32, micros in -63_082_281_600_000_000..252_455_616_000_000_000_i64,
    ) {
        for (kind, binary) in [
            (FieldType::Date, day.to_be_bytes().to_vec()),
            (FieldType::Datetime, micros.to_be_bytes().to_vec()),
        ] {
            let text = to_text(kind, &binary).unwrap();
            prop_assert_eq!(kept(kind, Cell::Text(&text)).unwrap(), binary);
        }
    }

    #[test]
    fn every_choice_of_options_reads_back_to_itself(
        chosen in prop::sample::subsequence(field(FieldType::Select).options, 1..=6).prop_shuffle(),
    ) {
        let field = field(FieldType::Multiselect);
        let binary = default_from_json(&field, &json!(chosen)).unwrap();
        let json = to_json(field.kind, Some(&binary)).unwrap();
        prop_assert_eq!(default_from_json(&field, &json).unwrap(), binary);
    }
}

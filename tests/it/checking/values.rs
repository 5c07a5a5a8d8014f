//! Values as people and programs send them, type by type: which are refused, and which come back
//! exactly as they were sent.

use serde_json::{Value, json};

use super::people;
use crate::app::{TestApp, told};

/// Cells of CSV that are no value of their type.
fn bad_cells() -> Vec<(&'static str, String, &'static str)> {
    let bad = [
        (
            "number",
            "invalid_number",
            &[
                "1.234,56", "1e3", " 12 ", "１２", "0x10", "NaN", "Infinity", "1e400",
            ][..],
        ),
        (
            "number",
            "number_out_of_range",
            &["123456789012345678901234567890"],
        ),
        (
            "integer",
            "invalid_integer",
            &["1.0", "1 000", " 12", "0x10", "１２", "NaN"],
        ),
        (
            "date",
            "invalid_date",
            &[
                "31-02-2024",
                "02/03/04",
                "2024-13-01",
                "2024-02-30",
                "20240-01-01",
                "2024-1-1",
            ],
        ),
        // An hour that clocks skip: without its zone it is no point in time.
        (
            "datetime",
            "invalid_datetime",
            &["2024-03-31T02:30:00", "2024-01-01T24:00:00Z", "2024-01-01"],
        ),
        (
            "boolean",
            "invalid_boolean",
            &["ja", "Y", "1", "TRUE ", "yes"],
        ),
        (
            "email",
            "invalid_email",
            &[
                "a@b@c",
                "a b@c",
                "ann@example.org.",
                "ann@example",
                "@example.org",
            ],
        ),
        ("phone", "invalid_phone", &["call me", "12", "1+2345"]),
    ];
    let mut cells = Vec::new();
    for (kind, code, values) in bad {
        cells.extend(values.iter().map(|value| (kind, (*value).to_owned(), code)));
    }
    let long = format!("{}@example.org", "a".repeat(400));
    cells.push(("email", long, "invalid_email"));
    cells
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cell_that_is_no_value_of_its_type_is_refused_with_its_place() {
    let app = TestApp::start().await;
    let kinds = [
        "number", "integer", "date", "datetime", "boolean", "email", "phone",
    ];
    people(
        &app,
        json!(kinds.map(|kind| json!({"name": kind, "type": kind}))),
    )
    .await;
    let cells = bad_cells();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record([&["key"][..], &kinds].concat())
        .unwrap();
    for (row, (kind, value, _)) in cells.iter().enumerate() {
        let key = row.to_string();
        let mut record = vec![key.as_str()];
        record.extend(kinds.map(|of| if of == *kind { value } else { "" }));
        writer.write_record(record).unwrap();
    }
    writer
        .write_record([
            "good",
            "1.5",
            "42",
            "2024-02-29",
            "2024-03-31T02:30:00+01:00",
            "TRUE",
            "ann@bücher.example",
            "+31 20 123",
        ])
        .unwrap();
    let source = String::from_utf8(writer.into_inner().unwrap()).unwrap();
    let definition = json!({"database": "people", "action": "add", "source": source});
    let status = app.import(definition).await;
    assert_eq!(
        told(&status),
        format!("created 1, rejected {}; profiles +1", cells.len())
    );
    let rejects = app.rejects(status["id"].as_str().unwrap()).await;
    for (place, (reject, (kind, value, code))) in rejects.iter().zip(&cells).enumerate() {
        let found = ["row", "line", "column", "code"].map(|name| reject[name].clone());
        let expected = [json!(place + 1), json!(place + 2), json!(kind), json!(code)];
        assert_eq!(found, expected, "{value:?}");
        let shown: String = value.chars().take(100).collect();
        assert!(
            reject["value"].as_str().unwrap().starts_with(&shown),
            "{reject}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looks_like_a_number_or_a_formula_stays_the_text_it_is() {
    let app = TestApp::start().await;
    people(
        &app,
        json!([{"name": "phone", "type": "phone"}, {"name": "text", "type": "text"}]),
    )
    .await;
    let rows = [
        ("a", "+31201234567", "00123"),
        ("b", "0031201234567", "123456789012345678901234567890"),
        ("c", "020 123", "=cmd|' /C calc'!A0"),
        ("d", "(020) 123", "1e5"),
        ("e", "020-123", " 12 "),
        ("f", "020.123", "-0"),
        ("g", "020/123", "2024-02-03T00:00"),
    ];
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["key", "phone", "text"]).unwrap();
    for (key, phone, text) in rows {
        writer.write_record([key, phone, text]).unwrap();
    }
    let csv = String::from_utf8(writer.into_inner().unwrap()).unwrap();
    let object = |(key, phone, text)| json!({"key": key, "phone": phone, "text": text});
    for source in [json!(csv), json!(rows.map(object))] {
        let status = app
            .import(
                json!({"database": "people", "action": "update_or_add", "key_fields": ["key"],
                "source": source}),
            )
            .await;
        assert_eq!(status["state"], "completed", "{status}");
        for (profile, row) in app.profiles("people").await.iter().zip(rows) {
            assert_eq!(profile["fields"], object(row));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_json_number_keeps_every_digit_or_is_refused() {
    let app = TestApp::start().await;
    people(
        &app,
        json!([{"name": "whole", "type": "integer"}, {"name": "number", "type": "number"},
        {"name": "text", "type": "text"}]),
    )
    .await;
    let cases: [(&str, &str, Result<Value, &str>); 10] = [
        (
            "whole",
            "123456789012345678901234567890",
            Err("number_out_of_range"),
        ),
        ("whole", "9223372036854775808", Err("number_out_of_range")),
        (
            "whole",
            "9223372036854775807",
            Ok(json!(9_223_372_036_854_775_807_i64)),
        ),
        ("whole", "-0", Ok(json!(0))),
        ("whole", "1.5", Err("invalid_integer")),
        (
            "number",
            "123456789012345678901234567890",
            Err("number_out_of_range"),
        ),
        ("number", "0.1234567890123456", Err("number_out_of_range")),
        ("number", "-0", Ok(json!(0))),
        (
            "text",
            "123456789012345678901234567890",
            Ok(json!("123456789012345678901234567890")),
        ),
        ("text", "1e400", Ok(json!("1e400"))),
    ];
    let line = |(row, (field, value, _)): (usize, &(&str, &str, Result<Value, &str>))| {
        format!("{{\"key\":\"{row}\",\"{field}\":{value}}}\n")
    };
    let source: String = cases.iter().enumerate().map(line).collect();
    let status = app
        .import(
            json!({"database": "people", "action": "add", "format": "ndjson", "source": source}),
        )
        .await;
    let rejects = app.rejects(status["id"].as_str().unwrap()).await;
    let profiles = app.profiles("people").await;
    for (row, (field, value, expected)) in cases.iter().enumerate() {
        let kept = profiles
            .iter()
            .find(|profile| profile["fields"]["key"] == json!(row.to_string()));
        let reject = rejects
            .iter()
            .find(|reject| reject["row"] == json!(row + 1));
        match expected {
            Ok(expected) => {
                assert_eq!(kept.unwrap()["fields"][field], *expected, "{field} {value}")
            }
            Err(code) => {
                assert_eq!(kept, None, "{field} {value}");
                assert_eq!(reject.unwrap()["code"], json!(code), "{field} {value}");
                assert_eq!(reject.unwrap()["value"], json!(value));
            }
        }
    }
}

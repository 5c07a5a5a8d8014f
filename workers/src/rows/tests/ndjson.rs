//! Facts about reading one JSON object per line.

use longshore_core::limits::ROW_BYTES_MAX;

use super::*;

fn lines(payload: impl AsRef<[u8]>) -> Reading {
    read(Format::Ndjson, payload)
}

#[test]
fn blank_lines_are_skipped_and_counted() {
    let reading = lines("\n{\"a\":1}\r\n \t\n\r{\"b\":2}\n\n  {\"a\":3} \n{\"a\":4}");
    assert_eq!(reading.damage, None);
    let places: Vec<_> = reading.rows.iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(places, [(1, 2), (2, 5), (3, 7), (4, 8)]);
    assert_eq!(reading.columns, ["a", "b"]);
}

#[test]
fn a_broken_line_costs_itself_only() {
    for (line, column) in [
        ("}{", 1),
        ("{\"a\":1", 7),
        ("{\"a\":1}{", 8),
        ("{\"a\":1}}", 8),
        ("{'a':1}", 2),
        ("{\"a\":\"\\ud800\"}", 13),
        ("  {\"a\":1,}", 10),
        ("{\"a\":1},", 8),
        ("x", 1),
        ("\u{c}{}", 1),
        ("{}\u{c}", 3),
        ("nul", 4),
    ] {
        let reading = lines(format!("{{\"a\":1}}\n{line}\n{{\"a\":2}}\n"));
        assert_eq!(
            reading.fault_places(),
            [(2, 2, Code::InvalidJson)],
            "{line}"
        );
        let expected = &reading.faults[0].expected;
        assert!(
            expected.contains(&format!("column {column}:")),
            "{line} {expected}"
        );
        assert_eq!(
            (reading.rows.len(), reading.rows[1].0, reading.damage),
            (2, 3, None)
        );
    }
}

#[test]
fn a_line_that_is_no_object_is_a_fault() {
    for line in [
        "1",
        "-1.5",
        "0",
        "\"x\"",
        "true",
        "null",
        "[]",
        "[{\"a\":1}]",
    ] {
        let reading = lines(format!("{{\"a\":1}}\n{line}\n{{\"a\":2}}"));
        assert_eq!(
            reading.fault_places(),
            [(2, 2, Code::ExpectedObject)],
            "{line}"
        );
        let reading = lines(format!("{{\"a\":1}}\n{line}"));
        assert_eq!(
            reading.fault_places(),
            [(2, 2, Code::ExpectedObject)],
            "{line}"
        );
    }
}

#[test]
fn a_last_line_that_is_cut_means_a_cut_payload() {
    let whole = "{\"a\":1}\n{\"a\":[true,{\"é\":\"\\u00e9\"}],\"b\":-1.5}";
    assert_eq!(lines(whole).damage, None);
    for cut in 9..whole.len() {
        let damage = lines(&whole.as_bytes()[..cut]).damage.unwrap();
        assert_eq!(
            (damage.code, damage.line),
            (Code::PayloadTruncated, Some(2)),
            "at {cut}"
        );
    }
    assert_eq!(
        lines("{\"a\":1}\n}{").fault_places(),
        [(2, 2, Code::InvalidJson)]
    );
    assert_eq!(lines("{\"a\":").code(), Some(Code::PayloadTruncated));
}

#[test]
fn a_payload_without_any_json_is_of_another_format() {
    let csv: String = (0..150).map(|row| format!("a{row},b\n")).collect();
    let reading = lines(&csv);
    assert_eq!(
        (reading.code(), reading.faults.len()),
        (Some(Code::FormatMismatch), 99)
    );
    assert_eq!(
        lines("name,email\nA,a@b\n").code(),
        Some(Code::FormatMismatch)
    );
    let late = format!("{}1\n{csv}", "x\n".repeat(99));
    assert_eq!(
        (lines(&late).code(), lines(&late).faults.len()),
        (None, 250)
    );
}

#[test]
fn a_line_has_its_size() {
    let fits = " ".repeat(ROW_BYTES_MAX - 2);
    for end in ["", "\n", "\r\n", "\n{}\n"] {
        assert_eq!(lines(format!("{{{fits}}}{end}")).damage, None);
        let damage = lines(format!("{{}}\n{{{fits} }}{end}")).damage.unwrap();
        assert_eq!((damage.code, damage.line), (Code::LineTooLong, Some(2)));
    }
}

#[test]
fn rows_of_lines_have_the_faults_of_rows_of_arrays() {
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let reading = lines(format!("{{\"x\":1,\"x\":2}}\n{deep}\n{{}}\n"));
    let faults = [(1, 1, Code::DuplicateField), (2, 2, Code::TooDeep)];
    assert_eq!(reading.fault_places(), faults);
    let bad = lines(b"{}\n{\"a\":\"\xFF\"}\n{\"a\":1}\n");
    assert_eq!(bad.fault_places(), [(2, 2, Code::InvalidUtf8)]);
    assert!(bad.faults[0].expected.contains("byte 9 "));
}

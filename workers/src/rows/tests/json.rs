//! Facts about the rows of a JSON array, good and bad.

use longshore_core::limits::{CELL_BYTES_MAX, COLUMNS_MAX, JSON_DEPTH_MAX, ROW_BYTES_MAX};

use super::*;

fn json(payload: impl AsRef<[u8]>) -> Reading {
    read(Format::Json, payload)
}

fn code(payload: impl AsRef<[u8]>) -> Option<Code> {
    json(payload).code()
}

/// The fault that this row is.
fn fault(row: &str) -> Fault {
    let reading = json(format!("[{{\"a\":1}},\n{row},{{\"b\":2}}]"));
    assert_eq!(reading.damage, None, "{row:.80}");
    assert_eq!(reading.rows.len(), 2);
    assert_eq!((reading.rows[1].0, reading.faults.len()), (3, 1));
    assert_eq!((reading.faults[0].number, reading.faults[0].line), (2, 2));
    reading.faults.into_iter().next().unwrap()
}

#[test]
fn every_kind_of_value_becomes_its_cell() {
    let reading = json(
        r#" [ {"t":"x","n":-1.50e+3,"y":true,"f":false,"0":null,"l":[1, {"a":[]}],"o":{ }} ] "#,
    );
    assert_eq!(reading.damage, None);
    assert_eq!(reading.columns, ["t", "n", "y", "f", "0", "l", "o"]);
    let cells = [
        "x",
        "~-1.50e+3",
        "~true",
        "~false",
        "~null",
        r#"~[1, {"a":[]}]"#,
        "~{ }",
    ];
    assert_eq!(reading.cells(), [cells]);
}

#[test]
fn columns_are_numbered_as_they_appear_and_missing_members_are_absent() {
    let reading = json(r#"[{"a":1,"b":2},{},{"b":3,"c":4,"a":5},{"\u0063":6}]"#);
    assert_eq!(reading.columns, ["a", "b", "c"]);
    assert_eq!(
        reading.cells(),
        [
            vec!["~1", "~2"],
            vec!["~", "~"],
            vec!["~5", "~3", "~4"],
            vec!["~", "~", "~6"]
        ]
    );
}

#[test]
fn members_are_told_apart_whatever_order_the_rows_before_had() {
    let reading = json(
        r#"[{"a":1,"ab":2,"b":3},{"ab":4},{"b":5,"a":6},{"a" :7, "ab" : 8},{"\u0061":9,"b":10},{"abc":11}]"#,
    );
    assert_eq!(reading.columns, ["a", "ab", "b", "abc"]);
    assert_eq!(
        reading.cells(),
        [
            vec!["~1", "~2", "~3"],
            vec!["~", "~4", "~"],
            vec!["~6", "~", "~5"],
            vec!["~7", "~8", "~"],
            vec!["~9", "~", "~10"],
            vec!["~", "~", "~", "~11"],
        ]
    );
}

#[test]
fn a_name_that_takes_escapes_is_never_met_without_them() {
    assert_eq!(code(r#"[{"a\"b":1},{"a"b":1}]"#), Some(Code::InvalidJson));
    assert_eq!(
        code("[{\"a\\nb\":1},{\"a\nb\":1}]"),
        Some(Code::InvalidJson)
    );
    assert_eq!(
        json(r#"[{"a\\b":1},{"a\b":1}]"#).columns,
        ["a\\b", "a\u{8}"]
    );
}

#[test]
fn escapes_are_resolved() {
    let reading =
        json(r#"[{"a":"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00\u0000é","b":"x","c\n":"\u0041"}]"#);
    assert_eq!(reading.columns, ["a", "b", "c\n"]);
    assert_eq!(reading.cells(), [["\"\\/\u{8}\u{c}\n\r\té😀\0é", "x", "A"]]);
}

#[test]
fn rows_carry_the_line_on_which_they_start() {
    let reading = json("[\n{\"a\":\n1},\r\n\r{\"a\":2} , {\"a\":3},\n\n4\n]\n");
    let lines: Vec<_> = reading.rows.iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(lines, [(1, 2), (2, 5), (3, 5)]);
    assert_eq!(reading.fault_places(), [(4, 7, Code::ExpectedObject)]);
}

#[test]
fn an_empty_array_has_no_rows() {
    for payload in ["[]", " [ ] ", "[\n]\n"] {
        let reading = json(payload);
        assert_eq!((reading.rows.len(), reading.damage), (0, None));
    }
}

#[test]
fn a_row_that_is_no_object_is_a_fault() {
    for row in [
        "1",
        "-0",
        "\"x\"",
        "true",
        "null",
        "[]",
        "[[1],{\"a\":[]}]",
        "\"\\u0000\"",
    ] {
        let fault = fault(row);
        assert_eq!(
            (fault.code, fault.value.as_str()),
            (Code::ExpectedObject, row)
        );
    }
}

#[test]
fn a_member_that_stands_twice_is_a_fault() {
    for row in [
        r#"{"x":1,"y":2,"x":3}"#,
        r#"{"x":null,"x":3}"#,
        r#"{"x":1,"\u0078":"3"}"#,
    ] {
        let fault = fault(row);
        assert_eq!(
            (fault.code, fault.column.as_deref()),
            (Code::DuplicateField, Some("x"))
        );
        assert_eq!(fault.value, "3");
    }
}

#[test]
fn nesting_has_a_limit_and_never_takes_the_stack() {
    let nested = |depth: usize| format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(json(format!("[{}]", nested(JSON_DEPTH_MAX - 1))).faults, []);
    let too_deep = fault(&nested(JSON_DEPTH_MAX));
    assert_eq!(
        (too_deep.code, too_deep.column.as_deref()),
        (Code::TooDeep, Some("x"))
    );
    assert_eq!(fault(&nested(10_000)).code, Code::TooDeep);
    let objects = format!("{}1{}", "{\"x\":".repeat(10_000), "}".repeat(10_000));
    assert_eq!(fault(&objects).code, Code::TooDeep);
    assert_eq!(code("[".repeat(100_000)), Some(Code::PayloadTruncated));
    assert_eq!(code("[{\"\":".repeat(50_000)), Some(Code::PayloadTruncated));
    assert_eq!(
        code(format!("[{}]", nested(1_000_000))),
        Some(Code::LineTooLong)
    );
    assert_eq!(code("[".repeat(5_000_000)), Some(Code::LineTooLong));
}

#[test]
fn members_have_a_limit_per_row_and_in_all() {
    let row = |from: usize, count: usize| {
        let members: Vec<_> = (from..from + count)
            .map(|at| format!("\"m{at}\":0"))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    assert_eq!(fault(&row(0, COLUMNS_MAX + 1)).code, Code::TooManyFields);
    assert_eq!(fault(&row(0, 10_000)).code, Code::TooManyFields);
    let full = json(format!("[{},{}]", row(0, COLUMNS_MAX), row(3, 9)));
    assert_eq!((full.rows.len(), full.damage), (2, None));
    let damage = json(format!(
        "[{},\n{}]",
        row(0, COLUMNS_MAX),
        row(1, COLUMNS_MAX)
    ))
    .damage;
    let damage = damage.unwrap();
    assert_eq!((damage.code, damage.line), (Code::TooManyColumns, Some(2)));
}

#[test]
fn cells_and_rows_have_their_sizes() {
    let text = |bytes: usize| "x".repeat(bytes);
    let limit = CELL_BYTES_MAX;
    assert_eq!(json(format!("[{{\"a\":\"{}\"}}]", text(limit))).faults, []);
    assert_eq!(
        json(format!("[{{\"a\":\"{}\"}}]", "\\u0041".repeat(limit))).faults,
        []
    );
    for row in [
        format!("{{\"a\":\"{}\"}}", text(limit + 1)),
        format!("{{\"a\":[\"{}\"]}}", text(limit)),
        format!("{{\"a\":1{}}}", "0".repeat(limit)),
    ] {
        let fault = fault(&row);
        assert_eq!(
            (fault.code, fault.column.as_deref()),
            (Code::FieldTooLong, Some("a"))
        );
    }
    assert_eq!(
        fault(&format!("{{\"{}\":1}}", text(limit + 1))).code,
        Code::FieldTooLong
    );
    let white = " ".repeat(ROW_BYTES_MAX * 3);
    assert_eq!(
        json(format!("{white}[{white}{{}}{white},{white}{{}}]{white}"))
            .rows
            .len(),
        2
    );
    let fits = " ".repeat(ROW_BYTES_MAX - 2);
    assert_eq!(code(format!("[{{{fits}}}]")), None);
    assert_eq!(code(format!("[{{{fits} }}]")), Some(Code::LineTooLong));
}

#[test]
fn bytes_that_are_not_utf8_cost_their_row() {
    let reading = json(b"[{\"a\":\"x\xFF\"},{\"a\":\"\xF0\x9F\"},{\"a\xE9\":1},{\"a\":1}]");
    assert_eq!(reading.damage, None);
    assert_eq!(reading.faults.len(), 3);
    assert!(
        reading
            .faults
            .iter()
            .all(|fault| fault.code == Code::InvalidUtf8)
    );
    assert_eq!(reading.faults[0].column.as_deref(), Some("a"));
    assert!(reading.faults[0].expected.contains("byte 8 "));
    assert_eq!((reading.rows.len(), reading.rows[0].0), (1, 4));
}

#[test]
fn names_are_plain_data() {
    let reading =
        json(r#"[{"__proto__":1,"constructor":2,"$where":3,"a.b\"c":4,"":5," a ":6,"A":7,"a":8}]"#);
    assert_eq!(
        reading.columns,
        [
            "__proto__",
            "constructor",
            "$where",
            "a.b\"c",
            "",
            " a ",
            "A",
            "a"
        ]
    );
}

//! Facts about reading CSV.

use longshore_core::limits::{
    CELL_BYTES_MAX, COLUMNS_MAX, QUOTED_LINES_MAX, REJECT_VALUE_CHARS_MAX, ROW_BYTES_MAX,
};

use super::*;

fn stray(payload: &str) -> Reading {
    let reading = read(CSV, payload);
    assert_eq!(reading.damage, None, "{payload:?}");
    assert!(
        reading
            .faults
            .iter()
            .all(|fault| fault.code == Code::StrayQuote),
        "{payload:?}"
    );
    reading
}

fn code(payload: impl AsRef<[u8]>) -> Option<Code> {
    read(CSV, payload).code()
}

#[test]
fn quotes_hold_delimiters_line_ends_and_doubled_quotes() {
    let reading = read(
        CSV,
        "a,b\n\"x,y\",\"say \"\"hi\"\"\"\n\"two\r\nlines\",\"\"\n\"\"\"\",z",
    );
    assert_eq!(reading.damage, None);
    assert_eq!(
        reading.cells(),
        [["x,y", "say \"hi\""], ["two\r\nlines", ""], ["\"", "z"]]
    );
    let lines: Vec<_> = reading.rows.iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(lines, [(1, 2), (2, 3), (3, 5)]);
}

#[test]
fn every_kind_of_line_end_counts_as_one_line() {
    let reading = read(CSV, "\n\r\na,b\r1,2\r\n\r\n\n\r3,4\n\n5,6");
    let lines: Vec<_> = reading.rows.iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(lines, [(1, 4), (2, 8), (3, 10)]);
    assert_eq!(reading.cells(), [["1", "2"], ["3", "4"], ["5", "6"]]);
}

#[test]
fn blank_lines_are_no_rows_but_white_space_is() {
    let reading = read(CSV, "a\n\n  \n\"\"\n\n");
    assert_eq!(reading.cells(), [["  "], [""]]);
    assert_eq!(
        read(CSV, "a,b\n \n1,2\n").fault_places(),
        [(1, 2, Code::WrongFieldCount)]
    );
}

#[test]
fn cells_are_taken_as_they_stand() {
    let reading = read(CSV, "a,b,c\n 1 ,=cmd|x,\u{0}\n,,\n");
    assert_eq!(reading.cells(), [[" 1 ", "=cmd|x", "\u{0}"], ["", "", ""]]);
}

#[test]
fn each_of_the_four_delimiters_separates() {
    for delimiter in [",", ";", "\t", "|"] {
        let format = Format::Csv {
            delimiter: delimiter.as_bytes()[0],
            quotes: Quotes::Double,
        };
        let payload = format!("a{delimiter}b\n1{delimiter}\"{delimiter}\"\n");
        assert_eq!(read(format, payload).cells(), [["1", delimiter]]);
    }
}

#[test]
fn apostrophes_go_around_cells_where_the_format_says_so() {
    let quoted = |quotes| Format::Csv {
        delimiter: b',',
        quotes,
    };
    let payload = "a,b,c\n'x,y','it\\'s',O'Brien\n\"x\",\\'t Hooft,''\n";
    let single = read(quoted(Quotes::Single), payload);
    assert_eq!(
        single.cells(),
        [["x,y", "it's", "O'Brien"], ["\"x\"", "'t Hooft", ""]]
    );
    let either = read(quoted(Quotes::Either), payload);
    assert_eq!(
        either.cells(),
        [["x,y", "it's", "O'Brien"], ["x", "'t Hooft", ""]]
    );
    let double = read(CSV, "a,b\n'x,'y'\n");
    assert_eq!(double.cells(), [["'x", "'y'"]]);
    let stray = read(quoted(Quotes::Single), "a,b\n'x'y,1\n2,3\n");
    assert_eq!(stray.fault_places(), [(1, 2, Code::StrayQuote)]);
    let open = read(quoted(Quotes::Either), "a,b\n'x,1\n").damage.unwrap();
    assert_eq!((open.code, open.line), (Code::UnclosedQuote, Some(2)));
}

#[test]
fn a_quote_that_never_closes_fails_the_payload() {
    let damage = read(CSV, "a,b\n1,2\n3,\"x\ny,z\n").damage.unwrap();
    assert_eq!((damage.code, damage.line), (Code::UnclosedQuote, Some(3)));
    let damage = read(CSV, "a,b\n\"1\n\n\",\"x").damage.unwrap();
    assert_eq!((damage.code, damage.line), (Code::UnclosedQuote, Some(4)));
    assert_eq!(code("a,b\n1,\""), Some(Code::UnclosedQuote));
    assert_eq!(code("a,b\n1,\"\"\""), Some(Code::UnclosedQuote));
    assert_eq!(code("a,\"b\n1,2"), Some(Code::UnclosedQuote));
}

#[test]
fn an_unclosed_quote_that_meets_the_quotes_of_a_later_row_fails_the_payload() {
    let damage = read(CSV, "a,b\n1,\"x\n3,4\n5,\"six\"\n").damage.unwrap();
    assert_eq!((damage.code, damage.line), (Code::UnclosedQuote, Some(2)));
}

#[test]
fn a_quoted_cell_has_its_limits() {
    let lines = "\n".repeat(QUOTED_LINES_MAX);
    assert_eq!(code(format!("a,b\n1,\"{lines}\"\n")), None);
    assert_eq!(
        code(format!("a,b\n1,\"{lines}\n\"\n")),
        Some(Code::UnclosedQuote)
    );
    let crlf = "\r\n".repeat(QUOTED_LINES_MAX);
    assert_eq!(code(format!("a,b\n1,\"{crlf}\"\n")), None);
    let cell = "\"\"".repeat(CELL_BYTES_MAX);
    assert_eq!(code(format!("a,b\n1,\"{cell}\"\n")), None);
    assert_eq!(
        code(format!("a,b\n1,\"{cell}x\"\n")),
        Some(Code::UnclosedQuote)
    );
    let endless = "x".repeat(CELL_BYTES_MAX + 1);
    assert_eq!(
        code(format!("a,b\n1,\"{endless}")),
        Some(Code::UnclosedQuote)
    );
}

#[test]
fn a_stray_quote_costs_its_own_line_only() {
    for line in [
        "x\"y,2",
        "1,x\"",
        "\"x\"y,2",
        "\"x\" ,2",
        " \"x\",2",
        "1,5\" \"x",
        "\"a\"\"\"b,",
    ] {
        for end in ["\n", "\r\n", "\r"] {
            let reading = stray(&["a,b", line, "3,4"].join(end));
            assert_eq!(reading.fault_places(), [(1, 2, Code::StrayQuote)], "{line}");
            assert_eq!(reading.rows, [(2, 3, vec!["3".to_owned(), "4".to_owned()])]);
            assert_eq!(reading.faults[0].value, line);
        }
    }
    assert_eq!(stray("a,b\n\"l\n\",x\"\n3,4\n").rows[0].1, 4);
    assert_eq!(stray("a,b\n1,x\"").faults[0].column.as_deref(), Some("b"));
}

#[test]
fn a_row_has_as_many_cells_as_the_header() {
    let reading = read(CSV, "a,b,c\n1,2\n1,2,3,4,5\n1,2,3\n1,2,\n");
    let wrong = Code::WrongFieldCount;
    assert_eq!(reading.fault_places(), [(1, 2, wrong), (2, 3, wrong)]);
    assert_eq!(reading.faults[0].expected, "3 cells, got 2");
    assert_eq!(
        reading.faults[1].expected,
        "3 cells, got 5: a `,` in a cell without quotes?"
    );
    assert_eq!(reading.rows.len(), 2);
}

#[test]
fn a_long_cell_is_a_fault_and_a_long_row_is_damage() {
    let cell = "x".repeat(CELL_BYTES_MAX);
    let reading = read(CSV, format!("a,b\n1,{cell}\n1,{cell}x\n3,4\n"));
    assert_eq!(reading.fault_places(), [(2, 3, Code::FieldTooLong)]);
    assert_eq!(reading.faults[0].column.as_deref(), Some("b"));
    assert_eq!(
        reading.faults[0].value.chars().count(),
        REJECT_VALUE_CHARS_MAX
    );
    assert_eq!(reading.rows.len(), 2);

    let row = "x".repeat(ROW_BYTES_MAX);
    for end in ["", "\n", "\r\n", "\r", "\n1\n"] {
        let reading = read(CSV, format!("a\n{row}{end}"));
        assert_eq!(reading.fault_places(), [(1, 2, Code::FieldTooLong)]);
        assert_eq!(reading.damage, None);
        let damage = read(CSV, format!("a\n{row}x{end}")).damage.unwrap();
        assert_eq!((damage.code, damage.line), (Code::LineTooLong, Some(2)));
    }
    assert_eq!(code(format!("a\nx\"{row}\n")), Some(Code::LineTooLong));
    assert_eq!(code(",".repeat(ROW_BYTES_MAX + 1)), Some(Code::LineTooLong));
}

#[test]
fn bytes_that_are_not_utf8_cost_their_row() {
    let reading = read(CSV, b"a,b\n1,J\xF6rg\n3,4\n");
    assert_eq!(reading.fault_places(), [(1, 2, Code::InvalidUtf8)]);
    assert_eq!(reading.faults[0].value, "J\u{FFFD}rg");
    assert_eq!(reading.faults[0].column.as_deref(), Some("b"));
    assert!(reading.faults[0].expected.contains("byte 7"));
    assert_eq!(reading.rows.len(), 1);
}

#[test]
fn header_names_are_trimmed_and_must_differ() {
    assert_eq!(
        read(CSV, " a ,\"b\"\"c\", d\t\n1,2,3").columns,
        ["a", "b\"c", "d"]
    );
    for header in ["a,A", "a, a ", "\"Ä\",ä", "x,\"y\",z,Y"] {
        assert_eq!(code(header), Some(Code::DuplicateHeader), "{header}");
    }
    for header in ["a,,b", "a, ", ",", "\"\",a"] {
        assert_eq!(code(header), Some(Code::EmptyHeader), "{header}");
    }
    assert_eq!(code(b"a,b\xF6\n"), Some(Code::EncodingUnsupported));
    assert_eq!(code(b"a\0,\0b\0\n\0"), Some(Code::EncodingUnsupported));
    let damage = read(CSV, "\n\na,b\"x\"\n1,2\n").damage.unwrap();
    assert_eq!((damage.code, damage.line), (Code::StrayQuote, Some(3)));
}

#[test]
fn a_header_has_at_most_the_limit_of_columns() {
    let names = |count: usize| {
        (0..count)
            .map(|at| format!("c{at}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    assert_eq!(read(CSV, names(COLUMNS_MAX)).columns.len(), COLUMNS_MAX);
    assert_eq!(code(names(COLUMNS_MAX + 1)), Some(Code::TooManyColumns));
    assert_eq!(code(names(50_000)), Some(Code::TooManyColumns));
    let quoted = (0..COLUMNS_MAX + 9)
        .map(|at| format!("\"\"\"{at}\""))
        .collect::<Vec<_>>();
    assert_eq!(code(quoted.join(",")), Some(Code::TooManyColumns));
}

#[test]
fn another_delimiter_than_declared_is_suspected() {
    for header in ["a;b;c;d;e;f\n", "\"a\";\"b\";\"c\";\"d\";e;f\n1;2\n"] {
        let damage = read(CSV, header).damage.unwrap();
        assert_eq!(damage.code, Code::DelimiterSuspect);
        assert_eq!(damage.message, "found ; 5 times, read with ,");
    }
    let tab = read(
        Format::Csv {
            delimiter: b'|',
            quotes: Quotes::Double,
        },
        "a\tb",
    )
    .damage
    .unwrap();
    assert_eq!(tab.message, "found tab once, read with |");
    assert_eq!(code("email\na@b\n"), None);
    assert_eq!(code("\"name; all of it\"\nx\n"), None);
}

#[test]
fn a_header_alone_has_no_rows() {
    for payload in ["a,b", "a,b\n", "a,b\r\n\r\n"] {
        let reading = read(CSV, payload);
        assert_eq!((reading.rows.len(), reading.damage), (0, None));
    }
}

#[test]
fn a_row_is_used_again_without_traces() {
    let mut reader = Reader::open(CSV, &b"a,b\n\"1\"\"\",2\nx\n5,6\n"[..]).unwrap();
    let mut row = Row::new();
    assert_eq!(reader.next(&mut row).unwrap(), Step::Row);
    assert_eq!(
        (row.cell(0), row.cell(2)),
        (Cell::Text("1\""), Cell::Absent)
    );
    assert!(matches!(reader.next(&mut row).unwrap(), Step::Fault(_)));
    assert_eq!(
        (row.number, row.line, row.bytes(), row.cell(0)),
        (2, 3, 0, Cell::Absent)
    );
    assert_eq!(reader.next(&mut row).unwrap(), Step::Row);
    assert_eq!(
        (row.number, row.cell(0), row.bytes()),
        (3, Cell::Text("5"), 3)
    );
}

//! What is told of a payload before its first row.

use super::super::position::Position;
use super::super::window::Window;
use super::*;

const ALL: [Format; 3] = [CSV, Format::Json, Format::Ndjson];

#[test]
fn a_payload_without_bytes_or_with_blank_lines_only_is_empty() {
    for format in ALL {
        for payload in ["", "\u{feff}", "\n", "\r\n\r\n\n", "\u{feff}\n"] {
            assert_eq!(
                read(format, payload).code(),
                Some(Code::EmptyPayload),
                "{payload:?}"
            );
        }
    }
}

#[test]
fn utf16_is_refused_with_advice() {
    for format in ALL {
        for mark in [b"\xFF\xFEa\0", b"\xFE\xFF\0a"] {
            let damage = read(format, mark).damage.unwrap();
            assert_eq!(damage.code, Code::EncodingUnsupported);
            assert!(damage.message.contains("looks like UTF-16; save as UTF-8"));
        }
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_name() {
    assert_eq!(read(CSV, "\u{feff}a,b\n1,2").columns, ["a", "b"]);
    assert_eq!(read(CSV, "\u{feff}\"a\",b\n1,2").columns, ["a", "b"]);
    assert_eq!(read(Format::Json, "\u{feff}[{\"a\":1}]").rows.len(), 1);
    assert_eq!(read(Format::Ndjson, "\u{feff}{\"a\":1}").rows.len(), 1);
}

#[test]
fn a_web_page_is_not_data() {
    for format in ALL {
        for page in [
            "<!DOCTYPE html><p>",
            "\n \t<!doctype HTML>",
            "<HTML lang=en>",
        ] {
            let damage = read(format, page).damage.unwrap();
            assert_eq!(damage.code, Code::SourceNotData);
            assert!(damage.message.contains(page.trim()), "{}", damage.message);
        }
    }
    assert_eq!(read(CSV, "<!DOCTYP\n1").code(), None);
    assert_eq!(
        read(CSV, "<?xml version='1.0'?>").code(),
        Some(Code::FormatMismatch)
    );
}

#[test]
fn packed_bytes_are_another_format() {
    for format in ALL {
        for start in [
            &b"\x1F\x8B\x08\0"[..],
            b"PK\x03\x04rest",
            b"\x28\xB5\x2F\xFD",
            b"%PDF-1.7",
        ] {
            assert_eq!(read(format, start).code(), Some(Code::FormatMismatch));
        }
    }
}

#[test]
fn json_declared_as_csv_and_the_reverse_are_told() {
    for payload in ["[{\"a\":1}]", "{\"a\":1}\n", "\n [\n"] {
        assert_eq!(read(CSV, payload).code(), Some(Code::FormatMismatch));
    }
    let damage = read(Format::Json, "name,email\nA,a@b\n").damage.unwrap();
    assert_eq!(damage.code, Code::FormatMismatch);
    assert!(damage.message.contains("`name,email`"));
    assert_eq!(
        read(Format::Ndjson, " [{\"a\":1}]").code(),
        Some(Code::FormatMismatch)
    );
}

#[test]
fn an_error_of_the_source_is_not_damage_and_may_be_tried_again() {
    let payload = "a,b\n1,2\n\"x\n\",4\n";
    let pieces = |failing| Pieces {
        bytes: payload.as_bytes(),
        sizes: vec![3],
        turn: 0,
        failing,
    };
    let mut source = pieces(true);
    let Err(Error::Io(error)) = Reader::open(CSV, &mut source) else {
        panic!("no I/O error")
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(read_from(CSV, pieces(false)), read(CSV, payload));
}

#[test]
fn after_an_error_of_the_source_nothing_is_lost() {
    let wide = "x".repeat(50_000);
    let csv: String = (0..40)
        .map(|row| format!("{row},\"{wide}\n\"\r\n\r\n"))
        .collect();
    let json: Vec<String> = (0..40)
        .map(|row| format!("{{\"a\": {row},\n \"b\":\"{wide}\"}}"))
        .collect();
    let lines: String = (0..40)
        .map(|row| format!("{{\"a\":{row},\"b\":\"{wide}\"}}\n\n"))
        .collect();
    for (format, payload) in [
        (CSV, format!("a,b\n{csv}")),
        (Format::Json, format!("[{}]\n", json.join(" ,\n\n"))),
        (Format::Ndjson, lines),
    ] {
        assert_eq!(
            read_failing(format, payload.as_bytes()),
            read(format, &payload)
        );
    }
}

/// Reads with a source that fails before every other piece, once it has been opened.
fn read_failing(format: Format, bytes: &[u8]) -> Reading {
    let mut all = Reading {
        columns: vec![],
        rows: vec![],
        faults: vec![],
        damage: None,
    };
    let first = 128 << 10;
    let opening = Pieces {
        bytes: &bytes[..first],
        sizes: vec![first],
        turn: 0,
        failing: false,
    };
    let failing = Pieces {
        bytes: &bytes[first..],
        sizes: vec![30_000],
        turn: 0,
        failing: true,
    };
    let mut reader = Reader::open(format, opening.chain(failing)).unwrap();
    let mut row = Row::new();
    let mut failures = 0;
    loop {
        match reader.next(&mut row) {
            Ok(Step::Row) => {
                let cells = (0..reader.columns().len())
                    .map(|at| shown(row.cell(at)))
                    .collect();
                all.rows.push((row.number, row.line, cells));
            }
            Ok(Step::Fault(fault)) => all.faults.push(fault),
            Ok(Step::End) => break,
            Err(Error::Io(_)) => failures += 1,
            Err(Error::Damage(damage)) => panic!("{damage}"),
        }
    }
    assert!(failures > 10);
    all.columns = reader.columns().to_vec();
    all
}

#[test]
fn no_token_minds_where_the_window_ends() {
    let csv = "a,b\r\n\r\n\"x\"\"y\r\nz\"\"\",1\r\n\"\",\"\"\"\"\r\n5,é\r\r\n6,\"x\"y\r\n7,8\r\n";
    let json = "[\r\n12345, -0.5e+10 ,true,\r\n\r\n{\"a\":\"\\ud83d\\ude00é\"},\r\n[1,{}],\r\n{\"b\":12}\r\n]\r\nx";
    let lines = "\r\n12345\r\n{\"a\":\"\\u00e9\"}\r\n \r\n{\"a\":nul}\r\n\r\n-1.5e3\r\n{\"b\":[1]";
    for (format, payload) in [(CSV, csv), (Format::Json, json), (Format::Ndjson, lines)] {
        let whole = read(format, payload);
        assert!(whole.rows.len() + whole.faults.len() > 3, "{whole:?}");
        for size in 1..payload.len() {
            let window = Window::sized(payload.as_bytes(), size);
            assert_eq!(read_opened(Reader::over(format, window)), whole, "{size}");
        }
    }
}

#[test]
fn a_position_is_the_same_in_pieces() {
    let text = "a\r\n\r\n\n\r\rbc\r\né\n\r\nxyz".as_bytes();
    for end in 0..text.len() {
        for cut in 0..end {
            let (mut whole, mut pieces) = (Position::start(), Position::start());
            whole.pass(&text[..end]);
            pieces.pass(&text[..cut]);
            pieces.pass(&text[cut..end]);
            let place = |at: &Position| {
                let none = super::super::damage::damage(Code::InvalidJson, "");
                at.mark(&[], none)
            };
            assert_eq!(place(&whole), place(&pieces), "{cut} of {end}");
        }
    }
}

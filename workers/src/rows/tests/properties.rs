//! What holds for any payload.

use proptest::prelude::*;
use serde_json::Value;

use super::super::token::plain;
use super::super::window::Window;
use super::*;

fn formats() -> impl Strategy<Value = Format> {
    prop_oneof![
        (prop::sample::select(b",;\t|".to_vec()), quotes())
            .prop_map(|(delimiter, quotes)| Format::Csv { delimiter, quotes }),
        Just(Format::Json),
        Just(Format::Ndjson),
    ]
}

fn quotes() -> impl Strategy<Value = Quotes> {
    prop::sample::select(vec![Quotes::Double, Quotes::Single, Quotes::Either])
}

/// Texts that matter to quotes. No backslash stands before an apostrophe or at the end, where it
/// would escape what follows.
fn cells_of_pieces() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec!["a", "'", "\"", ",", "\n", "\\n"]);
    prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
}

/// Bytes that look like payloads: starts that open, then pieces that matter to the readers.
fn payloads() -> impl Strategy<Value = Vec<u8>> {
    let starts = [
        "",
        "a,b\n",
        "a;b\r\n",
        "[",
        "{\"a\":1}\n",
        "\u{feff}a|b\r",
        "a\n",
    ];
    let pieces = [
        "\"",
        "\"\"",
        ",",
        ";",
        "|",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "a",
        "é",
        "1",
        "-0.5e3",
        "{",
        "}",
        "[",
        "]",
        ":",
        "\\",
        "\\u0041",
        "\\ud800",
        "null",
        "true",
        " ",
        "\0",
        "{\"a\":1}",
        "{\"b\":\"x\",\"a\":[1,{}]}",
        "{\"a\":1,\"a\":2}",
        "1,2\n",
        "\"x\",\"y\"\n",
        "\u{1}",
        "/",
    ];
    let piece = prop_oneof![
        40 => prop::sample::select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    (
        prop::sample::select(starts.to_vec()),
        prop::collection::vec(piece, 0..150),
    )
        .prop_map(|(start, pieces)| [start.as_bytes().to_vec(), pieces.concat()].concat())
}

/// Values of any shape that stays within the limits.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        ".*".prop_map(Value::from),
        "[\\PC\\x00-\\x1f\"\\\\]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn objects() -> impl Strategy<Value = Vec<Value>> {
    // No column can have a name with NUL in it: that is damage, and told by a test of its own.
    let name = prop_oneof![3 => "[a-e]", 1 => "[^\\x00]{0,4}"];
    let object = prop::collection::btree_map(name, values(), 0..6)
        .prop_map(|map| Value::Object(map.into_iter().collect()));
    prop::collection::vec(object, 1..12)
}

fn value_of(cell: Cell<'_>) -> Option<Value> {
    match cell {
        Cell::Absent => None,
        Cell::Null => Some(Value::Null),
        Cell::Text(text) => Some(Value::from(text)),
        Cell::Boolean(value) => Some(Value::from(value)),
        Cell::Number(text) | Cell::List(text) | Cell::Object(text) => {
            Some(serde_json::from_str(text).unwrap())
        }
    }
}

fn read_values(format: Format, payload: &str) -> Vec<Value> {
    let mut reader = Reader::open(format, payload.as_bytes()).unwrap();
    let (mut row, mut values) = (Row::new(), Vec::new());
    while reader.next(&mut row).unwrap() == Step::Row {
        let columns = reader.columns().iter().enumerate();
        let members =
            columns.filter_map(|(at, name)| Some((name.clone(), value_of(row.cell(at))?)));
        values.push(Value::Object(members.collect()));
    }
    values
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_split_of_the_bytes_into_reads_yields_the_same(
        format in formats(),
        bytes in payloads(),
        sizes in prop::collection::vec(1usize..9, 1..5),
    ) {
        let whole = read(format, &bytes);
        for sizes in [vec![1], sizes] {
            let pieces = Pieces { bytes: &bytes, sizes, turn: 0, failing: false };
            prop_assert_eq!(&read_from(format, pieces), &whole);
        }
    }

    #[test]
    fn the_size_of_the_window_never_shows(
        format in formats(),
        bytes in payloads(),
        sizes in prop::collection::vec(1usize..99, 1..5),
        window in 64usize..99,
    ) {
        let pieces = Pieces { bytes: &bytes, sizes, turn: 0, failing: false };
        let small = read_opened(Reader::over(format, Window::sized(pieces, window)));
        let large = read_opened(Reader::over(format, Window::sized(&bytes[..], 10_000)));
        prop_assert_eq!(small, large);
    }

    #[test]
    fn row_numbers_have_no_gaps(format in formats(), bytes in payloads()) {
        let all = read(format, &bytes);
        let rows = all.rows.iter().map(|row| (row.0, row.1));
        let faults = all.faults.iter().map(|fault| (fault.number, fault.line));
        let mut places: Vec<_> = rows.chain(faults).collect();
        places.sort_unstable();
        let numbers: Vec<_> = places.iter().map(|place| place.0).collect();
        prop_assert_eq!(numbers, (1..=places.len() as u64).collect::<Vec<_>>());
        prop_assert!(places.is_sorted_by_key(|place| place.1));
    }

    #[test]
    fn skipping_equals_reading_and_dropping(
        format in formats(),
        bytes in payloads(),
        to in 0u64..9,
    ) {
        let mut whole = read(format, &bytes);
        let Ok(mut reader) = Reader::open(format, &bytes[..]) else { return Ok(()) };
        let mut rest = Reading { columns: vec![], rows: vec![], faults: vec![], damage: None };
        match reader.skip_to(to) {
            Ok(()) => read_rest(&mut reader, &mut rest),
            Err(error) => {
                rest.columns = reader.columns().to_vec();
                rest.damage = Some(damage_of(error));
            }
        }
        whole.rows.retain(|row| row.0 >= to);
        whole.faults.retain(|fault| fault.number >= to);
        prop_assert_eq!(rest, whole);
    }

    #[test]
    fn what_a_csv_writer_writes_is_read_back(
        rows in prop::collection::vec(prop::array::uniform3(
            prop_oneof!["[a-z ]{0,6}", "[\",;\\t\\|\\r\\n a]{0,6}", ".{0,6}"]), 0..20),
        delimiter in prop::sample::select(b",;\t|".to_vec()),
        crlf in any::<bool>(),
        always in any::<bool>(),
    ) {
        let mut writer = ::csv::WriterBuilder::new();
        writer.delimiter(delimiter);
        if crlf { writer.terminator(::csv::Terminator::CRLF); }
        if always { writer.quote_style(::csv::QuoteStyle::Always); }
        let mut writer = writer.from_writer(Vec::new());
        writer.write_record(["x", "y", "z"]).unwrap();
        for row in &rows { writer.write_record(row).unwrap(); }
        let reading = read(Format::Csv { delimiter, quotes: Quotes::Double }, writer.into_inner().unwrap());
        prop_assert_eq!(reading.damage, None);
        prop_assert_eq!(reading.faults, vec![]);
        let cells: Vec<_> = reading.rows.into_iter().map(|row| row.2).collect();
        prop_assert_eq!(cells, rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_written_with_apostrophes_is_read_back(
        rows in prop::collection::vec(prop::array::uniform3(cells_of_pieces()), 1..6),
        either in any::<bool>(),
        escapes in any::<bool>(),
    ) {
        let quoted = |cell: &String| match escapes {
            true => format!("'{}'", cell.replace('\'', "\\'")),
            false => format!("'{}'", cell.replace('\'', "''")),
        };
        let line = |row: &[String; 3]| row.each_ref().map(quoted).join(",") + "\n";
        let payload = String::from("x,y,z\n") + &rows.iter().map(line).collect::<String>();
        let quotes = if either { Quotes::Either } else { Quotes::Single };
        let reading = read(Format::Csv { delimiter: b',', quotes }, payload);
        prop_assert_eq!(reading.damage, None);
        prop_assert_eq!(reading.faults, vec![]);
        let cells: Vec<_> = reading.rows.into_iter().map(|row| row.2).collect();
        prop_assert_eq!(cells, rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>());
    }

    #[test]
    fn what_serde_writes_is_read_back(objects in objects(), pretty in any::<bool>()) {
        let array = Value::from(objects.clone());
        let text = if pretty { serde_json::to_string_pretty(&array) } else { serde_json::to_string(&array) };
        prop_assert_eq!(&read_values(Format::Json, &text.unwrap()), &objects);
        let lines: String = objects.iter().map(|object| format!("{object}\n")).collect();
        prop_assert_eq!(&read_values(Format::Ndjson, &lines), &objects);
    }

    /// What earlier rows had only ever spares work.
    #[test]
    fn a_row_says_the_same_behind_others_as_alone(objects in objects(), spaced in any::<bool>()) {
        let written = |object: &Value| match spaced {
            true => serde_json::to_string_pretty(object).unwrap().replace("\": ", "\" : "),
            false => object.to_string(),
        };
        let rows: Vec<String> = objects.iter().map(written).collect();
        let all = read(Format::Json, format!("[{}]", rows.join(",")));
        prop_assert_eq!(&all.damage, &None);
        prop_assert_eq!(all.rows.len(), rows.len());
        for (row, (_, _, cells)) in rows.iter().zip(&all.rows) {
            let alone = read(Format::Json, format!("[{row}]"));
            let named = |columns: &[String], cells: &[String]| {
                let mut named: Vec<_> = columns.iter().cloned().zip(cells.iter().cloned()).collect();
                named.retain(|(_, cell)| cell != "~");
                named.sort();
                named
            };
            prop_assert_eq!(named(&all.columns, cells), named(&alone.columns, &alone.rows[0].2));
        }
    }

    #[test]
    fn a_string_goes_on_as_long_as_its_bytes_are_plain(
        bytes in prop::collection::vec(prop_oneof![8 => 0x20..=0xFF_u8, 1 => any::<u8>()], 0..60),
    ) {
        let is_special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
        for from in 0..=bytes.len() {
            let rest = &bytes[from..];
            prop_assert_eq!(plain(rest), rest.iter().position(is_special).unwrap_or(rest.len()));
        }
    }

    /// Our own judge of JSON against another's, on text that is nearly JSON.
    #[test]
    fn what_is_json_is_what_serde_says(
        objects in objects(),
        place in any::<prop::sample::Index>(),
        piece in prop::sample::select(vec![
            "", "\"", "\\", ",", ":", "{", "}", "[", "]", "0", "-", ".", "e", "+", "u", "n", "\n", "\u{7f}", "\\u00", "\\ud8",
        ]),
        cut in 0usize..3,
    ) {
        let text = serde_json::to_string(&objects).unwrap();
        let mut characters: Vec<char> = text.chars().collect();
        let at = place.index(characters.len());
        let end = (at + cut).min(characters.len());
        characters.splice(at..end, piece.chars());
        let text: String = characters.into_iter().collect();
        let ours = read(Format::Json, &text);
        let theirs = serde_json::from_str::<Vec<Value>>(&text);
        // How large a number may be is no matter of syntax.
        let huge = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
        prop_assume!(!huge);
        let is_nul = |damage: &Damage| damage.code == Code::NulCharacter;
        prop_assume!(!ours.damage.as_ref().is_some_and(is_nul));
        prop_assert_eq!(ours.damage.is_none(), theirs.is_ok(), "{} {:?}", text, ours.damage);
    }
}

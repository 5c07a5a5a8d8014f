//! Tells the delimiter of CSV from its first records: the one by which nearly all of them have as many
//! cells as the header. Where several would do, the names that the definition expects decide, and
//! without any the comma is not passed over. Where but one cuts the header, half of the records do.

use longshore_core::reading::Quotes;

/// The candidates, the default first.
const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Of a hundred records, this many agree with the header.
const AGREEING_PERCENT: usize = 90;
/// The same where no other delimiter stands in the header.
const AGREEING_ALONE_PERCENT: usize = 50;

/// A delimiter, and what speaks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Detected {
    pub(crate) delimiter: u8,
    /// Cells of the header.
    pub(crate) columns: usize,
    /// Records behind the header that have as many.
    pub(crate) agreeing: usize,
    /// Records behind the header.
    pub(crate) rows: usize,
}

/// The delimiter of these first bytes. None: nothing speaks for one. `expected` are names that the
/// definition has for columns.
pub(crate) fn detect(
    (sample, is_cut): (&[u8], bool),
    quotes: Quotes,
    expected: &[&str],
) -> Option<Detected> {
    let counted = CANDIDATES
        .into_iter()
        .filter_map(|delimiter| count(cells(sample, quotes, delimiter), is_cut, delimiter));
    let all: Vec<Detected> = counted.collect();
    let percent = match all.len() {
        1 => AGREEING_ALONE_PERCENT,
        _ => AGREEING_PERCENT,
    };
    let convincing = all
        .into_iter()
        .filter(|found| found.agreeing * 100 >= found.rows * percent);
    convincing.max_by_key(|found| {
        let known = names_in(sample, found.delimiter, expected);
        (known, found.delimiter == b',', found.columns)
    })
}

/// How many of the expected names the header has by this delimiter.
fn names_in(sample: &[u8], delimiter: u8, expected: &[&str]) -> usize {
    let header = sample.split(|byte| matches!(byte, b'\n' | b'\r')).next();
    let text = String::from_utf8_lossy(header.unwrap_or_default());
    let names: Vec<String> = text
        .split(char::from(delimiter))
        .map(|name| name.trim_matches(['"', '\'', ' ']).to_lowercase())
        .collect();
    let known = |name: &&&str| names.contains(&name.trim().to_lowercase());
    expected.iter().filter(known).count()
}

/// The counts are those of the cells of each record. None: the header is one cell.
fn count(mut counts: Vec<usize>, is_cut: bool, delimiter: u8) -> Option<Detected> {
    if is_cut {
        // The last record may be half of one.
        counts.pop();
    }
    let (columns, rows) = counts.split_first()?;
    let agreeing = rows.iter().filter(|cells| *cells == columns).count();
    (*columns > 1).then_some(Detected {
        delimiter,
        columns: *columns,
        agreeing,
        rows: rows.len(),
    })
}

/// How many cells each record has; delimiters and line ends between quotes are none.
fn cells(sample: &[u8], quotes: Quotes, delimiter: u8) -> Vec<usize> {
    let mut counts = Vec::new();
    let (mut cells, mut is_empty) = (1, true);
    // The quote that is open, and whether a quote here would open a cell, or open it again as the
    // second of a pair.
    let (mut open, mut opens) = (None, true);
    let mut bytes = sample.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if quotes.escape() && bytes.peek() == Some(&b'\'') => {
                bytes.next();
                opens = false;
            }
            _ if open == Some(byte) => (open, opens) = (None, true),
            _ if open.is_some() => {}
            _ if opens && quotes.open_with(byte) => (open, is_empty) = (Some(byte), false),
            b'\n' | b'\r' => {
                if !is_empty {
                    counts.push(cells);
                }
                (cells, is_empty, opens) = (1, true, true);
            }
            _ if byte == delimiter => (cells, is_empty, opens) = (cells + 1, false, true),
            _ => (is_empty, opens) = (false, false),
        }
    }
    if !is_empty {
        counts.push(cells);
    }
    counts
}

/// A delimiter as people call it.
pub(crate) fn shown(delimiter: u8) -> &'static str {
    match delimiter {
        b';' => "a semicolon",
        b'\t' => "a tab",
        b'|' => "a pipe",
        _ => "a comma",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_one_by_which_records_agree() {
        for (text, expected) in [
            ("a,b\n1,2\n", Some((b',', 2))),
            ("a;b;c\n1;2;3\n4;5;6\n", Some((b';', 3))),
            ("a\tb\n1\t2\n", Some((b'\t', 2))),
            ("a|b\r\n1|2\r\n", Some((b'|', 2))),
            // German numbers: commas in every row, and none in the header.
            ("name;price\nx;1,50\ny;2,50\n", Some((b';', 2))),
            // A comma that would do is taken, whatever stands in the cells.
            ("a,b\n1;2,3;4\n", Some((b',', 2))),
            ("\"a;b\",c\n\"1;2\",3\n", Some((b',', 2))),
            ("\"a\nb\";c\n1;2\n", Some((b';', 2))),
            ("email\na@x.example\n", None),
            ("a;b\n1\n2\n3\n", None),
            // One row of three that has a cell too many.
            ("a;b\n1;2\n1;2;3\n1;2\n", Some((b';', 2))),
            ("", None),
        ] {
            let found = detect((text.as_bytes(), false), Quotes::Double, &[]);
            let found = found.map(|found| (found.delimiter, found.columns));
            assert_eq!(found, expected, "{text:?}");
        }
        let prices = b"name;price, EUR\nx;1,50\ny;2,50\n";
        for (expected, delimiter) in [("name", b';'), ("eur", b','), ("other", b',')] {
            let found = detect((prices, false), Quotes::Double, &[expected]);
            assert_eq!(found.map(|found| found.delimiter), Some(delimiter));
        }
        let either = detect((b"a;b\n'1;x';\"2;y\"\n", false), Quotes::Either, &[]);
        assert_eq!(either.map(|found| found.columns), Some(2));
        let cut = detect((b"a;b;c\n1;2;3\n4;", true), Quotes::Double, &[]);
        assert_eq!(cut.map(|found| (found.columns, found.rows)), Some((3, 1)));
    }
}

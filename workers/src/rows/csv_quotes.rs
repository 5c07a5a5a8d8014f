//! What goes around a CSV cell, and how it comes off: where a quoted cell closes, and what its text
//! is once doubled quotes and escaped apostrophes are taken for what they mean.

use longshore_core::reading::Quotes;
use memchr::{memchr, memchr2, memmem};

/// Where a quoted cell ends.
pub(super) struct Close {
    /// The place of the closing quote; the end of the bytes if there is none.
    pub(super) at: usize,
    /// Bytes inside that do not belong to the text: one of each pair.
    pub(super) spare: usize,
    /// Whether it closes at all.
    pub(super) closed: bool,
}

/// The end of the cell whose quote is the first byte. At the end of the bytes a quote may be half of
/// a pair; whoever asks finds no end of the cell behind it then.
pub(super) fn find_close(quotes: Quotes, bytes: &[u8]) -> Close {
    let quote = bytes.first().copied().unwrap_or(b'"');
    let (mut at, mut spare) = (1, 0);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let step = match quotes.escape() {
            true => memchr2(quote, b'\\', rest),
            false => memchr(quote, rest),
        };
        let Some(step) = step else {
            return Close {
                at: bytes.len(),
                spare,
                closed: false,
            };
        };
        at += step;
        match (bytes[at], bytes.get(at + 1)) {
            (b'\\', Some(b'\'')) => (at, spare) = (at + 2, spare + 1),
            (b'\\', _) => at += 1,
            (_, Some(next)) if *next == quote => (at, spare) = (at + 2, spare + 1),
            _ => {
                return Close {
                    at,
                    spare,
                    closed: true,
                };
            }
        }
    }
}

/// Whether a cell without quotes holds an escaped apostrophe.
pub(super) fn is_escaped(quotes: Quotes, cell: &[u8]) -> bool {
    quotes.escape() && memmem::find(cell, b"\\'").is_some()
}

/// Writes out the text of a cell. The quote is the byte around it; none: it has no quotes.
pub(super) fn write_out(quotes: Quotes, quote: Option<char>, written: &str, out: &mut String) {
    let mut rest = written.chars().peekable();
    while let Some(c) = rest.next() {
        let doubled = Some(c) == quote;
        let escaped = quotes.escape() && c == '\\' && rest.peek() == Some(&'\'');
        out.push(match escaped {
            true => '\'',
            false => c,
        });
        if doubled || escaped {
            rest.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_closes_behind_pairs_and_escapes() {
        for (quotes, bytes, at, spare, closed) in [
            (Quotes::Double, r#""ab","#, 3, 0, true),
            (Quotes::Double, r#""a""b","#, 5, 1, true),
            (Quotes::Double, r#""a\","#, 3, 0, true),
            (Quotes::Double, r#""ab"#, 3, 0, false),
            (Quotes::Single, "'a''b',", 5, 1, true),
            (Quotes::Single, r"'a\'b',", 5, 1, true),
            (Quotes::Single, r"'a\\',", 6, 1, false),
            (Quotes::Single, r"'a\'", 4, 1, false),
            (Quotes::Either, r#""it\'s","#, 6, 1, true),
            (Quotes::Either, r#"'say "x"',"#, 8, 0, true),
        ] {
            let close = find_close(quotes, bytes.as_bytes());
            let found = (close.at, close.spare, close.closed);
            assert_eq!(found, (at, spare, closed), "{bytes}");
        }
    }

    #[test]
    fn a_text_is_written_out_once() {
        for (quotes, quote, written, expected) in [
            (Quotes::Double, Some('"'), r#"a""b"#, r#"a"b"#),
            (Quotes::Double, Some('"'), r"a\'b", r"a\'b"),
            (Quotes::Single, Some('\''), r"a''b\'c", "a'b'c"),
            (Quotes::Either, Some('"'), r#"it\'s ""x"""#, r#"it's "x""#),
            (Quotes::Either, None, r#"d\'Arc "x""#, r#"d'Arc "x""#),
            (Quotes::Either, None, r"C:\new\\", r"C:\new\\"),
        ] {
            let mut out = String::new();
            write_out(quotes, quote, written, &mut out);
            assert_eq!(out, expected, "{written}");
        }
    }
}

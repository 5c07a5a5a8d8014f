//! How a payload is read: its encoding, format and delimiter, from the definition, else from its
//! first bytes. The same bytes give the same answer, whoever reads them again.

use std::io::{self, Chain, Cursor, Read};

use encoding_rs::Encoding;
use longshore_core::definition::{self, Definition};

use crate::delimiter;
use crate::rows::{Decoded, Error, Format};

/// How much is looked at to tell formats and delimiters apart.
pub(crate) const SAMPLE_BYTES: u64 = 64 << 10;
/// The longest byte order mark.
const MARK_BYTES: u64 = 3;

/// What was decided, and what the client should know about it.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The format, with its delimiter.
    pub format: Format,
    /// What was taken for granted.
    pub notes: Vec<String>,
}

/// A source whose first bytes were looked at and are read again.
type Again<R> = Chain<Cursor<Vec<u8>>, R>;

/// A payload as UTF-8.
pub type Text<R> = Again<Source<R>>;

/// A payload as it came, or on its way to UTF-8.
pub enum Source<R> {
    /// UTF-8 already.
    Plain(Again<R>),
    /// Decoded while it is read.
    Decoded(Box<Decoded<Again<R>>>),
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Plain(source) => source.read(buffer),
            Source::Decoded(source) => source.read(buffer),
        }
    }
}

/// Decides how a payload is read, and gives it back from its beginning.
pub fn open<R: Read>(definition: &Definition, source: R) -> Result<(Reading, Text<R>), Error> {
    let mut notes = Vec::new();
    let mut source = decode(definition, source, &mut notes)?;
    let mut sample = Vec::new();
    let decides = definition.format.is_none() || definition.delimiter.is_none();
    if decides {
        source
            .by_ref()
            .take(SAMPLE_BYTES)
            .read_to_end(&mut sample)?;
    }
    let format = format(definition, &sample, &mut notes);
    let reading = Reading { format, notes };
    Ok((reading, Cursor::new(sample).chain(source)))
}

fn decode<R: Read>(
    definition: &Definition,
    mut source: R,
    notes: &mut Vec<String>,
) -> Result<Source<R>, Error> {
    let mut mark = Vec::new();
    source.by_ref().take(MARK_BYTES).read_to_end(&mut mark)?;
    let encoding = match definition.encoding.as_deref() {
        Some(label) => named(label, &mark),
        None => marked(&mark).inspect(|encoding| {
            notes.push(format!(
                "The payload is {}, as its byte order mark says.",
                encoding.name()
            ));
        }),
    };
    let again = Cursor::new(mark).chain(source);
    Ok(match encoding {
        Some(encoding) => Source::Decoded(Box::new(Decoded::new(encoding, again))),
        None => Source::Plain(again),
    })
}

/// The encoding of a byte order mark other than that of UTF-8.
fn marked(mark: &[u8]) -> Option<&'static Encoding> {
    let (encoding, _) = Encoding::for_bom(mark)?;
    (encoding != encoding_rs::UTF_8).then_some(encoding)
}

/// The encoding of a label; none: UTF-8. UTF-16 without its order is told by its mark, else little
/// endian, as the Encoding Standard of the WHATWG says; from there come the labels too.
fn named(label: &str, mark: &[u8]) -> Option<&'static Encoding> {
    let encoding = match label.to_ascii_lowercase().as_str() {
        "utf-16" => marked(mark).unwrap_or(encoding_rs::UTF_16LE),
        label => Encoding::for_label(label.as_bytes())?,
    };
    (encoding != encoding_rs::UTF_8).then_some(encoding)
}

/// The format that the definition names; else the first byte that is no white space decides: `[`
/// begins a JSON array, `{` NDJSON, anything else is CSV.
fn format(definition: &Definition, sample: &[u8], notes: &mut Vec<String>) -> Format {
    let text = sample.strip_prefix(b"\xef\xbb\xbf").unwrap_or(sample);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    let format = match (definition.format, first) {
        (Some(definition::Format::Json), _) | (None, Some(b'[')) => Format::Json,
        (Some(definition::Format::Ndjson), _) | (None, Some(b'{')) => Format::Ndjson,
        _ => Format::Csv {
            delimiter: delimiter(definition, text, notes),
            quotes: definition.quotes,
        },
    };
    if definition.format.is_none() {
        notes.push(format!(
            "format was not given; the payload was read as {}",
            word(format)
        ));
    }
    format
}

fn delimiter(definition: &Definition, sample: &[u8], notes: &mut Vec<String>) -> u8 {
    let declared = definition.delimiter.and_then(|c| u8::try_from(c).ok());
    if let Some(declared) = declared {
        return declared;
    }
    let is_cut = sample.len() as u64 + MARK_BYTES >= SAMPLE_BYTES;
    let named = definition.mapping.keys().map(String::as_str);
    let keys = definition.key_fields.iter().map(String::as_str);
    let expected: Vec<&str> = named.chain(keys).collect();
    let found = delimiter::detect((sample, is_cut), definition.quotes, &expected);
    if let Some(found) = found.filter(|found| found.delimiter != b',') {
        notes.push(format!(
            "The delimiter was detected as {} ({} columns in {} of {} rows looked at). Give \
             delimiter to be sure.",
            delimiter::shown(found.delimiter),
            found.columns,
            found.agreeing,
            found.rows
        ));
        return found.delimiter;
    }
    b','
}

fn word(format: Format) -> &'static str {
    match format {
        Format::Csv { .. } => "csv",
        Format::Json => "json",
        Format::Ndjson => "ndjson",
    }
}

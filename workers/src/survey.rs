//! Looks at a whole payload before the first row is applied: finds structural damage, counts the
//! rows and collects the columns. A payload that is damaged anywhere applies nothing.

use std::io::{Chain, Cursor, Read};

use longshore_core::code::Code;
use longshore_core::definition::{self, Definition};
use longshore_core::limits::ROWS_MAX;
use longshore_core::store::imports::Survey;

use crate::rows::{Damage, Error, Format, Reader, Row, Step};

/// What was found, how the payload is read, and what was taken for granted.
#[derive(Debug, Clone)]
pub struct Surveyed {
    /// Rows and columns.
    pub survey: Survey,
    /// What the client should know.
    pub warnings: Vec<String>,
}

/// Surveys a payload, on a thread that may block.
pub fn survey(definition: &Definition, source: impl Read) -> Result<Surveyed, Error> {
    let mut warnings = Vec::new();
    let (format, source) = format_of(definition, source)?;
    if definition.format.is_none() {
        warnings.push(format!(
            "format was not given; the payload was read as {}",
            word(format)
        ));
    }
    let mut reader = Reader::open(format, source)?;
    let mut row = Row::new();
    let mut rows: u64 = 0;
    while reader.next(&mut row)? != Step::End {
        rows += 1;
        if rows > ROWS_MAX {
            let message = format!("The payload has more than {ROWS_MAX} rows; split it.");
            return Err(damage(Code::TooManyRows, message));
        }
    }
    if rows == 0 {
        return Err(damage(
            Code::NoRows,
            "The payload has no rows: there is nothing to do.".to_owned(),
        ));
    }
    let survey = Survey {
        rows: i64::try_from(rows).unwrap_or(i64::MAX),
        columns: reader.columns().to_vec(),
    };
    Ok(Surveyed { survey, warnings })
}

fn damage(code: Code, message: String) -> Error {
    Damage {
        code,
        line: None,
        column: None,
        message,
    }
    .into()
}

fn word(format: Format) -> &'static str {
    match format {
        Format::Csv { .. } => "csv",
        Format::Json => "json",
        Format::Ndjson => "ndjson",
    }
}

/// How much is looked at to tell formats apart.
const SAMPLE_BYTES: u64 = 4096;

/// A source whose first bytes were looked at and are read again.
pub type WithSample<R> = Chain<Cursor<Vec<u8>>, R>;

/// The format that the definition names; else the first byte that is no white space decides: `[`
/// begins a JSON array, `{` NDJSON, anything else is CSV. The same bytes give the same answer.
pub fn format_of<R: Read>(
    definition: &Definition,
    mut source: R,
) -> Result<(Format, WithSample<R>), Error> {
    let mut sample = Vec::new();
    if definition.format.is_none() {
        source
            .by_ref()
            .take(SAMPLE_BYTES)
            .read_to_end(&mut sample)?;
    }
    let text = sample.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&sample);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    let delimiter = definition
        .delimiter
        .and_then(|c| u8::try_from(c).ok())
        .unwrap_or(b',');
    let format = match (definition.format, first) {
        (Some(definition::Format::Json), _) | (None, Some(b'[')) => Format::Json,
        (Some(definition::Format::Ndjson), _) | (None, Some(b'{')) => Format::Ndjson,
        _ => Format::Csv { delimiter },
    };
    Ok((format, Cursor::new(sample).chain(source)))
}

//! Looks at a whole payload before the first row is applied: finds structural damage, counts the
//! rows and collects the columns. A payload that is damaged anywhere applies nothing.

use std::io::Read;

use longshore_core::code::Code;
use longshore_core::definition::Definition;
use longshore_core::limits::ROWS_MAX;
use longshore_core::store::imports::Survey;

use crate::reading;
use crate::rows::{Damage, Error, Reader, Row, Step};

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
    let (reading, source) = reading::open(definition, source)?;
    let mut reader = Reader::open(reading.format, source)?;
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
    Ok(Surveyed {
        survey,
        warnings: reading.notes,
    })
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

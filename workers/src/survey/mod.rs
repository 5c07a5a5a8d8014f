//! Looks at a whole payload before the first row is applied: finds structural damage, counts the
//! rows, collects the columns, and gathers what all rows together say about encoding and dates. A
//! payload that is damaged anywhere applies nothing.

mod along;

use std::io::{self, Read};

use longshore_core::cell::Cell;
use longshore_core::code::Code;
use longshore_core::database::Database;
use longshore_core::definition::Definition;
use longshore_core::import::Failure;
use longshore_core::limits::{ROWS_MAX, UNDECODABLE_JUDGED_ROWS, UNDECODABLE_PERCENT_MAX};
use longshore_core::plan;
use longshore_core::reading::{Dates, Evidence as DateEvidence, Found};
use longshore_core::store::imports::{Import, Survey};
use longshore_core::store::schemas::Schemas;
use sqlx::PgConnection;

pub use self::along::Along;
use crate::encoding::{Evidence, Watched};
use crate::reading;
use crate::rows::{Damage, Error, Reader, Row, Step};

/// What was found, how the payload is read, and what was taken for granted.
#[derive(Debug, Clone)]
pub struct Surveyed {
    /// Rows and columns.
    pub survey: Survey,
    /// What the client should know.
    pub warnings: Vec<String>,
    /// What the cells of each column say about the order of dates, where that is asked.
    pub dates: Vec<DateEvidence>,
}

impl Surveyed {
    /// The survey and the warnings to keep, once the columns are held against the database: it is for
    /// all rows together to say how dates are written.
    pub fn settle(self, definition: &Definition, database: &Database) -> Result<Settled, Failure> {
        let Surveyed {
            mut survey,
            mut warnings,
            dates,
        } = self;
        // Columns that do not fit are told by whoever binds them.
        if let Ok(plan) = plan::bind(definition, database, &survey.columns) {
            warnings.extend(plan.unknown_columns_in_words());
            let (orders, notes) = plan.judge_dates(&dates)?;
            survey.found.dates = orders;
            warnings.extend(notes);
        }
        Ok((survey, warnings))
    }

    /// What is kept of a survey that is made before its import is taken up. None where the database has a
    /// say in it: that is asked once a worker has the import, since it may have other fields by then.
    #[must_use]
    pub fn settle_early(self, definition: &Definition, database: &Database) -> Option<Settled> {
        let plan = plan::bind(definition, database, &self.survey.columns).ok()?;
        let is_open = definition.dates == Dates::Detect || !plan.unknown_columns.is_empty();
        (!is_open).then_some((self.survey, self.warnings))
    }

    /// The same, against the database as it is now. Nothing may fail for want of it.
    pub async fn settle_on_the_way(
        self,
        connection: &mut PgConnection,
        schemas: &Schemas,
        import: &Import,
    ) -> Option<Settled> {
        let database = schemas
            .by_number(connection, import.database_id)
            .await
            .ok()?;
        self.settle_early(&import.definition, &database)
    }
}

/// A survey and the warnings to keep beside it.
pub type Settled = (Survey, Vec<String>);

/// A survey, or what must be known before one can be made.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The payload was read to its end.
    Surveyed(Surveyed),
    /// It is in this encoding: read it again so.
    Encoded(&'static str),
}

/// Surveys a payload, on a thread that may block.
pub fn survey(definition: &Definition, source: impl Read) -> Result<Outcome, Error> {
    let mut evidence = Evidence::new();
    let mut source = Watched {
        source,
        evidence: &mut evidence,
    };
    let counted = match count(definition, &mut source) {
        // The rest is still to be looked at: not only the header says what the encoding is.
        Err(error) if is_undecodable(&error) => {
            io::copy(&mut source, &mut io::sink())?;
            Err(error)
        }
        counted => Ok(counted?),
    };
    let verdict = evidence.verdict().filter(|_| definition.encoding.is_none());
    let counted = match (counted, verdict) {
        (Err(_), Some(encoding)) => return Ok(Outcome::Encoded(encoding)),
        (Err(error), None) => return Err(error),
        (Ok(counted), _) => counted,
    };
    if counted.undecodable * 100 > counted.rows * UNDECODABLE_PERCENT_MAX {
        if let Some(encoding) = verdict {
            return Ok(Outcome::Encoded(encoding));
        }
        if counted.rows >= UNDECODABLE_JUDGED_ROWS {
            return Err(suspect(definition, &counted, &evidence));
        }
    }
    let mut warnings = counted.notes;
    if let (Some(encoding), true) = (verdict, counted.undecodable > 0) {
        warnings.push(format!(
            "{} rows are rejected for bytes that are not UTF-8. The bytes look like {encoding}: give \
             encoding to have them read so.",
            counted.undecodable
        ));
    }
    if counted.rows == 0 {
        let message = "The payload has no rows: there is nothing to do.";
        return Err(damage(Code::NoRows, message.to_owned()));
    }
    Ok(Outcome::Surveyed(Surveyed {
        survey: Survey {
            rows: i64::try_from(counted.rows).unwrap_or(i64::MAX),
            columns: counted.columns,
            found: Found::default(),
        },
        warnings,
        dates: counted.dates,
    }))
}

/// What reading all rows brought.
struct Counted {
    rows: u64,
    /// Rows with bytes that the encoding does not have.
    undecodable: u64,
    columns: Vec<String>,
    notes: Vec<String>,
    dates: Vec<DateEvidence>,
}

fn count(definition: &Definition, source: impl Read) -> Result<Counted, Error> {
    let (reading, source) = reading::open(definition, source)?;
    let mut reader = Reader::open(reading.format, source)?;
    let mut row = Row::new();
    let mut counted = Counted {
        rows: 0,
        undecodable: 0,
        columns: Vec::new(),
        notes: reading.notes,
        dates: Vec::new(),
    };
    loop {
        match reader.next(&mut row)? {
            Step::Row if definition.dates == Dates::Detect => {
                add_dates(&row, reader.columns().len(), &mut counted.dates);
            }
            Step::Row => {}
            Step::Fault(fault) => {
                counted.undecodable += u64::from(fault.code == Code::InvalidUtf8);
            }
            Step::End => break,
        }
        counted.rows += 1;
        if counted.rows > ROWS_MAX {
            let message = format!("The payload has more than {ROWS_MAX} rows; split it.");
            return Err(damage(Code::TooManyRows, message));
        }
    }
    counted.columns = reader.columns().to_vec();
    Ok(counted)
}

fn add_dates(row: &Row, columns: usize, dates: &mut Vec<DateEvidence>) {
    dates.resize(columns, DateEvidence::default());
    for (column, evidence) in dates.iter_mut().enumerate() {
        if let Cell::Text(text) = row.cell(column) {
            evidence.add(row.line, text);
        }
    }
}

/// Whether the header itself is in another encoding.
fn is_undecodable(error: &Error) -> bool {
    matches!(error, Error::Damage(damage) if damage.code == Code::EncodingUnsupported)
}

fn suspect(definition: &Definition, counted: &Counted, evidence: &Evidence) -> Error {
    let encoding = definition.encoding.as_deref().unwrap_or("UTF-8");
    let looks = match evidence.guess() {
        Some(guess) if definition.encoding.is_none() => {
            format!(" They look like {}.", guess.name())
        }
        _ => String::new(),
    };
    let message = format!(
        "{} of {} rows hold bytes that are not {encoding}.{looks} Declare the encoding that the \
         payload really has, or save it as UTF-8.",
        counted.undecodable, counted.rows
    );
    damage(Code::EncodingSuspect, message)
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

//! The rejects of an import, as a file to open, mend and submit again: the original columns from
//! the snapshot, with line, column, code and message. Streamed, whatever their number.

use std::io::Read;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use longshore_core::cell::Cell;
use longshore_core::code::Code;
use longshore_core::definition::Definition;
use longshore_core::error::Error;
use longshore_core::store::rejects::{self, RejectRow};
use longshore_core::store::{imports, status};
use longshore_workers::reading;
use longshore_workers::rows::{Reader, Row, Step};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::PgPool;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::App;
use super::caller::Reader as ReadingCaller;
use super::imports::number;
use super::listing::Query;
use super::place::Path;
use super::problem::{Problem, problem};

/// Rejects read from the ledger at a time.
const PAGE: i64 = 1000;
/// Bytes gathered before they are sent.
const PART_BYTES: usize = 64 << 10;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Csv,
    Ndjson,
}

pub(crate) async fn download(
    State(app): State<App>,
    ReadingCaller(caller): ReadingCaller,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    Query::of(&uri, &[])?;
    let id = number(&id)?;
    let shape = shape(&headers)?;
    let mut connection = app.pool.acquire().await?;
    status::find(&mut connection, caller.account_id, id).await?;
    let import = imports::find(&mut connection, id).await?;
    drop(connection);
    let source = match &import.snapshot {
        Some(snapshot) => app.payloads.read(&snapshot.rest).await.ok(),
        None => None,
    };
    let survey = import.survey.as_ref();
    let definition = match survey {
        Some(survey) => import.definition.with(&survey.found),
        None => import.definition.clone(),
    };
    let columns = survey.map_or(Vec::new(), |survey| survey.columns.clone());
    let (sender, receiver) = mpsc::channel(4);
    let handle = Handle::current();
    let pool = app.pool.clone();
    let writer = Writer {
        pool,
        handle,
        import: id,
        shape,
        part: Vec::new(),
        sender,
    };
    tokio::task::spawn_blocking(move || {
        let rows = source.and_then(|source| open(&definition, source));
        writer.write(Original { columns, rows });
    });
    Ok(response(
        id,
        shape,
        Body::from_stream(ReceiverStream::new(receiver)),
    ))
}

fn shape(headers: &HeaderMap) -> Result<Shape, Problem> {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("*/*");
    for part in accept.split(',') {
        match part.split(';').next().unwrap_or_default().trim() {
            "text/csv" | "text/*" | "*/*" => return Ok(Shape::Csv),
            "application/x-ndjson" | "application/json" => return Ok(Shape::Ndjson),
            _ => {}
        }
    }
    Err(problem(
        Code::NotAcceptable,
        "Accept text/csv or application/x-ndjson.",
    ))
}

fn response(id: i64, shape: Shape, body: Body) -> Response {
    let (media, ending) = match shape {
        Shape::Csv => ("text/csv; charset=utf-8", "csv"),
        Shape::Ndjson => ("application/x-ndjson", "ndjson"),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let name = format!("attachment; filename=\"imp_{id}-rejects.{ending}\"");
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

type PayloadReader = Reader<Box<dyn Read + Send>>;

fn open(definition: &Definition, source: Box<dyn Read + Send>) -> Option<PayloadReader> {
    let (reading, source) = reading::open(definition, source).ok()?;
    Reader::open(reading.format, Box::new(source) as Box<dyn Read + Send>).ok()
}

/// The rows as they stand in the snapshot, as far as it is still kept.
struct Original {
    columns: Vec<String>,
    rows: Option<PayloadReader>,
}

impl Original {
    /// The row of this number; none if it cannot be read.
    fn row(&mut self, number: i64) -> Option<Row> {
        let reader = self.rows.as_mut()?;
        reader.skip_to(u64::try_from(number).ok()?).ok()?;
        let mut row = Row::new();
        match reader.next(&mut row) {
            Ok(Step::Row) => Some(row),
            Ok(_) => None,
            Err(_) => {
                self.rows = None;
                None
            }
        }
    }
}

/// Reads the payload, so it runs on a thread that may block; only look-ups in the ledger are async.
struct Writer {
    pool: PgPool,
    handle: Handle,
    import: i64,
    shape: Shape,
    part: Vec<u8>,
    sender: mpsc::Sender<Result<Bytes, std::io::Error>>,
}

impl Writer {
    fn write(mut self, mut original: Original) {
        if let Err(error) = self.write_all(&mut original) {
            tracing::warn!(import = self.import, error = %error, "rejects could not be sent whole");
            // An error in the stream cuts the answer: a client never takes a part for the whole.
            let _ = self.sender.blocking_send(Err(std::io::Error::other("cut")));
        }
    }

    fn write_all(&mut self, original: &mut Original) -> Result<(), Error> {
        if self.shape == Shape::Csv {
            let mut header = original.columns.clone();
            for name in ["line", "column", "code", "message"] {
                let taken = original.columns.iter().any(|column| column == name);
                header.push(if taken {
                    format!("reject_{name}")
                } else {
                    name.to_owned()
                });
            }
            self.csv_line(&header);
        }
        let mut after = 0;
        loop {
            let page = self.handle.block_on(self.page(after))?;
            let Some(last) = page.last() else { break };
            after = last.row_number;
            for reject in &page {
                self.reject(reject, original);
                if self.part.len() >= PART_BYTES && !self.send() {
                    return Ok(());
                }
            }
        }
        self.send();
        Ok(())
    }

    async fn page(&self, after: i64) -> Result<Vec<RejectRow>, Error> {
        let mut connection = self.pool.acquire().await?;
        rejects::page(&mut connection, self.import, after, PAGE).await
    }

    fn reject(&mut self, reject: &RejectRow, original: &mut Original) {
        let row = original.row(reject.row_number);
        let message = message(reject);
        match self.shape {
            Shape::Csv => {
                let cell = |place: usize| row.as_ref().map(|row| text(row.cell(place)));
                let mut cells: Vec<String> = (0..original.columns.len())
                    .map(|place| cell(place).unwrap_or_default())
                    .collect();
                cells.push(reject.line.to_string());
                cells.push(reject.column_name.clone().unwrap_or_default());
                cells.push(reject.code.clone());
                cells.push(message);
                self.csv_line(&cells);
            }
            Shape::Ndjson => {
                let values = row.as_ref().and_then(|row| values(row, &original.columns));
                let line = Line {
                    reject,
                    message,
                    values,
                };
                // Nothing in a line can fail to be written.
                let _ = serde_json::to_writer(&mut self.part, &line);
                self.part.push(b'\n');
            }
        }
    }

    fn csv_line(&mut self, cells: &[String]) {
        for (place, cell) in cells.iter().enumerate() {
            if place > 0 {
                self.part.push(b',');
            }
            self.part.push(b'"');
            // A spreadsheet runs what begins like a formula (OWASP, "CSV Injection").
            if cell.starts_with([
                '=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠',
            ]) {
                self.part.push(b'\'');
            }
            self.part
                .extend_from_slice(cell.replace('"', "\"\"").as_bytes());
            self.part.push(b'"');
        }
        self.part.extend_from_slice(b"\r\n");
    }

    /// False: nobody listens any more.
    fn send(&mut self) -> bool {
        let part = Bytes::from(std::mem::take(&mut self.part));
        part.is_empty() || self.sender.blocking_send(Ok(part)).is_ok()
    }
}

/// A reject as a line of NDJSON.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    reject: &'a RejectRow,
    message: String,
    values: Option<Box<RawValue>>,
}

/// The reason in a sentence, with the value where there is one.
fn message(reject: &RejectRow) -> String {
    match &reject.value {
        Some(value) => format!("{value:?}: expected {}", reject.expected),
        None => format!("expected {}", reject.expected),
    }
}

fn text(cell: Cell<'_>) -> String {
    match cell {
        Cell::Absent | Cell::Null => String::new(),
        Cell::Boolean(flag) => flag.to_string(),
        Cell::Text(text) | Cell::Number(text) | Cell::List(text) | Cell::Object(text) => {
            text.to_owned()
        }
    }
}

/// The row as it stood, value by value: byte-exact, for those who resubmit by program. Numbers and
/// nested values are copied as they are written, since reading them could lose digits.
fn values(row: &Row, columns: &[String]) -> Option<Box<RawValue>> {
    let mut object = String::from("{");
    for (place, name) in columns.iter().enumerate() {
        let value = match row.cell(place) {
            Cell::Absent => continue,
            Cell::Null => "null".to_owned(),
            Cell::Boolean(flag) => flag.to_string(),
            Cell::Text(text) => Value::from(text).to_string(),
            Cell::Number(text) | Cell::List(text) | Cell::Object(text) => text.to_owned(),
        };
        let separator = if object.len() > 1 { "," } else { "" };
        object.push_str(&format!(
            "{separator}{}:{value}",
            Value::from(name.as_str())
        ));
    }
    object.push('}');
    RawValue::from_string(object).ok()
}

//! The pure parts of an import, each against a bare parser that does less: `make bench-parts`.
//! What is measured is one core and no I/O; what an import takes is measured by `make bench`.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot go on should stop where it stands"
)]

mod people;

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use longshore_core::plan::Plan;
use longshore_core::reading::Quotes;
use longshore_workers::parts::Typed;
use longshore_workers::rows::{Format, Reader, Row, Step};
use serde::de::IgnoredAny;

use people::ROWS;

/// A payload, and the parser of another crate that it is measured against.
struct Payload {
    name: &'static str,
    format: Format,
    text: String,
    bare: fn(&str) -> u64,
}

fn main() {
    let mut criterion = Criterion::default().sample_size(50).configure_from_args();
    let payloads = payloads();
    for payload in &payloads {
        measure(&mut criterion, payload);
    }
    copying(&mut criterion, &payloads[0]);
    criterion.final_summary();
}

fn payloads() -> [Payload; 3] {
    let comma = Format::Csv {
        delimiter: b',',
        quotes: Quotes::Double,
    };
    let payload = |name, format, text, bare| Payload {
        name,
        format,
        text,
        bare,
    };
    [
        payload("csv", comma, people::csv(), bare_csv),
        payload("json", Format::Json, people::json(), bare_json),
        payload("ndjson", Format::Ndjson, people::ndjson(), bare_ndjson),
    ]
}

/// Bare parser, reader, and reader with typing.
fn measure(criterion: &mut Criterion, payload: &Payload) {
    let plan = people::plan();
    let text = payload.text.as_str();
    assert_eq!((payload.bare)(text), ROWS);
    assert_eq!(read(payload), ROWS);
    assert_eq!(typed(payload, &plan).rows() as u64, ROWS);
    let mut group = criterion.benchmark_group(payload.name);
    group.throughput(rows_of(text.len()));
    group.bench_function("bare parser", |bencher| {
        bencher.iter(|| (payload.bare)(black_box(text)));
    });
    group.bench_function("reader", |bencher| bencher.iter(|| read(payload)));
    group.bench_function("reader and typing", |bencher| {
        bencher.iter(|| typed(payload, &plan));
    });
    group.finish();
}

/// A chunk as COPY takes it, against as many bytes that are only copied.
fn copying(criterion: &mut Criterion, payload: &Payload) {
    let plan = people::plan();
    let chunk = typed(payload, &plan);
    let cells = chunk.cells(&plan);
    let copied = longshore_workers::parts::copy(&plan, &cells);
    let mut group = criterion.benchmark_group("copy");
    group.throughput(rows_of(copied.len()));
    group.bench_function("bare bytes", |bencher| {
        bencher.iter(|| black_box(&copied).clone());
    });
    group.bench_function("binary encoding", |bencher| {
        bencher.iter(|| longshore_workers::parts::copy(&plan, &cells));
    });
    group.finish();
}

fn rows_of(bytes: usize) -> Throughput {
    Throughput::ElementsAndBytes {
        elements: ROWS,
        bytes: bytes as u64,
    }
}

fn read(payload: &Payload) -> u64 {
    let bytes = black_box(payload.text.as_bytes());
    let mut reader = Reader::open(payload.format, bytes).unwrap();
    let mut row = Row::new();
    let mut rows = 0;
    while reader.next(&mut row).unwrap() == Step::Row {
        rows += 1;
    }
    rows
}

fn typed(payload: &Payload, plan: &Plan) -> Typed {
    let bytes = black_box(payload.text.as_bytes());
    let mut reader = Reader::open(payload.format, bytes).unwrap();
    Typed::read(&mut reader, plan).unwrap()
}

/// Records of the `csv` crate, used again.
fn bare_csv(text: &str) -> u64 {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    let mut rows = 0;
    while reader.read_record(&mut record).unwrap() {
        rows += 1;
    }
    rows
}

/// `serde_json` over the array at once, from memory, keeping nothing but a count.
fn bare_json(text: &str) -> u64 {
    let rows: Vec<IgnoredAny> = serde_json::from_slice(text.as_bytes()).unwrap();
    rows.len() as u64
}

/// `serde_json` over one object after the other, keeping nothing.
fn bare_ndjson(text: &str) -> u64 {
    let rows = serde_json::Deserializer::from_slice(text.as_bytes()).into_iter::<IgnoredAny>();
    rows.map(Result::unwrap).count() as u64
}

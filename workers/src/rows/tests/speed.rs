//! How fast the readers are, measured on demand in a release build:
//! `cargo test --release -p longshore-workers rows::tests::speed -- --ignored --nocapture`.

use std::time::Instant;

use super::*;

const ROWS: u64 = 1_000_000;

fn time(format: Format, payload: &str) {
    let start = Instant::now();
    let mut reader = Reader::open(format, payload.as_bytes()).unwrap();
    let mut row = Row::new();
    while reader.next(&mut row).unwrap() == Step::Row {}
    assert_eq!(row.number, ROWS + 1);
    let took = start.elapsed();
    let megabytes = payload.len() as f64 / 1e6;
    println!("{format:?}: {ROWS} rows, {megabytes:.0} MB in {took:?}");
}

#[test]
#[ignore = "a measurement, for release builds"]
fn a_million_rows_are_read_quickly() {
    let mut csv = String::from("email,first,last,city,age,score,active,born,phone,note\n");
    let mut lines = String::new();
    for row in 0..ROWS {
        let active = row % 2 == 0;
        csv += &format!(
            "person{row}@example.com,Ada,Lovelace,London,{},{row}.5,{active},1990-01-02,+31{row},\
             \"likes, among others, {row}\"\n",
            row % 90
        );
        lines += &format!(
            "{{\"email\":\"person{row}@example.com\",\"first\":\"Ada\",\"last\":\"Lovelace\",\
             \"city\":\"London\",\"age\":{},\"score\":{row}.5,\"active\":{active},\
             \"born\":\"1990-01-02\",\"phone\":\"+31{row}\",\"note\":\"likes, among others, {row}\"}}\n",
            row % 90
        );
    }
    time(CSV, &csv);
    time(Format::Ndjson, &lines);
    time(
        Format::Json,
        &format!("[{}]", lines.trim_end().replace('\n', ",\n")),
    );
}

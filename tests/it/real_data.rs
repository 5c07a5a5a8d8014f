//! A real open data set (its source and licence are in `tests/data/README.md`), every way in, twice:
//! the second time nothing changes and Postgres writes no row version.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{TestApp, answer};

const ROWS: i64 = 7884;

fn csv() -> Vec<u8> {
    std::fs::read("tests/data/airports.csv").unwrap()
}

/// The same rows as JSON objects; empty cells are null, numbers are numbers.
fn objects() -> Vec<Value> {
    let text = csv();
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let header = reader.headers().unwrap().clone();
    let object = |record: csv::StringRecord| {
        let members = header.iter().zip(record.iter()).map(|(name, cell)| {
            let number = matches!(name, "elevation" | "lat" | "lon");
            let value = match cell {
                "" => Value::Null,
                cell if number => serde_json::from_str(cell).unwrap(),
                cell => Value::from(cell),
            };
            (name.to_owned(), value)
        });
        Value::Object(members.collect())
    };
    reader
        .records()
        .map(|record| object(record.unwrap()))
        .collect()
}

async fn app() -> TestApp {
    let app = TestApp::start().await;
    let text = std::fs::read_to_string("tests/data/airports.database.json").unwrap();
    app.database(serde_json::from_str(&text).unwrap()).await;
    app
}

fn definition() -> Value {
    json!({"database": "airports", "action": "update_or_add", "key_fields": ["icao"]})
}

/// Row versions that Postgres counts as inserted, updated and deleted in the typed table. Backends
/// hand in their counts when they end at the latest, so the worker's are ended first.
async fn counted(pool: &PgPool) -> (i64, i64, i64) {
    let workers = "select count(pg_terminate_backend(pid)) from pg_stat_activity
         where application_name like 'longshore-work%' and datname = current_database()";
    let deadline = Instant::now() + Duration::from_secs(20);
    while sqlx::query_scalar::<_, i64>(workers)
        .fetch_one(pool)
        .await
        .unwrap()
        > 0
    {
        assert!(Instant::now() < deadline, "backends do not end");
    }
    let counts = "select n_tup_ins, n_tup_upd, n_tup_del from pg_stat_user_tables
         where schemaname = 'data' and relname = 't1'";
    sqlx::query_as(counts).fetch_one(pool).await.unwrap()
}

/// Where every row version is, and which transaction wrote it.
async fn versions(pool: &PgPool) -> String {
    let all =
        "select md5(string_agg(ctid::text || ':' || xmin::text, ',' order by id)) from data.t1";
    sqlx::query_scalar(all).fetch_one(pool).await.unwrap()
}

/// All is there the first time; the second time all is unchanged and nothing was written.
async fn twice(app: &TestApp, run: impl AsyncFn(&TestApp) -> Value) {
    let first = run(app).await;
    assert_eq!(first["state"], "completed", "{first}");
    assert_eq!(first["totals"]["created"], ROWS, "{first}");
    assert_eq!(app.profiles("airports").await.len() as i64, ROWS);
    let before = versions(&app.pool).await;
    let second = run(app).await;
    assert_eq!(second["state"], "completed", "{second}");
    assert_eq!(second["totals"]["unchanged"], ROWS, "{second}");
    assert_eq!(
        versions(&app.pool).await,
        before,
        "a row version was written"
    );
    assert_eq!(
        counted(&app.pool).await,
        (ROWS, 0, 0),
        "Postgres counted writes"
    );
}

async fn matches_the_source(app: &TestApp) {
    let mut expected: Vec<Value> = objects();
    let mut found: Vec<Value> = app
        .profiles("airports")
        .await
        .into_iter()
        .map(|profile| profile["fields"].clone())
        .collect();
    let key = |row: &Value| row["icao"].as_str().unwrap().to_owned();
    expected.sort_by_key(key);
    found.sort_by_key(key);
    for (found, expected) in found.iter().zip(&expected) {
        for (name, value) in expected.as_object().unwrap() {
            let same = match (value.as_f64(), found[name].as_f64()) {
                (Some(one), Some(other)) => one == other,
                _ => found[name] == *value,
            };
            assert!(same, "{name}: {} is not {value}", found[name]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_csv_by_location_twice_is_all_there_and_then_all_unchanged() {
    let app = app().await;
    let location = app.files.put("/airports.csv", csv());
    twice(&app, async |app| {
        let mut definition = definition();
        definition["location"] = json!(location);
        app.import(definition).await
    })
    .await;
    matches_the_source(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_json_inline_twice_is_all_there_and_then_all_unchanged() {
    let app = app().await;
    twice(&app, async |app| {
        let mut definition = definition();
        definition["source"] = json!(objects());
        app.import(definition).await
    })
    .await;
    matches_the_source(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_ndjson_uploaded_twice_is_all_there_and_then_all_unchanged() {
    let app = app().await;
    let lines: Vec<String> = objects().iter().map(Value::to_string).collect();
    let payload = lines.join("\n");
    twice(&app, async |app| {
        let mut definition = definition();
        definition["format"] = json!("ndjson");
        let id = app.submit(definition).await;
        let upload = app.request("PUT", &format!("/imports/{id}/payload"));
        let upload = upload
            .header("content-type", "application/x-ndjson")
            .body(payload.clone());
        answer(upload).await.expect(202);
        app.work_until_idle().await;
        app.status(&id).await
    })
    .await;
    matches_the_source(&app).await;
}

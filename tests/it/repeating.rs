//! The same import again: everything is unchanged, and not a single row version is written.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::app::{TestApp, told};

/// What a table looks like to Postgres: every row version, and how many were ever written.
async fn versions(app: &TestApp, table: i64) -> (Vec<(i64, String, String)>, (i64, i64, i64)) {
    let rows = format!("select id, xmin::text, ctid::text from data.t{table} order by id");
    let rows = sqlx::query_as(AssertSqlSafe(rows))
        .fetch_all(&app.pool)
        .await
        .unwrap();
    // A backend hands its counts in when it ends, at the latest.
    sqlx::query(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity
         where application_name like 'longshore-work%' and datname = current_database()",
    )
    .execute(&app.pool)
    .await
    .unwrap();
    let written = sqlx::query_as(
        "select n_tup_ins, n_tup_upd, n_tup_del from pg_stat_user_tables
         where schemaname = 'data' and relname = 't' || $1",
    )
    .bind(table)
    .fetch_one(&app.pool)
    .await
    .unwrap();
    (rows, written)
}

async fn tables(app: &TestApp) -> (i64, i64) {
    sqlx::query_as("select d.id, c.id from databases d join collections c on c.database_id = d.id")
        .fetch_one(&app.pool)
        .await
        .unwrap()
}

fn rows() -> Vec<Value> {
    let row = |n: usize| {
        json!({"email": format!("Person{n}@x.example"), "name": format!("Ü {n}"), "age": n, "score": 0.5,
            "member": n.is_multiple_of(2), "born": "1999-12-31", "seen": "2024-01-01T12:00:00+01:00",
            "colours": "blue;red", "nick": if n.is_multiple_of(3) { "" } else { "x" },
            "Orders.no": format!("{n}"), "Orders.sum": "1.50"})
    };
    (0..300).map(row).collect()
}

fn csv(rows: &[Value]) -> String {
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let names: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    let header = names
        .iter()
        .map(|name| name.as_str())
        .collect::<Vec<_>>()
        .join(",");
    let line = |row: &Value| {
        row.as_object()
            .unwrap()
            .values()
            .map(cell)
            .collect::<Vec<_>>()
            .join(",")
    };
    let lines: Vec<String> = rows.iter().map(line).collect();
    format!("{header}\n{}\n", lines.join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_time_everything_is_unchanged_and_nothing_is_written() {
    let app = TestApp::start().await;
    let fields = json!([{"name": "email", "type": "email", "required": true}, {"name": "name", "type": "text"},
        {"name": "age", "type": "integer", "default": 3}, {"name": "score", "type": "number"},
        {"name": "member", "type": "boolean"}, {"name": "born", "type": "date"},
        {"name": "seen", "type": "datetime"}, {"name": "nick", "type": "text"},
        {"name": "colours", "type": "multiselect", "options": ["red", "blue"]}]);
    let orders = json!([{"name": "no", "type": "integer"}, {"name": "sum", "type": "number"}]);
    app.database(json!({"name": "people", "fields": fields,
        "collections": [{"name": "Orders", "fields": orders}]}))
        .await;
    let rows = rows();
    let ndjson: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let base = json!({"database": "people", "action": "update_or_add", "key_fields": ["email", "Orders.no"]});
    let with = |source: Value, format: &str| {
        let mut definition = base.clone();
        definition["source"] = source;
        definition["format"] = json!(format);
        definition
    };
    let first = app.import(with(json!(csv(&rows)), "csv")).await;
    assert_eq!(told(&first), "created 300; profiles +300; subprofiles +300");
    let (profiles, subprofiles) = tables(&app).await;
    let before = (
        versions(&app, profiles).await,
        versions(&app, subprofiles).await,
    );
    assert_eq!(before.0.1, (300, 0, 0));
    for (format, source) in [
        ("csv", json!(csv(&rows))),
        ("ndjson", json!(ndjson)),
        ("json", json!(rows)),
    ] {
        for one_by_one in [false, true] {
            let definition = with(source.clone(), format);
            let status = match one_by_one {
                false => app.import(definition).await,
                true => app.import_row_by_row(definition).await,
            };
            assert_eq!(told(&status), "unchanged 300", "{format}");
            let after = (
                versions(&app, profiles).await,
                versions(&app, subprofiles).await,
            );
            assert!(
                after == before,
                "{format} wrote: {:?}, {:?}",
                after.0.1,
                after.1.1
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_rows_that_differ_are_written_and_say_when() {
    let app = TestApp::start().await;
    let fields = json!([{"name": "key", "type": "text"}, {"name": "value", "type": "text"}]);
    app.database(json!({"name": "people", "fields": fields,
        "collections": [{"name": "Notes", "fields": [{"name": "text", "type": "text"}]}]}))
        .await;
    let table = tables(&app).await.0;
    let import = |source: &str| json!({"database": "people", "action": "update_or_add", "key_fields": ["key"], "source": source});
    app.import(import("key,value\na,1\nb,1\nc,1\n")).await;
    let before = versions(&app, table).await;
    let old = app.profiles("people").await;
    let status = app.import(import("key,value\na,1\nb,2\nc,1\n")).await;
    assert_eq!(told(&status), "updated 1, unchanged 2; profiles ~1");
    let after = versions(&app, table).await;
    let differ: Vec<usize> = (0..3)
        .filter(|place| before.0[*place] != after.0[*place])
        .collect();
    assert_eq!(differ, [1]);
    assert_eq!(after.1, (3, 1, 0));
    let new = app.profiles("people").await;
    let moved = |place: usize| old[place]["updated_at"] != new[place]["updated_at"];
    assert_eq!([moved(0), moved(1), moved(2)], [false, true, false]);
    assert_eq!(old[1]["created_at"], new[1]["created_at"]);
}

//! Rows act in the order of the file: each sees what the one before it did, wherever a chunk ends.

use serde_json::json;

use crate::app::{TestApp, told};

async fn people(app: &TestApp, name: &str) {
    let fields = json!([{"name": "key", "type": "integer"}, {"name": "value", "type": "text"}]);
    app.database(json!({"name": name, "fields": fields})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_sees_what_the_row_before_it_did_within_a_chunk_and_across() {
    let app = TestApp::start().await;
    let rows = "key,value\n1,a\n2,a\n1,b\n1,b\n1,\n1,\n1,c\n2,a\n3,z\n";
    for (name, one_by_one) in [("at-once", false), ("row-by-row", true)] {
        people(&app, name).await;
        let definition = json!({"database": name, "action": "update_or_add",
            "key_fields": ["key"], "source": rows});
        let status = match one_by_one {
            false => app.import(definition).await,
            true => app.import_row_by_row(definition).await,
        };
        let books = "created 3, updated 3, unchanged 3; profiles +3 ~3";
        assert_eq!(told(&status), books, "{name}");
        assert_eq!(app.told_profiles(name).await, "1/c; 2/a; 3/z", "{name}");
        let chunks: i64 = sqlx::query_scalar(
            "select count(*) from chunks where import_id = (select max(id) from imports)",
        )
        .fetch_one(&app.pool)
        .await
        .unwrap();
        assert_eq!(chunks, if one_by_one { 9 } else { 1 }, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_far_apart_find_each_other_across_chunks() {
    let app = TestApp::start().await;
    people(&app, "people").await;
    // The last of four rows of a key leaves it as the third did.
    let row = |row: usize| format!("{},{}\n", row % 4_000, (row / 4_000).min(2));
    let source = format!("key,value\n{}", (0..16_000).map(row).collect::<String>());
    let status = app
        .import(
            json!({"database": "people", "action": "update_or_add", "key_fields": ["key"],
            "location": app.files.put("/many.csv", source)}),
        )
        .await;
    assert_eq!(
        told(&status),
        "created 4000, updated 8000, unchanged 4000; profiles +4000 ~8000"
    );
    let chunks: i64 = sqlx::query_scalar("select count(*) from chunks")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert!(chunks > 1, "{chunks} chunks");
    let profiles = app.profiles("people").await;
    assert_eq!(profiles.len(), 4_000);
    assert!(
        profiles
            .iter()
            .all(|profile| profile["fields"]["value"] == "2")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_numbered_in_the_order_of_rows_where_chunks_side_by_side_are_cut() {
    let app = TestApp::start_side_by_side(3, 2).await;
    people(&app, "people").await;
    // White space is no uid to match by, but one to keep, which only one profile can have: every
    // second row is refused by the database, and its neighbour tried again.
    let rows: String = (0..100).map(|row| format!("{row}, \n{row},\n")).collect();
    let status = app
        .import(
            json!({"database": "people", "action": "update_or_add", "match_by": "uid",
            "on_empty_key": "create", "uid_column": "ref", "source": format!("key,ref\n{rows}")}),
        )
        .await;
    let books = "created 101, rejected 99; profiles +101";
    assert_eq!(told(&status), books);
    let keys: Vec<i64> = app
        .profiles("people")
        .await
        .iter()
        .map(|profile| profile["fields"]["key"].as_i64().unwrap())
        .collect();
    assert!(keys.is_sorted(), "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_numbered_in_the_order_of_rows_where_a_chunk_between_makes_none() {
    let app = TestApp::start_side_by_side(3, 2).await;
    people(&app, "people").await;
    // Three chunks, again and again: new ones, only known ones, new ones.
    let row = |row: i64| match row % 6 {
        2 | 3 => "0,\n".to_owned(),
        _ => format!("{row},\n"),
    };
    let source: String = (0..120).map(row).collect();
    let status = app
        .import(
            json!({"database": "people", "action": "update_or_add", "key_fields": ["key"],
            "source": format!("key,value\n{source}")}),
        )
        .await;
    assert_eq!(told(&status), "created 80, unchanged 40; profiles +80");
    let profiles = app.profiles("people").await;
    let keys = profiles.iter().map(|profile| &profile["fields"]["key"]);
    assert!(keys.map(|key| key.as_i64().unwrap()).is_sorted());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_match_too_much_at_once_are_taken_in_turn() {
    let app = TestApp::start().await;
    people(&app, "people").await;
    let row = |row: usize| format!("{},a\n", row % 2);
    let source = format!("key,value\n{}", (0..100_002).map(row).collect::<String>());
    let location = app.files.put("/many.csv", source);
    app.import(json!({"database": "people", "action": "add", "location": location}))
        .await;
    let rows = "key,value\n0,b\n1,b\n0,b\n2,b\n";
    let status = app
        .import(json!({"database": "people", "action": "update", "key_fields": ["key"], "source": rows}))
        .await;
    assert_eq!(
        told(&status),
        "updated 2, unchanged 1, ignored 1; profiles ~100002"
    );
    let gone = app
        .import(json!({"database": "people", "action": "delete", "key_fields": ["key"], "source": "key\n1\n0\n0\n"}))
        .await;
    assert_eq!(told(&gone), "ignored 1, deleted 2; profiles -100002");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_rows_do_nothing_and_those_around_them_go_on() {
    let app = TestApp::start().await;
    for (name, one_by_one) in [("at-once", false), ("row-by-row", true)] {
        people(&app, name).await;
        let rows = "key,value\n1,a\nx,b\n1,c\n,d\n1,c\n";
        let definition = json!({"database": name, "action": "update_or_add",
            "key_fields": ["key"], "source": rows});
        let status = match one_by_one {
            false => app.import(definition).await,
            true => app.import_row_by_row(definition).await,
        };
        let books = "created 1, updated 1, unchanged 1, rejected 2; profiles +1 ~1";
        assert_eq!(told(&status), books, "{name}");
        let rejects = app.told_rejects(&status).await;
        assert_eq!(
            rejects,
            ["2 key invalid_integer", "4 key key_missing"],
            "{name}"
        );
        assert_eq!(app.told_profiles(name).await, "1/c", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_appear_late_are_applied_from_any_checkpoint() {
    let app = TestApp::start().await;
    for (name, one_by_one) in [("at-once", false), ("row-by-row", true)] {
        let fields = json!([{"name": "a", "type": "text"}, {"name": "b", "type": "text"},
            {"name": "c", "type": "text"}]);
        app.database(json!({"name": name, "fields": fields})).await;
        let rows = "{\"a\":\"1\"}\n{\"c\":\"x\",\"a\":\"2\"}\n{\"b\":\"y\",\"a\":\"1\"}\n{\"a\":\"2\",\"b\":\"z\"}\n";
        let definition = json!({"database": name, "action": "update_or_add", "key_fields": ["a"],
            "format": "ndjson", "source": rows});
        let status = match one_by_one {
            false => app.import(definition).await,
            true => app.import_row_by_row(definition).await,
        };
        assert_eq!(
            told(&status),
            "created 2, updated 2; profiles +2 ~2",
            "{name}"
        );
        assert_eq!(app.told_profiles(name).await, "1/y/-; 2/z/x", "{name}");
    }
}

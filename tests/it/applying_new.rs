//! An import that seems to bring nobody but new profiles is written without looking its keys up. Whoever
//! is there already is found all the same.

use serde_json::json;

use crate::app::{TestApp, told};

async fn people(app: &TestApp, name: &str) {
    let fields = json!([{"name": "email", "type": "email", "unique": true},
                        {"name": "value", "type": "text"}]);
    app.database(json!({"name": name, "fields": fields})).await;
}

/// Some of the profiles' ids were drawn in vain: a chunk was written as new, and was not.
async fn was_tried_as_new(app: &TestApp, profiles: i64) -> bool {
    let drawn: i64 =
        sqlx::query_scalar("select max(last_value) from pg_sequences where schemaname = 'data'")
            .fetch_one(&app.pool)
            .await
            .unwrap();
    drawn % (1 << 32) > profiles
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_stand_in_the_order_of_rows_however_few_are_made_at_once() {
    let app = TestApp::start().await;
    // Up to a hundred get their ids as they are written.
    for count in [1, 2, 100, 101] {
        let name = format!("people-{count}");
        people(&app, &name).await;
        let row = |row: usize| format!("user{}@x.example,{row}\n", count - row);
        let source = format!("email,value\n{}", (0..count).map(row).collect::<String>());
        let status = app
            .import(
                json!({"database": name, "action": "update_or_add", "key_fields": ["email"],
                           "source": source}),
            )
            .await;
        assert_eq!(told(&status), format!("created {count}; profiles +{count}"));
        let profiles = app.profiles(&name).await;
        let values = profiles
            .iter()
            .map(|profile| profile["fields"]["value"].clone());
        let expected = (0..count).map(|row| json!(row.to_string()));
        assert!(values.eq(expected), "{profiles:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_made_by_an_early_chunk_is_found_by_a_late_one() {
    for (action, books, value) in [
        (
            "update_or_add",
            "created 999, updated 1; profiles +999 ~1",
            "late",
        ),
        (
            "ignore_or_add",
            "created 999, ignored 1; profiles +999",
            "early",
        ),
    ] {
        let app = TestApp::start_side_by_side(2, 10).await;
        people(&app, "people").await;
        let row = |row: usize| match row {
            // As the unique index compares it, that is somebody of the first chunk.
            900 => "USER5@x.example,late\n".to_owned(),
            _ => format!("user{row}@x.example,early\n"),
        };
        let source = format!("email,value\n{}", (0..1_000).map(row).collect::<String>());
        let status = app
            .import(
                json!({"database": "people", "action": action, "key_fields": ["email"],
                           "source": source}),
            )
            .await;
        assert_eq!(told(&status), books);
        assert!(was_tried_as_new(&app, 999).await);
        let profiles = app.profiles("people").await;
        assert_eq!(profiles.len(), 999);
        assert_eq!(profiles[5]["fields"]["value"], value);
        // They stand in the order of their rows.
        let expected = (0..1_000).filter(|row| *row != 900);
        for (profile, row) in profiles.iter().zip(expected) {
            assert_eq!(profile["fields"]["email"], format!("user{row}@x.example"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_there_before_is_found_behind_many_who_were_not() {
    let app = TestApp::start_side_by_side(2, 10).await;
    people(&app, "people").await;
    let rows = |range: std::ops::Range<usize>, value: &str| {
        let rows = range.map(|row| format!("user{row}@x.example,{value}\n"));
        format!("email,value\n{}", rows.collect::<String>())
    };
    let definition = |source: String| {
        json!({"database": "people", "action": "update_or_add", "key_fields": ["email"],
               "source": source})
    };
    app.import(definition(rows(600..800, "a"))).await;
    let status = app.import(definition(rows(0..1_000, "b"))).await;
    assert_eq!(
        told(&status),
        "created 800, updated 200; profiles +800 ~200"
    );
    assert!(was_tried_as_new(&app, 1_000).await);
    let profiles = app.profiles("people").await;
    assert_eq!(profiles.len(), 1_000);
    assert!(
        profiles
            .iter()
            .all(|profile| profile["fields"]["value"] == "b")
    );
    let again = app.import(definition(rows(0..1_000, "b"))).await;
    assert_eq!(told(&again), "unchanged 1000");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_new_profile_lacks_is_no_reject_of_one_that_is_there() {
    for remove_missing in [false, true] {
        let app = TestApp::start_side_by_side(2, 10).await;
        let fields = json!([{"name": "email", "type": "email", "unique": true},
                            {"name": "name", "type": "text", "required": true},
                            {"name": "score", "type": "integer"}]);
        app.database(json!({"name": "people", "fields": fields}))
            .await;
        let rows = |range: std::ops::Range<usize>| range.map(|row| format!("user{row}@x.example"));
        let named = rows(300..1_010).map(|email| format!("{email},Ann\n"));
        let made = json!({"database": "people", "action": "update_or_add", "key_fields": ["email"],
                          "source": format!("email,name\n{}", named.collect::<String>())});
        app.import(made).await;
        // Nobody of the first 300 is there, and none can be made; all others can be changed.
        let scored = rows(0..1_000).map(|email| format!("{email},7\n"));
        let status = app
            .import(json!({"database": "people", "action": "update_or_add",
                "key_fields": ["email"], "remove_missing": remove_missing,
                "source": format!("email,score\n{}", scored.collect::<String>())}))
            .await;
        assert_eq!(status["totals"]["updated"], 700, "{status}");
        assert_eq!(status["totals"]["rejected"], 300, "{status}");
        match remove_missing {
            false => assert_eq!(status["state"], "completed_with_rejects"),
            // So many rejects are for somebody to look at; nobody is in question that a row named.
            true => assert_eq!(status["removal"]["profiles"], 10, "{status}"),
        }
        let profiles = app.profiles("people").await;
        let scored = profiles.iter().filter(|one| one["fields"]["score"] == 7);
        assert_eq!(scored.count(), 700);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_stand_in_the_order_of_rows_where_postgres_refuses_one_of_them() {
    let app = TestApp::start().await;
    people(&app, "people").await;
    app.let_postgres_refuse("value", "'9'").await;
    let row = |row: usize| format!("user{row}@x.example,{row}\n");
    let source = format!("email,value\n{}", (0..1_000).map(row).collect::<String>());
    let status = app
        .import(
            json!({"database": "people", "action": "update_or_add", "key_fields": ["email"],
                       "source": source}),
        )
        .await;
    assert_eq!(told(&status), "created 999, rejected 1; profiles +999");
    let profiles = app.profiles("people").await;
    let values = profiles
        .iter()
        .map(|profile| profile["fields"]["value"].clone());
    let expected = (0..1_000).filter(|row| *row != 9);
    assert!(values.eq(expected.map(|row| json!(row.to_string()))));
}

//! What makes two keys the same, for every type of field, and what is no key at all.

use serde_json::{Value, json};

use crate::app::{TestApp, told};

async fn one_field(app: &TestApp, name: &str, field: Value) {
    let fields = json!([field, {"name": "value", "type": "text"}]);
    app.database(json!({"name": name, "fields": fields})).await;
}

fn upsert(database: &str, rows: Value) -> Value {
    json!({"database": database, "action": "update_or_add", "key_fields": ["key"], "source": rows})
}

#[tokio::test(flavor = "multi_thread")]
async fn case_counts_as_the_field_says() {
    let app = TestApp::start().await;
    for (name, field, one, other, same) in [
        (
            "email",
            json!({"type": "email"}),
            "Ann@X.Example",
            "ann@x.example",
            true,
        ),
        (
            "email-u",
            json!({"type": "email"}),
            "Ü@x.example",
            "ü@X.example",
            true,
        ),
        (
            "email-not",
            json!({"type": "email", "case_insensitive": false}),
            "A@x.example",
            "a@x.example",
            false,
        ),
        ("text", json!({"type": "text"}), "A", "a", false),
        ("text-u", json!({"type": "text"}), "Ü", "ü", false),
        (
            "text-ci",
            json!({"type": "text", "case_insensitive": true}),
            "A",
            "a",
            true,
        ),
        (
            "text-ci-u",
            json!({"type": "text", "case_insensitive": true}),
            "ÉTÉ",
            "été",
            true,
        ),
        (
            "accent",
            json!({"type": "text", "case_insensitive": true}),
            "e",
            "é",
            false,
        ),
        (
            "composed",
            json!({"type": "text", "case_insensitive": true}),
            "é",
            "e\u{301}",
            false,
        ),
        ("spaces", json!({"type": "text"}), "a", "a ", false),
    ] {
        let mut field = field;
        field["name"] = json!("key");
        let found = meet(&app, name, field, (one, other)).await;
        assert_eq!(found, same, "{name}: {one:?} and {other:?}");
    }
}

/// Whether two keys are one, asked within a file, across chunks and across imports: the answer
/// has to be the same.
async fn meet(app: &TestApp, name: &str, field: Value, (one, other): (&str, &str)) -> bool {
    let row = |key: &str, value: &str| json!({"key": key, "value": value});
    let mut answers = Vec::new();
    for way in ["in-a-file", "across-chunks", "across-imports"] {
        let name = format!("{name}-{way}");
        one_field(app, &name, field.clone()).await;
        let both = json!([row(one, "1"), row(other, "2")]);
        match way {
            "in-a-file" => {
                app.import(upsert(&name, both)).await;
            }
            "across-chunks" => {
                app.import_row_by_row(upsert(&name, both)).await;
            }
            _ => {
                app.import(upsert(&name, json!([row(one, "1")]))).await;
                app.import(upsert(&name, json!([row(other, "2")]))).await;
            }
        }
        answers.push(app.profiles(&name).await.len());
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{name}: {answers:?}"
    );
    answers[0] == 1
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_beyond_ascii_are_folded_as_postgres_folds_them_everywhere() {
    let app = TestApp::start().await;
    for (number, (one, other)) in [
        ("İstanbul", "istanbul"),
        ("İ", "i̇"),
        ("I", "ı"),
        ("Straße", "STRASSE"),
        ("ẞ", "ß"),
        ("ΟΔΟΣ", "οδος"),
        ("ΟΔΟΣ", "οδοσ"),
        ("\u{212a}elvin", "kelvin"),
        ("Ǆ", "ǆ"),
        ("Ω", "ω"),
        ("Ж", "ж"),
    ]
    .into_iter()
    .enumerate()
    {
        let same: bool = sqlx::query_scalar("select lower($1) = lower($2)")
            .bind(one)
            .bind(other)
            .fetch_one(&app.pool)
            .await
            .unwrap();
        let field = json!({"name": "key", "type": "text", "case_insensitive": true});
        let found = meet(&app, &format!("letters-{number}"), field, (one, other)).await;
        assert_eq!(found, same, "{one:?} and {other:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_every_type_but_multiselect_is_a_key_however_its_value_is_written() {
    let app = TestApp::start().await;
    let options = json!(["red", "blue"]);
    for (field, one, same, other) in [
        (json!({"type": "text"}), json!("x"), json!("x"), json!("y")),
        (
            json!({"type": "integer"}),
            json!(7),
            json!("007"),
            json!(-7),
        ),
        (
            json!({"type": "number"}),
            json!(0),
            json!("-0.0"),
            json!("0.1"),
        ),
        (
            json!({"type": "boolean"}),
            json!(true),
            json!("TRUE"),
            json!(false),
        ),
        (
            json!({"type": "date"}),
            json!("2024-02-29"),
            json!("2024-02-29"),
            json!("2024-03-01"),
        ),
        (
            json!({"type": "datetime"}),
            json!("2024-01-01T00:00:00Z"),
            json!("2024-01-01T01:00:00+01:00"),
            json!("2024-01-01T00:00:00.000001Z"),
        ),
        (
            json!({"type": "email"}),
            json!("a@x.example"),
            json!("A@X.EXAMPLE"),
            json!("b@x.example"),
        ),
        (
            json!({"type": "phone"}),
            json!("00123"),
            json!("00123"),
            json!("123"),
        ),
        (
            json!({"type": "select", "options": options}),
            json!("red"),
            json!("red"),
            json!("blue"),
        ),
    ] {
        let name = field["type"].as_str().unwrap().to_owned();
        let mut field = field;
        field["name"] = json!("key");
        one_field(&app, &name, field).await;
        let rows = json!([{"key": one, "value": "1"}, {"key": same, "value": "1"}, {"key": other, "value": "1"}]);
        let first = app.import(upsert(&name, rows.clone())).await;
        assert_eq!(
            told(&first),
            "created 2, unchanged 1; profiles +2",
            "{name}"
        );
        let second = app.import_row_by_row(upsert(&name, rows.clone())).await;
        assert_eq!(told(&second), "unchanged 3", "{name}");
        let gone =
            json!({"database": name, "action": "delete", "key_fields": ["key"], "source": rows});
        let gone = app.import(gone).await;
        assert_eq!(told(&gone), "ignored 1, deleted 2; profiles -2", "{name}");
    }
    one_field(
        &app,
        "several",
        json!({"name": "key", "type": "multiselect", "options": options}),
    )
    .await;
    let refused = app
        .post("/imports", upsert("several", json!([{"key": "red"}])))
        .await;
    assert_eq!(refused.expect(422).code(), "incompatible_options");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_composite_key_is_the_same_when_all_its_fields_are() {
    let app = TestApp::start().await;
    let fields = json!([{"name": "a", "type": "text"}, {"name": "b", "type": "integer"},
        {"name": "c", "type": "email"}, {"name": "value", "type": "text"}]);
    app.database(json!({"name": "people", "fields": fields}))
        .await;
    let rows = "value,c,a,b\n1,x@x.example,a,1\n2,X@x.example,a,1\n3,x@x.example,a,2\n4,x@x.example,A,1\n5,,a,1\n";
    // In whatever order the key fields are named, it is one key.
    for (keys, books) in [
        (
            json!(["a", "b", "c"]),
            "created 3, updated 1, rejected 1; profiles +3 ~1",
        ),
        (
            json!(["C", "a", "B"]),
            "updated 2, unchanged 2, rejected 1; profiles ~2",
        ),
    ] {
        let status = app
            .import(json!({"database": "people", "action": "update_or_add", "key_fields": keys, "source": rows}))
            .await;
        assert_eq!(told(&status), books, "{keys}");
        assert_eq!(app.told_rejects(&status).await, ["5 c key_missing"]);
    }
    let indexes: i64 = sqlx::query_scalar("select count(*) from key_indexes")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert_eq!(indexes, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_neither_blank_nor_longer_than_512_bytes() {
    let app = TestApp::start().await;
    one_field(&app, "people", json!({"name": "key", "type": "text"})).await;
    let fits = "ü".repeat(256);
    let too_long = format!("{fits}x");
    let rows = json!([
        {"key": "", "value": "1"}, {"key": null}, {"value": "3"}, {"key": "  \t"}, {"key": "\u{a0}"},
        {"key": too_long}, {"key": fits, "value": "7"}, {"key": fits, "value": "7"},
    ]);
    for action in ["update_or_add", "update", "ignore_or_add", "delete"] {
        let mut definition = upsert("people", rows.clone());
        definition["action"] = json!(action);
        let status = app.import(definition).await;
        let rejects = app.told_rejects(&status).await;
        let expected = ["1", "2", "3", "4", "5"].map(|row| format!("{row} key key_missing"));
        assert_eq!(rejects[..5], expected, "{action}");
        assert_eq!(rejects[5..], ["6 key key_too_long"], "{action}");
    }
    let halves = json!([{"key": "k".repeat(400), "value": "v".repeat(112)},
        {"key": "k".repeat(400), "value": "v".repeat(113)}]);
    let mut composite = upsert("people", halves);
    composite["key_fields"] = json!(["key", "value"]);
    let status = app.import(composite).await;
    assert_eq!(app.told_rejects(&status).await, ["2 value key_too_long"]);
    // Adding matches nothing and needs no key.
    let mut add = upsert("people", rows);
    add["action"] = json!("add");
    assert_eq!(told(&app.import(add).await), "created 8; profiles +8");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_keys_show_what_stood_there_under_the_payloads_own_name() {
    let app = TestApp::start().await;
    one_field(&app, "people", json!({"name": "key", "type": "text"})).await;
    let long = "k".repeat(513);
    let mut mapped = upsert("people", json!(format!("My Key,value\n   ,1\n{long},2\n")));
    mapped["mapping"] = json!({"My Key": "key"});
    let status = app.import(mapped).await;
    assert_eq!(
        app.told_rejects(&status).await,
        ["1 My Key key_missing", "2 My Key key_too_long"]
    );
    let rejects = app.rejects(status["id"].as_str().unwrap()).await;
    assert_eq!(rejects[0]["value"], "   ");
    assert_eq!(rejects[1]["value"], format!("{}…", "k".repeat(100)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_with_long_values_can_still_become_a_key() {
    let app = TestApp::start().await;
    one_field(&app, "people", json!({"name": "key", "type": "text"})).await;
    // Postgres cannot index values of this length unless they shrink by compression.
    let long: String = (0..4_000_u32)
        .map(|n| char::from_u32(0x4e00 + n.wrapping_mul(2_654_435_761) % 20_000).unwrap())
        .collect();
    let add =
        json!({"database": "people", "action": "add", "source": [{"key": long}, {"key": "a"}]});
    assert_eq!(
        told(&app.import(add.clone()).await),
        "created 2; profiles +2"
    );
    let rows = json!([{"key": "a", "value": "1"}, {"key": "b", "value": "1"}]);
    let status = app.import(upsert("people", rows)).await;
    assert_eq!(told(&status), "created 1, updated 1; profiles +1 ~1");
    // Nor does having been a key once make the field refuse what it took before.
    assert_eq!(told(&app.import(add).await), "created 2; profiles +2");
}

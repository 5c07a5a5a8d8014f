//! What each action does to profiles, whatever their key finds.

use serde_json::{Value, json};

use crate::app::{TestApp, told};

/// One case: action, what the key finds, rows (email, points), books, profiles.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const MATCH: &str = "a match";
const NO_MATCH: &str = "no match";
const SEVERAL: &str = "several matches";
const DUPLICATE: &str = "a duplicate in the file";

/// Before: ann@x.example has 1 point, and there are two profiles of two@x.example.
const CASES: [Case; 20] = [
    (
        "add",
        MATCH,
        "ann,5",
        "created 1; profiles +1",
        "ann/1; two/1; two/2; ann/5",
    ),
    (
        "add",
        NO_MATCH,
        "new,5",
        "created 1; profiles +1",
        "ann/1; two/1; two/2; new/5",
    ),
    (
        "add",
        SEVERAL,
        "two,5",
        "created 1; profiles +1",
        "ann/1; two/1; two/2; two/5",
    ),
    (
        "add",
        DUPLICATE,
        "new,5\nnew,6",
        "created 2; profiles +2",
        "ann/1; two/1; two/2; new/5; new/6",
    ),
    (
        "update",
        MATCH,
        "ann,5",
        "updated 1; profiles ~1",
        "ann/5; two/1; two/2",
    ),
    (
        "update",
        NO_MATCH,
        "new,5",
        "ignored 1",
        "ann/1; two/1; two/2",
    ),
    (
        "update",
        SEVERAL,
        "two,2",
        "updated 1; profiles ~1",
        "ann/1; two/2; two/2",
    ),
    (
        "update",
        DUPLICATE,
        "ann,5\nann,6\nann,6\nnew,1\nnew,2",
        "updated 2, unchanged 1, ignored 2; profiles ~2",
        "ann/6; two/1; two/2",
    ),
    (
        "update_or_add",
        MATCH,
        "ann,5",
        "updated 1; profiles ~1",
        "ann/5; two/1; two/2",
    ),
    (
        "update_or_add",
        NO_MATCH,
        "new,5",
        "created 1; profiles +1",
        "ann/1; two/1; two/2; new/5",
    ),
    (
        "update_or_add",
        SEVERAL,
        "two,5",
        "updated 1; profiles ~2",
        "ann/1; two/5; two/5",
    ),
    (
        "update_or_add",
        DUPLICATE,
        "new,5\nnew,6\nnew,6\nann,5\nann,1",
        "created 1, updated 3, unchanged 1; profiles +1 ~3",
        "ann/1; two/1; two/2; new/6",
    ),
    (
        "ignore_or_add",
        MATCH,
        "ann,5",
        "ignored 1",
        "ann/1; two/1; two/2",
    ),
    (
        "ignore_or_add",
        NO_MATCH,
        "new,5",
        "created 1; profiles +1",
        "ann/1; two/1; two/2; new/5",
    ),
    (
        "ignore_or_add",
        SEVERAL,
        "two,5",
        "ignored 1",
        "ann/1; two/1; two/2",
    ),
    (
        "ignore_or_add",
        DUPLICATE,
        "new,5\nnew,6",
        "created 1, ignored 1; profiles +1",
        "ann/1; two/1; two/2; new/5",
    ),
    (
        "delete",
        MATCH,
        "ann,5",
        "deleted 1; profiles -1",
        "two/1; two/2",
    ),
    (
        "delete",
        NO_MATCH,
        "new,5",
        "ignored 1",
        "ann/1; two/1; two/2",
    ),
    (
        "delete",
        SEVERAL,
        "two,5",
        "deleted 1; profiles -2",
        "ann/1",
    ),
    (
        "delete",
        DUPLICATE,
        "ann,5\nann,5",
        "ignored 1, deleted 1; profiles -1",
        "two/1; two/2",
    ),
];

fn csv(rows: &str) -> String {
    let line = |row: &str| row.replacen(',', "@x.example,", 1) + "\n";
    let lines: String = rows.lines().map(line).collect();
    format!("email,points\n{lines}")
}

async fn people(app: &TestApp, name: &str) {
    let fields = json!([{"name": "email", "type": "email"}, {"name": "points", "type": "integer"}]);
    app.database(json!({"name": name, "fields": fields})).await;
}

fn definition(database: &str, action: &str, source: impl Into<Value>) -> Value {
    json!({"database": database, "action": action, "key_fields": ["email"], "source": source.into()})
}

#[tokio::test(flavor = "multi_thread")]
async fn every_action_does_to_profiles_what_its_table_says() {
    let app = TestApp::start().await;
    for (action, found, rows, books, profiles) in CASES {
        for one_by_one in [false, true] {
            let case = format!("{action}, profile, {found}, row by row: {one_by_one}");
            people(&app, &case).await;
            app.import(definition(&case, "add", csv("ann,1\ntwo,1\ntwo,2")))
                .await;
            let definition = definition(&case, action, csv(rows));
            let status = match one_by_one {
                false => app.import(definition).await,
                true => app.import_row_by_row(definition).await,
            };
            assert_eq!(told(&status), books, "{case}");
            let path = percent(&case);
            let after = app.told_profiles(&path).await.replace("@x.example", "");
            assert_eq!(after, profiles, "{case}");
        }
    }
}

/// A name as part of a path.
fn percent(name: &str) -> String {
    name.replace(' ', "%20")
        .replace(',', "%2C")
        .replace(':', "%3A")
}

#[tokio::test(flavor = "multi_thread")]
async fn absent_members_stay_blank_ones_clear_and_nulls_are_blank() {
    let app = TestApp::start().await;
    for (keep, books, profiles) in [
        (
            false,
            "updated 2, unchanged 1; profiles ~2",
            "a/1; b/-; c/-",
        ),
        (true, "unchanged 3", "a/1; b/1; c/1"),
    ] {
        let name = format!("keep-{keep}");
        people(&app, &name).await;
        app.import(definition(&name, "add", csv("a,1\nb,1\nc,1")))
            .await;
        let mut again = definition(
            &name,
            "update_or_add",
            json!([{"email": "b@x.example", "points": ""}, {"email": "a@x.example"},
                   {"email": "c@x.example", "points": null}]),
        );
        again["ignore_empty_fields"] = json!(keep);
        assert_eq!(told(&app.import(again).await), books, "{name}");
        let after = app.told_profiles(&name).await.replace("@x.example", "");
        assert_eq!(after, profiles, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_says_who_is_meant_and_is_not_written() {
    let app = TestApp::start().await;
    people(&app, "people").await;
    app.import(definition("people", "add", csv("Ann,1"))).await;
    let status = app
        .import(definition("people", "update_or_add", csv("ANN,2")))
        .await;
    assert_eq!(told(&status), "updated 1; profiles ~1");
    assert_eq!(app.told_profiles("people").await, "Ann@x.example/2");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_without_a_column_keep_their_values() {
    let app = TestApp::start().await;
    people(&app, "people").await;
    app.import(definition("people", "add", csv("ann,1"))).await;
    app.post(
        "/databases/people/fields",
        json!({"name": "zone", "type": "text"}),
    )
    .await
    .expect(201);
    let zoned = "zone,email\nnorth,ann@x.example\n";
    let status = app.import(definition("people", "update", zoned)).await;
    assert_eq!(told(&status), "updated 1; profiles ~1");
    let mut mapped = definition(
        "people",
        "update",
        "Mail,Points,zone\nann@x.example,9,south\n",
    );
    mapped["mapping"] = json!({"Mail": "EMAIL", "Points": null});
    assert_eq!(told(&app.import(mapped).await), "updated 1; profiles ~1");
    assert_eq!(app.told_profiles("people").await, "ann@x.example/1/south");
}

//! Unique fields: a conflict rejects its row, never the chunk, and rows free and take values in
//! the order of the file.

use serde_json::{Value, json};

use crate::app::{TestApp, told};

async fn people(app: &TestApp, name: &str) {
    let fields = json!([{"name": "key", "type": "text"},
        {"name": "nick", "type": "text", "unique": true, "case_insensitive": true},
        {"name": "points", "type": "integer"}]);
    app.database(json!({"name": name, "fields": fields})).await;
}

fn definition(database: &str, action: &str, rows: &str) -> Value {
    let source = format!("key,nick,points\n{rows}");
    json!({"database": database, "action": action, "key_fields": ["key"], "source": source})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_a_reject_with_its_column_and_the_rest_is_applied() {
    let app = TestApp::start().await;
    for (name, one_by_one) in [("at-once", false), ("row-by-row", true)] {
        people(&app, name).await;
        app.import(definition(name, "add", "a,Ann,1\nb,bob,1\nc,,1\nd,,1\n"))
            .await;
        let rows = "e,ANN,1\nf,eve,1\ng,EVE,1\nb,ann,2\nb,Bob,2\nc,eve,2\nd,dan,2\n";
        let definition = definition(name, "update_or_add", rows);
        let status = match one_by_one {
            false => app.import(definition).await,
            true => app.import_row_by_row(definition).await,
        };
        let books = "created 1, updated 2, rejected 4; profiles +1 ~2";
        assert_eq!(told(&status), books, "{name}");
        assert_eq!(
            app.told_rejects(&status).await,
            [
                "1 nick unique_conflict",
                "3 nick unique_conflict",
                "4 nick unique_conflict",
                "6 nick unique_conflict"
            ],
            "{name}"
        );
        let rejects = app.rejects(status["id"].as_str().unwrap()).await;
        assert_eq!(rejects[0]["value"], "ANN");
        assert!(
            rejects[0]["message"]
                .as_str()
                .unwrap()
                .contains("no other profile has")
        );
        let after = app.told_profiles(name).await;
        assert_eq!(after, "a/Ann/1; b/Bob/2; c/-/1; d/dan/2; f/eve/1", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_one_row_frees_a_later_row_takes_and_not_an_earlier_one() {
    let app = TestApp::start().await;
    for (name, one_by_one) in [("at-once", false), ("row-by-row", true)] {
        people(&app, name).await;
        app.import(definition(name, "add", "a,x,1\nb,y,1\n")).await;
        // b wants x while a still has it, a lets go of it, b gets it, and c gets what b had.
        let rows = "a,x,5\nb,x,1\na,z,5\nb,x,1\nc,y,1\na,,5\nd,z,1\n";
        let definition = definition(name, "update_or_add", rows);
        let status = match one_by_one {
            false => app.import(definition).await,
            true => app.import_row_by_row(definition).await,
        };
        let books = "created 2, updated 4, rejected 1; profiles +2 ~4";
        assert_eq!(told(&status), books, "{name}");
        assert_eq!(
            app.told_rejects(&status).await,
            ["2 nick unique_conflict"],
            "{name}"
        );
        assert_eq!(
            app.told_profiles(name).await,
            "a/-/5; b/x/1; c/y/1; d/z/1",
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_value_for_several_matches_is_a_conflict_that_changes_none() {
    let app = TestApp::start().await;
    people(&app, "people").await;
    app.import(definition("people", "add", "a,x,1\na,y,1\n"))
        .await;
    let status = app
        .import(definition("people", "update", "a,z,2\na,,3\n"))
        .await;
    assert_eq!(told(&status), "updated 1, rejected 1; profiles ~2");
    assert_eq!(app.told_profiles("people").await, "a/-/3; a/-/3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unique_key_and_added_rows_and_defaults_conflict_like_any_other() {
    let app = TestApp::start().await;
    let fields = json!([{"name": "key", "type": "email", "unique": true},
        {"name": "badge", "type": "integer", "unique": true, "default": 1}]);
    app.database(json!({"name": "people", "fields": fields}))
        .await;
    let add = |source: Value| json!({"database": "people", "action": "add", "source": source});
    let status = app
        .import(add(json!([{"key": "a@x.example"}, {"key": "b@x.example"}, {"key": "A@x.example", "badge": 2},
            {"key": "c@x.example", "badge": 3}])))
        .await;
    assert_eq!(told(&status), "created 2, rejected 2; profiles +2");
    assert_eq!(
        app.told_rejects(&status).await,
        ["2 badge unique_conflict", "3 key unique_conflict"]
    );
    // A field that the payload does not bring speaks by its own name.
    let status = app.import(add(json!("key\nd@x.example\n"))).await;
    assert_eq!(app.told_rejects(&status).await, ["1 badge unique_conflict"]);
    let mut mapped = add(json!("Card,Mail\n3,d@x.example\n4,e@x.example\n"));
    mapped["mapping"] = json!({"Card": "badge", "Mail": "key"});
    let status = app.import(mapped).await;
    assert_eq!(told(&status), "created 1, rejected 1; profiles +1");
    assert_eq!(app.told_rejects(&status).await, ["1 Card unique_conflict"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unique_field_of_a_collection_conflicts_across_profiles() {
    let app = TestApp::start().await;
    let orders =
        json!([{"name": "no", "type": "text", "unique": true}, {"name": "sum", "type": "integer"}]);
    app.database(
        json!({"name": "shop", "fields": [{"name": "who", "type": "text"}],
        "collections": [{"name": "Orders", "fields": orders}]}),
    )
    .await;
    let rows = "who,Orders.no,Orders.sum\nann,A,1\nbob,A,1\nbob,B,1\nbob,B,2\nann,B,3\ncarl,,\n";
    let status = app
        .import(json!({"database": "shop", "action": "update_or_add", "key_fields": ["who", "Orders.no"], "source": rows}))
        .await;
    assert_eq!(
        told(&status),
        "created 3, updated 1, rejected 2; profiles +3; subprofiles +2 ~1"
    );
    assert_eq!(
        app.told_rejects(&status).await,
        ["2 Orders.no unique_conflict", "5 Orders.no unique_conflict"]
    );
    // A rejected row leaves no profile behind either: bob came with his second row.
    assert_eq!(
        app.told_profiles("shop").await,
        "ann [A/1]; bob [B/2]; carl"
    );
}

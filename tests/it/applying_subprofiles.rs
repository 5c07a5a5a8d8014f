//! What each action does to subprofiles, and to a profile's subprofiles when it goes.

use serde_json::{Value, json};

use crate::app::{TestApp, told};

/// One case: action, what the keys find, rows (who, no, sum), books, profiles.
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

const CASES: [Case; 20] = [
    (
        "add",
        MATCH,
        "ann,A,5",
        "created 1; profiles +1; subprofiles +1",
        "ann [A/1]; two [A/1]; two [A/1, A/2]; ann [A/5]",
    ),
    (
        "add",
        NO_MATCH,
        "new,Z,5",
        "created 1; profiles +1; subprofiles +1",
        "ann [A/1]; two [A/1]; two [A/1, A/2]; new [Z/5]",
    ),
    (
        "add",
        SEVERAL,
        "two,A,5",
        "created 1; profiles +1; subprofiles +1",
        "ann [A/1]; two [A/1]; two [A/1, A/2]; two [A/5]",
    ),
    (
        "add",
        DUPLICATE,
        "new,Z,5\nnew,Z,5",
        "created 2; profiles +2; subprofiles +2",
        "ann [A/1]; two [A/1]; two [A/1, A/2]; new [Z/5]; new [Z/5]",
    ),
    (
        "update",
        MATCH,
        "ann,A,5",
        "updated 1; subprofiles ~1",
        "ann [A/5]; two [A/1]; two [A/1, A/2]",
    ),
    (
        "update",
        NO_MATCH,
        "ann,Z,5\nnew,A,5",
        "unchanged 1, ignored 1",
        "ann [A/1]; two [A/1]; two [A/1, A/2]",
    ),
    (
        "update",
        SEVERAL,
        "two,A,2",
        "updated 1; subprofiles ~2",
        "ann [A/1]; two [A/2]; two [A/2, A/2]",
    ),
    (
        "update",
        DUPLICATE,
        "ann,A,5\nann,A,6\nann,A,6",
        "updated 2, unchanged 1; subprofiles ~2",
        "ann [A/6]; two [A/1]; two [A/1, A/2]",
    ),
    (
        "update_or_add",
        MATCH,
        "ann,A,5",
        "updated 1; subprofiles ~1",
        "ann [A/5]; two [A/1]; two [A/1, A/2]",
    ),
    (
        "update_or_add",
        NO_MATCH,
        "ann,Z,5\nnew,A,5",
        "created 2; profiles +1; subprofiles +2",
        "ann [A/1, Z/5]; two [A/1]; two [A/1, A/2]; new [A/5]",
    ),
    (
        "update_or_add",
        SEVERAL,
        "two,A,2\ntwo,Z,9",
        "created 1, updated 1; subprofiles +2 ~2",
        "ann [A/1]; two [A/2, Z/9]; two [A/2, A/2, Z/9]",
    ),
    (
        "update_or_add",
        DUPLICATE,
        "ann,Z,5\nann,Z,6\nann,Z,6\nnew,Z,1\nnew,Z,2",
        "created 2, updated 2, unchanged 1; profiles +1; subprofiles +2 ~2",
        "ann [A/1, Z/6]; two [A/1]; two [A/1, A/2]; new [Z/2]",
    ),
    (
        "ignore_or_add",
        MATCH,
        "ann,A,5",
        "ignored 1",
        "ann [A/1]; two [A/1]; two [A/1, A/2]",
    ),
    (
        "ignore_or_add",
        NO_MATCH,
        "ann,Z,5\nnew,A,5",
        "created 2; profiles +1; subprofiles +2",
        "ann [A/1, Z/5]; two [A/1]; two [A/1, A/2]; new [A/5]",
    ),
    (
        "ignore_or_add",
        SEVERAL,
        "two,A,5",
        "ignored 1",
        "ann [A/1]; two [A/1]; two [A/1, A/2]",
    ),
    (
        "ignore_or_add",
        DUPLICATE,
        "ann,Z,5\nann,Z,6",
        "created 1, ignored 1; subprofiles +1",
        "ann [A/1, Z/5]; two [A/1]; two [A/1, A/2]",
    ),
    (
        "delete",
        MATCH,
        "ann,A,5",
        "deleted 1; subprofiles -1",
        "ann; two [A/1]; two [A/1, A/2]",
    ),
    (
        "delete",
        NO_MATCH,
        "ann,Z,5\nnew,A,5",
        "ignored 2",
        "ann [A/1]; two [A/1]; two [A/1, A/2]",
    ),
    (
        "delete",
        SEVERAL,
        "two,A,5",
        "deleted 1; subprofiles -3",
        "ann [A/1]; two; two",
    ),
    (
        "delete",
        DUPLICATE,
        "ann,A,5\nann,A,5",
        "ignored 1, deleted 1; subprofiles -1",
        "ann; two [A/1]; two [A/1, A/2]",
    ),
];

async fn shop(app: &TestApp, name: &str) {
    let orders = json!([{"name": "no", "type": "text"}, {"name": "sum", "type": "integer"}]);
    let notes = json!([{"name": "text", "type": "text"}]);
    let collections =
        json!([{"name": "Orders", "fields": orders}, {"name": "Notes", "fields": notes}]);
    let fields = json!([{"name": "who", "type": "text"}]);
    app.database(json!({"name": name, "fields": fields, "collections": collections}))
        .await;
}

fn csv(rows: &str) -> String {
    format!("who,Orders.no,Orders.sum\n{rows}\n")
}

fn definition(database: &str, action: &str, source: impl Into<Value>) -> Value {
    let keys = json!(["who", "Orders.no"]);
    json!({"database": database, "action": action, "key_fields": keys, "source": source.into()})
}

/// ann has one order, the first two has one, the second has two of one number.
async fn base(app: &TestApp, name: &str) {
    shop(app, name).await;
    let twice =
        json!({"database": name, "action": "add", "source": csv("ann,A,1\ntwo,A,1\ntwo,A,1")});
    app.import(twice).await;
    // A second order of the same number cannot come by a key: it is renamed behind the API.
    app.import(definition(name, "update_or_add", csv("two,B,2")))
        .await;
    let table: i64 = sqlx::query_scalar("select max(id) from collections where name = 'Orders'")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    let no: String =
        sqlx::query_scalar("select 'f' || id from fields where collection_id = $1 and name = 'no'")
            .bind(table)
            .fetch_one(&app.pool)
            .await
            .unwrap();
    let statements = format!(
        "delete from data.t{table} where {no} = 'B' and profile_id = (select min(profile_id) from data.t{table} where {no} = 'B');
         update data.t{table} set {no} = 'A' where {no} = 'B'"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(&app.pool)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_action_does_to_subprofiles_what_its_table_says() {
    let app = TestApp::start().await;
    for (number, (action, found, rows, books, profiles)) in CASES.into_iter().enumerate() {
        for one_by_one in [false, true] {
            let case = format!("{action}, subprofile, {found}, row by row: {one_by_one}");
            let name = format!("shop-{number}-{one_by_one}");
            base(&app, &name).await;
            let mut definition = definition(&name, action, csv(rows));
            if action == "delete" {
                definition["delete_target"] = json!("subprofile");
            }
            let status = match one_by_one {
                false => app.import(definition).await,
                true => app.import_row_by_row(definition).await,
            };
            assert_eq!(told(&status), books, "{case}");
            assert_eq!(app.told_profiles(&name).await, profiles, "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_profiles_deletes_and_counts_their_subprofiles() {
    let app = TestApp::start().await;
    base(&app, "shop").await;
    let notes = json!([{"who": "ann", "Notes.text": "x"}, {"who": "ann", "Notes.text": "y"}]);
    let keys = json!(["who", "Notes.text"]);
    let mut noted = definition("shop", "update_or_add", notes);
    noted["key_fields"] = keys;
    app.import(noted).await;
    let mut gone = definition("shop", "delete", "who\nann\ntwo\ntwo\nnobody\n");
    gone["key_fields"] = json!(["who"]);
    let status = app.import(gone).await;
    assert_eq!(
        told(&status),
        "ignored 2, deleted 2; profiles -3; subprofiles -6"
    );
    assert_eq!(app.told_profiles("shop").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_profiles_passes_over_the_columns_of_collections() {
    let app = TestApp::start().await;
    base(&app, "shop").await;
    let rows = csv("ann,,not a number\ntwo,A,");
    let status = app.import(definition("shop", "delete", rows)).await;
    assert_eq!(told(&status), "deleted 2; profiles -3; subprofiles -4");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_subprofiles_reads_their_keys_and_nothing_else() {
    let app = TestApp::start().await;
    base(&app, "shop").await;
    let mut gone = definition("shop", "delete", csv("ann,,5\nann,A,not a number"));
    gone["delete_target"] = json!("subprofile");
    let status = app.import(gone).await;
    assert_eq!(told(&status), "ignored 1, deleted 1; subprofiles -1");
    let after = app.told_profiles("shop").await;
    assert_eq!(after, "ann; two [A/1]; two [A/1, A/2]");
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_parent_rows_carry_several_subprofiles_and_blank_columns_make_none() {
    let app = TestApp::start().await;
    for (name, one_by_one) in [("at-once", false), ("row-by-row", true)] {
        shop(&app, name).await;
        let rows = csv("ann,A,1\nann,B,2\nann,,\nbob,,\nann,C,\nbob,A,1");
        let definition = definition(name, "update_or_add", rows);
        let status = match one_by_one {
            false => app.import(definition).await,
            true => app.import_row_by_row(definition).await,
        };
        let books = "created 5, unchanged 1; profiles +2; subprofiles +4";
        assert_eq!(told(&status), books, "{name}");
        let after = app.told_profiles(name).await;
        assert_eq!(after, "ann [A/1, B/2, C/-]; bob [A/1]", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_may_bring_something_for_several_collections() {
    let app = TestApp::start().await;
    shop(&app, "shop").await;
    let rows = json!([
        {"who": "ann", "Orders.no": "A", "Orders.sum": 1, "Notes.text": "x"},
        {"who": "ann", "Notes.text": "y"},
        {"who": "ann", "Orders.no": "A", "Orders.sum": 2, "Notes.text": null},
        {"who": "ann", "Orders.no": "A", "Orders.sum": 2, "Notes.text": "z"},
    ]);
    let mut definition = definition("shop", "update_or_add", rows);
    definition["key_fields"] = json!(["Notes.text", "who", "Orders.no"]);
    let status = app.import(definition).await;
    assert_eq!(
        told(&status),
        "created 3, updated 1; profiles +1; subprofiles +4 ~1"
    );
    // Collections are listed by name: the notes come first.
    assert_eq!(app.told_profiles("shop").await, "ann [x, y, z, A/2]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subprofile_without_its_whole_key_is_a_reject_and_leaves_its_profile_alone() {
    let app = TestApp::start().await;
    shop(&app, "shop").await;
    let rows = csv("ann,,5\nbob,  ,5\ncarl,A,");
    let status = app.import(definition("shop", "update_or_add", rows)).await;
    assert_eq!(
        told(&status),
        "created 1, rejected 2; profiles +1; subprofiles +1"
    );
    assert_eq!(
        app.told_rejects(&status).await,
        ["1 Orders.no key_missing", "2 Orders.no key_missing"]
    );
    assert_eq!(app.told_profiles("shop").await, "carl [A/-]");
}

//! Whom a row means: by ids, by any of several fields, with empty keys, several matches, and keys
//! compared without case. Each fact holds for a chunk at once and row by row.

mod identifying;

use serde_json::{Value, json};

use crate::app::{TestApp, told};

async fn people(app: &TestApp, name: &str) {
    let fields = json!([{"name": "email", "type": "text"}, {"name": "phone", "type": "text"},
        {"name": "points", "type": "integer"}]);
    let orders = json!([{"name": "number", "type": "text"}, {"name": "price", "type": "integer"}]);
    let collections = json!([{"name": "Orders", "fields": orders}]);
    app.database(json!({"name": name, "fields": fields, "collections": collections}))
        .await;
}

/// An import of CSV with members beside the usual ones.
fn definition(database: &str, action: &str, members: Value, source: &str) -> Value {
    let mut definition = json!({"database": database, "action": action, "source": source});
    for (name, value) in members.as_object().unwrap() {
        definition[name] = value.clone();
    }
    definition
}

async fn run(app: &TestApp, definition: Value, one_by_one: bool) -> Value {
    match one_by_one {
        false => app.import(definition).await,
        true => app.import_row_by_row(definition).await,
    }
}

const WAYS: [(&str, bool); 2] = [("at-once", false), ("row-by-row", true)];

#[tokio::test(flavor = "multi_thread")]
async fn of_several_matches_all_the_newest_or_none_are_meant() {
    let app = TestApp::start().await;
    for (name, one_by_one) in WAYS {
        for (policy, books, after) in [
            ("all", "updated 2; profiles ~3 -0", "a/-/9; a/-/9; b/-/9"),
            ("newest", "updated 2; profiles ~2", "a/-/1; a/-/9; b/-/9"),
            (
                "reject",
                "updated 1, rejected 1; profiles ~1",
                "a/-/1; a/-/2; b/-/9",
            ),
        ] {
            let name = format!("{name}-{policy}");
            people(&app, &name).await;
            app.import(definition(
                &name,
                "add",
                json!({}),
                "email,points\na,1\na,2\nb,3\n",
            ))
            .await;
            let members = json!({"key_fields": ["email"], "on_multiple_matches": policy});
            let source = "email,points\na,9\nb,9\n";
            let status = run(
                &app,
                definition(&name, "update_or_add", members, source),
                one_by_one,
            )
            .await;
            assert_eq!(told(&status), books.replace(" -0", ""), "{name}");
            assert_eq!(app.told_profiles(&name).await, after, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_subprofiles_the_policy_says_the_same() {
    let app = TestApp::start().await;
    for (policy, books, after) in [
        ("newest", "updated 1; subprofiles ~1", "a/-/- [x/1, x/9]"),
        ("reject", "rejected 1", "a/-/- [x/1, x/2]"),
    ] {
        people(&app, policy).await;
        let two = "email,Orders.number,Orders.price\na,x,1\n";
        app.import(definition(policy, "add", json!({}), two)).await;
        // The second of the same number is made by a key that the two do not share.
        let other = json!({"key_fields": ["email", "Orders.price"]});
        app.import(definition(
            policy,
            "update_or_add",
            other,
            "email,Orders.number,Orders.price\na,x,2\n",
        ))
        .await;
        let members =
            json!({"key_fields": ["email", "Orders.number"], "on_multiple_matches": policy});
        let source = "email,Orders.number,Orders.price\na,x,9\n";
        let status = app
            .import(definition(policy, "update_or_add", members, source))
            .await;
        assert_eq!(told(&status), books, "{policy}");
        assert_eq!(app.told_profiles(policy).await, after, "{policy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_key_is_rejected_or_makes_something_new() {
    let app = TestApp::start().await;
    for (name, one_by_one) in WAYS {
        people(&app, name).await;
        let reject = json!({"key_fields": ["email"]});
        let source = "email,points\n,1\n ,2\na,3\n";
        let status = run(
            &app,
            definition(name, "update_or_add", reject, source),
            one_by_one,
        )
        .await;
        assert_eq!(told(&status), "created 1, rejected 2; profiles +1");
        let create = json!({"key_fields": ["email", "Orders.number"], "on_empty_key": "create"});
        let email = json!({"key_fields": ["email"], "on_empty_key": "create"});
        let source = "email,points,Orders.number,Orders.price\n,1,,\n,1,,\na,4,,7\na,4,,7\n";
        let status = run(
            &app,
            definition(name, "update_or_add", create.clone(), source),
            one_by_one,
        )
        .await;
        assert_eq!(told(&status), "created 4; profiles +2 ~1; subprofiles +2");
        assert_eq!(
            app.told_profiles(name).await,
            "a/-/4 [-/7, -/7]; -/-/1; -/-/1"
        );
        let status = run(
            &app,
            definition(name, "update", email.clone(), "email,points\n,5\n"),
            one_by_one,
        )
        .await;
        assert_eq!(told(&status), "ignored 1");
        let status = run(
            &app,
            definition(name, "delete", email, "email\n\"\"\n\"\"\n"),
            one_by_one,
        )
        .await;
        assert_eq!(told(&status), "ignored 2");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_empty_key_made_is_found_by_the_default_that_it_got() {
    let app = TestApp::start().await;
    for (name, one_by_one) in WAYS {
        let fields = json!([
            {"name": "email", "type": "text", "default": "Nobody", "case_insensitive": true},
            {"name": "points", "type": "integer"}]);
        app.database(json!({"name": name, "fields": fields})).await;
        let create = json!({"key_fields": ["email"], "on_empty_key": "create"});
        // The first is made as Nobody, whom the second means; the third, of white space, is kept.
        let source = "email,points\n,1\nnobody,2\n \t,3\nNOBODY,4\n";
        let status = run(
            &app,
            definition(name, "update_or_add", create, source),
            one_by_one,
        )
        .await;
        assert_eq!(
            told(&status),
            "created 2, updated 2; profiles +2 ~2",
            "{name}"
        );
        assert_eq!(app.told_profiles(name).await, "Nobody/4;  \t/3", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_may_be_compared_without_case_where_their_fields_are_not() {
    let app = TestApp::start().await;
    for (name, one_by_one) in WAYS {
        people(&app, name).await;
        let as_said = json!({"key_fields": ["email"]});
        let source = "email,points\nÄnn,1\nbob,1\nBOB,2\n";
        let status = run(
            &app,
            definition(name, "update_or_add", as_said, source),
            one_by_one,
        )
        .await;
        assert_eq!(told(&status), "created 3; profiles +3");
        let without = json!({"key_fields": ["email"], "key_comparison": "without_case"});
        let source = "email,points\näNN,5\nBoB,5\nEve,5\neve,6\n";
        let status = run(
            &app,
            definition(name, "update_or_add", without, source),
            one_by_one,
        )
        .await;
        assert_eq!(told(&status), "created 1, updated 3; profiles +1 ~4");
        assert_eq!(
            app.told_profiles(name).await,
            "Änn/-/5; bob/-/5; BOB/-/5; Eve/-/6"
        );
    }
    let indexes: Vec<String> = sqlx::query_scalar("select indexname from pg_indexes where schemaname = 'data' and indexname ~ '_[ki][0-9]' order by 1")
        .fetch_all(&app.pool)
        .await
        .unwrap();
    assert_eq!(indexes.len(), 4, "each comparison has its own: {indexes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_contradicts_itself_is_refused() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    for (action, members, code, pointer) in [
        (
            "update",
            json!({"match_by": "uid"}),
            "missing_field",
            "/uid_column",
        ),
        (
            "update",
            json!({"match_by": "id"}),
            "missing_field",
            "/id_column",
        ),
        (
            "update",
            json!({"match_by": "uid", "uid_column": "email", "key_fields": ["phone"]}),
            "incompatible_options",
            "/key_fields/0",
        ),
        (
            "update",
            json!({"match_by": "any_key_field"}),
            "key_required",
            "/key_fields",
        ),
        (
            "update",
            json!({"key_fields": ["email"], "id_column": "phone"}),
            "incompatible_options",
            "/id_column",
        ),
        (
            "update",
            json!({"key_fields": ["email"], "override_column": "phone"}),
            "incompatible_options",
            "/override_column",
        ),
        (
            "update",
            json!({"match_by": "id_or_uid", "id_column": "phone", "uid_column": "phone"}),
            "duplicate_mapping",
            "/uid_column",
        ),
        (
            "add",
            json!({"match_by": "uid", "uid_column": "email"}),
            "incompatible_options",
            "/match_by",
        ),
        (
            "ignore_or_add",
            json!({"key_fields": ["email"], "version_column": "phone"}),
            "incompatible_options",
            "/version_column",
        ),
        (
            "update",
            json!({"match_by": "uuid"}),
            "invalid_enum",
            "/match_by",
        ),
        (
            "update",
            json!({"match_by": "uid", "uid_column": "ref"}),
            "header_mismatch",
            "/uid_column",
        ),
        (
            "update",
            json!({"match_by": "uid", "uid_column": "email", "mapping": {"email": "phone"}}),
            "duplicate_mapping",
            "/mapping",
        ),
    ] {
        let answer = app
            .post(
                "/imports",
                definition("p", action, members.clone(), "email,phone\na,b\n"),
            )
            .await
            .expect(422);
        let found = answer
            .complaints()
            .iter()
            .any(|error| error["code"] == code && error["pointer"] == pointer);
        assert!(found, "{members}: {code} {pointer} in {}", answer.text);
    }
}

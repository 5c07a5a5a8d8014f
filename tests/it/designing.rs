//! Databases, fields and collections: made, refused with all complaints at once, and widened later.

use serde_json::{Value, json};

use crate::app::{Answer, TestApp};

fn complaints(refused: &Answer) -> Vec<String> {
    let one = vec![refused.json.clone()];
    let all = refused.json["errors"].as_array().unwrap_or(&one).iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.map(|error| format!("{} {}", text(&error["code"]), text(&error["pointer"])))
        .collect()
}

fn fields(count: usize) -> Value {
    (0..count)
        .map(|number| json!({"name": format!("f{number}"), "type": "text"}))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_shown_as_it_was_made_by_id_and_by_name() {
    let app = TestApp::start().await;
    let made = app
        .post(
            "/databases",
            json!({"name": "People", "fields": [
                {"name": "Email", "type": "email", "unique": true},
                {"name": "in-stock", "type": "integer", "required": true, "default": 3},
                {"name": "tier", "type": "select", "options": ["gold", "Tin"], "default": "Tin"}],
            "collections": [{"name": "Orders", "fields": [{"name": "no", "type": "integer"}]}]}),
        )
        .await
        .expect(201);
    let id = made.json["id"].as_str().unwrap();
    assert_eq!(made.headers["location"], format!("/v1/databases/{id}"));
    let of = |field: &Value| {
        json!([
            field["name"],
            field["type"],
            field["required"],
            field["unique"],
            field["case_insensitive"],
            field["default"],
            field["options"]
        ])
    };
    let shown: Vec<Value> = made.json["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(of)
        .collect();
    assert_eq!(
        shown,
        [
            json!(["Email", "email", false, true, true, null, null]),
            json!(["in-stock", "integer", true, false, false, 3, null]),
            json!([
                "tier",
                "select",
                false,
                false,
                false,
                "Tin",
                ["gold", "Tin"]
            ]),
        ]
    );
    for name in [id, "People", "people", "PEOPLE"] {
        let found = app.get(&format!("/databases/{name}")).await.expect(200);
        assert_eq!(found.json, made.json, "{name}");
    }
    assert_eq!(app.get("/databases").await.json["data"], json!([made.json]));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_with_a_database_is_said_at_once() {
    let app = TestApp::start().await;
    let wrong = json!({"name": "p\n", "feilds": [], "fields": [
            {"name": "a.b", "type": "text"},
            {"name": "tier", "type": "select"},
            {"name": "Tier", "type": "txt"},
            {"name": "age", "type": "integer", "default": "old", "case_insensitive": true},
            {"name": "tags", "type": "multiselect", "options": ["a", "a", "x;y"], "unique": true},
            {"name": "plain", "type": "text", "options": ["a"], "required": 1},
            {"type": "text", "uniqe": true}, 7],
        "collections": [
            {"name": "Orders", "fields": [{"name": "", "type": "text"}]},
            {"name": "orders", "fields": {}}]});
    let refused = app.post("/databases", wrong).await.expect(422);
    let found = complaints(&refused);
    for expected in [
        "unknown_field /feilds",
        "name_invalid /name",
        "invalid_field_name /fields/0/name",
        "invalid_options /fields/1/options",
        "invalid_enum /fields/2/type",
        "duplicate_field /fields/2/name",
        "invalid_integer /fields/3/default",
        "incompatible_options /fields/3/case_insensitive",
        "invalid_options /fields/4/options/1",
        "invalid_options /fields/4/options/2",
        "incompatible_options /fields/4/unique",
        "invalid_options /fields/5/options",
        "invalid_type /fields/5/required",
        "missing_field /fields/6/name",
        "unknown_field /fields/6/uniqe",
        "invalid_type /fields/7",
        "invalid_field_name /collections/0/fields/0/name",
        "name_taken /collections/1/name",
        "invalid_type /collections/1/fields",
    ] {
        assert!(
            found.contains(&expected.to_owned()),
            "{expected} in {found:#?}"
        );
    }
    assert!(
        refused.text.contains("Did you mean \\\"fields\\\"?"),
        "{}",
        refused.text
    );
    assert!(
        refused.text.contains("Did you mean \\\"text\\\"?"),
        "{}",
        refused.text
    );
    assert_eq!(app.get("/databases").await.json["data"], json!([]));
    let tables: i64 =
        sqlx::query_scalar("select count(*) from pg_tables where schemaname = 'data'")
            .fetch_one(&app.pool)
            .await
            .unwrap();
    assert_eq!(tables, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_taken_without_regard_to_case() {
    let app = TestApp::start().await;
    let people = json!({"name": "People", "fields": [{"name": "Email", "type": "email"}],
        "collections": [{"name": "Orders", "fields": []}]});
    app.database(people.clone()).await;
    for name in ["People", "people", "PEOPLE"] {
        let again = app
            .post("/databases", json!({"name": name, "fields": []}))
            .await
            .expect(409);
        assert_eq!(again.code(), "name_taken");
        let field = json!({"name": "EMAIL", "type": "text"});
        let again = app
            .post(&format!("/databases/{name}/fields"), field)
            .await
            .expect(422);
        assert_eq!(again.code(), "duplicate_field");
        let collection = json!({"name": "orders", "fields": []});
        let again = app
            .post(&format!("/databases/{name}/collections"), collection)
            .await
            .expect(409);
        assert_eq!(again.code(), "name_taken");
    }
    // A field of a collection and one of the profile may share their name, and so may databases
    // of two accounts.
    let field = json!({"name": "Email", "type": "text"});
    app.post("/databases/people/collections/ORDERS/fields", field)
        .await
        .expect(201);
    let url = &app.database_url;
    let other = crate::app::make_token(url, "other", longshore_core::token::Scope::Write).await;
    app.call_as(&other, ("POST", "/databases"), Some(people))
        .await
        .expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_make_one_database_at_once_one_succeeds() {
    let app = TestApp::start().await;
    let body = json!({"name": "people", "fields": fields(5)});
    let calls = (0..20).map(|_| app.post("/databases", body.clone()));
    let mut statuses: Vec<u16> = Vec::new();
    for answer in futures::future::join_all(calls).await {
        statuses.push(answer.status);
    }
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (201, &[409; 19][..]));
    assert_eq!(
        app.get("/databases").await.json["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_fields_and_fifty_collections_are_the_most() {
    let app = TestApp::start().await;
    let collections = |count: usize| -> Value {
        (0..count)
            .map(|number| json!({"name": format!("c{number}"), "fields": []}))
            .collect()
    };
    let wide = json!({"name": "wide", "fields": fields(300), "collections": collections(50)});
    app.database(wide).await;
    let more = json!({"name": "one_more", "type": "text"});
    let refused = app
        .post("/databases/wide/fields", more.clone())
        .await
        .expect(422);
    assert_eq!(refused.code(), "limit_reached");
    assert!(refused.text.contains("300"), "{}", refused.text);
    let collection = json!({"name": "one more", "fields": []});
    let refused = app
        .post("/databases/wide/collections", collection)
        .await
        .expect(422);
    assert_eq!(refused.code(), "limit_reached");
    app.post("/databases/wide/collections/c0/fields", more)
        .await
        .expect(201);
    for wrong in [
        json!({"name": "x", "fields": fields(301)}),
        json!({"name": "x", "fields": [], "collections": collections(51)}),
    ] {
        assert_eq!(
            app.post("/databases", wrong).await.expect(422).code(),
            "limit_reached"
        );
    }
    let row: serde_json::Map<String, Value> = (0..300)
        .map(|number| (format!("f{number}"), json!(number.to_string())))
        .collect();
    let done = app
        .import(json!({"database": "wide", "action": "add", "source": [row]}))
        .await;
    assert_eq!(done["state"], "completed", "{done}");
    assert_eq!(app.profiles("wide").await[0]["fields"]["f299"], "299");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_add_fields_at_once_none_passes_the_limit() {
    let app = TestApp::start().await;
    app.database(json!({"name": "wide", "fields": fields(295)}))
        .await;
    let calls = (0..10).map(|number| {
        let field = json!({"name": format!("late{number}"), "type": "text"});
        app.post("/databases/wide/fields", field)
    });
    let statuses: Vec<u16> = futures::future::join_all(calls)
        .await
        .iter()
        .map(|answer| answer.status)
        .collect();
    let made = statuses.iter().filter(|status| **status == 201).count();
    let shown = app.get("/databases/wide").await.json["fields"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!((made, shown), (5, 300), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_and_collections_that_come_later_are_used_by_the_next_import() {
    let app = TestApp::start().await;
    app.database(json!({"name": "people", "fields": [{"name": "email", "type": "email"}]}))
        .await;
    app.import(json!({"database": "people", "action": "add", "source": "email\na@x.example\n"}))
        .await;
    let many = json!({"fields": [{"name": "age", "type": "integer", "default": 7},
        {"name": "badge", "type": "text", "unique": true}]});
    let shown = app
        .post("/databases/people/fields", many)
        .await
        .expect(201)
        .json;
    assert_eq!(shown["fields"].as_array().unwrap().len(), 3);
    let orders = json!({"name": "Orders", "fields": [{"name": "no", "type": "integer"}]});
    app.post("/databases/people/collections", orders)
        .await
        .expect(201);
    let paid = json!({"name": "paid", "type": "boolean"});
    app.post("/databases/people/collections/Orders/fields", paid)
        .await
        .expect(201);

    let done = app
        .import(json!({"database": "people", "action": "update_or_add",
            "key_fields": ["email", "Orders.no"],
            "source": [{"email": "a@x.example", "badge": "A", "Orders.no": 1, "Orders.paid": true},
                {"email": "b@x.example", "badge": "A"}, {"email": "c@x.example", "badge": "C"}]}))
        .await;
    assert_eq!(done["totals"]["rejected"], 1, "{done}");
    let rejects = app.rejects(done["id"].as_str().unwrap()).await;
    assert_eq!(rejects[0]["code"], "unique_conflict", "{rejects:?}");
    let profiles = app.profiles("people").await;
    let shown = |profile: &Value| {
        let orders = profile["subprofiles"]["Orders"].as_array().unwrap();
        let orders: Vec<Value> = orders.iter().map(|order| order["fields"].clone()).collect();
        json!([
            profile["fields"]["email"],
            profile["fields"]["age"],
            profile["fields"]["badge"],
            orders
        ])
    };
    assert_eq!(
        profiles.iter().map(shown).collect::<Vec<_>>(),
        [
            json!(["a@x.example", null, "A", [{"no": 1, "paid": true}]]),
            json!(["c@x.example", 7, "C", []]),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_the_wrong_kind_names_its_place_as_it_was_sent() {
    let app = TestApp::start().await;
    app.database(json!({"name": "people", "fields": []})).await;
    let path = "/databases/people/fields";
    let alone = app
        .post(path, json!({"name": "a", "type": "txt"}))
        .await
        .expect(422);
    assert_eq!(complaints(&alone), ["invalid_enum /type"]);
    let listed = json!({"fields": [{"name": "a", "type": "text"}, {"name": "b", "type": "txt"}]});
    let listed = app.post(path, listed).await.expect(422);
    assert_eq!(complaints(&listed), ["invalid_enum /fields/1/type"]);
    for wrong in [
        json!([]),
        json!(5),
        json!({}),
        json!({"fields": 5}),
        json!({"fields": null}),
    ] {
        let refused = app.post(path, wrong.clone()).await;
        assert_eq!(refused.status, 422, "{wrong}: {}", refused.text);
    }
    let shown = app.get("/databases/people").await.json;
    assert_eq!(shown["fields"], json!([]));
    app.post(
        "/databases/people/collections/None/fields",
        json!({"name": "a", "type": "text"}),
    )
    .await
    .expect(404);
}

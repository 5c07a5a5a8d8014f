//! Links join profiles of two databases, many to many: declared once, written with the rows that
//! name both ends, seen from both.

use serde_json::{Value, json};

use crate::app::{TestApp, told, values};

/// People and companies, joined by a link that both see.
async fn two(app: &TestApp, suffix: &str) -> (String, String) {
    let (people, companies) = (format!("people{suffix}"), format!("companies{suffix}"));
    let fields = json!([{"name": "email", "type": "text"}, {"name": "points", "type": "integer"}]);
    app.database(json!({"name": people, "fields": fields}))
        .await;
    let fields = json!([{"name": "code", "type": "text"},
        {"name": "title", "type": "text", "required": true}, {"name": "size", "type": "integer"}]);
    app.database(json!({"name": companies, "fields": fields}))
        .await;
    let link = json!({"name": "Companies", "database": companies, "reverse": "People"});
    app.post(&format!("/databases/{people}/links"), link)
        .await
        .expect(201);
    (people, companies)
}

fn definition(database: &str, action: &str, members: Value, source: &str) -> Value {
    let mut definition = json!({"database": database, "action": action, "source": source});
    for (name, value) in members.as_object().unwrap() {
        definition[name] = value.clone();
    }
    definition
}

/// Profiles with what they are linked with, such as `ann/1 -> [x/-/One]`.
async fn told_links(app: &TestApp, database: &str, link: &str) -> String {
    let path = format!("/databases/{database}/profiles?include={link}");
    let page = app.get(&path).await.expect(200).json;
    let told = |profile: &Value| {
        let others: Vec<String> = profile["links"][link]
            .as_array()
            .unwrap()
            .iter()
            .map(values)
            .collect();
        format!("{} -> [{}]", values(profile), others.join(", "))
    };
    let profiles: Vec<String> = page["data"].as_array().unwrap().iter().map(told).collect();
    profiles.join("; ")
}

fn links(status: &Value) -> String {
    let count = |name: &str| status["links"][name].as_i64().unwrap();
    format!(
        "+{} -{}, others +{} ~{}",
        count("created"),
        count("deleted"),
        count("profiles_created"),
        count("profiles_updated")
    )
}

const KEYS: [&str; 2] = ["email", "Companies.code"];

#[tokio::test(flavor = "multi_thread")]
async fn rows_make_both_ends_and_their_link_and_say_so_once() {
    let app = TestApp::start().await;
    for (suffix, one_by_one) in [("-at-once", false), ("-row-by-row", true)] {
        let (people, companies) = two(&app, suffix).await;
        let source = "email,points,Companies.code,Companies.title\nann,1,x,One\nbob,2,x,One\nann,1,y,Two\nann,1,y,Two\ncleo,3,,\n";
        let definition = definition(
            &people,
            "update_or_add",
            json!({"key_fields": KEYS}),
            source,
        );
        let run = async |definition: Value| match one_by_one {
            false => app.import(definition).await,
            true => app.import_row_by_row(definition).await,
        };
        let status = run(definition.clone()).await;
        // The third row finds Ann, makes Two and links them: it created something.
        assert_eq!(told(&status), "created 4, unchanged 1; profiles +3");
        assert_eq!(links(&status), "+3 -0, others +2 ~0");
        let from_people = "ann/1 -> [x/-/One, y/-/Two]; bob/2 -> [x/-/One]; cleo/3 -> []";
        assert_eq!(told_links(&app, &people, "Companies").await, from_people);
        let from_companies = "x/-/One -> [ann/1, bob/2]; y/-/Two -> [ann/1]";
        assert_eq!(told_links(&app, &companies, "People").await, from_companies);
        let again = run(definition).await;
        assert_eq!(told(&again), "unchanged 5");
        assert_eq!(links(&again), "+0 -0, others +0 ~0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_between_two_that_exist_is_a_change_of_its_row() {
    let app = TestApp::start().await;
    let (people, companies) = two(&app, "").await;
    app.import(definition(&people, "add", json!({}), "email\nann\nbob\n"))
        .await;
    app.import(definition(
        &companies,
        "add",
        json!({}),
        "code,title\nx,One\n",
    ))
    .await;
    let keys = json!({"key_fields": KEYS});
    // Update makes no link; it changes the other end where it is found.
    let source = "email,Companies.code,Companies.size\nann,x,7\nann,none,7\nnobody,x,9\n";
    let status = app
        .import(definition(&people, "update", keys.clone(), source))
        .await;
    assert_eq!(told(&status), "updated 1, unchanged 1, ignored 1");
    assert_eq!(links(&status), "+0 -0, others +0 ~1");
    let source = "email,Companies.code\nann,x\nann,x\n";
    let status = app
        .import(definition(&people, "ignore_or_add", keys.clone(), source))
        .await;
    assert_eq!(told(&status), "updated 1, ignored 1");
    assert_eq!(links(&status), "+1 -0, others +0 ~0");
    // From the other end, by its name for it.
    let from_there = json!({"key_fields": ["code", "People.email"]});
    let source = "code,title,People.email\nx,Uno,bob\n";
    let status = app
        .import(definition(&companies, "update_or_add", from_there, source))
        .await;
    assert_eq!(told(&status), "updated 1; profiles ~1");
    assert_eq!(links(&status), "+1 -0, others +0 ~0");
    let linked = "x/7/Uno -> [ann/-, bob/-]";
    assert_eq!(told_links(&app, &companies, "People").await, linked);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_undone_one_by_one_or_with_their_profile() {
    let app = TestApp::start().await;
    for (suffix, one_by_one) in [("-at-once", false), ("-row-by-row", true)] {
        let (people, companies) = two(&app, suffix).await;
        let keys = json!({"key_fields": KEYS});
        let source =
            "email,Companies.code,Companies.title\nann,x,One\nann,y,Two\nbob,x,One\nbob,y,Two\n";
        app.import(definition(&people, "update_or_add", keys.clone(), source))
            .await;
        let mut unlink = keys.clone();
        unlink["delete_target"] = json!("link");
        let source = "email,Companies.code\nann,x\nann,x\nann,none\nnobody,x\n";
        let unlink = definition(&people, "delete", unlink, source);
        let status = match one_by_one {
            false => app.import(unlink).await,
            true => app.import_row_by_row(unlink).await,
        };
        assert_eq!(told(&status), "ignored 3, deleted 1");
        assert_eq!(links(&status), "+0 -1, others +0 ~0");
        let by_email = json!({"key_fields": ["email"]});
        let status = app
            .import(definition(&people, "delete", by_email, "email\nbob\n"))
            .await;
        assert_eq!(told(&status), "deleted 1; profiles -1");
        assert_eq!(links(&status), "+0 -2, others +0 ~0");
        let left = "x/-/One -> []; y/-/Two -> [ann/-]";
        assert_eq!(told_links(&app, &companies, "People").await, left);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_end_may_be_named_by_uid() {
    let app = TestApp::start().await;
    let (people, companies) = two(&app, "").await;
    let members = json!({"match_by": "uid", "uid_column": "id", "link_uid_columns": {"companies": "company"}});
    let source = "id,email,company,Companies.title\np1,ann,c1,One\np2,bob,c1,Uno\np3,cleo,,\n";
    let status = app
        .import(definition(
            &people,
            "update_or_add",
            members.clone(),
            source,
        ))
        .await;
    assert_eq!(told(&status), "created 3; profiles +3");
    assert_eq!(links(&status), "+2 -0, others +1 ~1");
    let company = &app.profiles(&companies).await[0];
    assert_eq!(
        (&company["uid"], values(company)),
        (&json!("c1"), "-/-/Uno".to_owned())
    );
    for (members, code, pointer) in [
        (
            json!({"match_by": "uid", "uid_column": "id", "link_uid_columns": {"Firms": "company"}}),
            "unknown_collection",
            "/link_uid_columns/Firms",
        ),
        (
            json!({"match_by": "uid", "uid_column": "id", "link_uid_columns": {"Companies": "firm"}}),
            "header_mismatch",
            "/link_uid_columns",
        ),
        (
            json!({"match_by": "uid", "uid_column": "id", "link_uid_columns": {"Companies": "company"}, "key_fields": ["Companies.title"]}),
            "incompatible_options",
            "/link_uid_columns/Companies",
        ),
    ] {
        let refused = app
            .post(
                "/imports",
                definition(&people, "update_or_add", members, source),
            )
            .await
            .expect(422);
        let complaints = refused.complaints();
        let found = complaints
            .iter()
            .any(|one| one["code"] == code && one["pointer"] == pointer);
        assert!(found, "{code} {pointer}: {}", refused.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_the_other_end_are_refused_to_a_row_that_makes_its_profile_too() {
    let app = TestApp::start().await;
    for (suffix, one_by_one) in [("-at-once", false), ("-row-by-row", true)] {
        let (people, companies) = two(&app, suffix).await;
        let same = "code,title\nx,One\nx,Two\n";
        app.import(definition(&companies, "add", json!({}), same))
            .await;
        let members = json!({"key_fields": KEYS, "on_multiple_matches": "reject"});
        let source = "email,Companies.code\nann,x\n";
        let definition = definition(&people, "update_or_add", members, source);
        let status = match one_by_one {
            false => app.import(definition).await,
            true => app.import_row_by_row(definition).await,
        };
        assert_eq!(told(&status), "rejected 1", "{suffix}");
        assert_eq!(
            app.told_rejects(&status).await,
            ["1 Companies.code multiple_matches"]
        );
        assert_eq!(app.told_profiles(&people).await, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_uid_of_the_other_end_keeps_its_case_where_keys_do_not() {
    let app = TestApp::start().await;
    let (people, companies) = two(&app, "").await;
    let members = json!({"key_fields": ["email"], "key_comparison": "without_case",
        "link_uid_columns": {"Companies": "company"}});
    let source = "email,company,Companies.title\nann,c1,One\nANN,C1,Two\n";
    let status = app
        .import(definition(&people, "update_or_add", members, source))
        .await;
    assert_eq!(told(&status), "created 2; profiles +1");
    assert_eq!(app.told_profiles(&companies).await, "-/-/One; -/-/Two");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_whose_other_end_cannot_be_made_leaves_nothing_behind() {
    let app = TestApp::start().await;
    for (suffix, one_by_one) in [("-at-once", false), ("-row-by-row", true)] {
        let (people, companies) = two(&app, suffix).await;
        let keys = json!({"key_fields": KEYS});
        // A company needs a title; a size is a number; a key is needed where anything is said.
        let source = "email,Companies.code,Companies.title,Companies.size\nann,x,,\nbob,y,Two,many\ncleo,,Three,\ndan,z,Four,4\n";
        let definition = definition(&people, "update_or_add", keys, source);
        let status = match one_by_one {
            false => app.import(definition).await,
            true => app.import_row_by_row(definition).await,
        };
        assert_eq!(told(&status), "created 1, rejected 3; profiles +1");
        assert_eq!(
            app.told_rejects(&status).await,
            [
                "1 Companies.title required",
                "2 Companies.size invalid_integer",
                "3 Companies.code key_missing"
            ]
        );
        assert_eq!(
            told_links(&app, &people, "Companies").await,
            "dan/- -> [z/4/Four]"
        );
        assert_eq!(app.told_profiles(&companies).await, "z/4/Four");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_declared_once_between_two_databases_of_one_account() {
    let app = TestApp::start().await;
    let (people, _) = two(&app, "").await;
    let shown = app
        .get(&format!("/databases/{people}"))
        .await
        .expect(200)
        .json;
    assert_eq!(shown["links"][0]["name"], "Companies");
    assert_eq!(shown["links"][0]["database_name"], "companies");
    let orders = json!({"name": "Orders", "fields": [{"name": "number", "type": "text"}]});
    app.post("/databases/people/collections", orders)
        .await
        .expect(201);
    for (database, body, status, code) in [
        (
            "people",
            json!({"name": "companies", "database": "companies"}),
            409,
            "name_taken",
        ),
        (
            "people",
            json!({"name": "orders", "database": "companies"}),
            409,
            "name_taken",
        ),
        (
            "companies",
            json!({"name": "People", "database": "people"}),
            409,
            "name_taken",
        ),
        (
            "people",
            json!({"name": "Self", "database": "people"}),
            422,
            "incompatible_options",
        ),
        (
            "people",
            json!({"name": "X", "database": "nowhere"}),
            422,
            "unknown_database",
        ),
        ("people", json!({"name": "X"}), 422, "missing_field"),
        (
            "people",
            json!({"name": "a.b", "database": "companies"}),
            422,
            "invalid_field_name",
        ),
        (
            "people",
            json!({"name": "X", "database": "companies", "back": "Y"}),
            422,
            "unknown_field",
        ),
        (
            "people",
            json!({"name": "X", "database": "companies", "reverse": 1}),
            422,
            "invalid_type",
        ),
    ] {
        let answer = app
            .post(&format!("/databases/{database}/links"), body.clone())
            .await;
        assert_eq!(
            (
                answer.status,
                answer.complaints()[0]["code"].as_str().unwrap()
            ),
            (status, code),
            "{body}"
        );
    }
    let taken = json!({"name": "Companies", "fields": []});
    assert_eq!(
        app.post("/databases/people/collections", taken)
            .await
            .code(),
        "name_taken"
    );
    // Two links with one database may stand, but not be written by one row.
    let second = json!({"name": "Employers", "database": "companies"});
    app.post("/databases/people/links", second)
        .await
        .expect(201);
    let keys = json!({"key_fields": ["email", "Companies.code", "Employers.code"]});
    let both = definition(
        "people",
        "update",
        keys,
        "email,Companies.code,Employers.code\na,b,c\n",
    );
    let refused = app.post("/imports", both).await.expect(422);
    assert_eq!(
        refused.complaints()[0]["code"],
        "incompatible_options",
        "{}",
        refused.text
    );
}

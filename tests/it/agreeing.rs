//! Versions, all-or-nothing imports, unknown columns and conversions: what an import does where it
//! is asked to be stricter, or laxer, than the native API is by itself.

use serde_json::{Value, json};

use crate::app::{TestApp, told};

async fn people(app: &TestApp, name: &str) {
    let fields = json!([{"name": "email", "type": "text"},
        {"name": "nick", "type": "text", "unique": true},
        {"name": "points", "type": "integer"}]);
    app.database(json!({"name": name, "fields": fields})).await;
}

fn definition(database: &str, action: &str, members: Value, source: &str) -> Value {
    let mut definition =
        json!({"database": database, "action": action, "key_fields": ["email"], "source": source});
    for (name, value) in members.as_object().unwrap() {
        definition[name] = value.clone();
    }
    definition
}

async fn versions(app: &TestApp, database: &str) -> Vec<String> {
    let profiles = app.profiles(database).await;
    profiles
        .iter()
        .map(|one| one["updated_at"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_was_changed_since_is_not_overwritten() {
    let app = TestApp::start().await;
    for (name, one_by_one) in [("at-once", false), ("row-by-row", true)] {
        people(&app, name).await;
        app.import(definition(
            name,
            "add",
            json!({}),
            "email,points\na,1\nb,1\nc,1\nd,1\ne,1\n",
        ))
        .await;
        let seen = versions(&app, name).await;
        app.import(definition(
            name,
            "update",
            json!({}),
            "email,points\nb,2\nc,2\n",
        ))
        .await;
        let members = json!({"version_column": "seen", "override_column": "force"});
        let source = format!(
            "email,points,seen,force\na,5,{},\nb,5,{},false\nc,5,{},true\nd,5,,\ne,5,yesterday,\nf,5,,\na,6,{},\n",
            seen[0], seen[1], seen[2], seen[0]
        );
        let definition = definition(name, "update_or_add", members, &source);
        let status = match one_by_one {
            false => app.import(definition).await,
            true => app.import_row_by_row(definition).await,
        };
        assert_eq!(
            told(&status),
            "created 1, updated 2, rejected 4; profiles +1 ~2",
            "{name}"
        );
        assert_eq!(
            app.told_rejects(&status).await,
            [
                "2 seen version_conflict",
                "4 seen version_missing",
                "5 seen invalid_datetime",
                "7 seen version_conflict"
            ],
            "{name}"
        );
        let rejects = app.rejects(status["id"].as_str().unwrap()).await;
        let now = versions(&app, name).await;
        let told = rejects[0]["message"].as_str().unwrap();
        assert!(
            told.contains(now[1].as_str()),
            "the version it has: {told} {now:?}"
        );
        assert_eq!(
            app.told_profiles(name).await,
            "a/-/5; b/-/2; c/-/5; d/-/1; e/-/1; f/-/5"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_compared_as_exactly_as_it_is_written() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    app.import(definition(
        "p",
        "add",
        json!({}),
        "email,points\na,1\nb,1\nc,1\nd,1\ne,1\nf,1\n",
    ))
    .await;
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "update {} set updated_at = '2022-01-12 17:18:13.754321Z'",
        table(&app).await
    )))
    .execute(&app.pool)
    .await
    .unwrap();
    let members = json!({"version_column": "seen"});
    let rows: String = [
        "13Z",
        "13.7Z",
        "13.754Z",
        "13.755Z",
        "13.754321Z",
        "13.754320Z",
    ]
    .into_iter()
    .zip('a'..)
    .map(|(seen, email)| format!("{email},2,2022-01-12T17:18:{seen}\n"))
    .collect();
    let source = format!("email,points,seen\n{rows}");
    let status = app
        .import(definition("p", "update", members, &source))
        .await;
    assert_eq!(told(&status), "updated 4, rejected 2; profiles ~4");
    assert_eq!(
        app.told_rejects(&status).await,
        ["4 seen version_conflict", "6 seen version_conflict"]
    );
}

async fn table(app: &TestApp) -> String {
    let number: i64 = sqlx::query_scalar("select max(id) from databases")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    format!("data.t{number}")
}

#[tokio::test(flavor = "multi_thread")]
async fn all_or_nothing_applies_all() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    let rows: String = (0..12_000).map(|n| format!("{n},{n}\n")).collect();
    let all = json!({"on_reject": "all_or_nothing"});
    let status = app
        .import(definition(
            "p",
            "update_or_add",
            all.clone(),
            &format!("email,points\n{rows}"),
        ))
        .await;
    assert_eq!(told(&status), "created 12000; profiles +12000");
    let chunks: i64 = sqlx::query_scalar("select count(*) from chunks")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert_eq!(chunks, 1, "one transaction, one line in the order of truth");
    let status = app
        .import(definition(
            "p",
            "update_or_add",
            all,
            &format!("email,points\n{rows}0,77\nnew,1\n0,78\n"),
        ))
        .await;
    assert_eq!(
        told(&status),
        "created 1, updated 2, unchanged 12000; profiles +1 ~2"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_or_nothing_applies_nothing_and_names_every_row_at_fault() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    app.import(definition(
        "p",
        "add",
        json!({}),
        "email,nick,points\nz,taken,1\n",
    ))
    .await;
    let rows: String = (0..6_000).map(|n| format!("{n},{n},{n}\n")).collect();
    let all = json!({"on_reject": "all_or_nothing"});
    for (bad, rejects) in [
        // What is wrong with the rows themselves is found before anything is applied.
        (
            "x,x,many\n,y,1\n",
            vec!["6001 points invalid_integer", "6002 email key_missing"],
        ),
        // What is wrong with them here is found while they are applied: all of it.
        (
            "x,taken,1\ny,y,1\nw,5,1\n",
            vec!["6001 nick unique_conflict", "6003 nick unique_conflict"],
        ),
    ] {
        let source = format!("email,nick,points\n{rows}{bad}");
        let status = app
            .import(definition("p", "update_or_add", all.clone(), &source))
            .await;
        assert_eq!(status["state"], "failed", "{status}");
        assert_eq!(status["error"]["code"], "rows_rejected");
        assert!(
            status["error"]["message"]
                .as_str()
                .unwrap()
                .starts_with("2 of 600"),
            "{status}"
        );
        let totals = &status["totals"];
        assert_eq!(totals["rejected"], 2);
        assert_eq!(
            totals["unprocessed"].as_i64(),
            totals["total"].as_i64().map(|all| all - 2)
        );
        assert_eq!(app.told_rejects(&status).await, rejects);
        assert_eq!(app.told_profiles("p").await, "z/taken/1");
    }
    // The next in line goes on.
    let status = app
        .import(definition(
            "p",
            "update_or_add",
            all,
            "email,nick,points\nx,x,1\n",
        ))
        .await;
    assert_eq!(told(&status), "created 1; profiles +1");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_or_nothing_has_a_limit_that_it_names() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    let all = json!({"on_reject": "all_or_nothing"});
    let rows: String = (0..50_001).map(|n| format!("{n},{n}\n")).collect();
    let inline = definition(
        "p",
        "update_or_add",
        all.clone(),
        &format!("email,points\n{rows}"),
    );
    let refused = app.post("/imports", inline).await.expect(422);
    assert_eq!(refused.complaints()[0]["code"], "too_many_rows");
    assert!(
        refused
            .text
            .contains("50000 rows at most; this one has 50001"),
        "{}",
        refused.text
    );
    let mut draft = definition("p", "update_or_add", all, "");
    draft.as_object_mut().unwrap().remove("source");
    let id = app.submit(draft).await;
    app.upload(&id, "text/csv", format!("email,points\n{rows}"))
        .await
        .expect(202);
    app.work_until_idle().await;
    let status = app.status(&id).await;
    assert_eq!(status["error"]["code"], "too_many_rows", "{status}");
    assert_eq!(status["totals"]["unprocessed"], 50_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_nobody_knows_is_refused_or_left_out_with_a_warning() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    let source = "email,points,colour,Orders.number\na,1,red,7\n";
    let refused = app
        .post(
            "/imports",
            definition("p", "update_or_add", json!({}), source),
        )
        .await
        .expect(422);
    assert!(
        refused.text.contains("colour") && refused.text.contains("unknown_field"),
        "{}",
        refused.text
    );
    let ignore = json!({"on_unknown_column": "ignore"});
    let status = app
        .import(definition("p", "update_or_add", ignore, source))
        .await;
    assert_eq!(told(&status), "created 1; profiles +1");
    let warning =
        "2 columns are left out, since no field has their names: \"colour\", \"Orders.number\".";
    assert!(
        status["warnings"]
            .as_array()
            .unwrap()
            .contains(&json!(warning)),
        "{}",
        status["warnings"]
    );
    // What the mapping names must be there all the same.
    let typo = json!({"on_unknown_column": "ignore", "mapping": {"colour": "color", "Orders.number": null}});
    app.post("/imports", definition("p", "update_or_add", typo, source))
        .await
        .expect(422);
}

/// Submits like a door whose clients rely on conversions.
async fn import_as_door(app: &TestApp, rules: &str, mut definition: Value) -> Value {
    definition["autostart"] = json!(false);
    let id = app.submit(definition).await;
    sqlx::query("update imports set definition = definition || jsonb_build_object('on_invalid', $2::text) where id = $1")
        .bind(id.strip_prefix("imp_").unwrap().parse::<i64>().unwrap())
        .bind(rules)
        .execute(&app.pool)
        .await
        .unwrap();
    app.post(&format!("/imports/{id}/start"), json!(null))
        .await
        .expect(202);
    app.work_until_idle().await;
    app.status(&id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_converted_only_where_a_door_asks_for_it_and_is_counted() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    let source = "email,points\na,12 pieces\nb,none\nc,3\n";
    let status = app
        .import(definition("p", "update_or_add", json!({}), source))
        .await;
    assert_eq!(told(&status), "created 1, rejected 2; profiles +1");
    assert!(status["coerced_cells"].is_null());
    let status = import_as_door(
        &app,
        "coerce_like_copernica",
        definition("p", "update_or_add", json!({}), source),
    )
    .await;
    assert_eq!(told(&status), "created 2, unchanged 1; profiles +2");
    assert_eq!(status["coerced_cells"], 2);
    assert_eq!(app.told_profiles("p").await, "c/-/3; a/-/12; b/-/0");
    let fields = json!([{"name": "email", "type": "email"}, {"name": "happy", "type": "boolean"},
        {"name": "born", "type": "date"}]);
    app.database(json!({"name": "m", "fields": fields})).await;
    let contacts =
        "email,happy,born\n ann@example.com; ,yes,1999/12/31 23:59\nbob@example.com,maybe,\n";
    let status = import_as_door(
        &app,
        "coerce_like_mautic",
        definition("m", "update_or_add", json!({}), contacts),
    )
    .await;
    assert_eq!(told(&status), "created 1, rejected 1; profiles +1");
    let found = app.told_profiles("m").await;
    assert_eq!(found, "1999-12-31/ann@example.com/true");
    assert_eq!(app.told_rejects(&status).await, ["2 happy invalid_boolean"]);
    let native = json!({"on_invalid": "coerce_like_copernica"});
    let refused = app
        .post("/imports", definition("p", "update_or_add", native, source))
        .await
        .expect(422);
    assert_eq!(
        refused.complaints()[0]["code"],
        "unknown_field",
        "{}",
        refused.text
    );
}

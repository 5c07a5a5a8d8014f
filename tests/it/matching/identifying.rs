//! Profiles named by their id, by the caller's own, or by any of several fields.

use longshore_core::database::TableNumber;
use longshore_core::field::Field;
use longshore_core::plan::Side;
use longshore_core::store::typed;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use super::{WAYS, definition, people, run};
use crate::app::{TestApp, told};

/// The id that a profile of the same database might have, and none has.
fn nobody_after(id: &str) -> String {
    let number: i64 = id.strip_prefix("pro_").unwrap().parse().unwrap();
    format!("pro_{}", number + 1000)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uid_is_kept_found_again_and_shown() {
    let app = TestApp::start().await;
    for (name, one_by_one) in WAYS {
        people(&app, name).await;
        let by_uid = json!({"match_by": "uid", "uid_column": "ref"});
        let first = "ref,email,points\nx-1,ann,1\n007,bob,1\nx-1,ann2,2\n";
        let status = run(
            &app,
            definition(name, "update_or_add", by_uid.clone(), first),
            one_by_one,
        )
        .await;
        assert_eq!(told(&status), "created 2, updated 1; profiles +2 ~1");
        let profiles = app.profiles(name).await;
        assert_eq!(profiles[0]["uid"], "x-1");
        assert_eq!(profiles[0]["fields"]["email"], "ann2");
        assert_eq!(profiles[1]["uid"], "007");
        let again = "ref,email,points\nX-1,other,9\n007,bob,1\n";
        let status = run(
            &app,
            definition(name, "update_or_add", by_uid.clone(), again),
            one_by_one,
        )
        .await;
        assert_eq!(
            told(&status),
            "created 1, unchanged 1; profiles +1",
            "a uid keeps its case"
        );
        let found = app
            .get(&format!("/databases/{name}/profiles?uid=X-1"))
            .await
            .expect(200)
            .json;
        assert_eq!(found["data"].as_array().unwrap().len(), 1);
        assert_eq!(found["data"][0]["fields"]["email"], "other");
        let gone = definition(name, "delete", by_uid, "ref\nx-1\nnobody\n");
        assert_eq!(
            told(&run(&app, gone, one_by_one).await),
            "ignored 1, deleted 1; profiles -1"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uid_belongs_to_one_profile() {
    let app = TestApp::start().await;
    for (name, one_by_one) in WAYS {
        people(&app, name).await;
        let members = json!({"key_fields": ["email"], "uid_column": "ref"});
        let source = "ref,email,points\na,ann,1\nb,bob,1\na,cleo,1\nb,ann,2\nc,ann,3\n,bob,4\n";
        let status = run(
            &app,
            definition(name, "update_or_add", members, source),
            one_by_one,
        )
        .await;
        assert_eq!(
            told(&status),
            "created 2, updated 2, rejected 2; profiles +2 ~2"
        );
        assert_eq!(
            app.told_rejects(&status).await,
            ["3 ref unique_conflict", "4 ref unique_conflict"]
        );
        let uids: Vec<Value> = app
            .profiles(name)
            .await
            .iter()
            .map(|one| one["uid"].clone())
            .collect();
        assert_eq!(uids, [json!("c"), json!(null)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_means_its_profile_and_makes_none() {
    let app = TestApp::start().await;
    for (name, one_by_one) in WAYS {
        people(&app, name).await;
        app.import(definition(
            name,
            "add",
            json!({}),
            "email,points\nann,1\nbob,1\n",
        ))
        .await;
        let ids: Vec<String> = app
            .profiles(name)
            .await
            .iter()
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect();
        let unknown = nobody_after(&ids[1]);
        let source = format!(
            "id,email,points\n{},ann2,5\n{unknown},x,1\nnobody,x,1\npro_1,x,1\n,x,1\n",
            ids[0]
        );
        let by_id = json!({"match_by": "id", "id_column": "id"});
        let status = run(
            &app,
            definition(name, "update_or_add", by_id.clone(), &source),
            one_by_one,
        )
        .await;
        assert_eq!(told(&status), "updated 1, rejected 4; profiles ~1");
        assert_eq!(
            app.told_rejects(&status).await,
            [
                "2 id unknown_profile",
                "3 id invalid_id",
                "4 id invalid_id",
                "5 id key_missing"
            ]
        );
        let status = run(
            &app,
            definition(
                name,
                "update",
                by_id.clone(),
                &format!("id,points\n{unknown},1\n{},7\n", ids[1]),
            ),
            one_by_one,
        )
        .await;
        assert_eq!(told(&status), "updated 1, ignored 1; profiles ~1");
        assert_eq!(app.told_profiles(name).await, "ann2/-/5; bob/-/7");
        let mut create = by_id;
        create["on_empty_key"] = json!("create");
        let status = run(
            &app,
            definition(name, "update_or_add", create, "id,email\n,cleo\n"),
            one_by_one,
        )
        .await;
        assert_eq!(told(&status), "created 1; profiles +1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_goes_before_a_uid_and_a_row_without_either_is_new() {
    let app = TestApp::start().await;
    let name = "persons";
    people(&app, name).await;
    let members = json!({"match_by": "id_or_uid", "id_column": "id", "uid_column": "ref", "on_empty_key": "create"});
    let status = app
        .import(definition(
            name,
            "update_or_add",
            members.clone(),
            "id,ref,email\n,a,ann\n,b,bob\n,,cleo\n,,cleo\n,a,ann2\n",
        ))
        .await;
    assert_eq!(told(&status), "created 4, updated 1; profiles +4 ~1");
    let ids: Vec<String> = app
        .profiles(name)
        .await
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect();
    // By its id a profile gets another uid, if nobody has it.
    let source = format!(
        "id,ref,email\n{},z,ann3\n{},b,cleo2\n,z,ann4\n{},b,x\n",
        ids[0],
        ids[2],
        nobody_after(&ids[2])
    );
    let status = app
        .import(definition(name, "update_or_add", members, &source))
        .await;
    assert_eq!(told(&status), "updated 2, rejected 2; profiles ~2");
    assert_eq!(
        app.told_rejects(&status).await,
        ["2 ref unique_conflict", "4 id unknown_profile"]
    );
    assert_eq!(
        app.told_profiles(name).await,
        "ann4/-/-; bob/-/-; cleo/-/-; cleo/-/-"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn any_of_several_fields_is_enough_and_later_rows_see_what_earlier_ones_wrote() {
    let app = TestApp::start().await;
    let name = "contacts";
    people(&app, name).await;
    app.import(definition(
        name,
        "add",
        json!({}),
        "email,phone,points\nann,1,0\nbob,2,0\n",
    ))
    .await;
    let any = json!({"match_by": "any_key_field", "key_fields": ["email", "phone"], "on_multiple_matches": "newest"});
    // By e-mail; by phone, with a new e-mail; by that e-mail; both, which are two people: the newest.
    let source = "email,phone,points\nann,,1\nbob2,2,2\nbob2,3,3\nann,3,4\ncleo,9,5\n,9,6\n,,7\n";
    let status = app
        .import(definition(name, "update_or_add", any.clone(), source))
        .await;
    assert_eq!(
        told(&status),
        "created 1, updated 5, rejected 1; profiles +1 ~5"
    );
    assert_eq!(app.told_rejects(&status).await, ["7 email key_missing"]);
    // An empty cell says nothing about who is meant, and clears like any other.
    assert_eq!(app.told_profiles(name).await, "ann/-/1; ann/3/4; -/9/6");
    let mut all = any.clone();
    all["on_multiple_matches"] = json!("reject");
    let status = app
        .import(definition(
            name,
            "update",
            all,
            "email,phone,points\nann,9,8\nnone,9,9\n",
        ))
        .await;
    assert_eq!(told(&status), "updated 1, rejected 1; profiles ~1");
    assert_eq!(
        app.told_rejects(&status).await,
        ["1 email multiple_matches"]
    );
    let status = app
        .import(definition(name, "delete", any, "email,phone\nann,\n"))
        .await;
    assert_eq!(told(&status), "deleted 1; profiles -1");
    assert_eq!(app.told_profiles(name).await, "ann/-/1; none/9/9");
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_and_uids_are_found_by_the_indexes_that_every_table_has() {
    let app = TestApp::start().await;
    people(&app, "people").await;
    let mut connection = PgConnection::connect(&app.database_url).await.unwrap();
    let number: i64 = sqlx::query_scalar("select id from databases")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let run = async |connection: &mut PgConnection, statement: String| {
        let rows = connection
            .fetch_all(sqlx::raw_sql(AssertSqlSafe(statement)))
            .await
            .unwrap();
        let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        lines.join("\n")
    };
    run(&mut connection, "set enable_seqscan = off".to_owned()).await;
    run(
        &mut connection,
        "set plan_cache_mode = force_generic_plan".to_owned(),
    )
    .await;
    for (field, array, index) in [
        (Field::uid(), "array['a']", format!("t{number}_uid_idx")),
        (Field::profile_id(), "array[1]", format!("t{number}_pkey")),
    ] {
        let side = Side::new(TableNumber(number), None, vec![field.clone()], 1);
        assert!(!side.needs_index());
        for (name, statement) in [
            ("together", typed::matching::match_profiles(&side)),
            ("alone", typed::matching::match_alternative(&side, &[0])),
        ] {
            let name = format!("{name}_{}", field.name);
            run(&mut connection, format!("prepare {name} as {statement}")).await;
            let plan = run(
                &mut connection,
                format!("explain execute {name}({array}, null)"),
            )
            .await;
            assert!(plan.contains(&index), "{statement}\n{plan}");
        }
    }
}

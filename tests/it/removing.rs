//! `remove_missing`: what no row named goes, once all rows are applied; what a rejected row names, and
//! what others wrote since, stays.

mod braking;
mod holding;

use serde_json::{Value, json};

use crate::app::{TestApp, told};

/// A database with a collection, in which everything may be removed, so that no brake is in the way.
async fn people(app: &TestApp, name: &str) {
    let fields = json!([{"name": "email", "type": "text"}, {"name": "points", "type": "integer"}]);
    let orders = json!([{"name": "number", "type": "text"}, {"name": "price", "type": "integer"}]);
    let collections = json!([{"name": "Orders", "fields": orders}]);
    app.database(json!({"name": name, "fields": fields, "collections": collections}))
        .await;
}

async fn release_brake(app: &TestApp, name: &str) {
    let brake = json!({"brake": {"percent": 100, "percent_below_100": 100, "allow_empty": true}});
    app.call("PATCH", &format!("/databases/{name}"), Some(brake))
        .await
        .expect(200);
}

fn removing(database: &str, keys: Value, source: &str) -> Value {
    json!({"database": database, "action": "update_or_add", "key_fields": keys,
        "remove_missing": true, "source": source})
}

async fn fill(app: &TestApp, name: &str, source: &str) {
    let keys = json!(["email", "Orders.number"]);
    let keys = match source.contains("Orders") {
        true => keys,
        false => json!(["email"]),
    };
    app.import(
        json!({"database": name, "action": "update_or_add", "key_fields": keys, "source": source}),
    )
    .await;
}

/// What went: profiles and subprofiles.
fn removed(status: &Value) -> (i64, i64) {
    let count = |part: &str| status[part]["removed"].as_i64().unwrap();
    (count("profiles"), count("subprofiles"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_row_names_goes_and_a_second_time_nothing_does() {
    let app = TestApp::start().await;
    for (name, one_by_one) in [("at-once", false), ("row-by-row", true)] {
        people(&app, name).await;
        release_brake(&app, name).await;
        fill(
            &app,
            name,
            "email,points,Orders.number\na,1,x\nb,2,y\nc,3,\nd,4,z\n",
        )
        .await;
        let listing = removing(name, json!(["email"]), "email,points\na,1\nc,9\ne,5\n");
        let run = async |definition: Value| match one_by_one {
            false => app.import(definition).await,
            true => app.import_row_by_row(definition).await,
        };
        let status = run(listing.clone()).await;
        assert_eq!(
            told(&status),
            "created 1, updated 1, unchanged 1; profiles +1 ~1"
        );
        assert_eq!(removed(&status), (2, 2));
        assert_eq!(status["removal"]["state"], "done");
        assert_eq!(app.told_profiles(name).await, "a/1 [x/-]; c/9; e/5");
        let again = run(listing).await;
        assert_eq!(told(&again), "unchanged 3");
        assert_eq!(removed(&again), (0, 0));
        let id = status["id"].as_str().unwrap();
        let gone = app
            .get(&format!("/imports/{id}/removals"))
            .await
            .expect(200)
            .json;
        let gone: Vec<String> = gone["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(crate::app::values)
            .collect();
        assert_eq!(
            gone,
            ["y/-", "z/-", "b/2", "d/4"],
            "as they were, belongings first"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subprofiles_go_only_from_collections_that_the_payload_addresses() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    release_brake(&app, "p").await;
    let notes = json!({"name": "Notes", "fields": [{"name": "text", "type": "text"}]});
    app.post("/databases/p/collections", notes)
        .await
        .expect(201);
    fill(
        &app,
        "p",
        "email,Orders.number,Orders.price\na,x,1\na,y,1\nb,x,1\nb,y,1\n",
    )
    .await;
    app.import(
        json!({"database": "p", "action": "update_or_add", "key_fields": ["email", "Notes.text"],
        "source": "email,Notes.text\na,hello\nb,there\n"}),
    )
    .await;
    // Without columns of a collection no subprofile of a profile that stays goes.
    let status = app
        .import(removing("p", json!(["email"]), "email\na\nb\n"))
        .await;
    assert_eq!(removed(&status), (0, 0));
    let keys = json!(["email", "Orders.number"]);
    let status = app
        .import(removing(
            "p",
            keys,
            "email,Orders.number,Orders.price\na,x,5\nb,,\n",
        ))
        .await;
    assert_eq!(removed(&status), (0, 3), "{status}");
    let left = app.told_profiles("p").await;
    assert!(left.contains("x/5") && !left.contains("y/1"), "{left}");
    assert!(left.contains("hello") && left.contains("there"), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_row_protects_whom_its_key_names() {
    let app = TestApp::start().await;
    for (name, one_by_one) in [("at-once", false), ("row-by-row", true)] {
        let fields = json!([{"name": "email", "type": "text"},
            {"name": "nick", "type": "text", "unique": true}, {"name": "points", "type": "integer"},
            {"name": "need", "type": "text", "required": true}]);
        app.database(json!({"name": name, "fields": fields})).await;
        release_brake(&app, name).await;
        let mut rows = String::from("email,nick,points,need\n");
        for row in 0..200 {
            rows += &format!("{row},n{row},1,x\n");
        }
        fill(&app, name, &rows).await;
        // Rejected in reading a cell, in deciding, and by Postgres; and one that is missing.
        let listing = rows
            .replace("\n7,n7,1,x\n", "\n7,n7,many,x\n")
            .replace("\n8,n8,1,x\n", "\n8,n8,1,\n")
            .replace("\n9,n9,1,x\n", "\n9,n10,1,x\n")
            .replace("\n11,n11,1,x\n", "\n");
        let definition = removing(name, json!(["email"]), &listing);
        let status = match one_by_one {
            false => app.import(definition).await,
            true => app.import_row_by_row(definition).await,
        };
        assert_eq!(told(&status), "unchanged 196, rejected 3", "{name}");
        assert_eq!(removed(&status), (1, 0), "{name}");
        let left: Vec<Value> = app.profiles(name).await;
        assert_eq!(left.len(), 199);
        assert!(left.iter().all(|one| one["fields"]["email"] != "11"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_import_wrote_since_acceptance_is_spared() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    release_brake(&app, "p").await;
    fill(
        &app,
        "p",
        "email,points,Orders.number\na,1,\nb,1,\nc,1,x\nd,1,\n",
    )
    .await;
    // A draft is accepted when it is started, not when it is made.
    let mut draft = removing("p", json!(["email"]), "email\na\n");
    draft["autostart"] = json!(false);
    let draft = app.submit(draft).await;
    fill(&app, "p", "email,points\nd,2\n").await;
    app.post(&format!("/imports/{draft}/start"), json!(null))
        .await
        .expect(202);
    // After acceptance, before it is worked on: one changed, one new, one whose order changed.
    let number: i64 = draft.strip_prefix("imp_").unwrap().parse().unwrap();
    let due = async |due: bool| {
        sqlx::query("update leases set due_at = case when $2 then now() end where import_id = $1")
            .bind(number)
            .bind(due)
            .execute(&app.pool)
            .await
            .unwrap();
    };
    due(false).await;
    fill(
        &app,
        "p",
        "email,points,Orders.number,Orders.price\nb,5,,\ne,5,,\nc,1,x,7\n",
    )
    .await;
    due(true).await;
    app.work_until_idle().await;
    let status = app.status(&draft).await;
    assert_eq!(removed(&status), (1, 0), "d alone: {status}");
    assert_eq!(app.told_profiles("p").await, "a/1; b/5; c/1 [x/7]; e/5");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_over_a_link_is_spared_only_if_it_came_since_acceptance() {
    let app = TestApp::start().await;
    let fields = json!([{"name": "email", "type": "text"}]);
    for name in ["people", "firms"] {
        app.database(json!({"name": name, "fields": fields})).await;
    }
    release_brake(&app, "firms").await;
    let link = json!({"name": "Firms", "database": "firms", "reverse": "People"});
    app.post("/databases/people/links", link).await.expect(201);
    let linking = |source: &str| {
        json!({"database": "people", "action": "update_or_add",
            "key_fields": ["email", "Firms.email"], "source": source})
    };
    // Nothing was ever imported into the other database itself.
    app.import(linking("email,Firms.email\nann,x\nbob,y\n"))
        .await;
    let held = app.submit(removing("firms", json!(["email"]), "email\nx\n"));
    let number: i64 = held.await.strip_prefix("imp_").unwrap().parse().unwrap();
    let due = async |due: bool| {
        sqlx::query("update leases set due_at = case when $2 then now() end where import_id = $1")
            .bind(number)
            .bind(due)
            .execute(&app.pool)
            .await
            .unwrap();
    };
    due(false).await;
    app.import(linking("email,Firms.email\nann,z\n")).await;
    due(true).await;
    app.work_until_idle().await;
    let status = app.status(&format!("imp_{number}")).await;
    assert_eq!(removed(&status), (1, 0), "y alone: {status}");
    assert_eq!(app.told_profiles("firms").await, "x; z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_row_protects_its_profile_where_its_subprofile_cannot_be_read() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    release_brake(&app, "p").await;
    fill(
        &app,
        "p",
        "email,points,Orders.number\na,1,x\nb,2,y\nc,3,z\n",
    )
    .await;
    let keys = json!(["email", "Orders.number"]);
    // The order of the second row has a price and no number.
    let source = "email,points,Orders.number,Orders.price\na,1,x,1\nb,2,,7\n";
    let held = app.import(removing("p", keys, source)).await;
    assert_eq!(held["state"], "held", "{held}");
    let reasons = held["removal"]["reasons"].to_string();
    assert!(reasons.contains("brake_keys_unread"), "{reasons}");
    let counts = (
        &held["removal"]["profiles"],
        &held["removal"]["subprofiles"],
    );
    assert_eq!(counts, (&json!(1), &json!(2)), "c with its order, and y");
    let id = held["id"].as_str().unwrap();
    let approval = json!({"removals": 3});
    app.post(&format!("/imports/{id}/approve"), approval)
        .await
        .expect(202);
    app.work_until_idle().await;
    assert_eq!(app.told_profiles("p").await, "a/1 [x/1]; b/2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_is_broken_off_goes_on_where_it_was() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    release_brake(&app, "p").await;
    let rows: String = (0..7_000).map(|row| format!("{row},1\n")).collect();
    fill(&app, "p", &format!("email,points\n{rows}")).await;
    let id = app
        .submit(removing("p", json!(["email"]), "email,points\n0,1\n1,1\n"))
        .await;
    let number: i64 = id.strip_prefix("imp_").unwrap().parse().unwrap();
    let mut broken_off = 0;
    loop {
        let step = tokio::time::timeout(
            std::time::Duration::from_millis(rand::random_range(50..400)),
            app.worker.step(longshore_core::queue::Verb::Apply),
        );
        match step.await {
            Ok(worked) => {
                worked.unwrap();
            }
            Err(_) => {
                broken_off += 1;
                // Its lease runs out by Postgres' clock, and the sweep takes it.
                sqlx::query("update leases set holder = null, held_until = null, due_at = now() where import_id = $1 and holder is not null")
                    .bind(number).execute(&app.pool).await.unwrap();
            }
        }
        if app.status(&id).await["state"] == "completed" {
            break;
        }
        assert!(broken_off < 500);
    }
    let status = app.status(&id).await;
    assert_eq!(
        removed(&status),
        (6_998, 0),
        "counted once, broken off {broken_off} times"
    );
    assert_eq!(app.told_profiles("p").await, "0/1; 1/1");
    let listed: i64 =
        sqlx::query_scalar("select count(distinct id) from changes where import_id = $1")
            .bind(number)
            .fetch_one(&app.pool)
            .await
            .unwrap();
    assert_eq!(listed, 6_998);
    app.work_until_idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_or_nothing_takes_its_removal_along() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    let rows: String = (0..200).map(|row| format!("{row},1\n")).collect();
    fill(&app, "p", &format!("email,points\n{rows}")).await;
    let listing = |left: usize| {
        let rows: String = (0..left).map(|row| format!("{row},2\n")).collect();
        let mut definition = removing("p", json!(["email"]), &format!("email,points\n{rows}"));
        definition["on_reject"] = json!("all_or_nothing");
        definition
    };
    let status = app.import(listing(179)).await;
    assert_eq!(status["state"], "failed", "{status}");
    assert_eq!(status["error"]["code"], "brake_percent");
    assert!(
        status["error"]["message"]
            .as_str()
            .unwrap()
            .contains("21 of 200")
    );
    assert!(
        app.told_profiles("p").await.ends_with("198/1; 199/1"),
        "nothing of it is applied"
    );
    let status = app.import(listing(180)).await;
    assert_eq!(told(&status), "updated 180; profiles ~180");
    assert_eq!(removed(&status), (20, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_actions_that_look_for_matches_remove_what_is_missing() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    for action in ["add", "delete"] {
        let mut definition = removing("p", json!(["email"]), "email\na\n");
        definition["action"] = json!(action);
        let refused = app.post("/imports", definition).await.expect(422);
        let complaints = refused.complaints();
        assert!(
            complaints
                .iter()
                .any(|one| one["pointer"] == "/remove_missing"
                    && one["code"] == "incompatible_options"),
            "{}",
            refused.text
        );
    }
}

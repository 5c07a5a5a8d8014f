//! The brake: which removals are held, by the rule and to the row.

use serde_json::{Value, json};

use super::{people, removed, removing};
use crate::app::TestApp;

/// A database of `size` profiles, and an import that lacks `missing` of them.
async fn lacking(app: &TestApp, name: &str, (size, missing): (usize, usize)) -> Value {
    let rows = |count: usize| {
        (0..count)
            .map(|row| format!("{row},1\n"))
            .collect::<String>()
    };
    let source = format!("email,points\n{}", rows(size));
    app.import(json!({"database": name, "action": "add", "source": source}))
        .await;
    // A row of its own, so that a listing of nobody is one.
    let listing = match size == missing {
        true => "nobody,1\n".to_owned(),
        false => rows(size - missing),
    };
    let source = format!("email,points\n{listing}");
    let mut definition = removing(name, json!(["email"]), &source);
    definition["action"] = json!("update");
    app.import(definition).await
}

fn reasons(status: &Value) -> Vec<&str> {
    let reasons = status["removal"]["reasons"].as_array().unwrap();
    reasons
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_share_decides_at_every_size_and_nothing_goes_before_the_decision() {
    let app = TestApp::start().await;
    for size in [10_usize, 99, 100, 10_000] {
        for percent in [0_usize, 5, 9, 10, 11, 50, 100] {
            let missing = size * percent / 100;
            let name = format!("size-{size}-percent-{percent}");
            people(&app, &name).await;
            let status = lacking(&app, &name, (size, missing)).await;
            let limit = if size < 100 { 50 } else { 10 };
            let trips = missing * 100 > size * limit;
            let there = app.profiles(&name).await.len();
            if trips {
                assert_eq!(status["state"], "held", "{name}: {status}");
                let expected: &[&str] = match size == missing {
                    true => &["brake_empty", "brake_percent"],
                    false => &["brake_percent"],
                };
                assert_eq!(reasons(&status), expected, "{name}");
                assert_eq!(status["removal"]["profiles"].as_u64(), Some(missing as u64));
                assert_eq!(removed(&status), (0, 0));
                assert_eq!(there, size, "{name}: nothing goes before the decision");
            } else {
                assert_eq!(status["state"], "completed", "{name}: {status}");
                assert_eq!(removed(&status), (missing as i64, 0), "{name}");
                assert_eq!(there, size - missing, "{name}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_set_for_the_database_holds_whatever_the_share() {
    let app = TestApp::start().await;
    for (missing, trips) in [(3, false), (4, true)] {
        let name = format!("missing-{missing}");
        people(&app, &name).await;
        let brake = json!({"brake": {"count": 3}});
        let shown = app
            .call("PATCH", &format!("/databases/{name}"), Some(brake))
            .await
            .expect(200)
            .json;
        assert_eq!(
            shown["brake"],
            json!({"percent": 10, "percent_below_100": 50, "count": 3, "allow_empty": false})
        );
        let status = lacking(&app, &name, (1_000, missing)).await;
        assert_eq!(status["state"] == "held", trips, "{status}");
        if trips {
            assert_eq!(reasons(&status), ["brake_count"]);
        }
    }
    for (brake, code, pointer) in [
        (
            json!({"brake": {"percent": 101}}),
            "out_of_range",
            "/brake/percent",
        ),
        (
            json!({"brake": {"percent": "10"}}),
            "invalid_type",
            "/brake/percent",
        ),
        (
            json!({"brake": {"count": -1}}),
            "out_of_range",
            "/brake/count",
        ),
        (
            json!({"brake": {"allow_empty": 1}}),
            "invalid_type",
            "/brake/allow_empty",
        ),
        (
            json!({"brake": {"percents": 1}}),
            "unknown_field",
            "/brake/percents",
        ),
        (json!({"name": "x"}), "unknown_field", "/name"),
        (json!({}), "missing_field", "/brake"),
    ] {
        let refused = app
            .call("PATCH", "/databases/missing-3", Some(brake.clone()))
            .await
            .expect(422);
        assert_eq!(
            (refused.code(), refused.json["pointer"].as_str().unwrap()),
            (code, pointer),
            "{brake}"
        );
    }
    let default = json!({"brake": {"count": null}});
    let shown = app
        .call("PATCH", "/databases/missing-3", Some(default))
        .await
        .expect(200)
        .json;
    assert!(shown["brake"]["count"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_that_name_nobody_remove_nobody() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    let rows: String = (0..10).map(|row| format!("{row},1\n")).collect();
    app.import(
        json!({"database": "p", "action": "add", "source": format!("email,points\n{rows}")}),
    )
    .await;
    for (source, code) in [
        ("email,points\n", "no_rows"),
        ("", "empty_payload"),
        ("[]", "no_rows"),
    ] {
        let status = app.import(removing("p", json!(["email"]), source)).await;
        assert_eq!(status["error"]["code"], code, "{source:?} {status}");
        assert_eq!(app.profiles("p").await.len(), 10);
    }
    let location = app.files.put(
        "/login.csv",
        "<!DOCTYPE html><html><body>Sign in</body></html>",
    );
    let mut html = removing("p", json!(["email"]), "");
    html.as_object_mut().unwrap().remove("source");
    html["location"] = json!(location);
    let status = app.import(html).await;
    assert_eq!(status["error"]["code"], "source_not_data", "{status}");
    assert_eq!(app.profiles("p").await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_that_cannot_be_read_holds_whatever_the_share() {
    let app = TestApp::start().await;
    let long = "x".repeat(600);
    for (kind, bad) in [
        ("blank", ",1".to_owned()),
        ("cells", "1".to_owned()),
        ("quote", "\"a\"b,1".to_owned()),
        ("long", format!("{long},1")),
    ] {
        people(&app, kind).await;
        let rows: String = (0..1_000).map(|row| format!("{row},1\n")).collect();
        app.import(
            json!({"database": kind, "action": "add", "source": format!("email,points\n{rows}")}),
        )
        .await;
        let most: String = (0..999).map(|row| format!("{row},1\n")).collect();
        let status = app
            .import(removing(
                kind,
                json!(["email"]),
                &format!("email,points\n{bad}\n{most}"),
            ))
            .await;
        assert_eq!(status["state"], "held", "{kind}: {status}");
        assert_eq!(reasons(&status), ["brake_keys_unread"], "{kind}");
        assert_eq!(app.profiles(kind).await.len(), 1_000, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_five_percent_of_rejects_hold() {
    let app = TestApp::start().await;
    for (bad, trips) in [(50, false), (51, true)] {
        let name = format!("bad-{bad}");
        people(&app, &name).await;
        let rows: String = (0..1_001).map(|row| format!("{row},1\n")).collect();
        app.import(
            json!({"database": name, "action": "add", "source": format!("email,points\n{rows}")}),
        )
        .await;
        let rows: String = (0..1_000)
            .map(|row| format!("{row},{}\n", if row < bad { "many" } else { "1" }))
            .collect();
        let status = app
            .import(removing(
                &name,
                json!(["email"]),
                &format!("email,points\n{rows}"),
            ))
            .await;
        assert_eq!(status["totals"]["rejected"], bad);
        match trips {
            true => assert_eq!(reasons(&status), ["brake_rejects"], "{status}"),
            false => assert_eq!(removed(&status), (1, 0), "{status}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_less_than_half_as_long_as_the_last_one_holds() {
    let app = TestApp::start().await;
    for (rows, trips) in [(49, true), (50, false), (51, false)] {
        let name = format!("rows-{rows}");
        people(&app, &name).await;
        super::release_brake(&app, &name).await;
        let listing = |count: usize| -> String {
            // Rows of one length, so that bytes fall like rows.
            let rows: String = (0..count).map(|row| format!("{row:03},1\n")).collect();
            format!("email,point\n{rows}").replace("point\n", "points\n")
        };
        let first = app
            .import(removing(&name, json!(["email"]), &listing(100)))
            .await;
        assert_eq!(first["state"], "completed", "{first}");
        // An import of another kind in between is not compared with.
        super::fill(&app, &name, "email,points\n000,1\n").await;
        let status = app
            .import(removing(&name, json!(["email"]), &listing(rows)))
            .await;
        assert_eq!(status["state"] == "held", trips, "{rows}: {status}");
        if trips {
            assert_eq!(reasons(&status), ["brake_shrunk"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_refuses_an_import_that_is_all_or_nothing() {
    let app = TestApp::start().await;
    for (brake, former, listing, code) in [
        (
            json!({"count": 1, "allow_empty": true}),
            10,
            8,
            "brake_count",
        ),
        (json!({"percent_below_100": 100}), 10, 0, "brake_empty"),
        (
            json!({"percent_below_100": 100, "allow_empty": true}),
            10,
            4,
            "brake_shrunk",
        ),
    ] {
        let fields = json!([{"name": "key", "type": "text"}, {"name": "new", "type": "boolean"}]);
        app.database(json!({"name": code, "fields": fields})).await;
        let path = format!("/databases/{code}");
        let limits = Some(json!({"brake": brake}));
        app.call("PATCH", &path, limits).await.expect(200);
        let rows = |rows: usize, key: &str| -> String {
            (0..rows).map(|row| format!("{key}{row},true\n")).collect()
        };
        let import = async |source: String, on_reject: &str| {
            app.import(
                json!({"database": code, "action": "update_or_add", "key_fields": ["key"],
                "remove_missing": true, "on_reject": on_reject, "source": source}),
            )
            .await
        };
        let all = format!("key,new\n{}", rows(former, "k"));
        import(all, "go_on").await;
        // Whoever names nobody that is there names somebody new: a listing has rows. Only those
        // that are updated leave nobody.
        let some = match listing {
            0 => "key,new\nnobody,true\n".to_owned(),
            listing => format!("key,new\n{}", rows(listing, "k")),
        };
        let action = if listing == 0 {
            "update"
        } else {
            "update_or_add"
        };
        let status = app
            .import(
                json!({"database": code, "action": action, "key_fields": ["key"],
                "remove_missing": true, "on_reject": "all_or_nothing", "source": some}),
            )
            .await;
        assert_eq!(status["state"], "failed", "{status}");
        assert_eq!(status["error"]["code"], code, "{status}");
        assert_eq!(app.profiles(code).await.len(), former);
    }
}

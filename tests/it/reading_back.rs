//! Profiles read back: every type of field, filters, subprofiles and cursors that hold still.

use longshore_core::database::TableNumber;
use longshore_core::field::{Field, FieldType};
use longshore_core::plan::Side;
use longshore_core::store::typed;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::app::{Answer, TestApp};

async fn filtered(app: &TestApp, database: &str, pairs: &[(&str, &str)]) -> Answer {
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    app.get(&format!("/databases/{database}/profiles?{query}"))
        .await
}

async fn found(app: &TestApp, pairs: &[(&str, &str)]) -> Vec<i64> {
    let page = filtered(app, "kinds", pairs).await.expect(200).json;
    let data = page["data"].as_array().unwrap().iter();
    data.map(|profile| profile["fields"]["no"].as_i64().unwrap())
        .collect()
}

/// A field, a value as sent, as shown, and as a filter.
fn values() -> Vec<(&'static str, Value, Value, &'static str)> {
    let same = |field, value: Value, filter| (field, value.clone(), value, filter);
    vec![
        same(
            "text",
            json!("Grüße, \"x\" ; \\ \u{1f600}\r\nnext"),
            "Grüße, \"x\" ; \\ \u{1f600}\r\nnext",
        ),
        same("text", json!(" outer "), " outer "),
        same("text", json!("00123"), "00123"),
        ("text", json!(1.50), json!("1.5"), "1.5"),
        same(
            "integer",
            json!(9_223_372_036_854_775_807_i64),
            "9223372036854775807",
        ),
        same(
            "integer",
            json!(-9_223_372_036_854_775_808_i64),
            "-9223372036854775808",
        ),
        ("integer", json!("42"), json!(42), "42"),
        same("number", json!(0.1), "0.1"),
        ("number", json!("-12.50"), json!(-12.5), "-12.5"),
        same("number", json!(123_456_789_012_345_i64), "123456789012345"),
        ("number", json!(-0.0), json!(0), "0"),
        same("boolean", json!(true), "true"),
        ("boolean", json!("FALSE"), json!(false), "false"),
        same("date", json!("2024-02-29"), "2024-02-29"),
        same("date", json!("0001-01-01"), "0001-01-01"),
        (
            "datetime",
            json!("2024-12-31T23:59:59.123456+01:00"),
            json!("2024-12-31T22:59:59.123456Z"),
            "2024-12-31T22:59:59.123456Z",
        ),
        (
            "datetime",
            json!("2000-01-01 00:00:00Z"),
            json!("2000-01-01T00:00:00Z"),
            "2000-01-01T02:00:00+02:00",
        ),
        same(
            "email",
            json!("Ann.O'Neil+x@Example.org"),
            "Ann.O'Neil+x@Example.org",
        ),
        same("phone", json!("+31 (0)20-123 45 67"), "+31 (0)20-123 45 67"),
        same("select", json!("two words"), "two words"),
        same("multiselect", json!(["a,b", "{c}"]), "a,b;{c}"),
        (
            "multiselect",
            json!("{c};a,b;\"q\""),
            json!(["a,b", "{c}", "\"q\""]),
            "\"q\";{c};a,b",
        ),
    ]
}

async fn kinds(app: &TestApp) {
    let kinds = [
        "text", "integer", "number", "boolean", "date", "datetime", "email", "phone",
    ];
    let mut fields: Vec<Value> = kinds
        .iter()
        .map(|kind| json!({"name": kind, "type": kind}))
        .collect();
    fields.push(json!({"name": "no", "type": "integer"}));
    fields.push(json!({"name": "select", "type": "select", "options": ["one", "two words"]}));
    fields.push(
        json!({"name": "multiselect", "type": "multiselect", "options": ["a,b", "{c}", "\"q\""]}),
    );
    app.database(json!({"name": "kinds", "fields": fields}))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_of_field_is_kept_read_back_and_found_by_its_value() {
    let app = TestApp::start().await;
    kinds(&app).await;
    let rows: Vec<Value> = values()
        .iter()
        .enumerate()
        .map(|(number, (field, sent, _, _))| json!({"no": number, *field: sent}))
        .collect();
    let mut with_empty = rows.clone();
    with_empty.push(json!({"no": 99}));
    let import = json!({"database": "kinds", "action": "add", "source": with_empty});
    let done = app.import(import).await;
    let rejects = app.rejects(done["id"].as_str().unwrap()).await;
    assert_eq!(done["state"], "completed", "{rejects:?}");
    let profiles = app.profiles("kinds").await;
    for (number, (field, sent, shown, filter)) in values().iter().enumerate() {
        let kept = &profiles[number]["fields"];
        assert_eq!(&kept[field], shown, "{field} {sent}");
        let others = kept.as_object().unwrap().iter();
        let nulls =
            others.filter(|(name, value)| name != field && *name != "no" && value.is_null());
        assert_eq!(nulls.count(), 9, "{kept}");
        let name = format!("field[{field}]");
        let number = i64::try_from(number).unwrap();
        assert_eq!(
            found(&app, &[(&name, filter)]).await,
            [number],
            "{field} {filter}"
        );
    }
    // What is shown is taken again and changes nothing.
    let shown: Vec<Value> = profiles
        .iter()
        .map(|profile| profile["fields"].clone())
        .collect();
    let again =
        json!({"database": "kinds", "action": "update", "key_fields": ["no"], "source": shown});
    assert_eq!(app.import(again).await["totals"]["unchanged"], shown.len());
    assert_eq!(app.profiles("kinds").await, profiles);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_follow_the_case_rule_of_their_field_and_all_must_hold() {
    let app = TestApp::start().await;
    app.database(
        json!({"name": "kinds", "fields": [{"name": "no", "type": "integer"},
        {"name": "email", "type": "email"},
        {"name": "exact", "type": "email", "case_insensitive": false},
        {"name": "code", "type": "text"},
        {"name": "City", "type": "text", "case_insensitive": true}]}),
    )
    .await;
    let row = |no: i64, text: &str| {
        json!({"no": no, "email": format!("{text}@x.example"), "exact": format!("{text}@x.example"),
            "code": text, "City": format!("{text}-Ä")})
    };
    let source = json!([row(1, "ann"), row(2, "ANN"), row(3, "a%n"), row(4, "a_n")]);
    app.import(json!({"database": "kinds", "action": "add", "source": source}))
        .await;
    for (pairs, expected) in [
        (vec![("field[email]", "Ann@X.example")], vec![1, 2]),
        (vec![("field[exact]", "ann@x.example")], vec![1]),
        (vec![("field[code]", "ANN")], vec![2]),
        (vec![("field[code]", "Ann")], vec![]),
        (vec![("field[code]", "a%n")], vec![3]),
        (vec![("field[code]", "a_n")], vec![4]),
        (vec![("field[City]", "aNn-ä")], vec![1, 2]),
        (
            vec![("field[city]", "ANN-Ä"), ("field[CODE]", "ann")],
            vec![1],
        ),
        (vec![("field[code]", "ann"), ("field[no]", "2")], vec![]),
        (vec![("field[code]", "' or 1=1 --")], vec![]),
    ] {
        assert_eq!(found(&app, &pairs).await, expected, "{pairs:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_cannot_hold_is_refused() {
    let app = TestApp::start().await;
    kinds(&app).await;
    for (name, value, code, word) in [
        ("field[integer]", "forty", "invalid_filter", "whole number"),
        ("field[boolean]", "yes", "invalid_filter", "true or false"),
        ("field[date]", "31-12-2024", "invalid_filter", "YYYY-MM-DD"),
        (
            "field[datetime]",
            "2024-12-31T00:00:00",
            "invalid_filter",
            "zone",
        ),
        ("field[email]", "nobody", "invalid_filter", "e-mail"),
        ("field[select]", "three", "invalid_filter", "one of"),
        ("field[text]", "", "invalid_filter", "text"),
        ("field[text]", "a\0b", "invalid_filter", "NUL"),
        ("uid", "a\0b", "invalid_filter", "NUL"),
        (
            "field[txet]",
            "x",
            "unknown_field",
            "Did you mean \\\"text\\\"?",
        ),
        ("field[]", "x", "unknown_field", "no field"),
        ("field[\0]", "x", "unknown_field", "no field"),
        ("filed[text]", "x", "invalid_parameter", "no parameter"),
        ("include", "Orders", "invalid_parameter", "none of them"),
    ] {
        let refused = filtered(&app, "kinds", &[(name, value)]).await;
        assert!(
            matches!(refused.status, 400 | 422),
            "{name}: {}",
            refused.text
        );
        assert_eq!(refused.code(), code, "{name}={value}: {}", refused.text);
        assert!(
            refused.text.contains(word),
            "{name}={value}: {}",
            refused.text
        );
    }
    let twice = [("field[text]", "a"), ("field[text]", "b")];
    assert_eq!(
        filtered(&app, "kinds", &twice).await.expect(400).code(),
        "invalid_parameter"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn subprofiles_come_with_their_profile_when_they_are_asked_for() {
    let app = TestApp::start().await;
    app.database(
        json!({"name": "people", "fields": [{"name": "email", "type": "email"}],
        "collections": [{"name": "Orders", "fields": [{"name": "no", "type": "integer"}]},
            {"name": "Notes, old", "fields": [{"name": "text", "type": "text"}]}]}),
    )
    .await;
    app.import(json!({"database": "people", "action": "update_or_add",
        "key_fields": ["email", "Orders.no"], "source": [
        {"email": "a@x.example", "Orders.no": 1}, {"email": "a@x.example", "Orders.no": 2},
        {"email": "b@x.example"}]}))
        .await;
    let page = |query: &'static str| app.get(query);
    let plain = page("/databases/people/profiles").await.expect(200).json;
    assert!(plain["data"][0].get("subprofiles").is_none(), "{plain}");
    for include in ["subprofiles", "Orders", "orders"] {
        let path = format!("/databases/people/profiles?include={include}");
        let data = app.get(&path).await.expect(200).json["data"].clone();
        let orders = data[0]["subprofiles"]["Orders"].as_array().unwrap();
        let numbers: Vec<&Value> = orders.iter().map(|order| &order["fields"]["no"]).collect();
        assert_eq!(numbers, [&json!(1), &json!(2)], "{include}");
        assert!(orders[0]["id"].as_str().unwrap().starts_with("sub_"));
        assert_eq!(data[1]["subprofiles"]["Orders"], json!([]), "{include}");
        let id = data[0]["id"].as_str().unwrap();
        let one = app
            .get(&format!(
                "/databases/people/profiles/{id}?include={include}"
            ))
            .await;
        assert_eq!(one.expect(200).json, data[0], "{include}");
    }
    let all = page("/databases/people/profiles?include=subprofiles")
        .await
        .json;
    assert_eq!(all["data"][0]["subprofiles"]["Notes, old"], json!([]));
    let refused = page("/databases/people/profiles?include=Ordres")
        .await
        .expect(400);
    assert!(
        refused.text.contains("Did you mean \\\"Orders\\\"?"),
        "{}",
        refused.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_still_while_profiles_come_change_and_go() {
    let app = TestApp::start().await;
    app.database(json!({"name": "kinds", "fields": [{"name": "no", "type": "integer"}, {"name": "text", "type": "text"}]}))
        .await;
    let row = |no: i64| json!({"no": no, "text": "same"});
    let import = |action: &str, rows: Vec<Value>| json!({"database": "kinds", "action": action, "key_fields": ["no"], "source": rows});
    app.import(import("update_or_add", (0..10).map(row).collect()))
        .await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for round in 0.. {
        let path = format!("/databases/kinds/profiles?limit=3&field%5Btext%5D=same{cursor}");
        let page = app.get(&path).await.expect(200).json;
        let data = page["data"].as_array().unwrap();
        seen.extend(
            data.iter()
                .map(|profile| profile["fields"]["no"].as_i64().unwrap()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
        if round == 0 {
            // One that was seen goes, one that was not goes, and two come.
            app.import(import("delete", vec![json!({"no": 1}), json!({"no": 8})]))
                .await;
            app.import(import("update_or_add", vec![row(20), row(21)]))
                .await;
        }
    }
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6, 7, 9, 20, 21]);
}

#[test]
fn a_filter_on_a_key_field_says_what_its_index_says() {
    let field = Field {
        id: 7,
        name: "email".to_owned(),
        kind: FieldType::Email,
        required: false,
        unique: false,
        case_insensitive: true,
        default: None,
        options: Vec::new(),
    };
    let side = Side::new(TableNumber(1), None, vec![field.clone()], 1);
    let index = typed::create_key_index(&side).replace("t1.f7", "p.f7");
    let condition = index.split_once(" where ").unwrap().1;
    let page = |is_short| typed::page(TableNumber(1), &[], &[(&field, is_short)]);
    assert!(page(true).contains(condition), "{}", page(true));
    assert!(
        !page(false).contains(condition),
        "a long value stands outside the index"
    );
}

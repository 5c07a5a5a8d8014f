//! What is judged row by row: values, required and unique fields, and what only Postgres refuses.
//! A reject never takes its chunk along.

mod payloads;
mod values;

use serde_json::{Value, json};

use crate::app::{TestApp, answer, told};

fn definition(action: &str, source: impl Into<Value>) -> Value {
    let mut definition = json!({"database": "people", "action": action, "source": source.into()});
    if action != "add" {
        definition["key_fields"] = json!(["key"]);
    }
    definition
}

/// A database with a text field `key` and these.
async fn people(app: &TestApp, more: Value) {
    let mut fields = vec![json!({"name": "key", "type": "text"})];
    fields.extend(more.as_array().unwrap().clone());
    app.database(json!({"name": "people", "fields": fields}))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_does_not_fit_rejects_its_row_with_place_value_and_expectation() {
    let app = TestApp::start().await;
    let options = json!(["red", "blue"]);
    let kinds = [
        "integer",
        "number",
        "boolean",
        "date",
        "datetime",
        "email",
        "phone",
        "select",
        "multiselect",
    ];
    let fields = kinds.map(|kind| match kind {
        "select" | "multiselect" => json!({"name": kind, "type": kind, "options": options}),
        _ => json!({"name": kind, "type": kind}),
    });
    people(&app, json!(fields)).await;
    let cases = [
        (
            "integer",
            json!("12a"),
            "12a",
            "invalid_integer",
            "whole number",
        ),
        (
            "integer",
            json!("9223372036854775808"),
            "9223372036854775808",
            "number_out_of_range",
            "9223372036854775807",
        ),
        (
            "integer",
            json!(1.5),
            "1.5",
            "invalid_integer",
            "whole number",
        ),
        ("number", json!("1,5"), "1,5", "invalid_number", "dot"),
        (
            "number",
            json!("1234567890.1234567"),
            "1234567890.1234567",
            "number_out_of_range",
            "15 significant digits",
        ),
        (
            "boolean",
            json!("yes"),
            "yes",
            "invalid_boolean",
            "true or false",
        ),
        (
            "date",
            json!("2023-02-29"),
            "2023-02-29",
            "invalid_date",
            "YYYY-MM-DD",
        ),
        (
            "datetime",
            json!("2024-01-01T00:00:00"),
            "2024-01-01T00:00:00",
            "invalid_datetime",
            "zone",
        ),
        (
            "email",
            json!("ann@example"),
            "ann@example",
            "invalid_email",
            "full domain",
        ),
        (
            "phone",
            json!("call me"),
            "call me",
            "invalid_phone",
            "phone number",
        ),
        ("select", json!("rde"), "rde", "not_allowed_value", "red"),
        (
            "multiselect",
            json!("red;green"),
            "red;green",
            "not_allowed_value",
            "one of",
        ),
        (
            "multiselect",
            json!(["red", 1]),
            "[\"red\",1]",
            "invalid_type",
            "list",
        ),
        (
            "key",
            json!("nul\u{0}"),
            "nul\u{2400}",
            "nul_character",
            "NUL",
        ),
        (
            "key",
            json!({"a": 1}),
            "{\"a\":1}",
            "invalid_type",
            "a text",
        ),
    ];
    // A good row stands between the bad ones, and every row begins on its own line.
    let mut lines = String::new();
    for (field, cell, ..) in &cases {
        lines.push_str(&format!("{}\n", json!({*field: cell})));
        lines.push_str("{\"key\": \"good\"}\n");
    }
    let mut add = definition("add", lines);
    add["format"] = json!("ndjson");
    let status = app.import(add).await;
    let (good, bad) = (cases.len(), cases.len());
    assert_eq!(
        told(&status),
        format!("created {good}, rejected {bad}; profiles +{good}")
    );
    let rejects = app.rejects(status["id"].as_str().unwrap()).await;
    assert_eq!(rejects.len(), bad);
    for (place, (reject, (field, cell, value, code, expected))) in
        rejects.iter().zip(cases).enumerate()
    {
        assert_eq!(reject["row"], 2 * place + 1, "{reject}");
        assert_eq!(reject["line"], 2 * place + 1, "{reject}");
        assert_eq!(reject["column"], field, "{reject}");
        assert_eq!(reject["code"], code, "{reject}");
        assert_eq!(reject["value"], value, "{reject}");
        assert!(
            reject["message"].as_str().unwrap().contains(expected),
            "{reject}"
        );
        // The row as it stood, for those who mend it by program.
        assert_eq!(reject["values"][field], cell, "{reject}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_value_is_shown_shortened_and_lines_count_quoted_line_ends() {
    let app = TestApp::start().await;
    people(&app, json!([{"name": "age", "type": "integer"}])).await;
    let long = "ü".repeat(150);
    let rows = format!("key,age\n\"two\nlines\",1\n\n\"three\r\nmore\nlines\",{long}\nlast,x\n");
    let status = app.import(definition("add", rows)).await;
    assert_eq!(told(&status), "created 1, rejected 2; profiles +1");
    let rejects = app.rejects(status["id"].as_str().unwrap()).await;
    let places: Vec<(i64, i64)> = rejects
        .iter()
        .map(|reject| {
            (
                reject["row"].as_i64().unwrap(),
                reject["line"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(places, [(2, 5), (3, 8)]);
    assert_eq!(rejects[0]["value"], format!("{}…", "ü".repeat(100)));
    assert_eq!(rejects[0]["values"]["age"], long);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_required_field_is_neither_left_out_nor_cleared() {
    let app = TestApp::start().await;
    people(
        &app,
        json!([{"name": "name", "type": "text", "required": true},
        {"name": "plan", "type": "text", "required": true, "default": "free"}]),
    )
    .await;
    let rows = json!([
        {"key": "a", "name": "Ann"}, {"key": "b"}, {"key": "c", "name": ""}, {"key": "d", "name": null},
        {"key": "a", "name": ""}, {"key": "a", "plan": ""}, {"key": "a", "plan": "pro"}, {"key": "a"},
        {"key": "e", "name": " ", "plan": ""},
    ]);
    let status = app.import(definition("update_or_add", rows.clone())).await;
    assert_eq!(
        told(&status),
        "created 2, updated 1, unchanged 1, rejected 5; profiles +2 ~1"
    );
    assert_eq!(
        app.told_rejects(&status).await,
        [
            "2 name required",
            "3 name required",
            "4 name required",
            "5 name required",
            "6 plan required"
        ]
    );
    assert_eq!(app.told_profiles("people").await, "a/Ann/pro; e/ /free");
    let mut keeping = definition("update_or_add", rows);
    keeping["ignore_empty_fields"] = json!(true);
    let status = app.import(keeping).await;
    assert_eq!(told(&status), "unchanged 6, rejected 3");
    // Without a column for it no profile can be made, but those that are there can be written.
    let status = app
        .import(definition("update_or_add", "key,plan\na,free\nz,free\n"))
        .await;
    assert_eq!(told(&status), "updated 1, rejected 1; profiles ~1");
    assert_eq!(app.told_rejects(&status).await, ["2 name required"]);
    let status = app.import(definition("update", "key,plan\nz,free\n")).await;
    assert_eq!(told(&status), "ignored 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_profile_gets_the_default_of_every_type_where_nothing_is_brought() {
    let app = TestApp::start().await;
    let defaults = [
        ("a", json!({"type": "text", "default": "x"})),
        ("b", json!({"type": "integer", "default": 7})),
        ("c", json!({"type": "number", "default": 1.5})),
        ("d", json!({"type": "boolean", "default": false})),
        ("e", json!({"type": "date", "default": "2024-02-29"})),
        (
            "f",
            json!({"type": "datetime", "default": "2024-01-01T01:00:00+01:00"}),
        ),
        ("g", json!({"type": "email", "default": "Ann@x.example"})),
        ("h", json!({"type": "phone", "default": "112"})),
        (
            "i",
            json!({"type": "select", "options": ["red"], "default": "red"}),
        ),
        (
            "j",
            json!({"type": "multiselect", "options": ["red", "blue"], "default": ["blue", "red"]}),
        ),
    ];
    let fields = defaults.map(|(name, mut field)| {
        field["name"] = json!(name);
        field
    });
    people(&app, json!(fields)).await;
    let all =
        "x/7/1.5/false/2024-02-29/2024-01-01T00:00:00Z/Ann@x.example/112/red/[\"red\",\"blue\"]";
    let rows = "key,a,b,c,d,e,f,g,h,i,j\nblank,,,,,,,,,,\n";
    app.import(definition("update_or_add", rows)).await;
    app.import(definition("update_or_add", "key\nabsent\n"))
        .await;
    app.import(definition("add", "key\nadded\n")).await;
    let profiles = app.told_profiles("people").await;
    assert_eq!(profiles, format!("{all}/blank; {all}/absent; {all}/added"));
    // A default is for what is made: clearing clears.
    let status = app.import(definition("update_or_add", rows)).await;
    assert_eq!(told(&status), "updated 1; profiles ~1");
    let filtered = app
        .get("/databases/people/profiles?field[key]=blank")
        .await
        .expect(200);
    let cleared = crate::app::values(&filtered.json["data"][0]);
    assert_eq!(cleared, "-/-/-/-/-/-/-/-/-/-/blank");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_only_postgres_refuses_is_found_and_the_others_are_applied() {
    let app = TestApp::start().await;
    people(&app, json!([{"name": "age", "type": "integer"}])).await;
    app.let_postgres_refuse("age", "13").await;
    let row = |key: i64| {
        format!(
            "{key},{}\n",
            if key == 500 || key == 777 { 13 } else { key }
        )
    };
    let rows = format!(
        "key,age\n{}",
        (1_000..2_000)
            .map(|key| row(key - 1_000))
            .collect::<String>()
    );
    let status = app.import(definition("update_or_add", rows)).await;
    assert_eq!(told(&status), "created 997, rejected 3; profiles +997");
    let expected = ["14 - row_refused", "501 - row_refused", "778 - row_refused"];
    assert_eq!(app.told_rejects(&status).await, expected);
    let rejects = app.rejects(status["id"].as_str().unwrap()).await;
    assert!(
        rejects[0]["message"].as_str().unwrap().contains("unlucky"),
        "{}",
        rejects[0]
    );
    // Updates are bisected like what is made.
    let rows = "key,age\n1,5\n2,13\n1,13\n3,6\n4,13\nnew,13\nnew,14\n";
    let status = app.import(definition("update_or_add", rows)).await;
    assert_eq!(
        told(&status),
        "created 1, updated 2, rejected 4; profiles +1 ~2"
    );
    assert_eq!(
        app.told_rejects(&status).await,
        [
            "2 - row_refused",
            "3 - row_refused",
            "5 - row_refused",
            "6 - row_refused"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_as_csv_are_the_rows_as_they_stood_and_formulas_are_defused() {
    let app = TestApp::start().await;
    people(
        &app,
        json!([{"name": "age", "type": "integer"}, {"name": "line", "type": "text"}]),
    )
    .await;
    let rows = "key,age,line\n=1+1,x,\"a \"\"b\"\", c\"\ngood,1,\n-5,-y,@z\n+6, 1,\tt\n";
    let status = app.import(definition("add", rows)).await;
    assert_eq!(told(&status), "created 1, rejected 3; profiles +1");
    let path = format!("/imports/{}/rejects", status["id"].as_str().unwrap());
    let csv = answer(app.request("GET", &path).header("accept", "text/csv"))
        .await
        .expect(200);
    let media = csv.headers["content-type"].to_str().unwrap();
    assert!(media.starts_with("text/csv"), "{media}");
    let message = "expected a whole number in plain digits, such as 42 or -7";
    let lines = [
        // The payload has a column of this name already.
        "\"key\",\"age\",\"line\",\"reject_line\",\"column\",\"code\",\"message\"".to_owned(),
        format!(
            "\"'=1+1\",\"x\",\"a \"\"b\"\", c\",\"2\",\"age\",\"invalid_integer\",\"\"\"x\"\": {message}\""
        ),
        format!(
            "\"'-5\",\"'-y\",\"'@z\",\"4\",\"age\",\"invalid_integer\",\"\"\"-y\"\": {message}\""
        ),
        format!(
            "\"'+6\",\" 1\",\"'\tt\",\"5\",\"age\",\"invalid_integer\",\"\"\" 1\"\": {message}\""
        ),
    ];
    assert_eq!(csv.text.split_terminator("\r\n").collect::<Vec<_>>(), lines);
    // The other shape changes nothing.
    let exact = app.rejects(status["id"].as_str().unwrap()).await;
    assert_eq!(
        exact[0]["values"],
        json!({"key": "=1+1", "age": "x", "line": "a \"b\", c"})
    );
    assert_eq!(exact[1]["value"], "-y");
    assert_eq!(exact[2]["values"]["line"], "\tt");
}

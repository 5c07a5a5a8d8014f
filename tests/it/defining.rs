//! Import definitions: whatever is wrong with one is said at once, with code, place and remedy,
//! and nothing is accepted.

use serde_json::{Value, json};

use crate::app::{Answer, TestApp, answer};

async fn app() -> TestApp {
    let app = TestApp::start().await;
    app.database(json!({"name": "people", "fields": [
            {"name": "email", "type": "email"}, {"name": "age", "type": "integer"}],
        "collections": [{"name": "Orders", "fields": [
            {"name": "no", "type": "integer"}, {"name": "paid", "type": "boolean"}]}]}))
        .await;
    app
}

/// A definition that is right, with these members put in or (null) left out.
fn with(members: &Value) -> Value {
    let mut definition = json!({"database": "people", "action": "update_or_add",
        "key_fields": ["email"]});
    for (name, value) in members.as_object().unwrap() {
        match value {
            Value::Null => definition.as_object_mut().unwrap().remove(name),
            value => definition
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), value.clone()),
        };
    }
    definition
}

async fn send(app: &TestApp, body: impl Into<reqwest::Body>) -> Answer {
    let request = app.request("POST", "/imports");
    answer(
        request
            .header("content-type", "application/json")
            .body(body),
    )
    .await
}

fn complaints(refused: &Answer) -> Vec<(String, String)> {
    let one = vec![refused.json.clone()];
    let all = refused.json["errors"].as_array().unwrap_or(&one).iter();
    all.map(|error| {
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        (text("code"), text("pointer"))
    })
    .collect()
}

async fn nothing_was_accepted(app: &TestApp) {
    let imports: i64 = sqlx::query_scalar("select count(*) from imports")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert_eq!(imports, 0);
    assert_eq!(app.payload_files(), Vec::<String>::new());
}

/// Members => code pointer: words of the detail.
const WRONG: &str = r#"
{"kez": 1} => unknown_field /kez: no member
{"key_feilds": ["email"]} => unknown_field /key_feilds: Did you mean "key_fields"?
{"keyFields": ["email"]} => unknown_field /keyFields: Did you mean "key_fields"?
{"a/b~c": 1} => unknown_field /a~1b~0c: no member
{"database": null} => missing_field /database: database
{"database": 7} => invalid_type /database: string
{"database": "peple"} => unknown_database /database: Did you mean "people"?
{"database": "db_999"} => unknown_database /database: db_999
{"database": "nul\u0000"} => unknown_database /database: nul
{"action": null} => missing_field /action: update_or_add
{"action": "upsrt"} => invalid_enum /action: ignore_or_add
{"action": "updat"} => invalid_enum /action: Did you mean "update"?
{"action": ["add"]} => invalid_type /action: string
{"key_fields": null} => key_required /key_fields: missing
{"key_fields": []} => key_required /key_fields: at least one
{"key_fields": "email"} => invalid_type /key_fields: array
{"key_fields": [["email"]]} => invalid_type /key_fields: array
{"key_fields": ["emial"]} => unknown_field /key_fields/0: Did you mean "email"?
{"key_fields": ["email", "EMAIL"]} => duplicate_field /key_fields/1: twice
{"key_fields": ["Ordres.no", "email"]} => unknown_collection /key_fields/0: Did you mean "Orders"?
{"key_fields": ["email", "Orders.nr"]} => unknown_field /key_fields/1: Orders has no field
{"key_fields": ["Orders.no"]} => key_required /key_fields: profile
{"source": {"email": "x"}} => invalid_type /source: array
{"source": 5} => invalid_type /source: array
{"source": "email\n", "location": "https://x.example/"} => source_required_one /source: not both
{"format": "xlsx"} => invalid_enum /format: ndjson
{"format": "jsn"} => invalid_enum /format: Did you mean "json"?
{"format": "csv", "source": [{"email": "a@x.example"}]} => incompatible_options /format: array
{"delimiter": "::"} => invalid_enum /delimiter: semicolon
{"delimiter": ";", "format": "json"} => incompatible_options /delimiter: csv
{"encoding": "latin-1"} => encoding_unsupported /encoding: Did you mean "latin1"?
{"encoding": "latin1", "source": "email\na@x.example\n"} => incompatible_options /encoding: UTF-8
{"link_uid_columns": {"Friends": "a\u0000"}} => nul_character /link_uid_columns: NUL
{"mapping": {"a": "emial"}} => unknown_field /mapping/a: Did you mean "email"?
{"mapping": {"a/b": "x.y"}} => unknown_collection /mapping/a~1b: no collection
{"mapping": ["email"]} => invalid_type /mapping: object
{"mapping": {"a/b": 1}} => invalid_type /mapping/a~1b: field names
{"mapping": {"a\u0000": null}} => nul_character /mapping: NUL
{"autostart": "yes"} => invalid_type /autostart: true or false
{"rebuild": 1} => invalid_type /rebuild: true or false
{"ignore_empty_fields": -1} => invalid_type /ignore_empty_fields: true or false
{"delete_target": "profile"} => incompatible_options /delete_target: delete
{"action": "delete", "delete_target": "subprofiles"} => invalid_enum /delete_target: Did you mean "subprofile"?
{"name": ""} => name_invalid /name: 1 to 200
{"name": "a\u0000b"} => name_invalid /name: printable
{"name": "a\nb"} => name_invalid /name: printable
{"name": "\u202egnp.exe"} => name_invalid /name: printable
{"callback_url": "https://x.example/"} => not_available /callback_url: not available yet
{"followups": true} => not_available /followups: not available yet
{"action": "add", "remove_missing": true} => incompatible_options /remove_missing: update_or_add
{"remove_missing": "yes"} => invalid_type /remove_missing: true or false
{"source": "email,agge\na@x.example,1\n"} => unknown_field /source: Did you mean "age"?
{"source": [{"email": "a@x.example"}, {"Orders.nr": 1}]} => unknown_field /source: Orders has no field
{"source": "age\n1\n"} => key_not_mapped /key_fields/0: email
{"source": "email,E-Mail\na@x.example,b\n", "mapping": {"E-Mail": "email"}} => duplicate_mapping /mapping: Two columns
{"source": "email\na@x.example\n", "mapping": {"mail": "age"}} => header_mismatch /mapping: no column
{"source": "email,Orders.paid\na@x.example,true\n"} => key_required /key_fields: Orders.paid
{"action": "delete", "delete_target": "subprofile", "source": "email\na@x.example\n"} => incompatible_options /delete_target: collection
"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_member_is_refused_with_code_place_and_remedy() {
    let app = app().await;
    let mut lines: Vec<(Value, &str)> = WRONG
        .trim()
        .lines()
        .map(|line| line.split_once(" => ").unwrap())
        .map(|(members, expected)| (serde_json::from_str(members).unwrap(), expected))
        .collect();
    let long = json!({"name": "n".repeat(1 << 20)});
    lines.push((long, "name_invalid /name: 1 to 200"));
    let mut surprises = Vec::new();
    for (members, expected) in lines {
        let (place, words) = expected.split_once(": ").unwrap();
        let refused = app.post("/imports", with(&members)).await;
        let found: Vec<String> = complaints(&refused)
            .iter()
            .map(|(code, pointer)| format!("{code} {pointer}"))
            .collect();
        let detail = refused.json["detail"].as_str().unwrap_or_default();
        let shaped = refused.status == 422
            && refused.headers["content-type"] == "application/problem+json"
            && refused.json["type"].is_string()
            && refused.json["status"] == 422
            && refused.text.len() < 3000;
        if !shaped || found != [place] || !detail.contains(words) {
            let shown: String = refused.text.chars().take(300).collect();
            surprises.push(format!("{expected} but {} {shown}", refused.status));
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
    nothing_was_accepted(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_complaints_come_at_once() {
    let app = app().await;
    let wrong = json!({"action": "upsrt", "kez": 1, "autostart": "yes", "followups": true,
        "delimiter": "x", "location": "ftp://x.example/"});
    let refused = app.post("/imports", wrong).await.expect(422);
    let mut found = complaints(&refused);
    found.sort();
    let expected = [
        ("invalid_enum", "/action"),
        ("invalid_enum", "/delimiter"),
        ("invalid_type", "/autostart"),
        ("missing_field", "/database"),
        ("not_available", "/followups"),
        ("unknown_field", "/kez"),
        ("url_scheme_not_allowed", "/location"),
    ];
    let expected = expected.map(|(code, pointer)| (code.to_owned(), pointer.to_owned()));
    assert_eq!(found, expected);
    let columns = json!({"source": "email,a,b,c\nx@x.example,1,2,3\n"});
    let refused = app.post("/imports", with(&columns)).await.expect(422);
    assert_eq!(complaints(&refused).len(), 3, "{}", refused.text);
    nothing_was_accepted(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_definition_is_refused() {
    let app = app().await;
    let deep = format!("{{\"source\":{}", "[".repeat(10_000));
    let surrogate = br#"{"database":"people","action":"add","source":"\ud800"}"#;
    let bodies: [(&[u8], u16, &str, &str); 15] = [
        (surrogate, 400, "invalid_json", "escape"),
        (b"", 400, "empty_body", "empty"),
        (b" \n\t", 400, "empty_body", "empty"),
        (
            b"{\n\"database\": people}",
            400,
            "invalid_json",
            "line 2, column 1",
        ),
        (b"{\"database\":\"people\"", 400, "invalid_json", "line 1"),
        (b"{} {}", 400, "invalid_json", "line 1"),
        (b"[]", 400, "invalid_json", "object"),
        (b"null", 400, "invalid_json", "object"),
        (b"\xff\xfe{\0}\0", 400, "invalid_json", "UTF-8"),
        (b"{\"name\":\"\xff\"}", 400, "invalid_json", "UTF-8"),
        (deep.as_bytes(), 400, "too_deep", "deeper"),
        (
            b"{\"name\":\"a\",\"name\":\"b\"}",
            422,
            "duplicate_key",
            "name",
        ),
        (
            b"{\"name\":\"a\",\"n\\u0061me\":\"b\"}",
            422,
            "duplicate_key",
            "name",
        ),
        (
            b"{\"database\":\"people\",\"action\":\"add\",\"mapping\":{\"a\":\"age\",\"a\":null}}",
            422,
            "duplicate_key",
            "a",
        ),
        (
            b"{\"database\":\"\\ud800\",\"action\":\"add\"}",
            400,
            "invalid_json",
            "escape",
        ),
    ];
    for (body, status, code, word) in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let refused = send(&app, body.to_vec()).await;
        assert_eq!(
            (refused.status, refused.code()),
            (status, code),
            "{shown}: {}",
            refused.text
        );
        assert!(
            refused.json["detail"].as_str().unwrap().contains(word),
            "{}",
            refused.text
        );
    }
    nothing_was_accepted(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_another_type_or_encoding_is_refused() {
    let app = app().await;
    let body = with(&json!({})).to_string();
    let try_it = async |headers: &[(&str, &str)]| {
        let mut request = app.request("POST", "/imports").body(body.clone());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request).await
    };
    let json = ("content-type", "application/json");
    let refused = try_it(&[]).await.expect(415);
    assert_eq!(refused.code(), "unsupported_media_type");
    for media in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "json",
        "application/jsonp",
    ] {
        let refused = try_it(&[("content-type", media)]).await.expect(415);
        assert_eq!(refused.code(), "unsupported_media_type", "{media}");
        assert!(
            refused.text.contains("application/json"),
            "{}",
            refused.text
        );
    }
    for charset in ["utf-16", "\"iso-8859-1\""] {
        let media = format!("application/json; charset={charset}");
        let refused = try_it(&[("content-type", &media)]).await.expect(415);
        assert_eq!(refused.code(), "unsupported_charset", "{charset}");
    }
    for encoding in ["br", "gzip", "gzip, gzip", "identity, gzip"] {
        let refused = try_it(&[json, ("content-encoding", encoding)])
            .await
            .expect(415);
        assert_eq!(refused.code(), "unsupported_encoding", "{encoding}");
    }
    nothing_was_accepted(&app).await;
    for media in [
        "application/json; charset=UTF-8",
        "APPLICATION/JSON",
        "application/json;charset=\"utf-8\"",
    ] {
        try_it(&[("content-type", media)]).await.expect(202);
    }
    try_it(&[json, ("content-encoding", "identity")])
        .await
        .expect(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_inline_source_is_taken_and_one_byte_more_is_not() {
    let app = app().await;
    let limit = longshore_core::limits::INLINE_BYTES_MAX;
    let body = |bytes: usize| {
        let rows = r#"{"email":"a@x.example","age":1},"#.repeat(1000);
        let source = format!("[{}]", rows.trim_end_matches(','));
        let source = source.replacen('[', &format!("[{}", " ".repeat(bytes - source.len())), 1);
        assert_eq!(source.len(), bytes);
        format!(r#"{{"database":"people","action":"add","autostart":false,"source":{source}}}"#)
    };
    let refused = send(&app, body(limit + 1)).await.expect(413);
    assert_eq!(refused.code(), "body_too_large");
    assert!(refused.text.contains("10485760"), "{}", refused.text);
    nothing_was_accepted(&app).await;
    let accepted = send(&app, body(limit)).await.expect(202);
    assert_eq!(accepted.json["payload"]["bytes"], limit);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_right_is_echoed_with_its_defaults() {
    let app = app().await;
    let accepted = app
        .post(
            "/imports",
            with(&json!({"name": "Nightly", "rebuild": true, "location": null})),
        )
        .await
        .expect(202);
    let id = accepted.json["id"].as_str().unwrap();
    assert_eq!(accepted.headers["location"], format!("/v1/imports/{id}"));
    assert_eq!(
        accepted.json["definition"],
        json!({"database": "people", "name": "Nightly", "action": "update_or_add",
            "key_fields": ["email"], "location": null, "format": null, "delimiter": null,
            "encoding": null, "quotes": "double", "dates": "iso", "mapping": {}, "autostart": true, "rebuild": true,
            "followups": false, "ignore_empty_fields": false, "remove_missing": false,
            "delete_target": "profile", "callback_url": null, "on_unknown_column": "refuse",
            "on_reject": "go_on", "on_empty_key": "reject", "on_multiple_matches": "all",
            "match_by": "key_fields", "key_comparison": "as_field_says", "id_column": null,
            "uid_column": null, "link_uid_columns": {}, "version_column": null,
            "override_column": null})
    );
    assert_eq!(
        (&accepted.json["state"], &accepted.json["database_name"]),
        (&json!("draft"), &json!("people"))
    );
    let status = app.status(id).await;
    assert_eq!(status, accepted.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_column_of_a_location_or_upload_fails_the_import_before_any_row() {
    let app = app().await;
    let csv = "email,agge\na@x.example,1\nb@x.example,2\n";
    let location = app.files.put("/people.csv", csv);
    let fetched = app.submit(with(&json!({"location": location}))).await;
    let uploaded = app.submit(with(&json!({}))).await;
    app.upload(&uploaded, "text/csv", csv).await.expect(202);
    app.work_until_idle().await;
    for id in [fetched, uploaded] {
        let status = app.status(&id).await;
        assert_eq!(
            (&status["state"], &status["error"]["code"]),
            (&json!("failed"), &json!("unknown_field"))
        );
        let message = status["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("\"agge\"") && message.contains("Did you mean \"age\"?"),
            "{message}"
        );
        assert_eq!(status["totals"]["unprocessed"], 2, "{status}");
        assert_eq!(status["totals"]["created"], 0);
    }
    assert_eq!(app.profiles("people").await.len(), 0);
}

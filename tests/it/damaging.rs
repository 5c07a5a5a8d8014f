//! Payloads whose structure is damaged: the import fails with code and place before anything is
//! applied, whichever way the payload came.

use serde_json::{Value, json};

use crate::app::TestApp;

async fn app() -> TestApp {
    let app = TestApp::start().await;
    app.database(json!({"name": "people", "fields": [
        {"name": "email", "type": "email"}, {"name": "note", "type": "text"}]}))
        .await;
    app
}

struct Damage {
    what: &'static str,
    payload: Vec<u8>,
    members: Value,
    code: &'static str,
    line: Option<u64>,
}

fn damage(
    what: &'static str,
    payload: impl AsRef<[u8]>,
    code: &'static str,
    line: Option<u64>,
) -> Damage {
    Damage {
        what,
        payload: payload.as_ref().to_vec(),
        members: json!({}),
        code,
        line,
    }
}

impl Damage {
    /// With members of its definition.
    fn with(self, members: Value) -> Damage {
        Damage { members, ..self }
    }
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    let bytes = |unit: u16| {
        if big {
            unit.to_be_bytes()
        } else {
            unit.to_le_bytes()
        }
    };
    "\u{feff}"
        .encode_utf16()
        .chain(text.encode_utf16())
        .flat_map(bytes)
        .collect()
}

/// Good rows come first in all of them, so that something could have been applied.
fn damages() -> Vec<Damage> {
    let good = "email,note\na@x.example,one\nb@x.example,two\n";
    let json_good = "[{\"email\":\"a@x.example\"},\n {\"email\":\"b@x.example\"},\n ";
    let many_lines = format!("{good}c@x.example,\"{}", "open\n".repeat(200));
    let columns: Vec<String> = (0..501).map(|number| format!("c{number}")).collect();
    let mut all = vec![
        damage(
            "unclosed quote",
            format!("{good}c@x.example,\"three\nd@x.example,four\n"),
            "unclosed_quote",
            Some(4),
        ),
        damage(
            "unclosed quote over many lines",
            many_lines,
            "unclosed_quote",
            Some(4),
        ),
        damage(
            "semicolons",
            good.replace(',', ";"),
            "delimiter_suspect",
            Some(1),
        )
        .with(json!({"delimiter": ","})),
        damage(
            "tabs",
            good.replace(',', "\t"),
            "delimiter_suspect",
            Some(1),
        )
        .with(json!({"delimiter": ","})),
        damage(
            "duplicate header",
            "email,note,note\na@x.example,1,2\n",
            "duplicate_header",
            Some(1),
        ),
        damage(
            "empty header",
            "email,,note\na@x.example,1,2\n",
            "empty_header",
            Some(1),
        ),
        damage("header alone", "email,note\n", "no_rows", None),
        damage("blank lines alone", "\n\n\r\n", "empty_payload", None),
        damage(
            "UTF-16, little end first",
            utf16(good, false),
            "encoding_unsupported",
            None,
        )
        .with(json!({"encoding": "utf-8"})),
        damage(
            "UTF-16, big end first",
            utf16(good, true),
            "encoding_unsupported",
            None,
        )
        .with(json!({"encoding": "utf-8"})),
        damage("no header", "ann,one\nbob,two\n", "unknown_field", None),
        damage(
            "too many columns",
            columns.join(",") + "\n",
            "too_many_columns",
            Some(1),
        ),
        damage(
            "a row without end",
            format!("{good}{}", "x".repeat(2 << 20)),
            "line_too_long",
            Some(4),
        ),
        damage(
            "cut array",
            format!("{json_good}{{\"email\":\"c@x"),
            "payload_truncated",
            Some(3),
        ),
        damage("cut between rows", json_good, "payload_truncated", Some(3)),
        damage(
            "trailing comma",
            format!("{json_good}{{\"email\":\"c@x.example\"}},]"),
            "invalid_json",
            Some(3),
        ),
        damage(
            "single quotes",
            format!("{json_good}{{'email':'c@x.example'}}]"),
            "invalid_json",
            Some(3),
        ),
        damage(
            "comment",
            format!("{json_good}// more\n]"),
            "invalid_json",
            Some(3),
        ),
        damage(
            "two arrays",
            format!("{json_good}{{}}]\n[]"),
            "invalid_json",
            Some(4),
        ),
        damage("empty array", "[]", "no_rows", None),
        damage(
            "web page",
            "<!DOCTYPE html><html>no data</html>",
            "source_not_data",
            None,
        ),
        damage("ZIP", b"PK\x03\x04\x14\0\x06\0", "format_mismatch", None),
    ];
    for (what, format, payload, code) in [
        (
            "object instead of array",
            "json",
            "{\"email\":\"a@x.example\"}",
            "expected_array",
        ),
        (
            "string instead of array",
            "json",
            "\"email\"",
            "expected_array",
        ),
        ("CSV as JSON", "json", good, "format_mismatch"),
    ] {
        let mut one = damage(what, payload, code, Some(1));
        one.members = json!({"format": format});
        all.push(one);
    }
    let mut one = damage(
        "missing column of the mapping",
        good,
        "header_mismatch",
        None,
    );
    one.members = json!({"mapping": {"Mail": "email"}});
    all.push(one);
    all
}

/// What is not as it should be.
fn surprise(way: &str, damage: &Damage, status: &Value) -> Option<String> {
    let error = &status["error"];
    let told = status["state"] == "failed"
        && error["code"] == damage.code
        && (damage.line.is_none() || error["line"] == json!(damage.line))
        && error["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
        && status["totals"]["created"] == 0;
    let expected = (damage.what, damage.code, damage.line);
    (!told).then(|| format!("{expected:?} by {way}: {} {error}", status["state"]))
}

fn definition(damage: &Damage) -> Value {
    let mut definition = json!({"database": "people", "action": "add"});
    for (name, value) in damage.members.as_object().unwrap() {
        definition[name] = value.clone();
    }
    definition
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_upload_fails_before_anything_is_applied() {
    let app = app().await;
    let mut surprises: Vec<String> = Vec::new();
    for damage in damages() {
        let id = app.submit(definition(&damage)).await;
        let media = "application/octet-stream";
        app.upload(&id, media, damage.payload.clone())
            .await
            .expect(202);
        app.work_until_idle().await;
        surprises.extend(surprise("upload", &damage, &app.status(&id).await));
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
    assert_eq!(app.profiles("people").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_source_at_a_location_fails_before_anything_is_applied() {
    let app = app().await;
    let mut surprises: Vec<String> = Vec::new();
    for damage in damages() {
        let mut definition = definition(&damage);
        definition["location"] = json!(app.files.put("/damaged", damage.payload.clone()));
        surprises.extend(surprise("location", &damage, &app.import(definition).await));
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
    assert_eq!(app.profiles("people").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_inline_source_fails_before_anything_is_applied() {
    let app = app().await;
    let mut surprises: Vec<String> = Vec::new();
    for damage in damages() {
        let Ok(text) = String::from_utf8(damage.payload.clone()) else {
            continue;
        };
        let mut definition = definition(&damage);
        definition["source"] = json!(text);
        // What is wrong with the columns of an inline source is said at once.
        if ["unknown_field", "header_mismatch"].contains(&damage.code) {
            let refused = app.post("/imports", definition).await.expect(422);
            assert_eq!(refused.code(), damage.code, "{}", damage.what);
            continue;
        }
        surprises.extend(surprise("source", &damage, &app.import(definition).await));
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
    assert_eq!(app.profiles("people").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nul_in_a_column_name_is_refused_in_words() {
    let app = app().await;
    for payload in [
        "[{\"email\\u0000\":\"a@x.example\"}]",
        "email\0,note\na@x.example,b\n",
    ] {
        let id = app
            .submit(json!({"database": "people", "action": "add"}))
            .await;
        app.upload(&id, "application/octet-stream", payload)
            .await
            .expect(202);
        app.work_until_idle().await;
        let status = app.status(&id).await;
        assert_eq!(status["state"], "failed", "{status}");
        assert_ne!(status["error"]["code"], "internal_error", "{status}");
        let inline = json!({"database": "people", "action": "add", "source": payload});
        let answer = app.post("/imports", inline).await;
        assert!(answer.status < 500, "{}", answer.text);
        app.work_until_idle().await;
    }
}

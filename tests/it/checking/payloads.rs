//! Payloads that are odd, but say clearly what their rows are: they are taken. And rows that cannot
//! be read, through the whole service.

use serde_json::{Value, json};

use super::people;
use crate::app::{TestApp, told};

async fn uploaded(app: &TestApp, members: Value, bytes: impl Into<Vec<u8>>) -> Value {
    let mut definition =
        json!({"database": "people", "action": "update_or_add", "key_fields": ["key"]});
    definition
        .as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    let id = app.submit(definition).await;
    app.upload(&id, "application/octet-stream", bytes)
        .await
        .expect(202);
    app.work_until_idle().await;
    app.status(&id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_blank_lines_and_line_ends_of_any_kind_are_taken() {
    let app = TestApp::start().await;
    people(&app, json!([{"name": "note", "type": "text"}])).await;
    for payload in [
        "key,note\na,1\nb,2\n",
        "\u{feff}key,note\na,1\nb,2\n",
        "\n\r\n\nkey,note\n\na,1\n\n\nb,2\n\n",
        "key,note\ra,1\rb,2\r",
        "key,note\r\na,1\nb,2\r\n",
        "key,note\na,1\nb,2",
        "key;note\na;1\nb;2\n",
        "\u{feff}[{\"key\":\"a\",\"note\":\"1\"},{\"key\":\"b\",\"note\":\"2\"}]",
        "\u{feff}{\"key\":\"a\",\"note\":\"1\"}\n\n{\"key\":\"b\",\"note\":\"2\"}",
    ] {
        let status = uploaded(&app, json!({}), payload).await;
        assert_eq!(status["state"], "completed", "{payload:?} {status}");
        assert_eq!(status["totals"]["total"], 2, "{payload:?}");
    }
    assert_eq!(app.told_profiles("people").await, "a/1; b/2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_ndjson_that_is_broken_costs_its_row_only() {
    let app = TestApp::start().await;
    people(&app, json!([{"name": "note", "type": "text"}])).await;
    let lines = [
        r#"{"key":"a"}"#,
        r#"{"key":"b"}{"key":"c"}"#,
        "",
        r#"{"key":"d""#,
        r#"{"key":"e","note":NaN}"#,
        r#"{'key':'f'}"#,
        r#"{"key":"g",}"#,
        r#"{"key":"\ud800"}"#,
        r#"["key"]"#,
        r#"{"key":"h","note":"1","note":"2"}"#,
        r#"{"key":"i\u0000"}"#,
        r#"{"key":"j"}"#,
    ];
    let status = uploaded(&app, json!({"format": "ndjson"}), lines.join("\n")).await;
    assert_eq!(told(&status), "created 2, rejected 9; profiles +2");
    let rejects = app.rejects(status["id"].as_str().unwrap()).await;
    let found: Vec<Value> = rejects
        .iter()
        .map(|reject| json!([reject["line"], reject["code"]]))
        .collect();
    let expected = json!([
        [2, "invalid_json"],
        [4, "invalid_json"],
        [5, "invalid_json"],
        [6, "invalid_json"],
        [7, "invalid_json"],
        [8, "invalid_json"],
        [9, "expected_object"],
        [10, "duplicate_field"],
        [11, "nul_character"]
    ]);
    assert_eq!(json!(found), expected);
    assert_eq!(app.told_profiles("people").await, "a/-; j/-");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_beyond_every_size_fails_the_import_with_its_line() {
    let app = TestApp::start().await;
    people(&app, json!([{"name": "note", "type": "text"}])).await;
    let ten = "x".repeat(10 << 20);
    let columns: Vec<String> = (0..50_000).map(|column| format!("c{column}")).collect();
    for (payload, code, line) in [
        (format!("key,note\na,{ten}\n"), "line_too_long", 2),
        (format!("key,note\na,\"{ten}\"\n"), "unclosed_quote", 2),
        (
            format!("key,note\na,1\nb,\"{}\n", "x\n".repeat(101)),
            "unclosed_quote",
            3,
        ),
        (columns.join(",") + "\n", "too_many_columns", 1),
        (
            format!("[{{\"key\":\"a\"}},\n{{\"key\":\"{ten}\"}}]"),
            "line_too_long",
            2,
        ),
    ] {
        let status = uploaded(&app, json!({}), payload).await;
        let error = &status["error"];
        assert_eq!(
            (&error["code"], &error["line"]),
            (&json!(code), &json!(line)),
            "{status}"
        );
    }
    assert!(app.profiles("people").await.is_empty());
}

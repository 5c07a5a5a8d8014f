//! Payloads as they are found in the wild: encodings and delimiters, declared or told from the bytes,
//! with what was told among the warnings.

use serde_json::{Value, json};

use crate::app::{TestApp, told};

async fn people(app: &TestApp) {
    let fields = json!([{"name": "name", "type": "text"}, {"name": "town", "type": "text"}]);
    app.database(json!({"name": "p", "fields": fields})).await;
}

/// Uploads bytes and applies them.
async fn uploaded(app: &TestApp, mut members: Value, bytes: Vec<u8>) -> Value {
    members["database"] = json!("p");
    members["action"] = json!("update_or_add");
    members["key_fields"] = json!(["name"]);
    let id = app.submit(members).await;
    app.upload(&id, "text/csv", bytes).await.expect(202);
    app.work_until_idle().await;
    app.status(&id).await
}

fn utf16(text: &str, little: bool) -> Vec<u8> {
    let units = text.encode_utf16();
    match little {
        true => units.flat_map(u16::to_le_bytes).collect(),
        false => units.flat_map(u16::to_be_bytes).collect(),
    }
}

fn warned(status: &Value, words: &str) -> bool {
    let warnings = status["warnings"].as_array().unwrap();
    warnings
        .iter()
        .any(|warning| warning.as_str().unwrap().contains(words))
}

const TEXT: &str = "name,town\nJürgen,Köln\nŁukasz,Łódź\n日本,東京\n";

#[tokio::test(flavor = "multi_thread")]
async fn utf_16_is_read_by_its_mark_or_as_declared() {
    let app = TestApp::start().await;
    people(&app).await;
    for (little, name) in [(true, "UTF-16LE"), (false, "UTF-16BE")] {
        let marked = utf16(&format!("\u{feff}{TEXT}"), little);
        let status = uploaded(&app, json!({}), marked.clone()).await;
        assert!(
            warned(
                &status,
                &format!("The payload is {name}, as its byte order mark says.")
            ),
            "{status}"
        );
        assert_eq!(
            told(&status).split(';').next(),
            Some(if little { "created 3" } else { "unchanged 3" })
        );
        let status = uploaded(&app, json!({"encoding": "utf-16"}), marked).await;
        assert_eq!(told(&status), "unchanged 3");
        assert!(!warned(&status, "byte order"), "{status}");
        let label = name.to_lowercase();
        let status = uploaded(&app, json!({"encoding": label}), utf16(TEXT, little)).await;
        assert_eq!(told(&status), "unchanged 3");
    }
    assert_eq!(
        app.told_profiles("p").await,
        "Jürgen/Köln; Łukasz/Łódź; 日本/東京"
    );
    // Half a character is no character, and nothing is put in its place.
    let mut broken = utf16("name,town\na,b\nx", true);
    broken.extend_from_slice(&[0x3D, 0xD8]);
    broken.extend(utf16(",y\nc,d\n", true));
    let status = uploaded(&app, json!({"encoding": "utf-16le"}), broken).await;
    assert_eq!(told(&status), "created 2, rejected 1; profiles +2");
    assert_eq!(app.told_rejects(&status).await, ["2 name invalid_utf8"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_1252_and_latin_are_read_as_declared() {
    let app = TestApp::start().await;
    people(&app).await;
    let windows = b"name,town\nJ\xFCrgen,K\xF6ln \x80\n".to_vec();
    for label in ["windows-1252", "latin1", "ISO-8859-1"] {
        let status = uploaded(&app, json!({"encoding": label}), windows.clone()).await;
        assert_eq!(status["state"], "completed", "{label}: {status}");
    }
    let status = uploaded(
        &app,
        json!({"encoding": "iso-8859-15"}),
        b"name,town\nE,\xA4\n".to_vec(),
    )
    .await;
    assert_eq!(status["state"], "completed", "{status}");
    assert_eq!(app.told_profiles("p").await, "Jürgen/Köln €; E/€");
    // A byte that Windows-1252 gives no meaning.
    let status = uploaded(
        &app,
        json!({"encoding": "windows-1252"}),
        b"name,town\na\x81,x\nb,y\n".to_vec(),
    )
    .await;
    assert_eq!(told(&status), "created 1, rejected 1; profiles +1");
    assert_eq!(app.told_rejects(&status).await, ["1 name invalid_utf8"]);
    let refused = json!({"database": "p", "action": "add", "encoding": "latin-1"});
    let refused = app.post("/imports", refused).await.expect(422);
    assert_eq!(refused.code(), "encoding_unsupported");
    assert!(refused.text.contains("Did you mean"), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delimiter_is_told_from_the_records_and_said() {
    let app = TestApp::start().await;
    people(&app).await;
    for (delimiter, words) in [
        (";", "a semicolon"),
        ("\t", "a tab"),
        ("|", "a pipe"),
        (",", ""),
    ] {
        let text = "name,town\na,\"x,y\"\nb,z\n"
            .replace("\"x,y\"", "\"x~y\"")
            .replace([',', '~'], delimiter);
        let status = uploaded(&app, json!({}), text.clone().into_bytes()).await;
        assert_eq!(status["state"], "completed", "{text:?} {status}");
        match words {
            "" => assert!(!warned(&status, "delimiter"), "{status}"),
            words => assert!(
                warned(
                    &status,
                    &format!("The delimiter was detected as {words} (2 columns in 2 of 2 rows")
                ),
                "{status}"
            ),
        }
        assert_eq!(
            app.told_profiles("p").await,
            format!("a/x{delimiter}y; b/z")
        );
        let status = uploaded(&app, json!({"delimiter": delimiter}), text.into_bytes()).await;
        assert_eq!(told(&status), "unchanged 2");
        assert!(!warned(&status, "delimiter"));
    }
    // Declared and contradicted: nothing is guessed.
    let status = uploaded(
        &app,
        json!({"delimiter": ","}),
        b"name;town\na;x\n".to_vec(),
    )
    .await;
    assert_eq!(status["error"]["code"], "delimiter_suspect", "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn white_space_around_the_dot_of_a_column_says_nothing() {
    let app = TestApp::start().await;
    let orders = json!([{"name": "Orders", "fields": [{"name": "number", "type": "text"}]}]);
    let fields = json!([{"name": "name", "type": "text"}]);
    app.database(json!({"name": "p", "fields": fields, "collections": orders}))
        .await;
    for header in ["Orders. number", "Orders .number", "orders . Number"] {
        let status = app
            .import(json!({"database": "p", "action": "update_or_add",
                "key_fields": ["name", header], "source": format!("name,{header}\na,7\n")}))
            .await;
        assert_eq!(status["state"], "completed", "{header}: {status}");
    }
    assert_eq!(app.told_profiles("p").await, "a [7]");
}

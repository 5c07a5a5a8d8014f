//! Payloads as they are found in the wild: encodings and delimiters, declared or told from the bytes,
//! with what was told among the warnings.

use serde_json::{Value, json};

use crate::app::{TestApp, answer, told};

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

/// A text as Windows-1252 has it, for letters that Latin-1 has too.
fn latin(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap()).collect()
}

/// A text as Windows-1251 has it, where `А` to `я` are the last 64.
fn cyrillic(text: &str) -> Vec<u8> {
    let byte = |c: char| match u32::from(c) {
        letter @ 0x410..=0x44F => 0xC0 + u8::try_from(letter - 0x410).unwrap(),
        ascii => u8::try_from(ascii).unwrap(),
    };
    text.chars().map(byte).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_1252_is_told_from_the_whole_payload_and_said() {
    let app = TestApp::start().await;
    let fields = json!([{"name": "name", "type": "text"}, {"name": "Größe", "type": "integer"}]);
    app.database(json!({"name": "p", "fields": fields})).await;
    // First with the header in plain ASCII, then with a header that is no UTF-8 itself.
    for (members, header) in [
        (json!({"mapping": {"size": "Größe"}}), "size"),
        (json!({}), "Größe"),
    ] {
        let text = format!("name,{header}\nJürgen Groß,7\nZoë Müller,x\nJosé Peña,9\n");
        let status = uploaded(&app, members, latin(&text)).await;
        assert_eq!(status["state"], "completed_with_rejects", "{status}");
        let words = "The payload is not UTF-8; its bytes look like windows-1252, and were read so.";
        assert!(warned(&status, words), "{status}");
        assert_eq!(app.told_profiles("p").await, "7/Jürgen Groß; 9/José Peña");
        // Whoever reads the snapshot again reads it the same way.
        let id = status["id"].as_str().unwrap();
        let request = app.request("GET", &format!("/imports/{id}/rejects"));
        let rejects = answer(request.header("accept", "text/csv")).await;
        assert!(rejects.text.contains("Zoë Müller"), "{}", rejects.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_of_which_many_rows_cannot_be_decoded_fails_and_says_what_it_looks_like() {
    let app = TestApp::start().await;
    people(&app).await;
    let rows = |bad: usize, of: usize| -> Vec<u8> {
        let mut bytes = b"name,town\n".to_vec();
        for row in 0..of {
            bytes.extend_from_slice(format!("n{row},Köln").as_bytes());
            bytes.extend_from_slice(if row < bad { b"\xFC\n" } else { b"\n" });
        }
        bytes
    };
    // What is UTF-8 elsewhere speaks against another encoding; a few are rejected one by one.
    let status = uploaded(&app, json!({}), rows(5, 100)).await;
    assert_eq!(told(&status), "created 95, rejected 5; profiles +95");
    let rejects = app.told_rejects(&status).await;
    assert_eq!(rejects[0], "1 town invalid_utf8");
    // A few rows alone are not the payload, but what they look like is said.
    let mut few = "name,town\n".to_owned();
    (0..200).for_each(|row| few.push_str(&format!("m{row},Bonn\n")));
    few.push_str("Jürgen,Köln\nZoë,Málaga\n");
    let status = uploaded(&app, json!({}), latin(&few)).await;
    assert_eq!(told(&status), "created 200, rejected 2; profiles +200");
    assert!(
        warned(&status, "The bytes look like windows-1252"),
        "{status}"
    );
    let status = uploaded(&app, json!({}), rows(6, 100)).await;
    assert_eq!(status["error"]["code"], "encoding_suspect", "{status}");
    assert_eq!(status["totals"]["created"], 0);
    // In a payload of a few rows one is a large share, and says nothing.
    let status = uploaded(&app, json!({}), rows(1, 3)).await;
    assert_eq!(told(&status), "created 2, rejected 1; profiles +2");
    // Declared: nothing else is tried.
    let german = latin(&format!("name,town\n{}", "Jürgen,Köln\n".repeat(20)));
    let status = uploaded(&app, json!({"encoding": "utf-8"}), german).await;
    assert_eq!(status["error"]["code"], "encoding_suspect", "{status}");
    let russian = "Иван Петров,Москва\nМария Иванова,Казань\n".repeat(10);
    let russian = cyrillic(&format!("name,town\n{russian}"));
    let status = uploaded(&app, json!({}), russian).await;
    let error = &status["error"];
    assert_eq!(error["code"], "encoding_suspect", "{status}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("look like windows-1251"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn apostrophes_go_around_cells_where_the_definition_says_so() {
    let app = TestApp::start().await;
    people(&app).await;
    let text = "name;town\n'a;b';'\\'s-Gravenhage'\nO'Brien;\"x;y\"\n";
    let status = uploaded(&app, json!({"quotes": "either"}), text.into()).await;
    assert_eq!(told(&status), "created 2; profiles +2");
    let found = app.told_profiles("p").await;
    assert_eq!(found, "a;b/'s-Gravenhage; O'Brien/x;y");
    let text = "name,town\n'a;b','''s-Gravenhage'\nO'Brien,x;y\n";
    let status = uploaded(&app, json!({"quotes": "single"}), text.into()).await;
    assert_eq!(told(&status), "unchanged 2");
    for (members, code) in [
        (json!({"quotes": "none"}), "invalid_enum"),
        (
            json!({"quotes": "single", "format": "json"}),
            "incompatible_options",
        ),
    ] {
        let mut definition = json!({"database": "p", "action": "add"});
        let members = members.as_object().unwrap().clone();
        definition.as_object_mut().unwrap().extend(members);
        let refused = app.post("/imports", definition).await.expect(422);
        assert_eq!(refused.code(), code);
        assert_eq!(refused.json["pointer"], "/quotes");
    }
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
    // A row that is damaged is that row's fault, also where there are few.
    let ragged = b"name;town\na;x\nb;y;z\nc;z\n".to_vec();
    let status = uploaded(&app, json!({}), ragged).await;
    assert_eq!(
        app.told_rejects(&status).await,
        ["2 - wrong_field_count"],
        "{status}"
    );
    // Where two would do, the names that are expected decide.
    let both = b"name;town, land\na;x, y\n".to_vec();
    let members = json!({"mapping": {"town, land": "town"}});
    let status = uploaded(&app, members, both).await;
    assert_eq!(status["state"], "completed", "{status}");
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

//! Names and values that break other systems: names are taken as they are or refused in words,
//! values come back unchanged, and nothing is ever more than text.

use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::app::TestApp;

/// Texts that were once code, a path, a format, an escape or another letter to somebody.
const NAUGHTY: &[&str] = &[
    "id",
    "uid",
    "created_at",
    "ctid",
    "xmin",
    "select",
    "null",
    "NULL",
    "undefined",
    "true",
    "NaN",
    "__proto__",
    "constructor",
    "$where",
    "0",
    "-1",
    "1e400",
    "0x0",
    "1/0",
    "١٢٣",
    "a\"; drop table imports;--",
    "x'||pg_sleep(5)||'",
    "'; select pg_sleep(5); --",
    "\\'; --",
    "$1",
    "%s%n%d",
    "%00",
    "{0}",
    "{{7*7}}",
    "${jndi:ldap://127!0!0!1/a}",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "&lt;b&gt;",
    "<!--",
    "]]>",
    "../../etc/passwd",
    "..\\..\\x",
    "C:\\con",
    "/",
    "//",
    "?a=b&c=d#e",
    "a[b]c",
    "[]",
    "[",
    "]",
    "a,b",
    "a;b",
    "a|b",
    "a=b",
    "+1+1",
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "`id`",
    "$(id)",
    "| id",
    "-rf",
    "--version",
    "~",
    "*",
    "\\",
    "\\n",
    "\"",
    "''",
    "\"\"\"",
    "Straße",
    "İstanbul",
    "ıI",
    "ΑΣ",
    "ﬃ",
    "e\u{301}",
    "é",
    "\u{1f469}\u{200d}\u{1f680}",
    "\u{1f1f3}\u{1f1f1}",
    "田中さん",
    "표",
    "Ω≈ç√∫",
    "¡™£¢",
    "Z\u{351}\u{36b}a\u{343}lgo",
    "(╯°□°）╯︵ ┻━┻",
    "הָיְתָה",
    "ثم نفس",
    "\u{200b}x",
    "x\u{ad}y",
    "\u{e000}",
    "\u{fffd}",
    "\u{10ffff}",
    "𝓽𝓱𝓮",
    "Ａ",
];

/// Refused as names, fine as values.
const NO_NAMES: &[&str] = &[
    " ",
    " lead",
    "trail ",
    "a.b",
    ".",
    "..",
    "a\nb",
    "a\tb",
    "a\rb",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{85}",
    "\u{202e}evil",
    "\u{2066}x",
    "\u{feff}x",
    "x\u{200e}",
    "\u{a0}",
];

fn query(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Each name only once in the eyes of whoever ignores case.
fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    for name in NAUGHTY.iter().filter(|name| !name.contains('.')) {
        if !names
            .iter()
            .any(|known| known.to_lowercase() == name.to_lowercase())
        {
            names.push(name);
        }
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn naughty_names_of_fields_and_collections_are_only_names() {
    let app = TestApp::start().await;
    let names = names();
    let fields: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": name, "type": "text"}))
        .collect();
    let collections: Vec<Value> = names
        .iter()
        .take(50)
        .map(|name| json!({"name": name, "fields": [{"name": name, "type": "text"}]}))
        .collect();
    let made = app
        .database(json!({"name": "odd", "fields": fields, "collections": collections}))
        .await;
    let shown: Vec<&str> = made["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["name"].as_str().unwrap())
        .collect();
    assert_eq!(shown, names);

    let mut row: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| ((*name).to_owned(), json!(format!("of {name}"))))
        .collect();
    for name in names.iter().take(50) {
        row.insert(format!("{name}.{name}"), json!(format!("in {name}")));
    }
    let add = json!({"database": "odd", "action": "add", "source": [row]});
    let done = app.import(add).await;
    assert_eq!(done["state"], "completed", "{done}");
    // Seven collections and the profile: as many combinations of keys as a database may have.
    let some = names.iter().skip(19).take(7);
    let mut keys: Vec<String> = some.clone().map(|name| format!("{name}.{name}")).collect();
    keys.push("a\"; drop table imports;--".to_owned());
    row.retain(|column, _| keys.contains(column));
    let update = json!({"database": "odd", "action": "update_or_add", "key_fields": keys,
        "source": [row]});
    let done = app.import(update).await;
    assert_eq!(done["totals"]["unchanged"], 1, "{done}");
    let profile = app.profiles("odd").await.remove(0);
    for (number, name) in names.iter().enumerate() {
        let value = format!("of {name}");
        assert_eq!(profile["fields"][name], value, "{name}");
        if number < 50 {
            let inside = &profile["subprofiles"][name][0]["fields"][name];
            assert_eq!(*inside, format!("in {name}"), "{name}");
        }
        let filter = query(&[(&format!("field[{name}]"), &value)]);
        let page = app
            .get(&format!("/databases/odd/profiles?{filter}"))
            .await
            .expect(200)
            .json;
        assert_eq!(page["data"].as_array().unwrap().len(), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn naughty_names_of_databases_are_only_names() {
    let app = TestApp::start().await;
    let mut known: Vec<String> = Vec::new();
    for name in NAUGHTY {
        let made = app
            .post("/databases", json!({"name": name, "fields": []}))
            .await;
        if known.contains(&name.to_lowercase()) {
            assert_eq!(made.status, 409, "{name}: {}", made.text);
            continue;
        }
        known.push(name.to_lowercase());
        let made = made.expect(201).json;
        let mut url = url::Url::parse(&app.url).unwrap();
        url.path_segments_mut()
            .unwrap()
            .extend(["v1", "databases", name]);
        let request = app.http.get(url).bearer_auth(&app.token);
        assert_eq!(
            crate::app::answer(request).await.expect(200).json,
            made,
            "{name}"
        );
        let filter = query(&[("database", name)]);
        app.get(&format!("/imports?{filter}")).await.expect(200);
    }
    let listed = app.get("/databases?limit=1000").await.expect(200).json;
    assert_eq!(listed["data"].as_array().unwrap().len(), known.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_read_differently_from_what_they_are_are_refused() {
    let app = TestApp::start().await;
    app.database(json!({"name": "odd", "fields": []})).await;
    let long = "x".repeat(101);
    for name in NO_NAMES.iter().copied().chain(["", "a\0b", &long]) {
        let field = json!({"name": name, "type": "text"});
        let refused = app.post("/databases/odd/fields", field).await.expect(422);
        assert_eq!(refused.code(), "invalid_field_name", "{name:?}");
        let collection = json!({"name": name, "fields": []});
        let refused = app
            .post("/databases/odd/collections", collection)
            .await
            .expect(422);
        assert_eq!(refused.code(), "invalid_field_name", "{name:?}");
    }
    let longest = "ß".repeat(100);
    app.post(
        "/databases/odd/fields",
        json!({"name": longest, "type": "text"}),
    )
    .await
    .expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn naughty_values_come_back_unchanged() {
    let app = TestApp::start().await;
    app.database(
        json!({"name": "odd", "fields": [{"name": "no", "type": "integer"},
        {"name": "json", "type": "text"}, {"name": "csv", "type": "text"}]}),
    )
    .await;
    let values: Vec<&str> = NAUGHTY.iter().chain(NO_NAMES).copied().collect();
    let rows: Vec<Value> = values
        .iter()
        .enumerate()
        .map(|(number, value)| json!({"no": number, "json": value}))
        .collect();
    let import = json!({"database": "odd", "action": "add", "source": rows});
    assert_eq!(app.import(import).await["totals"]["created"], values.len());
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["no", "csv"]).unwrap();
    for (number, value) in values.iter().enumerate() {
        csv.write_record([&number.to_string(), *value]).unwrap();
    }
    let csv = String::from_utf8(csv.into_inner().unwrap()).unwrap();
    let import =
        json!({"database": "odd", "action": "update", "key_fields": ["no"], "source": csv});
    assert_eq!(app.import(import).await["totals"]["updated"], values.len());
    for (value, profile) in values.iter().zip(app.profiles("odd").await) {
        assert_eq!(profile["fields"]["json"], *value);
        assert_eq!(profile["fields"]["csv"], *value);
        let filter = query(&[("field[json]", value)]);
        let page = app
            .get(&format!("/databases/odd/profiles?{filter}"))
            .await
            .expect(200)
            .json;
        assert_eq!(page["data"], json!([profile]), "{value:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_names_that_only_one_of_us_takes_for_the_same_both_stay_in_reach() {
    let app = TestApp::start().await;
    app.database(json!({"name": "odd", "fields": [{"name": "ΑΣ", "type": "text"}]}))
        .await;
    let second = app
        .post(
            "/databases/odd/fields",
            json!({"name": "ας", "type": "text"}),
        )
        .await;
    if second.status == 422 {
        assert_eq!(second.code(), "duplicate_field");
        return;
    }
    let source = json!([{"ΑΣ": "first", "ας": "second"}]);
    let done = app
        .import(json!({"database": "odd", "action": "add", "source": source}))
        .await;
    assert_eq!(done["state"], "completed", "{done}");
    let fields = app.profiles("odd").await[0]["fields"].clone();
    assert_eq!(fields, json!({"ΑΣ": "first", "ας": "second"}));
}

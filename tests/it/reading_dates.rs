//! Dates that are not in ISO order: read as the definition says, or as all rows of a column show.
//! Never by a single cell.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::app::{TestApp, told};

async fn people(app: &TestApp) {
    let fields = json!([{"name": "key", "type": "text"}, {"name": "born", "type": "date"},
        {"name": "seen", "type": "datetime"}, {"name": "note", "type": "text"}]);
    app.database(json!({"name": "p", "fields": fields})).await;
}

async fn import(app: &TestApp, dates: &str, source: &str) -> Value {
    app.import(
        json!({"database": "p", "action": "update_or_add", "key_fields": ["key"],
        "dates": dates, "source": source}),
    )
    .await
}

async fn born(app: &TestApp) -> Vec<String> {
    let profiles = app.profiles("p").await;
    let show = |profile: &Value| {
        let fields = &profile["fields"];
        let [key, born] = ["key", "born"].map(|name| fields[name].as_str().unwrap_or("-"));
        format!("{key} {born}")
    };
    profiles.iter().map(show).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_word_only_iso_dates_are_read() {
    let app = TestApp::start().await;
    people(&app).await;
    let status = import(&app, "iso", "key,born\na,2024-12-31\nb,31/12/2024\n").await;
    assert_eq!(told(&status), "created 1, rejected 1; profiles +1");
    assert_eq!(app.told_rejects(&status).await, ["2 born invalid_date"]);
    assert_eq!(status["definition"]["dates"], "iso");
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_are_read_in_the_order_that_the_definition_gives() {
    let app = TestApp::start().await;
    people(&app).await;
    let source = "key,born\na,1/2/2024\nb,01.02.2024\nc,2024-12-31\nd,30/02/2024\ne,1/2/24\n";
    let status = import(&app, "day_first", source).await;
    assert_eq!(told(&status), "created 3, rejected 2; profiles +3");
    let found = born(&app).await;
    assert_eq!(found, ["a 2024-02-01", "b 2024-02-01", "c 2024-12-31"]);
    let rejects = app.rejects(status["id"].as_str().unwrap()).await;
    assert_eq!(rejects[0]["value"], "30/02/2024", "as it stood there");
    assert_eq!(rejects[0]["code"], "invalid_date");
    let told_form = rejects[0].to_string();
    assert!(told_form.contains("DD/MM/YYYY"), "{told_form}");
    let status = import(&app, "month_first", "key,born\na,1/2/2024\n").await;
    assert_eq!(told(&status), "updated 1; profiles ~1");
    assert_eq!(born(&app).await[0], "a 2024-01-02");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_dates_is_shown_by_all_rows_of_a_column() {
    let app = TestApp::start().await;
    people(&app).await;
    // One column each way; a column that holds no dates is left alone.
    let source = "key,born,seen,note\na,01/02/2024,01/02/2024 10:00:00Z,02/03/2024\n\
                  b,31/12/2023,12/31/2023 10:00:00Z,\nc,2024-05-06,2024-05-06T10:00:00Z,x\n";
    let status = import(&app, "detect", source).await;
    assert_eq!(told(&status), "created 3; profiles +3");
    let found = born(&app).await;
    assert_eq!(found, ["a 2024-02-01", "b 2023-12-31", "c 2024-05-06"]);
    let first = &app.profiles("p").await[0]["fields"];
    assert_eq!(first["seen"], "2024-01-02T10:00:00Z");
    assert_eq!(first["note"], "02/03/2024");
    let warnings = status["warnings"].to_string();
    for words in [
        "read day first: 1 of them can only be read so, the first is 31/12/2023 in line 3",
        "read month first: 1 of them can only be read so, the first is 12/31/2023",
    ] {
        assert!(warnings.contains(words), "{words} in {warnings}");
    }
    // Days that are the same both ways need no order.
    let status = import(&app, "detect", "key,born\nsame,03/03/2024\n").await;
    assert_eq!(told(&status), "created 1; profiles +1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_of_many_rows_may_show_the_order_of_the_first() {
    let app = TestApp::start().await;
    people(&app).await;
    let mut source = String::from("key,born\n");
    for row in 0..12_000 {
        let _ = writeln!(source, "r{row},02/03/2024");
    }
    source.push_str("last,03/13/2024\n");
    let status = import(&app, "detect", &source).await;
    assert_eq!(told(&status), "created 12001; profiles +12001");
    let found = born(&app).await;
    assert!(found.contains(&"r0 2024-02-03".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_that_show_no_order_or_two_fail_the_import_and_apply_nothing() {
    let app = TestApp::start().await;
    people(&app).await;
    for (source, code, line, words) in [
        (
            "key,born\na,\nb,02/03/2024\n",
            "ambiguous_dates",
            3,
            "02/03/2024 in line 3",
        ),
        (
            "key,born\na,13/02/2024\nb,01/01/2024\nc,02/14/2024\n",
            "inconsistent_dates",
            4,
            "13/02/2024 in line 2",
        ),
    ] {
        let status = import(&app, "detect", source).await;
        let error = &status["error"];
        let found = (&error["code"], &error["line"]);
        assert_eq!(found, (&json!(code), &json!(line)));
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains(words) && message.contains("born"),
            "{message}"
        );
        assert_eq!(born(&app).await, Vec::<String>::new());
    }
}

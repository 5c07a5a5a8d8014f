//! The command line end to end, against a service that works by itself.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::app::{Reply, TestApp, make_token};
use longshore_core::token::Scope;

struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    #[track_caller]
    fn expect(self, code: i32) -> Ended {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

async fn feed(app: &TestApp, words: &[&str], input: &[u8]) -> Ended {
    let mut process = Command::new(env!("CARGO_BIN_EXE_longshore"))
        .args(words)
        .env("LONGSHORE_URL", &app.url)
        .env("LONGSHORE_TOKEN", &app.token)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let (_, output) = tokio::join!(
        async move {
            let _ = stdin.write_all(input).await;
        },
        process.wait_with_output()
    );
    let output = output.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended {
        code: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

async fn run(app: &TestApp, words: &str) -> Ended {
    feed(app, &words.split(' ').collect::<Vec<_>>(), b"").await
}

async fn app() -> TestApp {
    let app = TestApp::start().await;
    app.keep_working();
    app
}

const AIRPORTS: &str = "import tests/data/airports.csv --key icao --database";

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_a_file_is_followed_to_its_end() {
    let app = app().await;
    let made = run(&app, "databases create tests/data/airports.database.json")
        .await
        .expect(0);
    assert!(
        made.out.starts_with("created db_1 airports, 11 fields"),
        "{}",
        made.out
    );
    let done = run(&app, &format!("{AIRPORTS} airports")).await.expect(0);
    assert!(
        done.out.contains("completed") && done.out.contains("airports.csv -> airports"),
        "{}",
        done.out
    );
    assert!(
        done.out.contains("created            7,884") && done.out.contains("balanced"),
        "{}",
        done.out
    );

    let again = run(&app, &format!("{AIRPORTS} airports --json"))
        .await
        .expect(0)
        .json();
    assert_eq!(again["totals"]["unchanged"], 7884, "{again}");

    let shown = run(&app, "databases show airports").await.expect(0);
    assert!(
        shown.out.contains("icao") && shown.out.contains("required, unique"),
        "{}",
        shown.out
    );
    let listed = run(&app, "databases").await.expect(0);
    assert!(
        listed.out.contains("db_1") && listed.out.contains("airports"),
        "{}",
        listed.out
    );
    let listed = run(&app, "status").await.expect(0);
    assert!(
        listed.out.contains("imp_1") && listed.out.contains("imp_2"),
        "{}",
        listed.out
    );
    let id = again["id"].as_str().unwrap();
    let one = run(&app, &format!("status {id} --json"))
        .await
        .expect(0)
        .json();
    assert_eq!(one, again);
    run(&app, "overview").await.expect(0);
    let refused = run(&app, &format!("cancel {id}")).await.expect(6);
    assert!(refused.err.contains("not_cancellable"), "{}", refused.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_end_an_import_with_3_and_are_fetched_as_a_file() {
    let app = app().await;
    run(
        &app,
        "databases create tests/data/airports_whole_feet.database.json",
    )
    .await
    .expect(0);
    let done = run(&app, &format!("{AIRPORTS} airports_whole_feet"))
        .await
        .expect(3);
    assert!(
        done.out.contains("rejected           1,590"),
        "{}",
        done.out
    );
    assert!(
        done.out.contains("First 5 of 1,590 rejects"),
        "{}",
        done.out
    );
    assert!(
        done.out.contains("invalid_integer") && done.out.contains("longshore rejects imp_1"),
        "{}",
        done.out
    );
    run(&app, "status imp_1").await.expect(3);
    run(&app, "status imp_1 --watch").await.expect(3);

    let file = app.payload_dir.path().join("rejects.csv");
    let path = file.to_str().unwrap();
    run(&app, &format!("rejects imp_1 --output {path}"))
        .await
        .expect(0);
    let mut reader = csv::Reader::from_path(&file).unwrap();
    let header: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(header.len(), 15);
    assert_eq!(header[11..], ["line", "column", "code", "message"]);
    let first = reader.records().next().unwrap().unwrap();
    assert_eq!(
        (&first[0], &first[11], &first[12], &first[13]),
        ("07FA", "2", "elevation", "invalid_integer")
    );
    assert_eq!(reader.records().count(), 1589);

    let lines = run(&app, "rejects imp_1 --format ndjson").await.expect(0);
    assert_eq!(lines.out.lines().count(), 1590);
    let first: Value = serde_json::from_str(lines.out.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["row"], &first["values"]["elevation"]),
        (&json!(1), &json!("6.4"))
    );
}

async fn people(app: &TestApp) {
    let database = br#"{"name": "people", "fields": [{"name": "email", "type": "email"}]}"#;
    feed(app, &["databases", "create", "-"], database)
        .await
        .expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_and_addresses_are_imported_as_well() {
    let app = app().await;
    people(&app).await;
    let words = [
        "import",
        "-",
        "--database",
        "people",
        "--key",
        "email",
        "--format",
        "csv",
    ];
    let done = feed(&app, &words, b"email\na@x.example\nb@x.example\n")
        .await
        .expect(0);
    assert!(
        done.out.contains("created                2"),
        "{}",
        done.out
    );
    let location = app
        .source
        .script("/more.ndjson", [Reply::ok("{\"email\":\"c@x.example\"}\n")]);
    let words = format!("import {location} --database people --key email --map email=email");
    run(&app, &words).await.expect(0);
    assert_eq!(app.profiles("people").await.len(), 3);
    let without = feed(&app, &words[..0].split(' ').collect::<Vec<_>>(), b"").await;
    assert_eq!(without.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_fails_ends_with_1_and_its_reason() {
    let app = app().await;
    people(&app).await;
    let words = [
        "import",
        "-",
        "--database",
        "people",
        "--key",
        "email",
        "--format",
        "csv",
    ];
    let failed = feed(&app, &words, b"email\n\"a@x.example\n")
        .await
        .expect(1);
    let said = failed.out + &failed.err;
    assert!(
        said.contains("unclosed_quote") && said.contains("line 2"),
        "{said}"
    );
    run(&app, "status imp_1 --watch").await.expect(1);
    let gone = app.source.script("/gone.csv", [Reply::status(404)]);
    run(
        &app,
        &format!("import {gone} --database people --key email"),
    )
    .await
    .expect(1);
    assert_eq!(app.profiles("people").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_refuses_ends_with_6_and_nothing_is_left() {
    let app = app().await;
    people(&app).await;
    for (words, code) in [
        (format!("{AIRPORTS} nobody"), "unknown_database"),
        (format!("{AIRPORTS} people"), "unknown_field"),
        ("status imp_99".to_owned(), "not_found"),
        ("rejects imp_99".to_owned(), "not_found"),
        ("databases show nobody".to_owned(), "not_found"),
        ("start imp_99".to_owned(), "not_found"),
    ] {
        let refused = run(&app, &words).await.expect(6);
        assert!(refused.err.contains(code), "{words}: {}", refused.err);
    }
    let empty = feed(
        &app,
        &[
            "import", "-", "-d", "people", "-k", "email", "--format", "csv",
        ],
        b"",
    )
    .await;
    let empty = empty.expect(6);
    assert!(
        empty.err.contains("empty_payload") && empty.err.contains("cancelled"),
        "{}",
        empty.err
    );
    assert_eq!(app.status("imp_1").await["state"], "cancelled");

    let reader = make_token(&app.database_url, "default", Scope::Read).await;
    let words = [
        "import", "-", "-d", "people", "-k", "email", "--format", "csv", "--token", &reader,
    ];
    let refused = feed(&app, &words, b"email\n").await.expect(6);
    assert!(
        refused.err.contains("scope_missing") && !refused.err.contains(&reader),
        "{}",
        refused.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_out_of_reach_ends_with_5_and_wrong_usage_with_2() {
    let app = app().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let words = format!("{AIRPORTS} airports --url http://{free}");
    let unreachable = run(&app, &words).await.expect(5);
    assert!(
        unreachable.err.contains("cannot reach"),
        "{}",
        unreachable.err
    );
    for words in [
        "import no-such-file.csv --database people --key email",
        "import tests/data/airports.csv",
        "import tests/data/airports.csv --database people --action upsrt",
        "status --watch",
        "rejects",
        "status imp_1 --url ftp://x.example",
    ] {
        run(&app, words).await.expect(2);
    }
    assert_eq!(app.get("/imports").await.json["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_not_waited_for_can_be_watched_later() {
    let app = TestApp::start().await;
    people(&app).await;
    let words = [
        "import",
        "-",
        "-d",
        "people",
        "-k",
        "email",
        "--format",
        "csv",
        "--no-wait",
        "--json",
        "--idempotency-key",
        "night-1",
    ];
    let accepted = feed(&app, &words, b"email\na@x.example\n")
        .await
        .expect(0)
        .json();
    assert_eq!(accepted["state"], "queued", "{accepted}");
    let again = feed(&app, &words, b"email\na@x.example\n")
        .await
        .expect(0)
        .json();
    assert_eq!(
        again["id"], accepted["id"],
        "the key makes one import of both"
    );
    let watching = run(&app, "status imp_1 --watch --json");
    let working = async { app.keep_working() };
    let (watched, ()) = tokio::join!(watching, working);
    assert_eq!(watched.expect(0).json()["totals"]["created"], 1);
}

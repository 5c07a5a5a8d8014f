//! The client commands against a small stand-in for the API on a loopback port: what is sent, in
//! which order, and with which exit code each story ends.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use clap::Parser;
use serde_json::{Value, json};

use super::{Command, Exit};

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone)]
struct Seen {
    line: String,
    authorization: String,
    content_type: String,
    idempotency_key: Option<String>,
    length: Option<String>,
    body: Vec<u8>,
}

/// Answers from a script, first come first served, and remembers what it was asked.
#[derive(Clone, Default)]
struct StandIn {
    script: Arc<Mutex<VecDeque<(u16, String)>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl StandIn {
    fn answering(script: &[(u16, Value)]) -> StandIn {
        let stand_in = StandIn::default();
        let answers = script.iter().map(|(status, body)| (*status, text_of(body)));
        stand_in.script.lock().unwrap().extend(answers);
        stand_in
    }

    async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    async fn run(&self, line: &str) -> Exit {
        let url = self.serve().await;
        let words = line.split_whitespace();
        let words = ["longshore"].into_iter().chain(words);
        let line = Line::try_parse_from(words.chain(["--url", &url, "--token", "t0ken"])).unwrap();
        super::run(line.command).await
    }

    fn lines(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .map(|seen| seen.line.clone())
            .collect()
    }

    fn asked(&self, number: usize) -> Seen {
        self.seen.lock().unwrap()[number].clone()
    }
}

fn text_of(body: &Value) -> String {
    match body {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

async fn answer(State(stand_in): State<StandIn>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| Some(parts.headers.get(name)?.to_str().unwrap().to_owned());
    let seen = Seen {
        line: format!("{} {}", parts.method, parts.uri),
        authorization: header("authorization").unwrap_or_default(),
        content_type: header("content-type").unwrap_or_default(),
        idempotency_key: header("idempotency-key"),
        length: header("content-length"),
        body: to_bytes(body, usize::MAX).await.unwrap().to_vec(),
    };
    stand_in.seen.lock().unwrap().push(seen);
    let next = stand_in.script.lock().unwrap().pop_front();
    let (status, body) = next.unwrap_or((418, String::new()));
    let status = StatusCode::from_u16(status).unwrap();
    Response::builder()
        .status(status)
        .body(Body::from(body))
        .unwrap()
}

fn import(state: &str) -> Value {
    json!({"id": "imp_7", "name": null, "state": state, "database_name": "people",
        "totals": {"total": 2, "created": 1, "rejected": 1, "unprocessed": 0},
        "progress": {"rows": 2, "rows_total": null}})
}

fn problem(code: &str) -> Value {
    json!({"type": "about:blank", "title": "No", "code": code, "detail": "It is not so."})
}

fn people() -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    file.write_all(b"email,n\na@b.example,1\n").unwrap();
    file
}

#[tokio::test]
async fn a_file_is_submitted_uploaded_and_followed() {
    let stand_in = StandIn::answering(&[
        (202, import("draft")),
        (202, import("queued")),
        (200, import("queued")),
        (200, import("applying")),
        (200, import("completed_with_rejects")),
        (
            200,
            json!("{\"line\":2,\"column\":\"n\",\"code\":\"invalid_integer\",\"value\":\"x\"}\n"),
        ),
    ]);
    let file = people();
    let path = file.path().to_str().unwrap();
    let line = format!("import {path} --database people --key email --idempotency-key k1");
    assert_eq!(stand_in.run(&line).await, Exit::WithRejects);
    let lines = stand_in.lines();
    assert_eq!(
        lines[..3],
        [
            "POST /v1/imports",
            "PUT /v1/imports/imp_7/payload",
            "GET /v1/imports/imp_7"
        ]
    );
    assert!(
        lines[3].starts_with("GET /v1/imports/imp_7?wait="),
        "{lines:?}"
    );
    assert_eq!(lines[5], "GET /v1/imports/imp_7/rejects");
    let definition: Value = serde_json::from_slice(&stand_in.asked(0).body).unwrap();
    assert_eq!(definition["key_fields"], json!(["email"]));
    assert_eq!(stand_in.asked(0).idempotency_key.as_deref(), Some("k1"));
    let upload = stand_in.asked(1);
    assert_eq!(upload.body, b"email,n\na@b.example,1\n");
    assert_eq!(
        (upload.content_type.as_str(), upload.length.as_deref()),
        ("text/csv", Some("22"))
    );
    assert_eq!(upload.authorization, "Bearer t0ken");
}

#[tokio::test]
async fn a_refused_upload_cancels_its_draft_and_keeps_the_reason() {
    let stand_in = StandIn::answering(&[
        (202, import("draft")),
        (413, problem("payload_too_large")),
        (200, import("draft")),
        (202, import("cancelled")),
    ]);
    let file = people();
    let line = format!("import {} -d people --json", file.path().display());
    assert_eq!(stand_in.run(&line).await, Exit::Refused);
    assert_eq!(stand_in.lines()[3], "POST /v1/imports/imp_7/cancel");
}

#[tokio::test]
async fn an_upload_whose_answer_is_lost_is_followed_not_cancelled() {
    let stand_in = StandIn::answering(&[
        (202, import("draft")),
        (500, problem("internal_error")),
        (200, import("queued")),
        (200, import("completed")),
    ]);
    let file = people();
    let line = format!("import {} -d people --json", file.path().display());
    assert_eq!(stand_in.run(&line).await, Exit::Done);
    assert!(
        !stand_in
            .lines()
            .iter()
            .any(|line| line.ends_with("/cancel"))
    );
}

#[tokio::test]
async fn an_upload_that_meets_a_restart_is_sent_again() {
    let stand_in = StandIn::answering(&[
        (202, import("draft")),
        (503, problem("temporarily_unavailable")),
        (409, problem("payload_exists")),
        (200, import("completed")),
        (200, import("completed")),
    ]);
    let file = people();
    let line = format!("import {} -d people --json", file.path().display());
    assert_eq!(stand_in.run(&line).await, Exit::Done);
    assert_eq!(stand_in.asked(2).body, stand_in.asked(1).body);
}

#[tokio::test]
async fn an_idempotent_repeat_of_a_finished_import_uploads_nothing() {
    let stand_in = StandIn::answering(&[(202, import("completed")), (200, import("completed"))]);
    let file = people();
    let line = format!(
        "import {} -d people --json --idempotency-key k",
        file.path().display()
    );
    assert_eq!(stand_in.run(&line).await, Exit::Done);
    assert_eq!(stand_in.lines().len(), 2);
}

#[tokio::test]
async fn an_address_is_sent_as_location_and_nothing_is_uploaded() {
    let stand_in = StandIn::answering(&[(202, import("queued"))]);
    let line = "import https://files.example/people.csv -d people --no-wait --json";
    assert_eq!(stand_in.run(line).await, Exit::Done);
    let definition: Value = serde_json::from_slice(&stand_in.asked(0).body).unwrap();
    assert_eq!(definition["location"], "https://files.example/people.csv");
    assert_eq!(stand_in.lines(), ["POST /v1/imports"]);
}

#[tokio::test]
async fn a_missing_file_is_found_before_anything_is_sent() {
    let stand_in = StandIn::answering(&[]);
    assert_eq!(
        stand_in.run("import /nowhere/people.csv -d people").await,
        Exit::Usage
    );
    assert!(stand_in.lines().is_empty());
}

#[tokio::test]
async fn watching_outlives_a_service_that_is_away_for_a_moment() {
    let stand_in = StandIn::answering(&[
        (503, problem("temporarily_unavailable")),
        (200, import("applying")),
        (429, problem("rate_limited")),
        (200, import("held")),
    ]);
    assert_eq!(
        stand_in.run("status imp_7 --watch --json").await,
        Exit::NeedsPerson
    );
}

#[tokio::test]
async fn a_refusal_and_an_absent_service_end_differently() {
    let stand_in = StandIn::answering(&[(404, problem("not_found"))]);
    assert_eq!(stand_in.run("status imp_8").await, Exit::Refused);
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let words = ["longshore", "overview", "--token", "t", "--url"].map(str::to_owned);
    let words = words.into_iter().chain([format!("http://{free}")]);
    let line = Line::try_parse_from(words).unwrap();
    assert_eq!(super::run(line.command).await, Exit::Unreachable);
}

#[tokio::test]
async fn a_list_is_read_page_after_page() {
    let stand_in = StandIn::answering(&[
        (
            200,
            json!({"data": [import("queued")], "next_cursor": "a b"}),
        ),
        (
            200,
            json!({"data": [import("failed")], "next_cursor": null}),
        ),
    ]);
    assert_eq!(
        stand_in.run("status --state failed --limit 5").await,
        Exit::Done
    );
    let asked = [
        "GET /v1/imports?limit=5&state=failed",
        "GET /v1/imports?limit=5&state=failed&cursor=a+b",
    ];
    assert_eq!(stand_in.lines(), asked);
}

#[tokio::test]
async fn rejects_are_written_to_a_file_whole_or_not_at_all() {
    let stand_in = StandIn::answering(&[(200, json!("a,b\n1,2\n"))]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rejects.csv");
    let line = format!("rejects imp_7 --output {}", path.display());
    assert_eq!(stand_in.run(&line).await, Exit::Done);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a,b\n1,2\n");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_name_in_a_path_is_escaped() {
    let stand_in = StandIn::answering(&[(200, json!({"id": "db_1", "name": "a/b"}))]);
    assert_eq!(stand_in.run("databases show a/../b?c").await, Exit::Done);
    assert_eq!(stand_in.lines(), ["GET /v1/databases/a%2F..%2Fb%3Fc"]);
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked() {
    let stand_in = StandIn::answering(&[
        (
            201,
            json!({"id": "tok_1", "name": "ci", "scopes": ["read", "write"], "token": "x"}),
        ),
        (
            200,
            json!({"data": [{"id": "tok_1", "name": "ci"}], "next_cursor": null}),
        ),
        (204, Value::Null),
    ]);
    let create = "token create --name ci --scope read --scope write";
    for line in [create, "token list", "token revoke tok_1"] {
        assert_eq!(stand_in.run(line).await, Exit::Done, "{line}");
    }
    let wish: Value = serde_json::from_slice(&stand_in.asked(0).body).unwrap();
    assert_eq!(wish, json!({"name": "ci", "scopes": ["read", "write"]}));
    assert_eq!(stand_in.lines()[2], "DELETE /v1/tokens/tok_1");
}

#[tokio::test]
async fn a_database_is_created_from_its_file_to_the_letter() {
    let stand_in = StandIn::answering(&[(201, json!({"id": "db_1", "name": "airports"}))]);
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/airports.database.json"
    );
    assert_eq!(
        stand_in.run(&format!("databases create {file}")).await,
        Exit::Done
    );
    assert_eq!(stand_in.asked(0).body, std::fs::read(file).unwrap());
}

#[test]
fn the_command_line_is_sound_and_hides_the_token() {
    use clap::CommandFactory;
    Line::command().debug_assert();
    let words = [
        "longshore",
        "token",
        "create",
        "--name",
        "a",
        "--scope",
        "read",
        "--token",
        "s3cret",
    ];
    let line = Line::try_parse_from(words).unwrap();
    assert!(!format!("{:?}", line.command).contains("s3cret"));
    assert!(Line::try_parse_from(["longshore", "import", "a.csv"]).is_err());
    assert!(Line::try_parse_from(["longshore", "status", "--watch"]).is_err());
}

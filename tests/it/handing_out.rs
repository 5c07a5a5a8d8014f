//! Tokens made, listed and revoked, by API and by command line; and that their text is kept
//! nowhere and logged nowhere.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::app::{TestApp, answer, shared};

async fn make(app: &TestApp, wish: Value) -> Value {
    app.post("/tokens", wish).await.expect(201).json
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_made_by_the_api_works_until_it_is_revoked() {
    let app = TestApp::start().await;
    let made = make(&app, json!({"name": "nightly", "scopes": ["read"]})).await;
    let text = made["token"].as_str().unwrap();
    let overview = ("GET", "/overview");
    app.call_as(text, overview, None).await.expect(200);

    let path = format!("/tokens/{}", made["id"].as_str().unwrap());
    app.call("DELETE", &path, None).await.expect(204);
    app.call_as(text, overview, None).await.expect(401);
    app.call("DELETE", &path, None).await.expect(204);
    let listed = app.get("/tokens").await.expect(200);
    assert!(!listed.text.contains(text));
    let row = listed.json["data"].as_array().unwrap().iter();
    let row = row.clone().find(|row| row["id"] == made["id"]).unwrap();
    assert!(
        row["revoked_at"].is_string() && row["name"] == "nightly",
        "{row}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_when_it_was_told_to() {
    let app = TestApp::start().await;
    let wish = json!({"name": "short", "scopes": ["admin"], "expires_at": "2126-01-01T00:00:00Z"});
    let made = make(&app, wish).await;
    let text = made["token"].as_str().unwrap();
    app.call_as(text, ("GET", "/tokens"), None)
        .await
        .expect(200);
    let past = "update tokens set expires_at = now() where id = $1";
    let query = sqlx::query(past).bind(made["id"].as_str().unwrap());
    query.execute(&app.pool).await.unwrap();
    app.call_as(text, ("GET", "/tokens"), None)
        .await
        .expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_for_a_token_is_judged_whole() {
    let app = TestApp::start().await;
    let wish = json!({"nmae": "x", "scopes": ["root"], "expires_at": "soon"});
    let refused = app.post("/tokens", wish).await.expect(422);
    let found: Vec<(&str, &str)> = refused.json["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            (
                error["code"].as_str().unwrap(),
                error["pointer"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("unknown_field", "/nmae"),
            ("name_invalid", "/name"),
            ("invalid_enum", "/scopes"),
            ("invalid_datetime", "/expires_at"),
        ]
    );
    assert!(
        refused.text.contains("Did you mean \\\"name\\\"?"),
        "{}",
        refused.text
    );
    for (wish, code) in [
        (json!({"name": "x", "scopes": []}), "invalid_enum"),
        (json!({"name": "x", "scopes": ["read", 5]}), "invalid_enum"),
        (json!({"name": "x", "scopes": "read"}), "invalid_enum"),
        (
            json!({"name": "x\u{202e}", "scopes": ["read"]}),
            "name_invalid",
        ),
        (
            json!({"name": "x", "scopes": ["read"], "a/b": 1}),
            "unknown_field",
        ),
        (json!([]), "invalid_type"),
    ] {
        let refused = app.post("/tokens", wish.clone()).await.expect(422);
        assert_eq!(refused.code(), code, "{wish}");
        assert_eq!(
            app.get("/tokens").await.json["data"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_hash_of_a_token_is_kept_anywhere() {
    let app = TestApp::start().await;
    let made = make(&app, json!({"name": "kept", "scopes": ["write"]})).await;
    let text = made["token"].as_str().unwrap();
    let body = json!({"name": "people", "fields": [{"name": "a", "type": "text"}]});
    app.call_as(text, ("POST", "/databases"), Some(body))
        .await
        .expect(201);
    let body = json!({"database": "people", "action": "add", "source": "a\n1\n"});
    app.call_as(text, ("POST", "/imports"), Some(body))
        .await
        .expect(202);
    app.work_until_idle().await;

    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename) from pg_tables
         where schemaname in ('public', 'data')",
    )
    .fetch_all(&app.pool)
    .await
    .unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    let secret = text.split('_').nth(2).unwrap();
    for table in tables {
        let count = format!("select count(*) from {table} t where t::text like '%' || $1 || '%'");
        let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(count))
            .bind(secret)
            .fetch_one(&app.pool)
            .await
            .unwrap();
        assert_eq!(found, 0, "{table}");
    }
    let hash: Vec<u8> = sqlx::query_scalar("select hash from tokens where id = $1")
        .bind(made["id"].as_str().unwrap())
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert_eq!(hash, Sha256::digest(text).to_vec());
}

async fn longshore(app: &TestApp, token: &str, words: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_longshore"))
        .args(words)
        .env("LONGSHORE_URL", &app.url)
        .env("LONGSHORE_TOKEN", token)
        .output()
        .await
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_makes_lists_and_revokes_tokens() {
    let app = TestApp::start().await;
    let words = [
        "token", "create", "--name", "ci", "--scope", "write", "--scope", "read",
    ];
    let (code, out, _) = longshore(&app, &app.token, &words).await;
    assert_eq!(code, 0);
    let made = out.trim_end();
    assert_eq!(
        made.lines().count(),
        1,
        "the token stands alone on standard output"
    );
    app.call_as(made, ("GET", "/imports"), None)
        .await
        .expect(200);

    let (code, out, _) = longshore(&app, &app.token, &["token", "list"]).await;
    assert!(
        code == 0 && out.contains("ci") && out.contains("write"),
        "{out}"
    );
    assert!(!out.contains(made) && !out.contains(&app.token), "{out}");

    let (code, _, err) = longshore(&app, made, &["token", "list"]).await;
    assert!(code == 6 && err.contains("scope_missing"), "{err}");

    let id = &made[4..12];
    assert_eq!(
        longshore(&app, &app.token, &["token", "revoke", id])
            .await
            .0,
        0
    );
    app.call_as(made, ("GET", "/imports"), None)
        .await
        .expect(401);
    let (code, _, err) = longshore(&app, made, &["status"]).await;
    assert!(
        code == 6 && err.contains("unauthenticated") && !err.contains(made),
        "{err}"
    );
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

async fn whole(mut pipe: impl AsyncReadExt + Unpin) -> String {
    let mut text = String::new();
    pipe.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_never_hold_a_token_a_query_string_or_a_value_of_a_payload() {
    let app = TestApp::start().await;
    let location = app
        .files
        .put("/secret.csv", "email\nnobody@x.example\nV4LUE-in-a-row\n");
    let url = format!("http://127.0.0.1:{}", free_port());
    let mut process = Command::new(env!("CARGO_BIN_EXE_longshore"))
        .args(["up", "--log", "debug", "--log-format", "json"])
        .args(["--listen", url.trim_start_matches("http://")])
        .args(["--redis-prefix", &app.redis_prefix, "--lease-ms", "30000"])
        .env("LONGSHORE_DATABASE_URL", &app.database_url)
        .env("LONGSHORE_REDIS_URL", &shared().redis)
        .env("LONGSHORE_DATA_DIR", app.payload_dir.path())
        .env("LONGSHORE_ALLOW_LOOPBACK", &app.files.address)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // Read all the while: whoever logs into a full pipe stands still.
    let log = tokio::spawn(whole(process.stdout.take().unwrap()));
    let more = tokio::spawn(whole(process.stderr.take().unwrap()));
    let deadline = Instant::now() + Duration::from_secs(30);
    while app.http.get(format!("{url}/healthz")).send().await.is_err() {
        assert!(Instant::now() < deadline, "the API does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let call = |method: reqwest::Method, path: &str| {
        let request = app.http.request(method, format!("{url}{path}"));
        request
            .bearer_auth(&app.token)
            .header("content-type", "application/json")
    };
    let database = json!({"name": "people", "fields": [{"name": "email", "type": "email"}]});
    let request = call(reqwest::Method::POST, "/v1/databases").body(database.to_string());
    answer(request).await.expect(201);
    let import = json!({"database": "people", "action": "add",
        "location": format!("{location}?signature=QU3RY")});
    let request = call(reqwest::Method::POST, "/v1/imports").body(import.to_string());
    let id = answer(request).await.expect(202).json["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/imports/{id}?wait=20");
    let done = answer(call(reqwest::Method::GET, &path)).await.expect(200);
    assert_eq!(
        done.json["state"], "completed_with_rejects",
        "{}",
        done.text
    );
    let path = format!("/v1/overview?access_token={}", app.token);
    answer(call(reqwest::Method::GET, &path)).await.expect(400);

    let pid = process.id().unwrap().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-s", "TERM", &pid])
        .status();
    assert!(killed.unwrap().success());
    let (log, more) = (log.await.unwrap(), more.await.unwrap());
    assert!(process.wait().await.unwrap().success(), "{more}");
    let log = log + &more;
    assert!(
        log.contains("\"import\":") && log.contains("accepted"),
        "{log}"
    );
    let secret = app.token.split('_').nth(2).unwrap();
    for hidden in [secret, "QU3RY", "V4LUE", "nobody@x.example"] {
        let line = log.lines().find(|line| line.contains(hidden));
        assert_eq!(line, None, "{hidden}");
    }
}

//! Codes that need a circumstance of their own: a payload that vanished, a ledger out of reach, a
//! row that ends its worker, rows that are broken each in its own way.

mod elsewhere;

use longshore_core::limits::KEY_INDEXES_MAX;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{Reply, TestApp, answer};

async fn app() -> TestApp {
    let app = TestApp::start().await;
    let fields = json!([{"name": "email", "type": "email"}, {"name": "note", "type": "text"}]);
    app.database(json!({"name": "people", "fields": fields}))
        .await;
    app
}

async fn draft(app: &TestApp) -> String {
    app.submit(json!({"database": "people", "action": "add"}))
        .await
}

fn number(id: &str) -> i64 {
    id.trim_start_matches("imp_").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_are_given_in_their_own_media_types_only() {
    let app = app().await;
    let id = draft(&app).await;
    let request = app.request("GET", &format!("/imports/{id}/rejects"));
    let refused = answer(request.header("accept", "image/png, application/xml")).await;
    assert_eq!((refused.status, refused.code()), (406, "not_acceptable"));
    assert!(refused.text.contains("text/csv"), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_is_no_longer_than_a_cell() {
    let app = app().await;
    let field = json!({"name": "long", "type": "text", "default": "x".repeat(70_000)});
    let refused = app.post("/databases/people/fields", field).await;
    let at = (refused.status, refused.code(), &refused.json["pointer"]);
    assert_eq!(at, (422, "too_long", &json!("/default")));
    assert!(refused.text.contains("65536"), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_cancelled_takes_no_payload() {
    let app = app().await;
    let id = draft(&app).await;
    let cancel = format!("/imports/{id}/cancel");
    app.call("POST", &cancel, None).await.expect(202);
    let refused = app.upload(&id, "text/csv", "email\na@x.example\n").await;
    assert_eq!((refused.status, refused.code()), (409, "not_draft"));
    assert!(refused.text.contains("cancelled"), "{}", refused.text);
    assert_eq!(app.payload_files(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_that_is_none_is_answered_as_incomplete() {
    let app = app().await;
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://"))
        .await
        .unwrap();
    let head = format!(
        "POST /v1/imports HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nno length\r\n{{}}",
        app.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text).await;
    app.hear_raw(&text);
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
    assert!(text.contains("body_incomplete"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_matched_by_a_limited_number_of_key_combinations() {
    let app = TestApp::start().await;
    let field = |number| json!({"name": format!("f{number}"), "type": "text"});
    let fields: Vec<_> = (0..=KEY_INDEXES_MAX).map(field).collect();
    app.database(json!({"name": "wide", "fields": fields}))
        .await;
    for number in 0..=KEY_INDEXES_MAX {
        let name = format!("f{number}");
        let done = app
            .import(
                json!({"database": "wide", "action": "update_or_add", "key_fields": [name],
                "source": [{(name): "x"}]}),
            )
            .await;
        if number < KEY_INDEXES_MAX {
            assert_eq!(done["state"], "completed", "{done}");
        } else {
            assert_eq!(done["error"]["code"], "too_many_key_indexes", "{done}");
            assert_eq!(done["totals"]["created"], 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_vanished_fails_its_import_in_words() {
    let app = app().await;
    let id = draft(&app).await;
    app.upload(&id, "text/csv", "email\na@x.example\n")
        .await
        .expect(202);
    let kept = app.payload_files();
    assert_eq!(kept.len(), 1);
    std::fs::remove_file(app.payload_dir.path().join(&kept[0])).unwrap();
    app.work_until_idle().await;
    let failed = app.status(&id).await;
    assert_eq!(failed["state"], "failed");
    assert_eq!(failed["error"]["code"], "payload_missing", "{failed}");
    let said = failed["error"].to_string();
    assert!(said.contains("Submit the import again"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_announces_more_than_the_limit_is_not_read() {
    let app = app().await;
    let endless = Reply::ok("email\n").short_of(1 << 40);
    let location = app.source.script("/endless.csv", [endless]);
    let failed = app
        .import(json!({"database": "people", "action": "add", "location": location}))
        .await;
    assert_eq!(failed["error"]["code"], "payload_too_large", "{failed}");
    assert_eq!(app.source.asked("/endless.csv"), 1);
    assert_eq!(app.payload_files(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_broken_each_in_its_own_way_are_rejected_alone() {
    let app = app().await;
    let csv: Vec<u8> = [
        &b"email,note\n"[..],
        b"good@x.example,fine\n",
        b"a@x.example,\xff\xfe\n",
        b"b@x.example,say \"hello\"\n",
        b"c@x.example,one,two\n",
        format!("d@x.example,{}\n", "x".repeat(70_000)).as_bytes(),
    ]
    .concat();
    let id = draft(&app).await;
    app.upload(&id, "text/csv", csv).await.expect(202);
    app.work_until_idle().await;
    assert_eq!(
        rejected(&app, &id).await,
        [
            "invalid_utf8",
            "stray_quote",
            "wrong_field_count",
            "field_too_long"
        ]
    );
    let messages: Vec<Value> = app.rejects(&id).await;
    let told = messages[2]["message"].as_str().unwrap();
    assert!(
        told.ends_with(": expected 2 cells, got 3: a `,` in a cell without quotes?"),
        "{told}"
    );

    let members: String = (0..2000).map(|n| format!("\"m{n}\":1,")).collect();
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let lines = [
        "{\"email\":\"other@x.example\",\"note\":\"fine\"}".to_owned(),
        "[1,2]".to_owned(),
        "{\"email\":\"e@x.example\",\"email\":\"f@x.example\"}".to_owned(),
        format!("{{\"email\":\"g@x.example\",\"note\":{deep}}}"),
        format!("{{{members}\"email\":\"h@x.example\"}}"),
    ];
    let id = draft(&app).await;
    app.upload(&id, "application/x-ndjson", lines.join("\n"))
        .await
        .expect(202);
    app.work_until_idle().await;
    assert_eq!(
        rejected(&app, &id).await,
        [
            "expected_object",
            "duplicate_field",
            "too_deep",
            "too_many_fields"
        ]
    );
    assert_eq!(app.profiles("people").await.len(), 2);
}

async fn rejected(app: &TestApp, id: &str) -> Vec<String> {
    let status = app.status(id).await;
    assert_eq!(status["state"], "completed_with_rejects", "{status}");
    let rejects = app.rejects(id).await;
    rejects
        .iter()
        .map(|reject| reject["code"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_ended_four_workers_is_rejected_and_the_others_are_applied() {
    let app = app().await;
    let rows: Vec<_> = (0..3)
        .map(|row| json!({"email": format!("u{row}@x.example")}))
        .collect();
    let id = app
        .submit(json!({"database": "people", "action": "add", "source": rows}))
        .await;
    // As after four holders that died with the first row, the last ones with it alone.
    sqlx::query("update leases set rescues = 4, rows_at_rescue = 1 where import_id = $1")
        .bind(number(&id))
        .execute(&app.pool)
        .await
        .unwrap();
    app.work_until_idle().await;
    let rejects = app.rejects(&id).await;
    assert_eq!(rejects.len(), 1, "{rejects:?}");
    assert_eq!(
        (&rejects[0]["code"], &rejects[0]["row"]),
        (&json!("row_crashed_worker"), &json!(1))
    );
    assert_eq!(app.status(&id).await["totals"]["created"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_is_away_nothing_is_accepted_and_everyone_is_told_to_come_back() {
    let mut app = app().await;
    let gate = app.behind_a_gate().await;
    app.get("/databases/people").await.expect(200);
    app.expects_outage();
    gate.set_open(false);
    let import = json!({"database": "people", "action": "add",
        "source": [{"email": "a@x.example"}]});
    for (method, path, body) in [
        ("POST", "/imports", Some(import.clone())),
        ("GET", "/imports", None),
        ("GET", "/databases/people", None),
        ("GET", "/overview", None),
    ] {
        let refused = app.call(method, path, body).await;
        assert_eq!(
            (refused.status, refused.code()),
            (503, "temporarily_unavailable"),
            "{method} {path}"
        );
        assert!(refused.headers.contains_key("retry-after"), "{path}");
    }
    let health = answer(app.http.get(format!("{}/healthz", app.url))).await;
    assert_eq!((health.status, health.text.as_str()), (503, ""));
    gate.set_open(true);
    assert_eq!(app.import(import).await["totals"]["created"], 1);
    assert_eq!(app.profiles("people").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_ours_is_answered_in_words_that_give_nothing_away() {
    let app = app().await;
    app.expects_outage();
    let rename = async |from: &str, to: &str| {
        let sql = format!("alter table fields rename column {from} to {to}");
        let renamed = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&app.pool).await;
        renamed.unwrap();
    };
    rename("name", "nmae").await;
    let refused = app.get("/databases/people").await.expect(500);
    assert_eq!(refused.code(), "internal_error");
    for inside in ["column", "nmae", "select", "sqlx", "postgres"] {
        assert!(!refused.text.contains(inside), "{}", refused.text);
    }
    rename("nmae", "name").await;
    app.get("/databases/people").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_leads_to_its_explanation() {
    let app = app().await;
    let refused = app.get("/nothing").await.expect(404);
    assert!(!refused.json["remedy"].as_str().unwrap().is_empty());
    let docs = refused.json["docs"].as_str().unwrap();
    let (page, anchor) = docs.split_once('#').unwrap();
    let page = answer(app.http.get(format!("{}{page}", app.url)))
        .await
        .expect(200);
    assert_eq!(page.headers["content-type"], "text/markdown; charset=utf-8");
    assert!(page.text.contains(&format!("\n### {anchor}\n")), "{docs}");
}

//! How imports stand: status with ETag and long poll, lists with cursors, the overview.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::app::{Answer, TestApp, answer};

async fn app() -> TestApp {
    let app = TestApp::start().await;
    let fields = json!([{"name": "email", "type": "email"}]);
    app.database(json!({"name": "people", "fields": fields}))
        .await;
    app
}

fn one_row() -> Value {
    json!({"database": "people", "action": "add", "source": [{"email": "a@x.example"}]})
}

async fn poll(app: &TestApp, id: &str, etag: &str) -> Answer {
    let request = app.request("GET", &format!("/imports/{id}"));
    answer(request.header("if-none-match", etag)).await
}

fn etag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_did_not_change_is_not_sent_again() {
    let app = app().await;
    let id = app.submit(one_row()).await;
    let queued = app.get(&format!("/imports/{id}")).await.expect(200);
    assert_eq!(queued.headers["cache-control"], "no-cache");
    let waiting: u64 = queued.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=10).contains(&waiting), "{waiting}");
    for list in [
        etag(&queued),
        format!("\"other\", {}", etag(&queued)),
        format!("W/{}", etag(&queued)),
        "*".to_owned(),
    ] {
        let same = poll(&app, &id, &list).await.expect(304);
        assert_eq!(
            (same.text.as_str(), etag(&same)),
            ("", etag(&queued)),
            "{list}"
        );
        assert!(same.headers.contains_key("retry-after"));
    }
    app.work_until_idle().await;
    let done = poll(&app, &id, &etag(&queued)).await.expect(200);
    assert_eq!(done.json["state"], "completed");
    assert!(
        !done.headers.contains_key("retry-after"),
        "nothing is left to wait for"
    );
    poll(&app, &id, &etag(&done)).await.expect(304);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_etag_changes_with_every_step_and_the_books_fit_at_each() {
    let app = app().await;
    let rows = 30_000;
    let csv: String = (0..rows).fold("email\n".to_owned(), |csv, row| {
        csv + &format!("u{row}@x.example\n")
    });
    let id = app
        .submit(json!({"database": "people", "action": "add"}))
        .await;
    let mut seen: Vec<(String, Value)> = Vec::new();
    let path = format!("/imports/{id}");
    let note = async |seen: &mut Vec<(String, Value)>| {
        let now = app.get(&path).await.expect(200);
        let totals = &now.json["totals"];
        let sum: i64 = [
            "created",
            "updated",
            "unchanged",
            "ignored",
            "deleted",
            "rejected",
            "unprocessed",
        ]
        .iter()
        .map(|name| totals[name].as_i64().unwrap())
        .sum();
        assert_eq!(sum, totals["total"].as_i64().unwrap(), "{totals}");
        let same = json!([now.json["state"], now.json["phase"], now.json["totals"]]);
        match seen.iter().find(|(known, _)| *known == etag(&now)) {
            Some((_, known)) => assert_eq!(*known, same, "one ETag, two answers"),
            None => seen.push((etag(&now), same)),
        }
        now.json["finished_at"].is_string()
    };
    note(&mut seen).await;
    app.upload(&id, "text/csv", csv).await.expect(202);
    note(&mut seen).await;
    let worker = app.worker.clone();
    let step = tokio::spawn(async move { worker.step(longshore_core::queue::Verb::Apply).await });
    while !note(&mut seen).await {}
    assert!(step.await.unwrap().unwrap());
    let progress = seen.iter().filter(|(_, same)| {
        let created = same[2]["created"].as_i64().unwrap();
        0 < created && created < rows
    });
    assert!(progress.count() >= 1, "progress was seen: {seen:?}");
    assert_eq!(seen.last().unwrap().1[0], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_answers_at_once_when_final_and_as_soon_as_it_ends() {
    let app = app().await;
    let id = app.submit(one_row()).await;
    let path = format!("/imports/{id}?wait=60");
    let request = app.request("GET", &path);
    let waiting = tokio::spawn(answer(request));
    // The poll is under way once the server has taken its connection; the work ends it.
    tokio::task::yield_now().await;
    let began = Instant::now();
    app.work_until_idle().await;
    let done = waiting.await.unwrap().expect(200);
    assert_eq!(done.json["state"], "completed");
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    let began = Instant::now();
    assert_eq!(app.get(&path).await.expect(200).json["state"], "completed");
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_ends_when_its_seconds_are_over() {
    let app = app().await;
    let id = app
        .submit(json!({"database": "people", "action": "add"}))
        .await;
    let began = Instant::now();
    let draft = app.get(&format!("/imports/{id}?wait=1")).await.expect(200);
    assert_eq!(draft.json["state"], "draft");
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert!(draft.headers.contains_key("retry-after"));
    for wrong in [
        "wait=61",
        "wait=-1",
        "wait=1.5",
        "wait=soon",
        "wait=",
        "wiat=1",
        "wait=1&wait=1",
    ] {
        let refused = app.get(&format!("/imports/{id}?{wrong}")).await.expect(400);
        assert_eq!(refused.code(), "invalid_parameter", "{wrong}");
    }
}

fn ids(page: &Answer) -> Vec<String> {
    let data = page.json["data"].as_array().unwrap().iter();
    data.map(|import| import["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_are_listed_newest_first_and_pages_hold_still_while_others_come() {
    let app = app().await;
    let draft = json!({"database": "people", "action": "add"});
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(app.submit(draft.clone()).await);
    }
    let mut seen = Vec::new();
    let mut path = "/imports?limit=2".to_owned();
    loop {
        let page = app.get(&path).await.expect(200);
        seen.extend(ids(&page));
        app.submit(draft.clone()).await;
        match page.json["next_cursor"].as_str() {
            Some(cursor) => path = format!("/imports?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    made.reverse();
    assert_eq!(seen, made);
    let whole = app.get("/imports").await.expect(200);
    assert_eq!(ids(&whole).len(), 8);
    assert_eq!(
        whole.json["data"][7],
        app.status(&made[4]).await,
        "a list shows the same object"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_are_filtered_by_state_and_database() {
    let app = app().await;
    let fields = json!([{"name": "email", "type": "email"}]);
    let others = app
        .database(json!({"name": "others", "fields": fields}))
        .await;
    let done = app.import(one_row()).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let draft = app
        .submit(json!({"database": "people", "action": "add"}))
        .await;
    let other = app
        .submit(json!({"database": "others", "action": "add"}))
        .await;
    let listed = async |query: &str| ids(&app.get(&format!("/imports?{query}")).await.expect(200));
    assert_eq!(listed("state=completed").await, std::slice::from_ref(&done));
    assert_eq!(listed("state=draft").await, [other.clone(), draft.clone()]);
    assert_eq!(listed("database=people").await, [draft.clone(), done]);
    let id = others["id"].as_str().unwrap();
    assert_eq!(
        listed(&format!("database={id}")).await,
        std::slice::from_ref(&other)
    );
    assert_eq!(listed("database=OTHERS&state=draft").await, [other]);
    assert_eq!(
        listed("database=people&state=failed").await,
        Vec::<String>::new()
    );

    let refused = app.get("/imports?state=complete").await.expect(400);
    assert_eq!(refused.code(), "invalid_parameter");
    assert!(refused.text.contains("Did you mean"), "{}", refused.text);
    app.get("/imports?database=nobody").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_cursor_a_wrong_limit_and_an_unknown_parameter_are_refused() {
    let app = app().await;
    for _ in 0..3 {
        app.submit(json!({"database": "people", "action": "add"}))
            .await;
    }
    let page = app.get("/imports?limit=1").await.expect(200);
    let cursor = page.json["next_cursor"].as_str().unwrap().to_owned();
    app.get(&format!("/imports?limit=2&cursor={cursor}"))
        .await
        .expect(200);
    let elsewhere = [
        format!("/imports?state=draft&cursor={cursor}"),
        format!("/databases?cursor={cursor}"),
        format!("/databases/people/profiles?cursor={cursor}"),
        format!("/imports?cursor=1{cursor}"),
        "/imports?cursor=1".to_owned(),
        "/imports?cursor=".to_owned(),
        "/imports?cursor=1-000000000000".to_owned(),
        "/imports?cursor=%00".to_owned(),
        "/imports?cursor=-1-".to_owned(),
    ];
    for path in elsewhere {
        assert_eq!(
            app.get(&path).await.expect(400).code(),
            "invalid_cursor",
            "{path}"
        );
    }
    for list in ["/imports", "/databases", "/databases/people/profiles"] {
        for limit in [
            "-1",
            "0",
            "1001",
            "1e9",
            "1000000000",
            "",
            "ten",
            "1;drop table imports",
        ] {
            let refused = app.get(&format!("{list}?limit={limit}")).await.expect(400);
            assert_eq!(refused.code(), "invalid_limit", "{list} {limit}");
        }
        for query in [
            "limt=1",
            "sort=name;drop%20table",
            "cursor=x&order=asc",
            "field",
        ] {
            let refused = app.get(&format!("{list}?{query}")).await.expect(400);
            assert_eq!(refused.code(), "invalid_parameter", "{list} {query}");
        }
        let refused = app.get(&format!("{list}?limt=1")).await;
        assert!(
            refused.text.contains("Did you mean \\\"limit\\\"?"),
            "{}",
            refused.text
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_a_call_does_not_know_is_refused_everywhere() {
    let app = app().await;
    let id = app
        .submit(json!({"database": "people", "action": "add"}))
        .await;
    let calls = [
        ("GET", "/overview".to_owned(), None),
        ("GET", "/databases/people".to_owned(), None),
        ("GET", "/tokens".to_owned(), None),
        ("GET", format!("/imports/{id}/rejects"), None),
        ("POST", format!("/imports/{id}/start"), None),
        ("POST", format!("/imports/{id}/cancel"), None),
        ("POST", "/imports".to_owned(), Some(one_row())),
        (
            "POST",
            "/databases".to_owned(),
            Some(json!({"name": "x", "fields": []})),
        ),
    ];
    for (method, path, body) in calls {
        let refused = app
            .call(method, &format!("{path}?dry_run=true"), body)
            .await;
        assert_eq!(
            (refused.status, refused.code()),
            (400, "invalid_parameter"),
            "{method} {path}"
        );
    }
    assert_eq!(ids(&app.get("/imports").await), std::slice::from_ref(&id));
    assert_eq!(app.status(&id).await["state"], "draft");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_shows_queue_imports_speed_and_health() {
    let app = app().await;
    let empty = app.get("/overview").await.expect(200).json;
    assert_eq!(empty["queue"]["imports_due"], 0);
    assert_eq!(empty["queue"]["oldest_age_seconds"], Value::Null);
    assert_eq!(empty["imports"], json!({}));
    assert_eq!(empty["health"], json!({"postgres": "up", "redis": "up"}));

    app.submit(one_row()).await;
    app.submit(json!({"database": "people", "action": "add"}))
        .await;
    let waiting = app.get("/overview").await.expect(200).json;
    assert_eq!(waiting["queue"]["imports_due"], 1);
    assert!(waiting["queue"]["oldest_age_seconds"].as_f64().unwrap() >= 0.0);
    assert_eq!(waiting["queue"]["tickets"], json!({"fetch": 0, "apply": 1}));
    assert_eq!(waiting["imports"], json!({"queued": 1, "draft": 1}));

    app.work_until_idle().await;
    let done = app.get("/overview").await.expect(200).json;
    assert_eq!(done["queue"]["imports_due"], 0);
    assert_eq!(done["imports"], json!({"completed": 1, "draft": 1}));
    assert_eq!(done["last_hour"]["rows"], 1);
    assert!(done["last_hour"]["rows_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(
        (&done["held"], &done["imports_without_lease"]),
        (&json!(0), &json!(0))
    );
    assert!(done["workers_alive"].is_u64());
}

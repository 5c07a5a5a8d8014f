//! The bell falls silent: what Redis loses, the sweep rings again, and without Redis workers look.

use std::process::Command;
use std::time::{Duration, Instant};

use longshore::embedded::{Servers, Wishes};
use longshore_core::id::{Kind, parse};
use longshore_core::queue::Verb;
use serde_json::json;
use tempfile::TempDir;

use crate::app::processes::eventually;
use crate::app::{TestApp, shared, witness};

const PATIENCE: Duration = Duration::from_secs(30);
/// A sweep every 200 ms.
const LEASE: (&str, &str) = ("LEASE_MS", "1200");

/// A Redis of the test's own, to be hurt. It starts again at the same address.
struct Redis {
    dir: TempDir,
    servers: Option<Servers>,
}

impl Redis {
    async fn start() -> Redis {
        let dir = tempfile::Builder::new()
            .prefix("ls-it-")
            .tempdir_in("/tmp")
            .unwrap();
        let mut redis = Redis { dir, servers: None };
        redis.start_again().await;
        redis
    }

    async fn start_again(&mut self) {
        let wishes = Wishes {
            data_dir: self.dir.path().to_owned(),
            redis: true,
            ..Wishes::default()
        };
        self.servers = Some(Servers::start(&wishes).await.unwrap());
    }

    fn url(&self) -> String {
        let servers = self.servers.as_ref().unwrap();
        servers.redis_url().unwrap().to_owned()
    }

    fn signal(&self, signal: &str) {
        let servers = self.servers.as_ref().unwrap();
        let pid = servers.redis_pid().unwrap().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// `kill -9`; what it held is gone.
    async fn kill(&mut self) {
        self.signal("-KILL");
        let servers = self.servers.take().unwrap();
        let _ = servers.stop().await;
        let _ = std::fs::remove_file(self.dir.path().join("redis/dump.rdb"));
    }
}

async fn command(url: &str, words: &[&str]) -> redis::Value {
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut command = redis::cmd(words[0]);
    command
        .arg(&words[1..])
        .query_async(&mut connection)
        .await
        .unwrap()
}

async fn waiting(url: &str, list: &str) -> i64 {
    match command(url, &["LLEN", list]).await {
        redis::Value::Int(length) => length,
        other => panic!("{other:?}"),
    }
}

async fn database(app: &TestApp, name: &str) {
    let fields = json!([{"name": "key", "type": "text"}]);
    app.database(json!({"name": name, "fields": fields})).await;
}

async fn submit(app: &TestApp, database: &str, rows: usize) -> i64 {
    let source = "key\n".to_owned() + &(0..rows).map(|row| format!("k{row}\n")).collect::<String>();
    let definition = json!({"database": database, "action": "update_or_add",
                            "key_fields": ["key"], "format": "csv", "source": source});
    let id = app.submit(definition).await;
    parse(Kind::Import, &id).unwrap()
}

/// All imports are complete.
async fn all_complete(app: &TestApp, count: i64) {
    eventually("all imports complete", PATIENCE, || async {
        let complete: i64 =
            sqlx::query_scalar("select count(*) from imports where state = 'completed'")
                .fetch_one(&app.pool)
                .await
                .unwrap();
        complete == count
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flushall_during_an_import_loses_nothing() {
    let redis = Redis::start().await;
    let app = TestApp::start_with_redis(Some(&redis.url())).await;
    database(&app, "people").await;
    database(&app, "shops").await;
    witness::slow_checkpoints(&app, Duration::from_millis(150)).await;
    let _worker = app.worker_process(&[LEASE, ("APPLY_SLOTS", "1")]);
    let large = submit(&app, "people", 15_000).await;
    eventually("the first chunk", PATIENCE, || async {
        !witness::chunks(&app, large).await.is_empty()
    })
    .await;
    // The only slot is taken: these tickets stay where they are.
    for _ in 0..5 {
        submit(&app, "shops", 10).await;
    }
    let list = format!("{}:apply:express", app.redis_prefix);
    assert!(waiting(&redis.url(), &list).await > 0);
    command(&redis.url(), &["FLUSHALL"]).await;
    assert_eq!(waiting(&redis.url(), &list).await, 0);
    all_complete(&app, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_submitted_while_redis_is_frozen_dead_or_back_is_done() {
    let mut redis = Redis::start().await;
    let app = TestApp::start_with_redis(Some(&redis.url())).await;
    database(&app, "people").await;
    let worker = app.worker_process(&[LEASE]);
    submit(&app, "people", 10).await;
    all_complete(&app, 1).await;

    redis.signal("-STOP");
    let began = Instant::now();
    submit(&app, "people", 10).await;
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    all_complete(&app, 2).await;
    redis.signal("-CONT");

    let url = redis.url();
    redis.kill().await;
    submit(&app, "people", 10).await;
    all_complete(&app, 3).await;

    redis.start_again().await;
    assert_eq!(redis.url(), url);
    submit(&app, "people", 10).await;
    all_complete(&app, 4).await;
    assert!(!worker.log().contains("ended unasked"), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_redis_makes_progress() {
    let app = TestApp::start_with_redis(None).await;
    database(&app, "people").await;
    let _worker = app.worker_process(&[]);
    let source = app.files.put("/people.csv", "key\na\nb\n");
    app.submit(json!({"database": "people", "action": "add", "location": source}))
        .await;
    submit(&app, "people", 10).await;
    all_complete(&app, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_was_lost_between_pop_and_claim_is_rung_again_by_the_sweep() {
    let app = TestApp::start().await;
    database(&app, "people").await;
    let import = submit(&app, "people", 10).await;
    let list = |lane: &str| format!("{}:apply:{lane}", app.redis_prefix);
    let url = &shared().redis;
    let popped = command(url, &["LPOP", &list("express")]).await;
    assert!(popped != redis::Value::Nil);
    // It sweeps, and would not take the import itself.
    let _sweeper = {
        let sweeper = app.worker_process(&[LEASE, ("APPLY_SLOTS", "0")]);
        eventually("the bell rings again", Duration::from_secs(10), || async {
            waiting(url, &list("bulk")).await > 0
        })
        .await;
        sweeper
    };
    assert!(app.worker.step(Verb::Apply).await.unwrap());
    assert_eq!(
        app.status(&format!("imp_{import}")).await["state"],
        "completed"
    );
}

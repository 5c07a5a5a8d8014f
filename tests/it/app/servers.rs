//! One Postgres and one Redis for all tests of this binary, started by the service's own starter.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use longshore::embedded::{Servers, Wishes};
use longshore_core::store::connect;
use sqlx::{Connection, Executor, PgConnection};

/// Where the shared servers are.
pub(crate) struct Shared {
    /// The template database, migrated, that every test's database is a copy of.
    pub(crate) postgres: String,
    pub(crate) redis: String,
}

static SHARED: OnceLock<Shared> = OnceLock::new();

/// The shared servers. They end with this process, however it ends.
pub(crate) fn shared() -> &'static Shared {
    SHARED.get_or_init(|| {
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let (servers, shared) = start().await;
                sender.send(shared).unwrap();
                std::future::pending::<()>().await;
                drop(servers);
            });
        });
        receiver.recv().unwrap()
    })
}

async fn start() -> (Servers, Shared) {
    let dir = tempfile::Builder::new()
        .prefix("ls-it-")
        .tempdir_in("/tmp")
        .unwrap()
        .keep();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let wishes = Wishes {
        data_dir: dir.clone(),
        postgres: true,
        redis: true,
        fast_unsafe: true,
        postgres_settings: vec![("max_connections".into(), "400".into())],
    };
    let servers = Servers::start(&wishes).await.unwrap();
    let postgres = servers.database_url().unwrap().to_owned();
    connect::migrate(&postgres).await.unwrap();
    clear_away_at_the_end(&dir, servers.postgres_pid().unwrap());
    let redis = servers.redis_url().unwrap().to_owned();
    (servers, Shared { postgres, redis })
}

/// Deletes the servers' directory once this process and the servers are gone: gigabytes, and nobody
/// is left then to run a destructor. The pipe closes however this process ends.
fn clear_away_at_the_end(dir: &Path, postgres: u32) {
    let script = "trap '' INT TERM; while read -r _; do :; done
                  while kill -s 0 \"$2\"; do sleep 1; done 2>/dev/null; rm -rf \"$1\"";
    let child = Command::new("sh")
        .args(["-c", script, "longshore-test-cleaner"])
        .arg(dir)
        .arg(postgres.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Held open to the end.
    std::mem::forget(child);
}

/// A fresh database, ready to use.
pub(crate) async fn fresh_database() -> String {
    let shared = shared();
    let name = format!("t{:016x}", rand::random::<u64>());
    // The template may have no other users while it is copied: copies are made one after another.
    static COPYING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _copying = COPYING.lock().await;
    let url = shared.postgres.replacen("/longshore?", "/postgres?", 1);
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let create = format!("create database {name} template longshore");
    connection
        .execute(sqlx::AssertSqlSafe(create))
        .await
        .unwrap();
    connection.close().await.unwrap();
    shared
        .postgres
        .replacen("/longshore?", &format!("/{name}?"), 1)
}

//! Real `longshore work` processes against a test's own database, to be killed and frozen. Only
//! what was started here is ever signalled, and everything is gone at the end of the test.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::TestApp;

/// A worker process.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    _dir: TempDir,
}

impl TestApp {
    /// Starts a worker process on the servers of this test; `settings` are environment variables
    /// without their `LONGSHORE_`.
    pub(crate) fn worker_process(&self, settings: &[(&str, &str)]) -> Process {
        let dir = TempDir::new().unwrap();
        let log = dir.path().join("log");
        // The name at run time wins: the test may run from elsewhere than it was built.
        let program = std::env::var_os("CARGO_BIN_EXE_longshore")
            .unwrap_or_else(|| env!("CARGO_BIN_EXE_longshore").into());
        let mut command = Command::new(program);
        command
            .arg("work")
            .env_clear()
            .env("LONGSHORE_DATABASE_URL", &self.database_url)
            .env("LONGSHORE_REDIS_PREFIX", &self.redis_prefix)
            .env("LONGSHORE_DATA_DIR", dir.path())
            .env(
                "LONGSHORE_PAYLOADS",
                format!("file://{}", self.payload_dir.path().display()),
            )
            .env("LONGSHORE_ALLOW_LOOPBACK", &self.files.address)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap());
        if let Some(redis) = &self.redis_url {
            command.env("LONGSHORE_REDIS_URL", redis);
        }
        for (name, value) in settings {
            command.env(format!("LONGSHORE_{name}"), value);
        }
        Process {
            child: command.spawn().unwrap(),
            log,
            _dir: dir,
        }
    }
}

impl Process {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What its leases and backends are named with.
    pub(crate) fn holder_prefix(&self) -> String {
        format!("longshore-work-{}-", self.pid())
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// `kill -9`, and waits until the process is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGSTOP: to everyone else it is as if the machine were suspended.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Waits until it is at work: before, a SIGTERM ends it as it ends any program that is being loaded.
    pub(crate) async fn is_listening(&self, app: &TestApp) {
        let prefix = self.holder_prefix();
        eventually("a worker is at work", Duration::from_secs(20), async || {
            sqlx::query_scalar("select exists (select from workers where starts_with(name, $1))")
                .bind(&prefix)
                .fetch_one(&app.pool)
                .await
                .unwrap()
        })
        .await;
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// The exit code, once it has one; -1 after a signal.
    pub(crate) async fn exit_code(&mut self, patience: Duration) -> i32 {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(
                Instant::now() < deadline,
                "the worker still runs:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn signal(&self, signal: &str) {
        // Not reaped yet, whatever became of it: the number cannot be another's.
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success(), "kill {signal} {pid}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("log of worker {}:\n{}", self.pid(), self.log());
        }
    }
}

/// Waits until `condition` holds; fails the test after `patience`.
pub(crate) async fn eventually<F>(what: &str, patience: Duration, mut condition: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let deadline = Instant::now() + patience;
    while !condition().await {
        assert!(Instant::now() < deadline, "not in {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

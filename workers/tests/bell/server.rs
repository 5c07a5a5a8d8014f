//! A private Redis server, and what can happen to it.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use longshore_core::queue::Queue;
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::listening::SOON;

/// A private server on a free loopback port, killed by its own id when dropped.
pub(crate) struct Server {
    port: u16,
    dir: TempDir,
    child: Child,
}

impl Server {
    pub(crate) async fn start() -> Server {
        let port = free_port();
        let dir = tempfile::tempdir().unwrap();
        let child = spawn_server(port, &dir);
        let server = Server { port, dir, child };
        server.wait_until_up().await;
        server
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) async fn start_again(&mut self) {
        self.child = spawn_server(self.port, &self.dir);
        self.wait_until_up().await;
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) async fn queue(&self) -> Queue {
        Queue::connect(&self.url(), "longshore").await.unwrap()
    }

    pub(crate) async fn wait_until_up(&self) {
        let up = async {
            while self.connection().await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, up).await.expect("redis-server starts");
    }

    pub(crate) async fn connection(&self) -> redis::RedisResult<MultiplexedConnection> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING")
            .query_async::<()>(&mut connection)
            .await?;
        Ok(connection)
    }

    pub(crate) async fn info(&self, name: &str) -> u64 {
        let mut connection = self.connection().await.unwrap();
        let text: String = redis::cmd("INFO")
            .query_async(&mut connection)
            .await
            .unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}:")));
        line.unwrap().trim().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn spawn_server(port: u16, dir: &TempDir) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

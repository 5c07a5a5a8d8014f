//! The service as it is shipped: `longshore up` with its defaults, on servers of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::{Body, Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio_util::io::ReaderStream;

/// How much of a file is sent at a time.
const PIECE_BYTES: usize = 64 << 10;

/// A running service.
pub(crate) struct Service {
    process: Child,
    data_dir: PathBuf,
    url: String,
    token: String,
    http: Client,
}

impl Service {
    pub(crate) async fn start(place: &Path) -> Service {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = port.local_addr().unwrap();
        drop(port);
        let data_dir = place.join("data");
        let mut process = Command::new(env!("CARGO_BIN_EXE_longshore"))
            .args(["up", "--log", "warn"])
            .env("LONGSHORE_LISTEN", address.to_string())
            .env("LONGSHORE_DATA_DIR", &data_dir)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().unwrap();
        let token = first.rsplit(' ').next().unwrap().to_owned();
        let service = Service {
            process,
            data_dir,
            url: format!("http://{address}"),
            token,
            http: Client::builder().no_proxy().build().unwrap(),
        };
        service.wait_until_ready().await;
        service
    }

    async fn wait_until_ready(&self) {
        for _ in 0..600 {
            let health = self.http.get(format!("{}/healthz", self.url)).send().await;
            if health.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the service does not answer");
    }

    /// Where its Postgres is.
    pub(crate) fn database_url(&self) -> String {
        std::fs::read_to_string(self.data_dir.join("database_url")).unwrap()
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/v1{path}", self.url));
        request.bearer_auth(&self.token)
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        answer(self.call(Method::POST, path).json(body)).await
    }

    /// Makes a database of people; returns its name.
    pub(crate) async fn database(&self, name: &str) -> String {
        let field = |name: &str, kind: &str| json!({"name": name, "type": kind});
        let fields = json!([
            {"name": "email", "type": "email", "unique": true},
            field("first_name", "text"), field("last_name", "text"), field("phone", "phone"),
            field("country", "text"), field("city", "text"), field("age", "integer"),
            field("score", "number"), field("subscribed", "boolean"), field("signup", "date"),
        ]);
        let made = json!({"name": name, "fields": fields});
        self.post("/databases", &made).await;
        name.to_owned()
    }

    /// Its table, with the columns under the names of its fields.
    pub(crate) async fn table(&self, database: &str) -> String {
        let path = format!("/databases/{database}");
        let known = answer(self.call(Method::GET, &path)).await;
        let number = known["id"]
            .as_str()
            .unwrap()
            .trim_start_matches("db_")
            .to_owned();
        let fields = known["fields"].as_array().unwrap();
        let columns = fields.iter().map(|field| {
            let id = field["id"].as_str().unwrap().trim_start_matches("fld_");
            format!("f{id} as {}", field["name"].as_str().unwrap())
        });
        let columns: Vec<String> = columns.collect();
        format!("(select id, {} from data.t{number})", columns.join(", "))
    }

    /// Uploads a file and waits until it is imported.
    pub(crate) async fn import(&self, database: &str, file: &Path, format: &str) -> Value {
        let id = self.begin(database, file, format).await;
        self.wait_for(&id).await
    }

    /// Uploads a file; its import begins. Returns its id.
    pub(crate) async fn begin(&self, database: &str, file: &Path, format: &str) -> String {
        let definition = json!({"database": database, "action": "update_or_add",
            "key_fields": ["email"], "format": format});
        let draft = self.post("/imports", &definition).await;
        let id = draft["id"].as_str().unwrap();
        let payload = self.call(Method::PUT, &format!("/imports/{id}/payload"));
        // In pieces as `longshore import` and curl send them; a body made of a file would have 4 KiB.
        let pieces = ReaderStream::with_capacity(File::open(file).await.unwrap(), PIECE_BYTES);
        let bytes = Body::wrap_stream(pieces);
        answer(
            payload
                .header("content-type", "application/octet-stream")
                .body(bytes),
        )
        .await;
        id.to_owned()
    }

    /// Whether an import is not at its end yet.
    pub(crate) async fn is_running(&self, id: &str) -> bool {
        let status = answer(self.call(Method::GET, &format!("/imports/{id}"))).await;
        status["finished_at"].is_null()
    }

    /// The seconds that an import takes, from its submission to its end; no row may be rejected but
    /// the bad one.
    pub(crate) async fn timed_import(&self, database: &str, file: &Path, format: &str) -> f64 {
        let began = Instant::now();
        let status = self.import(database, file, format).await;
        let seconds = began.elapsed().as_secs_f64();
        assert!(status["totals"]["rejected"].as_i64() <= Some(1), "{status}");
        seconds
    }

    /// The status of an import once it is final.
    pub(crate) async fn wait_for(&self, id: &str) -> Value {
        loop {
            let status = answer(self.call(Method::GET, &format!("/imports/{id}?wait=30"))).await;
            match status["state"].as_str().unwrap() {
                "completed" | "completed_with_rejects" => return status,
                "failed" | "cancelled" => panic!("{status}"),
                _ => {}
            }
        }
    }

    /// The most memory that the process ever held, as the system counts it.
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        let id = self.process.id().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Asks it to stop, as an operator would.
    pub(crate) async fn stop(mut self) {
        let id = self.process.id().unwrap().to_string();
        Command::new("kill").arg(id).status().await.unwrap();
        self.process.wait().await.unwrap();
    }
}

async fn answer(request: RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap()
}

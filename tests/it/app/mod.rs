//! The service under test: the API on a port of its own, and a worker that takes steps when told.

mod gate;
mod hearing;
pub(crate) mod processes;
mod refusing;
mod servers;
mod source;
mod telling;
pub(crate) mod witness;

use std::sync::Arc;
use std::time::Duration;

use longshore::api::{self, App};
use longshore::server;
use longshore_core::address::AddressRules;
use longshore_core::payload::Payloads;
use longshore_core::queue::{Queue, Verb};
use longshore_core::store::accounts::{self, NewToken};
use longshore_core::store::connect;
use longshore_core::token::{self, Scope};
use longshore_workers::work::{CHUNK_ROWS, Settings, Worker};
use serde_json::Value;
use sqlx::{Connection, PgConnection, PgPool};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub(crate) use servers::{fresh_database, shared};
pub(crate) use source::{Canary, Reply, Source};
pub(crate) use telling::{told, values};

/// The service on a database and a Redis namespace of its own.
pub(crate) struct TestApp {
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) database_url: String,
    /// For looking behind the API.
    pub(crate) pool: PgPool,
    pub(crate) worker: Worker,
    pub(crate) files: FileServer,
    pub(crate) source: Source,
    pub(crate) http: reqwest::Client,
    /// None: the service runs without Redis.
    pub(crate) redis_url: Option<String>,
    pub(crate) redis_prefix: String,
    pub(crate) payload_dir: Arc<TempDir>,
    /// False where a test breaks the service on purpose: then the end is not looked at.
    pub(crate) ends_well: bool,
    ear: Arc<hearing::Ear>,
    stop: CancellationToken,
}

/// An answer: status, headers and the body as JSON (null if it is none).
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    /// Everything that is wrong with a request, one or many.
    pub(crate) fn complaints(&self) -> Vec<Value> {
        match self.json["errors"].as_array() {
            Some(many) => many.clone(),
            None => vec![self.json.clone()],
        }
    }

    /// The same answer, if it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

/// Warnings of the service are shown with the test that fails.
fn show_warnings() {
    let builder = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_test_writer();
    // Whoever comes second finds it done.
    let _ = builder.try_init();
}

impl TestApp {
    pub(crate) async fn start() -> TestApp {
        TestApp::start_with_redis(Some(&shared().redis)).await
    }

    /// The service with a Redis of the test's own, or without any.
    pub(crate) async fn start_with_redis(redis_url: Option<&str>) -> TestApp {
        TestApp::start_with(redis_url, (2, CHUNK_ROWS)).await
    }

    /// The service with chunks that begin with so few rows that even small imports have several, and
    /// that are applied so many at a time.
    pub(crate) async fn start_side_by_side(lanes: usize, chunk_rows: usize) -> TestApp {
        TestApp::start_with(Some(&shared().redis), (lanes, chunk_rows)).await
    }

    async fn start_with(redis_url: Option<&str>, (lanes, chunk_rows): (usize, usize)) -> TestApp {
        show_warnings();
        let files = FileServer::start().await;
        let source = Source::start().await;
        let database_url = fresh_database().await;
        let redis_prefix = format!("test:{:016x}", rand::random::<u64>());
        let payload_dir = Arc::new(TempDir::new().unwrap());
        let stop = CancellationToken::new();
        let queue = match redis_url {
            Some(url) => Queue::connect(url, &redis_prefix).await.unwrap(),
            None => Queue::silent(),
        };
        let payloads_url = format!("file://{}", payload_dir.path().display());
        let payloads = Payloads::open(&payloads_url).unwrap();
        let addresses =
            AddressRules::parse(&format!("{},{}", files.address, source.address)).unwrap();
        let token = make_token(&database_url, "default", Scope::Admin).await;
        let pool = connect::door_pool(&database_url, 5).unwrap();
        let outside = (payloads.clone(), addresses.clone());
        let app = App::new(pool.clone(), queue.clone(), outside, stop.clone());
        let listener = server::listen(([127, 0, 0, 1], 0).into()).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(server::serve(listener, api::router(app), 64, stop.clone()));
        let settings = Settings {
            database_url: database_url.clone(),
            queue,
            payloads,
            addresses,
            apply_slots: 4,
            fetch_slots: 2,
            lanes,
            chunk_rows,
            lease: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        };
        let worker = Worker::new(settings, stop.clone()).unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        TestApp {
            ear: hearing::Ear::open(&url),
            url,
            token,
            database_url,
            pool,
            worker,
            files,
            source,
            http,
            redis_url: redis_url.map(str::to_owned),
            redis_prefix,
            payload_dir,
            ends_well: true,
            stop,
        }
    }

    /// From here on answers of the 500 family are what the test wants to see.
    pub(crate) fn expects_outage(&self) {
        self.ear.expects_outage();
    }

    /// Notes an answer that the test read from a connection of its own.
    pub(crate) fn hear_raw(&self, text: &str) {
        hearing::hear_raw(&self.ear, text);
    }

    /// One call with the admin token.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        answer(request).await
    }

    /// A request with the admin token, to be finished by the caller.
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        self.http
            .request(method, format!("{}/v1{path}", self.url))
            .bearer_auth(&self.token)
    }

    /// One call with another token.
    pub(crate) async fn call_as(
        &self,
        token: &str,
        (method, path): (&str, &str),
        body: Option<Value>,
    ) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}/v1{path}", self.url));
        let request = request.bearer_auth(token);
        answer(match body {
            None => request,
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string()),
        })
        .await
    }

    /// Uploads the payload of a draft.
    pub(crate) async fn upload(&self, id: &str, media: &str, bytes: impl Into<Vec<u8>>) -> Answer {
        let request = self.request("PUT", &format!("/imports/{id}/payload"));
        answer(request.header("content-type", media).body(bytes.into())).await
    }

    /// Everything that lies in the payload store, finished or not.
    pub(crate) fn payload_files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.payload_dir.path()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// Lets the worker work by itself, as in production, until the end of the test.
    pub(crate) fn keep_working(&self) {
        tokio::spawn(self.worker.clone().run());
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    /// Makes a database.
    pub(crate) async fn database(&self, definition: Value) -> Value {
        self.post("/databases", definition).await.expect(201).json
    }

    /// Submits an import, works until nothing is due, and returns its status.
    pub(crate) async fn import(&self, definition: Value) -> Value {
        let id = self.submit(definition).await;
        self.work_until_idle().await;
        self.status(&id).await
    }

    /// The same in chunks of one row, as after several crashes.
    pub(crate) async fn import_row_by_row(&self, definition: Value) -> Value {
        let id = self.submit(definition).await;
        sqlx::query("update leases set rescues = 3, rows_at_rescue = 1 where import_id = $1")
            .bind(id.strip_prefix("imp_").unwrap().parse::<i64>().unwrap())
            .execute(&self.pool)
            .await
            .unwrap();
        self.work_until_idle().await;
        self.status(&id).await
    }

    pub(crate) async fn submit(&self, definition: Value) -> String {
        let accepted = self.post("/imports", definition).await.expect(202).json;
        accepted["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn status(&self, id: &str) -> Value {
        self.get(&format!("/imports/{id}")).await.expect(200).json
    }

    /// Takes the worker's own steps until nothing is due.
    pub(crate) async fn work_until_idle(&self) {
        loop {
            let fetched = self.worker.step(Verb::Fetch).await.unwrap();
            let applied = self.worker.step(Verb::Apply).await.unwrap();
            if !fetched && !applied {
                return;
            }
        }
    }

    /// All profiles of a database with all their subprofiles, page by page.
    pub(crate) async fn profiles(&self, database: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let path =
                format!("/databases/{database}/profiles?limit=1000&include=subprofiles{cursor}");
            let page = self.get(&path).await.expect(200).json;
            all.extend(page["data"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// The rejects of an import.
    pub(crate) async fn rejects(&self, id: &str) -> Vec<Value> {
        let request = self.request("GET", &format!("/imports/{id}/rejects"));
        let answer = answer(request.header("accept", "application/x-ndjson"))
            .await
            .expect(200);
        answer
            .text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// Sends a request and reads the whole answer.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let url = response.url().to_string();
    // A stream of events may never end: its beginning is answer enough.
    let streams = headers
        .get("content-type")
        .is_some_and(|kind| kind == "text/event-stream");
    let text = match streams {
        true => String::new(),
        false => response.text().await.unwrap(),
    };
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    let answer = Answer {
        status,
        headers,
        text,
        json,
    };
    hearing::hear(&url, &answer);
    answer
}

/// A token of an account, which is made if it is new.
pub(crate) async fn make_token(database_url: &str, account: &str, scope: Scope) -> String {
    let mut connection = connect::own_connection(database_url, "test").await.unwrap();
    let account = accounts::ensure(&mut connection, account).await.unwrap();
    let (token, text) = token::generate();
    let new = NewToken {
        name: "test".to_owned(),
        scopes: vec![scope],
        expires_at: None,
    };
    accounts::keep_token(&mut connection, account, &token, &new)
        .await
        .unwrap();
    text
}

/// At the end of every test: it produced the codes that it is named for, no lease is held, nothing
/// is due, and the books of every import that is complete balance.
impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
        hearing::forget(&self.url);
        if std::thread::panicking() {
            return;
        }
        self.ear.keeps_its_promises();
        if !self.ends_well {
            return;
        }
        let url = self.database_url.clone();
        let looked = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(look_behind(&url));
        });
        looked.join().unwrap();
    }
}

async fn look_behind(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let held: i64 = sqlx::query_scalar(
        "select count(*) from leases where holder is not null or due_at <= now()",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(held, 0, "leases are held or due at the end of the test");
    let unbalanced: i64 = sqlx::query_scalar(
        "select count(*) from imports i
         where state in ('completed', 'completed_with_rejects') and rows_total is distinct from
             (select sum(created + updated + unchanged + ignored + deleted + rejected)
              from lanes l where l.import_id = i.id)",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(unbalanced, 0, "books do not balance");
    connection.close().await.unwrap();
}

/// A real HTTP server for locations: what is put there is served.
pub(crate) struct FileServer {
    pub(crate) address: String,
    files: Arc<std::sync::Mutex<std::collections::HashMap<String, Vec<u8>>>>,
}

impl FileServer {
    pub(crate) async fn start() -> FileServer {
        let files: Arc<std::sync::Mutex<std::collections::HashMap<String, Vec<u8>>>> =
            Arc::default();
        let served = Arc::clone(&files);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = axum::Router::new().fallback(move |uri: axum::http::Uri| {
            let found = served.lock().unwrap().get(uri.path()).cloned();
            async move { found.ok_or(axum::http::StatusCode::NOT_FOUND) }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        FileServer { address, files }
    }

    /// Puts a file there and returns its location.
    pub(crate) fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) -> String {
        self.files
            .lock()
            .unwrap()
            .insert(path.to_owned(), bytes.into());
        format!("http://{}{path}", self.address)
    }
}

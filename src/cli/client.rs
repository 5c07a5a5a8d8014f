//! The calls to the service. Every answer that is not a success becomes a [`Failure`] here; no
//! redirect is followed, because the token must not travel to another host.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde_json::Value;

use super::answers::{Import, Page, read};
use super::connection::Connection;
use super::failure::{Failure, Problem};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A call whose answer needs no waiting takes no longer than this.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const DEAD_PEER_AFTER: Duration = Duration::from_secs(15);

/// A client of one service.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    url: Url,
}

impl Client {
    /// A client for this connection; nothing is sent yet.
    pub(super) fn new(connection: &Connection) -> Result<Client, Failure> {
        // Whoever came first has installed it already, which is just as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let bearer = format!("Bearer {}", connection.token()?.expose());
        let mut bearer = HeaderValue::from_str(&bearer)
            .map_err(|_| Failure::Usage("the token has characters that no token has".to_owned()))?;
        bearer.set_sensitive(true);
        let builder = reqwest::Client::builder()
            .user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_keepalive(DEAD_PEER_AFTER);
        let builder = if connection.is_loopback() {
            builder.no_proxy()
        } else {
            builder
        };
        let http = builder.build();
        let client = |http| Client {
            http,
            url: connection.url.clone(),
        };
        http.map(client).map_err(|source| Failure::Unreachable {
            url: connection.url.to_string(),
            source,
        })
    }

    /// The address of this path; each part is escaped, so that a name may hold anything.
    pub(super) fn at(&self, path: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(path);
        }
        url
    }

    /// A call without timeout, for bodies that may take long.
    pub(super) fn call(&self, method: Method, path: &[&str]) -> RequestBuilder {
        self.http.request(method, self.at(path))
    }

    /// Sends a call and judges its status.
    pub(super) async fn send(&self, call: RequestBuilder) -> Result<Response, Failure> {
        let answer = call
            .send()
            .await
            .map_err(|source| self.unreachable(source))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let retry_after = retry_after(answer.headers());
        let body = answer
            .bytes()
            .await
            .map_err(|source| self.unreachable(source))?;
        let problem = Box::new(Problem::read(status.as_u16(), &body).after(retry_after));
        match status.is_client_error() {
            true => Err(Failure::Refused(problem)),
            false => Err(Failure::Faulty(problem)),
        }
    }

    /// Sends a call and reads the JSON of its answer; no body is `null`.
    pub(super) async fn ask(&self, call: RequestBuilder) -> Result<Value, Failure> {
        let answer = self.send(call).await?;
        let body = answer
            .bytes()
            .await
            .map_err(|source| self.unreachable(source))?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|source| Failure::NotUnderstood {
            what: "an answer of the API",
            source,
        })
    }

    /// `GET` of one thing.
    pub(super) async fn get(&self, path: &[&str]) -> Result<Value, Failure> {
        self.ask(self.call(Method::GET, path).timeout(CALL_TIMEOUT))
            .await
    }

    /// `POST`, with a JSON body or without.
    pub(super) async fn post(&self, path: &[&str], body: Option<&Value>) -> Result<Value, Failure> {
        let call = self.call(Method::POST, path).timeout(CALL_TIMEOUT);
        match body {
            Some(body) => self.ask(call.json(body)).await,
            None => self.ask(call).await,
        }
    }

    /// `POST` of JSON as it stands in a file, so that the service judges it to the letter.
    pub(super) async fn post_text(&self, path: &[&str], body: Vec<u8>) -> Result<Value, Failure> {
        let call = self.call(Method::POST, path).timeout(CALL_TIMEOUT);
        self.ask(call.header(CONTENT_TYPE, "application/json").body(body))
            .await
    }

    /// `DELETE`.
    pub(super) async fn delete(&self, path: &[&str]) -> Result<(), Failure> {
        self.send(self.call(Method::DELETE, path).timeout(CALL_TIMEOUT))
            .await
            .map(drop)
    }

    /// An import; the service may hold the answer back for `wait` seconds.
    pub(super) async fn import(&self, id: &str, wait: u64) -> Result<Import, Failure> {
        let mut url = self.at(&["v1", "imports", id]);
        if wait > 0 {
            url.query_pairs_mut().append_pair("wait", &wait.to_string());
        }
        let timeout = CALL_TIMEOUT + Duration::from_secs(wait);
        Import::read(self.ask(self.http.get(url).timeout(timeout)).await?)
    }

    /// A list, page after page, until `most` things are there or no more come.
    pub(super) async fn list(&self, list: List<'_>, most: usize) -> Result<Vec<Value>, Failure> {
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let mut url = self.at(list.path);
            for (name, value) in list.filters.iter().chain(&cursor) {
                url.query_pairs_mut().append_pair(name, value);
            }
            let page = self.ask(self.http.get(url).timeout(CALL_TIMEOUT)).await?;
            let page: Page = read("a list", page)?;
            found.extend(page.data);
            cursor = page.next_cursor.map(|cursor| ("cursor", cursor));
            if cursor.is_none() || found.len() >= most {
                found.truncate(most);
                return Ok(found);
            }
        }
    }

    /// The failure of a call that got no whole answer.
    pub(super) fn unreachable(&self, source: reqwest::Error) -> Failure {
        Failure::Unreachable {
            url: self.url.to_string(),
            source: source.without_url(),
        }
    }
}

/// Which list, and which part of it.
#[derive(Debug, Clone)]
pub(super) struct List<'a> {
    /// Its path.
    pub(super) path: &'a [&'a str],
    /// Query parameters by name.
    pub(super) filters: Vec<(&'static str, String)>,
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

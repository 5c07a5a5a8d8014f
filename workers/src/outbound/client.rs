//! Asks a source: judges the URL, sends the request, follows redirects by hand and judges every
//! hop as if a user had typed it. No cookies, no referrer, no proxy from the environment, no
//! header that one origin could hand to the next.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

use longshore_core::address::{AddressRules, PORTS_ALLOWED};
use longshore_core::code::Code;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client, Response};
use tokio::time::{Instant, timeout};
use url::Url;

use super::answer;
use super::body::Download;
use super::error::FetchError;
use super::fault;
use super::guard::{Guard, Lookup, system_lookup};
use super::limits::Limits;

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the client for sources could not be set up")]
pub struct OutboundError(#[from] reqwest::Error);

/// The one client for every address that a user chooses. Cheap to share behind an `Arc`.
pub struct Outbound {
    rules: AddressRules,
    limits: Limits,
    by_port: HashMap<u16, Client>,
}

/// What a test may replace.
pub(super) struct Setup {
    pub(super) limits: Limits,
    pub(super) lookup: Lookup,
    pub(super) authorities: Option<Vec<Certificate>>,
}

impl Outbound {
    /// A client that keeps to these rules and the service's limits.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(rules: AddressRules) -> Result<Self, OutboundError> {
        Self::with_limits(rules, Limits::default())
    }

    /// The same with other limits.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn with_limits(rules: AddressRules, limits: Limits) -> Result<Self, OutboundError> {
        Self::with(
            rules,
            Setup {
                limits,
                lookup: system_lookup(),
                authorities: None,
            },
        )
    }

    pub(super) fn with(rules: AddressRules, setup: Setup) -> Result<Self, OutboundError> {
        // An error says that a provider is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listed = rules.loopback().iter().map(SocketAddr::port);
        let ports: BTreeSet<u16> = listed.chain(PORTS_ALLOWED).collect();
        let mut by_port = HashMap::new();
        for port in ports {
            by_port.insert(port, client(&rules, port, &setup)?);
        }
        Ok(Self {
            rules,
            limits: setup.limits,
            by_port,
        })
    }

    /// Asks a source and returns with its answer's head. Nothing is connected to before the URL,
    /// and every address of its name, has passed the rules.
    ///
    /// # Errors
    /// With a code, words for the user, and whether another attempt can help.
    pub async fn get(&self, text: &str) -> Result<Download, FetchError> {
        let deadline = Instant::now() + self.limits.fetch_timeout;
        let mut url = self.rules.check_url(text)?;
        let mut response = self.ask(&url).await?;
        for _ in 0..self.limits.redirects_max {
            let Some(location) = answer::redirect(&response) else {
                break;
            };
            url = self.next_hop(&url, &location)?;
            response = self.ask(&url).await.map_err(on_redirect)?;
        }
        if answer::redirect(&response).is_some() {
            let message = format!(
                "the source redirects more than {} times",
                self.limits.redirects_max
            );
            return Err(FetchError::never(Code::TooManyRedirects, message));
        }
        answer::accept(&response)?;
        Download::new(response, deadline, self.limits.clone())
    }

    fn next_hop(&self, from: &Url, location: &str) -> Result<Url, FetchError> {
        let not_allowed = |why: &str| {
            let message = format!("the source redirects to an address that is not allowed: {why}");
            FetchError::never(Code::RedirectNotAllowed, message)
        };
        if location.chars().any(char::is_control) {
            return Err(not_allowed("it holds a control character"));
        }
        let target = from
            .join(location)
            .map_err(|_| not_allowed("it is not a URL"))?;
        if from.scheme() == "https" && target.scheme() != "https" {
            return Err(not_allowed("only https addresses are allowed"));
        }
        self.rules
            .check_url(target.as_str())
            .map_err(|refusal| not_allowed(&refusal.message))
    }

    async fn ask(&self, url: &Url) -> Result<Response, FetchError> {
        let client = url
            .port_or_known_default()
            .and_then(|port| self.by_port.get(&port));
        let client = client
            .ok_or_else(|| FetchError::never(Code::PortNotAllowed, "the port is not allowed"))?;
        let patience = self.limits.connect_timeout + self.limits.first_byte_timeout;
        let answer = timeout(patience, client.get(url.clone()).send()).await;
        let response = answer.map_err(|_| no_answer())?.map_err(fault::explain)?;
        self.check_peer(response.remote_addr())?;
        Ok(response)
    }

    /// The last wall: should a connection ever bypass the resolver, its answer is thrown away.
    pub(super) fn check_peer(&self, peer: Option<SocketAddr>) -> Result<(), FetchError> {
        let Some(peer) = peer else {
            return Err(FetchError::never(
                Code::AddressNotAllowed,
                "address not allowed",
            ));
        };
        Ok(self.rules.check_ip(peer.ip(), peer.port())?)
    }
}

fn client(rules: &AddressRules, port: u16, setup: &Setup) -> reqwest::Result<Client> {
    if let Some(authorities) = &setup.authorities {
        return builder(rules, port, setup)
            .tls_certs_only(authorities.clone())
            .build();
    }
    builder(rules, port, setup).build().or_else(|error| {
        // A machine without authorities can still import uploads, so it must start.
        tracing::warn!(%error, "no certificate authorities found: every https source will fail");
        builder(rules, port, setup)
            .tls_certs_only(std::iter::empty::<Certificate>())
            .build()
    })
}

fn builder(rules: &AddressRules, port: u16, setup: &Setup) -> reqwest::ClientBuilder {
    let guard = Guard {
        rules: rules.clone(),
        port,
        lookup: setup.lookup.clone(),
        dns_timeout: setup.limits.dns_timeout,
    };
    let accepted = HeaderValue::from_static("gzip, zstd, identity");
    Client::builder()
        .dns_resolver(guard)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(setup.limits.connect_timeout)
        .user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION")))
        .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, accepted)]))
}

fn on_redirect(mut error: FetchError) -> FetchError {
    if error.code == Code::AddressNotAllowed {
        error.code = Code::RedirectNotAllowed;
        error.message = "the source redirects to an address that is not allowed".to_owned();
    }
    error
}

fn no_answer() -> FetchError {
    FetchError::later(Code::SourceTooSlow, "the source did not answer in time")
}

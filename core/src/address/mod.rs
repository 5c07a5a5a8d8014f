//! Which addresses a user may make Longshore connect to: judged when an import is submitted and
//! again at every hop, by the same rules. Pure: it resolves nothing and connects nowhere.
//! It must judge the parsed host, never the text, since `2130706433` and `①②⑦.1` are 127.0.0.1;
//! and it must never say what an address resolved to, since the answer goes to the user.

mod loopback;
mod names;
mod ranges;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::{Host, Url};

use crate::code::Code;
use crate::limits::URL_CHARS_MAX;

pub use loopback::LoopbackListError;

/// Ports that a source or a webhook may use. Others are mostly services that never speak HTTP.
pub const PORTS_ALLOWED: [u16; 2] = [443, 8443];

/// The rules of one process: the public internet over https, and the loopback addresses that the
/// operator listed.
#[derive(Debug, Clone, Default)]
pub struct AddressRules {
    loopback: Vec<SocketAddr>,
}

/// Why an address is not accepted, in words that are safe to show to a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What clients switch on.
    pub code: Code,
    /// What people read; names no address.
    pub message: String,
}

impl Refusal {
    fn new(code: Code, message: &str) -> Self {
        Self {
            code,
            message: message.to_owned(),
        }
    }
}

impl AddressRules {
    /// Rules with the loopback addresses of `LONGSHORE_ALLOW_LOOPBACK`, a comma list of
    /// `host:port`. `localhost` stands for 127.0.0.1 and `[::1]` both.
    ///
    /// # Errors
    /// When an entry is not a loopback host with a port: a start with it must fail.
    pub fn parse(comma_list: &str) -> Result<Self, LoopbackListError> {
        Ok(Self {
            loopback: loopback::parse(comma_list)?,
        })
    }

    /// Rules without any loopback address: the default.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The loopback addresses that are let through; a start warns when there are any.
    #[must_use]
    pub fn loopback(&self) -> &[SocketAddr] {
        &self.loopback
    }

    /// Judges a URL without resolving its name; [`AddressRules::check_ip`] judges what it
    /// resolves to.
    ///
    /// # Errors
    /// With the first rule that the URL breaks.
    pub fn check_url(&self, text: &str) -> Result<Url, Refusal> {
        let url = parse_url(text)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(scheme_refused());
        }
        if !url.username().is_empty() || url.password().is_some() {
            let message = "the URL may not carry a user name or password";
            return Err(Refusal::new(Code::UrlCredentialsNotAllowed, message));
        }
        let Some((host, port)) = url.host().zip(url.port_or_known_default()) else {
            return Err(not_a_url());
        };
        if port == 0 {
            return Err(not_a_url());
        }
        if !self.lists(&host, port) {
            if url.scheme() != "https" {
                return Err(scheme_refused());
            }
            self.check_host(&host, port)?;
            check_port(port)?;
        }
        Ok(url)
    }

    /// Judges an address that is about to be connected to, or was.
    ///
    /// # Errors
    /// `address_not_allowed`, unless it is global unicast or a listed loopback address.
    pub fn check_ip(&self, ip: IpAddr, port: u16) -> Result<(), Refusal> {
        let ip = ip.to_canonical();
        let listed = self.loopback.contains(&SocketAddr::new(ip, port));
        if listed || ranges::is_public(ip) {
            Ok(())
        } else {
            Err(not_allowed())
        }
    }

    /// The addresses of `localhost` that are listed for this port. The name is answered from here
    /// and not by a resolver.
    #[must_use]
    pub fn localhost(&self, port: u16) -> Vec<IpAddr> {
        [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ]
        .into_iter()
        .filter(|ip| self.loopback.contains(&SocketAddr::new(*ip, port)))
        .collect()
    }

    fn lists(&self, host: &Host<&str>, port: u16) -> bool {
        let listed = |ip: IpAddr| self.loopback.contains(&SocketAddr::new(ip, port));
        match host {
            Host::Domain(name) => *name == "localhost" && !self.localhost(port).is_empty(),
            Host::Ipv4(ip) => listed(IpAddr::V4(*ip)),
            Host::Ipv6(ip) => listed(IpAddr::V6(*ip).to_canonical()),
        }
    }

    fn check_host(&self, host: &Host<&str>, port: u16) -> Result<(), Refusal> {
        match host {
            Host::Domain(name) if names::is_public(name) => Ok(()),
            Host::Domain(_) => Err(not_allowed()),
            Host::Ipv4(ip) => self.check_ip(IpAddr::V4(*ip), port),
            Host::Ipv6(ip) => self.check_ip(IpAddr::V6(*ip), port),
        }
    }
}

fn parse_url(text: &str) -> Result<Url, Refusal> {
    if text.chars().nth(URL_CHARS_MAX).is_some() {
        let message = format!("a URL has at most {URL_CHARS_MAX} characters");
        return Err(Refusal {
            code: Code::UrlTooLong,
            message,
        });
    }
    // The parser drops tabs and line ends silently, so that they hide what a text really says.
    if text.chars().any(char::is_control) {
        return Err(Refusal::new(
            Code::UrlInvalid,
            "the URL holds a control character",
        ));
    }
    Url::parse(text).map_err(|_| not_a_url())
}

fn check_port(port: u16) -> Result<(), Refusal> {
    if PORTS_ALLOWED.contains(&port) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::PortNotAllowed,
        "only the ports 443 and 8443 are allowed",
    ))
}

fn not_a_url() -> Refusal {
    Refusal::new(
        Code::UrlInvalid,
        "this is not a URL; one starts with https:// and a host",
    )
}

fn scheme_refused() -> Refusal {
    Refusal::new(
        Code::UrlSchemeNotAllowed,
        "only https addresses are allowed",
    )
}

fn not_allowed() -> Refusal {
    Refusal::new(Code::AddressNotAllowed, "address not allowed")
}

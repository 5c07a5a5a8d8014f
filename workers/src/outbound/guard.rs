//! The resolver of the one client: a name gets a connection only when every address it resolves to
//! is allowed, and the connection goes to those addresses, so that a second answer cannot differ
//! from the judged one. It never sees IP literals: those must be judged before the request.
//! A name that cannot be resolved is an error, never a skipped check.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use longshore_core::address::{AddressRules, Refusal};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::timeout;

/// How a name becomes addresses.
pub(super) type Lookup =
    Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Why a name gets no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum GuardError {
    #[error("an address of the name is refused")]
    Refused(#[source] Refusal),
    #[error("the name could not be resolved")]
    Unresolved(#[source] io::Error),
    #[error("the resolver did not answer in time")]
    Silent,
    #[error("the name has no address")]
    Nothing,
}

/// Resolves for connections to one port, since a loopback address is listed with its port and the
/// client does not tell a resolver which one it wants.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) rules: AddressRules,
    pub(super) port: u16,
    pub(super) lookup: Lookup,
    pub(super) dns_timeout: Duration,
}

impl Guard {
    pub(super) async fn addresses(&self, name: &str) -> Result<Vec<SocketAddr>, GuardError> {
        let ips = if name == "localhost" {
            self.rules.localhost(self.port)
        } else {
            let answer = timeout(self.dns_timeout, (self.lookup)(name.to_owned())).await;
            answer
                .map_err(|_| GuardError::Silent)?
                .map_err(GuardError::Unresolved)?
        };
        if ips.is_empty() {
            return Err(GuardError::Nothing);
        }
        for ip in &ips {
            self.rules
                .check_ip(*ip, self.port)
                .map_err(GuardError::Refused)?;
        }
        Ok(ips
            .into_iter()
            .map(|ip| SocketAddr::new(ip, self.port))
            .collect())
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let addresses = guard.addresses(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The resolver of the machine.
pub(super) fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

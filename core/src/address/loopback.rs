//! The operator's list of loopback addresses that users may reach, for trials and tests.
//! Whatever is not loopback is refused at the start, so that the list can never open the network
//! around the machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An entry of the loopback list that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a loopback host:port; write 127.0.0.1:8000, [::1]:8000 or localhost:8000, \
     with commas between"
)]
pub struct LoopbackListError(String);

pub(super) fn parse(comma_list: &str) -> Result<Vec<SocketAddr>, LoopbackListError> {
    let mut listed = Vec::new();
    for entry in comma_list
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
    {
        listed.extend(addresses(entry).ok_or_else(|| LoopbackListError(entry.to_owned()))?);
    }
    Ok(listed)
}

fn addresses(entry: &str) -> Option<Vec<SocketAddr>> {
    let (host, port) = entry.rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
    if host.eq_ignore_ascii_case("localhost") {
        let both = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        return Some(both.map(|ip| SocketAddr::new(ip, port)).to_vec());
    }
    let ip = entry.parse::<SocketAddr>().ok()?.ip().to_canonical();
    ip.is_loopback().then(|| vec![SocketAddr::new(ip, port)])
}

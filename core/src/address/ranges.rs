//! Which IP addresses are global unicast. The standard library's questions miss shared space,
//! link-local, reserved ranges and every IPv6 form that carries an IPv4 address, so the tables
//! stand here, after the special-purpose registries of IANA (RFC 6890).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

const V4_DENIED: [Ipv4Net; 15] = [
    v4(0, 0, 0, 8),       // this network
    v4(10, 0, 0, 8),      // private
    v4(100, 64, 0, 10),   // shared by a carrier's customers
    v4(127, 0, 0, 8),     // loopback
    v4(169, 254, 0, 16),  // link-local, and the metadata services
    v4(172, 16, 0, 12),   // private
    v4(192, 0, 0, 24),    // protocol assignments
    v4(192, 0, 2, 24),    // documentation
    v4(192, 88, 99, 24),  // 6to4 relays
    v4(192, 168, 0, 16),  // private
    v4(198, 18, 0, 15),   // benchmarks
    v4(198, 51, 100, 24), // documentation
    v4(203, 0, 113, 24),  // documentation
    v4(224, 0, 0, 4),     // multicast
    v4(240, 0, 0, 4),     // reserved, and broadcast
];

/// Everything global unicast lies in here.
const V6_GLOBAL: Ipv6Net = v6(0x2000, 0, 0, 3);

const V6_DENIED: [Ipv6Net; 3] = [
    v6(0x2001, 0, 0, 23),     // protocol assignments, Teredo among them
    v6(0x2001, 0xdb8, 0, 32), // documentation
    v6(0x3fff, 0, 0, 20),     // documentation
];

const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 16);

/// Whether an address, in its canonical form, is one of the public internet.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !V4_DENIED.iter().any(|net| net.contains(&ip)),
        IpAddr::V6(ip) => match carried(ip) {
            Some(inner) => is_public(IpAddr::V4(inner)),
            None => V6_GLOBAL.contains(&ip) && !V6_DENIED.iter().any(|net| net.contains(&ip)),
        },
    }
}

/// The IPv4 address at the far end of a translated or tunnelled IPv6 address. NAT64 must pass when
/// that end is public, since networks without IPv4 reach the rest of the world so. The old
/// `::a.b.c.d` and the local NAT64 prefix 64:ff9b:1::/48 carry one too, but lie outside
/// 2000::/3 and are never public.
fn carried(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let bytes = ip.octets();
    let at = if NAT64.contains(&ip) {
        12
    } else if SIX_TO_FOUR.contains(&ip) {
        2
    } else {
        return None;
    };
    Some(Ipv4Addr::new(
        bytes[at],
        bytes[at + 1],
        bytes[at + 2],
        bytes[at + 3],
    ))
}

//! Host names that belong to a machine, a private network or a cloud's metadata service, whatever
//! they resolve to. A name that passes here is still judged by its addresses.

/// Endings that never name a host of the public internet (RFC 6761, 6762, 8375 and habit).
const PRIVATE_ENDINGS: [&str; 11] = [
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "svc",
    "home.arpa",
];

/// Metadata services with a name outside those endings.
const METADATA_NAMES: [&str; 2] = ["metadata.goog", "metadata.azure.com"];

/// Expects a host as the URL parser gives it: lower case, punycode, never empty.
pub(super) fn is_public(name: &str) -> bool {
    let has_domain = name.contains('.') && !name.ends_with('.');
    has_domain
        && !PRIVATE_ENDINGS.iter().any(|ending| is_under(name, ending))
        && !METADATA_NAMES
            .iter()
            .any(|metadata| is_under(name, metadata))
}

fn is_under(name: &str, ending: &str) -> bool {
    name.strip_suffix(ending)
        .is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

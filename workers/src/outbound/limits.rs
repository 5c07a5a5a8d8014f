//! The limits of fetching and unpacking, in one value, so that a test can shorten them.

use std::time::Duration;

use longshore_core::limits;

/// What a source may cost. The default is what the service promises.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most bytes on the wire.
    pub wire_bytes_max: u64,
    /// Most bytes after unpacking.
    pub unpacked_bytes_max: u64,
    /// Most unpacked bytes for one byte on the wire.
    pub ratio_max: u64,
    /// Unpacked bytes from which the ratio is judged.
    pub ratio_after_bytes: u64,
    /// Most redirects that are followed.
    pub redirects_max: usize,
    /// Resolving a name.
    pub dns_timeout: Duration,
    /// Connecting, with name and TLS.
    pub connect_timeout: Duration,
    /// From the connection to the head of the answer.
    pub first_byte_timeout: Duration,
    /// Silence inside the body.
    pub body_idle_timeout: Duration,
    /// The slowest body, over `speed_window`.
    pub bytes_per_second_min: u64,
    /// How much waiting for the source the speed is judged over.
    pub speed_window: Duration,
    /// The whole fetch, redirects included.
    pub fetch_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wire_bytes_max: limits::PAYLOAD_BYTES_MAX,
            unpacked_bytes_max: limits::PAYLOAD_UNPACKED_BYTES_MAX,
            ratio_max: limits::UNPACK_RATIO_MAX,
            ratio_after_bytes: limits::RATIO_AFTER_BYTES,
            redirects_max: limits::REDIRECTS_MAX,
            dns_timeout: limits::DNS_TIMEOUT,
            connect_timeout: limits::CONNECT_TIMEOUT,
            first_byte_timeout: limits::FIRST_BYTE_TIMEOUT,
            body_idle_timeout: limits::BODY_IDLE_TIMEOUT,
            bytes_per_second_min: limits::BYTES_PER_SECOND_MIN,
            speed_window: limits::SPEED_WINDOW,
            fetch_timeout: limits::FETCH_TIMEOUT,
        }
    }
}

//! The one client for every address that a user chooses, and the unpacking of what it brings.
//! Nothing else in Longshore may make an HTTP client for such addresses: the guard against
//! reaching private networks lives here alone. Whatever it cannot judge it refuses, and what it
//! tells a user never names an internal address.

mod answer;
mod body;
mod client;
mod error;
mod fault;
mod guard;
mod limits;
mod meter;
mod packing;
mod retry;
#[cfg(test)]
mod tests;
mod unpack;
mod web_page;

pub use body::{Download, SourceHeaders, stream_to};
pub use client::{Outbound, OutboundError};
pub use error::{FetchError, Retry};
pub use limits::Limits;
pub use retry::wait_before;
pub use unpack::{Snapshot, UnpackError, unpack};

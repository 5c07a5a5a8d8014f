//! What is done to an import: one job, one file. Jobs never import jobs; what comes next is due in
//! the ledger and rung for.

mod apply;
pub mod bell;
mod busy;
mod context;
mod delimiter;
mod encoding;
mod fetch;
mod lease;
mod loan;
pub mod outbound;
mod outcome;
mod plant;
pub mod reading;
pub mod rows;
pub mod survey;
mod sweep;
pub mod work;

#[cfg(feature = "bench")]
#[doc(hidden)]
pub use apply::parts;

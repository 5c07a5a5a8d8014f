//! What every job of a worker process shares.

use std::sync::Arc;
use std::time::Duration;

use longshore_core::payload::Payloads;
use longshore_core::queue::Queue;
use longshore_core::store::schemas::Schemas;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::lease::Keeper;
use crate::outbound::Outbound;

/// What every job of a worker process shares.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) database_url: String,
    /// Connections with the planner settings that matching needs.
    pub(crate) pool: PgPool,
    pub(crate) queue: Queue,
    pub(crate) schemas: Schemas,
    pub(crate) payloads: Payloads,
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) keeper: Keeper,
    /// The name of this process, of this start, and of nobody else.
    pub(crate) holder: String,
    pub(crate) lease: Duration,
    /// Chunks of one import that are applied at the same time, on a connection each.
    pub(crate) lanes: usize,
    /// How many rows a chunk has at first.
    pub(crate) chunk_rows: usize,
    /// Cancelled when the process is to end.
    pub(crate) stop: CancellationToken,
}

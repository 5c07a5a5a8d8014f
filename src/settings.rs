//! The settings of the process: one flat struct, each a flag and an environment variable.
//! Contradictions are refused at start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use longshore_core::address::AddressRules;

/// Settings shared by all roles of the service.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Address of the API
    #[arg(long, env = "LONGSHORE_LISTEN", default_value = "127.0.0.1:4800")]
    pub listen: SocketAddr,
    /// Directory of the embedded servers and of payloads
    #[arg(long, env = "LONGSHORE_DATA_DIR", default_value = ".longshore")]
    pub data_dir: PathBuf,
    /// Postgres; `up` starts a private one when not given
    #[arg(long, env = "LONGSHORE_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Redis; `up` starts a private one when not given. Without Redis, workers wake every second
    #[arg(long, env = "LONGSHORE_REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// What all keys in Redis begin with
    #[arg(long, env = "LONGSHORE_REDIS_PREFIX", default_value = "longshore")]
    pub redis_prefix: String,
    /// Payload store, file:///directory; the directory `payloads` of the data directory when not given
    #[arg(long, env = "LONGSHORE_PAYLOADS")]
    pub payloads: Option<String>,
    /// Admin token of the first account; when not given and none exists, `up` makes one and prints it once
    #[arg(long, env = "LONGSHORE_ADMIN_TOKEN", hide_env_values = true)]
    pub admin_token: Option<String>,
    /// Loopback addresses that sources may have, as a comma list of host:port; none when not given
    #[arg(
        long,
        env = "LONGSHORE_ALLOW_LOOPBACK",
        default_value = "",
        hide_default_value = true
    )]
    pub allow_loopback: String,
    /// Imports that one worker applies at the same time
    #[arg(long, env = "LONGSHORE_APPLY_SLOTS", default_value_t = 4)]
    pub apply_slots: usize,
    /// Chunks of one large import that are applied at the same time, each on a connection of its own
    #[arg(long, env = "LONGSHORE_LANES", default_value_t = 2)]
    pub lanes: usize,
    /// Sources that one worker fetches at the same time
    #[arg(long, env = "LONGSHORE_FETCH_SLOTS", default_value_t = 8)]
    pub fetch_slots: usize,
    /// Connections of the API to Postgres
    #[arg(long, env = "LONGSHORE_API_CONNECTIONS", default_value_t = 10)]
    pub api_connections: u32,
    /// How long a worker may be silent before another one takes its imports
    #[arg(long, env = "LONGSHORE_LEASE_MS", default_value_t = 30_000)]
    pub lease_ms: u64,
    /// How long running chunks may take to end when the process stops
    #[arg(long, env = "LONGSHORE_GRACE_SECS", default_value_t = 30)]
    pub grace_secs: u64,
    /// Connections of clients at the same time
    #[arg(long, env = "LONGSHORE_CONNECTIONS_MAX", default_value_t = 1024)]
    pub connections_max: usize,
    /// Imports that one token may submit in a second, ten times as many at once; 0: no limit
    #[arg(long, env = "LONGSHORE_SUBMITS_PER_SECOND", default_value_t = 5000)]
    pub submits_per_second: u32,
    /// Imports of one account that may wait or run, drafts included; 0: no limit
    #[arg(
        long,
        env = "LONGSHORE_UNFINISHED_IMPORTS_MAX",
        default_value_t = 100_000
    )]
    pub unfinished_imports_max: u32,
    /// What is logged, such as info or debug,sqlx=warn
    #[arg(long, env = "LONGSHORE_LOG", default_value = "info")]
    pub log: String,
    /// How it is logged
    #[arg(
        long,
        env = "LONGSHORE_LOG_FORMAT",
        value_enum,
        default_value = "human"
    )]
    pub log_format: LogFormat,
}

/// How lines of the log look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people
    Human,
    /// One JSON object a line
    Json,
}

/// Settings that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The list of loopback addresses is not one.
    #[error("LONGSHORE_ALLOW_LOOPBACK: {0}")]
    Loopback(#[from] longshore_core::address::LoopbackListError),
    /// A role needs a server that it does not start itself.
    #[error("{0} is not set; only `longshore up` starts servers of its own")]
    Missing(&'static str),
    /// The data directory cannot be named as a URL.
    #[error("the data directory {0:?} is not a usable path")]
    DataDir(PathBuf),
    /// The lease is too short to be renewed in time, or too long to be a lease.
    #[error("LONGSHORE_LEASE_MS is from 300 to 3600000")]
    Lease,
    /// One connection of the API listens for announcements and serves nobody.
    #[error("LONGSHORE_API_CONNECTIONS is at least 2, LONGSHORE_CONNECTIONS_MAX at least 1")]
    Connections,
    /// An import is applied somewhere.
    #[error("LONGSHORE_LANES is from 1 to 16")]
    Lanes,
    /// A worker without slots does nothing.
    #[error("a worker needs at least one slot for applying or fetching")]
    Slots,
}

impl Settings {
    /// Refuses contradictions, whatever role they are for.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.addresses()?;
        if !(300..=3_600_000).contains(&self.lease_ms) {
            return Err(SettingsError::Lease);
        }
        if self.api_connections < 2 || self.connections_max == 0 {
            return Err(SettingsError::Connections);
        }
        if !(1..=16).contains(&self.lanes) {
            return Err(SettingsError::Lanes);
        }
        if self.apply_slots + self.fetch_slots == 0 {
            return Err(SettingsError::Slots);
        }
        Ok(())
    }

    /// Which addresses sources may have.
    pub fn addresses(&self) -> Result<AddressRules, SettingsError> {
        Ok(AddressRules::parse(&self.allow_loopback)?)
    }

    /// Where Postgres is, for a role that does not start one.
    pub fn database_url(&self) -> Result<&str, SettingsError> {
        self.database_url
            .as_deref()
            .ok_or(SettingsError::Missing("LONGSHORE_DATABASE_URL"))
    }

    /// The address of the payload store.
    pub fn payloads_url(&self) -> Result<String, SettingsError> {
        if let Some(url) = &self.payloads {
            return Ok(url.clone());
        }
        let unusable = || SettingsError::DataDir(self.data_dir.clone());
        let path = std::path::absolute(&self.data_dir)
            .map_err(|_| unusable())?
            .join("payloads");
        url::Url::from_directory_path(path)
            .map(String::from)
            .map_err(|()| unusable())
    }

    /// How long a lease lasts without renewal.
    #[must_use]
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }
}

//! What can go wrong around the private servers. Every text tells an operator what to do next, so
//! a new case belongs here only with such a text.

use std::path::PathBuf;

/// Why the private servers do not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Programs that nothing here can do without.
    #[error("{programs} cannot be found; this installs what is needed: {install}")]
    Missing {
        /// Their names.
        programs: String,
        /// The one command that installs them on this system.
        install: String,
    },
    /// Only servers from before version 14 are installed.
    #[error("PostgreSQL {found} is too old, 14 or newer is needed; this installs it: {install}")]
    TooOld {
        /// The newest major version found.
        found: u32,
        /// The one command that installs a newer one on this system.
        install: String,
    },
    /// The data belong to a major version that is not installed.
    #[error(
        "{cluster} was made by PostgreSQL {needed}, but only {found} is installed; \
         install {needed}, or move the data with pg_upgrade"
    )]
    OtherVersion {
        /// Where the data are.
        cluster: PathBuf,
        /// The major version that made them.
        needed: u32,
        /// The major versions found.
        found: String,
    },
    /// Another process has these servers running.
    #[error("{dir} is in use by another longshore (process {holder}); stop it first")]
    Busy {
        /// The locked directory.
        dir: PathBuf,
        /// The holder's process id, as it wrote it down.
        holder: String,
    },
    /// The directory that kept the cluster is not there any more.
    #[error(
        "the cluster of this data directory was kept in {dir}, which is gone; \
         bring it back, or delete {marker} to start with an empty one"
    )]
    ClusterGone {
        /// Where the cluster was.
        dir: PathBuf,
        /// The file that says so.
        marker: PathBuf,
    },
    /// The user that must run Postgres cannot enter the directory of an existing cluster.
    #[error("user {uid} owns {dir} but cannot reach it; let that user pass its parent directories")]
    Unreachable {
        /// The cluster's directory.
        dir: PathBuf,
        /// The owner.
        uid: u32,
    },
    /// Root has nobody to run Postgres as.
    #[error("Postgres refuses to run as root, and there is neither a user postgres nor nobody")]
    NoUser,
    /// A server of an earlier run ignores every signal.
    #[error("{server} of an earlier run (process {pid}) does not stop; end it by hand")]
    OrphanStays {
        /// Which server.
        server: &'static str,
        /// Its process id.
        pid: u32,
    },
    /// A server ended, or never answered.
    #[error("{server} did not start: {reason}\nthe end of {log}:\n{tail}", log = log.display())]
    Failed {
        /// Which server or program.
        server: &'static str,
        /// What was seen.
        reason: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// The file system or the operating system refused.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// The refusal.
        source: std::io::Error,
    },
    /// The server runs, but not as Longshore needs it.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// A server ran but did not end in time, see [`StopError`].
    #[error(transparent)]
    Stop(#[from] StopError),
}

/// Why a Postgres server cannot serve Longshore.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It cannot be asked.
    #[error("the Postgres server cannot be asked: {0}")]
    Sql(#[from] sqlx::Error),
    /// It did not answer in time.
    #[error("the Postgres server did not answer within {secs} seconds")]
    Silent {
        /// How long it was given.
        secs: u64,
    },
    /// It keeps texts in another encoding.
    #[error(
        "the database's encoding is {found}, but it must be UTF8: \
         create it with `create database … encoding 'UTF8' template template0`"
    )]
    Encoding {
        /// The encoding found.
        found: String,
    },
    /// It is from before version 14.
    #[error("the Postgres server has version {found}, but 14 or newer is needed")]
    Version {
        /// The major version found.
        found: u32,
    },
}

/// A server that was told to stop and did not; its guardian goes on trying.
#[derive(Debug, thiserror::Error)]
#[error("{server} did not stop within {secs} seconds")]
pub struct StopError {
    /// Which server.
    pub server: &'static str,
    /// How long it was given.
    pub secs: u64,
}

/// Turns a refusal of the system into a [`StartError`] that tells what was tried.
pub(super) fn cannot(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> StartError {
    let doing = doing.into();
    move |source| StartError::Io { doing, source }
}

//! Private Postgres and Redis servers for `longshore up`, the tests and the benchmark: found on the
//! machine, kept under the data directory, stopped with their parent however it ends. It never
//! touches a server it did not start, and never deletes data.

mod address;
mod cluster;
mod database;
mod error;
mod home;
mod install;
mod log;
mod orphan;
mod place;
mod postgres;
mod process;
mod programs;
mod redis;
mod settings;

use std::path::{Path, PathBuf};

pub use database::check_server;
pub use error::{CheckError, StartError, StopError};
pub use install::install_command;

use postgres::Postgres;
use redis::Redis;

/// Which servers to start, and where.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Where everything is kept; it is made if it does not exist.
    pub data_dir: PathBuf,
    /// Whether to start Postgres.
    pub postgres: bool,
    /// Whether to start Redis, if it is installed.
    pub redis: bool,
    /// Gives up durability for speed: for tests alone, a power cut may destroy the cluster.
    pub fast_unsafe: bool,
    /// Settings of Postgres that win over the built-in ones.
    pub postgres_settings: Vec<(String, String)>,
}

/// Running private servers. Dropping this stops them too, without waiting for it; so does any end
/// of this process, `kill -9` included.
#[derive(Debug)]
pub struct Servers {
    postgres: Option<Postgres>,
    redis: Option<Redis>,
    _lock: place::Lock,
}

impl Servers {
    /// Starts what is wished for and waits until it answers. Needs a tokio runtime with time and
    /// I/O, but the servers depend neither on it nor on the calling thread afterwards.
    pub async fn start(wishes: &Wishes) -> Result<Servers, StartError> {
        let root = place::open_data_dir(&wishes.data_dir)?;
        let lock = place::lock(&root)?;
        let (postgres, redis) =
            tokio::join!(start_postgres(&root, wishes), start_redis(&root, wishes));
        match (postgres, redis) {
            (Ok(postgres), Ok(redis)) => Ok(Servers {
                postgres,
                redis,
                _lock: lock,
            }),
            (Err(error), Ok(redis)) => {
                stop_both(None, redis).await?;
                Err(error)
            }
            (Ok(postgres), Err(error)) => {
                stop_both(postgres, None).await?;
                Err(error)
            }
            (Err(error), Err(_)) => Err(error),
        }
    }

    /// The URL of the database `longshore`, for sqlx and for psql; none if not wished for.
    #[must_use]
    pub fn database_url(&self) -> Option<&str> {
        self.postgres.as_ref().map(|postgres| postgres.url.as_str())
    }

    /// The URL of Redis; none if it was not wished for or no program is installed.
    #[must_use]
    pub fn redis_url(&self) -> Option<&str> {
        self.redis.as_ref().map(|redis| redis.url.as_str())
    }

    /// Postgres' own directory, which root may find outside the data directory.
    #[must_use]
    pub fn postgres_dir(&self) -> Option<&Path> {
        self.postgres
            .as_ref()
            .map(|postgres| postgres.home.dir.as_path())
    }

    /// The process id of Postgres, for tests that hurt it.
    #[must_use]
    pub fn postgres_pid(&self) -> Option<u32> {
        self.postgres.as_ref().and_then(Postgres::pid)
    }

    /// The process id of Redis, for tests that hurt it.
    #[must_use]
    pub fn redis_pid(&self) -> Option<u32> {
        self.redis.as_ref().and_then(Redis::pid)
    }

    /// The name of a server that ended by itself, if one has. It is not started again.
    pub fn ended(&mut self) -> Option<&'static str> {
        let over = |guarded: &mut process::Guarded| !matches!(guarded.ended(), Ok(None));
        if self
            .postgres
            .as_mut()
            .is_some_and(|postgres| over(&mut postgres.guarded))
        {
            return Some("Postgres");
        }
        let redis = self
            .redis
            .as_mut()
            .is_some_and(|redis| over(&mut redis.guarded));
        redis.then_some("Redis")
    }

    /// Stops both and waits until they are gone and all is written.
    pub async fn stop(self) -> Result<(), StopError> {
        stop_both(self.postgres, self.redis).await
    }
}

async fn start_postgres(root: &Path, wishes: &Wishes) -> Result<Option<Postgres>, StartError> {
    if !wishes.postgres {
        return Ok(None);
    }
    Postgres::start(root, wishes).await.map(Some)
}

async fn start_redis(root: &Path, wishes: &Wishes) -> Result<Option<Redis>, StartError> {
    if !wishes.redis {
        return Ok(None);
    }
    Redis::start(root).await
}

async fn stop_both(postgres: Option<Postgres>, redis: Option<Redis>) -> Result<(), StopError> {
    let stop_postgres = async {
        match postgres {
            Some(postgres) => postgres.stop().await,
            None => Ok(()),
        }
    };
    let stop_redis = async {
        match redis {
            Some(redis) => redis.stop().await,
            None => Ok(()),
        }
    };
    let (postgres, redis) = tokio::join!(stop_postgres, stop_redis);
    postgres.and(redis)
}

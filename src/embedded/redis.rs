//! The private Redis: it keeps tickets, which the sweep can ring again, so a snapshot a minute is
//! plenty and a damaged one is set aside. Without the program nothing fails; callers then poll.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::address;
use super::error::{StartError, StopError, cannot};
use super::log::Log;
use super::orphan::{Orphan, works_in};
use super::place::{Listen, make_private, new_secret, write_private};
use super::process::{Farewell, Guarded, Launch};
use super::programs::find_redis;

const NAMES: [&str; 2] = ["redis-server", "valkey-server"];
const SERVER: Farewell = Farewell {
    server: "Redis",
    ask: "TERM",
    insist: "KILL",
    patience_secs: 10,
};
const SILENCE_SECS: u64 = 60;
const SOCKET: &str = "redis.sock";
const ATTEMPTS: usize = 3;
const UNREADABLE: [&str; 6] = [
    "Can't handle RDB format",
    "Wrong signature",
    "Wrong RDB checksum",
    "Internal error in RDB",
    "Short read or OOM",
    "Fatal error loading",
];

/// A running private Redis.
#[derive(Debug)]
pub(super) struct Redis {
    pub url: String,
    pub guarded: Guarded,
    dir: PathBuf,
}

/// How one attempt went wrong.
enum Trouble {
    Ended(String),
    Final(StartError),
}

impl Redis {
    /// Starts the server of the data directory `root`, or answers none where no program is.
    pub(super) async fn start(root: &Path) -> Result<Option<Redis>, StartError> {
        let Some(program) = find_redis() else {
            return Ok(None);
        };
        let dir = root.join("redis");
        make_private(&dir, None)?;
        stop_orphan(&dir).await?;
        let mut log = Log::open(root, "redis.log")?;
        let mut reason = String::new();
        for _ in 0..ATTEMPTS {
            log.mark()?;
            match attempt(&program, &dir, &log).await {
                Ok((guarded, url)) => return Ok(Some(Redis { url, guarded, dir })),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Ended(how)) => reason = how,
            }
            set_unreadable_snapshot_aside(&dir, &log.tail())?;
        }
        Err(log.failure("Redis", reason))
    }

    /// Stops it; it writes its snapshot first.
    pub(super) async fn stop(self) -> Result<(), StopError> {
        self.guarded.stop().await
    }

    /// The server's own process id, from the file it keeps.
    pub(super) fn pid(&self) -> Option<u32> {
        noted_pid(&self.dir)
    }
}

async fn attempt(program: &Path, dir: &Path, log: &Log) -> Result<(Guarded, String), Trouble> {
    let (guarded, url) = launch(program, dir, log).map_err(Trouble::Final)?;
    wait_until_ready(guarded, url, log).await
}

fn launch(program: &Path, dir: &Path, log: &Log) -> Result<(Guarded, String), StartError> {
    let listen = Listen::choose(dir, SOCKET)?;
    let secret = new_secret()?;
    let file = dir.join("redis.conf");
    write_private(&file, &configuration(dir, &listen, &secret), None)?;
    let url = match listen {
        Listen::Socket(dir) => format!("redis+unix://{}", address::encoded(&dir.join(SOCKET))),
        Listen::Port(port) => format!("redis://:{secret}@127.0.0.1:{port}/"),
    };
    let guarded = Guarded::spawn(Launch {
        program,
        arguments: vec![OsString::from(file)],
        home: dir,
        log: log.handle()?,
        owner: None,
        farewell: SERVER,
        environment: Vec::new(),
    })
    .map_err(cannot(format!("start {}", program.display())))?;
    Ok((guarded, url))
}

/// Paths are relative to the working directory wherever Redis allows it, so that none needs
/// quoting; a socket's path is plain by choice.
fn configuration(dir: &Path, listen: &Listen, secret: &str) -> Vec<u8> {
    let listen = match listen {
        Listen::Socket(_) => {
            format!(
                "port 0\nunixsocket \"{}\"\nunixsocketperm 700\n",
                dir.join(SOCKET).display()
            )
        }
        Listen::Port(port) => format!("port {port}\nbind 127.0.0.1\nrequirepass {secret}\n"),
    };
    format!(
        "{listen}dir ./\npidfile redis.pid\ndbfilename dump.rdb\nsave 60 1\nappendonly no\n\
         daemonize no\nmaxmemory-policy noeviction\nstop-writes-on-bgsave-error no\n"
    )
    .into_bytes()
}

async fn wait_until_ready(
    mut guarded: Guarded,
    url: String,
    log: &Log,
) -> Result<(Guarded, String), Trouble> {
    let deadline = Instant::now() + Duration::from_secs(SILENCE_SECS);
    loop {
        match guarded.ended() {
            Ok(None) => {}
            Ok(Some(status)) => return Err(Trouble::Ended(format!("it ended with {status}"))),
            Err(error) => return Err(Trouble::Final(cannot("watch Redis")(error))),
        }
        let Err(error) = ping(&url).await else {
            return Ok((guarded, url));
        };
        if Instant::now() > deadline {
            let reason = format!("no answer in {SILENCE_SECS} s: {error}");
            return Err(Trouble::Final(match guarded.stop().await {
                Ok(()) => log.failure("Redis", reason),
                Err(error) => error.into(),
            }));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Answers an error also while Redis is still loading its snapshot.
async fn ping(url: &str) -> Result<(), redis::RedisError> {
    let ask = async {
        let client = redis::Client::open(url)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING").query_async::<()>(&mut connection).await
    };
    tokio::time::timeout(Duration::from_secs(5), ask)
        .await
        .unwrap_or_else(|elapsed| Err(std::io::Error::from(elapsed).into()))
}

async fn stop_orphan(dir: &Path) -> Result<(), StartError> {
    match noted_pid(dir) {
        Some(pid) if works_in(pid, &NAMES, dir) => {
            Orphan {
                pid,
                names: &NAMES,
                home: dir,
                farewell: SERVER,
            }
            .stop()
            .await
        }
        _ => Ok(()),
    }
}

fn noted_pid(dir: &Path) -> Option<u32> {
    fs::read_to_string(dir.join("redis.pid"))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// A snapshot of a newer or another server, or a damaged one, is no reason to stay silent.
fn set_unreadable_snapshot_aside(dir: &Path, tail: &str) -> Result<(), StartError> {
    let snapshot = dir.join("dump.rdb");
    if !snapshot.exists() || !UNREADABLE.iter().any(|text| tail.contains(text)) {
        return Ok(());
    }
    tracing::warn!("Redis cannot read its snapshot; setting it aside, the sweep rings again");
    fs::rename(&snapshot, dir.join("dump.rdb.unreadable")).map_err(cannot("set dump.rdb aside"))
}

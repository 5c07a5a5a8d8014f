//! The private Postgres: found, made if need be, started, stopped. A server that a killed run left
//! behind is stopped first, and a stale pid file is no obstacle. Durability is Postgres' own
//! default unless the caller gives it up for tests.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Wishes;
use super::cluster::make_cluster;
use super::database::{Answer, is_ready, make_database};
use super::error::{StartError, StopError, cannot};
use super::home::Home;
use super::log::Log;
use super::orphan::{Orphan, works_in};
use super::place::{Listen, make_private};
use super::process::{Farewell, Guarded, Launch};
use super::programs::{PostgresPrograms, find_postgres};
use super::settings::{self, SOCKET};

const NAMES: [&str; 2] = ["postgres", "postmaster"];
const SERVER: Farewell = Farewell {
    server: "Postgres",
    ask: "INT",
    insist: "QUIT",
    patience_secs: 30,
};
const SILENCE_SECS: u64 = 60;
/// Replaying the log after a crash answers "not yet"; giving up would only begin it anew.
const RECOVERY_SECS: u64 = 900;
/// Ends of the server that another attempt may cure: processes of a killed server that are about
/// to notice, and a port that somebody took between our look and Postgres' own.
const PASSING: [&str; 2] = [
    "pre-existing shared memory block",
    "could not bind IPv4 address",
];

/// A running private Postgres.
#[derive(Debug)]
pub(super) struct Postgres {
    pub url: String,
    pub guarded: Guarded,
    pub home: Home,
}

impl Postgres {
    /// Starts the server of the data directory `root`, and makes cluster and database if need be.
    pub(super) async fn start(root: &Path, wishes: &Wishes) -> Result<Postgres, StartError> {
        let home = Home::open(root)?;
        let programs = find_postgres(&home.cluster())?;
        let log = Log::open(root, "postgres.log")?;
        if !home.has_cluster() {
            let initdb = programs.folder.join("initdb");
            make_cluster(&home, &initdb, &log, !wishes.fast_unsafe).await?;
        }
        let mut starter = Starter {
            home: &home,
            programs,
            log,
            wishes,
            stale_pid: None,
        };
        starter.clear_the_way().await?;
        let (guarded, url) = starter.run().await?;
        if let Err(error) = make_database(&url).await {
            guarded.stop().await?;
            return Err(error.into());
        }
        Ok(Postgres { url, guarded, home })
    }

    /// Stops it the fast way: open transactions are rolled back, everything is written.
    pub(super) async fn stop(self) -> Result<(), StopError> {
        self.guarded.stop().await
    }

    /// The server's own process id, from the file it keeps.
    pub(super) fn pid(&self) -> Option<u32> {
        noted_pid(&self.home.cluster())
    }
}

struct Starter<'a> {
    home: &'a Home,
    programs: PostgresPrograms,
    log: Log,
    wishes: &'a Wishes,
    stale_pid: Option<u32>,
}

impl Starter<'_> {
    async fn clear_the_way(&mut self) -> Result<(), StartError> {
        let home = self.home.cluster();
        self.stale_pid = noted_pid(&home);
        if let Some(pid) = self.stale_pid.filter(|&pid| works_in(pid, &NAMES, &home)) {
            Orphan {
                pid,
                names: &NAMES,
                home: &home,
                farewell: SERVER,
            }
            .stop()
            .await?;
        }
        Ok(())
    }

    /// Starts the server until it answers.
    async fn run(&mut self) -> Result<(Guarded, String), StartError> {
        let deadline = Instant::now() + Duration::from_secs(SILENCE_SECS);
        loop {
            self.log.mark()?;
            let (mut guarded, url) = self.launch()?;
            match self.wait_until_ready(&mut guarded, &url).await {
                Ok(()) => return Ok((guarded, url)),
                Err(_) if self.is_passing() && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Err(error) => {
                    guarded.stop().await?;
                    return Err(error);
                }
            }
        }
    }

    fn launch(&self) -> Result<(Guarded, String), StartError> {
        let run = self.home.dir.join("run");
        make_private(&run, self.home.owner)?;
        // Nothing of ours is alive, so what lies here is stale; Postgres would mind its pids.
        for name in [SOCKET.to_owned(), format!("{SOCKET}.lock")] {
            let _ = fs::remove_file(run.join(name));
        }
        let listen = Listen::choose(&run, SOCKET)?;
        settings::write_access_rules(self.home, &listen)?;
        let url = settings::url(self.home, &listen)?;
        // Postgres takes the pid of a stale file for a live server whenever any process has that
        // number now. This variable, which pg_ctl uses too, exempts one number and leaves all of
        // Postgres' other checks in force.
        let exempt = self
            .stale_pid
            .map(|pid| ("PG_GRANDPARENT_PID", pid.to_string()));
        let guarded = Guarded::spawn(Launch {
            program: &self.programs.folder.join("postgres"),
            arguments: settings::arguments(self.home, &listen, self.wishes),
            home: &self.home.dir,
            log: self.log.handle()?,
            owner: self.home.owner,
            farewell: SERVER,
            environment: exempt.into_iter().collect(),
        });
        Ok((guarded.map_err(cannot("start postgres"))?, url))
    }

    async fn wait_until_ready(&self, guarded: &mut Guarded, url: &str) -> Result<(), StartError> {
        let begun = Instant::now();
        loop {
            if let Some(status) = guarded.ended().map_err(cannot("watch Postgres"))? {
                return Err(self
                    .log
                    .failure("Postgres", format!("it ended with {status}")));
            }
            let (limit, error) = match is_ready(url).await {
                Answer::Ready => return Ok(()),
                Answer::NotYet(error) => (RECOVERY_SECS, error),
                Answer::None(error) => (SILENCE_SECS, error),
            };
            if begun.elapsed() > Duration::from_secs(limit) {
                let reason = format!("it does not answer after {limit} s: {error}");
                return Err(self.log.failure("Postgres", reason));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn is_passing(&self) -> bool {
        let tail = self.log.tail();
        PASSING.iter().any(|text| tail.contains(text))
    }
}

/// The process id in the first line of `postmaster.pid`; a negative one is no server.
fn noted_pid(cluster: &Path) -> Option<u32> {
    let text = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok()
}

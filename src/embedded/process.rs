//! One server process and the guardian that ends it with its parent. The guardian is a small shell
//! that holds the reading end of a pipe: whatever way this process ends, the pipe closes and the
//! guardian stops the server. It depends on no thread, no runtime and no unsafe code.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::error::StopError;

/// The user and group that a child runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub uid: u32,
    pub gid: u32,
}

/// How a server is asked to stop, and how it is made to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Farewell {
    /// What messages call the server.
    pub server: &'static str,
    /// The signal that asks.
    pub ask: &'static str,
    /// The signal that insists.
    pub insist: &'static str,
    /// How long asking may take.
    pub patience_secs: u64,
}

/// A program to start.
pub(super) struct Launch<'a> {
    pub program: &'a Path,
    pub arguments: Vec<OsString>,
    /// The working directory, which the program's user must be able to enter.
    pub home: &'a Path,
    pub log: File,
    pub owner: Option<Owner>,
    pub farewell: Farewell,
    pub environment: Vec<(&'static str, String)>,
}

pub(super) const POLL: Duration = Duration::from_millis(20);
/// After insisting, and for the guardian to notice.
pub(super) const GRACE_SECS: u64 = 15;

/// Reads nothing from the pipe: only its end matters. Descriptor 3 stays with the watcher alone,
/// because a server that held it too would change nothing but could be handed to its children.
const GUARDIAN: &str = r#"
ask=$1 insist=$2 patience=$3; shift 3
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
(
    while read -r _ <&3; do :; done
    kill -s "$ask" "$server" || exit 0
    while [ "$patience" -gt 0 ]; do
        sleep 1
        kill -s 0 "$server" || exit 0
        patience=$((patience - 1))
    done
    kill -s "$insist" "$server"
) 2>/dev/null &
watcher=$!
exec 3<&-
wait "$server"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
"#;

/// A running server. Dropping it lets go of the leash, and the guardian stops the server.
#[derive(Debug)]
pub(super) struct Guarded {
    guardian: Child,
    leash: Option<ChildStdin>,
    farewell: Farewell,
}

impl Guarded {
    /// Starts the program under a guardian of its own process group, so that a terminal's Ctrl-C
    /// reaches this process first and the server last.
    pub(super) fn spawn(launch: Launch<'_>) -> io::Result<Guarded> {
        let farewell = launch.farewell;
        let mut command = Command::new("/bin/sh");
        command
            .args([
                "-c",
                GUARDIAN,
                "longshore-guardian",
                farewell.ask,
                farewell.insist,
            ])
            .arg(farewell.patience_secs.to_string())
            .arg(launch.program)
            .args(launch.arguments)
            .current_dir(launch.home)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(launch.log.try_clone()?)
            .stderr(launch.log);
        keep_little_environment(&mut command);
        command.envs(launch.environment);
        if let Some(owner) = launch.owner {
            // The standard library drops the supplementary groups along with root.
            command.uid(owner.uid).gid(owner.gid);
        }
        let mut guardian = command.spawn()?;
        let leash = guardian.stdin.take();
        Ok(Guarded {
            guardian,
            leash,
            farewell,
        })
    }

    /// How the server ended, if it has.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.guardian.try_wait()
    }

    /// Waits for a program that ends by itself.
    pub(super) async fn finish(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(Some(status));
            }
            if Instant::now() > deadline {
                return Ok(None);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Lets go of the leash and waits until the server is gone.
    pub(super) async fn stop(mut self) -> Result<(), StopError> {
        drop(self.leash.take());
        let secs = self.farewell.patience_secs + GRACE_SECS;
        match self.finish(Duration::from_secs(secs)).await {
            Ok(Some(_)) => Ok(()),
            _ => Err(StopError {
                server: self.farewell.server,
                secs,
            }),
        }
    }
}

/// Settings of other Postgres clients (PGPORT, PGOPTIONS …) and our own secrets stay outside.
fn keep_little_environment(command: &mut Command) {
    command.env_clear().env("LC_ALL", "C");
    for name in ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
}

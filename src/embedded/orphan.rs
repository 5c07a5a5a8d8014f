//! A server that an earlier run left behind: recognised for certain, then stopped. A process id from
//! a file proves nothing by itself, since the system gives it to somebody else as soon as it is
//! free; nobody is signalled on that evidence alone.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::error::StartError;
use super::process::{Farewell, GRACE_SECS, POLL};

/// Whether `pid` is one of the programs `names`, at work in `home`.
pub(super) fn works_in(pid: u32, names: &[&str], home: &Path) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    if !Path::new("/proc/self").exists() {
        let Some(command) = command_by_ps(pid) else {
            return false;
        };
        return names.iter().any(|name| command.contains(name)) && mentions(&command, home);
    }
    let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
    if !names.contains(&name.trim_end()) {
        return false;
    }
    // Root without the right to trace, as in a container, may read the arguments of another
    // user's process but not its working directory.
    let arguments = std::fs::read(process.join("cmdline")).unwrap_or_default();
    let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
    std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == home)
        || mentions(&arguments, home)
}

fn command_by_ps(pid: u32) -> Option<String> {
    let output = Command::new("ps")
        .args(["-ww", "-o", "command=", "-p", &pid.to_string()])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn mentions(arguments: &str, home: &Path) -> bool {
    let home = home.to_string_lossy();
    arguments.match_indices(&*home).any(|(start, found)| {
        matches!(
            arguments[start + found.len()..].chars().next(),
            None | Some(' ' | '/')
        )
    })
}

/// A server of an earlier run, known to be ours.
pub(super) struct Orphan<'a> {
    pub pid: u32,
    pub names: &'a [&'a str],
    pub home: &'a Path,
    pub farewell: Farewell,
}

impl Orphan<'_> {
    /// Stops it, also when it is frozen, and returns when it is gone.
    pub(super) async fn stop(&self) -> Result<(), StartError> {
        tracing::warn!(
            pid = self.pid,
            "{} of an earlier run is still there; stopping it",
            self.farewell.server
        );
        let stages = [
            (self.farewell.ask, self.farewell.patience_secs),
            (self.farewell.insist, GRACE_SECS),
        ];
        for (signal, secs) in stages {
            send(self.pid, signal);
            send(self.pid, "CONT");
            if self.gone_within(Duration::from_secs(secs)).await {
                return Ok(());
            }
        }
        Err(StartError::OrphanStays {
            server: self.farewell.server,
            pid: self.pid,
        })
    }

    async fn gone_within(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while works_in(self.pid, self.names, self.home) {
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
        true
    }
}

/// The shell's own `kill`, because signals other than KILL need unsafe code or a dependency.
fn send(pid: u32, signal: &str) {
    let sent = Command::new("/bin/sh")
        .args([
            "-c",
            "kill -s \"$1\" \"$2\"",
            "kill",
            signal,
            &pid.to_string(),
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if let Err(error) = sent {
        tracing::warn!(%error, pid, signal, "a signal could not be sent");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_only_mentioned_as_a_whole() {
        let home = Path::new("/data/cluster");
        assert!(mentions("postgres -D /data/cluster -c port=1", home));
        assert!(mentions(
            "redis-server unixsocket:/data/cluster/redis.sock",
            home
        ));
        assert!(!mentions("postgres -D /data/cluster2 -c port=1", home));
    }

    #[test]
    fn a_process_of_another_program_is_never_taken_for_ours() {
        let home = std::env::current_dir().unwrap();
        assert!(!works_in(std::process::id(), &["postgres"], &home));
    }
}

//! Makes the private cluster, once. It is made under another name and renamed when whole, so that
//! a run killed in the middle leaves nothing that could be taken for a cluster.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::error::{StartError, cannot};
use super::home::Home;
use super::log::Log;
use super::place::{new_secret, write_private};
use super::process::{Farewell, Guarded, Launch};

const INITDB: Farewell = Farewell {
    server: "initdb",
    ask: "TERM",
    insist: "KILL",
    patience_secs: 5,
};
const INITDB_SECS: u64 = 300;
const HALF_MADE: &str = "half-made-";

/// Runs `initdb` for a home that has no cluster yet. Without `sync`, a power cut may spoil it.
pub(super) async fn make_cluster(
    home: &Home,
    initdb: &Path,
    log: &Log,
    sync: bool,
) -> Result<(), StartError> {
    remove_half_made(&home.dir)?;
    let half = home.dir.join(format!("{HALF_MADE}{}", std::process::id()));
    write_private(
        &home.password(),
        format!("{}\n", new_secret()?).as_bytes(),
        home.owner,
    )?;
    let launch = Launch {
        program: initdb,
        arguments: arguments(home, &half, sync),
        home: &home.dir,
        log: log.handle()?,
        owner: home.owner,
        farewell: INITDB,
        environment: Vec::new(),
    };
    let mut guarded = Guarded::spawn(launch).map_err(cannot("start initdb"))?;
    let ended = guarded.finish(Duration::from_secs(INITDB_SECS)).await;
    match ended.map_err(cannot("wait for initdb"))? {
        Some(status) if status.success() => {}
        Some(status) => return Err(log.failure("initdb", format!("it ended with {status}"))),
        None => return Err(log.failure("initdb", format!("it was not done in {INITDB_SECS} s"))),
    }
    let keep = || {
        fs::rename(&half, home.cluster())?;
        fs::File::open(&home.dir)?.sync_all()
    };
    keep().map_err(cannot("keep the new cluster"))
}

/// Any other encoding or order of texts would change what a key matches.
fn arguments(home: &Home, half: &Path, sync: bool) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = [
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "-U",
        "longshore",
        "--auth=trust",
        "--pwfile",
    ]
    .map(OsString::from)
    .to_vec();
    arguments.extend([home.password().into(), OsString::from("-D"), half.into()]);
    arguments.push(OsString::from("--no-instructions"));
    if !sync {
        arguments.push(OsString::from("--no-sync"));
    }
    arguments
}

fn remove_half_made(dir: &Path) -> Result<(), StartError> {
    let entries = fs::read_dir(dir).map_err(cannot(format!("list {}", dir.display())))?;
    for entry in entries.filter_map(Result::ok) {
        if !entry.file_name().to_string_lossy().starts_with(HALF_MADE) {
            continue;
        }
        // An initdb that is just dying may still write into it; the next run removes the rest.
        if let Err(error) = fs::remove_dir_all(entry.path()) {
            tracing::warn!(%error, path = %entry.path().display(), "a half-made cluster stays");
        }
    }
    Ok(())
}

//! The directories of the private servers: locked against a second run, private to their user, and
//! with a socket whose path is short enough. Nothing here ever deletes data.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::error::{StartError, cannot};
use super::process::Owner;

/// Systems cut off socket paths at 104 or 108 bytes.
const SOCKET_PATH_BYTES_MAX: usize = 100;
const SECRET_BYTES: usize = 24;

/// The data directory, as an absolute path.
pub(super) fn open_data_dir(data_dir: &Path) -> Result<PathBuf, StartError> {
    let doing = format!("open the data directory {}", data_dir.display());
    fs::create_dir_all(data_dir)
        .and_then(|()| data_dir.canonicalize())
        .map_err(cannot(doing))
}

/// Held while the servers of one directory run. The system takes it back when its holder dies.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Locks `dir`, or names the process that has it.
pub(super) fn lock(dir: &Path) -> Result<Lock, StartError> {
    let path = dir.join("servers.lock");
    let doing = || cannot(format!("lock {}", path.display()));
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(doing())?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(doing())?;
            return Err(StartError::Busy {
                dir: dir.to_owned(),
                holder,
            });
        }
        Err(TryLockError::Error(error)) => return Err(doing()(error)),
    }
    file.set_len(0)
        .and_then(|()| write!(file, "{}", std::process::id()))
        .map_err(doing())?;
    Ok(Lock { _file: file })
}

/// Makes `dir` if need be, for the eyes of `owner` (or ourselves) alone. Trust on a socket is only
/// right because of this.
pub(super) fn make_private(dir: &Path, owner: Option<Owner>) -> Result<(), StartError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .and_then(|()| fs::set_permissions(dir, Permissions::from_mode(0o700)))
        .and_then(|()| give(dir, owner))
        .map_err(cannot(format!("make {} private", dir.display())))
}

/// Writes a file that only `owner` (or ourselves) may read, whole or not at all.
pub(super) fn write_private(
    path: &Path,
    text: &[u8],
    owner: Option<Owner>,
) -> Result<(), StartError> {
    let fresh = path.with_extension("fresh");
    let write = || {
        // Left behind by a killed run, perhaps with another owner.
        let _ = fs::remove_file(&fresh);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(text)?;
        file.sync_all()?;
        give(&fresh, owner)?;
        fs::rename(&fresh, path)
    };
    write().map_err(cannot(format!("write {}", path.display())))
}

fn give(path: &Path, owner: Option<Owner>) -> io::Result<()> {
    owner.map_or(Ok(()), |owner| {
        chown(path, Some(owner.uid), Some(owner.gid))
    })
}

/// A password for servers that must listen on TCP: 48 hexadecimal digits.
pub(super) fn new_secret() -> Result<String, StartError> {
    let mut bytes = [0; SECRET_BYTES];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(cannot("read /dev/urandom"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Listen {
    /// On a socket in this private directory.
    Socket(PathBuf),
    /// On this port of 127.0.0.1, behind a password.
    Port(u16),
}

impl Listen {
    /// The socket `dir/name` if its path is fit for every client and configuration file, or else a
    /// port that is free right now.
    pub(super) fn choose(dir: &Path, name: &str) -> Result<Listen, StartError> {
        let path = dir.join(name);
        let plain = |letter: u8| letter.is_ascii_graphic() && !b"\"'\\,%".contains(&letter);
        let fits = path.to_str().is_some_and(|text| {
            text.len() < SOCKET_PATH_BYTES_MAX && text.bytes().all(|l| plain(l) || l == b' ')
        });
        if fits {
            return Ok(Listen::Socket(dir.to_owned()));
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map_err(cannot("find a free port on 127.0.0.1"))?
            .port();
        Ok(Listen::Port(port))
    }
}

/// Whether this process is root, for whom Postgres does not run.
pub(super) fn is_root() -> bool {
    static ROOT: OnceLock<bool> = OnceLock::new();
    *ROOT.get_or_init(|| id(&["-u"]) == Some(0))
}

/// What `id` answers: it knows every source of users that the system has.
pub(super) fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    if !output.status.success() {
        return None;
    }
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_or_odd_path_moves_the_server_to_a_port() {
        let socket = |dir: &str| Listen::choose(Path::new(dir), ".s.PGSQL.5432").unwrap();
        let is_socket = |dir: &str| matches!(socket(dir), Listen::Socket(_));
        assert!(is_socket("/srv/data dir/run"));
        assert!(is_socket(&format!("/{}", "a".repeat(84))));
        assert!(!is_socket(&format!("/{}", "a".repeat(85))));
        assert!(!is_socket("/srv/a,b"));
        assert!(!is_socket("/srv/ä"));
    }

    #[test]
    fn the_second_lock_names_the_holder() {
        let dir = tempfile::tempdir().unwrap();
        let first = lock(dir.path()).unwrap();
        let refused = lock(dir.path()).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("process {}", std::process::id())),
            "{refused}"
        );
        drop(first);
        lock(dir.path()).unwrap();
    }
}

//! Where the cluster lives and who runs it. For root it runs as another user, and lives under
//! `/var/lib/longshore` where that user cannot reach the data directory; a marker in the data
//! directory then tells the place. A cluster that lost its data directory is set aside, not reused.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::error::{StartError, cannot};
use super::place::{Lock, id, is_root, lock, make_private, write_private};
use super::process::Owner;

const ELSEWHERE: &str = "/var/lib/longshore";
const MARKER: &str = "postgres.elsewhere";

/// The directory of one cluster, held by this process.
#[derive(Debug)]
pub(super) struct Home {
    pub dir: PathBuf,
    /// Whom it belongs to, if not to ourselves.
    pub owner: Option<Owner>,
    _lock: Lock,
}

impl Home {
    /// Finds or makes the home of the cluster of the data directory `root`.
    pub(super) fn open(root: &Path) -> Result<Home, StartError> {
        let (dir, owner) = if is_root() {
            place_for_root(root)?
        } else {
            (root.join("postgres"), None)
        };
        make_private(&dir, owner)?;
        // A copied data directory brings along a marker for a place that is not its own.
        let lock = lock(&dir)?;
        Ok(Home {
            dir,
            owner,
            _lock: lock,
        })
    }

    /// Postgres' own data directory.
    pub(super) fn cluster(&self) -> PathBuf {
        self.dir.join("cluster")
    }

    /// Whether a whole cluster is there: only a whole one is ever given its name.
    pub(super) fn has_cluster(&self) -> bool {
        self.cluster().join("PG_VERSION").exists()
    }

    /// The file with the password of the cluster's only user.
    pub(super) fn password(&self) -> PathBuf {
        self.dir.join("password")
    }
}

fn place_for_root(root: &Path) -> Result<(PathBuf, Option<Owner>), StartError> {
    let inside = root.join("postgres");
    if let Some(owner) = owner_of_cluster(&inside) {
        return reachable_or_error(inside, owner);
    }
    let owner = service_user()?;
    let marker = root.join(MARKER);
    if let Ok(text) = fs::read_to_string(&marker) {
        let dir = PathBuf::from(text.trim_end());
        return if dir.is_dir() {
            reachable_or_error(dir.clone(), owner_of_cluster(&dir).unwrap_or(owner))
        } else {
            Err(StartError::ClusterGone { dir, marker })
        };
    }
    make_private(&inside, Some(owner))?;
    if reaches(owner, &inside) {
        return Ok((inside, Some(owner)));
    }
    // The empty directory would only puzzle whoever looks for the data.
    let _ = fs::remove_dir(&inside);
    let outside = Path::new(ELSEWHERE).join(digest_of(root));
    set_aside(&outside)?;
    fs::create_dir_all(ELSEWHERE).map_err(cannot(format!("make {ELSEWHERE}")))?;
    make_private(&outside, Some(owner))?;
    write_private(&marker, format!("{}\n", outside.display()).as_bytes(), None)?;
    Ok((outside, Some(owner)))
}

fn reachable_or_error(dir: PathBuf, owner: Owner) -> Result<(PathBuf, Option<Owner>), StartError> {
    if reaches(owner, &dir) {
        Ok((dir, Some(owner)))
    } else {
        Err(StartError::Unreachable {
            dir,
            uid: owner.uid,
        })
    }
}

/// An existing cluster goes on running as the user that made it.
fn owner_of_cluster(dir: &Path) -> Option<Owner> {
    let found = fs::metadata(dir.join("cluster/PG_VERSION")).ok()?;
    (found.uid() != 0).then(|| Owner {
        uid: found.uid(),
        gid: found.gid(),
    })
}

fn service_user() -> Result<Owner, StartError> {
    ["postgres", "nobody"]
        .iter()
        .find_map(|user| {
            Some(Owner {
                uid: id(&["-u", user])?,
                gid: id(&["-g", user])?,
            })
        })
        .ok_or(StartError::NoUser)
}

/// Tried for real: permissions, lists and mounts make too many rules to judge from outside.
fn reaches(owner: Owner, dir: &Path) -> bool {
    Command::new("/bin/sh")
        .args(["-c", "cd \"$1\" && test -w .", "reach"])
        .arg(dir)
        .current_dir("/")
        .uid(owner.uid)
        .gid(owner.gid)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn digest_of(root: &Path) -> String {
    let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The data directory is new, so what an earlier one of this path left must not come back; but
/// whether it may be deleted is not ours to decide.
fn set_aside(outside: &Path) -> Result<(), StartError> {
    if !outside.exists() {
        return Ok(());
    }
    let _not_in_use = lock(outside)?;
    let secs = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let aside = outside.with_extension(format!("left-{secs}"));
    tracing::warn!(
        from = %outside.display(),
        to = %aside.display(),
        "the data directory is new; setting aside the cluster of an earlier one"
    );
    fs::rename(outside, &aside).map_err(cannot(format!("rename {}", outside.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_data_directories_never_share_a_place() {
        assert_eq!(digest_of(Path::new("/a")).len(), 16);
        assert_ne!(digest_of(Path::new("/a")), digest_of(Path::new("/a/b")));
    }
}

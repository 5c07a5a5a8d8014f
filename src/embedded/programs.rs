//! Finds the installed server programs and never installs any. Distributions hide Postgres' programs
//! outside PATH, hence the list of folders.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::StartError;
use super::install::install_command;

/// The oldest major version of Postgres that Longshore runs on.
pub(super) const POSTGRES_MAJOR_MIN: u32 = 14;

/// Where distributions put Postgres; a star stands for a version.
const POSTGRES_FOLDERS: [(&str, &str, &str); 7] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ("/usr/local", "pgsql", "bin"),
];

const REDIS_FOLDERS: [&str; 5] = [
    "/usr/bin",
    "/usr/local/bin",
    "/opt/homebrew/bin",
    "/usr/sbin",
    "/usr/local/sbin",
];

/// One installed PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PostgresPrograms {
    /// The folder of `postgres` and `initdb`.
    pub folder: PathBuf,
    /// Its major version.
    pub major: u32,
}

/// The Postgres to run: of the version that made `cluster`, or else the first in PATH, or else the
/// newest in the usual folders.
pub(super) fn find_postgres(cluster: &Path) -> Result<PostgresPrograms, StartError> {
    let folders = postgres_folders();
    let installed: Vec<_> = folders
        .iter()
        .filter_map(|folder| postgres_in(folder))
        .collect();
    if installed.is_empty() {
        return Err(missing(&folders));
    }
    match version_of_cluster(cluster) {
        Some(needed) => choose_exactly(&installed, needed, cluster),
        None => choose_new_enough(&installed),
    }
}

/// `redis-server`, or Valkey under its own name; none is no error.
pub(super) fn find_redis() -> Option<PathBuf> {
    let mut folders = path_folders();
    folders.extend(REDIS_FOLDERS.map(PathBuf::from));
    redis_in(&folders)
}

fn redis_in(folders: &[PathBuf]) -> Option<PathBuf> {
    ["redis-server", "valkey-server"].iter().find_map(|name| {
        folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|path| path.is_file())
    })
}

fn choose_exactly(
    installed: &[PostgresPrograms],
    needed: u32,
    cluster: &Path,
) -> Result<PostgresPrograms, StartError> {
    let found = installed.iter().find(|programs| programs.major == needed);
    found.cloned().ok_or_else(|| StartError::OtherVersion {
        cluster: cluster.to_owned(),
        needed,
        found: installed
            .iter()
            .map(|p| p.major.to_string())
            .collect::<Vec<_>>()
            .join(", "),
    })
}

fn choose_new_enough(installed: &[PostgresPrograms]) -> Result<PostgresPrograms, StartError> {
    let found = installed
        .iter()
        .find(|programs| programs.major >= POSTGRES_MAJOR_MIN);
    found.cloned().ok_or_else(|| StartError::TooOld {
        found: installed
            .iter()
            .map(|programs| programs.major)
            .max()
            .unwrap_or_default(),
        install: install_command(),
    })
}

fn missing(folders: &[PathBuf]) -> StartError {
    let lacks = |name: &str| !folders.iter().any(|folder| folder.join(name).is_file());
    let programs = match (lacks("postgres"), lacks("initdb")) {
        (true, false) => "postgres",
        (false, true) => "initdb",
        _ => "postgres and initdb (PostgreSQL 14 or newer)",
    };
    StartError::Missing {
        programs: programs.to_owned(),
        install: install_command(),
    }
}

fn version_of_cluster(cluster: &Path) -> Option<u32> {
    std::fs::read_to_string(cluster.join("PG_VERSION"))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Both programs must stand in one folder: `initdb` starts the `postgres` beside itself.
fn postgres_in(folder: &Path) -> Option<PostgresPrograms> {
    if !folder.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(folder.join("postgres"))
        .arg("--version")
        .output()
        .ok()?;
    let major = major_in(&String::from_utf8_lossy(&output.stdout))?;
    Some(PostgresPrograms {
        folder: folder.to_owned(),
        major,
    })
}

/// The major version in `postgres (PostgreSQL) 17.2 (Debian 17.2-1)`, also of betas (`18beta1`).
fn major_in(version: &str) -> Option<u32> {
    let number = version.split(") ").nth(1)?;
    number
        .split(|letter: char| !letter.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

fn postgres_folders() -> Vec<PathBuf> {
    let mut folders = path_folders();
    for (parent, prefix, inner) in POSTGRES_FOLDERS {
        folders.extend(
            versions_in(Path::new(parent), prefix)
                .into_iter()
                .map(|f| f.join(inner)),
        );
    }
    folders
}

/// The subfolders that start with `prefix`, newest version first.
fn versions_in(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let rest = name
                .strip_prefix(prefix)?
                .trim_start_matches(['-', '@'])
                .to_owned();
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            Some((digits.parse().unwrap_or_default(), entry.path()))
        })
        .collect();
    found.sort_by(|left, right| right.cmp(left));
    found.into_iter().map(|(_, path)| path).collect()
}

fn path_folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_every_known_spelling() {
        assert_eq!(
            major_in("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major_in("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_in("postgres (PostgreSQL) 9.6.24\n"), Some(9));
        assert_eq!(major_in("sh: not found"), None);
    }

    #[test]
    fn what_is_missing_is_named_with_the_command_that_installs_it() {
        let dir = tempfile::tempdir().unwrap();
        let folders = [dir.path().to_owned()];
        let text = missing(&folders).to_string();
        assert!(text.starts_with("postgres and initdb"), "{text}");
        assert!(text.contains(&install_command()), "{text}");
        std::fs::write(dir.path().join("postgres"), "").unwrap();
        assert!(
            missing(&folders)
                .to_string()
                .starts_with("initdb cannot be found")
        );
    }

    #[test]
    fn valkey_serves_where_redis_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let folders = [dir.path().to_owned()];
        assert_eq!(redis_in(&folders), None);
        let valkey = dir.path().join("valkey-server");
        std::fs::write(&valkey, "").unwrap();
        assert_eq!(redis_in(&folders), Some(valkey));
    }

    #[test]
    fn folders_are_tried_from_the_newest_version_down() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["9.6", "14", "16", "other"] {
            std::fs::create_dir(parent.path().join(name)).unwrap();
        }
        let names: Vec<_> = versions_in(parent.path(), "")
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["16", "14", "9.6", "other"]);
    }

    #[test]
    fn a_cluster_is_only_run_by_the_version_that_made_it() {
        let programs = |major| PostgresPrograms {
            folder: PathBuf::from("/x"),
            major,
        };
        let installed = [programs(13), programs(16), programs(15)];
        let cluster = Path::new("/cluster");
        assert_eq!(choose_exactly(&installed, 15, cluster).unwrap().major, 15);
        assert_eq!(choose_new_enough(&installed).unwrap().major, 16);
        let refused = choose_exactly(&installed, 14, cluster).unwrap_err();
        assert!(
            refused.to_string().contains("made by PostgreSQL 14"),
            "{refused}"
        );
        let refused = choose_new_enough(&installed[..1]).unwrap_err();
        assert!(
            refused.to_string().contains("PostgreSQL 13 is too old"),
            "{refused}"
        );
    }
}

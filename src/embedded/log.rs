//! The logs of the private servers, below `logs` in the data directory. They hold what the servers
//! print, so an error can show the lines that explain it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::error::{StartError, cannot};
use super::place::make_private;

const LOG_BYTES_MAX: u64 = 10 * 1024 * 1024;
const TAIL_BYTES: u64 = 4 * 1024;

/// A server's log: opened by us and handed down, so that its user needs no right to the directory.
pub(super) struct Log {
    path: PathBuf,
    file: File,
    start: u64,
}

impl Log {
    /// Opens `logs/name` below the data directory; one of 10 MiB or more is set aside first.
    pub(super) fn open(root: &Path, name: &str) -> Result<Log, StartError> {
        let dir = root.join("logs");
        make_private(&dir, None)?;
        let path = dir.join(name);
        let open = || {
            if fs::metadata(&path).is_ok_and(|found| found.len() >= LOG_BYTES_MAX) {
                fs::rename(&path, path.with_extension("log.1"))?;
            }
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&path)?;
            let start = file.metadata()?.len();
            Ok((file, start))
        };
        let (file, start) = open().map_err(cannot(format!("open {}", path.display())))?;
        Ok(Log { path, file, start })
    }

    /// From here on, the tail begins at this moment.
    pub(super) fn mark(&mut self) -> Result<(), StartError> {
        let found = self.file.metadata().map_err(cannot("look at a log file"))?;
        self.start = found.len();
        Ok(())
    }

    /// The error of a server that did not start, with the tail of its log.
    pub(super) fn failure(&self, server: &'static str, reason: impl Into<String>) -> StartError {
        let (log, tail) = (self.path.clone(), self.tail());
        StartError::Failed {
            server,
            reason: reason.into(),
            log,
            tail,
        }
    }

    /// A handle for a child to write to.
    pub(super) fn handle(&self) -> Result<File, StartError> {
        self.file.try_clone().map_err(cannot("share a log file"))
    }

    /// The last lines written since this log was opened or marked.
    pub(super) fn tail(&self) -> String {
        let read = || {
            let mut file = File::open(&self.path)?;
            let end = file.metadata()?.len();
            file.seek(SeekFrom::Start(
                self.start.max(end.saturating_sub(TAIL_BYTES)),
            ))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            io::Result::Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
        };
        read().unwrap_or_else(|error| format!("(unreadable: {error})"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_full_log_is_set_aside_and_the_tail_shows_this_run_only() {
        let dir = tempfile::tempdir().unwrap();
        Log::open(dir.path(), "x.log")
            .unwrap()
            .file
            .write_all(b"old\n")
            .unwrap();
        let mut log = Log::open(dir.path(), "x.log").unwrap();
        log.file.write_all(b"new\n").unwrap();
        assert_eq!(log.tail(), "new");
        log.file.set_len(LOG_BYTES_MAX).unwrap();
        Log::open(dir.path(), "x.log").unwrap();
        assert!(dir.path().join("logs/x.log.1").exists());
    }
}

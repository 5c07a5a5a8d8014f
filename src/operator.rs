//! The operator's door into a running service: a file in the data directory, readable by its owner
//! alone, that says where the private Postgres is while `up` runs.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use longshore_core::database::check_name;
use longshore_core::store::accounts::{self, NewToken};
use longshore_core::store::connect;
use longshore_core::token::{self, Scope};

use crate::settings::Settings;

/// Why the operator's door stays shut.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The note cannot be written.
    #[error("{0:?} cannot be written")]
    Note(PathBuf, #[source] std::io::Error),
    /// Neither a configured Postgres nor a running `up`.
    #[error(
        "LONGSHORE_DATABASE_URL is not set, and no `longshore up` runs on the data directory {0:?}"
    )]
    NotRunning(PathBuf),
    /// A name that cannot be.
    #[error("{0}")]
    Name(String),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] longshore_core::error::Error),
}

/// The note of a running `up`; taken away when it ends.
pub(crate) struct Note {
    path: PathBuf,
}

impl Note {
    pub(crate) fn write(data_dir: &Path, database_url: &str) -> Result<Note, OperatorError> {
        let path = note(data_dir);
        let unwritable = |error| OperatorError::Note(path.clone(), error);
        // A note of a run that was killed may still be there, with other rights.
        if let Err(error) = std::fs::remove_file(&path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(unwritable(error));
        }
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(database_url.as_bytes()))
            .map_err(unwritable)?;
        Ok(Note { path })
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        // One that stays behind leads nowhere.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn note(data_dir: &Path) -> PathBuf {
    data_dir.join("database_url")
}

/// Makes an account, if it is new, and an admin token of it. Returns the token's text, which is
/// kept nowhere.
pub async fn create_account(settings: &Settings, name: &str) -> Result<String, OperatorError> {
    check_name(name, "").map_err(|complaint| OperatorError::Name(complaint.detail))?;
    let url = match &settings.database_url {
        Some(url) => url.clone(),
        None => std::fs::read_to_string(note(&settings.data_dir))
            .map_err(|_| OperatorError::NotRunning(settings.data_dir.clone()))?,
    };
    let mut connection = connect::own_connection(&url, "longshore-setup").await?;
    let account = accounts::ensure(&mut connection, name).await?;
    let (token, text) = token::generate();
    let new = NewToken {
        name: "admin".to_owned(),
        scopes: vec![Scope::Admin],
        expires_at: None,
    };
    accounts::keep_token(&mut connection, account, &token, &new).await?;
    Ok(text)
}

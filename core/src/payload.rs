//! Where the bytes of payloads rest: a directory, through the object store interface so that it
//! can be another store later. Every object is synced to disk before its import names it; objects
//! that no import names are swept.

use std::io::{BufReader, Cursor, Read};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetResultPayload, ObjectStore, ObjectStoreExt};
use rand::Rng;
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::error::Error;
use crate::store::imports::Rest;

/// How much is read from a file at once.
const READ_BYTES: usize = 256 << 10;
/// How much is collected before it is written, one part after the other: the least that stores of
/// objects take as a part.
const PART_BYTES: usize = 5 << 20;

/// The payload store.
#[derive(Clone)]
pub struct Payloads {
    store: Arc<dyn ObjectStore>,
}

/// The address of a payload store is not one that can be used.
#[derive(Debug, thiserror::Error)]
pub enum PayloadAddressError {
    /// Neither a file: nor another known address.
    #[error("LONGSHORE_PAYLOADS is {0:?}; expected file:///an/absolute/directory")]
    Unknown(String),
    /// The directory cannot be made.
    #[error("the payload directory {0:?} cannot be made")]
    Directory(String, #[source] std::io::Error),
    /// The directory cannot be opened.
    #[error("the payload directory {0:?} cannot be opened")]
    Open(String, #[source] object_store::Error),
}

impl Payloads {
    /// The store at `file:///directory`, which is made if it is not there: for nobody else to read.
    pub fn open(address: &str) -> Result<Payloads, PayloadAddressError> {
        let unknown = || PayloadAddressError::Unknown(address.to_owned());
        let url = url::Url::parse(address).map_err(|_| unknown())?;
        let directory = (url.scheme() == "file")
            .then(|| url.to_file_path().ok())
            .flatten();
        let directory = directory.ok_or_else(unknown)?;
        make_private(&directory)
            .map_err(|error| PayloadAddressError::Directory(address.to_owned(), error))?;
        let store = LocalFileSystem::new_with_prefix(directory)
            .map_err(|error| PayloadAddressError::Open(address.to_owned(), error))?
            .with_fsync(true);
        Ok(Payloads {
            store: Arc::new(store),
        })
    }

    /// A new object. What is written counts once the writer was shut down; before that, nothing
    /// is there.
    #[must_use]
    pub fn create(&self) -> (String, BufWriter) {
        let key = format!("{:032x}", rand::rng().random::<u128>());
        let path = Path::from(key.as_str());
        let writer = BufWriter::with_capacity(Arc::clone(&self.store), path, PART_BYTES);
        (key, writer.with_max_concurrency(1))
    }

    /// A reader of a payload for a thread that may block.
    pub async fn read(&self, rest: &Rest) -> Result<Box<dyn Read + Send>, Error> {
        match rest {
            Rest::Inline(bytes) => Ok(Box::new(Cursor::new(bytes.clone()))),
            Rest::Stored(key) => {
                let object = self.store.get(&Path::from(key.as_str())).await?;
                // A file is read as one, without a detour over threads for every piece.
                if let GetResultPayload::File(file, _) = object.payload {
                    return Ok(Box::new(BufReader::with_capacity(READ_BYTES, file)));
                }
                let stream = object.into_stream().map_err(std::io::Error::other);
                let stream = StreamReader::new(Box::pin(stream));
                Ok(Box::new(SyncIoBridge::new(stream)))
            }
        }
    }

    /// Deletes an object. One that is gone already is as good.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        match self.store.delete(&Path::from(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Keys of objects older than `age`: old enough that no acceptance is still on its way.
    pub async fn older_than(&self, age: Duration) -> Result<Vec<String>, Error> {
        let age = chrono::TimeDelta::from_std(age).unwrap_or(chrono::TimeDelta::MAX);
        let before = chrono::Utc::now() - age;
        let objects: Vec<_> = self.store.list(None).try_collect().await?;
        Ok(objects
            .into_iter()
            .filter(|object| object.last_modified < before)
            .map(|object| object.location.to_string())
            .collect())
    }
}

fn make_private(directory: &std::path::Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_store_that_is_made_is_for_nobody_else_to_read() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("payloads");
        Payloads::open(&format!("file://{}", directory.display())).unwrap();
        let mode = std::fs::metadata(&directory).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}

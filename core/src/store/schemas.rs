//! Databases as they were read last. Each is asked for its version, which grows with every change of its
//! schema, whoever makes it: triggers see to that. Only what changed is read again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::PgConnection;

use crate::database::Database;
use crate::error::Error;
use crate::store::databases::{self, DatabaseRow};

/// Databases that are remembered before all are forgotten.
const REMEMBERED_MAX: usize = 1_000;

/// The databases of one process. Clones share them.
#[derive(Clone, Default)]
pub struct Schemas(Arc<Mutex<HashMap<i64, Known>>>);

struct Known {
    version: i64,
    database: Arc<Database>,
}

impl Schemas {
    /// The account's database of this id or name.
    pub async fn find(
        &self,
        connection: &mut PgConnection,
        account_id: i64,
        id_or_name: &str,
    ) -> Result<Arc<Database>, Error> {
        let row = databases::row(connection, account_id, id_or_name).await?;
        self.complete(connection, row).await
    }

    /// The database of this number, whoever it belongs to: for workers.
    pub async fn by_number(
        &self,
        connection: &mut PgConnection,
        number: i64,
    ) -> Result<Arc<Database>, Error> {
        let row = databases::row_by_number(connection, number).await?;
        self.complete(connection, row).await
    }

    /// Whether this is the database of this number as it is in this version.
    #[must_use]
    pub fn is_current(&self, database: &Database, version: i64) -> bool {
        let known = self.lock();
        let known = known.get(&database.number.0);
        known.is_some_and(|known| {
            known.version == version && std::ptr::eq(&raw const *known.database, database)
        })
    }

    /// The version is read before the rest: what changes in between is read anew the next time.
    async fn complete(
        &self,
        connection: &mut PgConnection,
        row: DatabaseRow,
    ) -> Result<Arc<Database>, Error> {
        let (id, version) = (row.id, row.schema_version);
        if let Some(known) = self.lock().get(&id)
            && known.version == version
        {
            return Ok(Arc::clone(&known.database));
        }
        let database = Arc::new(databases::complete(connection, row).await?);
        let mut known = self.lock();
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        let database_of_version = Known {
            version,
            database: Arc::clone(&database),
        };
        known.insert(id, database_of_version);
        Ok(database)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

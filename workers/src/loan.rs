//! A connection of the pool, lent to one job. A job that is broken off in the middle of a statement
//! leaves answers on the wire that the next one would take for its own: then it is closed.

use longshore_core::error::Error;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};

/// A connection that is closed unless it is given back.
pub(crate) struct Loan(Option<PoolConnection<Postgres>>);

impl Loan {
    pub(crate) async fn of(pool: &PgPool) -> Result<Loan, Error> {
        Ok(Loan(Some(pool.acquire().await?)))
    }

    pub(crate) fn connection(&mut self) -> Result<&mut PgConnection, Error> {
        let connection = self.0.as_deref_mut();
        connection.ok_or(Error::Sql(sqlx::Error::PoolClosed))
    }

    /// No statement is under way on it.
    pub(crate) fn give_back(mut self) {
        self.0 = None;
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

//! Connections for rounds. The pool asks every connection that it is given back whether it is still
//! there, which doubles the round trips of short questions. A round always comes to its end, so that
//! its connection is kept here for the next one, unasked while it was in use just now.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use longshore_core::store::connect::TRUSTED_FOR;
use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, PgPool, Postgres};

use super::problem::Problem;

/// So many are kept from the pool at most: others need connections, too.
const FREE_MAX: u32 = 4;
/// So many are never kept from it: one that listens for announcements, and one for all the others.
const LEFT_MIN: u32 = 2;

/// After this long one goes back to the pool, which knows how old connections may become.
const KEPT_FOR: Duration = Duration::from_secs(600);
/// How long one that was not in use may take to say that it is there: as long as the pool waits for one.
const ASKED_FOR: Duration = Duration::from_secs(3);

/// The lines of one process. Clones share them.
#[derive(Clone)]
pub(crate) struct Lines {
    pool: PgPool,
    free: Arc<Mutex<Vec<Free>>>,
}

struct Free {
    connection: PoolConnection<Postgres>,
    taken_at: Instant,
    free_since: Instant,
}

impl Free {
    async fn is_there(&mut self) -> bool {
        if self.free_since.elapsed() <= TRUSTED_FOR {
            return true;
        }
        let answer = tokio::time::timeout(ASKED_FOR, self.connection.ping()).await;
        matches!(answer, Ok(Ok(())))
    }
}

impl Lines {
    pub(crate) fn of(pool: PgPool) -> Lines {
        Lines {
            pool,
            free: Arc::default(),
        }
    }

    /// A connection that is there, as far as is known.
    pub(crate) async fn take(&self) -> Result<Line, Problem> {
        while let Some(mut free) = self.last_free() {
            if free.taken_at.elapsed() >= KEPT_FOR {
                continue;
            }
            if free.is_there().await {
                return Ok(self.line(free.connection, free.taken_at));
            }
            // What one has lost the others have, too; to ask each of them takes as long each time.
            drop(std::mem::take(&mut *self.lock()));
        }
        let connection = self.pool.acquire().await?;
        Ok(self.line(connection, Instant::now()))
    }

    fn line(&self, connection: PoolConnection<Postgres>, taken_at: Instant) -> Line {
        Line {
            connection,
            taken_at,
            lines: self.clone(),
        }
    }

    fn last_free(&self) -> Option<Free> {
        self.lock().pop()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Free>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use. Where it is not given back, something went wrong: the pool looks after it.
pub(crate) struct Line {
    connection: PoolConnection<Postgres>,
    taken_at: Instant,
    lines: Lines,
}

impl Line {
    /// No statement is under way on it, and no transaction.
    pub(crate) fn give_back(self) {
        let Line {
            connection,
            taken_at,
            lines,
        } = self;
        let connections = lines.pool.options().get_max_connections();
        let free_max = FREE_MAX.min(connections.saturating_sub(LEFT_MIN) / 2);
        let mut free = lines.lock();
        if free.len() < free_max as usize {
            free.push(Free {
                connection,
                taken_at,
                free_since: Instant::now(),
            });
        }
    }
}

impl Deref for Line {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Line {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

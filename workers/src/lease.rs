//! Keeps the leases of this worker alive, on a connection and a task of their own, so that no
//! chunk and no busy pool delays a renewal. What could not be renewed is reported lost well before
//! another worker may take it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use longshore_core::error::Error;
use longshore_core::store::connect::own_connection;
use longshore_core::store::{leases, workers};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

/// A lease in our hands. Dropping it stops its renewal.
pub(crate) struct Held {
    import_id: i64,
    pub(crate) epoch: i64,
    /// Cancelled when the lease is, or must be taken for, lost.
    pub(crate) lost: CancellationToken,
    /// Cancelled when someone asked to cancel the import, as far as renewals have seen.
    pub(crate) asked: CancellationToken,
    all: Arc<Mutex<HashMap<i64, Renewal>>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut all = lock(&self.all);
        if all
            .get(&self.import_id)
            .is_some_and(|renewal| renewal.epoch == self.epoch)
        {
            all.remove(&self.import_id);
        }
    }
}

struct Renewal {
    epoch: i64,
    renewed_at: Instant,
    lost: CancellationToken,
    asked: CancellationToken,
}

/// What a keeper needs.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) database_url: String,
    pub(crate) holder: String,
    pub(crate) lease: Duration,
}

/// Renews what is held.
#[derive(Clone, Default)]
pub(crate) struct Keeper {
    all: Arc<Mutex<HashMap<i64, Renewal>>>,
}

impl Keeper {
    /// Takes a lease into care. `claimed_at` is when the claim was sent, by our own clock.
    pub(crate) fn hold(&self, import_id: i64, epoch: i64, claimed_at: Instant) -> Held {
        let (lost, asked) = (CancellationToken::new(), CancellationToken::new());
        let renewal = Renewal {
            epoch,
            renewed_at: claimed_at,
            lost: lost.clone(),
            asked: asked.clone(),
        };
        lock(&self.all).insert(import_id, renewal);
        Held {
            import_id,
            epoch,
            lost,
            asked,
            all: Arc::clone(&self.all),
        }
    }

    /// Renews until `stop`: every third of the lease, and in quick succession while it fails.
    pub(crate) async fn run(self, terms: Terms, stop: CancellationToken) {
        let mut connection: Option<PgConnection> = None;
        while !stop.is_cancelled() {
            let patience = terms.lease / 6;
            let renewed = tokio::time::timeout(patience, self.renew(&mut connection, &terms)).await;
            let wait = match renewed {
                Ok(Ok(())) => terms.lease / 3,
                Ok(Err(error)) => {
                    tracing::warn!(error = %error, "leases could not be renewed");
                    connection = None;
                    terms.lease / 12
                }
                Err(_) => {
                    tracing::warn!("renewing leases took too long");
                    connection = None;
                    Duration::ZERO
                }
            };
            self.give_up_old(terms.lease * 5 / 6);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => {}
            }
        }
        if let Some(connection) = &mut connection {
            let _ = workers::left(connection, &terms.holder).await;
        }
    }

    async fn renew(
        &self,
        connection: &mut Option<PgConnection>,
        terms: &Terms,
    ) -> Result<(), Error> {
        let connection = match connection {
            Some(connection) => connection,
            None => {
                connection.insert(own_connection(&terms.database_url, "longshore-lease").await?)
            }
        };
        workers::seen(connection, &terms.holder).await?;
        let held: Vec<(i64, i64)> = lock(&self.all)
            .iter()
            .map(|(import, renewal)| (*import, renewal.epoch))
            .collect();
        if held.is_empty() {
            return Ok(());
        }
        let asked_at = Instant::now();
        let renewed = leases::renew(connection, &held, terms.lease).await?;
        let mut all = lock(&self.all);
        for (import, epoch) in held {
            let Some(renewal) = all
                .get_mut(&import)
                .filter(|renewal| renewal.epoch == epoch)
            else {
                continue;
            };
            match renewed.iter().find(|renewed| renewed.import_id == import) {
                Some(renewed) => {
                    renewal.renewed_at = asked_at;
                    if renewed.asked {
                        renewal.asked.cancel();
                    }
                }
                None => renewal.lost.cancel(),
            }
        }
        Ok(())
    }

    /// Whoever sleeps past this must not write when it wakes, though the epoch would stop it anyway.
    fn give_up_old(&self, age: Duration) {
        for renewal in lock(&self.all).values() {
            if renewal.renewed_at.elapsed() > age {
                renewal.lost.cancel();
            }
        }
    }
}

/// A panic while the map was locked leaves it whole: every change to it is one call.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

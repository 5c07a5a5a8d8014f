//! What a slot may take, and how it takes it: slots claim one after the other, since each is to know
//! where those before it are at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use longshore_core::error::Error;
use longshore_core::queue::{Ticket, Verb};
use longshore_core::store::leases::{self, Claim, Wish};
use sqlx::PgConnection;
use tokio::sync::MutexGuard;

use super::Worker;
use crate::busy::Stay;

/// How often, and how far apart, a claim is tried while something is due.
const CLAIM_TRIES: u32 = 5;
const CLAIM_PAUSE: Duration = Duration::from_millis(10);

impl Worker {
    /// Whether a slot is at small imports of this one's database: it looks again behind them, and the
    /// import was there before its ticket. Should that slot break off, the sweep rings.
    pub(super) fn is_taken_along(&self, ticket: Ticket) -> bool {
        ticket.verb == Verb::Apply
            && !self.context.stop.is_cancelled()
            && ticket
                .small_in
                .is_some_and(|database| self.busy.is_at(database))
    }

    /// Claims what is due, and says since when. What someone else has locked just now, perhaps only to
    /// look at it, is tried again: its ticket is gone, and the sweep would come seconds later. Mostly
    /// nobody has it, and it came due after the first look.
    pub(super) async fn claim(
        &self,
        connection: &mut PgConnection,
        verb: Verb,
    ) -> Result<Option<(Claim, Instant, Marks)>, Error> {
        let (holder, lease) = (&self.context.holder, self.context.lease);
        for earlier_tries in 0..CLAIM_TRIES {
            if earlier_tries > 1 {
                tokio::time::sleep(CLAIM_PAUSE).await;
            }
            let alone = self.look_alone(verb).await;
            let wish = self.wish(verb);
            // What is left to other slots rings as well: mostly there is nothing else.
            if !wish.busy.is_empty() && !leases::any_due(connection, &wish).await? {
                return Ok(None);
            }
            let claimed_at = Instant::now();
            let claim = leases::claim_next(connection, &wish, holder, lease).await?;
            if let Some(claim) = claim {
                let marks = self.mark(verb, &claim);
                return Ok(Some((claim, claimed_at, marks)));
            }
            drop(alone);
            if !leases::any_due(connection, &wish).await? {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// What others who claim have to know of this one, before they do.
    fn mark(&self, verb: Verb, claim: &Claim) -> Marks {
        match (verb, claim.small) {
            (Verb::Apply, true) => (Some(self.busy.enter(claim.database_id)), None),
            (Verb::Apply, false) => (None, Some(Count::one_more(&self.large))),
            (Verb::Fetch, _) => (None, None),
        }
    }

    /// Waits until nobody else claims.
    async fn look_alone(&self, verb: Verb) -> MutexGuard<'_, ()> {
        let _waiting = (verb == Verb::Apply).then(|| Count::one_more(&self.about_to_look));
        self.claiming.lock().await
    }

    /// Rings once more where something else is due: its own ticket may have come while it was to be
    /// passed over, or while somebody was about to look. Should that fail, the sweep rings.
    pub(super) async fn wake_another(&self, connection: &mut PgConnection, id: i64) {
        let wish = self.wish(Verb::Apply);
        if let Ok(true) = leases::any_due(connection, &wish).await {
            self.ring(Verb::Apply, &[id]).await;
        }
    }

    /// The last slot is kept for small imports: one row never waits for a million.
    pub(super) fn wish(&self, verb: Verb) -> Wish {
        let slots = self.settings.apply_slots;
        let taken = self.large.load(Ordering::Relaxed);
        Wish {
            verb,
            small_only: verb == Verb::Apply && slots > 1 && taken + 1 >= slots,
            busy: match verb {
                Verb::Apply => self.busy.databases(),
                Verb::Fetch => Vec::new(),
            },
        }
    }
}

/// A stay for what is small, a count for what is large.
pub(super) type Marks = (Option<Stay>, Option<Count>);

/// Counts something for as long as it lasts, also where it is broken off.
pub(super) struct Count(Arc<AtomicUsize>);

impl Count {
    fn one_more(counter: &Arc<AtomicUsize>) -> Count {
        counter.fetch_add(1, Ordering::AcqRel);
        Count(Arc::clone(counter))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::address::AddressRules;
    use longshore_core::payload::Payloads;
    use longshore_core::queue::Queue;
    use tokio_util::sync::CancellationToken;

    use super::super::{CHUNK_ROWS, Settings};
    use super::*;

    fn worker() -> Worker {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings {
            database_url: "postgres://127.0.0.1:1/none".to_owned(),
            queue: Queue::silent(),
            payloads: Payloads::open(&format!("file://{}", directory.path().display())).unwrap(),
            addresses: AddressRules::default(),
            apply_slots: 2,
            fetch_slots: 1,
            lanes: 1,
            chunk_rows: CHUNK_ROWS,
            lease: Duration::from_secs(30),
            grace: Duration::from_secs(1),
        };
        Worker::new(settings, CancellationToken::new()).unwrap()
    }

    #[tokio::test]
    async fn small_imports_of_a_database_are_left_to_the_slot_that_is_there_and_nothing_else_is() {
        let worker = worker();
        let stay = worker.busy.enter(7);
        let small = |verb, database| Ticket {
            small_in: database,
            ..Ticket::new(verb, 1)
        };
        assert!(worker.is_taken_along(small(Verb::Apply, Some(7))));
        for other in [
            small(Verb::Apply, Some(8)),
            small(Verb::Apply, None),
            small(Verb::Fetch, Some(7)),
        ] {
            assert!(!worker.is_taken_along(other), "{other:?}");
        }
        assert_eq!(worker.wish(Verb::Apply).busy, [7]);
        assert_eq!(worker.wish(Verb::Fetch).busy, [0; 0]);
        drop(stay);
        assert!(!worker.is_taken_along(small(Verb::Apply, Some(7))));
        let _stay = worker.busy.enter(7);
        worker.context.stop.cancel();
        assert!(!worker.is_taken_along(small(Verb::Apply, Some(7))));
    }
}

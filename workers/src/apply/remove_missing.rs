//! Removes what the payload does not name, after its last row: judged by the brake first, then chunk
//! by chunk, each with its checkpoint. Nothing is removed before the judgement, and nothing that the
//! judgement did not count.

use longshore_core::database::Database;
use longshore_core::error::Error;
use longshore_core::import::{RemovalState, State};
use longshore_core::limits::REMOVAL_CHUNK_MAX;
use longshore_core::store::connect::lock_database;
use longshore_core::store::removal::{self, Removal};
use longshore_core::store::victims::{self, Scope};
use longshore_core::store::{imports, leases, requests, turns};
use sqlx::{Connection, PgConnection};

use super::commit;
use super::{Job, Target};
use crate::outcome::{Outcome, Stop};

/// What one transaction of a removal led to.
enum Step {
    More,
    Ended(Outcome),
}

impl Job<'_> {
    pub(super) async fn remove_missing(
        &self,
        connection: &mut PgConnection,
        (database, target): (&Database, &Target<'_>),
    ) -> Result<Outcome, Stop> {
        loop {
            if let Some(outcome) = self.obey(connection).await? {
                return Ok(outcome);
            }
            if self.held.lost.is_cancelled() {
                return Err(Stop::LeaseLost);
            }
            let mut tx = connection.begin().await?;
            lock_database(&mut tx, self.import.database_id).await?;
            let removal = removal::find(&mut tx, self.import.id).await?;
            let scope = Scope::of(&mut tx, self.import.id, (database, &removal.tables)).await?;
            let step = match removal.state {
                RemovalState::Pending | RemovalState::Approved | RemovalState::Held => {
                    self.judge(&mut tx, &scope, &removal).await?
                }
                RemovalState::Removing => {
                    remove_some(&mut tx, &scope, (target, removal.after_id)).await?
                }
                RemovalState::Refused | RemovalState::Expired | RemovalState::Done => {
                    Step::Ended(Outcome::Complete(commit::complete(&mut tx, target).await?))
                }
            };
            tx.commit().await?;
            if let Step::Ended(outcome) = step {
                return Ok(outcome);
            }
        }
    }

    /// Holds the import, or lets the removal begin. Counting may take longer than a renewal may wait:
    /// the lease is locked only behind it.
    async fn judge(
        &self,
        tx: &mut PgConnection,
        scope: &Scope<'_>,
        removal: &Removal,
    ) -> Result<Step, Error> {
        let id = self.import.id;
        let (counts, reasons) = victims::judge(tx, scope, removal.approved).await?;
        leases::fence(tx, id, self.held.epoch).await?;
        let asked = requests::of_holder(tx, id, self.held.epoch).await?;
        if asked.cancel || asked.pause {
            // Asked while it was counted: obeyed first, since nobody asks a held import again.
            return Ok(Step::More);
        }
        if reasons.is_empty() {
            imports::enter(tx, id, State::Finishing).await?;
            let judged = (&counts.sums, reasons.as_slice());
            removal::judged(tx, id, judged, RemovalState::Removing).await?;
            return Ok(Step::More);
        }
        tracing::warn!(
            import = id,
            removals = counts.removals(),
            "the brake holds a removal"
        );
        imports::enter(tx, id, State::Held).await?;
        imports::announce(tx, id).await?;
        removal::judged(tx, id, (&counts.sums, &reasons), RemovalState::Held).await?;
        leases::close(tx, id).await?;
        let next = turns::wake_next(tx, self.import.database_id).await?;
        Ok(Step::Ended(Outcome::Held(next)))
    }
}

/// Removes the next victims; without any left the import is complete.
async fn remove_some(
    tx: &mut PgConnection,
    scope: &Scope<'_>,
    (target, after): (&Target<'_>, i64),
) -> Result<Step, Error> {
    match remove_chunk(tx, scope, (target, after)).await? {
        Some(_) => Ok(Step::More),
        None => {
            removal::log_end(tx, target.import_id).await?;
            removal::end(tx, target.import_id, RemovalState::Done).await?;
            let next = commit::complete(tx, target).await?;
            Ok(Step::Ended(Outcome::Complete(next)))
        }
    }
}

/// Removes the victims behind an id, as many as one transaction may, and moves the checkpoint.
/// Returns up to where; none: nothing is left.
pub(super) async fn remove_chunk(
    tx: &mut PgConnection,
    scope: &Scope<'_>,
    (target, after): (&Target<'_>, i64),
) -> Result<Option<i64>, Error> {
    let ids = scope.after(tx, after, REMOVAL_CHUNK_MAX).await?;
    let Some(last) = ids.last() else {
        return Ok(None);
    };
    let gone = scope.remove(tx, &ids).await?;
    let writer = (target.import_id, target.epoch);
    removal::move_on(tx, writer, *last, gone).await?;
    Ok(Some(*last))
}

//! Imports that are applied as a whole or not at all. Every row is checked before the first is
//! applied; then all chunks commit in one transaction. What cannot be applied ends the import with
//! all of its rejects, and nothing else is kept of it.

use std::sync::Arc;

use longshore_core::code::Code;
use longshore_core::import::{Failure, Reject, RemovalState};
use longshore_core::limits::ALL_OR_NOTHING_ROWS_MAX;
use longshore_core::plan::{Plan, too_many_rows_to_be_whole};
use longshore_core::store::chunks::{self, Span};
use longshore_core::store::connect::{lock_database, lock_databases};
use longshore_core::store::victims::{self, Scope};
use longshore_core::store::{endings, leases, rejects, removal, turns};
use sqlx::{Connection, PgConnection};
use tokio::sync::mpsc;

use super::chunk::Chunk;
use super::commit;
use super::pieces::Outcome as Applied;
use super::remove_missing::remove_chunk;
use super::{Job, Target, reading_ended};
use crate::outcome::{Outcome, Stop, fail};
use crate::rows;

impl Job<'_> {
    pub(super) async fn apply_whole(
        &self,
        connection: &mut PgConnection,
        plan: &Arc<Plan>,
    ) -> Result<Outcome, Stop> {
        let rows = self.rows;
        if rows > ALL_OR_NOTHING_ROWS_MAX {
            return Err(fail(Code::TooManyRows, too_many_rows_to_be_whole(rows)));
        }
        let rejects = self.unreadable(plan).await?;
        if !rejects.is_empty() {
            return self.refuse_whole(connection, &rejects).await;
        }
        let target = self.target(plan);
        let mut tx = connection.begin().await?;
        lock_databases(&mut tx, &target.databases()).await?;
        let mut applied = Applied::default();
        let mut chunks = self.read_from(plan, (1, &Arc::new(self.pace(0)))).await?;
        loop {
            let mut chunk = self.next(&mut chunks).await?;
            if self.is_asked_to_stop() {
                tx.rollback().await?;
                let obeyed = self.obey(connection).await?;
                return match obeyed {
                    Some(outcome) => Ok(outcome),
                    None => self.release(connection).await,
                };
            }
            let part = commit::apply_within(&mut tx, &target, &mut chunk).await?;
            applied.add(part.done, part.rejects);
            if chunk.last {
                break;
            }
        }
        if !applied.rejects.is_empty() {
            tx.rollback().await?;
            return self.refuse_whole(connection, &applied.rejects).await;
        }
        let span = Span {
            import_id: self.import.id,
            epoch: self.held.epoch,
            first_row: 1,
            next_row: rows + 1,
        };
        chunks::log(&mut tx, span, &target.linked()).await?;
        chunks::move_checkpoint(&mut tx, span, &applied.done).await?;
        if plan.remove_missing
            && let Some(failure) = self.remove_within(&mut tx, &target).await?
        {
            tx.rollback().await?;
            return Err(Stop::Fail(failure));
        }
        let next = commit::complete(&mut tx, &target).await?;
        tx.commit().await?;
        Ok(Outcome::Complete(next))
    }

    /// The rows that fail by themselves, whatever the database holds.
    async fn unreadable(&self, plan: &Arc<Plan>) -> Result<Vec<Reject>, Stop> {
        let mut rejects = Vec::new();
        let mut chunks = self.read_from(plan, (1, &Arc::new(self.pace(0)))).await?;
        loop {
            let chunk = self.next(&mut chunks).await?;
            rejects.extend(chunk.rejects);
            if chunk.last {
                return Ok(rejects);
            }
        }
    }

    async fn next(
        &self,
        chunks: &mut mpsc::Receiver<Result<Chunk, rows::Error>>,
    ) -> Result<Chunk, Stop> {
        let next = tokio::select! {
            next = chunks.recv() => next,
            () = self.held.lost.cancelled() => return Err(Stop::LeaseLost),
        };
        Ok(next.ok_or_else(reading_ended)??)
    }

    /// The removal belongs to the whole: where the brake holds it, nothing is kept of the import.
    async fn remove_within(
        &self,
        tx: &mut PgConnection,
        target: &Target<'_>,
    ) -> Result<Option<Failure>, Stop> {
        let id = self.import.id;
        let removal = removal::find(tx, id).await?;
        let scope = Scope::of(tx, id, (self.database, &removal.tables)).await?;
        let (counts, reasons) = victims::judge(tx, &scope, None).await?;
        if let Some(first) = reasons.first() {
            let details: Vec<&str> = reasons
                .iter()
                .map(|reason| reason.detail.as_str())
                .collect();
            return Ok(Some(Failure {
                code: first.code.clone(),
                message: format!(
                    "{} The import is all or nothing, so nothing of it is applied.",
                    details.join(" ")
                ),
                line: None,
                column: None,
            }));
        }
        removal::judged(tx, id, (&counts.sums, &[]), RemovalState::Removing).await?;
        let mut after = 0;
        while let Some(last) = remove_chunk(tx, &scope, (target, after)).await? {
            after = last;
        }
        removal::log_end(tx, id).await?;
        removal::end(tx, id, RemovalState::Done).await?;
        Ok(None)
    }

    fn is_asked_to_stop(&self) -> bool {
        self.held.asked.is_cancelled() || self.context.stop.is_cancelled()
    }

    /// Ends the import with its rejects; every other row stays unprocessed.
    async fn refuse_whole(
        &self,
        connection: &mut PgConnection,
        rejected: &[Reject],
    ) -> Result<Outcome, Stop> {
        let (id, epoch) = (self.import.id, self.held.epoch);
        let mut tx = connection.begin().await?;
        lock_database(&mut tx, self.import.database_id).await?;
        leases::fence(&mut tx, id, epoch).await?;
        rejects::keep(&mut tx, id, rejected).await?;
        let count = i64::try_from(rejected.len()).unwrap_or(i64::MAX);
        chunks::settle_rejects(&mut tx, id, epoch, count).await?;
        endings::fail(&mut tx, id, &self.rows_rejected(count)).await?;
        leases::close(&mut tx, id).await?;
        let next = turns::wake_next(&mut tx, self.import.database_id).await?;
        tx.commit().await?;
        Ok(Outcome::GivenUp(next))
    }

    fn rows_rejected(&self, count: i64) -> Failure {
        Failure {
            code: Code::RowsRejected.as_str().to_owned(),
            message: format!(
                "{count} of {} rows cannot be applied, so none was. The rejects say which and why; \
                 correct them and submit the import again.",
                self.rows
            ),
            line: None,
            column: None,
        }
    }
}

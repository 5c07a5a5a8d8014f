//! The apply job: surveys the payload, waits for its turn, applies it chunk by chunk. It may be
//! killed anywhere; whoever takes it up goes on from the checkpoint. It must never write outside a
//! chunk's transaction, nor under an epoch that is not its lease's.

mod all_new;
mod cells;
mod check;
mod chunk;
mod commit;
mod decide;
mod feed;
mod find;
mod give_up;
mod id;
mod in_line;
mod keys;
mod lanes;
mod links;
mod name;
mod numbers;
pub(crate) mod pace;
#[cfg(feature = "bench")]
pub mod parts;
mod pieces;
mod prepare;
mod remove_missing;
mod together;
mod typing;
mod version;
mod whole;
mod write;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore_core::code::Code;
use longshore_core::database::Database;
use longshore_core::import::Reject;
use longshore_core::plan::{self, Plan};
use longshore_core::queue::{Lane, Ticket, Verb};
use longshore_core::reading::Found;
use longshore_core::store::connect::lock_database;
use longshore_core::store::imports::Import;
use longshore_core::store::leases::{self, Claim};
use longshore_core::store::{chunks, imports, removal, turns};
use sqlx::{Connection, PgConnection};
use tokio::sync::mpsc;

use self::chunk::{Chunk, Layout};
use self::commit::{Committed, Target};
use self::feed::Feed;
use self::pace::Pace;
use crate::busy::Stay;
use crate::context::Context;
use crate::lease::Held;
use crate::outcome::{FAILURES_MAX, Outcome, Stop, fail, fail_for, obey, wait_before_retry};
use crate::rows;

/// Works on an import until it is complete, has to wait, or cannot go on. Trouble that passes is
/// waited out here, from the checkpoint each time. `stay` ends where a small import goes alone.
pub(crate) async fn run(
    context: &Context,
    connection: &mut PgConnection,
    claim: &Claim,
    (held, mut stay): (&Held, Option<Stay>),
) -> Result<Outcome, Stop> {
    let import = imports::find(connection, claim.import_id).await?;
    if import.state.is_final() {
        return Err(Stop::LeaseLost);
    }
    if let Some(outcome) = obey(connection, &import, held.epoch).await? {
        return Ok(outcome);
    }
    let schemas = &context.schemas;
    let database = schemas.by_number(connection, import.database_id).await?;
    let mut job = Job {
        context,
        import: &import,
        database: &database,
        held,
        rescues: claim.rescues,
        rows: 0,
        found: Found::default(),
    };
    let survey = match job.survey(connection).await? {
        ControlFlow::Continue(survey) => survey,
        ControlFlow::Break(outcome) => return Ok(outcome),
    };
    job.rows = survey.rows;
    let plan = plan::bind(&import.definition, &database, &survey.columns)
        .map_err(|complaints| fail_for(&complaints))?
        .with_dates_of(&survey.found);
    job.found = survey.found;
    job.ensure_indexes(connection, &plan, &mut stay).await?;
    if let Some(outcome) = job.apply_together(connection, &plan).await? {
        return Ok(outcome);
    }
    job.go_alone(&mut stay).await;
    if !job.take_turn(connection, &plan).await? {
        return Ok(Outcome::WaitsForTurn);
    }
    job.apply(connection, Arc::new(plan)).await
}

/// What the reading thread sends, in the order of rows.
type Chunks = mpsc::Receiver<Result<Chunk, rows::Error>>;

struct Job<'a> {
    context: &'a Context,
    import: &'a Import,
    database: &'a Database,
    held: &'a Held,
    rescues: i32,
    /// Rows of the payload, once it is surveyed.
    rows: i64,
    /// How it is read, where the definition leaves that open.
    found: Found,
}

impl Job<'_> {
    async fn source(&self) -> Result<Box<dyn std::io::Read + Send>, Stop> {
        let snapshot = self.import.snapshot.as_ref();
        let snapshot = snapshot.ok_or_else(|| {
            fail(
                Code::PayloadMissing,
                "The payload was removed. Submit the import again.",
            )
        })?;
        Ok(self.context.payloads.read(&snapshot.rest).await?)
    }

    /// Leaves other small imports of the database to other slots, which passed them over so far.
    async fn go_alone(&self, stay: &mut Option<Stay>) {
        if stay.take().is_some() {
            let (verb, id) = (Verb::Apply, self.import.id);
            self.context
                .queue
                .ring(Lane::Express, Ticket::new(verb, id))
                .await;
        }
    }

    /// Begins to apply if it is this import's turn; otherwise gives the lease back until it is.
    async fn take_turn(&self, connection: &mut PgConnection, plan: &Plan) -> Result<bool, Stop> {
        let mut tx = connection.begin().await?;
        lock_database(&mut tx, self.import.database_id).await?;
        leases::fence(&mut tx, self.import.id, self.held.epoch).await?;
        let its_turn = turns::is_next(&mut tx, self.import.id).await?;
        match its_turn {
            true => imports::begin_applying(&mut tx, self.import.id, self.held.epoch).await?,
            false => turns::wait(&mut tx, self.import.id, self.held.epoch).await?,
        }
        if its_turn && plan.remove_missing {
            removal::open(&mut tx, self.import.id, &plan.cleaned_tables()).await?;
        }
        tx.commit().await?;
        Ok(its_turn)
    }

    /// Applies from the checkpoint on; after trouble that passes, from the checkpoint again.
    async fn apply(&self, connection: &mut PgConnection, plan: Arc<Plan>) -> Result<Outcome, Stop> {
        let mut failures = 0;
        let mut carefulness = self.rescues;
        let mut spare: Option<PgConnection> = None;
        if let Some(outcome) = self.quarantine(connection, &plan).await? {
            return Ok(outcome);
        }
        loop {
            let connection = spare.as_mut().unwrap_or(connection);
            let error = match self
                .apply_from_checkpoint(connection, &plan, (&mut failures, carefulness))
                .await
            {
                Err(Stop::Again(error)) => error,
                done => return done,
            };
            failures += 1;
            if error.is_timeout() || error.is_lock_trouble() {
                // The same chunk would take as long again; a smaller one, alone, need not.
                carefulness = (carefulness + 1).max(2);
            }
            tracing::warn!(import = self.import.id, failures, error = %error, "a chunk is tried again");
            if failures >= FAILURES_MAX {
                return Err(Stop::Again(error));
            }
            tokio::select! {
                () = tokio::time::sleep(wait_before_retry(failures)) => {}
                () = self.held.lost.cancelled() => return Err(Stop::LeaseLost),
            }
            // Whether the connection survived is not asked: a fresh one costs less than a doubt.
            spare = self.reconnect().await;
        }
    }

    async fn reconnect(&self) -> Option<PgConnection> {
        let mut fresh = self.context.pool.acquire().await.ok()?.detach();
        let epoch = self.held.epoch;
        leases::move_to_this_backend(&mut fresh, self.import.id, epoch)
            .await
            .ok()?;
        Some(fresh)
    }

    async fn apply_from_checkpoint(
        &self,
        connection: &mut PgConnection,
        plan: &Arc<Plan>,
        (failures, carefulness): (&mut u32, i32),
    ) -> Result<Outcome, Stop> {
        if plan.is_all_or_nothing() {
            return self.apply_whole(connection, plan).await;
        }
        let first_row = self.next_row(connection).await?;
        let target = self.target(plan);
        if plan.remove_missing && first_row > self.rows {
            let ends = (self.database, &target);
            return self.remove_missing(connection, ends).await;
        }
        let pace = Arc::new(self.pace(carefulness));
        let mut chunks = self.read_from(plan, (first_row, &pace)).await?;
        if self.goes_side_by_side(plan, carefulness) {
            let feed = (&mut chunks, &*pace);
            return self
                .apply_side_by_side(connection, plan, feed, failures)
                .await;
        }
        loop {
            let mut chunk = self.next_chunk(&mut chunks).await?;
            if let Some(outcome) = self.obey(connection).await? {
                return Ok(outcome);
            }
            let began = Instant::now();
            let committed = commit::commit(connection, &target, &mut chunk).await?;
            if !matches!(committed, Committed::More) {
                return self.end(connection, plan, committed).await;
            }
            *failures = 0;
            pace.learn(chunk.rows_covered(), began.elapsed());
        }
    }

    /// What follows the chunk behind which no other comes.
    async fn end(
        &self,
        connection: &mut PgConnection,
        plan: &Plan,
        committed: Committed,
    ) -> Result<Outcome, Stop> {
        match committed {
            Committed::Complete(next) => Ok(Outcome::Complete(next)),
            Committed::GivenUp(next) => Ok(Outcome::GivenUp(next)),
            Committed::More | Committed::Rows => {
                let ends = (self.database, &self.target(plan));
                self.remove_missing(connection, ends).await
            }
        }
    }

    fn pace(&self, carefulness: i32) -> Pace {
        Pace::after(carefulness, self.context.chunk_rows)
    }

    async fn next_chunk(&self, chunks: &mut Chunks) -> Result<Chunk, Stop> {
        let next = tokio::select! {
            next = chunks.recv() => next,
            () = self.held.lost.cancelled(), if !crate::plant::shields_down() => return Err(Stop::LeaseLost),
        };
        Ok(next.ok_or_else(reading_ended)??)
    }

    /// Starts to read and type, on a thread of its own.
    async fn read_from(
        &self,
        plan: &Arc<Plan>,
        (first_row, pace): (i64, &Arc<Pace>),
    ) -> Result<Chunks, Stop> {
        Ok(feed::start(Feed {
            plan: Arc::clone(plan),
            definition: self.import.definition.with(&self.found),
            source: self.source().await?,
            first_row,
            pace: Arc::clone(pace),
        }))
    }

    /// Requests are obeyed at the boundary of chunks.
    async fn obey(&self, connection: &mut PgConnection) -> Result<Option<Outcome>, Stop> {
        if crate::plant::shields_down() {
            return Ok(None);
        }
        let obeyed = obey(connection, self.import, self.held.epoch).await?;
        if obeyed.is_some() {
            return Ok(obeyed);
        }
        if self.context.stop.is_cancelled() {
            return self.release(connection).await.map(Some);
        }
        Ok(None)
    }

    /// Gives the import back at once, for any worker to take.
    async fn release(&self, connection: &mut PgConnection) -> Result<Outcome, Stop> {
        let again = Some((Verb::Apply, Duration::ZERO));
        leases::release(connection, self.import.id, self.held.epoch, again).await?;
        Ok(Outcome::Released)
    }

    async fn next_row(&self, connection: &mut PgConnection) -> Result<i64, Stop> {
        let checkpoint = chunks::checkpoint(connection, self.import.id).await?;
        let ours = checkpoint.filter(|checkpoint| checkpoint.epoch == self.held.epoch);
        Ok(ours.ok_or(Stop::LeaseLost)?.next_row)
    }

    fn target<'a>(&self, plan: &'a Plan) -> Target<'a> {
        Target {
            plan,
            import_id: self.import.id,
            database_id: self.import.database_id,
            epoch: self.held.epoch,
        }
    }

    /// A row that ended its worker again although it was tried alone is rejected unseen.
    async fn quarantine(
        &self,
        connection: &mut PgConnection,
        plan: &Plan,
    ) -> Result<Option<Outcome>, Stop> {
        let row = self.next_row(connection).await?;
        if self.rescues < RESCUES_BEFORE_QUARANTINE || row > self.rows {
            return Ok(None);
        }
        if plan.is_all_or_nothing() {
            let detail = "Applying this import ended its worker again and again.";
            return Err(fail(Code::RowCrashedWorker, detail));
        }
        tracing::error!(
            import = self.import.id,
            row,
            "a row that ends its worker is rejected"
        );
        let mut chunk = Chunk::new(Layout::new(plan), row);
        chunk.next_row = row + 1;
        chunk.keys_unread = 1;
        chunk.rejects.push(Reject {
            number: row,
            line: 0,
            column: None,
            code: Code::RowCrashedWorker,
            value: None,
            expected: "a row that a worker survives; please report it".to_owned(),
        });
        let committed = commit::commit(connection, &self.target(plan), &mut chunk).await?;
        if let Committed::GivenUp(next) = committed {
            return Ok(Some(Outcome::GivenUp(next)));
        }
        leases::forget_rescues(connection, self.import.id).await?;
        Ok(None)
    }
}

/// The reading thread is gone without a word: a fault of ours.
fn reading_ended() -> Stop {
    fail(
        Code::InternalError,
        "Reading the payload ended unexpectedly.",
    )
}

/// One crash may be anybody's, a second is answered by smaller chunks, a third by single rows.
const RESCUES_BEFORE_QUARANTINE: i32 = 4;

//! Applies a large import on several connections at once: each takes the next chunk as soon as it is
//! free. A chunk that fails stops those behind it; what was committed before it stays.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore_core::error::Error;
use longshore_core::plan::Plan;
use longshore_core::store::{leases, requests};
use sqlx::PgConnection;
use tokio_util::task::AbortOnDropHandle;

use super::chunk::Chunk;
use super::commit::{Committed, Target};
use super::in_line::{self, Line, Place};
use super::pace::{CAREFUL_AFTER_RESCUES, Pace};
use super::{Chunks, Job, reading_ended};
use crate::loan::Loan;
use crate::outcome::{Outcome, Stop};

impl Job<'_> {
    /// Whether this import is worth it, and nothing went wrong that is to be narrowed down.
    pub(super) fn goes_side_by_side(&self, plan: &Plan, carefulness: i32) -> bool {
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        self.context.lanes > 1
            && rows > self.context.chunk_rows
            && carefulness < CAREFUL_AFTER_RESCUES
            && plan.goes_side_by_side()
    }

    pub(super) async fn apply_side_by_side(
        &self,
        connection: &mut PgConnection,
        plan: &Arc<Plan>,
        (chunks, pace): (&mut Chunks, &Pace),
        failures: &mut u32,
    ) -> Result<Outcome, Stop> {
        let mut lanes = self.open_lanes(plan).await?;
        let ended = self
            .feed_lanes(connection, &mut lanes, (chunks, pace), failures)
            .await;
        if !matches!(ended, Ok(_) | Err(Stop::LeaseLost)) {
            // Whoever tries again begins where the last of them commits.
            lanes.let_end().await?;
        }
        let ended = ended?;
        lanes.give_back();
        match ended {
            Ended::Obeyed(outcome) => Ok(outcome),
            Ended::Committed(committed) => {
                if matches!(committed, Committed::Rows) {
                    // The lanes serve others from here on.
                    let (import, epoch) = (self.import.id, self.held.epoch);
                    leases::move_to_this_backend(connection, import, epoch).await?;
                }
                self.end(connection, plan, committed).await
            }
        }
    }

    async fn feed_lanes(
        &self,
        connection: &mut PgConnection,
        lanes: &mut Lanes<'_>,
        (chunks, pace): (&mut Chunks, &Pace),
        failures: &mut u32,
    ) -> Result<Ended, Stop> {
        let mut all_read = false;
        loop {
            if !all_read && lanes.is_one_free() {
                let chunk = self.next_chunk(chunks).await?;
                if self.is_asked_for(connection).await? {
                    if let Some(committed) = lanes.clear(pace).await? {
                        return Ok(Ended::Committed(committed));
                    }
                    if let Some(outcome) = self.obey(connection).await? {
                        return Ok(Ended::Obeyed(outcome));
                    }
                }
                all_read = chunk.last;
                lanes.start(chunk);
                continue;
            }
            let committed = lanes.wait_for_first(pace).await?;
            *failures = 0;
            if !matches!(committed, Committed::More) {
                return Ok(Ended::Committed(committed));
            }
        }
    }

    /// Whether anything is to be obeyed before the next chunk.
    async fn is_asked_for(&self, connection: &mut PgConnection) -> Result<bool, Stop> {
        if crate::plant::shields_down() {
            return Ok(false);
        }
        let asked = requests::of_holder(connection, self.import.id, self.held.epoch).await?;
        Ok(asked.cancel || asked.pause || self.context.stop.is_cancelled())
    }

    async fn open_lanes<'a>(&'a self, plan: &'a Arc<Plan>) -> Result<Lanes<'a>, Stop> {
        let mut lanes = Lanes {
            job: self,
            plan,
            free: Vec::new(),
            running: VecDeque::new(),
            line: Line::default(),
        };
        let (import, epoch) = (self.import.id, self.held.epoch);
        for _ in 0..self.context.lanes {
            let mut lane = Loan::of(&self.context.pool).await?;
            leases::add_this_backend(lane.connection()?, import, epoch).await?;
            lanes.free.push(lane);
        }
        Ok(lanes)
    }
}

/// How feeding the lanes ended: nothing is in work on them any more.
enum Ended {
    Obeyed(Outcome),
    Committed(Committed),
}

/// The connections of one import, and the chunks that are in work on them.
struct Lanes<'a> {
    job: &'a Job<'a>,
    plan: &'a Arc<Plan>,
    free: Vec<Loan>,
    /// In the order of their rows.
    running: VecDeque<AbortOnDropHandle<Ran>>,
    line: Line,
}

impl Lanes<'_> {
    fn is_one_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// Gives a chunk to a free lane.
    fn start(&mut self, chunk: Chunk) {
        let Some(lane) = self.free.pop() else {
            return;
        };
        let target = self.job.target(self.plan);
        let work = Work {
            lane,
            chunk,
            place: self.line.stand(),
            plan: Arc::clone(self.plan),
            import_id: target.import_id,
            database_id: target.database_id,
            epoch: target.epoch,
        };
        self.running
            .push_back(AbortOnDropHandle::new(tokio::spawn(work.run())));
    }

    /// What the first chunk in line comes to. Where it fails, none behind it commits.
    async fn wait_for_first(&mut self, pace: &Pace) -> Result<Committed, Stop> {
        let first = self.running.pop_front().ok_or_else(reading_ended)?;
        let ran = self.ended(first).await?;
        match ran.committed {
            // The first in line waits for nobody, so nobody can have failed before it.
            Ok(committed) => {
                pace.learn(ran.rows, ran.took);
                self.free.push(ran.lane);
                committed.ok_or_else(reading_ended)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for those that are still in work, whatever becomes of them.
    async fn let_end(&mut self) -> Result<(), Stop> {
        while let Some(running) = self.running.pop_front() {
            self.ended(running).await?;
        }
        Ok(())
    }

    /// Waits until no chunk is in work. Some: one of them was the last of the import.
    async fn clear(&mut self, pace: &Pace) -> Result<Option<Committed>, Stop> {
        while !self.running.is_empty() {
            let committed = self.wait_for_first(pace).await?;
            if !matches!(committed, Committed::More) {
                return Ok(Some(committed));
            }
        }
        Ok(None)
    }

    async fn ended(&self, running: AbortOnDropHandle<Ran>) -> Result<Ran, Stop> {
        let lost = &self.job.held.lost;
        tokio::select! {
            // A panic ends the job as if it had happened here: its lease runs out, and whoever takes it
            // up goes carefully.
            ran = running => ran.map_err(|error| match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => reading_ended(),
            }),
            () = lost.cancelled(), if !crate::plant::shields_down() => Err(Stop::LeaseLost),
        }
    }

    fn give_back(self) {
        self.free.into_iter().for_each(Loan::give_back);
    }
}

/// A chunk on its way to a lane.
struct Work {
    lane: Loan,
    chunk: Chunk,
    place: Place,
    plan: Arc<Plan>,
    import_id: i64,
    database_id: i64,
    epoch: i64,
}

/// What became of it. None committed: a chunk before it failed.
struct Ran {
    lane: Loan,
    rows: usize,
    took: Duration,
    committed: Result<Option<Committed>, Error>,
}

impl Work {
    async fn run(mut self) -> Ran {
        let began = Instant::now();
        let committed = self.commit().await;
        Ran {
            lane: self.lane,
            rows: self.chunk.rows_covered(),
            took: began.elapsed(),
            committed,
        }
    }

    async fn commit(&mut self) -> Result<Option<Committed>, Error> {
        let target = Target {
            plan: &self.plan,
            import_id: self.import_id,
            database_id: self.database_id,
            epoch: self.epoch,
        };
        let connection = self.lane.connection()?;
        in_line::commit(connection, &target, &mut self.chunk, &self.place).await
    }
}

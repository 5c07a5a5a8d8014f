//! The worker process: listens to the bell, claims what the ledger has due, runs the job and
//! settles what became of it. A ticket only wakes: what is worked on, the ledger says.

mod claiming;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use longshore_core::address::AddressRules;
use longshore_core::error::Error;
use longshore_core::import::Failure;
use longshore_core::payload::Payloads;
use longshore_core::queue::{Lane, Queue, Ticket, Verb};
use longshore_core::store::connect::{lock_database, worker_pool};
use longshore_core::store::leases::{self, Claim};
use longshore_core::store::schemas::Schemas;
use longshore_core::store::{endings, imports, turns};
use sqlx::{Connection, PgConnection};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bell::Bell;
use crate::busy::Busy;
use crate::context::Context;
use crate::lease::{Keeper, Terms};
use crate::loan::Loan;
use crate::outbound::{Outbound, OutboundError};
use crate::outcome::{Outcome, Stop};
use crate::{apply, fetch, sweep};

pub use crate::apply::pace::ROWS_AT_START as CHUNK_ROWS;

/// What a worker process is given.
#[derive(Clone)]
pub struct Settings {
    /// Where the ledger is.
    pub database_url: String,
    /// The bell.
    pub queue: Queue,
    /// The payload store.
    pub payloads: Payloads,
    /// Which addresses sources may have.
    pub addresses: AddressRules,
    /// Imports applied at the same time; 0: none.
    pub apply_slots: usize,
    /// Sources fetched at the same time; 0: none.
    pub fetch_slots: usize,
    /// Chunks of one large import that are applied at the same time, each on a connection of its own.
    pub lanes: usize,
    /// How many rows a chunk has at first; it adapts.
    pub chunk_rows: usize,
    /// How long a lease lasts without renewal.
    pub lease: Duration,
    /// How long running jobs may take to come to a chunk's end when the process stops.
    pub grace: Duration,
}

/// A worker.
#[derive(Clone)]
pub struct Worker {
    context: Context,
    settings: Settings,
    /// Imports in work that are not small.
    large: Arc<AtomicUsize>,
    /// Where small ones are in work.
    busy: Busy,
    /// Slots claim one after the other: each is to know where those before it are at work.
    claiming: Arc<Mutex<()>>,
    /// Those that wait to do so, and have not looked yet.
    about_to_look: Arc<AtomicUsize>,
}

impl Worker {
    /// Gets ready. Nothing is connected yet, nothing claimed.
    pub fn new(settings: Settings, stop: CancellationToken) -> Result<Worker, WorkerError> {
        // A name of its own for every start: whoever comes back under an old name would be taken
        // for the holder of what it no longer has.
        let run: u32 = rand::random();
        let holder = format!("longshore-work-{}-{run:08x}", std::process::id());
        let lanes = if settings.lanes > 1 {
            settings.lanes
        } else {
            0
        };
        let slots = settings.apply_slots * (1 + lanes) + settings.fetch_slots;
        let connections_max = u32::try_from(slots + 2).unwrap_or(u32::MAX);
        let context = Context {
            database_url: settings.database_url.clone(),
            pool: worker_pool(&settings.database_url, &holder, connections_max)?,
            queue: settings.queue.clone(),
            schemas: Schemas::default(),
            payloads: settings.payloads.clone(),
            outbound: Arc::new(Outbound::new(settings.addresses.clone())?),
            keeper: Keeper::default(),
            holder,
            lease: settings.lease,
            lanes: settings.lanes,
            chunk_rows: settings.chunk_rows,
            stop,
        };
        Ok(Worker {
            context,
            settings,
            large: Arc::default(),
            busy: Busy::default(),
            claiming: Arc::default(),
            about_to_look: Arc::default(),
        })
    }

    /// Works until the stop, then lets running jobs come to the end of their chunk.
    pub async fn run(self) {
        let tasks = TaskTracker::new();
        let ended = CancellationToken::new();
        tasks.spawn(self.context.keeper.clone().run(self.terms(), ended.clone()));
        tasks.spawn(sweep::run(self.context.clone(), ended.clone()));
        let listeners = TaskTracker::new();
        for (verb, slots) in [
            (Verb::Apply, self.settings.apply_slots),
            (Verb::Fetch, self.settings.fetch_slots),
        ] {
            if slots > 0 {
                listeners.spawn(self.clone().listen(verb, slots));
            }
        }
        listeners.close();
        listeners.wait().await;
        ended.cancel();
        tasks.close();
        tasks.wait().await;
        self.context.pool.close().await;
    }

    fn terms(&self) -> Terms {
        Terms {
            database_url: self.context.database_url.clone(),
            holder: self.context.holder.clone(),
            lease: self.context.lease,
        }
    }

    async fn listen(self, verb: Verb, slots: usize) {
        let bell = Bell::new(self.context.queue.clone(), verb, slots);
        let (stop, grace) = (self.context.stop.clone(), self.settings.grace);
        bell.listen(stop, grace, move |ticket| {
            let worker = self.clone();
            async move {
                if !worker.is_taken_along(ticket) {
                    worker.drain(verb).await;
                }
            }
        })
        .await;
    }

    /// Works on whatever is due, until nothing is. Whoever is about to look sees what this ticket rang
    /// for, and rings again where there is more.
    async fn drain(&self, verb: Verb) {
        if verb == Verb::Apply && self.about_to_look.load(Ordering::Acquire) > 0 {
            return;
        }
        while !self.context.stop.is_cancelled() {
            match self.step(verb).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(error = %error, verb = verb.as_str(), "no import could be claimed");
                    return;
                }
            }
        }
    }

    /// Claims one import that is due and works on it. False: nothing is due.
    pub async fn step(&self, verb: Verb) -> Result<bool, Error> {
        let context = &self.context;
        let mut loan = Loan::of(&context.pool).await?;
        let connection = loan.connection()?;
        let Some((claim, claimed_at, (stay, _large))) = self.claim(connection, verb).await? else {
            loan.give_back();
            return Ok(false);
        };
        if !claim.old_backend_pids.is_empty() && !crate::plant::shields_down() {
            leases::terminate_backends(connection, &claim.old_backend_pids).await?;
        }
        let held = context
            .keeper
            .hold(claim.import_id, claim.epoch, claimed_at);
        if verb == Verb::Apply {
            self.wake_another(connection, claim.import_id).await;
        }
        tracing::debug!(
            import = claim.import_id,
            epoch = claim.epoch,
            verb = verb.as_str(),
            "claimed"
        );
        let done = match verb {
            Verb::Apply => apply::run(context, connection, &claim, (&held, stay)).await,
            Verb::Fetch => fetch::run(context, connection, &claim, &held).await,
        };
        drop(held);
        loan.give_back();
        self.settle(verb, &claim, done).await;
        Ok(true)
    }

    /// Rings for whoever is next, and writes down what went wrong.
    async fn settle(&self, verb: Verb, claim: &Claim, done: Result<Outcome, Stop>) {
        let import = claim.import_id;
        match done {
            Ok(Outcome::Complete(next)) => self.ended(import, "complete", &next).await,
            Ok(Outcome::Held(next)) => self.ended(import, "held for approval", &next).await,
            Ok(Outcome::GivenUp(next)) => self.ended(import, "failed for its rejects", &next).await,
            Ok(Outcome::Paused(next)) => self.ended(import, "paused", &next).await,
            Ok(Outcome::Cancelled(next)) => self.ended(import, "cancelled", &next).await,
            Ok(Outcome::Next) => self.ring(Verb::Apply, &[import]).await,
            Ok(Outcome::Released) => self.ring(verb, &[import]).await,
            Ok(Outcome::WaitsForTurn | Outcome::WaitsForRetry) => {}
            Err(Stop::LeaseLost) => tracing::warn!(import, epoch = claim.epoch, "lease_lost"),
            Err(Stop::Again(error)) => {
                tracing::warn!(import, error = %error, "given back after trouble");
                self.give_back(verb, claim).await;
            }
            Err(Stop::Fail(failure)) => {
                tracing::info!(import, code = failure.code, "failed");
                self.fail(claim, &failure).await;
            }
        }
    }

    async fn ended(&self, import: i64, how: &str, next: &[i64]) {
        tracing::info!(import, "{how}");
        self.ring(Verb::Apply, next).await;
    }

    /// Small ones and large ones alike were in line before: they go first.
    async fn ring(&self, verb: Verb, imports: &[i64]) {
        for id in imports {
            self.context
                .queue
                .ring(Lane::Express, Ticket::new(verb, *id))
                .await;
        }
    }

    /// If even this fails, the lease runs out and the sweep takes it.
    async fn give_back(&self, verb: Verb, claim: &Claim) {
        let again = Some((verb, GIVEN_BACK_FOR));
        let released = async {
            let mut connection = self.context.pool.acquire().await?;
            leases::release(&mut connection, claim.import_id, claim.epoch, again).await
        };
        if let Err(error) = released.await {
            tracing::warn!(import = claim.import_id, error = %error, "could not be given back");
        }
    }

    async fn fail(&self, claim: &Claim, failure: &Failure) {
        let failed = async {
            let mut connection = self.context.pool.acquire().await?;
            fail_import(&mut connection, claim, failure).await
        };
        match failed.await {
            Ok(next) => self.ring(Verb::Apply, &next).await,
            Err(error) => {
                tracing::warn!(import = claim.import_id, error = %error, "could not be failed yet");
            }
        }
    }
}

/// How long an import rests after trouble that did not pass.
const GIVEN_BACK_FOR: Duration = Duration::from_secs(5);

async fn fail_import(
    connection: &mut PgConnection,
    claim: &Claim,
    failure: &Failure,
) -> Result<Vec<i64>, Error> {
    let import = imports::find(connection, claim.import_id).await?;
    let mut tx = connection.begin().await?;
    lock_database(&mut tx, import.database_id).await?;
    leases::fence(&mut tx, claim.import_id, claim.epoch).await?;
    endings::fail(&mut tx, claim.import_id, failure).await?;
    leases::close(&mut tx, claim.import_id).await?;
    let next = turns::wake_next(&mut tx, import.database_id).await?;
    tx.commit().await?;
    Ok(next)
}

/// A worker cannot get ready.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The address of the ledger is not one.
    #[error(transparent)]
    Ledger(#[from] Error),
    /// The outbound client cannot be made.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
}

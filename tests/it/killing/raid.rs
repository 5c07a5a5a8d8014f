//! Who is struck when: kills with a new process each, pauses longer than the lease.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{LEASE, Run};
use crate::app::TestApp;
use crate::app::processes::Process;
use crate::app::witness;

const WORKERS: usize = 3;
/// How long a victim in the middle of something is looked for before anyone will do.
const AIM_MAX: Duration = Duration::from_secs(2);
/// More rows than two chunks have, nearly always: the one being committed, and one that is not the
/// last, which has a fence of its own.
const TWO_CHUNKS_ROWS: i64 = 10_500;
/// All imports end this long after the last strike.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who is to be struck.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// Who is applying an import.
    Anyone,
    /// Whose chunk is written and not committed.
    Uncommitted,
    /// The same, with several chunks to come: who wakes there goes on, if nothing stops it.
    FarFromDone,
}

/// What was done.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) kills: usize,
    /// Kills of a worker that held the lease of an import while it was being applied.
    pub(crate) kills_in_the_middle: usize,
    pub(crate) pauses: usize,
    pub(crate) pauses_in_the_middle: usize,
}

pub(crate) struct Raid<'a> {
    app: &'a TestApp,
    plant: &'static str,
    lot: StdRng,
    workers: Vec<Process>,
    /// Which worker is frozen, and until when.
    frozen: Option<(usize, Instant)>,
    pub(crate) tally: Tally,
}

impl<'a> Raid<'a> {
    pub(crate) fn new(app: &'a TestApp, seed: u64, plant: &'static str) -> Raid<'a> {
        let mut raid = Raid {
            app,
            plant,
            lot: StdRng::seed_from_u64(!seed),
            workers: Vec::new(),
            frozen: None,
            tally: Tally::default(),
        };
        for _ in 0..WORKERS {
            let worker = raid.worker();
            raid.workers.push(worker);
        }
        raid
    }

    fn worker(&self) -> Process {
        let lease = LEASE.as_millis().to_string();
        self.app
            .worker_process(&[("LEASE_MS", &lease), ("PLANT", self.plant)])
    }

    pub(crate) async fn run(&mut self, run: &Run) {
        while self.tally.kills < run.kills || self.tally.pauses < run.pauses {
            let rest = self.lot.random_range(20..200);
            tokio::time::sleep(Duration::from_millis(rest)).await;
            self.thaw(false).await;
            let kills_left = run.kills - self.tally.kills;
            let pauses_left = run.pauses - self.tally.pauses;
            let pause = self.lot.random_range(0..kills_left + pauses_left) >= kills_left;
            let aimed = run.aimed || self.lot.random_bool(0.25);
            match pause {
                true => self.pause(aimed).await,
                false => self.kill(aimed).await,
            }
        }
        self.thaw(true).await;
    }

    async fn kill(&mut self, aimed: bool) {
        let aim = if aimed { Aim::Uncommitted } else { Aim::Anyone };
        let victim = self.victim(aim).await;
        self.workers[victim].kill();
        let in_the_middle = self.in_the_middle(victim).await;
        self.tally.kills += 1;
        self.tally.kills_in_the_middle += usize::from(in_the_middle);
        self.workers[victim] = self.worker();
    }

    /// One at a time, so that two are always there to take over.
    async fn pause(&mut self, aimed: bool) {
        self.thaw(true).await;
        let aim = if aimed { Aim::FarFromDone } else { Aim::Anyone };
        let victim = self.victim(aim).await;
        self.workers[victim].freeze();
        let in_the_middle = self.in_the_middle(victim).await;
        self.tally.pauses += 1;
        self.tally.pauses_in_the_middle += usize::from(in_the_middle);
        let length = LEASE.mul_f64(self.lot.random_range(1.5..2.5));
        self.frozen = Some((victim, Instant::now() + length));
    }

    /// Wakes who is frozen, once its time is over; waits for that if told.
    async fn thaw(&mut self, wait: bool) {
        let Some((victim, until)) = self.frozen else {
            return;
        };
        if wait {
            tokio::time::sleep_until(until.into()).await;
        }
        if wait || Instant::now() >= until {
            self.workers[victim].thaw();
            self.frozen = None;
        }
    }

    /// Somebody who fits the aim, if that can be found in time; else anybody. An import whose holder died twice without a chunk in between is
    /// spared: it would be taken for a poison one, and go on row by row.
    async fn victim(&mut self, aim: Aim) -> usize {
        let deadline = Instant::now() + AIM_MAX;
        loop {
            let holders = self.holders(aim).await;
            let busy: Vec<usize> = (0..WORKERS)
                .filter(|worker| self.frozen.is_none_or(|(frozen, _)| frozen != *worker))
                .filter(|worker| {
                    let prefix = self.workers[*worker].holder_prefix();
                    holders.iter().any(|holder| holder.starts_with(&prefix))
                })
                .collect();
            if !busy.is_empty() {
                return busy[self.lot.random_range(0..busy.len())];
            }
            if Instant::now() > deadline {
                let frozen = self.frozen.map_or(WORKERS, |(frozen, _)| frozen);
                let others: Vec<usize> = (0..WORKERS).filter(|other| *other != frozen).collect();
                return others[self.lot.random_range(0..others.len())];
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn holders(&self, aim: Aim) -> Vec<String> {
        sqlx::query_scalar(
            "select l.holder from leases l join imports i on i.id = l.import_id
             join lanes n on n.import_id = i.id
             where l.held_until > now() and i.state = 'applying'
                and (not $1 or exists (select from pg_stat_activity a
                     where a.pid = any(l.backend_pids) and a.wait_event = 'PgSleep'))
                and (not $2 or n.next_row + $3 < i.rows_total)
             group by l.holder
             having not exists (select from leases o where o.holder = l.holder and o.rescues >= 2)
             order by l.holder",
        )
        .bind(aim != Aim::Anyone)
        .bind(aim == Aim::FarFromDone)
        .bind(TWO_CHUNKS_ROWS)
        .fetch_all(&self.app.pool)
        .await
        .unwrap()
    }

    /// Asked after the strike: the dead release nothing.
    async fn in_the_middle(&self, victim: usize) -> bool {
        sqlx::query_scalar(
            "select exists (select from leases l join imports i on i.id = l.import_id
                            where starts_with(l.holder, $1) and i.state = 'applying')",
        )
        .bind(self.workers[victim].holder_prefix())
        .fetch_one(&self.app.pool)
        .await
        .unwrap()
    }

    /// Lets all imports end and stops the workers; returns what did not end as it should.
    pub(crate) async fn end(&mut self) -> Vec<String> {
        // The faults are over: what does not end now never would.
        witness::slow_checkpoints(self.app, Duration::ZERO).await;
        let mut faults = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let unfinished: Vec<String> = sqlx::query_scalar(
                "select 'import ' || id || ' is still ' || state from imports
                 where finished_at is null order by id",
            )
            .fetch_all(&self.app.pool)
            .await
            .unwrap();
            if unfinished.is_empty() {
                break;
            }
            if Instant::now() > deadline {
                faults.extend(unfinished);
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for worker in &self.workers {
            worker.terminate();
        }
        for worker in &mut self.workers {
            let code = worker.exit_code(Duration::from_secs(20)).await;
            if code != 0 {
                faults.push(format!("a worker ended with {code}:\n{}", worker.log()));
            }
        }
        faults
    }
}

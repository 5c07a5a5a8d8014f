//! Longshore against what an expert would write by hand: the same rows, the same Postgres, in turn.
//! `make bench`; `ROWS`, `ROUNDS`, `SECONDS` and
//! `GROWTH` (how many times `ROWS` are there before it is measured what growth costs) shorten or
//! lengthen it. Everything runs on servers of
//! its own, in a directory that is removed in the end.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot go on should stop where it stands"
)]
#![expect(clippy::print_stdout, reason = "it prints its findings")]

mod people;
mod polling;
mod report;
mod service;
mod small;
mod yardstick;

use std::path::{Path, PathBuf};
use std::time::Duration;

use report::{Report, median};
use service::Service;
use yardstick::Yardstick;

fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().unwrap())
}

/// What everything is measured with.
struct Bench {
    place: PathBuf,
    service: Service,
    yardstick: Yardstick,
    files: people::Files,
    rows: u64,
    rounds: u64,
    report: Report,
}

#[tokio::main]
async fn main() {
    // The client of the HTTP API is made without one, since the service chooses its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let place = tempfile::tempdir().unwrap();
    let rows = setting("ROWS", 1_000_000);
    let service = Service::start(place.path()).await;
    let mut bench = Bench {
        place: place.path().to_owned(),
        files: people::Files::write(place.path(), rows),
        yardstick: Yardstick::connect(&service.database_url()).await,
        service,
        rows,
        rounds: setting("ROUNDS", 3),
        report: Report::default(),
    };
    bench.in_turn().await;
    bench
        .report
        .memory("peak memory so far", bench.service.peak_memory_kib());
    bench.formats().await;
    bench.one_bad_row().await;
    bench.beside().await;
    bench
        .small(Duration::from_secs(setting("SECONDS", 30)))
        .await;
    bench.growth(setting("GROWTH", 10)).await;
    bench
        .report
        .memory("peak memory at the end", bench.service.peak_memory_kib());
    bench.report.print(bench.rows, bench.rounds);
    bench.service.stop().await;
}

impl Bench {
    /// New rows, half of them changed, nothing changed: the yardstick and Longshore in turn.
    async fn in_turn(&mut self) {
        let steps = [
            ("new rows", &self.files.first, 0.75),
            ("half changed", &self.files.half_changed, 0.70),
            ("nothing changed", &self.files.half_changed, 0.60),
        ];
        let mut theirs = vec![Vec::new(); steps.len()];
        let mut ours = vec![Vec::new(); steps.len()];
        let mut floors = Vec::new();
        for round in 0..self.rounds {
            floors.push(self.yardstick.floor(&self.files.first).await);
            self.yardstick.begin().await;
            for (step, (_, file, _)) in steps.iter().enumerate() {
                theirs[step].push(self.yardstick.load(file).await);
            }
            let database = self.service.database(&format!("people-{round}")).await;
            for (step, (_, file, _)) in steps.iter().enumerate() {
                let seconds = self.service.timed_import(&database, file, "csv").await;
                ours[step].push(seconds);
            }
            let table = self.service.table(&database).await;
            let differing = self.yardstick.differing(&table).await;
            assert_eq!(differing, 0, "rows that differ from the yardstick's");
        }
        for (step, (name, _, bar)) in steps.into_iter().enumerate() {
            let pair = (median(&ours[step]), median(&theirs[step]));
            self.report.ratio(&format!("{name} / yardstick"), pair, bar);
        }
        let pair = (median(&ours[0]), median(&floors));
        self.report.ratio("new rows / floor", pair, 1.15);
    }

    /// The same rows as JSON and NDJSON.
    async fn formats(&mut self) {
        let kinds = [
            ("csv", &self.files.first),
            ("json", &self.files.json),
            ("ndjson", &self.files.ndjson),
        ];
        self.yardstick.stage(&[&self.files.first]).await;
        let mut seconds = vec![Vec::new(); kinds.len()];
        for round in 0..self.rounds {
            for (kind, (format, file)) in kinds.iter().enumerate() {
                let database = self.service.database(&format!("{format}-{round}")).await;
                let took = self.service.timed_import(&database, file, format).await;
                seconds[kind].push(took);
                let table = self.service.table(&database).await;
                let differing = self.yardstick.differing_from_staged(&table).await;
                assert_eq!(differing, 0, "rows of {format} that differ");
            }
        }
        let csv = median(&seconds[0]);
        self.report
            .ratio("json / csv", (median(&seconds[1]), csv), 1.25);
        self.report
            .ratio("ndjson / csv", (median(&seconds[2]), csv), 1.25);
    }

    /// What one bad row among 100,000 costs.
    async fn one_bad_row(&mut self) {
        const ROWS: u64 = 100_000;
        let clean = people::write_csv(&self.place.join("clean.csv"), 0..ROWS, None);
        let bad = people::write_csv(&self.place.join("bad.csv"), 0..ROWS, Some(ROWS / 2));
        self.yardstick.stage(&[&clean]).await;
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for round in 0..self.rounds.max(15) {
            for (name, file, seconds, rejects) in [
                ("clean", &clean, &mut without, 0),
                ("bad", &bad, &mut with, 1),
            ] {
                let database = self.service.database(&format!("{name}-{round}")).await;
                seconds.push(self.service.timed_import(&database, file, "csv").await);
                let table = self.service.table(&database).await;
                let differing = self.yardstick.differing_from_staged(&table).await;
                assert_eq!(differing, rejects, "rows of {name} that differ");
            }
        }
        let pair = (median(&with), median(&without));
        self.report
            .ratio("one bad row in 100,000 / clean", pair, 1.05);
    }

    /// One row at a time into the database that a large import goes into.
    async fn beside(&mut self) {
        let database = self.service.database("beside").await;
        let file = &self.files.first;
        let large = self.service.begin(&database, file, "csv").await;
        let meanwhile = (database.as_str(), large.as_str());
        small::beside(&self.service, meanwhile, &mut self.report).await;
        self.service.wait_for(&large).await;
    }

    async fn small(&mut self, time: Duration) {
        small::measure(&self.service, &self.yardstick, time, &mut self.report).await;
        polling::measure(&self.service, time / 3, &mut self.report).await;
    }

    /// As many new keys into so many times as many profiles, against into none.
    async fn growth(&mut self, times: u64) {
        if times == 0 {
            return;
        }
        let (many, rows) = (self.rows * times, self.rows);
        let stock = people::write_csv(&self.place.join("stock.csv"), rows..rows + many, None);
        let (mut into_none, mut into_many) = (Vec::new(), Vec::new());
        for round in 0..self.rounds {
            let empty = self.service.database(&format!("growth-{round}")).await;
            into_none.push(
                self.service
                    .timed_import(&empty, &self.files.first, "csv")
                    .await,
            );
        }
        let full = self.service.database("stock").await;
        let took = self.service.timed_import(&full, &stock, "csv").await;
        self.report.note(
            &format!("{many} new rows in one import"),
            &format!("{took:.1} s"),
        );
        // The stock stays; what each round adds is another set of new people.
        let mut files = vec![stock];
        for round in 0..self.rounds {
            let first = (round + 2) * many;
            let path = self.place.join(format!("more-{round}.csv"));
            files.push(people::write_csv(&path, first..first + rows, None));
            into_many.push(
                self.service
                    .timed_import(&full, &files[files.len() - 1], "csv")
                    .await,
            );
        }
        let staged: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        self.yardstick.stage(&staged).await;
        let table = self.service.table(&full).await;
        let differing = self.yardstick.differing_from_staged(&table).await;
        assert_eq!(differing, 0, "rows that differ after growth");
        // Rows a second: the shorter time above the longer one.
        let what = format!("rows/s into {many} profiles / into none");
        let (none, many) = (median(&into_none), median(&into_many));
        self.report
            .rate(&what, (rows as f64 / many, rows as f64 / none), 0.80);
    }
}

//! The engine against the model, on databases, definitions and files drawn at random. A failure
//! prints its seed: `LONGSHORE_TEST_SEED=<seed> LONGSHORE_TEST_CASES=1` draws the case again.

mod drawing;
mod finding;
mod removing;

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::app::TestApp;
use crate::model::{Brake, Model, Notes};
use drawing::{Drawn, Ground, Schema};
use finding::{Found, check_rejects, check_status};
use removing::{Before, Former, draw_brake};

const CASES: u64 = 2000;
const IMPORTS_PER_CASE: usize = 4;
/// Tests that share the cases, so that they run side by side.
const SHARES: u64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_imported_comes_out_as_the_model_says() {
    compare_share(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_imported_comes_out_as_the_model_says_in_a_second_share_of_cases() {
    compare_share(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_imported_comes_out_as_the_model_says_in_a_third_share_of_cases() {
    compare_share(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_imported_comes_out_as_the_model_says_in_a_fourth_share_of_cases() {
    compare_share(3).await;
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap())
}

/// Every fourth case, from the first seed on.
async fn compare_share(share: u64) {
    static FIRST: LazyLock<u64> = LazyLock::new(|| {
        setting("LONGSHORE_TEST_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()))
    });
    let cases = setting("LONGSHORE_TEST_CASES").unwrap_or(CASES);
    // Every other share in chunks of two rows at first, three of them side by side.
    let app = match share % 2 {
        0 => TestApp::start().await,
        _ => TestApp::start_side_by_side(3, 2).await,
    };
    let mut notes = Notes::default();
    for case in (share..cases).step_by(SHARES as usize) {
        notes.add(&Case::start(&app, *FIRST + case).await.run().await);
    }
    if cases >= CASES {
        add_share(&notes);
    }
}

/// Adds up the shares; the last one looks at all of them together.
fn add_share(notes: &Notes) {
    static ALL: Mutex<(u64, Notes)> = Mutex::new((0, Notes(BTreeMap::new())));
    let mut all = ALL.lock().unwrap();
    all.0 += 1;
    all.1.add(notes);
    if all.0 == SHARES {
        check_notes(&all.1);
    }
}

/// What must come up: a comparison in which some outcome or policy never does compares little.
fn check_notes(notes: &Notes) {
    let missing: Vec<&str> = EXPECTED
        .into_iter()
        .filter(|what| !notes.0.contains_key(what))
        .collect();
    assert!(missing.is_empty(), "{missing:?} never came up: {notes:#?}");
}

const EXPECTED: [&str; 56] = [
    "created",
    "updated",
    "unchanged",
    "ignored",
    "deleted",
    "key_missing",
    "required",
    "unique_conflict",
    "multiple_matches",
    "unknown_profile",
    "invalid_id",
    "version_missing",
    "version_conflict",
    "nul_character",
    "invalid_datetime",
    "an empty key was new",
    "an empty key was passed over",
    "found by uid",
    "found by id",
    "found by id before uid",
    "found by uid for want of an id",
    "found by any of several fields",
    "found only without case",
    "several had the key: all were meant",
    "several had the key: the newest was meant",
    "several had the key: nobody was meant",
    "several subprofiles had the key",
    "several linked profiles had the key",
    "a blank kept the old value",
    "the version was right",
    "the version did not matter",
    "the same import had changed it",
    "all was applied",
    "nothing was applied for rows that could not be read",
    "nothing was applied for what was found on the way",
    "a link was made",
    "a link was undone",
    "a link went with its profile",
    "a column that nobody knows was left out",
    "the same import came again",
    "chunks of one row",
    "a payload without rows",
    "profiles were removed",
    "subprofiles were removed by themselves",
    "subprofiles went along",
    "there was nothing to remove",
    "the brake refused the whole import",
    "somebody approved",
    "somebody refused",
    "somebody cancelled",
    "brake_percent",
    "brake_count",
    "brake_empty",
    "brake_keys_unread",
    "brake_rejects",
    "brake_shrunk",
];

/// Two databases and their model, through several imports.
struct Case<'a> {
    app: &'a TestApp,
    random: StdRng,
    seed: u64,
    schema: Schema,
    tables: [i64; 2],
    model: Model,
    brakes: [Brake; 2],
    former: Vec<Former>,
    notes: Notes,
}

impl Case<'_> {
    async fn start(app: &TestApp, seed: u64) -> Case<'_> {
        let mut random = StdRng::seed_from_u64(seed);
        let schema = Schema::draw(&mut random, seed);
        let ([first, second], link) = schema.definitions();
        let made = [app.database(first).await, app.database(second).await];
        let path = format!("/databases/{}/links", schema.names[0]);
        app.post(&path, link).await.expect(201);
        let brakes = [
            draw_brake(app, &mut random, &schema.names[0]).await,
            draw_brake(app, &mut random, &schema.names[1]).await,
        ];
        Case {
            app,
            random,
            seed,
            model: Model::new(schema.databases()),
            tables: made.each_ref().map(finding::table),
            schema,
            brakes,
            former: Vec::new(),
            notes: Notes::default(),
        }
    }

    async fn run(mut self) -> Notes {
        let mut again: Option<Drawn> = None;
        let mut found = Found::read(self.app, &self.schema).await;
        for step in 0..IMPORTS_PER_CASE {
            let ground = self.ground(&mut found).await;
            // Now and then the same import comes twice.
            let repeated = again.take_if(|_| self.random.random_bool(0.15));
            if repeated.is_some() {
                self.notes.count("the same import came again");
            }
            let shorter = again.take_if(|drawn| {
                let rows = drawn.meant.rows.len();
                drawn.meant.remove_missing && rows > 2 && self.random.random_bool(0.4)
            });
            let drawn = repeated
                .or(shorter.map(|drawn| drawn.cut(1)))
                .unwrap_or_else(|| Drawn::draw(&mut self.random, &self.schema, &ground));
            found = self.compare(step, &drawn, &found).await;
            again = Some(drawn);
        }
        self.notes
    }

    /// What is there. Where versions may be asked for, the profiles are made an hour older first,
    /// so that a version to the second is never that of an import within the same second.
    async fn ground(&mut self, found: &mut Found) -> Ground {
        let with_versions = self.random.random_bool(0.3);
        if with_versions {
            finding::make_older(self.app, self.tables).await;
            *found = Found::read(self.app, &self.schema).await;
        }
        found.teach_versions(&mut self.model);
        Ground {
            known: found.known(&self.model),
            ids_of_nobody: self.tables.map(finding::unknown_id),
            with_versions,
        }
    }

    async fn compare(&mut self, step: usize, drawn: &Drawn, found: &Found) -> Found {
        let before = Before {
            model: self.model.clone(),
            found,
        };
        let mut report = self.model.apply(&drawn.meant);
        self.notes.add(&report.notes);
        let one_by_one = self.random.random_bool(0.4);
        self.note_what_is_special(drawn, one_by_one);
        let definition = drawn.definition.clone();
        let status: Value = match one_by_one {
            true => self.app.import_row_by_row(definition).await,
            false => self.app.import(definition).await,
        };
        let (databases, _) = self.schema.definitions();
        let context = format!(
            "seed {}, import {step}, row by row: {one_by_one}\ndatabases {}\n{}\nbefore {}\nimport {}\nrefused by the model {:?}\n{:?}\nstatus {status}",
            self.seed,
            databases[0],
            databases[1],
            before.model.told(),
            drawn.definition,
            report.refused,
            report.named
        );
        let status = self
            .settle_removal((drawn, &mut report), before, (status, &context))
            .await;
        check_status(&status, &drawn.meant, &report, &context);
        check_rejects(self.app, &status, &report.refused, &context).await;
        let found = Found::read(self.app, &self.schema).await;
        found.check(&self.model, &self.schema, &context);
        found
    }

    fn note_what_is_special(&mut self, drawn: &Drawn, one_by_one: bool) {
        let ignores = drawn.definition["on_unknown_column"] == "ignore";
        for (is_so, what) in [
            (ignores, "a column that nobody knows was left out"),
            (one_by_one, "chunks of one row"),
            (drawn.meant.rows.is_empty(), "a payload without rows"),
        ] {
            if is_so {
                self.notes.count(what);
            }
        }
    }
}

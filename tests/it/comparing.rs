//! The engine against the model, on databases, definitions and files drawn at random. A failure
//! prints its seed: `LONGSHORE_TEST_SEED=<seed> LONGSHORE_TEST_CASES=1` draws the case again.

mod drawing;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::app::{TestApp, told};
use crate::model::{Action, Books, Model, Refused};
use drawing::{Drawn, Schema};

const CASES: u64 = 150;
const IMPORTS_PER_CASE: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_imported_comes_out_as_the_model_says() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    let cases = number("LONGSHORE_TEST_CASES").unwrap_or(CASES);
    let seed = number("LONGSHORE_TEST_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let app = TestApp::start().await;
    let mut seen = Books::default();
    for seed in seed..seed + cases {
        let books = compare(&app, seed).await;
        for (sum, part) in seen.rows.iter_mut().zip(books.rows) {
            *sum += part;
        }
    }
    // A comparison in which some outcome never comes up compares little.
    if cases >= CASES {
        assert!(seen.rows.iter().all(|rows| *rows > 20), "{:?}", seen.rows);
    }
}

async fn compare(app: &TestApp, seed: u64) -> Books {
    let mut random = StdRng::seed_from_u64(seed);
    let schema = Schema::draw(&mut random);
    let name = format!("case-{seed}");
    app.database(schema.definition(&name)).await;
    let mut model = Model {
        fields: schema
            .fields
            .clone()
            .map(|side| side.into_iter().map(|field| field.rules).collect()),
        profiles: Vec::new(),
    };
    let mut sum = Books::default();
    let mut again: Option<Drawn> = None;
    for step in 0..IMPORTS_PER_CASE {
        // Now and then the same import comes twice.
        let drawn = again
            .take_if(|_| random.random_bool(0.2))
            .unwrap_or_else(|| Drawn::draw(&mut random, &schema, &name));
        let (books, refused) = model.apply(&drawn.meant);
        let one_by_one = random.random_bool(0.4);
        let status = match one_by_one {
            true => app.import_row_by_row(drawn.definition.clone()).await,
            false => app.import(drawn.definition.clone()).await,
        };
        let context = format!(
            "seed {seed}, import {step}, row by row: {one_by_one}\ndatabase {}\nimport {}\nstatus {status}",
            schema.definition(&name),
            drawn.definition
        );
        told(&status);
        assert_eq!(found_books(&status), books, "books; {context}");
        check_rejects(app, &status, &refused, &context).await;
        let profiles: Vec<Value> = model
            .profiles
            .iter()
            .map(|thing| schema.shown(thing))
            .collect();
        assert_eq!(
            found_profiles(app, &name).await,
            profiles,
            "profiles; {context}"
        );
        for (sum, part) in sum.rows.iter_mut().zip(books.rows) {
            *sum += part;
        }
        again = Some(drawn);
    }
    sum
}

fn found_books(status: &Value) -> Books {
    let count = |part: &str, name: &str| status[part][name].as_i64().unwrap();
    let rows = [
        "created",
        "updated",
        "unchanged",
        "ignored",
        "deleted",
        "rejected",
    ];
    let effects = ["created", "updated", "deleted"];
    Books {
        rows: rows.map(|name| count("totals", name)),
        effects: ["profiles", "subprofiles"].map(|part| effects.map(|name| count(part, name))),
    }
}

async fn check_rejects(app: &TestApp, status: &Value, refused: &[Refused], context: &str) {
    let rejects = app.rejects(status["id"].as_str().unwrap()).await;
    let rows: Vec<i64> = rejects
        .iter()
        .map(|reject| reject["row"].as_i64().unwrap())
        .collect();
    let expected: Vec<i64> = refused.iter().map(|(row, _)| *row).collect();
    assert_eq!(rows, expected, "rejected rows; {context}");
    for (reject, (_, codes)) in rejects.iter().zip(refused) {
        let code = reject["code"].as_str().unwrap();
        assert!(
            codes.contains(&code),
            "{reject} and not {codes:?}; {context}"
        );
        assert!(reject["column"].is_string(), "{reject}; {context}");
    }
}

/// The profiles without what the model does not know: ids and times.
async fn found_profiles(app: &TestApp, name: &str) -> Vec<Value> {
    let bare = |profile: &Value| {
        let children = profile["subprofiles"]["Orders"].as_array().unwrap();
        let children: Vec<&Value> = children.iter().map(|child| &child["fields"]).collect();
        json!({"fields": profile["fields"], "orders": children})
    };
    app.profiles(name).await.iter().map(bare).collect()
}

/// The word of an action in a definition.
fn word(action: Action) -> &'static str {
    let (_, word) = Action::ALL
        .into_iter()
        .find(|(known, _)| *known == action)
        .unwrap();
    word
}

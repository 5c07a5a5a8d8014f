//! Imports without end, mixed by lot: small and large, inline and by location, of every action,
//! half of whose rows change something. No key stands twice in one import, so that every touch of
//! a row can be counted.

use std::fmt::Write;
use std::time::Duration;

use longshore_core::id::{Kind as Id, parse};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::model::{Kind, Line};
use crate::app::TestApp;

/// Keys that imports of one database share. It has no divisor in common with a stride, so that no
/// key comes twice.
const POOL: usize = 16_000;
const STRIDES: [usize; 3] = [1, 3, 11];
/// Imports that each database has waiting or in work.
const BACKLOG: usize = 3;
const KINDS: [Kind; 8] = [
    Kind::UpdateOrAdd,
    Kind::UpdateOrAdd,
    Kind::Update,
    Kind::IgnoreOrAdd,
    Kind::Add,
    Kind::Delete,
    Kind::Orders,
    Kind::DeleteOrders,
];

/// An import that was accepted.
pub(crate) struct Submitted {
    pub(crate) id: i64,
    pub(crate) database: usize,
    pub(crate) kind: Kind,
    pub(crate) lines: Vec<Line>,
}

pub(crate) fn database_name(database: usize) -> String {
    format!("people{database}")
}

pub(crate) async fn make_databases(app: &TestApp, count: usize) {
    for database in 0..count {
        app.database(json!({
            "name": database_name(database),
            "fields": [{"name": "key", "type": "text"}, {"name": "name", "type": "text"},
                       {"name": "score", "type": "integer"}],
            "collections": [{"name": "orders", "fields": [
                {"name": "sku", "type": "text"}, {"name": "quantity", "type": "integer"}]}],
        }))
        .await;
    }
}

/// Keeps every database busy until `enough`; returns what was accepted, in that order.
pub(crate) async fn feed(
    app: &TestApp,
    (seed, databases): (u64, usize),
    enough: &CancellationToken,
) -> Vec<Submitted> {
    let mut lot = StdRng::seed_from_u64(seed);
    let mut all: Vec<Submitted> = Vec::new();
    while !enough.is_cancelled() {
        for database in 0..databases {
            let behind: i64 = sqlx::query_scalar(
                "select count(*) from imports i join databases d on d.id = i.database_id
                 where d.name = $1 and i.finished_at is null",
            )
            .bind(database_name(database))
            .fetch_one(&app.pool)
            .await
            .unwrap();
            for _ in usize::try_from(behind).unwrap()..BACKLOG {
                all.push(submit(app, &mut lot, (database, all.len())).await);
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    all
}

async fn submit(app: &TestApp, lot: &mut StdRng, (database, number): (usize, usize)) -> Submitted {
    let kind = KINDS[lot.random_range(0..KINDS.len())];
    let rows = match lot.random_bool(0.5) {
        true => lot.random_range(20..800),
        // Several chunks each.
        false => lot.random_range(8_000..POOL),
    };
    let lines = lines(lot, kind, (number, rows));
    let csv = lot.random_bool(0.5);
    let payload = if csv {
        as_csv(kind, &lines)
    } else {
        as_ndjson(kind, &lines)
    };
    let mut definition = definition(kind, database);
    definition["format"] = json!(if csv { "csv" } else { "ndjson" });
    match lot.random_bool(0.3) {
        true => {
            let path = format!("/{}", rand::random::<u64>());
            definition["location"] = json!(app.files.put(&path, payload));
        }
        false => definition["source"] = json!(payload),
    }
    let id = app.submit(definition).await;
    Submitted {
        id: parse(Id::Import, &id).unwrap(),
        database,
        kind,
        lines,
    }
}

fn lines(lot: &mut StdRng, kind: Kind, (number, rows): (usize, usize)) -> Vec<Line> {
    let (start, stride) = (lot.random_range(0..POOL), STRIDES[lot.random_range(0..3)]);
    let line = |row: usize| {
        let place = (start + row * stride) % POOL;
        let (key, sku) = match kind {
            Kind::Add => (format!("a{number}-{row}"), String::new()),
            // Three subprofiles of a profile stand in a row.
            Kind::Orders | Kind::DeleteOrders => {
                let key = (start + row / 3 * stride) % POOL;
                (format!("k{key}"), format!("k{key}#{}", row % 3))
            }
            _ => (format!("k{place}"), String::new()),
        };
        Line {
            name: format!("name of {key}"),
            score: lot.random_range(0..2),
            key,
            sku,
        }
    };
    (0..rows).map(line).collect()
}

fn definition(kind: Kind, database: usize) -> Value {
    let (action, keys) = match kind {
        Kind::UpdateOrAdd => ("update_or_add", json!(["key"])),
        Kind::Update => ("update", json!(["key"])),
        Kind::IgnoreOrAdd => ("ignore_or_add", json!(["key"])),
        Kind::Add => ("add", json!([])),
        Kind::Delete => ("delete", json!(["key"])),
        Kind::Orders => ("update_or_add", json!(["key", "orders.sku"])),
        Kind::DeleteOrders => ("delete", json!(["key", "orders.sku"])),
    };
    let mut definition = json!({"database": database_name(database), "action": action});
    if kind != Kind::Add {
        definition["key_fields"] = keys;
    }
    if kind == Kind::DeleteOrders {
        definition["delete_target"] = json!("subprofile");
    }
    definition
}

fn as_csv(kind: Kind, lines: &[Line]) -> String {
    let mut text = String::from(match kind {
        Kind::Delete => "key\n",
        Kind::Orders => "key,orders.sku,orders.quantity\n",
        Kind::DeleteOrders => "key,orders.sku\n",
        _ => "key,name,score\n",
    });
    for line in lines {
        let (key, sku, score) = (&line.key, &line.sku, line.score);
        match kind {
            Kind::Delete => writeln!(text, "{key}"),
            Kind::Orders => writeln!(text, "{key},{sku},{score}"),
            Kind::DeleteOrders => writeln!(text, "{key},{sku}"),
            _ => writeln!(text, "{key},{},{score}", line.name),
        }
        .unwrap();
    }
    text
}

fn as_ndjson(kind: Kind, lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        let (key, sku, score) = (&line.key, &line.sku, line.score);
        let row = match kind {
            Kind::Delete => json!({"key": key}),
            Kind::Orders => json!({"key": key, "orders.sku": sku, "orders.quantity": score}),
            Kind::DeleteOrders => json!({"key": key, "orders.sku": sku}),
            _ => json!({"key": key, "name": line.name, "score": score}),
        };
        writeln!(text, "{row}").unwrap();
    }
    text
}

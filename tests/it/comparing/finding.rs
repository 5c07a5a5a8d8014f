//! What the service says after an import, and whether that is what the model says.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::drawing::{Known, LINKS, Schema};
use crate::app::TestApp;
use crate::model::{Books, Field, Import, Model, Refused, Report, Thing};

/// The profiles of both databases as they are read, with subprofiles and links.
pub(super) struct Found([Vec<Value>; 2]);

impl Found {
    pub(super) async fn read(app: &TestApp, schema: &Schema) -> Found {
        let read = async |database: usize| {
            let name = &schema.names[database];
            let path = format!("/databases/{name}/profiles?limit=1000&include=subprofiles,links");
            let page = app.get(&path).await.expect(200).json;
            assert!(page["next_cursor"].is_null(), "a case fits on a page");
            page["data"].as_array().unwrap().clone()
        };
        Found([read(0).await, read(1).await])
    }

    /// What a client knows now.
    pub(super) fn known(&self, model: &Model) -> [Vec<Known>; 2] {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        [0, 1].map(|database| {
            let things = model.databases[database].profiles.iter();
            let known = |(thing, found): (&Thing, &Value)| Known {
                number: thing.number,
                id: text(&found["id"]),
                version: text(&found["updated_at"]),
                values: thing.values.clone(),
                children: values_of(&thing.children),
            };
            things.zip(&self.0[database]).map(known).collect()
        })
    }

    /// The model cannot know what time it was.
    pub(super) fn teach_versions(&self, model: &mut Model) {
        for (database, found) in model.databases.iter_mut().zip(&self.0) {
            for (thing, found) in database.profiles.iter_mut().zip(found) {
                thing.version = found["updated_at"].as_str().map(str::to_owned);
            }
        }
    }

    pub(super) fn check(&self, model: &Model, schema: &Schema, context: &str) {
        for database in 0..2 {
            let name = &schema.names[database];
            let things = &model.databases[database].profiles;
            let expected: Vec<Value> = things
                .iter()
                .map(|thing| shown(model, database, thing))
                .collect();
            let found: Vec<Value> = self.0[database].iter().map(bare).collect();
            assert_eq!(found, expected, "profiles of {name}; {context}");
            for (thing, found) in things.iter().zip(&self.0[database]) {
                let untouched = thing.version.as_deref();
                let now = found["updated_at"].as_str();
                assert!(
                    untouched.is_none() || untouched == now,
                    "updated_at of {found}; {context}"
                );
            }
            let links = self.links(model, database);
            assert_eq!(links, model.links, "links seen from {name}; {context}");
        }
    }

    /// The links as one of the databases shows them, by the numbers of the model.
    fn links(&self, model: &Model, database: usize) -> BTreeSet<(u64, u64)> {
        let known = self.known(model);
        let number = |other: &Value| {
            let mut all = known[1 - database].iter();
            let found = all.find(|known| other["id"] == known.id.as_str());
            found.map_or(0, |known| known.number)
        };
        let mut links = BTreeSet::new();
        for (own, profile) in known[database].iter().zip(&self.0[database]) {
            for other in profile["links"][LINKS[database]].as_array().unwrap() {
                let (own, other) = (own.number, number(other));
                let is_new = links.insert(match database {
                    0 => (own, other),
                    _ => (other, own),
                });
                assert!(is_new, "a link is shown twice: {profile}");
            }
        }
        links
    }
}

fn values_of(things: &[Thing]) -> Vec<Vec<Value>> {
    things.iter().map(|thing| thing.values.clone()).collect()
}

/// A profile without what the model does not know: ids and times.
fn bare(profile: &Value) -> Value {
    let orders = profile["subprofiles"]["Orders"].as_array();
    let orders: Vec<&Value> = orders
        .into_iter()
        .flatten()
        .map(|order| &order["fields"])
        .collect();
    json!({"uid": profile["uid"], "fields": profile["fields"], "orders": orders})
}

/// A profile of the model as it is found.
fn shown(model: &Model, database: usize, profile: &Thing) -> Value {
    let [own, orders] = &model.databases[database].fields;
    let mut fields = named(own, profile);
    let uid = fields.remove("uid");
    let orders: Vec<Map<String, Value>> = profile
        .children
        .iter()
        .map(|child| named(orders, child))
        .collect();
    json!({"uid": uid, "fields": fields, "orders": orders})
}

fn named(fields: &[Field], thing: &Thing) -> Map<String, Value> {
    let names = fields.iter().map(|field| field.name.clone());
    names.zip(thing.values.iter().cloned()).collect()
}

/// Whether state, totals and effects are those of the model.
pub(super) fn check_status(status: &Value, import: &Import, report: &Report, context: &str) {
    let rows = import.rows.len() as i64;
    let (state, error) = match report {
        _ if rows == 0 => ("failed", json!("no_rows")),
        Report {
            end: Some((state, error)),
            ..
        } => (*state, error.clone()),
        Report { failed: true, .. } => ("failed", json!("rows_rejected")),
        Report { refused, .. } if refused.is_empty() => ("completed", Value::Null),
        Report { refused, .. } if refused.len() as i64 == rows => {
            ("failed", json!("all_rows_failed"))
        }
        _ => ("completed_with_rejects", Value::Null),
    };
    assert_eq!(status["state"], state, "state; {context}");
    assert_eq!(status["error"]["code"], error, "error; {context}");
    assert_eq!(found_books(status), report.books, "books; {context}");
    let unprocessed = rows - report.books.rows.iter().sum::<i64>();
    let totals = &status["totals"];
    assert_eq!(totals["unprocessed"], unprocessed, "unprocessed; {context}");
    assert_eq!(totals["total"], rows, "total; {context}");
    let warns = status["warnings"].to_string().contains("\\\"colour\\\"");
    let ignores = status["definition"]["on_unknown_column"] == "ignore";
    assert_eq!(warns, ignores && rows > 0, "warnings; {context}");
}

fn found_books(status: &Value) -> Books {
    let count = |part: &str, name: &str| status[part][name].as_i64().unwrap();
    let effects = |part: &str| ["created", "updated", "deleted"].map(|name| count(part, name));
    let linked = [
        count("links", "profiles_created"),
        count("links", "profiles_updated"),
        0,
    ];
    Books {
        rows: Books::ROWS.map(|name| count("totals", name)),
        effects: [effects("profiles"), effects("subprofiles"), linked],
        links: ["created", "deleted"].map(|name| count("links", name)),
    }
}

pub(super) async fn check_rejects(
    app: &TestApp,
    status: &Value,
    refused: &[Refused],
    context: &str,
) {
    if status["totals"]["rejected"] == 0 {
        return;
    }
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

/// The number of a database's table.
pub(super) fn table(database: &Value) -> i64 {
    let id = database["id"].as_str().unwrap();
    id.strip_prefix("db_").unwrap().parse().unwrap()
}

/// An id that a profile of the table might have, and none has.
pub(super) fn unknown_id(table: i64) -> String {
    format!("pro_{}", (table << 32) + 1_000_000)
}

/// Makes all profiles an hour older.
pub(super) async fn make_older(app: &TestApp, tables: [i64; 2]) {
    for table in tables {
        let older = format!("update data.t{table} set updated_at = updated_at - interval '1 hour'");
        sqlx::query(sqlx::AssertSqlSafe(older))
            .execute(&app.pool)
            .await
            .unwrap();
    }
}

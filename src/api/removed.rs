//! Profiles and subprofiles that a removal would take, or took, as clients see them.

use longshore_core::database::{Database, TableNumber};
use longshore_core::field::{Field, FieldType};
use longshore_core::id::{Kind, show as show_id};
use longshore_core::store::changes;
use longshore_core::store::profiles;
use longshore_core::store::victims::Scope;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::problem::Problem;
use super::profiles::shown;

/// The collection of a table, if it is one, and its fields.
fn place_of(database: &Database, table: TableNumber) -> (Option<&str>, &[Field]) {
    let collection = database.collections.iter().find(|one| one.number == table);
    match collection {
        Some(collection) => (Some(&collection.name), &collection.fields),
        None => (None, &database.fields),
    }
}

fn with_place(mut value: Value, collection: Option<&str>, profile_id: Option<i64>) -> Value {
    if let Some(collection) = collection {
        value["collection"] = json!(collection);
        value["profile_id"] = json!(profile_id.map(|id| show_id(Kind::Profile, id)));
    }
    value
}

/// Whom a held removal would take, after an id: profiles, and subprofiles that go by themselves.
pub(crate) async fn candidates(
    connection: &mut PgConnection,
    scope: &Scope<'_>,
    (after, limit): (i64, i64),
) -> Result<Vec<(i64, Value)>, Problem> {
    let mut rows = Vec::new();
    let mut after = after;
    while (rows.len() as i64) < limit {
        let ids = scope
            .after(connection, after, limit - rows.len() as i64)
            .await?;
        let Some(last) = ids.last() else {
            break;
        };
        after = *last;
        let table = TableNumber::of_id(*last);
        let (collection, fields) = place_of(scope.database, table);
        let kind = collection.map_or(Kind::Profile, |_| Kind::Subprofile);
        for found in
            profiles::some(connection, (table, fields), (&ids, collection.is_some())).await?
        {
            let value = shown(&found, fields, kind)?;
            rows.push((found.id, with_place(value, collection, found.profile_id)));
        }
    }
    Ok(rows)
}

/// Whom a removal took, in the order in which they went.
pub(crate) async fn gone(
    connection: &mut PgConnection,
    import_id: i64,
    (database, page): (&Database, (i64, i64)),
) -> Result<Vec<(i64, Value)>, Problem> {
    let changes = changes::removed(connection, import_id, page).await?;
    let shown = changes.into_iter().map(|change| {
        let (collection, fields) = place_of(database, TableNumber::of_id(change.id));
        let kind = collection.map_or(Kind::Profile, |_| Kind::Subprofile);
        let value = json!({
            "id": show_id(kind, change.id),
            "uid": change.before["uid"],
            "fields": values(&change.before, fields),
            "created_at": change.before["created_at"],
            "updated_at": change.before["updated_at"],
            "removed_at": change.changed_at,
        });
        (change.seq, with_place(value, collection, change.profile_id))
    });
    Ok(shown.collect())
}

/// The values of a row that Postgres wrote as JSON, by the names of their fields.
fn values(before: &Value, fields: &[Field]) -> Map<String, Value> {
    let value = |field: &Field| {
        let kept = &before[field.column()];
        let kept = match (field.kind, kept.as_str()) {
            // Postgres writes the offset of UTC in figures.
            (FieldType::Datetime, Some(text)) => json!(text.replace("+00:00", "Z")),
            _ => kept.clone(),
        };
        (field.name.clone(), kept)
    };
    fields.iter().map(value).collect()
}

//! Writes rows: new ones, what changes of others, and their end.

use super::{arriving_cast, names, parameters, travelling_type};
use crate::database::TableNumber;
use crate::field::FieldType;
use crate::plan::Side;

/// Writes whole rows: ids in `$1`, the fields beside the keys in `$2…`, the import's number last.
#[must_use]
pub fn update(side: &Side) -> String {
    let fields = &side.fields[side.keys..];
    let sets: Vec<String> = fields
        .iter()
        .enumerate()
        .map(|(position, field)| {
            let cast = arriving_cast(field.kind);
            format!("{} = u.c{position}{cast}", field.column())
        })
        .collect();
    format!(
        "update {} p set {}, updated_at = statement_timestamp(), written_by = ${} \
         from unnest($1::int8[], {}) as u(id, {}) where p.id = u.id",
        side.number.table(),
        sets.join(", "),
        fields.len() + 2,
        parameters(fields, 2),
        names(fields.len())
    )
}

/// Columns of a new row, in the order in which it brings them: id (if `with_ids`), the parent's id for a
/// collection, the fields of the payload, the other fields that have a default.
fn columns(side: &Side, with_ids: bool) -> Vec<(String, FieldType)> {
    let id = with_ids.then_some("id");
    let parent = side.collection.as_ref().map(|_| "profile_id");
    let system = id.into_iter().chain(parent);
    let system = system.map(|name| (name.to_owned(), FieldType::Integer));
    let written = side.fields.iter().filter(|field| field.is_written());
    let others = side.others.iter().filter(|field| field.default.is_some());
    let fields = written.chain(others);
    system
        .chain(fields.map(|field| (field.column(), field.kind)))
        .collect()
}

fn listed(columns: &[(String, FieldType)]) -> String {
    let names = columns.iter().map(|(name, _)| name.as_str());
    names.chain(["written_by"]).collect::<Vec<_>>().join(", ")
}

/// Takes in new rows in binary format; the import's number comes last in each.
#[must_use]
pub fn copy_in(side: &Side, with_ids: bool) -> String {
    format!(
        "copy {} ({}) from stdin (format binary)",
        side.number.table(),
        listed(&columns(side, with_ids))
    )
}

/// Inserts new rows: their columns in `$1…`, the import's number last. None: they have no columns that
/// could say how many there are.
#[must_use]
pub fn insert(side: &Side, with_ids: bool) -> Option<String> {
    let columns = columns(side, with_ids);
    let arriving = columns.iter().enumerate();
    let arriving = arriving.map(|(place, (_, kind))| format!("c{place}{}", arriving_cast(*kind)));
    let travelling = columns.iter().enumerate();
    let travelling = travelling
        .map(|(place, (_, kind))| format!("${}::{}[]", place + 1, travelling_type(*kind)));
    (!columns.is_empty()).then(|| {
        format!(
            "insert into {} ({}) select {}, ${} from unnest({}) as u({})",
            side.number.table(),
            listed(&columns),
            arriving.collect::<Vec<_>>().join(", "),
            columns.len() + 1,
            travelling.collect::<Vec<_>>().join(", "),
            names(columns.len())
        )
    })
}

/// Draws `$1` ids of a table.
#[must_use]
pub fn draw_ids(number: TableNumber) -> String {
    format!(
        "select array(select nextval('{}_id') from generate_series(1, $1))",
        number.table()
    )
}

/// Deletes the rows with the ids in `$1`.
#[must_use]
pub fn delete(number: TableNumber) -> String {
    format!("delete from {} where id = any($1)", number.table())
}

/// Deletes the subprofiles of the profiles in `$1`.
#[must_use]
pub fn delete_children(collection: TableNumber) -> String {
    format!(
        "delete from {} where profile_id = any($1)",
        collection.table()
    )
}

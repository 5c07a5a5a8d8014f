//! The one room where SQL over typed tables is built: from numbers only, never from a user's text.
//! Every statement that it can build is run by a test.

pub mod links;
pub mod matching;
pub mod removal;
pub mod writing;

use crate::database::TableNumber;
use crate::field::{Field, FieldType, UID};
use crate::limits::KEY_BYTES_MAX;
use crate::plan::Side;

/// How full pages are made. An update that finds room on its page writes no index; decision 017 has
/// the figures.
const FILL_PERCENT: u8 = 70;

/// The statements that make the table of a database, or of a collection of `parent`.
#[must_use]
pub fn create_table(
    number: TableNumber,
    parent: Option<TableNumber>,
    fields: &[Field],
) -> Vec<String> {
    let table = number.table();
    let first = (number.0 << 32) + 1;
    let last = (number.0 << 32) + i64::from(u32::MAX);
    let mut columns = vec![format!(
        "id bigint primary key default nextval('{table}_id')"
    )];
    if let Some(parent) = parent {
        let parent = parent.table();
        columns.push(format!(
            "profile_id bigint not null references {parent} on delete cascade"
        ));
    }
    columns.extend(
        fields
            .iter()
            .map(|field| format!("{} {}", field.column(), field.kind.sql_type())),
    );
    columns.extend([
        "uid text".to_owned(),
        "created_at timestamptz not null default statement_timestamp()".to_owned(),
        "updated_at timestamptz not null default statement_timestamp()".to_owned(),
        "written_by bigint".to_owned(),
    ]);
    let mut statements = vec![
        format!("create sequence {table}_id start {first} minvalue {first} maxvalue {last}"),
        format!(
            "create table {table} ({}) with (fillfactor = {FILL_PERCENT})",
            columns.join(", ")
        ),
        format!("alter sequence {table}_id owned by {table}.id"),
        format!(
            "create unique index t{}_uid_idx on {table} (uid collate \"C\") where uid is not null",
            number.0
        ),
    ];
    if parent.is_some() {
        statements.push(format!("create index on {table} (profile_id)"));
    }
    statements.extend(
        fields
            .iter()
            .filter(|field| field.unique)
            .map(|field| format!("create unique index {}", unique_index(number, field))),
    );
    statements
}

/// The column of a field that is added later. Nullable and without default: no row is rewritten.
#[must_use]
pub fn add_column(number: TableNumber, field: &Field) -> String {
    format!(
        "alter table {} add column {} {}",
        number.table(),
        field.column(),
        field.kind.sql_type()
    )
}

/// The unique index of a field that is added later, built while others read and write.
#[must_use]
pub fn add_unique_index(number: TableNumber, field: &Field) -> String {
    format!(
        "create unique index concurrently {}",
        unique_index(number, field)
    )
}

/// What is left of a unique index that could not be built.
#[must_use]
pub fn drop_unique_index(number: TableNumber, field: &Field) -> String {
    format!(
        "drop index concurrently if exists data.t{}_u{}",
        number.0, field.id
    )
}

fn unique_index(number: TableNumber, field: &Field) -> String {
    let table = number.table();
    let expression = field.key_expression(&format!("t{}", number.0));
    format!("t{}_u{} on {table} (({expression}))", number.0, field.id)
}

/// The field whose unique index has this name, if it is one of ours.
#[must_use]
pub fn field_of_unique_index(name: &str) -> Option<i64> {
    if name.ends_with("_uid_idx") {
        return Some(UID);
    }
    name.split_once("_u")?.1.parse().ok()
}

/// The name of the index that a combination of key fields is matched by.
#[must_use]
pub fn key_index_name(side: &Side) -> String {
    let number = side.number.0;
    let keys = &side.fields[..side.keys];
    let kind = if side.keys_without_case() { "i" } else { "k" };
    let ids: Vec<String> = keys.iter().map(|field| field.id.to_string()).collect();
    let mut name = format!("t{number}_{kind}{}", ids.join("_"));
    // Postgres would cut a longer name, and two combinations could meet.
    if name.len() > 60 {
        let sum = crc32fast::hash(name.as_bytes());
        name = format!("t{number}_{kind}{}_{sum:08x}", ids.len());
    }
    name
}

/// Builds the index of a combination of key fields while others read and write.
#[must_use]
pub fn create_key_index(side: &Side) -> String {
    let table = side.number.table();
    let keys = &side.fields[..side.keys];
    let mut columns: Vec<String> = Vec::new();
    if side.collection.is_some() {
        columns.push("profile_id".to_owned());
    }
    let name = format!("t{}", side.number.0);
    columns.extend(
        keys.iter()
            .map(|field| format!("({})", field.key_expression(&name))),
    );
    let index = key_index_name(side);
    let condition = match short_enough(keys, &name) {
        condition if condition.is_empty() => String::new(),
        condition => format!(" where {condition}"),
    };
    format!(
        "create index concurrently {index} on {table} ({}){condition}",
        columns.join(", ")
    )
}

/// Most bytes that the folded texts of a key can have: folding makes two bytes three at worst.
const FOLDED_KEY_BYTES_MAX: usize = KEY_BYTES_MAX * 2;

/// Postgres indexes no value of more than some 2,700 bytes, but keeps it. No key is as long, so
/// longer values stay outside the index, and matching says so in the same words.
fn short_enough(keys: &[Field], table: &str) -> String {
    let lengths: Vec<String> = keys
        .iter()
        .filter(|field| field.kind.is_text())
        .map(|field| format!("octet_length({})", field.key_expression(table)))
        .collect();
    match lengths.is_empty() {
        true => String::new(),
        false => format!("{} <= {FOLDED_KEY_BYTES_MAX}", lengths.join(" + ")),
    }
}

fn parameters(fields: &[Field], first: usize) -> String {
    let casts: Vec<String> = fields
        .iter()
        .enumerate()
        .map(|(position, field)| {
            format!("${}::{}[]", position + first, travelling_type(field.kind))
        })
        .collect();
    casts.join(", ")
}

fn names(count: usize) -> String {
    (0..count)
        .map(|position| format!("c{position}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Multiselect travels as array literals, since `unnest` would flatten arrays of arrays.
fn travelling_type(kind: FieldType) -> &'static str {
    if kind == FieldType::Multiselect {
        "text"
    } else {
        kind.sql_type()
    }
}

fn arriving_cast(kind: FieldType) -> &'static str {
    if kind == FieldType::Multiselect {
        "::text[]"
    } else {
        ""
    }
}

/// A page of profiles after the id in `$1`, at most `$2`; filters by equality from `$3` on.
/// Each filter says whether its value is short: such a value can only equal values that the key
/// index holds, and Postgres uses the index only where the statement says so.
#[must_use]
pub fn page(number: TableNumber, fields: &[Field], filters: &[(&Field, bool)]) -> String {
    let conditions: String = filters
        .iter()
        .enumerate()
        .map(|(position, (field, is_short))| {
            let condition = filter_condition(field, position + 3);
            let short = short_enough(std::slice::from_ref(*field), "p");
            match *is_short && !short.is_empty() {
                true => format!("{condition} and {short}"),
                false => condition,
            }
        })
        .collect();
    format!(
        "select {} from {} p where p.id > $1{conditions} order by p.id limit $2",
        shown(fields, false),
        number.table()
    )
}

/// The filter's value comes as an array of one, in binary format; text is folded by Postgres.
fn filter_condition(field: &Field, parameter: usize) -> String {
    let kind = travelling_type(field.kind);
    let value = format!("(${parameter}::{kind}[])[1]");
    match (field.kind, field.case_insensitive) {
        (FieldType::Multiselect, _) => format!(" and p.{} = {value}::text[]", field.column()),
        (kind, true) if kind.is_text() => {
            format!(" and {} = lower({value})", field.key_expression("p"))
        }
        _ => format!(" and {} = {value}", field.key_expression("p")),
    }
}

/// One profile by its id.
#[must_use]
pub fn one(number: TableNumber, fields: &[Field]) -> String {
    format!(
        "select {} from {} p where p.id = $1",
        shown(fields, false),
        number.table()
    )
}

/// The profiles, or subprofiles with their parents, of the ids in `$1`.
#[must_use]
pub fn some(number: TableNumber, fields: &[Field], with_parent: bool) -> String {
    format!(
        "select {} from {} p where p.id = any($1) order by p.id",
        shown(fields, with_parent),
        number.table()
    )
}

/// The subprofiles of the profiles in `$1`, with the parent's id behind the system columns.
#[must_use]
pub fn children(number: TableNumber, fields: &[Field]) -> String {
    format!(
        "select {} from {} p where p.profile_id = any($1) order by p.profile_id, p.id",
        shown(fields, true),
        number.table()
    )
}

fn shown(fields: &[Field], with_parent: bool) -> String {
    let mut columns = String::from("p.id, p.uid, p.created_at, p.updated_at");
    if with_parent {
        columns.push_str(", p.profile_id");
    }
    for field in fields {
        columns.push_str(&format!(", p.{}", field.column()));
    }
    columns
}

//! The tables of links: pairs of profiles of two databases, each once.

use crate::database::TableNumber;
use crate::field::Field;
use crate::plan::LinkTable;

/// The statements that make the table of a link between two databases.
#[must_use]
pub fn create_table(number: TableNumber, ends: (TableNumber, TableNumber)) -> Vec<String> {
    let (table, from, to) = (number.table(), ends.0.table(), ends.1.table());
    vec![
        format!(
            "create table {table} (from_id bigint not null references {from} on delete cascade, \
             to_id bigint not null references {to} on delete cascade, written_by bigint, \
             created_at timestamptz not null default statement_timestamp(), \
             primary key (from_id, to_id))"
        ),
        format!("create index on {table} (to_id)"),
    ]
}

/// The columns of the own end and of the other one.
fn ends(link: &LinkTable) -> (&'static str, &'static str) {
    match link.forward {
        true => ("from_id", "to_id"),
        false => ("to_id", "from_id"),
    }
}

/// Which of the pairs in `$1` (own profiles) and `$2` (others) are linked: their ordinals.
#[must_use]
pub fn known(link: &LinkTable) -> String {
    let (own, other) = ends(link);
    format!(
        "select k.n from unnest($1::int8[], $2::int8[]) with ordinality as k(own, other, n) \
         join {} l on l.{own} = k.own and l.{other} = k.other",
        link.number.table()
    )
}

/// Links the pairs in `$1` and `$2`, written by the import `$3`.
#[must_use]
pub fn insert(link: &LinkTable) -> String {
    let (own, other) = ends(link);
    format!(
        "insert into {} ({own}, {other}, written_by) \
         select k.own, k.other, $3 from unnest($1::int8[], $2::int8[]) as k(own, other) \
         on conflict do nothing",
        link.number.table()
    )
}

/// Unlinks the pairs in `$1` and `$2`.
#[must_use]
pub fn delete(link: &LinkTable) -> String {
    let (own, other) = ends(link);
    format!(
        "delete from {} l using unnest($1::int8[], $2::int8[]) as k(own, other) \
         where l.{own} = k.own and l.{other} = k.other",
        link.number.table()
    )
}

/// Unlinks the own profiles in `$1` from all others.
#[must_use]
pub fn delete_all(link: &LinkTable) -> String {
    let (own, _) = ends(link);
    format!("delete from {} where {own} = any($1)", link.number.table())
}

/// The profiles of `other` that are linked with the own ones in `$1`: as subprofiles are read, with
/// the own profile in the place of the parent.
#[must_use]
pub fn linked(link: &LinkTable, other: TableNumber, fields: &[Field]) -> String {
    let (own, other_end) = ends(link);
    let fields: String = fields
        .iter()
        .map(|field| format!(", p.{}", field.column()))
        .collect();
    format!(
        "select p.id, p.uid, p.created_at, p.updated_at, l.{own}{fields} from {} l \
         join {} p on p.id = l.{other_end} where l.{own} = any($1) order by l.{own}, p.id",
        link.number.table(),
        other.table()
    )
}

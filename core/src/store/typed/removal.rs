//! Finds and removes what an import did not name. A victim was neither named by a row nor written
//! by another import since this one was accepted. `$1` is the import, `$2` the moment of sparing.

use crate::database::TableNumber;
use crate::plan::LinkTable;

/// What belongs to the profiles that are removed.
#[derive(Debug, Clone)]
pub struct Belongings<'a> {
    /// The profiles' own table.
    pub profiles: TableNumber,
    /// The tables of all collections.
    pub collections: &'a [TableNumber],
    /// The tables of all links.
    pub links: &'a [LinkTable],
}

fn unnamed(row: &str) -> String {
    format!("not exists (select from seen s where s.import_id = $1 and s.id = {row}.id)")
}

fn written_since(row: &str) -> String {
    format!("({row}.written_by <> $1 and {row}.updated_at > $2)")
}

/// The condition by which a profile `p` is a victim: neither it nor what belongs to it was written
/// since.
fn profile_is_victim(belongings: &Belongings<'_>) -> String {
    let mut conditions = vec![unnamed("p"), format!("not {}", written_since("p"))];
    for collection in belongings.collections {
        conditions.push(format!(
            "not exists (select from {} b where b.profile_id = p.id and {})",
            collection.table(),
            written_since("b")
        ));
    }
    for link in belongings.links {
        let own = if link.forward { "from_id" } else { "to_id" };
        conditions.push(format!(
            "not exists (select from {} l where l.{own} = p.id and l.written_by <> $1 \
             and l.created_at > $2)",
            link.number.table()
        ));
    }
    conditions.join(" and ")
}

/// The condition by which a subprofile `c` is a victim of its own: its profile stays.
fn subprofile_is_victim(belongings: &Belongings<'_>) -> String {
    format!(
        "{} and not {} and exists (select from {} p where p.id = c.profile_id and not ({}))",
        unnamed("c"),
        written_since("c"),
        belongings.profiles.table(),
        profile_is_victim(belongings)
    )
}

/// How many profiles live, and how many of them are victims.
#[must_use]
pub fn count_profiles(belongings: &Belongings<'_>) -> String {
    format!(
        "select (select count(*) from {table}), (select count(*) from {table} p where {})",
        profile_is_victim(belongings),
        table = belongings.profiles.table()
    )
}

/// How many subprofiles of a collection live, how many are victims of their own, and how many go
/// along with their profiles.
#[must_use]
pub fn count_subprofiles(collection: TableNumber, belongings: &Belongings<'_>) -> String {
    format!(
        "select (select count(*) from {table}), (select count(*) from {table} c where {}), \
         (select count(*) from {table} c join {} p on p.id = c.profile_id where {})",
        subprofile_is_victim(belongings),
        belongings.profiles.table(),
        profile_is_victim(belongings),
        table = collection.table()
    )
}

/// The ids of victims among the profiles after `$3`, at most `$4`.
#[must_use]
pub fn profile_victims(belongings: &Belongings<'_>) -> String {
    format!(
        "select p.id from {} p where p.id > $3 and {} order by p.id limit $4",
        belongings.profiles.table(),
        profile_is_victim(belongings)
    )
}

/// The ids of victims of their own in a collection after `$3`, at most `$4`.
#[must_use]
pub fn subprofile_victims(collection: TableNumber, belongings: &Belongings<'_>) -> String {
    format!(
        "select c.id from {} c where c.id > $3 and {} order by c.id limit $4",
        collection.table(),
        subprofile_is_victim(belongings)
    )
}

/// Keeps profiles as they are before they go: those with the ids in `$2`.
#[must_use]
pub fn keep_profiles(number: TableNumber) -> String {
    format!(
        "insert into changes (import_id, id, kind, before) \
         select $1, p.id, 'removed', to_jsonb(p) from {} p where p.id = any($2) order by p.id",
        number.table()
    )
}

/// Keeps subprofiles as they are before they go: those with the ids in `$2`.
#[must_use]
pub fn keep_subprofiles(collection: TableNumber) -> String {
    format!(
        "insert into changes (import_id, id, profile_id, kind, before) \
         select $1, c.id, c.profile_id, 'removed', to_jsonb(c) from {} c \
         where c.id = any($2) order by c.id",
        collection.table()
    )
}

/// Keeps the subprofiles of the profiles in `$2` as they are before they go along.
#[must_use]
pub fn keep_children(collection: TableNumber) -> String {
    format!(
        "insert into changes (import_id, id, profile_id, kind, before) \
         select $1, c.id, c.profile_id, 'removed', to_jsonb(c) from {} c \
         where c.profile_id = any($2) order by c.id",
        collection.table()
    )
}

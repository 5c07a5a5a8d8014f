//! A database: the fields of its profiles and the collections of its subprofiles.

use crate::code::Code;
use crate::error::Complaint;
use crate::field::Field;

/// The number of a typed table; its name in Postgres follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableNumber(pub i64);

impl TableNumber {
    /// The table's qualified name: ours, never a user's text.
    #[must_use]
    pub fn table(self) -> String {
        format!("data.t{}", self.0)
    }

    /// The table that a profile's or subprofile's id belongs to: the id alone finds it.
    #[must_use]
    pub fn of_id(id: i64) -> TableNumber {
        TableNumber(id >> 32)
    }
}

/// A set of subprofiles with its own fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    /// Its number, which is also the number of its typed table.
    pub number: TableNumber,
    /// The name as given; compared without regard to case.
    pub name: String,
    /// Its fields, oldest first.
    pub fields: Vec<Field>,
}

/// Joins profiles of this database with those of another, as it is seen from here.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Its number, which is also the number of its table.
    pub number: TableNumber,
    /// What this database calls it; compared without regard to case.
    pub name: String,
    /// The other database.
    pub other: TableNumber,
    /// Its name.
    pub other_name: String,
    /// The fields of its profiles, oldest first.
    pub fields: Vec<Field>,
    /// Whether it was made for this database, and not for the other one.
    pub forward: bool,
}

/// A database as it stands at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Database {
    /// Its number, which is also the number of its typed table.
    pub number: TableNumber,
    /// The account it belongs to.
    pub account_id: i64,
    /// The name as given; compared without regard to case.
    pub name: String,
    /// The fields of its profiles, oldest first.
    pub fields: Vec<Field>,
    /// Its collections, oldest first.
    pub collections: Vec<Collection>,
    /// Its links with other databases, oldest first.
    pub links: Vec<Link>,
    /// When it was made.
    pub created_at: chrono::DateTime<chrono::Utc>,
}

impl Database {
    /// The collection of this name, without regard to case.
    #[must_use]
    pub fn collection(&self, name: &str) -> Option<&Collection> {
        self.collections
            .iter()
            .find(|collection| same_name(&collection.name, name))
    }

    /// The link of this name, without regard to case.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| same_name(&link.name, name))
    }
}

/// Names of databases, collections and fields are compared without regard to case.
#[must_use]
pub fn same_name(one: &str, other: &str) -> bool {
    one == other || one.to_lowercase() == other.to_lowercase()
}

/// The field of this name, without regard to case. The very name goes first: Postgres, which keeps
/// names apart, folds a few letters otherwise.
#[must_use]
pub fn field_named<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    let exact = fields.iter().find(|field| field.name == name);
    exact.or_else(|| fields.iter().find(|field| same_name(&field.name, name)))
}

/// Names of databases, imports and tokens: 1 to 200 printable characters.
pub fn check_name(name: &str, pointer: &str) -> Result<(), Complaint> {
    let detail = "A name has 1 to 200 printable characters and does not begin or end with a space.";
    printable(name, 200)
        .then_some(())
        .ok_or_else(|| Complaint::new(Code::NameInvalid, pointer, detail))
}

/// Names of fields and collections: 1 to 100 printable characters without a dot, which stands
/// between collection and field in the columns of a payload.
pub fn check_field_name(name: &str, pointer: &str) -> Result<(), Complaint> {
    let detail = "A field or collection name has 1 to 100 printable characters without a dot and \
                  does not begin or end with a space.";
    (printable(name, 100) && !name.contains('.'))
        .then_some(())
        .ok_or_else(|| Complaint::new(Code::InvalidFieldName, pointer, detail))
}

/// Control characters and the marks that turn the direction of writing make a name that reads
/// differently from what it is.
fn printable(name: &str, chars_max: usize) -> bool {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    (1..=chars_max).contains(&name.chars().count())
        && name.trim() == name
        && !name.chars().any(|c| c.is_control() || turns(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_alone_finds_its_table() {
        assert_eq!(TableNumber::of_id((17 << 32) + 5), TableNumber(17));
    }

    #[test]
    fn names_are_printable_and_short() {
        for good in ["Email", "in-stock", "a\"; drop table x;--", "Straße", "x"] {
            assert!(check_field_name(good, "").is_ok(), "{good}");
        }
        let long = "x".repeat(101);
        for bad in [
            "",
            " a",
            "a ",
            "a.b",
            "a\nb",
            "a\0",
            "\u{202e}evil",
            long.as_str(),
        ] {
            assert!(check_field_name(bad, "").is_err(), "{bad:?}");
        }
    }
}

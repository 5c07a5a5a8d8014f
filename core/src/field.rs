//! A typed column of a database or a collection: its type, its rules and the name of its column.

use serde::{Deserialize, Serialize};

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// Any text without NUL.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// A decimal number of at most 15 significant digits, which a double keeps exactly.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A calendar day.
    Date,
    /// A point in time, to the microsecond.
    Datetime,
    /// An e-mail address.
    Email,
    /// A phone number, kept as text.
    Phone,
    /// One of the field's options.
    Select,
    /// Several of the field's options.
    Multiselect,
}

impl FieldType {
    /// All types, in the order of the documentation.
    pub const ALL: [FieldType; 10] = [
        FieldType::Text,
        FieldType::Integer,
        FieldType::Number,
        FieldType::Boolean,
        FieldType::Date,
        FieldType::Datetime,
        FieldType::Email,
        FieldType::Phone,
        FieldType::Select,
        FieldType::Multiselect,
    ];

    /// The word in the API and in the control tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FieldType::Text => "text",
            FieldType::Integer => "integer",
            FieldType::Number => "number",
            FieldType::Boolean => "boolean",
            FieldType::Date => "date",
            FieldType::Datetime => "datetime",
            FieldType::Email => "email",
            FieldType::Phone => "phone",
            FieldType::Select => "select",
            FieldType::Multiselect => "multiselect",
        }
    }

    /// The type of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<FieldType> {
        FieldType::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }

    /// The type of the column in Postgres. Cells are kept in its binary format.
    #[must_use]
    pub fn sql_type(self) -> &'static str {
        match self {
            FieldType::Text | FieldType::Email | FieldType::Phone | FieldType::Select => "text",
            FieldType::Integer => "int8",
            FieldType::Number => "float8",
            FieldType::Boolean => "bool",
            FieldType::Date => "date",
            FieldType::Datetime => "timestamptz",
            FieldType::Multiselect => "text[]",
        }
    }

    /// Whether the column holds text, which is what `case_insensitive` and key folding speak of.
    #[must_use]
    pub fn is_text(self) -> bool {
        self.sql_type() == "text"
    }
}

/// A field as kept: of a database, or of one of its collections.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The number of the field; its column is `f<number>`.
    pub id: i64,
    /// The name as the user gave it; compared without regard to case.
    pub name: String,
    /// What it holds.
    pub kind: FieldType,
    /// A profile may not be without it.
    pub required: bool,
    /// No two profiles of the database (subprofiles of the collection) may share a value.
    pub unique: bool,
    /// Comparisons of keys and of unique values ignore case. True for e-mail unless said otherwise.
    pub case_insensitive: bool,
    /// What a new profile gets when the row brings no value; in the column's binary format.
    pub default: Option<Vec<u8>>,
    /// The allowed values of select and multiselect.
    pub options: Vec<String>,
}

/// The number that stands for the caller's own id of a profile; fields begin at 1.
pub const UID: i64 = 0;
/// The number that stands for a profile's id.
pub const PROFILE_ID: i64 = -1;

impl Field {
    /// The caller's own id, as a field that rows bring and are matched by.
    #[must_use]
    pub fn uid() -> Field {
        Field::of_system(UID, "uid", FieldType::Text)
    }

    /// The profile's id, as a field that rows are matched by. It is never written.
    #[must_use]
    pub fn profile_id() -> Field {
        Field::of_system(PROFILE_ID, "id", FieldType::Integer)
    }

    fn of_system(id: i64, name: &str, kind: FieldType) -> Field {
        Field {
            id,
            name: name.to_owned(),
            kind,
            required: false,
            unique: true,
            case_insensitive: false,
            default: None,
            options: Vec::new(),
        }
    }

    /// Whether it is a column that every table has, with an index of its own.
    #[must_use]
    pub fn is_of_system(&self) -> bool {
        self.id <= UID
    }

    /// Whether rows put something into it. A profile's id is ours to give.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.id != PROFILE_ID
    }

    /// The name of its column: ours, never a user's text.
    #[must_use]
    pub fn column(&self) -> String {
        match self.id {
            PROFILE_ID => "id".to_owned(),
            UID => "uid".to_owned(),
            id => format!("f{id}"),
        }
    }

    /// The expression that keys are compared by; the same in indexes and in lookups. Texts are folded by
    /// the rules of the database and compared byte by byte: equal is what is equal by any rule, and
    /// no other comparison is as fast.
    #[must_use]
    pub fn key_expression(&self, table: &str) -> String {
        let column = self.column();
        match (self.kind.is_text(), self.case_insensitive) {
            (true, true) => format!("(lower({table}.{column}) collate \"C\")"),
            (true, false) => format!("({table}.{column} collate \"C\")"),
            (false, _) => format!("{table}.{column}"),
        }
    }
}

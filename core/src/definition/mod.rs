//! The import definition: what a client asks for, judged as a whole before anything is accepted.

mod contradictions;
mod judge;
mod policies;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::policies::Policies;
use crate::reading::{Dates, Found, Quotes};

pub use judge::parse;

/// What is done with a row that matches, and with one that does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Create, without matching.
    Add,
    /// Update every match; no match is ignored.
    Update,
    /// Update every match; no match is created.
    UpdateOrAdd,
    /// A match is ignored; no match is created.
    IgnoreOrAdd,
    /// Delete every match; no match is ignored.
    Delete,
}

/// The format of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// One array of objects.
    Json,
    /// One object on each line.
    Ndjson,
}

/// What `delete` deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeleteTarget {
    /// The matching profiles with all their subprofiles.
    Profile,
    /// The matching subprofiles of the matching profiles.
    Subprofile,
    /// The links between the matching profiles and the matching profiles of another database.
    Link,
}

/// What the client asked for, with every default filled in. Stored and echoed; `source` is not
/// part of it, it is the payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Id or name of the database.
    pub database: String,
    /// A name for people.
    pub name: Option<String>,
    /// What to do with each row.
    pub action: Action,
    /// The fields that say "the same profile"; `Collection.Field` for subprofiles.
    pub key_fields: Vec<String>,
    /// Where to fetch the payload.
    pub location: Option<String>,
    /// The payload's format; taken from its first bytes when not given.
    pub format: Option<Format>,
    /// The delimiter of CSV; told from the first records when not given.
    pub delimiter: Option<char>,
    /// The encoding; UTF-8, or what a byte order mark or the whole payload says, when not given.
    pub encoding: Option<String>,
    /// What goes around the cells of CSV.
    #[serde(default)]
    pub quotes: Quotes,
    /// How dates are written.
    #[serde(default)]
    pub dates: Dates,
    /// Column to field; null means that the column is left out on purpose.
    pub mapping: BTreeMap<String, Option<String>>,
    /// Start as soon as the payload is there.
    pub autostart: bool,
    /// Rebuild selections afterwards: true of zero selections.
    pub rebuild: bool,
    /// Trigger followups.
    pub followups: bool,
    /// Remove what the payload does not name.
    pub remove_missing: bool,
    /// What `delete` deletes.
    pub delete_target: DeleteTarget,
    /// Whom to call when done.
    pub callback_url: Option<String>,
    /// What is done where doors differ; its members stand beside the others.
    #[serde(flatten)]
    pub policies: Policies,
}

impl Definition {
    /// With what the survey found where it was left open.
    #[must_use]
    pub fn with(&self, found: &Found) -> Definition {
        let mut definition = self.clone();
        definition.encoding = definition.encoding.or_else(|| found.encoding.clone());
        definition
    }
}

/// The inline source as it stands in the request.
#[derive(Debug, PartialEq)]
pub enum Source<'a> {
    /// A JSON array, as its text.
    Array(&'a str),
    /// A string that holds CSV, JSON or NDJSON.
    Text(String),
}

/// A member name as a step of a JSON pointer (RFC 6901).
#[must_use]
pub fn escape_pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

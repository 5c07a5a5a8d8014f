//! What the service answers, as far as the command line reads it. Members it does not know are
//! passed over and missing ones get a default, so that client and service may differ in age.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::failure::Failure;
use super::render::plain;

/// A state, by its word.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct State(String);

impl State {
    /// The word.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Nothing more will happen to the import.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self.as_str(),
            "completed" | "completed_with_rejects" | "failed" | "cancelled"
        )
    }

    /// Final, or a person has to act: watching any longer shows nothing new.
    pub(super) fn is_settled(&self) -> bool {
        self.is_final() || matches!(self.as_str(), "held" | "paused")
    }
}

impl From<&str> for State {
    fn from(word: &str) -> State {
        State(word.to_owned())
    }
}

/// An import as `GET /v1/imports/{id}` tells it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Import {
    /// Its id.
    pub(super) id: String,
    /// The name for people.
    #[serde(default)]
    pub(super) name: Option<String>,
    /// Where it stands.
    pub(super) state: State,
    /// What is being done within the state.
    #[serde(default)]
    pub(super) phase: Option<String>,
    /// The database's name.
    #[serde(default = "unknown")]
    pub(super) database_name: String,
    /// The books.
    #[serde(default)]
    pub(super) totals: Totals,
    /// A cancel is asked for and not obeyed yet.
    #[serde(default)]
    pub(super) cancel_requested: bool,
    /// Counts of profiles touched.
    #[serde(default)]
    pub(super) profiles: Effects,
    /// Counts of subprofiles touched.
    #[serde(default)]
    pub(super) subprofiles: Effects,
    /// What would be removed, or was.
    #[serde(default)]
    pub(super) removal: Option<Removal>,
    /// How far it is.
    #[serde(default)]
    pub(super) progress: Numbers,
    /// Things worth knowing that stop nothing: texts, or objects with a `message`.
    #[serde(default)]
    pub(super) warnings: Vec<Value>,
    /// When it was accepted, RFC 3339.
    #[serde(default)]
    pub(super) created_at: Option<String>,
    /// When work on it began.
    #[serde(default)]
    pub(super) started_at: Option<String>,
    /// When it ended.
    #[serde(default)]
    pub(super) finished_at: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub(super) error: Option<ImportError>,
    /// The answer as it came, for `--json`.
    #[serde(skip)]
    pub(super) raw: Value,
}

/// The removal of an import that has one.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Removal {
    /// Profiles, as counted last.
    #[serde(default)]
    pub(super) profiles: u64,
    /// Subprofiles.
    #[serde(default)]
    pub(super) subprofiles: u64,
    /// Why it is held.
    #[serde(default)]
    pub(super) reasons: Vec<Reason>,
}

/// One reason of the brake.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Reason {
    /// The stable code.
    pub(super) code: String,
    /// Which limit, and by how much.
    pub(super) detail: String,
}

fn unknown() -> String {
    "?".to_owned()
}

impl Import {
    /// Reads a status object and keeps it.
    pub(super) fn read(raw: Value) -> Result<Import, Failure> {
        let mut import: Import = read("the status of an import", raw.clone())?;
        import.raw = raw;
        Ok(import)
    }

    /// Rows that have an outcome so far.
    pub(super) fn rows_done(&self) -> u64 {
        self.progress
            .rows
            .unwrap_or_else(|| self.totals.processed())
    }

    /// All rows, once they are counted; a total of none may still mean that they are not.
    pub(super) fn rows_total(&self) -> Option<u64> {
        self.progress
            .rows_total
            .or(self.totals.total.filter(|total| *total > 0))
    }

    /// State and phase, neither twice.
    pub(super) fn standing(&self) -> String {
        let state = self.state.as_str();
        match self.phase.as_deref().filter(|_| !self.state.is_final()) {
            Some(phase) if phase.starts_with(state) => plain(phase),
            Some(phase) => plain(&format!("{state} ({phase})")),
            None => plain(state),
        }
    }
}

/// The books of an import, in rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Totals {
    /// Rows of the payload, once they are counted.
    pub(super) total: Option<u64>,
    /// Rows that made a profile or subprofile.
    pub(super) created: u64,
    /// Rows that changed one.
    pub(super) updated: u64,
    /// Rows that changed nothing.
    pub(super) unchanged: u64,
    /// Rows that their action passed over.
    pub(super) ignored: u64,
    /// Rows that deleted one.
    pub(super) deleted: u64,
    /// Rows not applied.
    pub(super) rejected: u64,
    /// Rows without an outcome yet.
    pub(super) unprocessed: Option<u64>,
}

impl Totals {
    /// The outcomes in the order in which people read them.
    pub(super) fn outcomes(&self) -> [(&'static str, u64); 6] {
        [
            ("created", self.created),
            ("updated", self.updated),
            ("unchanged", self.unchanged),
            ("ignored", self.ignored),
            ("deleted", self.deleted),
            ("rejected", self.rejected),
        ]
    }

    /// Rows that have an outcome.
    pub(super) fn processed(&self) -> u64 {
        self.outcomes().iter().map(|(_, rows)| rows).sum()
    }

    /// Whether every row is accounted for; not to be known before the rows are counted.
    pub(super) fn balance(&self) -> Option<bool> {
        let total = self.total?;
        Some(self.processed() + self.unprocessed.unwrap_or(0) == total)
    }
}

/// Profiles or subprofiles touched, beside the books.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Effects {
    /// Made.
    pub(super) created: u64,
    /// Changed.
    pub(super) updated: u64,
    /// Deleted by rows.
    pub(super) deleted: u64,
    /// Removed because no row named them.
    pub(super) removed: u64,
}

/// How far an import is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Numbers {
    /// Bytes of the payload so far.
    pub(super) bytes: Option<u64>,
    /// Bytes in all, once known.
    pub(super) bytes_total: Option<u64>,
    /// Rows that have an outcome.
    pub(super) rows: Option<u64>,
    /// Rows in all, once counted.
    pub(super) rows_total: Option<u64>,
    /// Speed.
    pub(super) rows_per_second: Option<f64>,
    /// Seconds left, as the service estimates.
    pub(super) eta_seconds: Option<f64>,
}

/// Why an import failed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ImportError {
    /// The stable code.
    pub(super) code: String,
    /// What happened.
    pub(super) message: String,
    /// The line of the payload at fault.
    pub(super) line: Option<u64>,
    /// The column in that line.
    pub(super) column: Option<u64>,
}

/// A row that was not applied.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Reject {
    /// The line on which the row starts.
    pub(super) line: Option<u64>,
    /// The column at fault.
    pub(super) column: Option<String>,
    /// The stable code.
    pub(super) code: String,
    /// The value and what was expected instead.
    pub(super) message: String,
}

/// One page of a list.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Page {
    /// The things listed.
    pub(super) data: Vec<Value>,
    /// Where the next page begins.
    #[serde(default)]
    pub(super) next_cursor: Option<String>,
}

/// Reads `value` as what it should be; `what` names it for people. A member that is null counts
/// as missing.
pub(super) fn read<T: DeserializeOwned>(what: &'static str, value: Value) -> Result<T, Failure> {
    serde_json::from_value(without_nulls(value))
        .map_err(|source| Failure::NotUnderstood { what, source })
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        other => other,
    }
}

//! What an import does where doors differ: with values that do not fit, columns that nobody knows,
//! rows that fail, keys that are empty or match several. The engine obeys this struct and knows no
//! door. The defaults are those of the native API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The policies of one import.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Policies {
    /// A value that does not fit its field. No member of the native API, and not echoed by it.
    #[serde(skip_serializing_if = "OnInvalid::rejects")]
    pub on_invalid: OnInvalid,
    /// A column of the payload that no field has the name of.
    pub on_unknown_column: OnUnknownColumn,
    /// A row that cannot be applied.
    pub on_reject: OnReject,
    /// A row whose key is empty.
    pub on_empty_key: OnEmptyKey,
    /// A key that several profiles, or several subprofiles of one profile, have.
    pub on_multiple_matches: OnMultipleMatches,
    /// What says "the same profile".
    pub match_by: MatchBy,
    /// How key fields are compared.
    pub key_comparison: KeyComparison,
    /// The column with the profile's id, for `match_by` id and id_or_uid.
    pub id_column: Option<String>,
    /// The column with the caller's own id of the profile.
    pub uid_column: Option<String>,
    /// For each link that is matched by uid: the column with the uid of the other profile.
    pub link_uid_columns: BTreeMap<String, String>,
    /// The column with the profile's `updated_at` as the caller last saw it: a profile that was
    /// changed since is not overwritten.
    pub version_column: Option<String>,
    /// The column that says, row by row, that the version does not matter.
    pub override_column: Option<String>,
    /// Empty cells keep the old value instead of clearing it.
    pub ignore_empty_fields: bool,
}

/// What becomes of a value that does not fit its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnInvalid {
    /// The row is rejected.
    #[default]
    Reject,
    /// The value is converted by the rules of Copernica; see `docs/coercing.md`.
    CoerceLikeCopernica,
    /// The value is converted by the rules of Mautic; see `docs/coercing.md`.
    CoerceLikeMautic,
}

impl OnInvalid {
    /// Whether nothing is converted.
    #[must_use]
    pub fn rejects(&self) -> bool {
        *self == OnInvalid::Reject
    }
}

/// What becomes of a column that no field has the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknownColumn {
    /// The import is refused.
    #[default]
    Refuse,
    /// The column is left out, with a warning.
    Ignore,
}

/// What a row that cannot be applied does to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnReject {
    /// Nothing: they are applied.
    #[default]
    GoOn,
    /// None is applied.
    AllOrNothing,
}

/// What becomes of a row whose key is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnEmptyKey {
    /// It is rejected.
    #[default]
    Reject,
    /// It matches nothing: actions that create make something new, the others pass over it.
    Create,
}

/// What a key means that several have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMultipleMatches {
    /// All of them.
    #[default]
    All,
    /// The one that was made last.
    Newest,
    /// The row is rejected.
    Reject,
}

/// What says "the same profile". Subprofiles are always matched by their key fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchBy {
    /// All key fields together.
    #[default]
    KeyFields,
    /// Any of the key fields alone; empty ones say nothing.
    AnyKeyField,
    /// The caller's own id.
    Uid,
    /// The profile's id.
    Id,
    /// The profile's id where the row has one, else the caller's own.
    IdOrUid,
}

impl MatchBy {
    /// Whether key fields of the profile take part.
    #[must_use]
    pub fn uses_key_fields(self) -> bool {
        matches!(self, MatchBy::KeyFields | MatchBy::AnyKeyField)
    }

    /// Whether the profile's id takes part.
    #[must_use]
    pub fn uses_id(self) -> bool {
        matches!(self, MatchBy::Id | MatchBy::IdOrUid)
    }

    /// Whether the caller's own id takes part.
    #[must_use]
    pub fn uses_uid(self) -> bool {
        matches!(self, MatchBy::Uid | MatchBy::IdOrUid)
    }
}

/// How key fields are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyComparison {
    /// Each as its field says.
    #[default]
    AsFieldSays,
    /// All without regard to case.
    WithoutCase,
}

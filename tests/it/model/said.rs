//! What an import says: its action, its policies, and its rows as they are meant.

use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Add,
    Update,
    UpdateOrAdd,
    IgnoreOrAdd,
    Delete,
}

impl Action {
    pub(crate) const ALL: [(Action, &str); 5] = [
        (Action::Add, "add"),
        (Action::Update, "update"),
        (Action::UpdateOrAdd, "update_or_add"),
        (Action::IgnoreOrAdd, "ignore_or_add"),
        (Action::Delete, "delete"),
    ];

    pub(crate) fn creates(self) -> bool {
        matches!(
            self,
            Action::Add | Action::UpdateOrAdd | Action::IgnoreOrAdd
        )
    }
}

/// What deleting deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Profile,
    Subprofile,
    Link,
}

/// What says "the same profile".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MatchBy {
    KeyFields,
    AnyKeyField,
    Uid,
    Id,
    IdOrUid,
}

/// Who is meant by a key that several have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Several {
    All,
    Newest,
    Nobody,
}

#[derive(Debug, Clone)]
pub(crate) struct Policies {
    pub(crate) match_by: MatchBy,
    pub(crate) several: Several,
    /// A row with an empty key matches nothing; else it is refused.
    pub(crate) empty_key_is_new: bool,
    pub(crate) without_case: bool,
    pub(crate) all_or_nothing: bool,
    pub(crate) keeps_blanks: bool,
    pub(crate) asks_version: bool,
}

/// What a row says about a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Absent,
    Blank,
    Holds(Value),
    /// It does not fit, for this reason.
    Misfit(&'static str),
}

impl Cell {
    pub(crate) fn is_held(&self) -> bool {
        matches!(self, Cell::Holds(_))
    }
}

/// A row. What the payload does not bring is absent in every row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The number that the model has for a profile; one that nobody has stands for an unknown id.
    pub(crate) id: Cell,
    /// A text, as it was read or without its fraction.
    pub(crate) version: Cell,
    /// Whether the version does not matter.
    pub(crate) overrides: Cell,
    /// Of the profile, its subprofile and the linked profile; uids last, where there are any.
    pub(crate) cells: [Vec<Cell>; 3],
}

/// An import, with its rows as they are meant.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    /// The database that it goes into; the linked profiles are in the other one.
    pub(crate) home: usize,
    pub(crate) action: Action,
    pub(crate) target: Target,
    pub(crate) policies: Policies,
    /// Places of the key fields on each side, the uid among them where it is the key.
    pub(crate) keys: [Vec<usize>; 3],
    /// Whether those go whom no row names.
    pub(crate) remove_missing: bool,
    /// Whether the payload has columns of the collection.
    pub(crate) brings_subprofiles: bool,
    pub(crate) rows: Vec<Row>,
}

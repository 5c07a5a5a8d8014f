//! The states of an import and its books.

use serde::{Deserialize, Serialize};

/// Where an import stands. The same words are a constraint in the ledger; the diagram is in
/// `docs/architecture.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Accepted without its payload, or not started yet.
    Draft,
    /// Waiting for a worker.
    Queued,
    /// A worker takes the snapshot of its source.
    Fetching,
    /// The snapshot is surveyed; then it waits for its turn and its index.
    Preparing,
    /// Rows are being applied.
    Applying,
    /// All rows are applied; what follows from them is being done.
    Finishing,
    /// A brake asks for approval.
    Held,
    /// Paused on request.
    Paused,
    /// Done, no rejects.
    Completed,
    /// Done, with rejects.
    CompletedWithRejects,
    /// Ended by an error; rows already applied stay applied.
    Failed,
    /// Ended on request; rows already applied stay applied.
    Cancelled,
}

impl State {
    /// All states, in the order of the path.
    pub const ALL: [State; 12] = [
        State::Draft,
        State::Queued,
        State::Fetching,
        State::Preparing,
        State::Applying,
        State::Finishing,
        State::Held,
        State::Paused,
        State::Completed,
        State::CompletedWithRejects,
        State::Failed,
        State::Cancelled,
    ];

    /// The word in the API and in the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Draft => "draft",
            State::Queued => "queued",
            State::Fetching => "fetching",
            State::Preparing => "preparing",
            State::Applying => "applying",
            State::Finishing => "finishing",
            State::Held => "held",
            State::Paused => "paused",
            State::Completed => "completed",
            State::CompletedWithRejects => "completed_with_rejects",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
        }
    }

    /// The state of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Nothing will happen to it any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(
            self,
            State::Completed | State::CompletedWithRejects | State::Failed | State::Cancelled
        )
    }

    /// A long poll need not wait any longer: final, or a person has to act.
    #[must_use]
    pub fn is_settled(self) -> bool {
        self.is_final() || matches!(self, State::Held | State::Paused)
    }
}

/// The books of rows: every row of the payload has exactly one outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Rows that made a profile or subprofile.
    pub created: i64,
    /// Rows that changed one.
    pub updated: i64,
    /// Rows that matched and changed nothing.
    pub unchanged: i64,
    /// Rows that their action passes over.
    pub ignored: i64,
    /// Rows that deleted one.
    pub deleted: i64,
    /// Rows not applied, each with its reason.
    pub rejected: i64,
}

impl Totals {
    /// Rows that have an outcome.
    #[must_use]
    pub fn processed(&self) -> i64 {
        self.created + self.updated + self.unchanged + self.ignored + self.deleted + self.rejected
    }
}

/// What rows did to profiles, or to subprofiles: one per profile and row, beside the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Effects {
    /// Made.
    pub created: i64,
    /// Changed.
    pub updated: i64,
    /// Deleted by rows.
    pub deleted: i64,
}

/// What one row did: the strongest thing it did to its profile or subprofiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowOutcome {
    /// The action passes over it.
    Ignored,
    /// Matched, and nothing to change.
    Unchanged,
    /// Deleted what it matched.
    Deleted,
    /// Changed what it matched.
    Updated,
    /// Made something.
    Created,
}

impl Totals {
    /// Counts one row.
    pub fn count(&mut self, outcome: RowOutcome) {
        match outcome {
            RowOutcome::Ignored => self.ignored += 1,
            RowOutcome::Unchanged => self.unchanged += 1,
            RowOutcome::Deleted => self.deleted += 1,
            RowOutcome::Updated => self.updated += 1,
            RowOutcome::Created => self.created += 1,
        }
    }
}

/// A row not applied, with its reason. Data, never an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The row's number in the payload, from 1.
    pub number: i64,
    /// The line on which the row starts.
    pub line: i64,
    /// The column that is at fault, if one is.
    pub column: Option<String>,
    /// The stable code.
    pub code: crate::code::Code,
    /// The value, shortened.
    pub value: Option<String>,
    /// What was expected.
    pub expected: String,
}

/// Why an import failed, as clients see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The stable code.
    pub code: String,
    /// What happened and what to do.
    pub message: String,
    /// The line of the payload, if one is at fault.
    pub line: Option<u64>,
    /// The column in that line.
    pub column: Option<u64>,
}

/// Where the removal of an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalState {
    /// Its rows are applied first.
    Pending,
    /// The brake asks for approval.
    Held,
    /// Allowed, up to a number.
    Approved,
    /// Under way.
    Removing,
    /// Somebody decided against it, or ended the import before.
    Refused,
    /// Nobody decided in time.
    Expired,
    /// Done.
    Done,
}

impl RemovalState {
    /// All states.
    pub const ALL: [RemovalState; 7] = [
        RemovalState::Pending,
        RemovalState::Held,
        RemovalState::Approved,
        RemovalState::Removing,
        RemovalState::Refused,
        RemovalState::Expired,
        RemovalState::Done,
    ];

    /// The word in the API and in the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RemovalState::Pending => "pending",
            RemovalState::Held => "held",
            RemovalState::Approved => "approved",
            RemovalState::Removing => "removing",
            RemovalState::Refused => "refused",
            RemovalState::Expired => "expired",
            RemovalState::Done => "done",
        }
    }

    /// The state of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<RemovalState> {
        RemovalState::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

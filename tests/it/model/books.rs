//! What an import did, in figures: the books, and notes of what came up.

use std::collections::BTreeMap;

/// What a row came to, from weakest to strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Ignored,
    Unchanged,
    Deleted,
    Updated,
    Created,
}

impl Outcome {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Outcome::Ignored => "ignored",
            Outcome::Unchanged => "unchanged",
            Outcome::Deleted => "deleted",
            Outcome::Updated => "updated",
            Outcome::Created => "created",
        }
    }
}

/// What an import did, by the books.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Books {
    /// In the order of [`Books::ROWS`].
    pub(crate) rows: [i64; 6],
    /// Profiles, subprofiles and linked profiles: created, updated, deleted.
    pub(crate) effects: [[i64; 3]; 3],
    /// Created, deleted.
    pub(crate) links: [i64; 2],
}

impl Books {
    pub(crate) const ROWS: [&str; 6] = [
        "created",
        "updated",
        "unchanged",
        "ignored",
        "deleted",
        "rejected",
    ];

    pub(crate) fn of_refused(rows: i64) -> Books {
        let mut books = Books::default();
        books.rows[5] = rows;
        books
    }

    pub(crate) fn count(&mut self, outcome: Outcome) {
        let place = Books::ROWS.iter().position(|word| *word == outcome.word());
        self.rows[place.unwrap()] += 1;
    }

    pub(crate) fn add(&mut self, other: &Books) {
        let sums = self.rows.iter_mut().chain(&mut self.links);
        for (sum, part) in sums.zip(other.rows.iter().chain(&other.links)) {
            *sum += part;
        }
        let sums = self.effects.iter_mut().flatten();
        for (sum, part) in sums.zip(other.effects.iter().flatten()) {
            *sum += part;
        }
    }
}

/// How often something came up: a comparison in which it never does compares little.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(pub(crate) BTreeMap<&'static str, u64>);

impl Notes {
    pub(crate) fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Notes) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }
}

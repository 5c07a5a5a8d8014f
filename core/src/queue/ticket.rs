//! What travels on the queue: a verb and an id, and the lanes it travels on. What a ticket says may be
//! out of date when it is read: it saves a look at best, and decides nothing.

use serde::{Deserialize, Serialize};

/// What a ticket asks for. Each verb has lists of its own, so that its workers have slots of their
/// own. A new verb is added here, to [`Verb::ALL`] and to [`Verb::as_str`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Fetch the payload of an import.
    Fetch,
    /// Apply an import, from wherever its checkpoint stands.
    Apply,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 2] = [Verb::Fetch, Verb::Apply];

    /// The word in tickets and in the names of lists.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Fetch => "fetch",
            Verb::Apply => "apply",
        }
    }
}

/// How urgent a ticket is. A worker takes from a later lane only when the earlier ones are empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Small imports, for which somebody may be waiting.
    Express,
    /// Everything else.
    Bulk,
}

impl Lane {
    /// All of them, the most urgent first.
    pub const ALL: [Lane; 2] = [Lane::Express, Lane::Bulk];

    /// The word in the names of lists.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Lane::Express => "express",
            Lane::Bulk => "bulk",
        }
    }
}

/// A wake-up. It may come twice, late or never; whoever takes it must ask the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ticket {
    /// What to do.
    pub verb: Verb,
    /// Number of the import, or 0: see [`Ticket::look`].
    pub id: i64,
    /// Number of the database that a small import goes into. Whoever is at its small imports looks for
    /// more of them when done, so that nobody else need look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub small_in: Option<i64>,
}

impl Ticket {
    /// The ticket of an import.
    #[must_use]
    pub fn new(verb: Verb, id: i64) -> Ticket {
        Ticket {
            verb,
            id,
            small_in: None,
        }
    }

    /// The ticket that names nothing: "look into the ledger yourself, and do all that is due".
    /// It comes about once a second while there is no Redis, and never travels through Redis.
    #[must_use]
    pub fn look(verb: Verb) -> Ticket {
        Ticket::new(verb, 0)
    }

    /// Whether it is such a ticket.
    #[must_use]
    pub fn is_look(self) -> bool {
        self.id == 0
    }
}

/// The tickets as Redis keeps them.
pub(super) fn texts_of<'a>(tickets: impl Iterator<Item = &'a Ticket>) -> Vec<String> {
    tickets
        .filter_map(|ticket| serde_json::to_string(ticket).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_a_verb_and_an_id_and_may_name_a_database() {
        let ticket = Ticket::new(Verb::Apply, 17);
        let small = Ticket {
            small_in: Some(3),
            ..ticket
        };
        for (ticket, text) in [
            (ticket, r#"{"verb":"apply","id":17}"#),
            (small, r#"{"verb":"apply","id":17,"small_in":3}"#),
        ] {
            assert_eq!(serde_json::to_string(&ticket).unwrap(), text);
            assert_eq!(serde_json::from_str::<Ticket>(text).unwrap(), ticket);
        }
    }

    #[test]
    fn the_word_of_a_verb_is_the_same_in_tickets_and_lists() {
        for verb in Verb::ALL {
            let text = serde_json::to_string(&verb).unwrap();
            assert_eq!(text, format!("\"{}\"", verb.as_str()));
        }
    }
}

//! Who is meant by a row.

use serde_json::Value;

use super::{Action, Cell, Field, LINKED, MatchBy, PROFILE, Row, Run, SUBPROFILE, Several, Thing};

impl Run<'_> {
    /// The places of those whom the row means among these; none also where that is a fault.
    pub(super) fn meant(&mut self, side: usize, things: &[Thing], row: &Row) -> Vec<usize> {
        if self.import.action == Action::Add {
            return Vec::new();
        }
        if self.has_no_key(side, row) {
            self.notes.count(match self.import.action.creates() {
                true => "an empty key was new",
                false => "an empty key was passed over",
            });
            return Vec::new();
        }
        let found = self.matching(side, things, row);
        self.of_several(side, found)
    }

    /// The places of all whom the row's key matches.
    pub(super) fn matching(&mut self, side: usize, things: &[Thing], row: &Row) -> Vec<usize> {
        match side {
            PROFILE => self.profiles_meant(things, row),
            _ => self.having(side, things, row),
        }
    }

    fn profiles_meant(&mut self, things: &[Thing], row: &Row) -> Vec<usize> {
        let (found, note) = match self.import.policies.match_by {
            MatchBy::KeyFields => return self.having(PROFILE, things, row),
            MatchBy::Uid => (self.having(PROFILE, things, row), "found by uid"),
            MatchBy::AnyKeyField => (
                self.having_any(things, row),
                "found by any of several fields",
            ),
            MatchBy::Id => (self.numbered(things, &row.id), "found by id"),
            MatchBy::IdOrUid if row.id.is_held() => {
                (self.numbered(things, &row.id), "found by id before uid")
            }
            MatchBy::IdOrUid => (
                self.having(PROFILE, things, row),
                "found by uid for want of an id",
            ),
        };
        if !found.is_empty() {
            self.notes.count(note);
        }
        found
    }

    /// Nobody is made to an id.
    fn numbered(&mut self, things: &[Thing], id: &Cell) -> Vec<usize> {
        let is_meant = |thing: &Thing| *id == Cell::Holds(thing.number.into());
        let found = things.iter().position(is_meant);
        if found.is_none() && self.import.action.creates() {
            self.fault("unknown_profile");
        }
        found.into_iter().collect()
    }

    fn having(&mut self, side: usize, things: &[Thing], row: &Row) -> Vec<usize> {
        let keys = &self.import.keys[side];
        let has_all = |without_case: bool, thing: &Thing| {
            let has = |key: &usize| self.has(side, *key, (without_case, thing), row);
            keys.iter().all(has)
        };
        let policy = self.import.policies.without_case;
        let found = places(things, |thing| has_all(policy, thing));
        if places(things, |thing| has_all(false, thing)) != found {
            self.notes.count("found only without case");
        }
        found
    }

    fn having_any(&self, things: &[Thing], row: &Row) -> Vec<usize> {
        let policy = self.import.policies.without_case;
        places(things, |thing| {
            let has = |key: &usize| {
                self.is_key(PROFILE, *key, &row.cells[PROFILE][*key])
                    && self.has(PROFILE, *key, (policy, thing), row)
            };
            self.import.keys[PROFILE].iter().any(has)
        })
    }

    fn has(
        &self,
        side: usize,
        key: usize,
        (without_case, thing): (bool, &Thing),
        row: &Row,
    ) -> bool {
        let field = &self.fields(side)[key];
        let folds = field.ignores_case || (without_case && field.text && !field.exact);
        match &row.cells[side][key] {
            Cell::Holds(value) => equal(folds, value, &thing.values[key]),
            _ => false,
        }
    }

    /// All of several, the last that was made, or nobody.
    fn of_several(&mut self, side: usize, found: Vec<usize>) -> Vec<usize> {
        if found.len() < 2 {
            return found;
        }
        self.notes
            .count(match (self.import.policies.several, side) {
                (_, SUBPROFILE) => "several subprofiles had the key",
                (_, LINKED) => "several linked profiles had the key",
                (Several::All, _) => "several had the key: all were meant",
                (Several::Newest, _) => "several had the key: the newest was meant",
                (Several::Nobody, _) => "several had the key: nobody was meant",
            });
        match self.import.policies.several {
            Several::All => found,
            Several::Newest => found.last().copied().into_iter().collect(),
            Several::Nobody => {
                self.fault("multiple_matches");
                Vec::new()
            }
        }
    }

    /// No two profiles, and no two subprofiles of a collection, share what is unique.
    pub(super) fn judge_unique(&mut self) {
        let mut repeats = false;
        for database in &self.model.databases {
            let profiles: Vec<&Thing> = database.profiles.iter().collect();
            let children: Vec<&Thing> = profiles.iter().flat_map(|one| &one.children).collect();
            repeats |= repeat(&database.fields[0], &profiles);
            repeats |= repeat(&database.fields[1], &children);
        }
        if repeats {
            self.fault("unique_conflict");
        }
    }
}

fn places(things: &[Thing], meant: impl Fn(&Thing) -> bool) -> Vec<usize> {
    (0..things.len())
        .filter(|place| meant(&things[*place]))
        .collect()
}

fn repeat(fields: &[Field], things: &[&Thing]) -> bool {
    let unique = fields.iter().enumerate().filter(|(_, field)| field.unique);
    unique.into_iter().any(|(place, field)| {
        let same = |one: &Thing, other: &Thing| {
            equal(field.ignores_case, &one.values[place], &other.values[place])
        };
        let mut at = 0..things.len();
        at.any(|at| things[..at].iter().any(|before| same(before, things[at])))
    })
}

/// Whether two values are one. No value equals nothing.
fn equal(folds: bool, one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::String(one), Value::String(other)) if folds => {
            one.to_lowercase() == other.to_lowercase()
        }
        _ => one == other,
    }
}

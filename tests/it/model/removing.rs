//! What an import takes away that is to remove whom none of its rows named, and what must be asked
//! first.

use std::collections::BTreeSet;

use super::reading::brings;
use super::{Cell, Import, MatchBy, Model, PROFILE, Row, Run, SUBPROFILE, Thing};

/// Whom the rows of an import named, and whether it is known of all of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Named {
    pub(crate) things: BTreeSet<u64>,
    /// The key of a rejected row could not be read.
    pub(crate) unread: bool,
    /// Part of what a rejected row says about whom it means could not be read.
    pub(crate) partly_unread: bool,
}

/// The limits that a database has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Brake {
    pub(crate) percent: i64,
    pub(crate) count: Option<i64>,
    pub(crate) allows_empty: bool,
}

/// Whom an import would take away, once its rows are applied.
#[derive(Debug, Clone, Default)]
pub(crate) struct Victims {
    pub(crate) profiles: BTreeSet<u64>,
    /// Those that go by themselves.
    pub(crate) subprofiles: BTreeSet<u64>,
    /// How many go along with their profiles.
    pub(crate) along: i64,
    /// How many profiles there are, and how many subprofiles of profiles that stay.
    living: [i64; 2],
}

impl Victims {
    pub(crate) fn removals(&self) -> i64 {
        (self.profiles.len() + self.subprofiles.len()) as i64 + self.along
    }

    /// The limits that this is above.
    pub(crate) fn reasons(&self, brake: Brake) -> BTreeSet<&'static str> {
        let gone = [self.profiles.len() as i64, self.subprofiles.len() as i64];
        let mut reasons = BTreeSet::new();
        if brake.count.is_some_and(|count| self.removals() > count) {
            reasons.insert("brake_count");
        }
        for (gone, living) in gone
            .into_iter()
            .zip(self.living)
            .filter(|(gone, _)| *gone > 0)
        {
            for (is_above, reason) in [
                (gone * 100 > living * brake.percent, "brake_percent"),
                (gone == living && !brake.allows_empty, "brake_empty"),
            ] {
                if is_above {
                    reasons.insert(reason);
                }
            }
        }
        reasons
    }
}

impl Named {
    pub(super) fn add(&mut self, other: Named, refused: bool) {
        self.things.extend(other.things);
        self.unread |= other.unread && refused;
        self.partly_unread |= other.partly_unread && refused;
    }
}

impl Run<'_> {
    /// Whom a row names: all that its key matches, whatever becomes of the row.
    pub(super) fn names(&mut self, row: &Row) -> Named {
        let mut named = Named::default();
        let keys = |side: usize| self.import.keys[side].iter().map(move |key| (side, *key));
        let is_misfit =
            |(side, key): (usize, usize)| matches!(row.cells[side][key], Cell::Misfit(_));
        let misfits = [0, 1, 2].map(|side| keys(side).any(is_misfit));
        let id_is_misfit = matches!(row.id, Cell::Misfit(_));
        let new = self.import.policies.empty_key_is_new;
        // A row with an id means whom that names, or nobody knows whom.
        let damaged = id_is_misfit || (misfits[PROFILE] && !row.id.is_held());
        if damaged || (self.has_no_key(PROFILE, row) && !new) {
            // Of several fields, any of which is enough, another one may be whole.
            let any = self.import.policies.match_by == MatchBy::AnyKeyField;
            let open = any && !self.has_no_key(PROFILE, row);
            (named.unread, named.partly_unread) = (!open, open);
            if !open {
                return named;
            }
        }
        named.partly_unread |= misfits.contains(&true);
        named.partly_unread |= [SUBPROFILE, 2].into_iter().any(|side| {
            let says = |cell: &Cell| matches!(cell, Cell::Holds(_) | Cell::Misfit(_));
            row.cells[side].iter().any(says) && self.has_no_key(side, row)
        });
        if self.has_no_key(PROFILE, row) {
            return named;
        }
        let profiles = self.model.databases[self.import.home].profiles.clone();
        for place in self.matching(PROFILE, &profiles, row) {
            named.things.insert(profiles[place].number);
            let children = &profiles[place].children;
            if brings(row, SUBPROFILE) && !self.has_no_key(SUBPROFILE, row) {
                let found = self.matching(SUBPROFILE, children, row);
                named
                    .things
                    .extend(found.into_iter().map(|place| children[place].number));
            }
        }
        named
    }
}

impl Model {
    /// Whom an import takes that named only these.
    pub(crate) fn victims(&self, import: &Import, named: &Named) -> Victims {
        let mut victims = Victims::default();
        let is_victim = |thing: &&Thing| !named.things.contains(&thing.number);
        for profile in &self.databases[import.home].profiles {
            victims.living[0] += 1;
            if is_victim(&profile) {
                victims.profiles.insert(profile.number);
                victims.along += profile.children.len() as i64;
            } else if import.brings_subprofiles {
                victims.living[1] += profile.children.len() as i64;
                let gone = profile.children.iter().filter(is_victim);
                victims.subprofiles.extend(gone.map(|child| child.number));
            }
        }
        victims
    }

    /// Takes them away, with their links.
    pub(crate) fn remove(&mut self, import: &Import, victims: &Victims) {
        let profiles = &mut self.databases[import.home].profiles;
        profiles.retain(|profile| !victims.profiles.contains(&profile.number));
        for profile in profiles {
            profile
                .children
                .retain(|child| !victims.subprofiles.contains(&child.number));
        }
        let home = import.home;
        self.links.retain(|(first, second)| {
            !victims
                .profiles
                .contains(if home == 0 { first } else { second })
        });
    }
}

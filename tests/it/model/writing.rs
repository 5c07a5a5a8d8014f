//! What a row does to those whom it means.

use serde_json::Value;

use super::reading::brings;
use super::{Action, Cell, LINKED, MatchBy, Outcome, PROFILE, Row, Run, SUBPROFILE, Target, Thing};

const CREATED: usize = 0;
const UPDATED: usize = 1;
const DELETED: usize = 2;

impl Run<'_> {
    pub(super) fn write_row(&mut self, row: &Row) -> Outcome {
        let mut profiles = self.take_profiles(self.import.home);
        let meant = self.meant(PROFILE, &profiles, row);
        self.judge_version(&profiles, &meant, row);
        if !self.faults.is_empty() {
            self.look_for_more_faults(&profiles, (&meant, row));
            self.model.databases[self.import.home].profiles = profiles;
            return Outcome::Ignored;
        }
        let (mut outcome, touched) = self.write(PROFILE, &mut profiles, (meant, row));
        if brings(row, SUBPROFILE) {
            for place in &touched {
                let children = &mut profiles[*place].children;
                let meant = self.meant(SUBPROFILE, children, row);
                outcome = outcome.max(self.write(SUBPROFILE, children, (meant, row)).0);
            }
        }
        let touched: Vec<u64> = touched
            .into_iter()
            .map(|place| profiles[place].number)
            .collect();
        self.model.databases[self.import.home].profiles = profiles;
        if brings(row, LINKED) && !touched.is_empty() {
            outcome = outcome.max(self.write_linked(&touched, row));
        }
        outcome
    }

    /// A row may have several faults, of which the service gives one: perhaps not the first here.
    fn look_for_more_faults(&mut self, profiles: &[Thing], (meant, row): (&[usize], &Row)) {
        if brings(row, SUBPROFILE) {
            for place in meant {
                self.meant(SUBPROFILE, &profiles[*place].children, row);
            }
        }
        if brings(row, LINKED) {
            let others = self.model.databases[1 - self.import.home].profiles.clone();
            self.meant(LINKED, &others, row);
        }
    }

    fn take_profiles(&mut self, database: usize) -> Vec<Thing> {
        std::mem::take(&mut self.model.databases[database].profiles)
    }

    /// One and the same other end for all profiles of the row.
    fn write_linked(&mut self, profiles: &[u64], row: &Row) -> Outcome {
        let away = 1 - self.import.home;
        let mut others = self.take_profiles(away);
        let meant = self.meant(LINKED, &others, row);
        let (mut outcome, reached) = self.write(LINKED, &mut others, (meant, row));
        if self.import.action != Action::Update {
            for (profile, place) in pairs(profiles, &reached) {
                let link = self.link(profile, others[place].number);
                if self.model.links.insert(link) {
                    self.books.links[0] += 1;
                    self.notes.count("a link was made");
                    outcome = outcome.max(Outcome::Updated);
                }
            }
        }
        self.model.databases[away].profiles = others;
        outcome
    }

    /// The first database's profile stands first, from whichever end the link is seen.
    fn link(&self, own: u64, other: u64) -> (u64, u64) {
        match self.import.home {
            0 => (own, other),
            _ => (other, own),
        }
    }

    /// What the row does to one side, and to whom.
    fn write(
        &mut self,
        side: usize,
        things: &mut Vec<Thing>,
        (meant, row): (Vec<usize>, &Row),
    ) -> (Outcome, Vec<usize>) {
        let nobody = meant.is_empty();
        if !self.faults.is_empty() || (nobody && !self.import.action.creates()) {
            return (Outcome::Ignored, meant);
        }
        if nobody {
            things.push(self.make(side, &row.cells[side]));
            self.books.effects[side][CREATED] += 1;
            return (Outcome::Created, vec![things.len() - 1]);
        }
        if self.import.action == Action::IgnoreOrAdd {
            return (Outcome::Ignored, meant);
        }
        let mut outcome = Outcome::Unchanged;
        for place in &meant {
            if self.change(side, &mut things[*place], &row.cells[side]) {
                self.books.effects[side][UPDATED] += 1;
                outcome = Outcome::Updated;
            }
        }
        (outcome, meant)
    }

    fn make(&mut self, side: usize, cells: &[Cell]) -> Thing {
        let mut values = Vec::new();
        let mut lacks = false;
        for (field, cell) in self.fields(side).iter().zip(cells) {
            let value = match cell {
                Cell::Holds(value) => value.clone(),
                _ => field.default.clone(),
            };
            lacks |= field.required && value.is_null();
            values.push(value);
        }
        if lacks {
            self.fault("required");
        }
        self.model.made += 1;
        Thing {
            number: self.model.made,
            values,
            version: None,
            children: Vec::new(),
        }
    }

    fn change(&mut self, side: usize, thing: &mut Thing, cells: &[Cell]) -> bool {
        let before = thing.values.clone();
        for (place, cell) in cells.iter().enumerate() {
            if self.only_says_who(side, place) {
                continue;
            }
            match cell {
                Cell::Holds(value) => thing.values[place] = value.clone(),
                Cell::Blank if self.import.policies.keeps_blanks => {
                    if !thing.values[place].is_null() {
                        self.notes.count("a blank kept the old value");
                    }
                }
                Cell::Blank if self.fields(side)[place].required => self.fault("required"),
                Cell::Blank => thing.values[place] = Value::Null,
                Cell::Absent | Cell::Misfit(_) => {}
            }
        }
        let changed = thing.values != before;
        if changed {
            thing.version = None;
        }
        changed
    }

    /// Keys say who is meant and are not written, unless each alone is enough.
    fn only_says_who(&self, side: usize, place: usize) -> bool {
        let together = matches!(
            self.import.policies.match_by,
            MatchBy::KeyFields | MatchBy::Uid
        );
        (side != PROFILE || together) && self.import.keys[side].contains(&place)
    }

    /// Whoever was changed since the row's author looked is not touched.
    fn judge_version(&mut self, profiles: &[Thing], meant: &[usize], row: &Row) {
        if !self.import.policies.asks_version || meant.is_empty() {
            return;
        }
        if row.overrides == Cell::Holds(true.into()) {
            self.notes.count("the version did not matter");
            return;
        }
        let Cell::Holds(Value::String(seen)) = &row.version else {
            self.fault("version_missing");
            return;
        };
        for place in meant {
            match &profiles[*place].version {
                Some(now) if is_version(seen, now) => self.notes.count("the version was right"),
                Some(_) => self.fault("version_conflict"),
                None => {
                    self.notes.count("the same import had changed it");
                    self.fault("version_conflict");
                }
            }
        }
    }

    pub(super) fn delete(&mut self, row: &Row) -> Outcome {
        let mut profiles = self.take_profiles(self.import.home);
        let meant = self.meant(PROFILE, &profiles, row);
        self.judge_version(&profiles, &meant, row);
        let numbers: Vec<u64> = meant.iter().map(|place| profiles[*place].number).collect();
        let mut deleted = 0;
        match self.import.target {
            Target::Profile => {
                deleted = meant.len() as i64;
                for place in &meant {
                    self.books.effects[SUBPROFILE][DELETED] +=
                        profiles[*place].children.len() as i64;
                }
                remove(&mut profiles, &meant);
                self.books.effects[PROFILE][DELETED] += deleted;
                self.unlink(
                    |own, _| numbers.contains(&own),
                    "a link went with its profile",
                );
            }
            Target::Subprofile if brings(row, SUBPROFILE) => {
                for place in &meant {
                    let children = &mut profiles[*place].children;
                    let gone = self.meant(SUBPROFILE, children, row);
                    remove(children, &gone);
                    deleted += gone.len() as i64;
                }
                self.books.effects[SUBPROFILE][DELETED] += deleted;
            }
            Target::Link if brings(row, LINKED) => {
                deleted = self.delete_links(&numbers, row);
            }
            Target::Subprofile | Target::Link => {}
        }
        self.model.databases[self.import.home].profiles = profiles;
        match deleted {
            0 => Outcome::Ignored,
            _ => Outcome::Deleted,
        }
    }

    fn delete_links(&mut self, profiles: &[u64], row: &Row) -> i64 {
        if profiles.is_empty() {
            return 0;
        }
        let others = self.model.databases[1 - self.import.home].profiles.clone();
        let meant = self.meant(LINKED, &others, row);
        let meant: Vec<u64> = meant.iter().map(|place| others[*place].number).collect();
        let named = |own: u64, other: u64| profiles.contains(&own) && meant.contains(&other);
        self.unlink(named, "a link was undone")
    }

    fn unlink(&mut self, gone: impl Fn(u64, u64) -> bool, note: &'static str) -> i64 {
        let before = self.model.links.len();
        let home = self.import.home;
        self.model.links.retain(|(first, second)| match home {
            0 => !gone(*first, *second),
            _ => !gone(*second, *first),
        });
        let count = before - self.model.links.len();
        (0..count).for_each(|_| self.notes.count(note));
        self.books.links[1] += count as i64;
        count as i64
    }
}

/// Whether what was seen is this version: without a fraction, to the second.
fn is_version(seen: &str, now: &str) -> bool {
    let second = "2000-01-01T00:00:00".len();
    match seen.contains('.') {
        true => seen == now,
        false => seen[..second] == now[..second],
    }
}

fn pairs(profiles: &[u64], places: &[usize]) -> Vec<(u64, usize)> {
    let with_all = |profile: &u64| {
        let profile = *profile;
        places.iter().map(move |place| (profile, *place))
    };
    profiles.iter().flat_map(with_all).collect()
}

fn remove(things: &mut Vec<Thing>, gone: &[usize]) {
    let mut place = 0;
    things.retain(|_| {
        place += 1;
        !gone.contains(&(place - 1))
    });
}

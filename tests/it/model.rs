//! What imports come to, written down as simply as it can be said: one row after the other, on
//! plain lists. No SQL, no chunks, nothing shared with the engine that it is compared with.

use serde_json::Value;

/// A field as far as it matters here.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// It keeps text, in which white space alone is no key.
    pub(crate) text: bool,
    pub(crate) ignores_case: bool,
    pub(crate) required: bool,
    pub(crate) unique: bool,
    /// Null for none.
    pub(crate) default: Value,
}

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

    fn creates(self) -> bool {
        matches!(
            self,
            Action::Add | Action::UpdateOrAdd | Action::IgnoreOrAdd
        )
    }
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

/// An import, with its rows as they are meant. Of each pair the first is about the profile, the
/// second about its subprofile; a field that the payload does not bring is absent in every row.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    pub(crate) action: Action,
    pub(crate) keeps_blanks: bool,
    pub(crate) deletes_subprofiles: bool,
    pub(crate) keys: [Vec<usize>; 2],
    pub(crate) rows: Vec<[Vec<Cell>; 2]>,
}

/// A profile with its subprofiles, or a subprofile.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Thing {
    pub(crate) values: Vec<Value>,
    pub(crate) children: Vec<Thing>,
}

/// Created, updated, deleted.
pub(crate) type Effects = [i64; 3];

/// What an import did, by the books.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Books {
    /// Created, updated, unchanged, ignored, deleted, rejected.
    pub(crate) rows: [i64; 6],
    pub(crate) effects: [Effects; 2],
}

/// A row that was not applied, from 1, and the reasons that could be given.
pub(crate) type Refused = (i64, Vec<&'static str>);

/// A database.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) fields: [Vec<Field>; 2],
    pub(crate) profiles: Vec<Thing>,
}

/// From weakest to strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Ignored,
    Unchanged,
    Deleted,
    Updated,
    Created,
}

type Judged<T> = Result<T, Vec<&'static str>>;

impl Model {
    /// Applies the rows in their order; a row that is refused leaves nothing behind.
    pub(crate) fn apply(&mut self, import: &Import) -> (Books, Vec<Refused>) {
        let (mut books, mut refused) = (Books::default(), Vec::new());
        for (place, row) in import.rows.iter().enumerate() {
            let mut draft = Run {
                fields: &self.fields,
                import,
                profiles: self.profiles.clone(),
                effects: [[0; 3]; 2],
            };
            match draft.row(row) {
                Ok(outcome) => {
                    let order = [
                        Outcome::Created,
                        Outcome::Updated,
                        Outcome::Unchanged,
                        Outcome::Ignored,
                        Outcome::Deleted,
                    ];
                    let kind = order.iter().position(|known| *known == outcome).unwrap();
                    books.rows[kind] += 1;
                    for (side, effects) in draft.effects.iter().enumerate() {
                        for (kind, count) in effects.iter().enumerate() {
                            books.effects[side][kind] += count;
                        }
                    }
                    self.profiles = draft.profiles;
                }
                Err(codes) => {
                    books.rows[5] += 1;
                    refused.push((place as i64 + 1, codes));
                }
            }
        }
        (books, refused)
    }
}

struct Run<'a> {
    fields: &'a [Vec<Field>; 2],
    import: &'a Import,
    profiles: Vec<Thing>,
    effects: [Effects; 2],
}

impl Run<'_> {
    fn row(&mut self, row: &[Vec<Cell>; 2]) -> Judged<Outcome> {
        let cells = self.what_counts(row);
        let misfits: Vec<&'static str> = cells
            .iter()
            .flatten()
            .filter_map(|cell| match cell {
                Cell::Misfit(code) => Some(*code),
                _ => None,
            })
            .collect();
        if !misfits.is_empty() {
            return Err(misfits);
        }
        let brings = cells[1].iter().any(|cell| matches!(cell, Cell::Holds(_)));
        if self.import.action != Action::Add {
            self.judge_key(0, &cells[0])?;
            if brings {
                self.judge_key(1, &cells[1])?;
            }
        }
        let mut profiles = std::mem::take(&mut self.profiles);
        let outcome = match self.import.action {
            Action::Delete => Ok(self.delete(&mut profiles, &cells, brings)),
            _ => self.write_row(&mut profiles, &cells, brings),
        };
        self.profiles = profiles;
        let outcome = outcome?;
        self.judge_unique()?;
        Ok(outcome)
    }

    /// Deleting reads keys and nothing else; deleting profiles asks for no subprofile.
    fn what_counts(&self, row: &[Vec<Cell>; 2]) -> [Vec<Cell>; 2] {
        let mut cells = row.clone();
        if self.import.action == Action::Delete {
            for (side, cells) in cells.iter_mut().enumerate() {
                let passed_over = side == 1 && !self.import.deletes_subprofiles;
                for (field, cell) in cells.iter_mut().enumerate() {
                    if passed_over || !self.import.keys[side].contains(&field) {
                        *cell = Cell::Absent;
                    }
                }
            }
        }
        cells
    }

    fn judge_key(&self, side: usize, cells: &[Cell]) -> Judged<()> {
        for key in &self.import.keys[side] {
            let missing = match &cells[*key] {
                Cell::Holds(Value::String(text)) => {
                    self.fields[side][*key].text && text.trim().is_empty()
                }
                Cell::Holds(_) => false,
                _ => true,
            };
            if missing {
                return Err(vec!["key_missing"]);
            }
        }
        Ok(())
    }

    fn matches(&self, side: usize, things: &[Thing], cells: &[Cell]) -> Vec<usize> {
        if self.import.action == Action::Add {
            return Vec::new();
        }
        let same = |thing: &Thing| {
            self.import.keys[side].iter().all(|key| match &cells[*key] {
                Cell::Holds(value) => equal(&self.fields[side][*key], value, &thing.values[*key]),
                _ => false,
            })
        };
        (0..things.len())
            .filter(|place| same(&things[*place]))
            .collect()
    }

    fn delete(
        &mut self,
        profiles: &mut Vec<Thing>,
        cells: &[Vec<Cell>; 2],
        brings: bool,
    ) -> Outcome {
        let matched = self.matches(0, profiles, &cells[0]);
        let mut deleted = 0;
        if self.import.deletes_subprofiles {
            for place in matched.iter().filter(|_| brings) {
                let gone = self.matches(1, &profiles[*place].children, &cells[1]);
                deleted += gone.len();
                self.effects[1][2] += gone.len() as i64;
                remove(&mut profiles[*place].children, &gone);
            }
        } else {
            deleted = matched.len();
            self.effects[0][2] += matched.len() as i64;
            let children: usize = matched
                .iter()
                .map(|place| profiles[*place].children.len())
                .sum();
            self.effects[1][2] += children as i64;
            remove(profiles, &matched);
        }
        match deleted {
            0 => Outcome::Ignored,
            _ => Outcome::Deleted,
        }
    }

    fn write_row(
        &mut self,
        profiles: &mut Vec<Thing>,
        cells: &[Vec<Cell>; 2],
        brings: bool,
    ) -> Judged<Outcome> {
        let (mut outcome, touched) = self.write(0, profiles, &cells[0])?;
        for place in touched.into_iter().filter(|_| brings) {
            let (of_child, _) = self.write(1, &mut profiles[place].children, &cells[1])?;
            outcome = outcome.max(of_child);
        }
        Ok(outcome)
    }

    /// What the row does to one side, and to whom.
    fn write(
        &mut self,
        side: usize,
        things: &mut Vec<Thing>,
        cells: &[Cell],
    ) -> Judged<(Outcome, Vec<usize>)> {
        let matched = self.matches(side, things, cells);
        if matched.is_empty() && !self.import.action.creates() {
            return Ok((Outcome::Ignored, matched));
        }
        if matched.is_empty() {
            things.push(self.make(side, cells)?);
            self.effects[side][0] += 1;
            return Ok((Outcome::Created, vec![things.len() - 1]));
        }
        if self.import.action == Action::IgnoreOrAdd {
            return Ok((Outcome::Ignored, matched));
        }
        let mut outcome = Outcome::Unchanged;
        for place in &matched {
            if self.change(side, &mut things[*place], cells)? {
                self.effects[side][1] += 1;
                outcome = Outcome::Updated;
            }
        }
        Ok((outcome, matched))
    }

    fn make(&self, side: usize, cells: &[Cell]) -> Judged<Thing> {
        let mut values = Vec::new();
        for (field, cell) in self.fields[side].iter().zip(cells) {
            let value = match cell {
                Cell::Holds(value) => value.clone(),
                _ => field.default.clone(),
            };
            if field.required && value.is_null() {
                return Err(vec!["required"]);
            }
            values.push(value);
        }
        Ok(Thing {
            values,
            children: Vec::new(),
        })
    }

    /// Keys say who is meant and are not written.
    fn change(&self, side: usize, thing: &mut Thing, cells: &[Cell]) -> Judged<bool> {
        let mut changed = false;
        for (place, (field, cell)) in self.fields[side].iter().zip(cells).enumerate() {
            let new = match cell {
                _ if self.import.keys[side].contains(&place) => continue,
                Cell::Holds(value) => value.clone(),
                Cell::Blank if !self.import.keeps_blanks && field.required => {
                    return Err(vec!["required"]);
                }
                Cell::Blank if !self.import.keeps_blanks => Value::Null,
                _ => continue,
            };
            changed |= thing.values[place] != new;
            thing.values[place] = new;
        }
        Ok(changed)
    }

    fn judge_unique(&self) -> Judged<()> {
        let profiles: Vec<&Thing> = self.profiles.iter().collect();
        let children: Vec<&Thing> = self
            .profiles
            .iter()
            .flat_map(|profile| &profile.children)
            .collect();
        for (side, things) in [profiles, children].iter().enumerate() {
            for (place, field) in self.fields[side].iter().enumerate() {
                let twice = |(at, thing): (usize, &&Thing)| {
                    let mut before = things[..at].iter();
                    before.any(|other| equal(field, &other.values[place], &thing.values[place]))
                };
                if field.unique && things.iter().enumerate().any(twice) {
                    return Err(vec!["unique_conflict"]);
                }
            }
        }
        Ok(())
    }
}

/// Whether two values are one. No value equals nothing.
fn equal(field: &Field, one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::String(one), Value::String(other)) if field.ignores_case => {
            one.to_lowercase() == other.to_lowercase()
        }
        _ => one == other,
    }
}

fn remove(things: &mut Vec<Thing>, gone: &[usize]) {
    let mut place = 0;
    things.retain(|_| {
        place += 1;
        !gone.contains(&(place - 1))
    });
}

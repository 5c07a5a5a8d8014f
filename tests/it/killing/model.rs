//! What imports come to, in memory and without any of the service's code: rows folded one by one.

use std::collections::{BTreeMap, HashMap};

/// What an import does. The kind fixes its action, its keys and its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    UpdateOrAdd,
    Update,
    IgnoreOrAdd,
    Add,
    Delete,
    /// update_or_add of subprofiles, several in a profile.
    Orders,
    /// delete of subprofiles.
    DeleteOrders,
}

/// A row of a payload.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) score: i64,
    pub(crate) sku: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Profile {
    pub(crate) name: Option<String>,
    pub(crate) score: Option<i64>,
    /// Quantities by sku.
    pub(crate) orders: BTreeMap<String, i64>,
}

/// The books of one import, as the ledger keeps them: rows, then profiles, then subprofiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, sqlx::FromRow)]
pub(crate) struct Books {
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) unchanged: i64,
    pub(crate) ignored: i64,
    pub(crate) deleted: i64,
    pub(crate) rejected: i64,
    pub(crate) profiles_created: i64,
    pub(crate) profiles_updated: i64,
    pub(crate) profiles_deleted: i64,
    pub(crate) subprofiles_created: i64,
    pub(crate) subprofiles_updated: i64,
    pub(crate) subprofiles_deleted: i64,
}

/// An import, a side and an operation.
pub(crate) type Touch = (i64, &'static str, char);

/// How many rows were written, and the sum of the numbers that their keys are without letters: a
/// check of which rows they were that does not have to name a million.
pub(crate) type Touched = (i64, i64);

fn number(key: &str) -> i64 {
    key.bytes()
        .filter(u8::is_ascii_digit)
        .fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
}

/// One database and everything that was done to it.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) profiles: HashMap<String, Profile>,
    pub(crate) books: HashMap<i64, Books>,
    pub(crate) touches: HashMap<Touch, Touched>,
}

impl World {
    /// One row of import `id`.
    pub(crate) fn apply(&mut self, id: i64, kind: Kind, line: &Line) {
        match kind {
            Kind::Delete => self.delete(id, line),
            Kind::Orders => self.order(id, line),
            Kind::DeleteOrders => self.delete_order(id, line),
            _ => self.write(id, kind, line),
        }
    }

    fn books(&mut self, id: i64) -> &mut Books {
        self.books.entry(id).or_default()
    }

    fn touch(&mut self, id: i64, side: &'static str, op: char, key: &str) {
        let touched = self.touches.entry((id, side, op)).or_default();
        touched.0 += 1;
        touched.1 += number(key);
    }

    fn write(&mut self, id: i64, kind: Kind, line: &Line) {
        let (name, score) = (Some(line.name.clone()), Some(line.score));
        let Some(found) = self.profiles.get_mut(&line.key) else {
            if kind == Kind::Update {
                self.books(id).ignored += 1;
                return;
            }
            let orders = BTreeMap::new();
            let made = Profile {
                name,
                score,
                orders,
            };
            self.profiles.insert(line.key.clone(), made);
            self.books(id).created += 1;
            self.books(id).profiles_created += 1;
            self.touch(id, "profile", 'I', &line.key);
            return;
        };
        if kind == Kind::IgnoreOrAdd {
            self.books(id).ignored += 1;
        } else if found.name == name && found.score == score {
            self.books(id).unchanged += 1;
        } else {
            (found.name, found.score) = (name, score);
            self.books(id).updated += 1;
            self.books(id).profiles_updated += 1;
            self.touch(id, "profile", 'U', &line.key);
        }
    }

    fn delete(&mut self, id: i64, line: &Line) {
        let Some(gone) = self.profiles.remove(&line.key) else {
            self.books(id).ignored += 1;
            return;
        };
        self.books(id).deleted += 1;
        self.books(id).profiles_deleted += 1;
        self.touch(id, "profile", 'D', &line.key);
        for sku in gone.orders.keys() {
            self.books(id).subprofiles_deleted += 1;
            self.touch(id, "subprofile", 'D', sku);
        }
    }

    fn order(&mut self, id: i64, line: &Line) {
        if !self.profiles.contains_key(&line.key) {
            self.profiles.insert(line.key.clone(), Profile::default());
            self.books(id).profiles_created += 1;
            self.touch(id, "profile", 'I', &line.key);
        }
        let profile = self.profiles.entry(line.key.clone()).or_default();
        match profile.orders.insert(line.sku.clone(), line.score) {
            None => {
                self.books(id).created += 1;
                self.books(id).subprofiles_created += 1;
                self.touch(id, "subprofile", 'I', &line.sku);
            }
            Some(before) if before == line.score => self.books(id).unchanged += 1,
            Some(_) => {
                self.books(id).updated += 1;
                self.books(id).subprofiles_updated += 1;
                self.touch(id, "subprofile", 'U', &line.sku);
            }
        }
    }

    fn delete_order(&mut self, id: i64, line: &Line) {
        let found = self.profiles.get_mut(&line.key);
        if found.is_some_and(|profile| profile.orders.remove(&line.sku).is_some()) {
            self.books(id).deleted += 1;
            self.books(id).subprofiles_deleted += 1;
            self.touch(id, "subprofile", 'D', &line.sku);
        } else {
            self.books(id).ignored += 1;
        }
    }
}

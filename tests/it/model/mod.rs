//! What imports come to, written down as simply as it can be said: one row after the other, on
//! plain lists. No SQL, no chunks, nothing shared with the engine that it is compared with.

mod books;
mod matching;
mod reading;
mod removing;
mod said;
mod writing;

use std::collections::BTreeSet;

use serde_json::Value;

pub(crate) use books::{Books, Notes, Outcome};
pub(crate) use removing::{Brake, Named, Victims};
pub(crate) use said::{Action, Cell, Import, MatchBy, Policies, Row, Several, Target};

/// Whose fields: the profile's, its subprofile's, or those of the profile that it is linked with.
pub(crate) const PROFILE: usize = 0;
pub(crate) const SUBPROFILE: usize = 1;
pub(crate) const LINKED: usize = 2;

/// A field as far as it matters here.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// It keeps text, in which white space alone is no key.
    pub(crate) text: bool,
    pub(crate) ignores_case: bool,
    /// Compared exactly, whatever the import asks for.
    pub(crate) exact: bool,
    pub(crate) required: bool,
    pub(crate) unique: bool,
    /// Null for none.
    pub(crate) default: Value,
}

impl Field {
    /// The caller's own id, here the last field of each database: no two profiles share one.
    fn uid() -> Field {
        Field {
            name: "uid".to_owned(),
            text: true,
            ignores_case: false,
            exact: true,
            required: false,
            unique: true,
            default: Value::Null,
        }
    }
}

/// A profile with its subprofiles, or a subprofile.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Thing {
    /// The model's own number of it: the service has another.
    pub(crate) number: u64,
    pub(crate) values: Vec<Value>,
    /// Its `updated_at` as it was last read; none once an import has made or changed it.
    pub(crate) version: Option<String>,
    pub(crate) children: Vec<Thing>,
}

/// A database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    /// Of the profiles, with the uid as the last, and of the subprofiles.
    pub(crate) fields: [Vec<Field>; 2],
    pub(crate) profiles: Vec<Thing>,
}

impl Database {
    pub(crate) fn new(mut profile: Vec<Field>, subprofile: Vec<Field>) -> Database {
        profile.push(Field::uid());
        Database {
            fields: [profile, subprofile],
            profiles: Vec::new(),
        }
    }
}

/// Two databases and the links between their profiles.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) databases: [Database; 2],
    /// By the numbers of the profiles, the first database's before the second's.
    pub(crate) links: BTreeSet<(u64, u64)>,
    made: u64,
}

/// A row that was not applied, from 1, and the reasons that could be given.
pub(crate) type Refused = (i64, Vec<&'static str>);

/// What came of an import.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) books: Books,
    pub(crate) refused: Vec<Refused>,
    /// It was to be applied whole or not at all, and was not.
    pub(crate) failed: bool,
    pub(crate) notes: Notes,
    /// Whom its rows named, where that matters.
    pub(crate) named: Named,
    /// The state and error that it ended with, where its rows do not tell.
    pub(crate) end: Option<(&'static str, Value)>,
}

impl Model {
    pub(crate) fn new(databases: [Database; 2]) -> Model {
        Model {
            databases,
            links: BTreeSet::new(),
            made: 0,
        }
    }

    /// What is there, for the eyes of whoever looks into a difference.
    pub(crate) fn told(&self) -> String {
        let profiles = self
            .databases
            .iter()
            .flat_map(|database| &database.profiles);
        let told: Vec<String> = profiles
            .map(|thing| {
                let values = Value::from(thing.values.clone());
                let children: Vec<&Vec<Value>> =
                    thing.children.iter().map(|child| &child.values).collect();
                format!("{}: {values} {children:?}", thing.number)
            })
            .collect();
        format!("{}; links {:?}", told.join("; "), self.links)
    }

    /// Applies an import: its rows in their order, or, where that is asked for and one of them is
    /// refused, none. Whom it removes comes after that.
    pub(crate) fn apply(&mut self, import: &Import) -> Report {
        match import.policies.all_or_nothing {
            true => self.apply_whole(import),
            false => self.apply_rows(import),
        }
    }

    /// What is wrong with the rows themselves is found before any of them is applied.
    fn apply_whole(&mut self, import: &Import) -> Report {
        let before = self.clone();
        let mut report = self.apply_rows(import);
        if report.refused.is_empty() {
            report.notes.count("all was applied");
            return report;
        }
        *self = before;
        let alone = self.refused_alone(import);
        report.notes.count(match alone.is_empty() {
            true => "nothing was applied for what was found on the way",
            false => "nothing was applied for rows that could not be read",
        });
        if !alone.is_empty() {
            report.refused = alone;
        }
        report.books = Books::of_refused(report.refused.len() as i64);
        report.failed = true;
        report
    }

    fn refused_alone(&self, import: &Import) -> Vec<Refused> {
        let mut refused = Vec::new();
        for (place, row) in import.rows.iter().enumerate() {
            let mut run = Run::new(self, import);
            run.judge_alone(&run.what_counts(row));
            if !run.faults.is_empty() {
                refused.push((place as i64 + 1, run.faults));
            }
        }
        refused
    }

    /// A row that is refused leaves nothing behind.
    fn apply_rows(&mut self, import: &Import) -> Report {
        let (mut books, mut refused) = (Books::default(), Vec::new());
        let (mut notes, mut named) = (Notes::default(), Named::default());
        for (place, row) in import.rows.iter().enumerate() {
            let (mut run, made) = (Run::new(self, import), self.made);
            let outcome = run.row(row);
            notes.add(&run.notes);
            if import.remove_missing {
                named.add(Run::new(self, import).names(row), !run.faults.is_empty());
            }
            if run.faults.is_empty() {
                named.things.extend(made + 1..=run.model.made);
                run.books.count(outcome);
                notes.count(outcome.word());
                books.add(&run.books);
                *self = run.model;
            } else {
                run.faults.iter().for_each(|code| notes.count(code));
                books.add(&Books::of_refused(1));
                refused.push((place as i64 + 1, run.faults));
            }
        }
        Report {
            books,
            refused,
            failed: false,
            notes,
            named,
            end: None,
        }
    }
}

/// One row being applied, to a copy that is kept if nothing is at fault.
struct Run<'a> {
    model: Model,
    import: &'a Import,
    books: Books,
    faults: Vec<&'static str>,
    notes: Notes,
}

impl<'a> Run<'a> {
    fn new(model: &Model, import: &'a Import) -> Run<'a> {
        Run {
            model: model.clone(),
            import,
            books: Books::default(),
            faults: Vec::new(),
            notes: Notes::default(),
        }
    }
}

impl Run<'_> {
    fn row(&mut self, row: &Row) -> Outcome {
        let row = self.what_counts(row);
        self.judge_alone(&row);
        if !self.faults.is_empty() {
            return Outcome::Ignored;
        }
        let outcome = match self.import.action {
            Action::Delete => self.delete(&row),
            _ => self.write_row(&row),
        };
        self.judge_unique();
        outcome
    }

    fn fields(&self, side: usize) -> &[Field] {
        let home = self.import.home;
        match side {
            LINKED => &self.model.databases[1 - home].fields[0],
            own => &self.model.databases[home].fields[own],
        }
    }

    fn fault(&mut self, code: &'static str) {
        self.faults.push(code);
    }
}

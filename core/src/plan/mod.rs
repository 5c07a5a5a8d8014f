//! A definition resolved against its database and the columns of its payload: which column goes
//! into which field, and what identifies a profile. The engine obeys it and knows nothing else.

mod bind;
mod dates;
mod keys;
mod places;

use crate::database::{Link, TableNumber};
use crate::definition::{Action, DeleteTarget};
use crate::field::Field;
use crate::limits::ALL_OR_NOTHING_ROWS_MAX;
use crate::policies::{OnReject, Policies};
use crate::reading::DateOrder;

pub use bind::bind;
pub use keys::check_names;

/// What the engine does, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What to do with each row.
    pub action: Action,
    /// What `delete` deletes.
    pub delete_target: DeleteTarget,
    /// What is done where doors differ.
    pub policies: Policies,
    /// Whether what the payload does not name is removed.
    pub remove_missing: bool,
    /// The profiles first, then one side for every collection that the payload addresses.
    pub sides: Vec<Side>,
    /// What becomes of each column of the payload, in its order.
    pub targets: Vec<Target>,
    /// Their names, as the payload has them: rejects speak of these.
    pub columns: Vec<String>,
    /// For each column how its dates are written, beside ISO.
    pub date_orders: Vec<Option<DateOrder>>,
    /// Every collection of the database: their subprofiles go with a deleted profile.
    pub collections: Vec<TableNumber>,
    /// Every link of the database: a deleted profile loses its links.
    pub links: Vec<LinkTable>,
    /// Columns that no field has the name of, and that are left out by policy.
    pub unknown_columns: Vec<String>,
}

/// One typed table that rows go into.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// The table.
    pub number: TableNumber,
    /// The collection's name; none for profiles.
    pub collection: Option<String>,
    /// The link, where these are profiles of another database that the row's profile is joined with.
    pub link: Option<(LinkTable, String)>,
    /// The fields that the payload brings, key fields first.
    pub fields: Vec<Field>,
    /// How many of them are keys.
    pub keys: usize,
    /// Fields that the payload does not bring, but that matter when something is created: they
    /// have a default or are required.
    pub others: Vec<Field>,
    /// What a row is matched by when not by its keys together: places of fields, group by group.
    /// Empty: by the keys.
    pub alternatives: Vec<Vec<usize>>,
    /// Whether a match is asked for its `updated_at`.
    pub versioned: bool,
    /// Fields that are compared without case by policy alone.
    pub folded: Vec<i64>,
}

impl Side {
    /// A side of these fields, of which the first `keys` are its key.
    #[must_use]
    pub fn new(
        number: TableNumber,
        collection: Option<String>,
        fields: Vec<Field>,
        keys: usize,
    ) -> Side {
        Side {
            number,
            collection,
            link: None,
            fields,
            keys,
            others: Vec::new(),
            alternatives: Vec::new(),
            versioned: false,
            folded: Vec::new(),
        }
    }

    /// The side as one group of its alternatives is matched: that group is its key.
    #[must_use]
    pub fn alternative(&self, group: &[usize]) -> Side {
        let fields = group.iter().map(|place| self.fields[*place].clone());
        Side {
            folded: self.folded.clone(),
            ..Side::new(self.number, None, fields.collect(), group.len())
        }
    }

    /// What stands before the dot in the names of its columns; none for profiles.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        let link = self.link.as_ref().map(|(_, name)| name.as_str());
        self.collection.as_deref().or(link)
    }

    /// What one of its rows is called.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match (&self.collection, &self.link) {
            (Some(_), _) => "subprofile",
            (None, Some(_)) => "linked profile",
            (None, None) => "profile",
        }
    }

    /// Whether its key is one unique field as it is compared there: its unique index serves.
    #[must_use]
    pub fn is_unique_alone(&self) -> bool {
        self.keys == 1 && self.fields[0].unique && !self.keys_without_case()
    }

    /// Whether its keys are folded where their fields are not: such an index is another one.
    #[must_use]
    pub fn keys_without_case(&self) -> bool {
        self.fields[..self.keys]
            .iter()
            .any(|field| self.folded.contains(&field.id))
    }

    /// Whether a row is matched by this field, alone or with others.
    #[must_use]
    pub fn is_matched_by(&self, place: usize) -> bool {
        place < self.keys
            || self
                .alternatives
                .iter()
                .flatten()
                .any(|known| *known == place)
    }

    /// Whether its keys need an index of their own; ids and unique fields have one.
    #[must_use]
    pub fn needs_index(&self) -> bool {
        let is_unique = self.is_unique_alone() && self.collection.is_none();
        let are_ids = self.fields[..self.keys].iter().all(Field::is_of_system);
        self.keys > 0 && !is_unique && !are_ids
    }
}

/// The table of a link, as it is seen from the import's database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkTable {
    /// The table.
    pub number: TableNumber,
    /// Whether the import's database is the one that it was made for.
    pub forward: bool,
}

impl LinkTable {
    /// The table of this link.
    #[must_use]
    pub fn of(link: &Link) -> LinkTable {
        LinkTable {
            number: link.number,
            forward: link.forward,
        }
    }
}

/// Where a column goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Nowhere, on purpose.
    Nowhere,
    /// It holds the version that the profile is expected to have.
    Version,
    /// It says whether the version matters.
    Override,
    /// Into field `field` of side `side`.
    Field {
        /// Index into [`Plan::sides`].
        side: usize,
        /// Index into [`Side::fields`].
        field: usize,
    },
}

/// What is said where an import that is all or nothing has more rows than it may have.
#[must_use]
pub fn too_many_rows_to_be_whole(rows: i64) -> String {
    format!(
        "An import that is all or nothing has {ALL_OR_NOTHING_ROWS_MAX} rows at most; this one has \
         {rows}. Submit it in parts, or with on_reject go_on."
    )
}

impl Plan {
    /// Whether rows are applied one by one: what one is matched by, or must not collide with, is
    /// what the one before may have written.
    #[must_use]
    pub fn goes_row_by_row(&self) -> bool {
        !self.sides[0].alternatives.is_empty() || self.writes_unique_fields()
    }

    /// Whether chunks may be applied side by side: what a row does depends on rows of its own key
    /// alone, meets no unique value of another profile's, and writes into no other database.
    #[must_use]
    pub fn goes_side_by_side(&self) -> bool {
        let mut below = self.sides[1..].iter().flat_map(|side| &side.fields);
        !self.goes_row_by_row()
            && !self.is_all_or_nothing()
            && self.other_databases().next().is_none()
            && !below.any(|field| field.unique)
    }

    /// Whether nobody who is there already can be made a second time: the unique index of the key objects,
    /// since the key is written. (An id of ours is not.)
    #[must_use]
    pub fn cannot_double(&self) -> bool {
        let profiles = &self.sides[0];
        matches!(self.action, Action::UpdateOrAdd | Action::IgnoreOrAdd)
            && self.sides.len() == 1
            && profiles.is_unique_alone()
            && profiles.fields[0].is_written()
    }

    /// Whether small imports may be applied in one chunk: nothing follows their rows, they write into no
    /// other database, and it is known row by row what they do. (What goes along with a profile that is
    /// deleted is not.)
    #[must_use]
    pub fn can_share_a_chunk(&self) -> bool {
        let deletes_along = self.action == Action::Delete
            && !(self.collections.is_empty() && self.links.is_empty());
        !self.remove_missing
            && !self.goes_row_by_row()
            && !self.is_all_or_nothing()
            && !deletes_along
            && self.other_databases().next().is_none()
    }

    /// The tables that a removal cleans: the profiles', then those of the collections that the payload
    /// addresses, in the order of their numbers.
    #[must_use]
    pub fn cleaned_tables(&self) -> Vec<i64> {
        let cleaned = self.sides.iter().filter(|side| side.link.is_none());
        let mut tables: Vec<i64> = cleaned.map(|side| side.number.0).collect();
        tables.sort_unstable();
        tables
    }

    /// Whether all rows are applied or none.
    #[must_use]
    pub fn is_all_or_nothing(&self) -> bool {
        self.policies.on_reject == OnReject::AllOrNothing
    }

    /// What the client should know about columns that are left out.
    #[must_use]
    pub fn unknown_columns_in_words(&self) -> Option<String> {
        let names: Vec<String> = self
            .unknown_columns
            .iter()
            .map(|name| format!("{name:?}"))
            .collect();
        match names.as_slice() {
            [] => None,
            [name] => Some(format!(
                "The column {name} is left out: no field has this name."
            )),
            names => Some(format!(
                "{} columns are left out, since no field has their names: {}.",
                names.len(),
                names.join(", ")
            )),
        }
    }

    /// Whether writing can meet another profile's value in a unique field: then the order in which
    /// values are freed and taken decides.
    fn writes_unique_fields(&self) -> bool {
        let creates = matches!(
            self.action,
            Action::Add | Action::UpdateOrAdd | Action::IgnoreOrAdd
        );
        self.sides.iter().any(|side| {
            let (keys, rest) = side.fields.split_at(side.keys);
            let alone = keys.len() == 1 && self.action != Action::Add;
            let keys_collide = creates && !alone && keys.iter().any(|field| field.unique);
            keys_collide
                || (self.action != Action::Delete && rest.iter().any(|field| field.unique))
                || (creates
                    && side
                        .others
                        .iter()
                        .any(|field| field.unique && field.default.is_some()))
        })
    }

    /// The column of the payload that goes into field `field` of side `side`.
    #[must_use]
    pub fn column_of(&self, side: usize, field: usize) -> Option<usize> {
        let wanted = Target::Field { side, field };
        self.targets.iter().position(|target| *target == wanted)
    }

    /// Whether the columns of a side say nothing: deleting profiles asks for no subprofile.
    #[must_use]
    pub fn passes_over(&self, side: usize) -> bool {
        let target = match (&self.sides[side].collection, &self.sides[side].link) {
            (None, None) => return false,
            (Some(_), _) => DeleteTarget::Subprofile,
            (None, Some(_)) => DeleteTarget::Link,
        };
        self.action == Action::Delete && self.delete_target != target
    }

    /// Whether rows can make or touch more than profiles, so that these need their ids beforehand.
    #[must_use]
    pub fn goes_beyond_profiles(&self) -> bool {
        self.sides.len() > 1
    }

    /// The databases that it writes to beside its own.
    pub fn other_databases(&self) -> impl Iterator<Item = TableNumber> {
        let linked = self.sides.iter().filter(|side| side.link.is_some());
        linked.map(|side| side.number)
    }
}

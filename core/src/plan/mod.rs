//! A definition resolved against its database and the columns of its payload: which column goes
//! into which field, and what identifies a profile. The engine obeys it and knows nothing else.

mod bind;

use crate::database::TableNumber;
use crate::definition::{Action, DeleteTarget};
use crate::field::Field;

pub use bind::{bind, check_names};

/// What the engine does, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What to do with each row.
    pub action: Action,
    /// What `delete` deletes.
    pub delete_target: DeleteTarget,
    /// Blank cells keep the old value.
    pub keep_blanks: bool,
    /// The profiles first, then one side for every collection that the payload addresses.
    pub sides: Vec<Side>,
    /// What becomes of each column of the payload, in its order.
    pub targets: Vec<Target>,
    /// Their names, as the payload has them: rejects speak of these.
    pub columns: Vec<String>,
    /// Every collection of the database: their subprofiles go with a deleted profile.
    pub collections: Vec<TableNumber>,
}

/// One typed table that rows go into.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// The table.
    pub number: TableNumber,
    /// The collection's name; none for profiles.
    pub collection: Option<String>,
    /// The fields that the payload brings, key fields first.
    pub fields: Vec<Field>,
    /// How many of them are keys.
    pub keys: usize,
    /// Fields that the payload does not bring, but that matter when something is created: they
    /// have a default or are required.
    pub others: Vec<Field>,
}

/// Where a column goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Nowhere, on purpose.
    Nowhere,
    /// Into field `field` of side `side`.
    Field {
        /// Index into [`Plan::sides`].
        side: usize,
        /// Index into [`Side::fields`].
        field: usize,
    },
}

impl Plan {
    /// Whether writing can meet another profile's value in a unique field: then rows are applied
    /// one by one, since the order in which values are freed and taken decides.
    #[must_use]
    pub fn writes_unique_fields(&self) -> bool {
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
        side > 0 && self.action == Action::Delete && self.delete_target == DeleteTarget::Profile
    }

    /// Whether rows can make or touch subprofiles.
    #[must_use]
    pub fn has_collections(&self) -> bool {
        self.sides.len() > 1
    }
}

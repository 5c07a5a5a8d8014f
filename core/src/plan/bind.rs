//! Resolves a definition against a database and the columns of a payload, or says what does not fit.

use super::keys::{check_names, is_key, missing_keys};
use super::places::{Column, Place, Places, missing_columns};
use super::{LinkTable, Plan, Side, Target};
use crate::database::{Database, TableNumber};
use crate::definition::{Action, Definition};
use crate::error::Complaint;
use crate::field::{Field, PROFILE_ID, UID};
use crate::policies::{KeyComparison, MatchBy};

/// Resolves everything. `columns` are all columns of the payload, in order of appearance.
pub fn bind(
    definition: &Definition,
    database: &Database,
    columns: &[String],
) -> Result<Plan, Vec<Complaint>> {
    let mut complaints = check_names(definition, database);
    complaints.extend(missing_columns(definition, columns));
    let places = Places::of(definition, database, columns);
    complaints.extend(places.complaints);
    let mut plan = Plan {
        action: definition.action,
        delete_target: definition.delete_target,
        policies: definition.policies.clone(),
        remove_missing: definition.remove_missing,
        sides: sides(definition, database, &places.columns),
        targets: Vec::new(),
        columns: columns.to_vec(),
        date_orders: Vec::new(),
        collections: database
            .collections
            .iter()
            .map(|collection| collection.number)
            .collect(),
        links: database.links.iter().map(LinkTable::of).collect(),
        unknown_columns: places.unknown,
    };
    plan.targets = places
        .columns
        .iter()
        .map(|column| target(column, &plan.sides))
        .collect();
    plan.order_dates(definition.dates);
    complaints.extend(missing_keys(definition, database, &plan));
    match complaints.is_empty() {
        true => Ok(plan),
        false => Err(complaints),
    }
}

fn sides(definition: &Definition, database: &Database, columns: &[Column<'_>]) -> Vec<Side> {
    let places: Vec<Place<'_>> = columns.iter().filter_map(Column::place).collect();
    let binding = Binding { definition, places };
    let mut sides = vec![binding.profiles(database)];
    for collection in &database.collections {
        let name = collection.name.as_str();
        if binding.brings(name) {
            sides.push(Side {
                collection: Some(name.to_owned()),
                ..binding.side(Some(name), (collection.number, &collection.fields))
            });
        }
    }
    for link in &database.links {
        if binding.brings(&link.name) {
            let name = link.name.clone();
            sides.push(Side {
                link: Some((LinkTable::of(link), name)),
                ..binding.side(Some(&link.name), (link.other, &link.fields))
            });
        }
    }
    sides
}

/// What the sides are made of.
struct Binding<'a> {
    definition: &'a Definition,
    places: Vec<Place<'a>>,
}

impl Binding<'_> {
    fn brings(&self, prefix: &str) -> bool {
        self.places.iter().any(|place| place.prefix == Some(prefix))
    }

    fn profiles(&self, database: &Database) -> Side {
        let policies = &self.definition.policies;
        let mut side = self.side(None, (database.number, &database.fields));
        side.versioned = policies.version_column.is_some();
        let place_of = |wanted: i64| side.fields.iter().position(|field| field.id == wanted);
        side.alternatives = match policies.match_by {
            _ if self.definition.action == Action::Add => Vec::new(),
            MatchBy::KeyFields | MatchBy::Id | MatchBy::Uid => Vec::new(),
            MatchBy::IdOrUid => [PROFILE_ID, UID]
                .into_iter()
                .filter_map(place_of)
                .map(|place| vec![place])
                .collect(),
            MatchBy::AnyKeyField => (0..side.fields.len())
                .filter(|place| is_key(self.definition, None, &side.fields[*place]))
                .map(|place| vec![place])
                .collect(),
        };
        side
    }

    fn side(&self, prefix: Option<&str>, (number, all): (TableNumber, &[Field])) -> Side {
        let of_this_side = |place: &&Place<'_>| place.prefix == prefix;
        let brought: Vec<&Field> = self
            .places
            .iter()
            .filter(of_this_side)
            .map(|place| place.field)
            .collect();
        let folded: Vec<i64> = brought
            .iter()
            .filter(|field| self.folds_by_policy(prefix, field))
            .map(|field| field.id)
            .collect();
        let as_compared = |field: &&Field| Field {
            case_insensitive: field.case_insensitive || folded.contains(&field.id),
            ..(*field).clone()
        };
        let (mut keys, rest): (Vec<Field>, Vec<Field>) = brought
            .iter()
            .map(as_compared)
            .partition(|field| self.identifies(prefix, field));
        // One combination of key fields has one index, in whatever order it is named.
        keys.sort_by_key(|field| field.id);
        let others = all
            .iter()
            .filter(|field| field.required || field.default.is_some())
            .filter(|field| !brought.iter().any(|known| known.id == field.id));
        let identifying = keys.len();
        let fields = keys.into_iter().chain(rest).collect();
        Side {
            others: others.cloned().collect(),
            folded,
            ..Side::new(number, None, fields, identifying)
        }
    }

    /// Whether the field is part of the key of its side. Where any of several fields may match,
    /// none is: each is written like the others.
    fn identifies(&self, prefix: Option<&str>, field: &Field) -> bool {
        let adds = self.definition.action == Action::Add;
        match (prefix, self.definition.policies.match_by) {
            (Some(_), _) | (None, MatchBy::KeyFields) => is_key(self.definition, prefix, field),
            (None, MatchBy::AnyKeyField) => false,
            (None, MatchBy::Uid) => field.id == UID && !adds,
            (None, MatchBy::Id | MatchBy::IdOrUid) => field.id == PROFILE_ID,
        }
    }

    fn folds_by_policy(&self, prefix: Option<&str>, field: &Field) -> bool {
        self.definition.policies.key_comparison == KeyComparison::WithoutCase
            && is_key(self.definition, prefix, field)
            && field.kind.is_text()
            && !field.case_insensitive
            && !field.is_of_system()
    }
}

fn target(column: &Column<'_>, sides: &[Side]) -> Target {
    let found = column.place().and_then(|place| {
        let side = sides
            .iter()
            .position(|side| side.prefix() == place.prefix)?;
        let field = sides[side]
            .fields
            .iter()
            .position(|field| field.id == place.field.id)?;
        Some(Target::Field { side, field })
    });
    match column {
        Column::Version => Target::Version,
        Column::Override => Target::Override,
        Column::Nowhere | Column::Into(_) => found.unwrap_or(Target::Nowhere),
    }
}

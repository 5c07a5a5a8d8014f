//! Resolves a definition against a database and the columns of a payload, or says what does not fit.

use super::{Plan, Side, Target};
use crate::code::Code;
use crate::database::{Database, TableNumber, field_named, same_name};
use crate::definition::{Action, Definition, DeleteTarget, escape_pointer};
use crate::error::Complaint;
use crate::field::{Field, FieldType};
use crate::suggest::did_you_mean;

/// What can be judged before the payload's columns are known: key fields and mapping.
pub fn check_names(definition: &Definition, database: &Database) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (position, name) in definition.key_fields.iter().enumerate() {
        let pointer = format!("/key_fields/{position}");
        if seen.iter().any(|known| same_name(known, name)) {
            let detail = format!("The key field {name:?} stands twice.");
            complaints.push(Complaint::new(
                Code::DuplicateField,
                pointer.clone(),
                detail,
            ));
        }
        seen.push(name);
        match place(name, database, pointer.clone()) {
            Ok(place) if place.field.kind == FieldType::Multiselect => {
                let detail = format!("{name:?} is a multiselect, which cannot be a key field.");
                complaints.push(Complaint::new(Code::IncompatibleOptions, pointer, detail));
            }
            Ok(_) => {}
            Err(complaint) => complaints.push(complaint),
        }
    }
    for (column, name) in &definition.mapping {
        let pointer = format!("/mapping/{}", escape_pointer(column));
        if let Some(name) = name
            && let Err(complaint) = place(name, database, pointer)
        {
            complaints.push(complaint);
        }
    }
    if definition.action != Action::Add
        && !definition.key_fields.is_empty()
        && definition.key_fields.iter().all(|name| name.contains('.'))
    {
        let detail = "key_fields needs at least one field of the profile itself.";
        complaints.push(Complaint::new(Code::KeyRequired, "/key_fields", detail));
    }
    complaints
}

/// Resolves everything. `columns` are all columns of the payload, in order of appearance.
pub fn bind(
    definition: &Definition,
    database: &Database,
    columns: &[String],
) -> Result<Plan, Vec<Complaint>> {
    let mut complaints = check_names(definition, database);
    complaints.extend(missing_columns(definition, columns));
    let places = column_places(definition, database, columns, &mut complaints);
    let mut plan = Plan {
        action: definition.action,
        delete_target: definition.delete_target,
        keep_blanks: definition.ignore_empty_fields,
        sides: sides(definition, database, &places),
        targets: Vec::new(),
        columns: columns.to_vec(),
        collections: database
            .collections
            .iter()
            .map(|collection| collection.number)
            .collect(),
    };
    plan.targets = places
        .iter()
        .map(|place| target(place.as_ref(), &plan.sides))
        .collect();
    complaints.extend(missing_keys(definition, database, &plan));
    match complaints.is_empty() {
        true => Ok(plan),
        false => Err(complaints),
    }
}

/// A field somewhere in the database: of the profile, or of a collection.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    number: TableNumber,
    collection: Option<&'a str>,
    field: &'a Field,
}

/// Finds `Field` or `Collection.Field`.
fn place<'a>(name: &str, database: &'a Database, pointer: String) -> Result<Place<'a>, Complaint> {
    let (collection, field_name, fields) = match name.split_once('.') {
        None => (None, name, &database.fields),
        Some((collection_name, field_name)) => match database.collection(collection_name) {
            Some(collection) => (Some(collection), field_name, &collection.fields),
            None => {
                let known = database.collections.iter().map(|known| known.name.as_str());
                let hint = did_you_mean(collection_name, known);
                let detail = format!(
                    "{} has no collection {collection_name:?}.{hint}",
                    database.name
                );
                return Err(Complaint::new(Code::UnknownCollection, pointer, detail));
            }
        },
    };
    match field_named(fields, field_name) {
        Some(field) => Ok(Place {
            number: collection.map_or(database.number, |collection| collection.number),
            collection: collection.map(|collection| collection.name.as_str()),
            field,
        }),
        None => {
            let hint = did_you_mean(field_name, fields.iter().map(|field| field.name.as_str()));
            let owner = collection.map_or(database.name.as_str(), |known| known.name.as_str());
            let detail = format!("{owner} has no field {field_name:?}.{hint}");
            Err(Complaint::new(Code::UnknownField, pointer, detail))
        }
    }
}

/// Columns that the mapping names and the payload lacks.
fn missing_columns(definition: &Definition, columns: &[String]) -> Option<Complaint> {
    let missing: Vec<&str> = definition
        .mapping
        .keys()
        .filter(|column| !columns.contains(column))
        .map(String::as_str)
        .collect();
    (!missing.is_empty()).then(|| {
        let detail = format!(
            "The payload has no column {}; its columns are {}.",
            shortened_list(&missing),
            shortened_list(columns)
        );
        Complaint::new(Code::HeaderMismatch, "/mapping", detail)
    })
}

/// Where each column goes; unknown ones and two for one field are complaints.
fn column_places<'a>(
    definition: &Definition,
    database: &'a Database,
    columns: &[String],
    complaints: &mut Vec<Complaint>,
) -> Vec<Option<Place<'a>>> {
    let mut places: Vec<Option<Place<'a>>> = Vec::with_capacity(columns.len());
    for column in columns {
        let name = match definition.mapping.get(column) {
            Some(None) => {
                places.push(None);
                continue;
            }
            Some(Some(field)) => field,
            None => column,
        };
        let found = place(name, database, "/source".to_owned());
        match found {
            Ok(found) => {
                if places
                    .iter()
                    .flatten()
                    .any(|known| known.field.id == found.field.id)
                {
                    let detail = format!(
                        "Two columns go into the field {name:?}; the second is {column:?}."
                    );
                    complaints.push(Complaint::new(Code::DuplicateMapping, "/mapping", detail));
                }
                places.push(Some(found));
            }
            Err(complaint) => {
                let ways =
                    "Add the field, map the column to one, or map it to null to leave it out.";
                let detail = format!("Column {column:?}: {} {ways}", complaint.detail);
                complaints.push(Complaint {
                    detail,
                    ..complaint
                });
                places.push(None);
            }
        }
    }
    places
}

fn sides(definition: &Definition, database: &Database, places: &[Option<Place<'_>>]) -> Vec<Side> {
    let mut sides = vec![side(
        definition,
        database.number,
        None,
        &database.fields,
        places,
    )];
    for collection in &database.collections {
        if places
            .iter()
            .flatten()
            .any(|place| place.number == collection.number)
        {
            let name = Some(collection.name.as_str());
            sides.push(side(
                definition,
                collection.number,
                name,
                &collection.fields,
                places,
            ));
        }
    }
    sides
}

fn side(
    definition: &Definition,
    number: TableNumber,
    collection: Option<&str>,
    all: &[Field],
    places: &[Option<Place<'_>>],
) -> Side {
    let is_key = |field: &Field| {
        definition
            .key_fields
            .iter()
            .any(|key| match (key.split_once('.'), collection) {
                (None, None) => same_name(key, &field.name),
                (Some((of, name)), Some(this)) => {
                    same_name(of, this) && same_name(name, &field.name)
                }
                _ => false,
            })
    };
    let brought: Vec<&Field> = places
        .iter()
        .flatten()
        .filter(|place| place.number == number && place.collection == collection)
        .map(|place| place.field)
        .collect();
    let (mut keys, rest): (Vec<&Field>, Vec<&Field>) =
        brought.iter().partition(|field| is_key(field));
    // One combination of key fields has one index, in whatever order it is named.
    keys.sort_by_key(|field| field.id);
    Side {
        number,
        collection: collection.map(str::to_owned),
        keys: keys.len(),
        fields: keys.into_iter().chain(rest).cloned().collect(),
        others: all
            .iter()
            .filter(|field| field.required || field.default.is_some())
            .filter(|field| !brought.iter().any(|known| known.id == field.id))
            .cloned()
            .collect(),
    }
}

fn target(place: Option<&Place<'_>>, sides: &[Side]) -> Target {
    let found = place.and_then(|place| {
        let side = sides.iter().position(|side| side.number == place.number)?;
        let field = sides[side]
            .fields
            .iter()
            .position(|field| field.id == place.field.id)?;
        Some(Target::Field { side, field })
    });
    found.unwrap_or(Target::Nowhere)
}

/// Key fields without a column, and collections that cannot be matched.
fn missing_keys(definition: &Definition, database: &Database, plan: &Plan) -> Vec<Complaint> {
    if definition.action == Action::Add {
        return Vec::new();
    }
    let bound = |name: &str| {
        place(name, database, String::new()).is_ok_and(|place| {
            plan.sides.iter().any(|side| {
                side.fields[..side.keys]
                    .iter()
                    .any(|field| field.id == place.field.id)
            })
        })
    };
    let mut complaints: Vec<Complaint> = definition
        .key_fields
        .iter()
        .enumerate()
        .filter(|(_, name)| place(name, database, String::new()).is_ok() && !bound(name))
        .map(|(position, name)| {
            let detail = format!("No column of the payload goes into the key field {name:?}.");
            Complaint::new(
                Code::KeyNotMapped,
                format!("/key_fields/{position}"),
                detail,
            )
        })
        .collect();
    let targets_profiles =
        definition.action == Action::Delete && definition.delete_target == DeleteTarget::Profile;
    for side in plan.sides[1..]
        .iter()
        .filter(|side| side.keys == 0 && !targets_profiles)
    {
        let name = side.collection.as_deref().unwrap_or_default();
        let detail = format!(
            "The payload has columns of {name:?}, but key_fields names no field of it: its \
             subprofiles could not be matched. Add one, such as \"{name}.{}\".",
            side.fields.first().map_or("…", |field| field.name.as_str())
        );
        complaints.push(Complaint::new(Code::KeyRequired, "/key_fields", detail));
    }
    if definition.action == Action::Delete
        && definition.delete_target == DeleteTarget::Subprofile
        && plan.sides.len() == 1
    {
        let detail = "delete_target is subprofile, but the payload has no columns of a collection.";
        complaints.push(Complaint::new(
            Code::IncompatibleOptions,
            "/delete_target",
            detail,
        ));
    }
    complaints
}

fn shortened_list<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(10)
        .map(|name| format!("{:?}", name.as_ref()))
        .collect();
    let more = if names.len() > 10 { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

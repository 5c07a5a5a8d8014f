//! Judges key fields: whether they exist, can identify anything, and are brought by the payload.

use super::Plan;
use super::places::place;
use crate::code::Code;
use crate::database::{Database, same_name};
use crate::definition::{Action, Definition, DeleteTarget, escape_pointer};
use crate::error::Complaint;
use crate::field::{Field, FieldType};

/// Whether a field of the profile, or of this collection, is among the definition's key fields.
pub(super) fn is_key(definition: &Definition, collection: Option<&str>, field: &Field) -> bool {
    let named = |key: &String| match (key.split_once('.'), collection) {
        (None, None) => same_name(key, &field.name) && !field.is_of_system(),
        (Some((of, name)), Some(this)) => same_name(of, this) && same_name(name, &field.name),
        _ => false,
    };
    definition.key_fields.iter().any(named)
}

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
        && definition.policies.match_by.uses_key_fields()
        && !definition.key_fields.is_empty()
        && definition.key_fields.iter().all(|name| name.contains('.'))
    {
        let detail = "key_fields needs at least one field of the profile itself.";
        complaints.push(Complaint::new(Code::KeyRequired, "/key_fields", detail));
    }
    complaints
}

/// Key fields without a column, and collections that cannot be matched.
pub(super) fn missing_keys(
    definition: &Definition,
    database: &Database,
    plan: &Plan,
) -> Vec<Complaint> {
    if definition.action == Action::Add {
        return Vec::new();
    }
    let bound = |name: &str| {
        place(name, database, String::new()).is_ok_and(|place| {
            plan.sides.iter().any(|side| {
                let alone = side.alternatives.iter().flatten();
                alone
                    .copied()
                    .chain(0..side.keys)
                    .any(|known| side.fields[known].id == place.field.id)
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

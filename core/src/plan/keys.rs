//! Judges key fields: whether they exist, can identify anything, and are brought by the payload.

use super::Plan;
use super::places::{parts, place};
use crate::code::Code;
use crate::database::{Database, same_name};
use crate::definition::{Action, Definition, DeleteTarget, escape_pointer};
use crate::error::Complaint;
use crate::field::{Field, FieldType, UID};
use crate::suggest::did_you_mean;

/// Whether a field of the profile, or of this collection or link, is among the definition's key fields.
pub(super) fn is_key(definition: &Definition, prefix: Option<&str>, field: &Field) -> bool {
    let named = |key: &String| match (parts(key), prefix) {
        (None, None) => same_name(key, &field.name) && !field.is_of_system(),
        (Some((of, name)), Some(this)) => same_name(of, this) && same_name(name, &field.name),
        _ => false,
    };
    match prefix {
        Some(link) if field.id == UID => links_by_uid(definition, link),
        _ => definition.key_fields.iter().any(named),
    }
}

fn links_by_uid(definition: &Definition, link: &str) -> bool {
    let links = &definition.policies.link_uid_columns;
    links.keys().any(|name| same_name(name, link))
}

/// Links that are matched by uid: whether they exist, and whether anything else is to identify.
fn link_complaints(definition: &Definition, database: &Database) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for name in definition.policies.link_uid_columns.keys() {
        let pointer = format!("/link_uid_columns/{}", escape_pointer(name));
        let Some(link) = database.link(name) else {
            let hint = did_you_mean(name, database.links.iter().map(|link| link.name.as_str()));
            let detail = format!("{} has no link {name:?}.{hint}", database.name);
            complaints.push(Complaint::new(Code::UnknownCollection, pointer, detail));
            continue;
        };
        let of_link = |key: &&String| {
            key.split_once('.')
                .is_some_and(|(prefix, _)| same_name(prefix, &link.name))
        };
        if let Some(key) = definition.key_fields.iter().find(of_link) {
            let detail = format!("{name:?} is matched by uid; {key:?} cannot be a key field too.");
            complaints.push(Complaint::new(Code::IncompatibleOptions, pointer, detail));
        }
    }
    complaints
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
    complaints.extend(link_complaints(definition, database));
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
            let of_place = plan
                .sides
                .iter()
                .filter(|side| side.prefix() == place.prefix);
            of_place.into_iter().any(|side| {
                let alone = side.alternatives.iter().flatten();
                alone
                    .copied()
                    .chain(0..side.keys)
                    .any(|known| side.fields[known].id == place.field.id)
            })
        })
    };
    let others: Vec<_> = plan.other_databases().collect();
    let twice = others
        .iter()
        .enumerate()
        .any(|(place, number)| others[..place].contains(number));
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
    if twice {
        let detail = "The payload has columns of two links with one database: import them one after \
                      the other.";
        complaints.push(Complaint::new(Code::IncompatibleOptions, "/source", detail));
    }
    complaints.extend(unmatched_sides(plan));
    complaints.extend(nothing_to_delete(definition, plan));
    complaints
}

/// Collections and links that the payload addresses, and that no key field says anything about.
fn unmatched_sides(plan: &Plan) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (place, side) in plan.sides.iter().enumerate().skip(1) {
        if side.keys > 0 || plan.passes_over(place) {
            continue;
        }
        let name = side.prefix().unwrap_or_default();
        let detail = format!(
            "The payload has columns of {name:?}, but key_fields names no field of it: its \
             {}s could not be matched. Add one, such as \"{name}.{}\".",
            side.what(),
            side.fields.first().map_or("…", |field| field.name.as_str())
        );
        complaints.push(Complaint::new(Code::KeyRequired, "/key_fields", detail));
    }
    complaints
}

/// A deletion of something that the payload does not speak of.
fn nothing_to_delete(definition: &Definition, plan: &Plan) -> Option<Complaint> {
    let nothing_to_delete = match definition.delete_target {
        DeleteTarget::Profile => None,
        DeleteTarget::Subprofile => {
            Some("delete_target is subprofile, but the payload has no columns of a collection.")
        }
        DeleteTarget::Link => {
            Some("delete_target is link, but the payload has no columns of a link.")
        }
    };
    let reads_nothing = (1..plan.sides.len()).all(|side| plan.passes_over(side));
    nothing_to_delete
        .filter(|_| definition.action == Action::Delete && reads_nothing)
        .map(|detail| Complaint::new(Code::IncompatibleOptions, "/delete_target", detail))
}

//! Where each column of a payload goes: into a field, into what every profile has, or nowhere.

use std::sync::LazyLock;

use crate::code::Code;
use crate::database::{Database, field_named};
use crate::definition::Definition;
use crate::error::Complaint;
use crate::field::Field;
use crate::policies::OnUnknownColumn;
use crate::suggest::did_you_mean;

/// A field that rows can bring: of the profile, of a collection, or of a linked database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The name of the collection or link; none for the profile.
    pub(super) prefix: Option<&'a str>,
    pub(super) field: &'a Field,
}

/// What a column is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column<'a> {
    Nowhere,
    Version,
    Override,
    Into(Place<'a>),
}

impl<'a> Column<'a> {
    pub(super) fn place(&self) -> Option<Place<'a>> {
        match self {
            Column::Into(place) => Some(*place),
            Column::Nowhere | Column::Version | Column::Override => None,
        }
    }
}

/// Finds `Field`, `Collection.Field` or `Link.Field`.
pub(super) fn place<'a>(
    name: &str,
    database: &'a Database,
    pointer: String,
) -> Result<Place<'a>, Complaint> {
    let (prefix, field_name, fields) = match parts(name) {
        None => (None, name, database.fields.as_slice()),
        Some((prefix, field_name)) => match addressed(prefix, database) {
            Some((prefix, fields)) => (Some(prefix), field_name, fields),
            None => return Err(unknown_prefix(prefix, database, pointer)),
        },
    };
    match field_named(fields, field_name) {
        Some(field) => Ok(Place { prefix, field }),
        None => {
            let hint = did_you_mean(field_name, fields.iter().map(|field| field.name.as_str()));
            let owner = prefix.unwrap_or(database.name.as_str());
            let detail = format!("{owner} has no field {field_name:?}.{hint}");
            Err(Complaint::new(Code::UnknownField, pointer, detail))
        }
    }
}

/// What stands before the dot and behind it, without the white space that some systems put there; no
/// name begins or ends with any.
pub(super) fn parts(name: &str) -> Option<(&str, &str)> {
    let (prefix, field) = name.split_once('.')?;
    Some((prefix.trim(), field.trim()))
}

/// The collection or link of this name, as it is written there, and its fields.
fn addressed<'a>(name: &str, database: &'a Database) -> Option<(&'a str, &'a [Field])> {
    let collection = database.collection(name);
    let link = database.link(name);
    collection
        .map(|known| (known.name.as_str(), known.fields.as_slice()))
        .or_else(|| link.map(|known| (known.name.as_str(), known.fields.as_slice())))
}

fn unknown_prefix(name: &str, database: &Database, pointer: String) -> Complaint {
    let collections = database.collections.iter().map(|known| known.name.as_str());
    let links = database.links.iter().map(|known| known.name.as_str());
    let hint = did_you_mean(name, collections.chain(links));
    let detail = format!(
        "{} has no collection and no link {name:?}.{hint}",
        database.name
    );
    Complaint::new(Code::UnknownCollection, pointer, detail)
}

/// Columns that the definition names and the payload lacks.
pub(super) fn missing_columns(definition: &Definition, columns: &[String]) -> Vec<Complaint> {
    let policies = &definition.policies;
    let missing = |names: Vec<&String>, pointer: &str| {
        let missing: Vec<&String> = names
            .into_iter()
            .filter(|column| !columns.contains(column))
            .collect();
        (!missing.is_empty()).then(|| {
            let detail = format!(
                "The payload has no column {}; its columns are {}.",
                shortened_list(&missing),
                shortened_list(columns)
            );
            Complaint::new(Code::HeaderMismatch, pointer, detail)
        })
    };
    [
        missing(definition.mapping.keys().collect(), "/mapping"),
        missing(policies.id_column.iter().collect(), "/id_column"),
        missing(policies.uid_column.iter().collect(), "/uid_column"),
        missing(
            policies.link_uid_columns.values().collect(),
            "/link_uid_columns",
        ),
        missing(policies.version_column.iter().collect(), "/version_column"),
        missing(
            policies.override_column.iter().collect(),
            "/override_column",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
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

static UID: LazyLock<Field> = LazyLock::new(Field::uid);
static PROFILE_ID: LazyLock<Field> = LazyLock::new(Field::profile_id);

/// Where the columns go, in their order.
pub(super) struct Places<'a> {
    pub(super) columns: Vec<Column<'a>>,
    /// Columns that are left out because no field has their name.
    pub(super) unknown: Vec<String>,
    pub(super) complaints: Vec<Complaint>,
}

impl<'a> Places<'a> {
    /// Unknown columns, where they are not ignored, and two for one field are complaints.
    pub(super) fn of(
        definition: &Definition,
        database: &'a Database,
        columns: &[String],
    ) -> Places<'a> {
        let mut places = Places {
            columns: Vec::with_capacity(columns.len()),
            unknown: Vec::new(),
            complaints: Vec::new(),
        };
        for column in columns {
            let found = match places.of_system(definition, database, column) {
                Some(found) => found,
                None => places.of_field(definition, database, column),
            };
            places.columns.push(found);
        }
        places
    }

    /// A column that a policy reads. It goes nowhere else.
    fn of_system(
        &mut self,
        definition: &Definition,
        database: &'a Database,
        column: &String,
    ) -> Option<Column<'a>> {
        let policies = &definition.policies;
        let into =
            |prefix: Option<&'a str>, field: &'static Field| Column::Into(Place { prefix, field });
        let roles = [
            (&policies.id_column, into(None, &PROFILE_ID)),
            (&policies.uid_column, into(None, &UID)),
            (&policies.version_column, Column::Version),
            (&policies.override_column, Column::Override),
        ];
        let own = roles
            .into_iter()
            .find(|(name, _)| name.as_ref() == Some(column))
            .map(|(_, found)| found);
        let of_link = || {
            let mut links = policies.link_uid_columns.iter();
            let (name, _) = links.find(|(_, known)| *known == column)?;
            let link = database.link(name)?;
            Some(into(Some(link.name.as_str()), &UID))
        };
        let found = own.or_else(of_link)?;
        if definition.mapping.contains_key(column) {
            let detail = format!("The column {column:?} has another role already.");
            self.complaints
                .push(Complaint::new(Code::DuplicateMapping, "/mapping", detail));
        }
        Some(found)
    }

    fn of_field(
        &mut self,
        definition: &Definition,
        database: &'a Database,
        column: &String,
    ) -> Column<'a> {
        let mapped = definition.mapping.get(column);
        let name = match mapped {
            Some(None) => return Column::Nowhere,
            Some(Some(field)) => field,
            None => column,
        };
        match place(name, database, "/source".to_owned()) {
            Ok(found) => {
                let taken = self.columns.iter().filter_map(Column::place);
                if taken
                    .into_iter()
                    .any(|known| known.prefix == found.prefix && known.field.id == found.field.id)
                {
                    let detail = format!(
                        "Two columns go into the field {name:?}; the second is {column:?}."
                    );
                    self.complaints.push(Complaint::new(
                        Code::DuplicateMapping,
                        "/mapping",
                        detail,
                    ));
                }
                Column::Into(found)
            }
            Err(_)
                if mapped.is_none()
                    && definition.policies.on_unknown_column == OnUnknownColumn::Ignore =>
            {
                self.unknown.push(column.clone());
                Column::Nowhere
            }
            Err(complaint) => {
                let ways =
                    "Add the field, map the column to one, or map it to null to leave it out.";
                let detail = format!("Column {column:?}: {} {ways}", complaint.detail);
                self.complaints.push(Complaint {
                    detail,
                    ..complaint
                });
                Column::Nowhere
            }
        }
    }
}

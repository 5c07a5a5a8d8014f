//! Profiles read back, with filters by equality, stable cursors and their subprofiles.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use longshore_core::code::Code;
use longshore_core::database::{Collection, Database, Link, TableNumber, field_named};
use longshore_core::error::Complaint;
use longshore_core::field::Field;
use longshore_core::id::{Kind, parse, show as show_id};
use longshore_core::store::profiles::{self, Filter, Profile};
use longshore_core::store::{databases, links};
use longshore_core::suggest::did_you_mean;
use longshore_core::value;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::App;
use super::caller::Reader;
use super::listing::Query;
use super::place::Path;
use super::problem::{Problem, not_found, problem};

pub(crate) async fn list(
    State(app): State<App>,
    Reader(caller): Reader,
    Path(database): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let query = Query::of(&uri, &["limit", "cursor", "include", "uid", "field["])?;
    let (limit, after) = (query.limit()?, query.cursor()?.unwrap_or(0));
    let mut connection = app.pool.acquire().await?;
    let database = databases::find(&mut connection, caller.account_id, &database).await?;
    let filters = filters(&query, &database)?;
    let included = included(&query, &database)?;
    let table = (database.number, database.fields.as_slice());
    let page = profiles::page(&mut connection, table, &filters, (after, limit + 1)).await?;
    let shown = shown_all(&mut connection, &database, &page, &included).await?;
    Ok(Json(query.page(shown, limit)))
}

pub(crate) async fn show(
    State(app): State<App>,
    Reader(caller): Reader,
    Path((database, id)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let query = Query::of(&uri, &["include"])?;
    let mut connection = app.pool.acquire().await?;
    let database = databases::find(&mut connection, caller.account_id, &database).await?;
    let number = parse(Kind::Profile, &id).ok_or_else(|| not_found("profile"))?;
    if TableNumber::of_id(number) != database.number {
        return Err(not_found("profile"));
    }
    let included = included(&query, &database)?;
    let table = (database.number, database.fields.as_slice());
    let profile = profiles::one(&mut connection, table, number).await?;
    let shown = shown_all(&mut connection, &database, &[profile], &included).await?;
    shown
        .into_iter()
        .next()
        .map(|(_, profile)| Json(profile))
        .ok_or_else(|| not_found("profile"))
}

fn filters(query: &Query, database: &Database) -> Result<Vec<Filter>, Problem> {
    let filter = |(name, text): (&str, &str)| {
        let field = field_named(&database.fields, name).ok_or_else(|| {
            let names = database.fields.iter().map(|field| field.name.as_str());
            let hint = did_you_mean(name, names);
            let detail = format!("{} has no field {name:?}.{hint}", database.name);
            Problem::from(Complaint::new(Code::UnknownField, "", detail))
        })?;
        let value = value::from_filter(field, text).map_err(|misfit| {
            let detail = format!("The filter on {name:?} expects {}.", misfit.expected);
            problem(Code::InvalidFilter, detail)
        })?;
        Ok((field.clone(), value))
    };
    let mut filters: Vec<Filter> = query
        .family("field")
        .into_iter()
        .map(filter)
        .collect::<Result<_, Problem>>()?;
    if let Some(uid) = query.get("uid") {
        if uid.contains('\0') {
            let detail = "The filter on uid holds the NUL character, which no uid has.";
            return Err(problem(Code::InvalidFilter, detail));
        }
        filters.push((Field::uid(), uid.as_bytes().to_vec()));
    }
    Ok(filters)
}

/// What is shown beside the fields of profiles.
#[derive(Default)]
struct Included<'a> {
    collections: Vec<&'a Collection>,
    links: Vec<&'a Link>,
}

/// `subprofiles` means every collection, `links` every link; otherwise names of either.
fn included<'a>(query: &Query, database: &'a Database) -> Result<Included<'a>, Problem> {
    let mut included = Included::default();
    for name in query
        .get("include")
        .into_iter()
        .flat_map(|names| names.split(','))
    {
        match (name, database.collection(name), database.link(name)) {
            ("subprofiles", _, _) => included.collections = database.collections.iter().collect(),
            ("links", _, _) => included.links = database.links.iter().collect(),
            (_, Some(collection), _) => included.collections.push(collection),
            (_, None, Some(link)) => included.links.push(link),
            (_, None, None) => {
                let collections = database.collections.iter().map(|known| known.name.as_str());
                let links = database.links.iter().map(|known| known.name.as_str());
                let hint = did_you_mean(name, collections.chain(links));
                let detail = format!(
                    "include is \"subprofiles\", \"links\" or names of collections and links; \
                     {name:?} is none of them.{hint}"
                );
                return Err(problem(Code::InvalidParameter, detail));
            }
        }
    }
    Ok(included)
}

/// What belongs to some profiles under one name, by profile.
struct Belonging<'a> {
    name: &'a str,
    by_profile: HashMap<i64, Vec<Value>>,
}

impl<'a> Belonging<'a> {
    fn of(
        name: &'a str,
        found: &[Profile],
        fields: &[Field],
        kind: Kind,
    ) -> Result<Belonging<'a>, Problem> {
        let mut by_profile: HashMap<i64, Vec<Value>> = HashMap::new();
        for one in found {
            let own = one.profile_id.unwrap_or_default();
            by_profile
                .entry(own)
                .or_default()
                .push(shown(one, fields, kind)?);
        }
        Ok(Belonging { name, by_profile })
    }

    fn of_profile(&self, id: i64) -> (String, Value) {
        let list = self.by_profile.get(&id).cloned().unwrap_or_default();
        (self.name.to_owned(), json!(list))
    }
}

async fn shown_all(
    connection: &mut PgConnection,
    database: &Database,
    page: &[Profile],
    included: &Included<'_>,
) -> Result<Vec<(i64, Value)>, Problem> {
    let ids: Vec<i64> = page.iter().map(|profile| profile.id).collect();
    let mut subprofiles = Vec::new();
    for collection in &included.collections {
        let table = (collection.number, collection.fields.as_slice());
        let found = profiles::children(connection, table, &ids).await?;
        let (name, fields) = (collection.name.as_str(), collection.fields.as_slice());
        subprofiles.push(Belonging::of(name, &found, fields, Kind::Subprofile)?);
    }
    let mut linked = Vec::new();
    for link in &included.links {
        let found = links::linked(connection, link, &ids).await?;
        linked.push(Belonging::of(
            &link.name,
            &found,
            &link.fields,
            Kind::Profile,
        )?);
    }
    let with_what_belongs = |profile: &Profile| {
        let mut value = shown(profile, &database.fields, Kind::Profile)?;
        for (member, belonging) in [("subprofiles", &subprofiles), ("links", &linked)] {
            if !belonging.is_empty() {
                let map: Map<String, Value> = belonging
                    .iter()
                    .map(|one| one.of_profile(profile.id))
                    .collect();
                value[member] = Value::Object(map);
            }
        }
        Ok((profile.id, value))
    };
    page.iter().map(with_what_belongs).collect()
}

pub(crate) fn shown(profile: &Profile, fields: &[Field], kind: Kind) -> Result<Value, Problem> {
    let mut values = Map::new();
    for (field, cell) in fields.iter().zip(&profile.cells) {
        let value = value::to_json(field.kind, cell.as_deref())
            .map_err(|error| problem(Code::InternalError, error.to_string()))?;
        values.insert(field.name.clone(), value);
    }
    Ok(json!({
        "id": show_id(kind, profile.id),
        "uid": profile.uid,
        "fields": values,
        "created_at": profile.created_at,
        "updated_at": profile.updated_at,
    }))
}

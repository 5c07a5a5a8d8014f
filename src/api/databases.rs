//! Databases: made, shown, and widened by fields and collections.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::IntoResponse;
use longshore_core::brake::Brake;
use longshore_core::code::Code;
use longshore_core::database::{Database, Link, check_name};
use longshore_core::error::{Complaint, Error};
use longshore_core::field::Field;
use longshore_core::id::{Kind, show as show_id};
use longshore_core::json;
use longshore_core::store::{databases, removal, widening};
use longshore_core::suggest::did_you_mean;
use longshore_core::value;
use serde_json::{Value, json as object};
use sqlx::PgConnection;

use super::App;
use super::body;
use super::brake::shown_brake;
use super::caller::{Reader, Writer};
use super::fields::Judge;
use super::listing::Query;
use super::place::Path;
use super::problem::{Problem, problem};

const BODY_BYTES_MAX: usize = 1 << 20;
/// Among so many names the one is looked for that was meant.
const NAMES_COMPARED_MAX: i64 = 1_000;

pub(crate) async fn create(
    State(app): State<App>,
    Writer(caller): Writer,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let value = json::value(&body::json(&headers, body, BODY_BYTES_MAX).await?)?;
    let mut judge = Judge::default();
    judge.known(&value, "", &["name", "fields", "collections"]);
    let name = judge.text(&value, "", "name");
    if let Some(name) = &name {
        judge.complaints.extend(check_name(name, "/name").err());
    }
    let name = name.unwrap_or_default();
    let fields = judge.fields(&value, "");
    let collections = judge.collections(&value, "");
    refuse(judge)?;
    let mut connection = app.pool.acquire().await?;
    let number = databases::create(
        &mut connection,
        caller.account_id,
        &name,
        &fields,
        &collections,
    )
    .await?;
    let database = databases::by_number(&mut connection, number).await?;
    let location = format!("/v1/databases/{}", show_id(Kind::Database, number));
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(with_brake(&mut connection, &database).await?),
    ))
}

pub(crate) fn refuse(judge: Judge) -> Result<(), Problem> {
    if judge.complaints.is_empty() {
        Ok(())
    } else {
        Err(judge.complaints.into())
    }
}

pub(crate) async fn list(
    State(app): State<App>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let query = Query::of(&uri, &["limit", "cursor"])?;
    let (limit, after) = (query.limit()?, query.cursor()?.unwrap_or(0));
    let mut connection = app.pool.acquire().await?;
    let page = databases::page(&mut connection, caller.account_id, after, limit + 1).await?;
    let mut rows = Vec::with_capacity(page.len());
    for database in &page {
        let shown = with_brake(&mut connection, database).await?;
        rows.push((database.number.0, shown));
    }
    Ok(Json(query.page(rows, limit)))
}

pub(crate) async fn show(
    State(app): State<App>,
    Reader(caller): Reader,
    Path(database): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    Query::of(&uri, &[])?;
    let mut connection = app.pool.acquire().await?;
    let database = databases::find(&mut connection, caller.account_id, &database).await?;
    Ok(Json(with_brake(&mut connection, &database).await?))
}

pub(crate) async fn add_fields(
    State(app): State<App>,
    Writer(caller): Writer,
    Path(database): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    add(
        &app,
        caller.account_id,
        (&database, None),
        &body::json(&headers, body, BODY_BYTES_MAX).await?,
    )
    .await
}

pub(crate) async fn add_collection_fields(
    State(app): State<App>,
    Writer(caller): Writer,
    Path((database, collection)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let body = body::json(&headers, body, BODY_BYTES_MAX).await?;
    add(
        &app,
        caller.account_id,
        (&database, Some(&collection)),
        &body,
    )
    .await
}

/// The body is one field, or `{"fields": [...]}`.
async fn add(
    app: &App,
    account_id: i64,
    (database, collection): (&str, Option<&str>),
    body: &[u8],
) -> Result<(StatusCode, Json<Value>), Problem> {
    let value = json::value(body)?;
    let mut judge = Judge::default();
    let many = value.get("fields").is_some();
    if many {
        judge.known(&value, "", &["fields"]);
    }
    let list = if many {
        value
    } else {
        object!({ "fields": [value] })
    };
    let new = judge.fields(&list, "");
    if judge.complaints.is_empty() && new.is_empty() {
        judge.complain(
            Code::MissingField,
            "/fields",
            "fields has at least one field.",
        );
    }
    if !many {
        // The place is told as the client wrote it.
        for complaint in &mut judge.complaints {
            complaint.pointer = complaint.pointer.replacen("/fields/0", "", 1);
        }
    }
    refuse(judge)?;
    let mut connection = app.pool.acquire().await?;
    let database = databases::find(&mut connection, account_id, database).await?;
    let number = match collection {
        None => None,
        Some(name) => {
            let found = database.collections.iter().find(|known| {
                known.name == name || show_id(Kind::Collection, known.number.0) == name
            });
            let found = found.or_else(|| database.collection(name));
            let found = found.ok_or_else(|| super::problem::not_found("collection"))?;
            Some(found.number)
        }
    };
    widening::add_fields(&mut connection, database.number, number, &new).await?;
    let database = databases::by_number(&mut connection, database.number.0).await?;
    Ok((
        StatusCode::CREATED,
        Json(with_brake(&mut connection, &database).await?),
    ))
}

pub(crate) async fn add_collection(
    State(app): State<App>,
    Writer(caller): Writer,
    Path(database): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let value = json::value(&body::json(&headers, body, BODY_BYTES_MAX).await?)?;
    let mut judge = Judge::default();
    let collection = judge.collection(&value, "");
    refuse(judge)?;
    let mut connection = app.pool.acquire().await?;
    let database = databases::find(&mut connection, caller.account_id, &database).await?;
    widening::add_collection(&mut connection, database.number, &collection).await?;
    let database = databases::by_number(&mut connection, database.number.0).await?;
    Ok((
        StatusCode::CREATED,
        Json(with_brake(&mut connection, &database).await?),
    ))
}

/// The body is `{"name", "database", "reverse"?}`.
pub(crate) async fn add_link(
    State(app): State<App>,
    Writer(caller): Writer,
    Path(database): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let value = json::value(&body::json(&headers, body, BODY_BYTES_MAX).await?)?;
    let mut judge = Judge::default();
    let (link, other) = judge.link(&value);
    refuse(judge)?;
    let mut connection = app.pool.acquire().await?;
    let database = databases::find(&mut connection, caller.account_id, &database).await?;
    let other = match databases::find(&mut connection, caller.account_id, &other).await {
        Err(Error::NotFound(_)) => {
            return Err(unknown_database(&mut connection, caller.account_id, &other).await?);
        }
        found => found?,
    };
    if other.number == database.number {
        let detail = "A link joins the profiles of two databases; this is one.";
        return Err(Complaint::new(Code::IncompatibleOptions, "/database", detail).into());
    }
    widening::add_link(&mut connection, &database, &other, &link).await?;
    let database = databases::by_number(&mut connection, database.number.0).await?;
    Ok((
        StatusCode::CREATED,
        Json(with_brake(&mut connection, &database).await?),
    ))
}

async fn with_brake(connection: &mut PgConnection, database: &Database) -> Result<Value, Problem> {
    let brake = removal::brake(connection, database.number.0).await?;
    shown(database, &brake)
}

/// A database as clients see it.
pub(crate) fn shown(database: &Database, brake: &Brake) -> Result<Value, Problem> {
    let collections = database.collections.iter().map(|collection| {
        Ok(object!({
            "id": show_id(Kind::Collection, collection.number.0),
            "name": collection.name,
            "fields": shown_fields(&collection.fields)?,
        }))
    });
    Ok(object!({
        "id": show_id(Kind::Database, database.number.0),
        "name": database.name,
        "fields": shown_fields(&database.fields)?,
        "collections": collections.collect::<Result<Vec<_>, Problem>>()?,
        "links": database.links.iter().map(shown_link).collect::<Vec<_>>(),
        "brake": shown_brake(brake),
        "created_at": database.created_at,
    }))
}

fn shown_link(link: &Link) -> Value {
    object!({
        "id": show_id(Kind::Link, link.number.0),
        "name": link.name,
        "database": show_id(Kind::Database, link.other.0),
        "database_name": link.other_name,
    })
}

fn shown_fields(fields: &[Field]) -> Result<Vec<Value>, Problem> {
    let shown = |field: &Field| {
        let default = value::to_json(field.kind, field.default.as_deref());
        let mut shown = object!({
            "id": show_id(Kind::Field, field.id),
            "name": field.name,
            "type": field.kind,
            "required": field.required,
            "unique": field.unique,
            "case_insensitive": field.case_insensitive,
            "default": default.map_err(|error| problem(Code::InternalError, error.to_string()))?,
        });
        if !field.options.is_empty() {
            shown["options"] = object!(field.options);
        }
        Ok(shown)
    };
    fields.iter().map(shown).collect()
}

/// There is no such database, but perhaps one that was meant.
pub(crate) async fn unknown_database(
    connection: &mut PgConnection,
    account_id: i64,
    name: &str,
) -> Result<Problem, Problem> {
    let names = databases::names(connection, account_id, NAMES_COMPARED_MAX).await?;
    let hint = did_you_mean(name, names.iter().map(String::as_str));
    let detail = format!("This account has no database {name:?}.{hint}");
    Ok(Complaint::new(Code::UnknownDatabase, "/database", detail).into())
}

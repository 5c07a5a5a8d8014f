//! Databases, their fields and collections, and the making of their typed tables.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Connection, Executor, FromRow, PgConnection};

use crate::code::Code;
use crate::database::{Collection, Database, Link, TableNumber};
use crate::error::{Complaint, Error, refused, violated};
use crate::field::{Field, FieldType};
use crate::id::{Kind, parse};
use crate::store::typed;
use crate::value;

/// What is asked of a new field.
#[derive(Debug, Clone, PartialEq)]
pub struct NewField {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: FieldType,
    /// See [`Field::required`].
    pub required: bool,
    /// See [`Field::unique`].
    pub unique: bool,
    /// See [`Field::case_insensitive`].
    pub case_insensitive: bool,
    /// See [`Field::default`], as JSON.
    pub default: Option<serde_json::Value>,
    /// See [`Field::options`].
    pub options: Vec<String>,
}

/// What is asked of a new collection.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCollection {
    /// Its name.
    pub name: String,
    /// Its fields.
    pub fields: Vec<NewField>,
}

/// What every database row is read as.
#[derive(FromRow)]
pub(super) struct DatabaseRow {
    pub(super) id: i64,
    pub(super) schema_version: i64,
    account_id: i64,
    name: String,
    created_at: DateTime<Utc>,
}

#[derive(FromRow)]
struct FieldRow {
    id: i64,
    collection_id: Option<i64>,
    name: String,
    kind: String,
    required: bool,
    is_unique: bool,
    case_insensitive: bool,
    default_value: Option<serde_json::Value>,
    options: Vec<String>,
}

impl FieldRow {
    fn field(self) -> Result<Field, Error> {
        let kind = FieldType::parse(&self.kind).ok_or(Error::Unreadable(self.kind))?;
        let mut field = Field {
            id: self.id,
            name: self.name,
            kind,
            required: self.required,
            unique: self.is_unique,
            case_insensitive: self.case_insensitive,
            default: None,
            options: self.options,
        };
        if let Some(default) = self.default_value {
            let misfit = |_| Error::Unreadable(format!("default of field {}", field.id));
            field.default = Some(value::default_from_json(&field, &default).map_err(misfit)?);
        }
        Ok(field)
    }
}

/// The database of this id or name.
pub async fn find(
    connection: &mut PgConnection,
    account_id: i64,
    id_or_name: &str,
) -> Result<Database, Error> {
    let row = row(connection, account_id, id_or_name).await?;
    complete(connection, row).await
}

/// The database's own row, by its id or name.
pub(super) async fn row(
    connection: &mut PgConnection,
    account_id: i64,
    id_or_name: &str,
) -> Result<DatabaseRow, Error> {
    // Postgres takes no text with NUL, and no name has one.
    if id_or_name.contains('\0') {
        return Err(Error::NotFound("database"));
    }
    let row: Option<DatabaseRow> = sqlx::query_as(
        "select id, account_id, name, created_at, schema_version from databases
         where account_id = $1 and (id = $2 or lower(name) = lower($3))
         order by (id = $2) is true desc limit 1",
    )
    .bind(account_id)
    .bind(parse(Kind::Database, id_or_name))
    .bind(id_or_name)
    .fetch_optional(connection)
    .await?;
    row.ok_or(Error::NotFound("database"))
}

/// The database of this number, whoever it belongs to: for workers.
pub async fn by_number(connection: &mut PgConnection, number: i64) -> Result<Database, Error> {
    let row = row_by_number(connection, number).await?;
    complete(connection, row).await
}

/// Its own row.
pub(super) async fn row_by_number(
    connection: &mut PgConnection,
    number: i64,
) -> Result<DatabaseRow, Error> {
    let row: Option<DatabaseRow> = sqlx::query_as(
        "select id, account_id, name, created_at, schema_version from databases where id = $1",
    )
    .bind(number)
    .fetch_optional(connection)
    .await?;
    row.ok_or(Error::NotFound("database"))
}

/// The database with all that belongs to its schema.
pub(super) async fn complete(
    connection: &mut PgConnection,
    row: DatabaseRow,
) -> Result<Database, Error> {
    let collections: Vec<(i64, String)> =
        sqlx::query_as("select id, name from collections where database_id = $1 order by id")
            .bind(row.id)
            .fetch_all(&mut *connection)
            .await?;
    let links = links(connection, row.id).await?;
    let fields: Vec<FieldRow> = sqlx::query_as(
        "select id, collection_id, name, kind, required, is_unique, case_insensitive,
                default_value, options
         from fields where database_id = $1 order by id",
    )
    .bind(row.id)
    .fetch_all(&mut *connection)
    .await?;
    let mut database = Database {
        number: TableNumber(row.id),
        account_id: row.account_id,
        name: row.name,
        fields: Vec::new(),
        collections: collections
            .into_iter()
            .map(|(id, name)| Collection {
                number: TableNumber(id),
                name,
                fields: Vec::new(),
            })
            .collect(),
        links,
        created_at: row.created_at,
    };
    for row in fields {
        let home = match row.collection_id {
            None => Some(&mut database.fields),
            Some(id) => {
                let known = database
                    .collections
                    .iter_mut()
                    .find(|known| known.number.0 == id);
                known.map(|collection| &mut collection.fields)
            }
        };
        if let Some(home) = home {
            home.push(row.field()?);
        }
    }
    Ok(database)
}

#[derive(FromRow)]
struct LinkRow {
    id: i64,
    name: String,
    other_id: i64,
    other_name: String,
    forward: bool,
}

/// The links that a database sees, with the fields of the other side.
async fn links(connection: &mut PgConnection, database: i64) -> Result<Vec<Link>, Error> {
    let rows: Vec<LinkRow> = sqlx::query_as(
        "select l.id, l.name, l.other_id, d.name as other_name, true as forward
         from links l join databases d on d.id = l.other_id where l.database_id = $1
         union all
         select l.id, l.reverse, l.database_id, d.name, false
         from links l join databases d on d.id = l.database_id
         where l.other_id = $1 and l.reverse is not null
         order by id",
    )
    .bind(database)
    .fetch_all(&mut *connection)
    .await?;
    let mut links = Vec::with_capacity(rows.len());
    for row in rows {
        links.push(Link {
            number: TableNumber(row.id),
            name: row.name,
            other: TableNumber(row.other_id),
            other_name: row.other_name,
            fields: profile_fields(connection, row.other_id).await?,
            forward: row.forward,
        });
    }
    Ok(links)
}

async fn profile_fields(connection: &mut PgConnection, database: i64) -> Result<Vec<Field>, Error> {
    let rows: Vec<FieldRow> = sqlx::query_as(
        "select id, collection_id, name, kind, required, is_unique, case_insensitive,
                default_value, options
         from fields where database_id = $1 and collection_id is null order by id",
    )
    .bind(database)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(FieldRow::field).collect()
}

/// A page of an account's databases after `after`, by number.
pub async fn page(
    connection: &mut PgConnection,
    account_id: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<Database>, Error> {
    let rows: Vec<DatabaseRow> = sqlx::query_as(
        "select id, account_id, name, created_at, schema_version from databases
         where account_id = $1 and id > $2 order by id limit $3",
    )
    .bind(account_id)
    .bind(after)
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    let mut databases = Vec::with_capacity(rows.len());
    for row in rows {
        databases.push(complete(connection, row).await?);
    }
    Ok(databases)
}

/// The names of an account's databases, the newest first, for suggestions.
pub async fn names(
    connection: &mut PgConnection,
    account_id: i64,
    limit: i64,
) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar(
        "select name from databases where account_id = $1 order by id desc limit $2",
    )
    .bind(account_id)
    .bind(limit)
    .fetch_all(connection)
    .await?)
}

/// Makes a database with its typed tables, all or nothing. Returns its number.
pub async fn create(
    connection: &mut PgConnection,
    account_id: i64,
    name: &str,
    fields: &[NewField],
    collections: &[NewCollection],
) -> Result<i64, Error> {
    let mut tx = connection.begin().await?;
    let number: i64 =
        sqlx::query_scalar("insert into databases (account_id, name) values ($1, $2) returning id")
            .bind(account_id)
            .bind(name)
            .fetch_one(&mut *tx)
            .await
            .map_err(in_words)?;
    let fields = insert_fields(&mut tx, number, None, fields).await?;
    run(
        &mut tx,
        typed::create_table(TableNumber(number), None, &fields),
    )
    .await?;
    for collection in collections {
        insert_collection(&mut tx, number, collection).await?;
    }
    tx.commit().await?;
    Ok(number)
}

pub(super) async fn insert_collection(
    tx: &mut PgConnection,
    database: i64,
    collection: &NewCollection,
) -> Result<(), Error> {
    let number: i64 = sqlx::query_scalar(
        "insert into collections (database_id, name) values ($1, $2) returning id",
    )
    .bind(database)
    .bind(&collection.name)
    .fetch_one(&mut *tx)
    .await
    .map_err(in_words)?;
    let fields = insert_fields(tx, database, Some(number), &collection.fields).await?;
    run(
        tx,
        typed::create_table(TableNumber(number), Some(TableNumber(database)), &fields),
    )
    .await
}

pub(super) async fn insert_fields(
    tx: &mut PgConnection,
    database: i64,
    collection: Option<i64>,
    fields: &[NewField],
) -> Result<Vec<Field>, Error> {
    let mut made = Vec::with_capacity(fields.len());
    for field in fields {
        let row: FieldRow = sqlx::query_as(
            "insert into fields (database_id, collection_id, name, kind, required, is_unique,
                                 case_insensitive, default_value, options)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             returning id, collection_id, name, kind, required, is_unique, case_insensitive,
                       default_value, options",
        )
        .bind(database)
        .bind(collection)
        .bind(&field.name)
        .bind(field.kind.as_str())
        .bind(field.required)
        .bind(field.unique)
        .bind(field.case_insensitive)
        .bind(&field.default)
        .bind(&field.options)
        .fetch_one(&mut *tx)
        .await
        .map_err(in_words)?;
        made.push(row.field()?);
    }
    Ok(made)
}

pub(super) async fn run(tx: &mut PgConnection, statements: Vec<String>) -> Result<(), Error> {
    for statement in statements {
        tx.execute(sqlx::query(AssertSqlSafe(statement)).persistent(false))
            .await?;
    }
    Ok(())
}

/// Named constraints become words beside the query.
pub(super) fn in_words(error: sqlx::Error) -> Error {
    match violated(&error) {
        Some("databases_name_unique") => name_refused(
            Code::NameTaken,
            "Another database of this account has this name.",
        ),
        Some("collections_name_unique") => name_refused(
            Code::NameTaken,
            "Another collection of this database has this name.",
        ),
        Some("links_name_unique" | "links_reverse_unique") => refused(
            Code::NameTaken,
            "Another link of one of the databases has this name.",
        ),
        Some("fields_name_unique") => name_refused(
            Code::DuplicateField,
            "A field of this name is there already; names ignore case.",
        ),
        _ => Error::Sql(error),
    }
}

/// A refusal of the name that was sent.
pub(super) fn name_refused(code: Code, detail: impl Into<String>) -> Error {
    Error::Refused(Complaint::new(code, "/name", detail))
}

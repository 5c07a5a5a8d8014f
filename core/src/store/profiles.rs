//! Profiles and subprofiles, as they are read back and as chunks write them.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, ValueRef};

use crate::database::TableNumber;
use crate::error::Error;
use crate::field::{Field, FieldType};
use crate::limits::KEY_BYTES_MAX;
use crate::plan::Side;
use crate::store::binary::{ColumnArray, Value};
use crate::store::connect::plan_for_values;
use crate::store::typed::{self, writing};

/// A profile or subprofile as read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Its number.
    pub id: i64,
    /// The caller's own id.
    pub uid: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// The parent, for a subprofile.
    pub profile_id: Option<i64>,
    /// Its cells in binary format, in the order of the fields that were asked for.
    pub cells: Vec<Option<Vec<u8>>>,
}

pub(super) fn profile(row: &PgRow, fields: usize, with_parent: bool) -> Result<Profile, Error> {
    let first = if with_parent { 5 } else { 4 };
    let cells = (first..first + fields).map(|column| {
        let raw = row.try_get_raw(column)?;
        if raw.is_null() {
            return Ok(None);
        }
        raw.as_bytes()
            .map(|bytes| Some(bytes.to_vec()))
            .map_err(sqlx::Error::Decode)
    });
    Ok(Profile {
        id: row.try_get(0)?,
        uid: row.try_get(1)?,
        created_at: row.try_get(2)?,
        updated_at: row.try_get(3)?,
        profile_id: if with_parent { row.try_get(4)? } else { None },
        cells: cells.collect::<Result<_, sqlx::Error>>()?,
    })
}

/// A filter by equality: the field and the value in binary format.
pub type Filter = (Field, Vec<u8>);

/// A page of profiles after an id. What is filtered for decides the way to it, so that such a page is
/// planned for its values.
pub async fn page(
    connection: &mut PgConnection,
    (number, fields): (TableNumber, &[Field]),
    filters: &[Filter],
    (after, limit): (i64, i64),
) -> Result<Vec<Profile>, Error> {
    let is_short = |value: &Vec<u8>| value.len() <= KEY_BYTES_MAX;
    let filtered: Vec<(&Field, bool)> = filters
        .iter()
        .map(|(field, value)| (field, is_short(value)))
        .collect();
    let statement = typed::page(number, fields, &filtered);
    let mut query = sqlx::query(AssertSqlSafe(statement))
        .bind(after)
        .bind(limit);
    for (field, value) in filters {
        query = query.bind(ColumnArray {
            kind: field.kind,
            cells: vec![Some(value.as_slice())],
        });
    }
    let rows = match filters {
        [] => query.fetch_all(connection).await?,
        _ => {
            let mut tx = connection.begin().await?;
            plan_for_values(&mut tx).await?;
            let rows = query.fetch_all(&mut *tx).await?;
            tx.commit().await?;
            rows
        }
    };
    rows.iter()
        .map(|row| profile(row, fields.len(), false))
        .collect()
}

/// One profile.
pub async fn one(
    connection: &mut PgConnection,
    (number, fields): (TableNumber, &[Field]),
    id: i64,
) -> Result<Profile, Error> {
    let statement = typed::one(number, fields);
    let row = sqlx::query(AssertSqlSafe(statement))
        .bind(id)
        .fetch_optional(connection)
        .await?;
    profile(&row.ok_or(Error::NotFound("profile"))?, fields.len(), false)
}

/// The profiles, or subprofiles, with these ids.
pub async fn some(
    connection: &mut PgConnection,
    (number, fields): (TableNumber, &[Field]),
    (ids, with_parent): (&[i64], bool),
) -> Result<Vec<Profile>, Error> {
    let statement = typed::some(number, fields, with_parent);
    let rows = sqlx::query(AssertSqlSafe(statement))
        .bind(ids)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| profile(row, fields.len(), with_parent))
        .collect()
}

/// The subprofiles of some profiles.
pub async fn children(
    connection: &mut PgConnection,
    (number, fields): (TableNumber, &[Field]),
    parents: &[i64],
) -> Result<Vec<Profile>, Error> {
    let statement = typed::children(number, fields);
    let rows = sqlx::query(AssertSqlSafe(statement))
        .bind(parents)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| profile(row, fields.len(), true))
        .collect()
}

/// Folds texts the way the key indexes do. Postgres is asked, since it alone decides what its
/// `lower` makes of a letter beyond ASCII.
pub async fn fold(connection: &mut PgConnection, texts: &[&str]) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar(
        "select lower(t) from unnest($1::text[]) with ordinality as u(t, n) order by n",
    )
    .bind(texts)
    .fetch_all(connection)
    .await?)
}

/// Draws ids for new profiles or subprofiles.
pub async fn draw_ids(
    connection: &mut PgConnection,
    number: TableNumber,
    count: usize,
) -> Result<Vec<i64>, Error> {
    let count = i32::try_from(count).map_err(|_| Error::Unreadable(format!("{count} new ids")))?;
    Ok(sqlx::query_scalar(AssertSqlSafe(writing::draw_ids(number)))
        .bind(count)
        .fetch_one(connection)
        .await?)
}

/// Writes the fields beside the keys of some rows.
pub async fn update(
    connection: &mut PgConnection,
    side: &Side,
    ids: &[i64],
    columns: Vec<Vec<Value<'_>>>,
    import_id: i64,
) -> Result<(), Error> {
    let mut query = sqlx::query(AssertSqlSafe(writing::update(side))).bind(ids);
    let kinds: Vec<FieldType> = side.fields[side.keys..]
        .iter()
        .map(|field| field.kind)
        .collect();
    for (kind, cells) in kinds.into_iter().zip(columns) {
        query = query.bind(ColumnArray { kind, cells });
    }
    let updated = query
        .bind(import_id)
        .execute(connection)
        .await?
        .rows_affected();
    match updated == ids.len() as u64 {
        true => Ok(()),
        false => Err(Error::Unreadable(format!(
            "{updated} of {} rows were updated",
            ids.len()
        ))),
    }
}

/// Deletes rows by id; returns how many.
pub async fn delete(
    connection: &mut PgConnection,
    number: TableNumber,
    ids: &[i64],
) -> Result<u64, Error> {
    let statement = sqlx::query(AssertSqlSafe(writing::delete(number)));
    Ok(statement
        .bind(ids)
        .execute(connection)
        .await?
        .rows_affected())
}

/// Deletes the subprofiles of some profiles; returns how many.
pub async fn delete_children(
    connection: &mut PgConnection,
    collection: TableNumber,
    parents: &[i64],
) -> Result<u64, Error> {
    let statement = sqlx::query(AssertSqlSafe(writing::delete_children(collection)));
    Ok(statement
        .bind(parents)
        .execute(connection)
        .await?
        .rows_affected())
}

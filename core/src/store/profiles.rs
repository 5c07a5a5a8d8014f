//! Profiles and subprofiles, as they are read back and as chunks write them.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row, ValueRef};

use crate::database::TableNumber;
use crate::error::Error;
use crate::field::{Field, FieldType};
use crate::limits::KEY_BYTES_MAX;
use crate::plan::Side;
use crate::store::binary::{ColumnArray, CopyRows, Value};
use crate::store::typed;

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

/// A page of profiles after an id.
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
    let rows = query.fetch_all(connection).await?;
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

/// What a chunk's keys matched: rows that keep their cells as they came over the wire.
#[derive(Default)]
pub struct Matches {
    rows: Vec<PgRow>,
    versioned: bool,
}

impl Matches {
    /// How many were found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Each match: which key (from 0), the id, and the cells of the fields beside the keys.
    pub fn iter(&self) -> impl Iterator<Item = Result<Match<'_>, Error>> {
        self.rows.iter().map(|row| {
            let ordinal: i64 = row.try_get(0)?;
            let cells = (2..row.len() - usize::from(self.versioned)).map(|column| {
                let raw = row.try_get_raw(column)?;
                if raw.is_null() {
                    Ok(None)
                } else {
                    raw.as_bytes().map(Some).map_err(sqlx::Error::Decode)
                }
            });
            Ok(Match {
                key: usize::try_from(ordinal - 1).unwrap_or(usize::MAX),
                id: row.try_get(1)?,
                cells: cells.collect::<Result<_, sqlx::Error>>()?,
                updated_at: match self.versioned {
                    true => Some(row.try_get(row.len() - 1)?),
                    false => None,
                },
            })
        })
    }

    /// Takes in what was found in another way, each profile once, in the order of ids.
    pub fn take_in(&mut self, other: Matches) -> Result<(), Error> {
        let id = |row: &PgRow| row.try_get::<i64, _>(1);
        self.versioned = other.versioned;
        for row in other.rows {
            let found = id(&row)?;
            let ids = self.rows.iter().map(id).collect::<Result<Vec<_>, _>>()?;
            if let Err(place) = ids.binary_search(&found) {
                self.rows.insert(place, row);
            }
        }
        Ok(())
    }
}

/// One match.
pub struct Match<'a> {
    /// Which of the keys asked for, from 0.
    pub key: usize,
    /// The id.
    pub id: i64,
    /// The fields beside the keys.
    pub cells: Vec<Value<'a>>,
    /// When it was last changed, where versions are checked.
    pub updated_at: Option<DateTime<Utc>>,
}

/// Finds what keys match, at most `limit` (none: all). `parents` are the profile ids beside the
/// keys, for a collection.
pub async fn matches(
    connection: &mut PgConnection,
    side: &Side,
    parents: Option<&[i64]>,
    keys: Vec<ColumnArray<'_>>,
    limit: Option<i64>,
) -> Result<Matches, Error> {
    let statement = match parents {
        None => typed::matching::match_profiles(side),
        Some(_) => typed::matching::match_subprofiles(side),
    };
    let mut query = sqlx::query(AssertSqlSafe(statement));
    if let Some(parents) = parents {
        query = query.bind(parents);
    }
    for column in keys {
        query = query.bind(column);
    }
    query = query.bind(limit);
    Ok(Matches {
        rows: query.fetch_all(connection).await?,
        versioned: side.versioned,
    })
}

/// Finds what one group of alternatives matches; its cells are bound as they came.
pub async fn matches_alternative(
    connection: &mut PgConnection,
    side: &Side,
    group: &[usize],
    cells: &[&[u8]],
) -> Result<Matches, Error> {
    let mut query = sqlx::query(AssertSqlSafe(typed::matching::match_alternative(
        side, group,
    )));
    for (place, cell) in group.iter().zip(cells) {
        query = query.bind(ColumnArray {
            kind: side.fields[*place].kind,
            cells: vec![Some(cell)],
        });
    }
    query = query.bind(None::<i64>);
    Ok(Matches {
        rows: query.fetch_all(connection).await?,
        versioned: side.versioned,
    })
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
    Ok(sqlx::query_scalar(AssertSqlSafe(typed::draw_ids(number)))
        .bind(count)
        .fetch_one(connection)
        .await?)
}

/// Inserts new rows.
pub async fn insert(
    connection: &mut PgConnection,
    side: &Side,
    with_ids: bool,
    rows: CopyRows,
) -> Result<(), Error> {
    let mut copy = connection
        .copy_in_raw(&typed::copy_in(side, with_ids))
        .await?;
    match copy.send(rows.finish()).await {
        Ok(_) => {
            copy.finish().await?;
            Ok(())
        }
        // Left alone, the unfinished copy would poison the connection's next statement.
        Err(error) => {
            let _ = copy.abort("the rows could not be sent").await;
            Err(error.into())
        }
    }
}

/// Writes the fields beside the keys of some rows.
pub async fn update(
    connection: &mut PgConnection,
    side: &Side,
    ids: &[i64],
    columns: Vec<Vec<Value<'_>>>,
    import_id: i64,
) -> Result<(), Error> {
    let mut query = sqlx::query(AssertSqlSafe(typed::update(side))).bind(ids);
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
    let statement = sqlx::query(AssertSqlSafe(typed::delete(number)));
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
    let statement = sqlx::query(AssertSqlSafe(typed::delete_children(collection)));
    Ok(statement
        .bind(parents)
        .execute(connection)
        .await?
        .rows_affected())
}

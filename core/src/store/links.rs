//! Links as chunks write them, and as they are read back.

use sqlx::{AssertSqlSafe, PgConnection};

use crate::database::Link;
use crate::error::Error;
use crate::plan::LinkTable;
use crate::store::profiles::{self, Profile};
use crate::store::typed;

/// Own profiles and, place by place, those of the other database.
pub type Pairs = (Vec<i64>, Vec<i64>);

/// Which of the pairs are linked: their places.
pub async fn known(
    connection: &mut PgConnection,
    link: &LinkTable,
    pairs: &Pairs,
) -> Result<Vec<usize>, Error> {
    let ordinals: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(typed::links::known(link)))
        .bind(&pairs.0)
        .bind(&pairs.1)
        .fetch_all(connection)
        .await?;
    let place = |ordinal: i64| usize::try_from(ordinal - 1).unwrap_or(usize::MAX);
    Ok(ordinals.into_iter().map(place).collect())
}

/// Links pairs.
pub async fn insert(
    connection: &mut PgConnection,
    link: &LinkTable,
    pairs: &Pairs,
    import_id: i64,
) -> Result<(), Error> {
    sqlx::query(AssertSqlSafe(typed::links::insert(link)))
        .bind(&pairs.0)
        .bind(&pairs.1)
        .bind(import_id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Unlinks pairs.
pub async fn delete(
    connection: &mut PgConnection,
    link: &LinkTable,
    pairs: &Pairs,
) -> Result<(), Error> {
    sqlx::query(AssertSqlSafe(typed::links::delete(link)))
        .bind(&pairs.0)
        .bind(&pairs.1)
        .execute(connection)
        .await?;
    Ok(())
}

/// Unlinks some profiles from all others; returns how many links there were.
pub async fn delete_all(
    connection: &mut PgConnection,
    link: &LinkTable,
    ids: &[i64],
) -> Result<u64, Error> {
    let statement = sqlx::query(AssertSqlSafe(typed::links::delete_all(link)));
    Ok(statement
        .bind(ids)
        .execute(connection)
        .await?
        .rows_affected())
}

/// The profiles that some profiles are linked with; `profile_id` is the own one.
pub async fn linked(
    connection: &mut PgConnection,
    link: &Link,
    ids: &[i64],
) -> Result<Vec<Profile>, Error> {
    let statement = typed::links::linked(&LinkTable::of(link), link.other, &link.fields);
    let rows = sqlx::query(AssertSqlSafe(statement))
        .bind(ids)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| profiles::profile(row, link.fields.len(), true))
        .collect()
}

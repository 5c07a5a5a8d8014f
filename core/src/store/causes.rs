//! Rejects grouped by their cause: how many, which rows, and examples. One statement, so that counts
//! and rows fit together, whatever their number.

use serde::Serialize;
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};

use crate::error::Error;

/// Most causes that a summary names.
const CAUSES_MAX: i64 = 100;
/// Most ranges of rows that it gives for each.
const RANGES_MAX: i64 = 20;
/// Most examples.
const EXAMPLES_MAX: i64 = 3;

/// A row that stands for others.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, Serialize)]
pub struct Example {
    /// The row's number.
    pub row: i64,
    /// The line on which it starts.
    pub line: i64,
    /// The value, shortened.
    pub value: Option<String>,
    /// What was expected.
    pub expected: String,
}

/// Rejects of one code in one column.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Cause {
    /// The stable code.
    pub code: String,
    /// The column at fault.
    pub column_name: Option<String>,
    /// How many of the rejects that are kept.
    pub count: i64,
    /// How many ranges of rows there are in all.
    pub ranges: i64,
    /// The first ranges: first and last row.
    pub rows: Json<Vec<(i64, i64)>>,
    /// Rows with different values.
    pub examples: Json<Vec<Example>>,
}

/// The causes of an import's rejects, the most frequent first.
pub async fn summary(connection: &mut PgConnection, import_id: i64) -> Result<Vec<Cause>, Error> {
    Ok(sqlx::query_as(
        "with r as (
             select code, column_name, row_number, line, value, expected,
                 row_number - row_number() over (partition by code, column_name order by row_number)
                     as island
             from rejects where import_id = $1
         ), causes as (
             select code, column_name, count(*) as count from r group by 1, 2
             order by 3 desc, 1, 2 limit $2
         ), islands as (
             select code, column_name, min(row_number) as first, max(row_number) as last,
                 row_number() over (partition by code, column_name order by min(row_number)) as n
             from r group by code, column_name, island
         ), ranges as (
             select code, column_name, count(*) as ranges,
                 coalesce(jsonb_agg(jsonb_build_array(first, last) order by first)
                     filter (where n <= $3), '[]') as rows
             from islands group by 1, 2
         ), firsts as (
             select distinct on (code, column_name, value) code, column_name, row_number, line,
                 value, expected
             from r order by code, column_name, value, row_number
         ), numbered as (
             select *, row_number() over (partition by code, column_name order by row_number) as n
             from firsts
         ), examples as (
             select code, column_name, jsonb_agg(jsonb_build_object('row', row_number, 'line', line,
                 'value', value, 'expected', expected) order by row_number) as examples
             from numbered where n <= $4 group by 1, 2
         )
         select c.code, c.column_name, c.count, g.ranges, g.rows, e.examples
         from causes c
         join ranges g on g.code = c.code and g.column_name is not distinct from c.column_name
         join examples e on e.code = c.code and e.column_name is not distinct from c.column_name
         order by c.count desc, c.code, c.column_name",
    )
    .bind(import_id)
    .bind(CAUSES_MAX)
    .bind(RANGES_MAX)
    .bind(EXAMPLES_MAX)
    .fetch_all(connection)
    .await?)
}

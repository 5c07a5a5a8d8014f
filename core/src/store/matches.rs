//! What the keys of a chunk match in the database: found by index, and held as bytes in one piece, since
//! there are as many of them as rows.

use std::ops::Range;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use sqlx::postgres::{PgArguments, PgRow, PgValueRef};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row, ValueRef};

use crate::error::Error;
use crate::plan::Side;
use crate::store::binary::{ColumnArray, Value};
use crate::store::typed::matching;

/// What was found, ordered by key and then by id.
#[derive(Default)]
pub struct Matches {
    heads: Vec<Head>,
    /// The cells of all of them: the length of each (−1 for none), then its bytes.
    cells: Vec<u8>,
}

struct Head {
    key: usize,
    id: i64,
    updated_at: Option<DateTime<Utc>>,
    /// Where its cells stand.
    cells: Range<usize>,
}

/// One match.
pub struct Match<'a> {
    /// Which of the keys asked for, from 0.
    pub key: usize,
    /// The id.
    pub id: i64,
    /// When it was last changed, where versions are checked.
    pub updated_at: Option<DateTime<Utc>>,
    /// The fields beside the keys.
    pub cells: Cells<'a>,
}

/// Cells as they were found, one behind the other.
#[derive(Debug, Clone, Copy)]
pub struct Cells<'a>(&'a [u8]);

impl<'a> Cells<'a> {
    /// Each in its turn.
    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (length, behind) = rest.split_first_chunk()?;
            let length = usize::try_from(i32::from_ne_bytes(*length)).ok();
            let (cell, behind) = behind.split_at_checked(length.unwrap_or(0))?;
            rest = behind;
            Some(length.map(|_| cell))
        })
    }
}

impl Matches {
    /// How many were found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether none was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Each match.
    pub fn iter(&self) -> impl Iterator<Item = Match<'_>> {
        self.heads.iter().map(|head| Match {
            key: head.key,
            id: head.id,
            updated_at: head.updated_at,
            cells: Cells(&self.cells[head.cells.clone()]),
        })
    }

    /// Takes in what was found in another way, each profile once, in the order of ids.
    pub fn take_in(&mut self, other: &Matches) {
        for found in &other.heads {
            let ids = |known: &Head| known.id.cmp(&found.id);
            if let Err(place) = self.heads.binary_search_by(ids) {
                let start = self.cells.len();
                self.cells
                    .extend_from_slice(&other.cells[found.cells.clone()]);
                let cells = start..self.cells.len();
                self.heads.insert(place, Head { cells, ..*found });
            }
        }
    }

    async fn fetch(
        connection: &mut PgConnection,
        query: Query<'_, Postgres, PgArguments>,
        versioned: bool,
    ) -> Result<Matches, Error> {
        let mut matches = Matches::default();
        let mut rows = query.fetch(connection);
        while let Some(row) = rows.try_next().await? {
            matches.add(&row, versioned)?;
        }
        let order = |head: &Head| (head.key, head.id);
        // Keys come in their order, which nothing promises; several matches of one in that of their rows.
        // Who means the newest of them relies on the order of ids.
        if !matches.heads.is_sorted_by_key(order) {
            matches.heads.sort_unstable_by_key(order);
        }
        Ok(matches)
    }

    fn add(&mut self, row: &PgRow, versioned: bool) -> Result<(), Error> {
        let start = self.cells.len();
        let last = row.len() - usize::from(versioned);
        for column in 2..last {
            self.add_cell(row.try_get_raw(column)?)?;
        }
        let ordinal: i64 = row.try_get(0)?;
        self.heads.push(Head {
            key: usize::try_from(ordinal - 1).unwrap_or(usize::MAX),
            id: row.try_get(1)?,
            updated_at: match versioned {
                true => Some(row.try_get(last)?),
                false => None,
            },
            cells: start..self.cells.len(),
        });
        Ok(())
    }

    fn add_cell(&mut self, cell: PgValueRef<'_>) -> Result<(), Error> {
        self.put(match cell.is_null() {
            true => None,
            false => Some(cell.as_bytes().map_err(sqlx::Error::Decode)?),
        });
        Ok(())
    }

    fn put(&mut self, cell: Value<'_>) {
        // No cell that Postgres sends is longer than that.
        let length = cell.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        self.cells.extend_from_slice(&length.to_ne_bytes());
        self.cells.extend_from_slice(cell.unwrap_or_default());
    }
}

/// Finds what keys match, at most `limit` (none: all). `parents` are the profile ids beside the
/// keys, for a collection.
pub async fn of_keys(
    connection: &mut PgConnection,
    side: &Side,
    parents: Option<&[i64]>,
    keys: Vec<ColumnArray<'_>>,
    limit: Option<i64>,
) -> Result<Matches, Error> {
    let statement = match parents {
        None => matching::match_profiles(side),
        Some(_) => matching::match_subprofiles(side),
    };
    let mut query = sqlx::query(AssertSqlSafe(statement));
    if let Some(parents) = parents {
        query = query.bind(parents);
    }
    for column in keys {
        query = query.bind(column);
    }
    query = query.bind(limit);
    Matches::fetch(connection, query, side.versioned).await
}

/// Finds what one group of alternatives matches; its cells are bound as they came.
pub async fn of_alternative(
    connection: &mut PgConnection,
    side: &Side,
    group: &[usize],
    cells: &[&[u8]],
) -> Result<Matches, Error> {
    let mut query = sqlx::query(AssertSqlSafe(matching::match_alternative(side, group)));
    for (place, cell) in group.iter().zip(cells) {
        query = query.bind(ColumnArray {
            kind: side.fields[*place].kind,
            cells: vec![Some(cell)],
        });
    }
    query = query.bind(None::<i64>);
    Matches::fetch(connection, query, side.versioned).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Matches of one key: an id with its cells each.
    fn matches(found: &[(i64, &[Value<'_>])]) -> Matches {
        let mut matches = Matches::default();
        for (id, cells) in found {
            let start = matches.cells.len();
            cells.iter().for_each(|cell| matches.put(*cell));
            matches.heads.push(Head {
                key: 0,
                id: *id,
                updated_at: None,
                cells: start..matches.cells.len(),
            });
        }
        matches
    }

    fn seen(matches: &Matches) -> Vec<(i64, Vec<Value<'_>>)> {
        let seen = matches.iter();
        seen.map(|found| (found.id, found.cells.iter().collect()))
            .collect()
    }

    #[test]
    fn cells_come_back_as_they_were_and_none_is_not_empty() {
        let cells: [Value<'_>; 4] = [Some(b"ann"), None, Some(b""), Some(&[0; 300])];
        let found = [(1, &cells[..]), (2, &[]), (3, &cells[1..3])];
        let expected: Vec<_> = found
            .iter()
            .map(|(id, cells)| (*id, cells.to_vec()))
            .collect();
        assert_eq!(seen(&matches(&found)), expected);
    }

    #[test]
    fn what_is_found_in_two_ways_is_there_once_in_the_order_of_ids() {
        let (ann, bob, zoe) = ([Some(b"ann".as_slice())], [Some(b"bob".as_slice())], [None]);
        let mut all = matches(&[(2, &ann), (9, &bob)]);
        all.take_in(&matches(&[(1, &zoe), (2, &ann), (5, &zoe)]));
        let ids: Vec<i64> = all.iter().map(|found| found.id).collect();
        assert_eq!(ids, [1, 2, 5, 9]);
        assert_eq!(seen(&all)[3].1, bob);
    }
}

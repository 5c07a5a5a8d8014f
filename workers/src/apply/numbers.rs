//! The ids of new profiles: drawn in the order of their rows, also where chunks are applied side by
//! side, so that profiles stand in the order in which an import made them.

use std::collections::HashMap;

use longshore_core::database::TableNumber;
use longshore_core::error::Error;
use longshore_core::store::profiles;
use sqlx::PgConnection;

use super::in_line::Place;

/// The ids of the profiles that the rows of one chunk make.
#[derive(Default)]
pub(super) struct Numbers<'a> {
    place: Option<&'a Place>,
    /// Rows that are applied later than others of their chunk, and numbered with them.
    late: &'a [usize],
    /// What was drawn for those, once it was.
    kept: Option<HashMap<usize, i64>>,
}

impl<'a> Numbers<'a> {
    /// Of a chunk that stands in line.
    pub(super) fn in_line(place: &'a Place, late: &'a [usize]) -> Numbers<'a> {
        Numbers {
            place: Some(place),
            late,
            kept: None,
        }
    }

    /// Whether somebody waits to draw behind this chunk.
    pub(super) fn are_in_line(&self) -> bool {
        self.place.is_some()
    }

    /// The ids of these rows, in the same order.
    pub(super) async fn of(
        &mut self,
        connection: &mut PgConnection,
        number: TableNumber,
        rows: &[usize],
    ) -> Result<Vec<i64>, Error> {
        let kept = self.kept.take();
        let late = if kept.is_none() { self.late } else { &[] };
        if let (Some(place), None) = (self.place, &kept) {
            place.next_to_draw().await;
        }
        let mut kept = kept.unwrap_or_default();
        let mut missing: Vec<usize> = [rows, late].concat();
        missing.retain(|row| !kept.contains_key(row));
        missing.sort_unstable();
        missing.dedup();
        let mut drawn: HashMap<usize, i64> = HashMap::new();
        if !missing.is_empty() {
            let ids = profiles::draw_ids(connection, number, missing.len()).await?;
            drawn.extend(missing.into_iter().zip(ids));
        }
        if let Some(place) = self.place {
            place.has_drawn();
        }
        kept.extend(late.iter().filter_map(|row| Some((*row, *drawn.get(row)?))));
        let id = |row: &usize| drawn.get(row).or_else(|| kept.get(row)).copied();
        let ids = rows.iter().filter_map(id).collect();
        self.kept = Some(kept);
        Ok(ids)
    }
}

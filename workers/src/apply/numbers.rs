//! The ids of new profiles: drawn in the order of their rows, also where chunks are applied side by
//! side, so that profiles stand in the order in which an import made them.

use foldhash::HashMap;
use longshore_core::database::TableNumber;
use longshore_core::error::Error;
use longshore_core::store::profiles;
use sqlx::PgConnection;

use super::in_line::Place;

/// The ids of the profiles that the rows of one chunk make.
#[derive(Default)]
pub(super) struct Numbers<'a> {
    place: Option<&'a Place>,
    /// Rows that are written later than others of their chunk, and numbered with the first of these.
    later: Vec<usize>,
    /// What a row was given, which it keeps where it is written again in a smaller piece.
    drawn: HashMap<usize, i64>,
}

impl<'a> Numbers<'a> {
    /// Of a chunk that stands in line.
    pub(super) fn in_line(place: &'a Place) -> Numbers<'a> {
        Numbers {
            place: Some(place),
            ..Numbers::default()
        }
    }

    /// Whether somebody waits to draw behind this chunk.
    pub(super) fn are_in_line(&self) -> bool {
        self.place.is_some()
    }

    /// Whether rows of this chunk have ids already: all others are to have theirs behind these.
    pub(super) fn are_drawn(&self) -> bool {
        !self.drawn.is_empty()
    }

    /// These rows are written one piece after the other. Whoever stands behind draws as soon as the first
    /// of them is numbered, so that it has to be all of them.
    pub(super) fn expect(&mut self, rows: &[usize]) {
        if self.are_in_line() {
            self.later.extend(rows);
        }
    }

    /// The ids of these rows, in the same order.
    pub(super) async fn of(
        &mut self,
        connection: &mut PgConnection,
        number: TableNumber,
        rows: &[usize],
    ) -> Result<Vec<i64>, Error> {
        let mut missing = std::mem::take(&mut self.later);
        missing.extend(rows);
        missing.retain(|row| !self.drawn.contains_key(row));
        missing.sort_unstable();
        missing.dedup();
        // Also whoever draws nothing says so only behind those before it.
        if let Some(place) = self.place {
            place.next_to_draw().await;
        }
        if !missing.is_empty() {
            let ids = profiles::draw_ids(connection, number, missing.len()).await?;
            self.drawn.extend(missing.into_iter().zip(ids));
        }
        if let Some(place) = self.place {
            place.has_drawn();
        }
        Ok(rows
            .iter()
            .filter_map(|row| self.drawn.get(row).copied())
            .collect())
    }
}

//! What a row says, and what is wrong with it whatever the databases hold.

use super::{Action, Cell, LINKED, MatchBy, PROFILE, Row, Run, SUBPROFILE, Target};

impl Run<'_> {
    /// Deleting reads keys and nothing else, and only of what is to be deleted.
    pub(super) fn what_counts(&self, row: &Row) -> Row {
        let mut row = row.clone();
        if self.import.action != Action::Delete {
            return row;
        }
        for (side, cells) in row.cells.iter_mut().enumerate() {
            let passed_over = match side {
                SUBPROFILE => self.import.target != Target::Subprofile,
                LINKED => self.import.target != Target::Link,
                _ => false,
            };
            for (field, cell) in cells.iter_mut().enumerate() {
                if passed_over || !self.import.keys[side].contains(&field) {
                    *cell = Cell::Absent;
                }
            }
        }
        row
    }

    /// Values that do not fit, and keys that are missing.
    pub(super) fn judge_alone(&mut self, row: &Row) {
        let of_system = [&row.id, &row.version, &row.overrides];
        for cell in row.cells.iter().flatten().chain(of_system) {
            if let Cell::Misfit(code) = cell {
                self.faults.push(code);
            }
        }
        if self.import.action == Action::Add || self.import.policies.empty_key_is_new {
            return;
        }
        let sides = [PROFILE, SUBPROFILE, LINKED];
        let missing = sides.into_iter().any(|side| {
            let asked = side == PROFILE || brings(row, side);
            asked && self.has_no_key(side, row)
        });
        if missing {
            self.fault("key_missing");
        }
    }

    /// Whether the row does not say who is meant.
    pub(super) fn has_no_key(&self, side: usize, row: &Row) -> bool {
        let mut keys = self.import.keys[side].iter();
        let says = |key: &usize| self.is_key(side, *key, &row.cells[side][*key]);
        match self.import.policies.match_by {
            _ if side != PROFILE => !keys.all(says),
            MatchBy::KeyFields | MatchBy::Uid => !keys.all(says),
            MatchBy::AnyKeyField => !keys.any(says),
            MatchBy::Id => !row.id.is_held(),
            MatchBy::IdOrUid => !row.id.is_held() && !keys.any(says),
        }
    }

    /// Whether a cell can say who is meant: a blank one cannot, nor can white space.
    pub(super) fn is_key(&self, side: usize, field: usize, cell: &Cell) -> bool {
        match cell {
            Cell::Holds(value) if self.fields(side)[field].text => {
                value.as_str().is_some_and(|text| !text.trim().is_empty())
            }
            cell => cell.is_held(),
        }
    }
}

/// Whether a row says anything about a subprofile or linked profile.
pub(super) fn brings(row: &Row, side: usize) -> bool {
    row.cells[side].iter().any(Cell::is_held)
}

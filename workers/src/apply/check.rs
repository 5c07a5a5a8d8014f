//! What a row must not do, asked before anything of it is done: touch several where one is meant,
//! overwrite what it has not seen, make what only we can name, or leave a required field empty.

use longshore_core::code::Code;
use longshore_core::import::Reject;
use longshore_core::policies::OnMultipleMatches;

use super::chunk::{Slot, Version};
use super::decide::Run;
use super::typing::field_name;
use super::version;

impl Run<'_> {
    /// Whether what the row matches may be what it means.
    pub(super) fn check_matches(&self, row: usize, profiles: &[usize]) -> Result<(), Box<Reject>> {
        if self.plan.policies.on_multiple_matches == OnMultipleMatches::Reject {
            self.check_several(row, 0, profiles.len())?;
            for side in self.brought(row) {
                for parent in self.parents(side, profiles) {
                    self.check_several(row, side, self.matched(row, side, parent).len())?;
                }
            }
        }
        if profiles.is_empty() && self.creates() && self.names_an_id(row) {
            let expected = "the id of a profile that exists; without an id the row makes a new one";
            return Err(self.reject(row, self.id_column(), Code::UnknownProfile, expected));
        }
        let Some(version) = self.chunk.versions.get(row) else {
            return Ok(());
        };
        profiles
            .iter()
            .try_for_each(|place| self.check_version(row, *place, *version))
    }

    /// Below whom the row can meet anything on this side. Linked profiles are below nobody: a
    /// profile that the row makes meets them too.
    fn parents(&self, side: usize, profiles: &[usize]) -> Vec<usize> {
        match self.is_linked(side) {
            false => profiles.to_vec(),
            true if profiles.is_empty() && !self.creates() => Vec::new(),
            true => vec![0],
        }
    }

    fn check_several(&self, row: usize, side: usize, matches: usize) -> Result<(), Box<Reject>> {
        if matches < 2 {
            return Ok(());
        }
        let what = self.plan.sides[side].what();
        let first = self.plan.sides[side].fields.first();
        let column = first.map(|field| field_name(self.plan, side, field));
        let expected = format!("a key that one {what} has; {matches} have it");
        Err(self.reject(row, column, Code::MultipleMatches, &expected))
    }

    /// Whether the row says which profile is meant by an id that only we give.
    fn names_an_id(&self, row: usize) -> bool {
        let fields = self.plan.sides[0].fields.iter();
        let place = fields.enumerate().find(|(_, field)| !field.is_written());
        place.is_some_and(|(place, _)| matches!(self.chunk.slot(row, 0, place), Slot::Set(..)))
    }

    fn id_column(&self) -> Option<String> {
        self.plan.policies.id_column.clone()
    }

    fn check_version(&self, row: usize, place: usize, version: Version) -> Result<(), Box<Reject>> {
        let entity = &self.decision.sides[0].entities[place];
        let column = self.plan.policies.version_column.clone();
        let (micros, unit) = match version {
            Version::Any => return Ok(()),
            Version::Expected { micros, unit } => (micros, unit),
            Version::Missing => {
                let expected = "the updated_at of the profile, as it was last seen";
                return Err(self.reject(row, column, Code::VersionMissing, expected));
            }
        };
        let same = |found| version::agrees(found, micros, unit);
        if !entity.changed && entity.updated_at.is_some_and(same) {
            return Ok(());
        }
        let expected = match entity.updated_at.filter(|_| !entity.changed) {
            Some(found) => format!(
                "the profile's updated_at, which is {}",
                version::shown(found)
            ),
            None => "a version that an earlier row of this import did not change".to_owned(),
        };
        Err(self.reject(row, column, Code::VersionConflict, &expected))
    }

    /// Whether the row would leave a required field empty, anywhere.
    pub(super) fn check(&self, row: usize, profiles: &[usize]) -> Result<(), Box<Reject>> {
        self.check_side(row, 0, profiles.is_empty(), !profiles.is_empty())?;
        for side in self.brought(row) {
            if self.is_linked(side) {
                let makes = self.matched(row, side, 0).is_empty();
                self.check_side(row, side, makes, !makes)?;
                continue;
            }
            let matched = |parent: &usize| !self.matched(row, side, *parent).is_empty();
            let makes = profiles.is_empty() || !profiles.iter().all(matched);
            self.check_side(row, side, makes, profiles.iter().any(matched))?;
        }
        Ok(())
    }

    fn check_side(
        &self,
        row: usize,
        side: usize,
        makes: bool,
        changes: bool,
    ) -> Result<(), Box<Reject>> {
        let plan = &self.plan.sides[side];
        let (makes, changes) = (makes && self.creates(), changes && self.updates());
        for (place, field) in plan
            .fields
            .iter()
            .enumerate()
            .filter(|(_, field)| field.required)
        {
            let slot = self.chunk.slot(row, side, place);
            let made_empty = !matches!(slot, Slot::Set(..)) && field.default.is_none();
            let cleared = slot == Slot::Blank
                && !self.plan.policies.ignore_empty_fields
                && place >= plan.keys;
            if (makes && made_empty) || (changes && cleared) {
                return Err(self.required(row, side, &field_name(self.plan, side, field)));
            }
        }
        let missing = plan
            .others
            .iter()
            .find(|field| field.required && field.default.is_none());
        match missing {
            Some(field) if makes => {
                Err(self.required(row, side, &field_name(self.plan, side, field)))
            }
            _ => Ok(()),
        }
    }

    fn required(&self, row: usize, side: usize, column: &str) -> Box<Reject> {
        let what = self.plan.sides[side].what();
        let expected = format!("a value: no {what} may be without this field");
        self.reject(row, Some(column.to_owned()), Code::Required, &expected)
    }

    fn reject(
        &self,
        row: usize,
        column: Option<String>,
        code: Code,
        expected: &str,
    ) -> Box<Reject> {
        let position = self.chunk.rows[row];
        Box::new(Reject {
            number: position.number,
            line: position.line,
            column,
            code,
            value: None,
            expected: expected.to_owned(),
        })
    }
}

//! Decides what the rows of a chunk do, in their order: row N sees what row N-1 did. Pure: it is
//! given what the keys match in the database, and says what is to be written.

use foldhash::{HashMap, HashMapExt};
use longshore_core::definition::{Action, DeleteTarget};
use longshore_core::import::{Effects, Reject, RowOutcome};
use longshore_core::plan::Plan;
use longshore_core::policies::OnMultipleMatches;
use longshore_core::store::chunks::Done;
use smallvec::{SmallVec, smallvec};

use super::cells::Cells;
use super::chunk::{Chunk, Key, Slot};
use super::links::Links;

/// A profile or subprofile, in the database or about to be.
pub(crate) struct Entity<'a> {
    /// None until it is written for the first time.
    pub(crate) id: Option<i64>,
    /// The row that makes it, for a new one.
    pub(crate) row: usize,
    /// For a subprofile: its profile, among the entities of side 0.
    pub(crate) parent: usize,
    pub(crate) cells: Cells<'a>,
    /// When it was last changed, in microseconds, where versions are checked.
    pub(crate) updated_at: Option<i64>,
    /// Made by a row of this piece.
    pub(crate) new: bool,
    pub(crate) changed: bool,
    pub(crate) deleted: bool,
}

/// The entities of one side, and which key means which of them.
pub(crate) struct Known<'a> {
    pub(crate) entities: Vec<Entity<'a>>,
    groups: Groups<'a>,
}

/// Places among the entities of a side; hardly ever more than one.
pub(crate) type Places = SmallVec<[usize; 2]>;

/// What each key means. Profiles are found by the place of the row's key among all keys, which is known
/// already; others by their parent and key.
enum Groups<'a> {
    OfRows(Vec<Option<u32>>, Vec<Places>),
    OfKeys(HashMap<(usize, Key<'a>), Places>),
}

impl<'a> Known<'a> {
    pub(crate) fn new() -> Known<'a> {
        Known {
            entities: Vec::new(),
            groups: Groups::OfKeys(HashMap::new()),
        }
    }

    /// Of profiles, by the places of keys that the rows have, of so many.
    pub(crate) fn of_rows(places: Vec<Option<u32>>, keys: usize) -> Known<'a> {
        Known {
            entities: Vec::with_capacity(keys),
            groups: Groups::OfRows(places, vec![Places::new(); keys]),
        }
    }

    /// Adds what was found, or made, under a key of a parent (0 for profiles).
    pub(crate) fn add(&mut self, parent: usize, key: Option<Key<'a>>, entity: Entity<'a>) -> usize {
        let place = self.entities.len();
        self.entities.push(entity);
        match (&mut self.groups, key) {
            (Groups::OfKeys(groups), Some(key)) => {
                groups.entry((parent, key)).or_default().push(place);
            }
            (Groups::OfRows(places, groups), Some(key)) => {
                if let Some(group) = places[key.row].and_then(|of| groups.get_mut(of as usize)) {
                    group.push(place);
                }
            }
            (_, None) => {}
        }
        place
    }

    /// What a key means now.
    pub(crate) fn matched(&self, parent: usize, key: Key<'a>) -> Places {
        let group = match &self.groups {
            Groups::OfKeys(groups) => groups.get(&(parent, key)),
            Groups::OfRows(places, groups) => {
                places[key.row].and_then(|of| groups.get(of as usize))
            }
        };
        let group = group.into_iter().flatten();
        group
            .copied()
            .filter(|place| !self.entities[*place].deleted)
            .collect()
    }
}

/// What some rows come to.
pub(crate) struct Decision<'a> {
    /// What is to be written, by side.
    pub(crate) sides: Vec<Known<'a>>,
    /// Links that are made or undone, by side.
    pub(crate) links: Vec<Links>,
    /// What the rows did, of an import that has the chunk for itself.
    pub(crate) done: Done,
    /// What those of each import did, where several share the chunk.
    pub(crate) of_imports: Vec<Done>,
    pub(crate) rejects: Vec<Reject>,
}

/// Decides these rows, in their order. `sides` is what their keys were found to match, `links` which of the
/// links between these stand.
pub(crate) fn decide<'a>(
    plan: &'a Plan,
    chunk: &'a Chunk,
    rows: &[usize],
    (sides, links): (Vec<Known<'a>>, Vec<Links>),
) -> Decision<'a> {
    let decision = Decision {
        sides,
        links,
        done: Done::default(),
        of_imports: Vec::new(),
        rejects: Vec::new(),
    };
    let mut run = Run {
        plan,
        chunk,
        decision,
    };
    for row in rows {
        run.close_imports_before(*row);
        match run.row(*row) {
            Ok(outcome) => run.decision.done.totals.count(outcome),
            Err(reject) => {
                run.decision.done.totals.rejected += 1;
                run.decision.rejects.push(*reject);
            }
        }
    }
    run.close_imports_before(chunk.rows.len());
    run.decision
}

pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) chunk: &'a Chunk,
    pub(super) decision: Decision<'a>,
}

impl<'a> Run<'a> {
    /// Whoever shares the chunk has books of its own.
    fn close_imports_before(&mut self, row: usize) {
        let Decision {
            done, of_imports, ..
        } = &mut self.decision;
        let ends = &self.chunk.ends;
        while ends.get(of_imports.len()).is_some_and(|end| *end <= row) {
            of_imports.push(std::mem::take(done));
        }
    }

    /// One row. A reject is found before anything of the row is done.
    fn row(&mut self, row: usize) -> Result<RowOutcome, Box<Reject>> {
        let profiles = self.matched(row, 0, 0);
        self.check_matches(row, &profiles)?;
        match self.plan.action {
            Action::Delete => Ok(self.delete(row, &profiles)),
            Action::Update if profiles.is_empty() => Ok(RowOutcome::Ignored),
            _ => {
                self.check(row, &profiles)?;
                Ok(self.write(row, profiles))
            }
        }
    }

    fn key(&self, row: usize, side: usize) -> Key<'a> {
        Key {
            chunk: self.chunk,
            row,
            side,
            cells: self.plan.sides[side].keys,
        }
    }

    pub(super) fn matched(&self, row: usize, side: usize, parent: usize) -> Places {
        if self.plan.action == Action::Add || self.chunk.keyless.contains(&(row, side)) {
            return Places::new();
        }
        let mut matched = self.decision.sides[side].matched(parent, self.key(row, side));
        if self.plan.policies.on_multiple_matches == OnMultipleMatches::Newest {
            // In the order of ids, which is that of their making; what is new stands last.
            matched.drain(..matched.len().saturating_sub(1));
        }
        matched
    }

    /// The collections that the row brings something for.
    pub(super) fn brought(&self, row: usize) -> impl Iterator<Item = usize> + use<'a> {
        let chunk = self.chunk;
        (1..self.plan.sides.len()).filter(move |side| chunk.brings(row, *side))
    }

    pub(super) fn creates(&self) -> bool {
        matches!(
            self.plan.action,
            Action::Add | Action::UpdateOrAdd | Action::IgnoreOrAdd
        )
    }

    pub(super) fn updates(&self) -> bool {
        matches!(self.plan.action, Action::Update | Action::UpdateOrAdd)
    }

    fn write(&mut self, row: usize, profiles: Places) -> RowOutcome {
        let (mut outcome, profiles) = self.write_side(row, 0, 0, profiles);
        for side in self.brought(row) {
            if self.is_linked(side) {
                outcome = outcome.max(self.write_linked(row, side, &profiles));
                continue;
            }
            for parent in &profiles {
                let matched = self.matched(row, side, *parent);
                let (of_side, _) = self.write_side(row, side, *parent, matched);
                outcome = outcome.max(of_side);
            }
        }
        outcome
    }

    pub(super) fn is_linked(&self, side: usize) -> bool {
        self.plan.sides[side].link.is_some()
    }

    /// Applies the row to profiles of another database, and links these with its own.
    fn write_linked(&mut self, row: usize, side: usize, profiles: &[usize]) -> RowOutcome {
        let matched = self.matched(row, side, 0);
        let (mut outcome, others) = self.write_side(row, side, 0, matched);
        if !self.creates() {
            return outcome;
        }
        for pair in profiles
            .iter()
            .flat_map(|own| others.iter().map(move |other| (*own, *other)))
        {
            if self.decision.links[side].set(pair, true) {
                self.decision.done.links.created += 1;
                outcome = outcome.max(RowOutcome::Updated);
            }
        }
        outcome
    }

    /// Applies the row to one side; returns what it did and to whom.
    fn write_side(
        &mut self,
        row: usize,
        side: usize,
        parent: usize,
        matched: Places,
    ) -> (RowOutcome, Places) {
        if matched.is_empty() {
            if !self.creates() {
                return (RowOutcome::Ignored, matched);
            }
            let entity = self.new_entity(row, side, parent);
            let at = (row, side);
            let keyed =
                !self.chunk.keyless.contains(&at) || self.chunk.keyed_by_default.contains(&at);
            let matchable = self.plan.action != Action::Add && keyed;
            let key = matchable.then(|| self.key(row, side));
            let made = self.decision.sides[side].add(parent, key, entity);
            self.effects(side).created += 1;
            return (RowOutcome::Created, smallvec![made]);
        }
        if !self.updates() {
            return (RowOutcome::Ignored, matched);
        }
        let mut outcome = RowOutcome::Unchanged;
        for place in &matched {
            if self.change(row, side, *place) {
                self.effects(side).updated += 1;
                outcome = RowOutcome::Updated;
            }
        }
        (outcome, matched)
    }

    fn effects(&mut self, side: usize) -> &mut Effects {
        match side {
            0 => &mut self.decision.done.profiles,
            side if self.plan.sides[side].link.is_some() => &mut self.decision.done.linked,
            _ => &mut self.decision.done.subprofiles,
        }
    }

    fn new_entity(&self, row: usize, side: usize, parent: usize) -> Entity<'a> {
        let fields = self.plan.sides[side].fields.iter().enumerate();
        let cells = fields.map(|(place, field)| match self.chunk.slot(row, side, place) {
            Slot::Set(start, end) => Some(self.chunk.bytes((start, end))),
            Slot::Blank | Slot::Absent => field.default.as_deref(),
        });
        Entity {
            id: None,
            row,
            parent,
            cells: Cells::Made(cells.collect()),
            updated_at: None,
            new: true,
            changed: false,
            deleted: false,
        }
    }

    /// Keys say who is meant and are not written; whatever else the row brings is.
    fn change(&mut self, row: usize, side: usize, place: usize) -> bool {
        let (keys, fields) = (
            self.plan.sides[side].keys,
            self.plan.sides[side].fields.len(),
        );
        let (chunk, blank_is_absent) = (self.chunk, self.plan.policies.ignore_empty_fields);
        let brought = |field: usize| match chunk.slot(row, side, field) {
            Slot::Absent => None,
            Slot::Blank if blank_is_absent => None,
            Slot::Blank => Some(None),
            Slot::Set(start, end) => Some(Some(chunk.bytes((start, end)))),
        };
        let entity = &mut self.decision.sides[side].entities[place];
        // What was found brings no keys.
        let first = if entity.new { keys } else { 0 };
        let changed = entity.cells.take(first, (keys..fields).map(brought));
        entity.changed |= changed;
        changed
    }

    fn delete(&mut self, row: usize, profiles: &[usize]) -> RowOutcome {
        if self.plan.delete_target == DeleteTarget::Profile {
            return self.delete_places(0, profiles);
        }
        let mut outcome = RowOutcome::Ignored;
        for side in self.brought(row) {
            if self.is_linked(side) {
                outcome = outcome.max(self.unlink(row, side, profiles));
                continue;
            }
            for parent in profiles {
                let matched = self.matched(row, side, *parent);
                outcome = outcome.max(self.delete_places(side, &matched));
            }
        }
        outcome
    }

    fn unlink(&mut self, row: usize, side: usize, profiles: &[usize]) -> RowOutcome {
        let mut outcome = RowOutcome::Ignored;
        for other in self.matched(row, side, 0) {
            for own in profiles {
                if self.decision.links[side].set((*own, other), false) {
                    self.decision.done.links.deleted += 1;
                    outcome = RowOutcome::Deleted;
                }
            }
        }
        outcome
    }

    fn delete_places(&mut self, side: usize, places: &[usize]) -> RowOutcome {
        for place in places {
            self.decision.sides[side].entities[*place].deleted = true;
        }
        self.effects(side).deleted += places.len() as i64;
        if places.is_empty() {
            RowOutcome::Ignored
        } else {
            RowOutcome::Deleted
        }
    }
}

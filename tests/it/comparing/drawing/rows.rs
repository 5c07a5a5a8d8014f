//! Draws the rows of an import, cell by cell. More than half of them are about a profile that is
//! there, so that keys and versions meet what they were made for.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::asking::Asked;
use super::values::{misfit, values};
use super::{About, Column, Ground, Known, Schema};
use crate::model::{Cell, LINKED, PROFILE, Row, SUBPROFILE};

pub(super) struct Drawing<'a> {
    pub(super) schema: &'a Schema,
    pub(super) ground: &'a Ground,
    pub(super) asked: &'a Asked,
    pub(super) columns: &'a [Column],
}

/// A cell as it is written (none: not at all), and what it means.
type Written = (Option<Value>, Cell);

/// What holds for all cells of a row.
struct Mood<'a> {
    may_lack: bool,
    is_blank: [bool; 3],
    about: [Option<&'a Known>; 2],
    about_child: Option<&'a Vec<Value>>,
}

impl Drawing<'_> {
    pub(super) fn row(&self, random: &mut StdRng, may_lack: bool) -> (Vec<Option<Value>>, Row) {
        let home = self.asked.meant.home;
        let mut about = |database: usize| {
            let wanted = random.random_bool(0.65);
            favourite(random, &self.ground.known[database]).filter(|_| wanted)
        };
        let about = [about(home), about(1 - home)];
        let mood = Mood {
            may_lack,
            about,
            about_child: about[0].and_then(|known| favourite(random, &known.children)),
            is_blank: [false, random.random_bool(0.2), random.random_bool(0.2)],
        };
        let sizes = [PROFILE, SUBPROFILE, LINKED].map(|side| match side {
            SUBPROFILE => self.schema.fields(home, side).len(),
            _ => self.schema.uid(home, side) + 1,
        });
        let mut row = Row {
            id: Cell::Absent,
            version: Cell::Absent,
            overrides: Cell::Absent,
            cells: sizes.map(|size| vec![Cell::Absent; size]),
        };
        let mut line = Vec::new();
        for column in self.columns {
            let (written, cell) = match column.about {
                About::Field(side, place) => self.field(random, (side, place), &mood),
                About::Id => self.id(random, &mood),
                About::Version => self.version(random, &mood),
                About::Override => plain(random, "boolean", &mood),
                About::Nothing => (Some(json!("green")), Cell::Absent),
            };
            match column.about {
                About::Field(side, place) => row.cells[side][place] = cell,
                About::Id => row.id = cell,
                About::Version => row.version = cell,
                About::Override => row.overrides = cell,
                About::Nothing => {}
            }
            line.push(written);
        }
        (line, row)
    }

    fn field(
        &self,
        random: &mut StdRng,
        (side, place): (usize, usize),
        mood: &Mood<'_>,
    ) -> Written {
        let kind = self.schema.kind(self.asked.meant.home, side, place);
        if mood.is_blank[side] {
            return blank(random, mood);
        }
        let about = match side {
            PROFILE => mood.about[0].map(|known| &known.values),
            LINKED => mood.about[1].map(|known| &known.values),
            _ => mood.about_child.filter(|_| random.random_bool(0.7)),
        };
        let is_key = self.asked.meant.keys[side].contains(&place);
        let same = about.filter(|_| is_key).and_then(|values_there| {
            let fits = |(_, kept): &(&str, Value)| *kept == values_there[place];
            values(kind).into_iter().find(fits)
        });
        if let Some((text, kept)) = same {
            return (Some(json!(text)), Cell::Holds(kept));
        }
        let written = plain(random, kind, mood);
        // Rows without a key are passed over or refused, and say little else.
        match is_key && !written.1.is_held() && random.random_bool(0.5) {
            true => plain(random, kind, mood),
            false => written,
        }
    }

    /// The profile's id; one that nobody has, one of the other database, or none at all.
    fn id(&self, random: &mut StdRng, mood: &Mood<'_>) -> Written {
        let home = self.asked.meant.home;
        let elsewhere = self.ground.known[1 - home].choose(random);
        match (random.random_range(0..100), mood.about[0], elsewhere) {
            (0..5, _, Some(other)) => {
                let misfit = Cell::Misfit("invalid_id");
                (Some(json!(other.id)), misfit)
            }
            (5..10, _, _) => (Some(json!("nobody")), Cell::Misfit("invalid_id")),
            (10..18, _, _) => {
                let id = &self.ground.ids_of_nobody[home];
                (Some(json!(id)), Cell::Holds(0.into()))
            }
            (18..28, _, _) | (_, None, _) => blank(random, mood),
            (_, Some(known), _) => (Some(json!(known.id)), Cell::Holds(known.number.into())),
        }
    }

    /// The version that the row's profile has, that of another, one of long ago, or none.
    fn version(&self, random: &mut StdRng, mood: &Mood<'_>) -> Written {
        let home = self.asked.meant.home;
        let other = self.ground.known[home].choose(random);
        let held = |text: &str| (Some(json!(text)), Cell::Holds(json!(text)));
        let known = mood.about[0].or(other);
        match (random.random_range(0..100), known) {
            (0..8, _) => held("2001-01-01T00:00:00Z"),
            (8..11, _) => (Some(json!("yesterday")), Cell::Misfit("invalid_datetime")),
            (11..18, _) | (_, None) => blank(random, mood),
            (18..45, Some(known)) => held(&format!("{}Z", &known.version[..19])),
            (_, Some(known)) => held(&known.version),
        }
    }
}

/// The oldest as often as all others: what several imports are about gathers subprofiles and links.
fn favourite<'a, T>(random: &mut StdRng, things: &'a [T]) -> Option<&'a T> {
    match random.random_bool(0.5) {
        true => things.first(),
        false => things.choose(random),
    }
}

fn blank(random: &mut StdRng, mood: &Mood<'_>) -> Written {
    match (mood.may_lack, random.random_range(0..4)) {
        (true, 0) => (None, Cell::Absent),
        (true, 1) => (Some(Value::Null), Cell::Blank),
        _ => (Some(json!("")), Cell::Blank),
    }
}

fn plain(random: &mut StdRng, kind: &str, mood: &Mood<'_>) -> Written {
    match random.random_range(0..100) {
        0..8 if mood.may_lack => (None, Cell::Absent),
        0 => {
            let (text, code) = misfit(kind);
            (Some(json!(text)), Cell::Misfit(code))
        }
        1..13 => blank(random, mood),
        _ => {
            let (text, kept) = values(kind).choose(random).unwrap().clone();
            (Some(json!(text)), Cell::Holds(kept))
        }
    }
}

//! Draws two small databases that are linked: people with orders, and companies.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::values::{KINDS, UID, values};
use crate::model::{Database, Field, LINKED, PROFILE, SUBPROFILE};

/// A field with the type that it is drawn from.
#[derive(Debug, Clone)]
pub(crate) struct DrawnField {
    pub(crate) rules: Field,
    kind: &'static str,
    default: Option<Value>,
}

impl DrawnField {
    fn draw(random: &mut StdRng, name: String, may_be_key: bool) -> DrawnField {
        // Texts and e-mails are what keys are mostly made of; a multiselect, which is the last of
        // the kinds, cannot be one.
        let kinds = &KINDS[..KINDS.len() - usize::from(may_be_key)];
        let kind = match random.random_bool(0.4) {
            true => *["text", "email"].choose(random).unwrap(),
            false => *kinds.choose(random).unwrap(),
        };
        let text = matches!(kind, "text" | "email" | "phone" | "select");
        let default = random
            .random_bool(0.2)
            .then(|| values(kind).choose(random).unwrap().clone())
            .map(|(_, kept)| kept);
        let rules = Field {
            name,
            text,
            ignores_case: kind == "email" || (text && random.random_bool(0.3)),
            exact: false,
            required: random.random_bool(0.1),
            unique: kind != "multiselect" && random.random_bool(0.08),
            default: default.clone().unwrap_or(Value::Null),
        };
        DrawnField {
            rules,
            kind,
            default,
        }
    }

    fn definition(&self) -> Value {
        let rules = &self.rules;
        let mut field = json!({"name": rules.name, "type": self.kind, "required": rules.required,
            "unique": rules.unique});
        if rules.text {
            field["case_insensitive"] = json!(rules.ignores_case);
        }
        if let Some(default) = &self.default {
            field["default"] = default.clone();
        }
        if matches!(self.kind, "select" | "multiselect") {
            field["options"] = json!(["red", "Red", "blue"]);
        }
        field
    }
}

/// Two databases: the fields of their profiles, and of the collection `Orders` of the first.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    pub(crate) names: [String; 2],
    pub(crate) profiles: [Vec<DrawnField>; 2],
    pub(crate) orders: Vec<DrawnField>,
    /// The side of the first database that is matched by one combination of key fields only:
    /// a database has room for eight of them.
    steady: usize,
}

/// The name that each database has for the link.
pub(crate) const LINKS: [&str; 2] = ["Companies", "People"];

impl Schema {
    pub(crate) fn draw(random: &mut StdRng, seed: u64) -> Schema {
        let mut side = |letter: &str, count: usize| -> Vec<DrawnField> {
            let draw = |place| DrawnField::draw(random, format!("{letter}{place}"), place < 2);
            (0..count).map(draw).collect()
        };
        Schema {
            names: ["people", "companies"].map(|name| format!("{name}-{seed}")),
            profiles: [side("f", 4), side("c", 3)],
            orders: side("g", 3),
            steady: *[PROFILE, SUBPROFILE].choose(random).unwrap(),
        }
    }

    /// The databases as they are made, and their link.
    pub(crate) fn definitions(&self) -> ([Value; 2], Value) {
        let fields = |side: &[DrawnField]| -> Vec<Value> {
            side.iter().map(DrawnField::definition).collect()
        };
        let orders = json!({"name": "Orders", "fields": fields(&self.orders)});
        let mut databases = [0, 1].map(
            |place| json!({"name": self.names[place], "fields": fields(&self.profiles[place])}),
        );
        databases[0]["collections"] = json!([orders]);
        let link = json!({"name": LINKS[0], "database": self.names[1], "reverse": LINKS[1]});
        (databases, link)
    }

    /// The databases as the model has them.
    pub(crate) fn databases(&self) -> [Database; 2] {
        let rules = |side: &[DrawnField]| side.iter().map(|field| field.rules.clone()).collect();
        [
            Database::new(rules(&self.profiles[0]), rules(&self.orders)),
            Database::new(rules(&self.profiles[1]), Vec::new()),
        ]
    }

    /// The fields of a side, as an import into this database sees it.
    pub(super) fn fields(&self, home: usize, side: usize) -> &[DrawnField] {
        match side {
            PROFILE => &self.profiles[home],
            LINKED => &self.profiles[1 - home],
            SUBPROFILE if home == 0 => &self.orders,
            _ => &[],
        }
    }

    /// One key field of a side, or two.
    pub(super) fn keys(&self, random: &mut StdRng, (home, side): (usize, usize)) -> Vec<usize> {
        let in_first = (home == 0) != (side == LINKED);
        let is_steady = in_first && (side == SUBPROFILE) == (self.steady == SUBPROFILE);
        match is_steady || random.random_bool(0.5) {
            true => vec![0],
            false => vec![0, 1],
        }
    }

    /// The place of the caller's own id on a side.
    pub(super) fn uid(&self, home: usize, side: usize) -> usize {
        self.fields(home, side).len()
    }

    /// The type that a place of a side is drawn from.
    pub(super) fn kind(&self, home: usize, side: usize, place: usize) -> &'static str {
        let field = self.fields(home, side).get(place);
        field.map_or(UID, |field| field.kind)
    }

    /// The name of a field in key fields and columns.
    pub(super) fn address(&self, home: usize, side: usize, place: usize) -> String {
        let name = &self.fields(home, side)[place].rules.name;
        match side {
            PROFILE => name.clone(),
            LINKED => format!("{}.{name}", LINKS[home]),
            _ => format!("Orders.{name}"),
        }
    }
}

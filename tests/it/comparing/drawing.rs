//! Draws small databases, and imports that meet often: few values, many duplicates, blanks and
//! misfits. Each cell is drawn with what it means, so that the model need not read any text.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Map, Value, json};

use super::word;
use crate::model::{Action, Cell, Field, Import, Thing};

/// A field with the type that it is drawn from.
#[derive(Debug, Clone)]
pub(super) struct DrawnField {
    pub(super) rules: Field,
    kind: &'static str,
    default: Option<Value>,
}

/// A database: the fields of its profiles, and of its collection `Orders`.
#[derive(Debug, Clone)]
pub(super) struct Schema {
    pub(super) fields: [Vec<DrawnField>; 2],
}

/// What cells of a type say, and what is kept of it.
fn values(kind: &str) -> Vec<(&'static str, Value)> {
    let same = |texts: &[&'static str]| texts.iter().map(|text| (*text, json!(text))).collect();
    match kind {
        "text" => same(&["a", "A", "ü", "Ü", " ", "=x, \"y\"\n", "00123"]),
        "integer" => vec![
            ("1", json!(1)),
            ("01", json!(1)),
            ("-3", json!(-3)),
            ("0", json!(0)),
        ],
        "number" => vec![
            ("1.50", json!(1.5)),
            ("-0", json!(0)),
            ("0.0", json!(0)),
            ("2", json!(2)),
        ],
        "boolean" => vec![("true", json!(true)), ("FALSE", json!(false))],
        "date" => same(&["2024-02-29", "1999-12-31"]),
        "datetime" => vec![
            ("2024-01-01T00:00:00Z", json!("2024-01-01T00:00:00Z")),
            ("2024-01-01 01:00:00+01:00", json!("2024-01-01T00:00:00Z")),
            ("2024-01-01T00:00:01Z", json!("2024-01-01T00:00:01Z")),
        ],
        "email" => same(&["a@x.example", "A@X.example", "ü@x.example", "Ü@x.example"]),
        "phone" => same(&["112", "+31 20 1234567"]),
        "select" => same(&["red", "Red", "blue"]),
        _ => vec![
            ("red", json!(["red"])),
            ("blue;red", json!(["red", "blue"])),
            ("red;blue", json!(["red", "blue"])),
        ],
    }
}

fn misfits(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "text" => ("nul\0", "nul_character"),
        "integer" => ("1.5", "invalid_integer"),
        "number" => ("1e3", "invalid_number"),
        "boolean" => ("yes", "invalid_boolean"),
        "date" => ("2023-02-29", "invalid_date"),
        "datetime" => ("2024-01-01", "invalid_datetime"),
        "email" => ("a@x", "invalid_email"),
        "phone" => ("no", "invalid_phone"),
        _ => ("green", "not_allowed_value"),
    }
}

const KINDS: [&str; 10] = [
    "text",
    "integer",
    "number",
    "boolean",
    "date",
    "datetime",
    "email",
    "phone",
    "select",
    "multiselect",
];

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
            .then(|| values(kind).choose(random).unwrap().clone());
        let rules = Field {
            name,
            text,
            ignores_case: kind == "email" || (text && random.random_bool(0.3)),
            required: random.random_bool(0.15),
            unique: kind != "multiselect" && random.random_bool(0.15),
            default: default
                .as_ref()
                .map_or(Value::Null, |(_, kept)| kept.clone()),
        };
        DrawnField {
            rules,
            kind,
            default: default.map(|(_, kept)| kept),
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

impl Schema {
    pub(super) fn draw(random: &mut StdRng) -> Schema {
        let mut side = |letter: &str, count: usize| {
            let draw = |place| DrawnField::draw(random, format!("{letter}{place}"), place < 2);
            (0..count).map(draw).collect()
        };
        Schema {
            fields: [side("f", 4), side("g", 3)],
        }
    }

    pub(super) fn definition(&self, name: &str) -> Value {
        let [fields, orders] = self.fields.each_ref().map(|side| {
            let fields: Vec<Value> = side.iter().map(DrawnField::definition).collect();
            json!(fields)
        });
        json!({"name": name, "fields": fields, "collections": [{"name": "Orders", "fields": orders}]})
    }

    /// A profile of the model as it is found.
    pub(super) fn shown(&self, profile: &Thing) -> Value {
        let fields = |side: usize, thing: &Thing| {
            let names = self.fields[side]
                .iter()
                .map(|field| field.rules.name.clone());
            Value::Object(
                names
                    .zip(thing.values.iter().cloned())
                    .collect::<Map<_, _>>(),
            )
        };
        let orders: Vec<Value> = profile
            .children
            .iter()
            .map(|child| fields(1, child))
            .collect();
        json!({"fields": fields(0, profile), "orders": orders})
    }
}

/// An import as it is submitted, and as it is meant.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    pub(super) definition: Value,
    pub(super) meant: Import,
}

/// A column of the payload: its name, and the field that it goes into.
struct Column {
    name: String,
    side: usize,
    field: usize,
}

impl Drawn {
    pub(super) fn draw(random: &mut StdRng, schema: &Schema, database: &str) -> Drawn {
        let (action, _) = *Action::ALL.choose(random).unwrap();
        // Deletion empties the database: half as often.
        let action = match action {
            Action::Delete if random.random_bool(0.5) => Action::UpdateOrAdd,
            other => other,
        };
        let deletes_subprofiles = action == Action::Delete && random.random_bool(0.6);
        let with_orders = deletes_subprofiles || random.random_bool(0.6);
        let mut keys = [0, 1].map(|_| {
            if random.random_bool(0.6) {
                vec![0]
            } else {
                vec![0, 1]
            }
        });
        if !with_orders {
            keys[1].clear();
        }
        let columns = columns(random, schema, &keys, with_orders);
        let format = *["csv", "json", "ndjson"].choose(random).unwrap();
        let mut rows = Vec::new();
        let mut lines = Vec::new();
        for place in 0..random.random_range(1..=14) {
            let mut meant = schema
                .fields
                .each_ref()
                .map(|side| vec![Cell::Absent; side.len()]);
            let mut line: Vec<Option<Value>> = Vec::new();
            // The first row names all columns; later ones may lack some, which CSV cannot.
            let may_lack = place > 0 && format != "csv";
            let without_order = random.random_bool(0.2);
            for column in &columns {
                let field = &schema.fields[column.side][column.field];
                let blank = column.side == 1 && without_order;
                let (text, cell) = draw_cell(random, field.kind, may_lack, blank);
                meant[column.side][column.field] = cell;
                line.push(text);
            }
            rows.push(meant);
            lines.push(line);
        }
        let mut definition = json!({"database": database, "action": word(action), "format": format,
            "source": source(format, &columns, &lines)});
        if action != Action::Add {
            definition["key_fields"] = key_names(schema, &keys);
        }
        let keeps_blanks = random.random_bool(0.3);
        definition["ignore_empty_fields"] = json!(keeps_blanks);
        if deletes_subprofiles {
            definition["delete_target"] = json!("subprofile");
        }
        let meant = Import {
            action,
            keeps_blanks,
            deletes_subprofiles,
            keys,
            rows,
        };
        Drawn { definition, meant }
    }
}

fn columns(
    random: &mut StdRng,
    schema: &Schema,
    keys: &[Vec<usize>; 2],
    with_orders: bool,
) -> Vec<Column> {
    let mut columns = Vec::new();
    for (side, fields) in schema
        .fields
        .iter()
        .enumerate()
        .take(1 + usize::from(with_orders))
    {
        for (place, field) in fields.iter().enumerate() {
            if keys[side].contains(&place) || random.random_bool(0.8) {
                let name = &field.rules.name;
                let name = if side == 0 {
                    name.clone()
                } else {
                    format!("Orders.{name}")
                };
                columns.push(Column {
                    name,
                    side,
                    field: place,
                });
            }
        }
    }
    columns
}

fn key_names(schema: &Schema, keys: &[Vec<usize>; 2]) -> Value {
    let name = |side: usize, key: usize| {
        let name = &schema.fields[side][key].rules.name;
        if side == 0 {
            name.clone()
        } else {
            format!("Orders.{name}")
        }
    };
    let names = (0..2).flat_map(|side| keys[side].iter().map(move |key| name(side, *key)));
    json!(names.collect::<Vec<_>>())
}

/// The cell as it is written (none: not at all), and what it means.
fn draw_cell(
    random: &mut StdRng,
    kind: &str,
    may_lack: bool,
    blank: bool,
) -> (Option<Value>, Cell) {
    match random.random_range(0..100) {
        0..10 if may_lack => (None, Cell::Absent),
        0..3 if !blank => {
            let (text, code) = misfits(kind);
            (Some(json!(text)), Cell::Misfit(code))
        }
        roll if blank || roll < 18 => {
            let null = may_lack && random.random_bool(0.5);
            (
                Some(if null { Value::Null } else { json!("") }),
                Cell::Blank,
            )
        }
        _ => {
            let (text, kept) = values(kind).choose(random).unwrap().clone();
            (Some(json!(text)), Cell::Holds(kept))
        }
    }
}

fn source(format: &str, columns: &[Column], lines: &[Vec<Option<Value>>]) -> Value {
    let object = |line: &Vec<Option<Value>>| {
        let members = columns.iter().zip(line).filter_map(|(column, value)| {
            Some(format!("{}:{}", json!(column.name), value.clone()?))
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    };
    let objects: Vec<String> = lines.iter().map(object).collect();
    match format {
        "json" => json!(format!("[{}]", objects.join(","))),
        "ndjson" => json!(objects.join("\n")),
        _ => {
            let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
            let header: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
            let cell =
                |value: &Option<Value>| quoted(value.as_ref().and_then(Value::as_str).unwrap());
            let line =
                |line: &Vec<Option<Value>>| line.iter().map(cell).collect::<Vec<_>>().join(",");
            let lines: Vec<String> = std::iter::once(header.join(","))
                .chain(lines.iter().map(line))
                .collect();
            json!(lines.join("\n"))
        }
    }
}

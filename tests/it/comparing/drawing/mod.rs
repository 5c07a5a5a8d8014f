//! Draws small databases, and imports that meet often: few values, many duplicates, blanks and
//! misfits. Each cell is drawn with what it means, so that the model need not read any text.

mod asking;
mod rows;
mod schema;
mod values;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use crate::model::{Import, LINKED, PROFILE};
use asking::Asked;
pub(super) use schema::{LINKS, Schema};

/// A profile that is there, as a client sees it, and as the model knows it.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) number: u64,
    pub(super) id: String,
    pub(super) version: String,
    pub(super) values: Vec<Value>,
    pub(super) children: Vec<Vec<Value>>,
}

/// What is known when an import is drawn: the profiles of both databases, and ids that nobody has.
pub(super) struct Ground {
    pub(super) known: [Vec<Known>; 2],
    pub(super) ids_of_nobody: [String; 2],
    /// Whether versions may be asked for.
    pub(super) with_versions: bool,
}

/// An import as it is submitted, and as it is meant.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    pub(super) definition: Value,
    pub(super) meant: Import,
    columns: Vec<Column>,
    lines: Vec<Line>,
}

/// What is written in a row, by column.
type Line = Vec<Option<Value>>;

/// A column of the payload: its name, and what it is about.
#[derive(Debug, Clone)]
struct Column {
    name: String,
    about: About,
}

#[derive(Debug, Clone, Copy)]
enum About {
    Field(usize, usize),
    Id,
    Version,
    Override,
    Nothing,
}

impl Drawn {
    pub(super) fn draw(random: &mut StdRng, schema: &Schema, ground: &Ground) -> Drawn {
        let asked = Asked::draw(random, schema, ground.with_versions);
        let columns = columns(random, schema, &asked);
        let format = *["csv", "json", "ndjson"].choose(random).unwrap();
        let mut lines = Vec::new();
        let mut meant = asked.meant.clone();
        // JSON without rows has no columns either, and is refused for that.
        let least = usize::from(format != "csv");
        let count = match random.random_bool(0.03) {
            true => least,
            false => random.random_range(1..=12),
        };
        let drawing = rows::Drawing {
            schema,
            ground,
            asked: &asked,
            columns: &columns,
        };
        for place in 0..count {
            // The first row names all columns; later ones may lack some, which CSV cannot.
            let may_lack = place > 0 && format != "csv";
            let (line, row) = drawing.row(random, may_lack);
            lines.push(line);
            meant.rows.push(row);
        }
        let mut definition = Value::Object(asked.members(schema));
        definition["format"] = json!(format);
        definition["source"] = source(format, &columns, &lines);
        Drawn {
            definition,
            meant,
            columns,
            lines,
        }
    }

    /// Its first rows alone.
    pub(super) fn cut(mut self, rows: usize) -> Drawn {
        self.meant.rows.truncate(rows);
        self.lines.truncate(rows);
        let format = self.definition["format"].as_str().unwrap();
        self.definition["source"] = source(format, &self.columns, &self.lines);
        self
    }
}

/// All that is asked for, and of the other fields most.
fn columns(random: &mut StdRng, schema: &Schema, asked: &Asked) -> Vec<Column> {
    let home = asked.meant.home;
    let mut columns = Vec::new();
    let mut column = |name: String, about: About| columns.push(Column { name, about });
    for side in (0..3).filter(|side| asked.sides[*side]) {
        for place in 0..schema.fields(home, side).len() {
            let is_key = asked.meant.keys[side].contains(&place);
            if is_key || random.random_bool(0.75) {
                let name = schema.address(home, side, place);
                column(name, About::Field(side, place));
            }
        }
    }
    let policies = &asked.meant.policies;
    let uid = |side: usize| About::Field(side, schema.uid(home, side));
    for (name, asked, about) in [
        ("id", asked.reads_id(), About::Id),
        ("ref", asked.writes_uid, uid(PROFILE)),
        ("other", asked.links_by_uid, uid(LINKED)),
        ("seen", policies.asks_version, About::Version),
        ("force", asked.asks_override, About::Override),
        ("colour", asked.ignores_unknown, About::Nothing),
    ] {
        asked.then(|| column(name.to_owned(), about));
    }
    if random.random_bool(0.5) {
        columns.reverse();
    }
    columns
}

fn source(format: &str, columns: &[Column], lines: &[Line]) -> Value {
    let object = |line: &Line| {
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
            let line = |line: &Line| line.iter().map(cell).collect::<Vec<_>>().join(",");
            let lines: Vec<String> = std::iter::once(header.join(","))
                .chain(lines.iter().map(line))
                .collect();
            json!(lines.join("\n"))
        }
    }
}

//! The rows that are measured with: people in shuffled order, ten fields, the same each time. A sorted
//! file would flatter every index.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

pub(crate) const COLUMNS: [&str; 10] = [
    "email",
    "first_name",
    "last_name",
    "phone",
    "country",
    "city",
    "age",
    "score",
    "subscribed",
    "signup",
];

/// The payloads of one measurement.
pub(crate) struct Files {
    pub(crate) first: PathBuf,
    /// The same people, half of them with another score and city.
    pub(crate) half_changed: PathBuf,
    pub(crate) json: PathBuf,
    pub(crate) ndjson: PathBuf,
}

impl Files {
    pub(crate) fn write(place: &Path, rows: u64) -> Files {
        let files = Files {
            first: write_csv(&place.join("first.csv"), 0..rows, None),
            half_changed: place.join("half-changed.csv"),
            json: place.join("first.json"),
            ndjson: place.join("first.ndjson"),
        };
        let mut random = StdRng::seed_from_u64(2);
        let mut csv = head(&files.half_changed);
        let mut json = BufWriter::new(File::create(&files.json).unwrap());
        let mut ndjson = BufWriter::new(File::create(&files.ndjson).unwrap());
        for (place, person) in order(0..rows).into_iter().enumerate() {
            let as_first = Person::numbered(person);
            let object = as_first.object();
            let begins = if place == 0 { '[' } else { ',' };
            write!(json, "{begins}{object}").unwrap();
            writeln!(ndjson, "{object}").unwrap();
            let mut changed = as_first;
            if random.random_bool(0.5) {
                changed.score = format!("{:.2}", random.random::<f64>() * 100.0);
                changed.city = "Utrecht";
            }
            writeln!(csv, "{}", changed.line()).unwrap();
        }
        write!(json, "]").unwrap();
        for file in [&mut csv, &mut json, &mut ndjson] {
            file.flush().unwrap();
        }
        files
    }
}

/// The people of these numbers as CSV; the row at this place, if one is given, has an age that is none.
pub(crate) fn write_csv(path: &Path, people: Range<u64>, bad: Option<u64>) -> PathBuf {
    let mut csv = head(path);
    for (place, person) in order(people).into_iter().enumerate() {
        let mut person = Person::numbered(person);
        if bad == Some(place as u64) {
            person.age = "unknown".to_owned();
        }
        writeln!(csv, "{}", person.line()).unwrap();
    }
    csv.flush().unwrap();
    path.to_owned()
}

fn head(path: &Path) -> BufWriter<File> {
    let mut csv = BufWriter::new(File::create(path).unwrap());
    writeln!(csv, "{}", COLUMNS.join(",")).unwrap();
    csv
}

fn order(people: Range<u64>) -> Vec<u64> {
    let mut order: Vec<u64> = people.collect();
    order.shuffle(&mut StdRng::seed_from_u64(7));
    order
}

struct Person {
    number: u64,
    first_name: &'static str,
    last_name: &'static str,
    country: &'static str,
    city: &'static str,
    age: String,
    score: String,
}

impl Person {
    fn numbered(number: u64) -> Person {
        let pick = |words: &[&'static str], factor: u64| {
            words[(number.wrapping_mul(factor) % words.len() as u64) as usize]
        };
        Person {
            number,
            first_name: pick(
                &[
                    "Anna", "Ben", "Chloé", "Dirk", "Elif", "Femke", "Gül", "Hans", "Inès", "Zoë",
                ],
                7,
            ),
            last_name: pick(
                &[
                    "Ackermann",
                    "Brown",
                    "Carlsson",
                    "Dubois",
                    "Evans",
                    "Nuñez",
                    "O'Neil",
                    "van Dijk",
                ],
                3,
            ),
            country: pick(&["NL", "DE", "US", "FR", "BE", "GB", "ES", "IT"], 1),
            city: pick(
                &[
                    "Amsterdam",
                    "Berlin",
                    "Boston",
                    "Paris",
                    "Gent",
                    "London",
                    "Madrid",
                    "Roma",
                ],
                1,
            ),
            age: (18 + number % 70).to_string(),
            score: format!("{}.{:02}", number * 37 % 10_000 / 100, number * 37 % 100),
        }
    }

    /// The cells in the order of the columns.
    fn cells(&self) -> [String; 10] {
        let n = self.number;
        [
            format!("user{n}@example{}.com", n % 97),
            self.first_name.to_owned(),
            self.last_name.to_owned(),
            format!("+31{}", 600_000_000 + n),
            self.country.to_owned(),
            self.city.to_owned(),
            self.age.clone(),
            self.score.clone(),
            (!n.is_multiple_of(3)).to_string(),
            format!("20{}-{:02}-{:02}", 10 + n % 15, 1 + n % 12, 1 + n % 28),
        ]
    }

    fn line(&self) -> String {
        self.cells().join(",")
    }

    fn object(&self) -> String {
        let cells = self.cells();
        let members = COLUMNS.iter().zip(&cells).map(|(name, cell)| match *name {
            "age" | "score" | "subscribed" => format!("\"{name}\":{cell}"),
            _ => format!("\"{name}\":\"{cell}\""),
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

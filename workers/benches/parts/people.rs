//! The rows that are measured with: people of ten fields, the same each time, in each format.

use chrono::DateTime;
use longshore_core::address::AddressRules;
use longshore_core::database::{Database, TableNumber};
use longshore_core::definition;
use longshore_core::field::{Field, FieldType};
use longshore_core::plan::{self, Plan};

/// As many as a chunk has, nearly.
pub(crate) const ROWS: u64 = 10_000;

const FIELDS: [(&str, FieldType); 10] = [
    ("email", FieldType::Email),
    ("first_name", FieldType::Text),
    ("last_name", FieldType::Text),
    ("phone", FieldType::Phone),
    ("country", FieldType::Text),
    ("city", FieldType::Text),
    ("age", FieldType::Integer),
    ("score", FieldType::Number),
    ("subscribed", FieldType::Boolean),
    ("signup", FieldType::Date),
];

fn cells(row: u64) -> [String; 10] {
    // Numbers without order: a prime of them, met in strides of another.
    let n = row * 7_919 % 1_000_003;
    let pick = |words: &[&str]| words[(n % words.len() as u64) as usize].to_owned();
    [
        format!("user{n}@example{}.com", n % 97),
        pick(&["Anna", "Ben", "Chloé", "Femke", "Gül", "Hans", "Inès"]),
        pick(&["Brown", "Dubois", "Evans", "Nuñez", "van Dijk"]),
        format!("+31{}", 600_000_000 + n),
        pick(&["NL", "DE", "FR"]),
        pick(&["Amsterdam", "Berlin", "Paris", "Gent"]),
        (18 + n % 70).to_string(),
        format!("{}.{:02}", n % 100, n * 37 % 100),
        (!n.is_multiple_of(3)).to_string(),
        format!("20{}-{:02}-{:02}", 10 + n % 15, 1 + n % 12, 1 + n % 28),
    ]
}

pub(crate) fn csv() -> String {
    let names = FIELDS.map(|(name, _)| name).join(",");
    let lines = (0..ROWS).map(|row| cells(row).join(",") + "\n");
    names + "\n" + &lines.collect::<String>()
}

pub(crate) fn ndjson() -> String {
    (0..ROWS).map(|row| object(row) + "\n").collect()
}

pub(crate) fn json() -> String {
    let objects: Vec<String> = (0..ROWS).map(object).collect();
    format!("[{}]", objects.join(","))
}

fn object(row: u64) -> String {
    let cells = cells(row);
    let members = FIELDS
        .iter()
        .zip(&cells)
        .map(|((name, kind), cell)| match kind {
            FieldType::Integer | FieldType::Number | FieldType::Boolean => {
                format!("\"{name}\":{cell}")
            }
            _ => format!("\"{name}\":\"{cell}\""),
        });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// What is done with them: matched by e-mail, whatever the case.
pub(crate) fn plan() -> Plan {
    let body = br#"{"database":"people","action":"update_or_add","key_fields":["email"]}"#;
    let (definition, _) = definition::parse(body, &AddressRules::default()).unwrap();
    let columns = FIELDS.map(|(name, _)| name.to_owned());
    plan::bind(&definition, &database(), &columns).unwrap()
}

fn database() -> Database {
    let fields = (1..).zip(FIELDS).map(|(id, (name, kind))| Field {
        id,
        name: name.to_owned(),
        kind,
        required: false,
        unique: kind == FieldType::Email,
        case_insensitive: kind == FieldType::Email,
        default: None,
        options: Vec::new(),
    });
    Database {
        number: TableNumber(1),
        account_id: 1,
        name: "people".to_owned(),
        fields: fields.collect(),
        collections: Vec::new(),
        links: Vec::new(),
        created_at: DateTime::UNIX_EPOCH,
    }
}

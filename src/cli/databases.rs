//! `longshore databases`: lists, shows and creates databases.

use std::io::Read;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::{Client, List};
use super::connection::Connection;
use super::exit::Exit;
use super::failure::Failure;
use super::render::{Table, say, value};

/// Arguments of `longshore databases`.
#[derive(Debug, Args)]
pub struct DatabasesArgs {
    #[command(subcommand)]
    command: Option<DatabasesCommand>,
    /// Print JSON, one line for each database
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Subcommand)]
enum DatabasesCommand {
    /// List all databases (the same as no subcommand)
    List,
    /// Create the database that a JSON file describes
    ///
    /// The file holds {"name": …, "fields": [{"name": …, "type": …}], "collections": […]}. Types:
    /// text, integer, number, boolean, date, datetime, email, phone, select, multiselect.
    /// Attributes: required, unique, default, options, case_insensitive.
    Create {
        /// JSON file, or - for standard input
        file: PathBuf,
    },
    /// Show the fields and collections of a database
    Show {
        /// Its name or id
        name: String,
    },
}

/// Runs the subcommand.
pub(super) async fn run(args: DatabasesArgs, client: &Client) -> Result<Exit, Failure> {
    let text = match args.command.unwrap_or(DatabasesCommand::List) {
        DatabasesCommand::List => list(client, args.json).await?,
        DatabasesCommand::Create { file } => {
            let made = client
                .post_text(&["v1", "databases"], read_file(file)?)
                .await?;
            if args.json {
                made.to_string()
            } else {
                format!("created {}", heading(&made))
            }
        }
        DatabasesCommand::Show { name } => {
            let found = client.get(&["v1", "databases", &name]).await?;
            if args.json {
                found.to_string()
            } else {
                show(&found)
            }
        }
    };
    say(&text);
    Ok(Exit::Done)
}

fn read_file(path: PathBuf) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().read_to_end(&mut text).map(|_| text),
        _ => std::fs::read(&path),
    };
    read.map_err(|source| Failure::File { path, source })
}

async fn list(client: &Client, json: bool) -> Result<String, Failure> {
    let list = List {
        path: &["v1", "databases"],
        filters: Vec::new(),
    };
    let found = client.list(list, usize::MAX).await?;
    if json {
        return Ok(found
            .iter()
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join("\n"));
    }
    if found.is_empty() {
        return Ok("No databases. Make one: longshore databases create FILE.json".to_owned());
    }
    let mut table = Table::new(&["ID", "NAME", "FIELDS", "COLLECTIONS", "CREATED"]);
    for database in &found {
        table.row(vec![
            value(&database["id"]),
            value(&database["name"]),
            items(database, "fields").len().to_string(),
            items(database, "collections").len().to_string(),
            value(&database["created_at"]).chars().take(19).collect(),
        ]);
    }
    Ok(table.to_string())
}

fn heading(database: &Value) -> String {
    let fields = items(database, "fields").len();
    format!(
        "{} {}, {fields} fields",
        value(&database["id"]),
        value(&database["name"])
    )
}

fn show(database: &Value) -> String {
    let mut text = format!("{}\n{}", heading(database), fields(database));
    for collection in items(database, "collections") {
        text.push_str(&format!("\n\ncollection {}", value(&collection["name"])));
        text.push_str(&format!("\n{}", fields(collection)));
    }
    text
}

fn fields(of: &Value) -> Table {
    let mut table = Table::new(&["FIELD", "TYPE", "RULES"]);
    for field in items(of, "fields") {
        table.row(vec![
            value(&field["name"]),
            value(&field["type"]),
            rules(field),
        ]);
    }
    table
}

fn rules(field: &Value) -> String {
    let flags = ["required", "unique", "case_insensitive"];
    let mut rules: Vec<String> = flags
        .iter()
        .filter(|flag| field[**flag] == true)
        .map(|flag| (*flag).to_owned())
        .collect();
    for name in ["default", "options"] {
        let text = value(&field[name]);
        if !text.is_empty() {
            rules.push(format!("{name}: {text}"));
        }
    }
    rules.join(", ")
}

fn items<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_database_is_shown_with_fields_rules_and_collections() {
        let database = json!({"id": "db_1", "name": "people", "fields": [
            {"name": "email", "type": "email", "required": true, "unique": true},
            {"name": "tier", "type": "select", "options": ["a", "b"], "default": "a"}],
            "collections": [{"name": "Orders", "fields": [{"name": "no", "type": "integer"}]}]});
        let expected = "db_1 people, 2 fields
FIELD  TYPE    RULES
email  email   required, unique
tier   select  default: a, options: a, b

collection Orders
FIELD  TYPE     RULES
no     integer";
        assert_eq!(show(&database), expected);
    }
}

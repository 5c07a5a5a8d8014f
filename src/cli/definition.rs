//! The arguments of `longshore import`, and the import definition that they make. Contradictions
//! that need no service to see are refused here; everything else is for the service to judge.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::connection::Connection;
use super::failure::Failure;
use super::format::{self, Format};
use super::render::plain;

/// Arguments of `longshore import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// File to import, - for standard input, or an http(s) address that the service fetches
    pub(super) file: String,
    /// Name or id of the database to import into
    #[arg(long, short, value_name = "NAME")]
    database: String,
    /// Key field: rows and profiles that agree in all key fields are the same; may be repeated
    #[arg(long, short, value_name = "FIELD")]
    key: Vec<String>,
    /// What to do with a row that matches a profile, and with one that does not
    #[arg(long, short, value_enum, default_value_t = Action::UpdateOrAdd)]
    action: Action,
    /// Format of the payload [default: by the extension, beneath .gz or .zst]
    #[arg(long, short, value_enum)]
    format: Option<Format>,
    /// Delimiter of CSV: one character, or tab [default: comma; tab for .tsv]
    #[arg(long, value_name = "CHAR", value_parser = format::delimiter)]
    delimiter: Option<char>,
    /// Name of the import, for people [default: the file's name]
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Send a column to the field of another name; column= leaves it out; may be repeated
    #[arg(long, value_name = "COLUMN=FIELD", value_parser = mapping)]
    map: Vec<(String, Option<String>)>,
    /// An empty cell keeps the old value instead of clearing it
    #[arg(long)]
    ignore_empty_fields: bool,
    /// What --action delete deletes
    #[arg(long, value_enum, value_name = "WHAT")]
    delete_target: Option<DeleteTarget>,
    /// Any other member of the definition, such as match_by=uid or on_reject=all_or_nothing; a value
    /// that is JSON counts as such; may be repeated
    #[arg(long, value_name = "MEMBER=VALUE", value_parser = member)]
    set: Vec<(String, Value)>,
    /// The same key with the same arguments makes one import, however often it is sent
    #[arg(long, value_name = "KEY")]
    pub(super) idempotency_key: Option<String>,
    /// Do not follow the import: end as soon as the service has it all
    #[arg(long)]
    pub(super) no_wait: bool,
    /// No progress; print the last status object as one line of JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Action {
    /// Create a profile of every row, without matching
    Add,
    /// Update every match; a row without match is ignored
    Update,
    /// Update every match; a row without match creates a profile
    UpdateOrAdd,
    /// A row with a match is ignored; a row without match creates a profile
    IgnoreOrAdd,
    /// Delete every match
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum DeleteTarget {
    /// The matching profiles with their subprofiles
    Profile,
    /// The matching subprofiles alone
    Subprofile,
    /// The links with the matching profiles of another database alone
    Link,
}

/// The import definition, as the API takes it.
pub(super) fn definition(args: &ImportArgs) -> Result<Value, Failure> {
    let mut members = Map::new();
    members.insert("database".to_owned(), json!(args.database));
    members.insert("action".to_owned(), json!(word(&args.action)));
    members.insert("key_fields".to_owned(), json!(args.key));
    members.insert("autostart".to_owned(), json!(true));
    let mut optional = |name: &str, value: Option<Value>| {
        members.extend(value.map(|value| (name.to_owned(), value)));
    };
    let format = format(args)?;
    optional(
        "name",
        args.name
            .clone()
            .or_else(|| file_name(&args.file))
            .map(Value::from),
    );
    optional(
        "location",
        format::location(&args.file).map(|_| json!(args.file)),
    );
    optional("format", format.map(|format| json!(format.as_str())));
    optional("delimiter", delimiter(args, format)?.map(|one| json!(one)));
    optional("mapping", mappings(&args.map)?.map(|map| json!(map)));
    optional(
        "ignore_empty_fields",
        args.ignore_empty_fields.then_some(Value::Bool(true)),
    );
    optional(
        "delete_target",
        args.delete_target
            .as_ref()
            .map(|target| json!(word(target))),
    );
    for (member, value) in &args.set {
        if members.insert(member.clone(), value.clone()).is_some() {
            let text = format!(
                "--set {} says again what another argument says",
                plain(member)
            );
            return Err(Failure::Usage(text));
        }
    }
    Ok(Value::Object(members))
}

fn word(value: &impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

/// The format given, else the one of the name. An address may do without.
pub(super) fn format(args: &ImportArgs) -> Result<Option<Format>, Failure> {
    let location = format::location(&args.file);
    let name = location
        .as_ref()
        .map_or(args.file.as_str(), |url| url.path());
    match args.format.or_else(|| Format::of(name)) {
        None if location.is_none() => Err(Failure::Usage(format!(
            "the format of {} does not follow from its name: give --format csv, json or ndjson",
            plain(&args.file)
        ))),
        format => Ok(format),
    }
}

fn delimiter(args: &ImportArgs, format: Option<Format>) -> Result<Option<char>, Failure> {
    match (args.delimiter, format) {
        (Some(_), Some(Format::Json | Format::Ndjson)) => {
            Err(Failure::Usage("--delimiter belongs to CSV".to_owned()))
        }
        (None, Some(Format::Csv)) => Ok(format::implied_delimiter(&args.file)),
        (given, _) => Ok(given),
    }
}

fn mappings(
    map: &[(String, Option<String>)],
) -> Result<Option<BTreeMap<&str, Option<&str>>>, Failure> {
    let mut mapping = BTreeMap::new();
    for (column, field) in map {
        if mapping.insert(column.as_str(), field.as_deref()).is_some() {
            let text = format!("--map names the column {} twice", plain(column));
            return Err(Failure::Usage(text));
        }
    }
    Ok((!mapping.is_empty()).then_some(mapping))
}

/// The last part of a path or address; standard input has none.
fn file_name(file: &str) -> Option<String> {
    let name = match format::location(file) {
        Some(url) => url.path_segments()?.next_back()?.to_owned(),
        None => std::path::Path::new(file).file_name()?.to_str()?.to_owned(),
    };
    let fits = (1..=200).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    (fits && name != "-").then_some(name)
}

/// `member=value`, parted at the first `=`.
fn member(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some((member, value)) if !member.is_empty() => {
            let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
            Ok((member.to_owned(), value))
        }
        _ => Err("it is member=value".to_owned()),
    }
}

/// `column=field`, parted at the first `=`.
fn mapping(text: &str) -> Result<(String, Option<String>), String> {
    match text.split_once('=') {
        Some((column, field)) if !column.is_empty() => Ok((
            column.to_owned(),
            (!field.is_empty()).then(|| field.to_owned()),
        )),
        _ => Err("it is column=field".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ImportArgs,
    }

    fn defined(line: &str) -> Result<Value, String> {
        let words = std::iter::once("import").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        definition(&line.args).map_err(|failure| failure.to_string())
    }

    #[test]
    fn arguments_become_the_definition_and_nothing_more() {
        assert_eq!(
            defined("dir/people.csv --database people --key email").unwrap(),
            json!({"database": "people", "action": "update_or_add", "key_fields": ["email"],
                "autostart": true, "name": "people.csv", "format": "csv"})
        );
        assert_eq!(
            defined(
                "- -d people --key email --key country --action delete --delete-target subprofile \
                 --format csv --delimiter ; --name Nightly --map E-mail=email --map junk= \
                 --ignore-empty-fields"
            )
            .unwrap(),
            json!({"database": "people", "action": "delete", "key_fields": ["email", "country"],
                "autostart": true, "name": "Nightly", "format": "csv", "delimiter": ";",
                "mapping": {"E-mail": "email", "junk": null}, "ignore_empty_fields": true,
                "delete_target": "subprofile"})
        );
    }

    #[test]
    fn an_address_becomes_the_location() {
        assert_eq!(
            defined("https://files.example/a/people.ndjson.gz?v=2 -d people --action add").unwrap(),
            json!({"database": "people", "action": "add", "key_fields": [], "autostart": true,
                "name": "people.ndjson.gz", "format": "ndjson",
                "location": "https://files.example/a/people.ndjson.gz?v=2"})
        );
        assert_eq!(
            defined("https://files.example/export -d people")
                .unwrap()
                .get("format"),
            None
        );
    }

    #[test]
    fn a_tsv_brings_its_delimiter_unless_another_is_given() {
        assert_eq!(defined("a.tsv -d p").unwrap()["delimiter"], json!("\t"));
        assert_eq!(
            defined("a.tsv -d p --delimiter |").unwrap()["delimiter"],
            json!("|")
        );
    }

    #[test]
    fn any_member_can_be_set_once() {
        let set = defined("a.csv -d p --set match_by=uid --set uid_column=7 --set autostart=false");
        assert!(set.unwrap_err().contains("autostart says again"));
        let set = defined("a.csv -d p --set match_by=uid --set link_uid_columns={\"Firms\":\"f\"}")
            .unwrap();
        assert_eq!(set["match_by"], "uid");
        assert_eq!(set["link_uid_columns"], json!({"Firms": "f"}));
        assert!(
            defined("a.csv -d p --set match_by")
                .unwrap_err()
                .contains("member=value")
        );
    }

    #[test]
    fn contradictions_are_refused_before_anything_is_sent() {
        for (line, reason) in [
            ("- -d p", "--format"),
            ("people.xlsx -d p", "--format"),
            ("a.json -d p --delimiter ;", "belongs to CSV"),
            ("a.csv -d p --map a=b --map a=c", "twice"),
            ("a.csv -d p --map =b", "column=field"),
            ("a.csv -d p --action upsrt", "update_or_add"),
            ("a.csv", "--database"),
        ] {
            let refused = defined(line).unwrap_err();
            assert!(refused.contains(reason), "{line}: {refused}");
        }
    }
}

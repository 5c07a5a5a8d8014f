//! Reads a definition from its JSON and judges it whole: all complaints at once, each with its place.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{Action, Definition, DeleteTarget, Source, escape_pointer};
use crate::address::AddressRules;
use crate::code::Code;
use crate::error::Complaint;
use crate::json;
use crate::suggest::did_you_mean;

const MEMBERS: [&str; 30] = [
    "database",
    "name",
    "action",
    "key_fields",
    "source",
    "location",
    "format",
    "delimiter",
    "encoding",
    "quotes",
    "dates",
    "mapping",
    "autostart",
    "rebuild",
    "followups",
    "ignore_empty_fields",
    "remove_missing",
    "delete_target",
    "callback_url",
    "on_unknown_column",
    "on_reject",
    "on_empty_key",
    "on_multiple_matches",
    "match_by",
    "key_comparison",
    "id_column",
    "uid_column",
    "link_uid_columns",
    "version_column",
    "override_column",
];

/// Reads a definition and judges it whole: all complaints at once, each with its pointer.
pub fn parse<'a>(
    body: &'a [u8],
    addresses: &AddressRules,
) -> Result<(Definition, Option<Source<'a>>), Vec<Complaint>> {
    let members = json::members(body).map_err(|complaint| vec![complaint])?;
    let mut judge = Judge {
        members,
        complaints: Vec::new(),
    };
    judge.refuse_unknown();
    let source = judge.source();
    let definition = judge.definition();
    judge.contradictions(&definition, source.as_ref(), addresses);
    match judge.complaints.is_empty() {
        true => Ok((definition, source)),
        false => Err(judge.complaints),
    }
}

pub(super) struct Judge<'a> {
    members: Vec<(String, &'a RawValue)>,
    pub(super) complaints: Vec<Complaint>,
}

impl<'a> Judge<'a> {
    pub(super) fn complain(&mut self, code: Code, member: &str, detail: impl Into<String>) {
        self.complaints
            .push(Complaint::new(code, format!("/{member}"), detail));
    }

    fn refuse_unknown(&mut self) {
        let unknown: Vec<String> = self
            .members
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| !MEMBERS.contains(&name.as_str()))
            .collect();
        for name in unknown {
            let hint = did_you_mean(&name, MEMBERS.into_iter());
            let detail = format!("An import definition has no member {name:?}.{hint}");
            let pointer = format!("/{}", escape_pointer(&name));
            self.complaints
                .push(Complaint::new(Code::UnknownField, pointer, detail));
        }
    }

    pub(super) fn raw(&self, member: &str) -> Option<&'a RawValue> {
        let (_, value) = self.members.iter().find(|(name, _)| name == member)?;
        (value.get() != "null").then_some(value)
    }

    /// The member as this type; absent and null are the same.
    pub(super) fn member<T: serde::de::DeserializeOwned>(
        &mut self,
        member: &str,
        expected: &str,
    ) -> Option<T> {
        let raw = self.raw(member)?;
        let strict = match json::value(raw.get().as_bytes()) {
            Ok(value) => value,
            Err(complaint) => {
                self.complain(complaint.code, member, complaint.detail);
                return None;
            }
        };
        match serde_json::from_value(strict) {
            Ok(value) => Some(value),
            Err(_) => {
                self.complain(
                    Code::InvalidType,
                    member,
                    format!("{member} is {expected}."),
                );
                None
            }
        }
    }

    pub(super) fn flag(&mut self, member: &str, default: bool) -> bool {
        self.member(member, "true or false").unwrap_or(default)
    }

    pub(super) fn text(&mut self, member: &str) -> Option<String> {
        self.member(member, "a string")
    }

    /// One of a few words.
    pub(super) fn word<T: serde::de::DeserializeOwned>(
        &mut self,
        member: &str,
        words: &[&str],
    ) -> Option<T> {
        let text = self.text(member)?;
        match serde_json::from_value(serde_json::Value::from(text.as_str())) {
            Ok(value) => Some(value),
            Err(_) => {
                let hint = did_you_mean(&text, words.iter().copied());
                let detail = format!(
                    "{member} is one of {}; {text:?} is not.{hint}",
                    words.join(", ")
                );
                self.complain(Code::InvalidEnum, member, detail);
                None
            }
        }
    }

    fn source(&mut self) -> Option<Source<'a>> {
        let raw = self.raw("source")?;
        if raw.get().starts_with('[') {
            return Some(Source::Array(raw.get()));
        }
        self.member("source", "an array of objects or a string")
            .map(Source::Text)
    }

    fn definition(&mut self) -> Definition {
        let actions = ["add", "update", "update_or_add", "ignore_or_add", "delete"];
        Definition {
            database: self
                .required_text("database", "the id or name of the database to import into"),
            name: self.text("name"),
            action: self.required_action(&actions),
            key_fields: self
                .member("key_fields", "an array of field names")
                .unwrap_or_default(),
            location: self.text("location"),
            format: self.word("format", &["csv", "json", "ndjson"]),
            delimiter: self.delimiter(),
            encoding: self.text("encoding"),
            quotes: self
                .word("quotes", &["double", "single", "either"])
                .unwrap_or_default(),
            dates: self
                .word("dates", &["iso", "day_first", "month_first", "detect"])
                .unwrap_or_default(),
            mapping: self.mapping(),
            autostart: self.flag("autostart", true),
            rebuild: self.flag("rebuild", false),
            followups: self.flag("followups", false),
            remove_missing: self.flag("remove_missing", false),
            delete_target: self
                .word("delete_target", &["profile", "subprofile", "link"])
                .unwrap_or(DeleteTarget::Profile),
            callback_url: self.text("callback_url"),
            policies: self.policies(),
        }
    }

    /// Column by column, so that a column that stands twice is not passed over.
    fn mapping(&mut self) -> BTreeMap<String, Option<String>> {
        let Some(raw) = self.raw("mapping") else {
            return BTreeMap::new();
        };
        let expected = "mapping is an object of column names with field names (or null).";
        let columns = match json::members(raw.get().as_bytes()) {
            Ok(columns) => columns,
            Err(complaint) if complaint.code == Code::DuplicateKey => {
                self.complain(complaint.code, "mapping", complaint.detail);
                return BTreeMap::new();
            }
            Err(_) => {
                self.complain(Code::InvalidType, "mapping", expected);
                return BTreeMap::new();
            }
        };
        let mut mapping = BTreeMap::new();
        for (column, field) in columns {
            match serde_json::from_str::<Option<String>>(field.get()) {
                _ if column.contains('\0') => {
                    let detail = "The name of a column holds the NUL character.";
                    self.complain(Code::NulCharacter, "mapping", detail);
                }
                Ok(field) => {
                    mapping.insert(column, field);
                }
                Err(_) => {
                    let place = format!("mapping/{}", escape_pointer(&column));
                    self.complain(Code::InvalidType, &place, expected);
                }
            }
        }
        mapping
    }

    fn required_text(&mut self, member: &str, meaning: &str) -> String {
        if self.raw(member).is_none() {
            self.complain(
                Code::MissingField,
                member,
                format!("{member} is missing: {meaning}."),
            );
        }
        self.text(member).unwrap_or_default()
    }

    fn required_action(&mut self, actions: &[&str]) -> Action {
        if self.raw("action").is_none() {
            let detail = format!("action is missing: one of {}.", actions.join(", "));
            self.complain(Code::MissingField, "action", detail);
        }
        self.word("action", actions).unwrap_or(Action::Add)
    }

    fn delimiter(&mut self) -> Option<char> {
        let text = self.text("delimiter")?;
        match text.as_str() {
            "," | ";" | "\t" | "|" => text.chars().next(),
            _ => {
                let detail = "delimiter is a comma, a semicolon, a tab or a pipe.";
                self.complain(Code::InvalidEnum, "delimiter", detail);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(body: &str) -> Vec<(Code, String)> {
        parse(body.as_bytes(), &AddressRules::none())
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|complaint| (complaint.code, complaint.pointer))
            .collect()
    }

    #[test]
    fn a_definition_is_judged_whole() {
        let found = complaints(
            r#"{"action":"upsrt","kez":1,"autostart":"yes","followups":true,"delimiter":"x"}"#,
        );
        for expected in [
            (Code::MissingField, "/database"),
            (Code::InvalidEnum, "/action"),
            (Code::UnknownField, "/kez"),
            (Code::InvalidType, "/autostart"),
            (Code::NotAvailable, "/followups"),
            (Code::InvalidEnum, "/delimiter"),
        ] {
            assert!(
                found.contains(&(expected.0, expected.1.to_owned())),
                "{expected:?} in {found:?}"
            );
        }
    }

    #[test]
    fn what_is_not_built_says_so() {
        let base = r#""database":"d","action":"add""#;
        for member in [
            r#""followups":true"#,
            r#""callback_url":"https://x.example/""#,
        ] {
            assert_eq!(
                complaints(&format!("{{{base},{member}}}"))[0].0,
                Code::NotAvailable
            );
        }
        assert!(complaints(&format!("{{{base},\"followups\":false,\"rebuild\":true}}")).is_empty());
    }

    #[test]
    fn an_array_source_keeps_its_text() {
        let body = r#"{"database":"d","action":"add","source":[{"n":12345678901234567890123}]}"#;
        let (_, source) = parse(body.as_bytes(), &AddressRules::none()).unwrap();
        assert_eq!(
            source,
            Some(Source::Array(r#"[{"n":12345678901234567890123}]"#))
        );
    }

    #[test]
    fn keys_are_needed_by_every_action_that_matches() {
        for action in ["update", "update_or_add", "ignore_or_add", "delete"] {
            let found = complaints(&format!(r#"{{"database":"d","action":"{action}"}}"#));
            assert_eq!(
                found,
                [(Code::KeyRequired, "/key_fields".to_owned())],
                "{action}"
            );
        }
    }
}

//! The members of a definition that choose its policies, and what contradicts itself among them.
//! `on_invalid` is not among them: the native API converts no value.

use super::judge::Judge;
use super::{Action, Definition};
use crate::code::Code;
use crate::policies::{OnInvalid, Policies};

impl Judge<'_> {
    pub(super) fn policies(&mut self) -> Policies {
        Policies {
            on_invalid: OnInvalid::Reject,
            on_unknown_column: self.choice("on_unknown_column", &["refuse", "ignore"]),
            on_reject: self.choice("on_reject", &["go_on", "all_or_nothing"]),
            on_empty_key: self.choice("on_empty_key", &["reject", "create"]),
            on_multiple_matches: self.choice("on_multiple_matches", &["all", "newest", "reject"]),
            match_by: self.choice(
                "match_by",
                &["key_fields", "any_key_field", "uid", "id", "id_or_uid"],
            ),
            key_comparison: self.choice("key_comparison", &["as_field_says", "without_case"]),
            id_column: self.text("id_column"),
            uid_column: self.text("uid_column"),
            link_uid_columns: self
                .member(
                    "link_uid_columns",
                    "an object of link names with column names",
                )
                .unwrap_or_default(),
            version_column: self.text("version_column"),
            override_column: self.text("override_column"),
            ignore_empty_fields: self.flag("ignore_empty_fields", false),
        }
    }

    fn choice<T: serde::de::DeserializeOwned + Default>(
        &mut self,
        member: &str,
        words: &[&str],
    ) -> T {
        self.word(member, words).unwrap_or_default()
    }

    pub(super) fn policy_contradictions(&mut self, definition: &Definition) {
        let policies = &definition.policies;
        self.column_contradictions(policies);
        if definition.action == Action::Add {
            for member in ["match_by", "key_comparison", "version_column", "id_column"] {
                if self.raw(member).is_some() {
                    let detail = format!("{member} says nothing to add, which matches no profile.");
                    self.complain(Code::IncompatibleOptions, member, detail);
                }
            }
        }
        if definition.action == Action::IgnoreOrAdd && policies.version_column.is_some() {
            let detail = "version_column says nothing to ignore_or_add, which changes no profile.";
            self.complain(Code::IncompatibleOptions, "version_column", detail);
        }
        if !policies.match_by.uses_key_fields() {
            let of_profile = |name: &String| !name.contains('.');
            if let Some(place) = definition.key_fields.iter().position(of_profile) {
                let detail = "Profiles are matched by their id or uid here; key_fields may name \
                              fields of collections only.";
                self.complain(
                    Code::IncompatibleOptions,
                    &format!("key_fields/{place}"),
                    detail,
                );
            }
        }
    }

    /// Columns that a policy needs, and columns that only another policy would read.
    fn column_contradictions(&mut self, policies: &Policies) {
        if policies.match_by.uses_id() && policies.id_column.is_none() {
            let detail = "id_column is missing: the column with the ids of the profiles.";
            self.complain(Code::MissingField, "id_column", detail);
        }
        if policies.match_by.uses_uid() && policies.uid_column.is_none() {
            let detail = "uid_column is missing: the column with your own ids of the profiles.";
            self.complain(Code::MissingField, "uid_column", detail);
        }
        if policies.id_column.is_some() && !policies.match_by.uses_id() {
            let detail = "id_column is read only where match_by is id or id_or_uid.";
            self.complain(Code::IncompatibleOptions, "id_column", detail);
        }
        if policies.override_column.is_some() && policies.version_column.is_none() {
            let detail = "override_column goes with version_column.";
            self.complain(Code::IncompatibleOptions, "override_column", detail);
        }
        let columns = [
            ("id_column", &policies.id_column),
            ("uid_column", &policies.uid_column),
            ("version_column", &policies.version_column),
            ("override_column", &policies.override_column),
        ];
        for (place, (member, column)) in columns.iter().enumerate() {
            let stands_before = columns[..place].iter().any(|(_, known)| known == column);
            if column.is_some() && stands_before {
                let detail = format!("{member} is the column of another member already.");
                self.complain(Code::DuplicateMapping, member, detail);
            }
            if column.as_ref().is_some_and(|name| name.contains('\0')) {
                let detail = "The name of a column holds the NUL character.";
                self.complain(Code::NulCharacter, member, detail);
            }
        }
        for (link, column) in &policies.link_uid_columns {
            if link.contains('\0') || column.contains('\0') {
                let detail = "The name of a link or a column holds the NUL character.";
                self.complain(Code::NulCharacter, "link_uid_columns", detail);
            }
        }
    }
}

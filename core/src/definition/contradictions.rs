//! What is wrong with a definition only in combination, and what is not built yet.

use super::judge::Judge;
use super::{Action, Definition, Format, Source};
use crate::address::AddressRules;
use crate::code::Code;
use crate::database::check_name;
use crate::suggest::did_you_mean;

/// The encodings that a payload may be declared as. The labels are those of the web, where latin1
/// means windows-1252.
const ENCODINGS: [&str; 9] = [
    "utf-8",
    "utf8",
    "utf-16",
    "utf-16le",
    "utf-16be",
    "windows-1252",
    "iso-8859-1",
    "latin1",
    "iso-8859-15",
];

impl Judge<'_> {
    /// What is wrong only in combination, or not built yet.
    pub(super) fn contradictions(
        &mut self,
        definition: &Definition,
        source: Option<&Source<'_>>,
        addresses: &AddressRules,
    ) {
        if let Some(name) = &definition.name
            && let Err(complaint) = check_name(name, "/name")
        {
            self.complaints.push(complaint);
        }
        self.payload_contradictions(definition, source, addresses);
        self.key_contradictions(definition);
        self.policy_contradictions(definition);
        self.refuse_what_is_not_built(definition);
    }

    fn payload_contradictions(
        &mut self,
        definition: &Definition,
        source: Option<&Source<'_>>,
        addresses: &AddressRules,
    ) {
        if definition.location.is_some() && source.is_some() {
            self.complain(
                Code::SourceRequiredOne,
                "source",
                "Give source or location, not both.",
            );
        }
        if let Some(location) = &definition.location
            && let Err(refusal) = addresses.check_url(location)
        {
            self.complain(refusal.code, "location", refusal.message);
        }
        let json = matches!(source, Some(Source::Array(_)));
        if json
            && definition
                .format
                .is_some_and(|format| format != Format::Json)
        {
            self.complain(
                Code::IncompatibleOptions,
                "format",
                "A source that is an array is json.",
            );
        }
        let no_csv = json
            || definition
                .format
                .is_some_and(|format| format != Format::Csv);
        for (member, detail) in [
            ("delimiter", "Only csv has a delimiter."),
            ("quotes", "Only csv has quotes around its cells."),
        ] {
            if no_csv && self.raw(member).is_some() {
                self.complain(Code::IncompatibleOptions, member, detail);
            }
        }
        if let (Some(encoding), true) = (&definition.encoding, source.is_some())
            && !encoding.eq_ignore_ascii_case("utf-8")
            && !encoding.eq_ignore_ascii_case("utf8")
        {
            let detail = "A source is part of the definition, which is UTF-8; only a payload that is \
                          uploaded or fetched can be in another encoding.";
            self.complain(Code::IncompatibleOptions, "encoding", detail);
        }
        if let Some(encoding) = &definition.encoding
            && !ENCODINGS.contains(&encoding.to_ascii_lowercase().as_str())
        {
            let hint = did_you_mean(encoding, ENCODINGS.into_iter());
            let detail = format!("encoding is one of {}.{hint}", ENCODINGS.join(", "));
            self.complain(Code::EncodingUnsupported, "encoding", detail);
        }
    }

    fn key_contradictions(&mut self, definition: &Definition) {
        let given = self.raw("key_fields").is_some();
        let matches_by_keys =
            definition.action != Action::Add && definition.policies.match_by.uses_key_fields();
        let unreadable = self
            .complaints
            .iter()
            .any(|complaint| complaint.pointer == "/key_fields");
        if unreadable {
            // Said already.
        } else if matches_by_keys && definition.key_fields.is_empty() && !given {
            let detail = "key_fields is missing: this action matches profiles by their key fields.";
            self.complain(Code::KeyRequired, "key_fields", detail);
        } else if matches_by_keys && definition.key_fields.is_empty() {
            self.complain(
                Code::KeyRequired,
                "key_fields",
                "key_fields needs at least one field.",
            );
        }
        let may_remove = matches!(
            definition.action,
            Action::Update | Action::UpdateOrAdd | Action::IgnoreOrAdd
        );
        if definition.remove_missing && !may_remove {
            let detail = "remove_missing goes with update, update_or_add and ignore_or_add.";
            self.complain(Code::IncompatibleOptions, "remove_missing", detail);
        }
        if self.raw("delete_target").is_some() && definition.action != Action::Delete {
            let detail = "delete_target goes with the action delete.";
            self.complain(Code::IncompatibleOptions, "delete_target", detail);
        }
    }

    fn refuse_what_is_not_built(&mut self, definition: &Definition) {
        let asked = [
            ("callback_url", definition.callback_url.is_some()),
            ("followups", definition.followups),
        ];
        for (member, asked) in asked {
            if asked {
                let detail = format!("{member} is not available yet; leave it out.");
                self.complain(Code::NotAvailable, member, detail);
            }
        }
    }
}

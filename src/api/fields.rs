//! Reads what is asked of new fields and collections, judged whole: all complaints at once.

use longshore_core::code::Code;
use longshore_core::database::{check_field_name, same_name};
use longshore_core::definition::escape_pointer;
use longshore_core::error::Complaint;
use longshore_core::field::{Field, FieldType};
use longshore_core::limits::{COLLECTIONS_MAX, FIELDS_MAX, OPTIONS_MAX};
use longshore_core::store::databases::{NewCollection, NewField};
use longshore_core::store::widening::NewLink;
use longshore_core::suggest::did_you_mean;
use longshore_core::value;
use serde_json::Value;

/// Collects complaints while members are read.
#[derive(Default)]
pub(crate) struct Judge {
    pub(crate) complaints: Vec<Complaint>,
}

impl Judge {
    pub(crate) fn complain(
        &mut self,
        code: Code,
        pointer: impl Into<String>,
        detail: impl Into<String>,
    ) {
        self.complaints.push(Complaint::new(code, pointer, detail));
    }

    /// Refuses members that are not known.
    pub(crate) fn known(&mut self, value: &Value, at: &str, known: &[&str]) {
        let Some(members) = value.as_object() else {
            self.complain(Code::InvalidType, at, "A JSON object is expected here.");
            return;
        };
        for name in members
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
        {
            let hint = did_you_mean(name, known.iter().copied());
            let pointer = format!("{at}/{}", escape_pointer(name));
            self.complain(
                Code::UnknownField,
                pointer,
                format!("There is no member {name:?} here.{hint}"),
            );
        }
    }

    pub(crate) fn text(&mut self, value: &Value, at: &str, member: &str) -> Option<String> {
        match &value[member] {
            Value::String(text) => Some(text.clone()),
            Value::Null => {
                self.complain(
                    Code::MissingField,
                    format!("{at}/{member}"),
                    format!("{member} is missing."),
                );
                None
            }
            _ => {
                self.complain(
                    Code::InvalidType,
                    format!("{at}/{member}"),
                    format!("{member} is a string."),
                );
                None
            }
        }
    }

    /// A link, and the database that it leads to.
    pub(crate) fn link(&mut self, value: &Value) -> (NewLink, String) {
        self.known(value, "", &["name", "database", "reverse"]);
        let name = self.name(value, "");
        let other = self.text(value, "", "database").unwrap_or_default();
        let reverse = match &value["reverse"] {
            Value::Null => None,
            _ => self.text(value, "", "reverse"),
        };
        if let Some(reverse) = &reverse {
            self.complaints
                .extend(check_field_name(reverse, "/reverse").err());
        }
        (NewLink { name, reverse }, other)
    }

    /// The name of a field, a collection or a link.
    fn name(&mut self, value: &Value, at: &str) -> String {
        let name = self.text(value, at, "name");
        if let Some(name) = &name {
            let checked = check_field_name(name, &format!("{at}/name"));
            self.complaints.extend(checked.err());
        }
        name.unwrap_or_default()
    }

    fn flag(&mut self, value: &Value, at: &str, member: &str) -> Option<bool> {
        match &value[member] {
            Value::Null => None,
            Value::Bool(flag) => Some(*flag),
            _ => {
                self.complain(
                    Code::InvalidType,
                    format!("{at}/{member}"),
                    format!("{member} is true or false."),
                );
                None
            }
        }
    }

    /// The array in a member; absent is empty.
    fn array<'a>(&mut self, value: &'a Value, at: &str, member: &str) -> &'a [Value] {
        match &value[member] {
            Value::Null => &[],
            Value::Array(items) => items,
            _ => {
                self.complain(
                    Code::InvalidType,
                    format!("{at}/{member}"),
                    format!("{member} is an array."),
                );
                &[]
            }
        }
    }

    pub(crate) fn fields(&mut self, value: &Value, at: &str) -> Vec<NewField> {
        let items = self.array(value, at, "fields");
        if items.len() > FIELDS_MAX {
            let detail = format!("At most {FIELDS_MAX} fields.");
            self.complain(Code::LimitReached, format!("{at}/fields"), detail);
        }
        let mut fields: Vec<NewField> = Vec::new();
        for (position, item) in items.iter().enumerate() {
            let at = format!("{at}/fields/{position}");
            let field = self.field(item, &at);
            if fields
                .iter()
                .any(|known| same_name(&known.name, &field.name))
            {
                let detail = format!(
                    "The field {:?} stands twice; names ignore case.",
                    field.name
                );
                self.complain(Code::DuplicateField, format!("{at}/name"), detail);
            }
            fields.push(field);
        }
        fields
    }

    fn field(&mut self, value: &Value, at: &str) -> NewField {
        let known = [
            "name",
            "type",
            "required",
            "unique",
            "default",
            "options",
            "case_insensitive",
        ];
        self.known(value, at, &known);
        let name = self.name(value, at);
        let kind = self.kind(value, at);
        let mut field = NewField {
            name,
            kind,
            required: self.flag(value, at, "required").unwrap_or(false),
            unique: self.flag(value, at, "unique").unwrap_or(false),
            // Two spellings of one mailbox are one person, unless the database says otherwise.
            case_insensitive: self
                .flag(value, at, "case_insensitive")
                .unwrap_or(kind == FieldType::Email),
            default: None,
            options: self.options(value, at, kind),
        };
        if field.case_insensitive && !kind.is_text() {
            let detail = "case_insensitive goes with text, email, phone and select.";
            self.complain(
                Code::IncompatibleOptions,
                format!("{at}/case_insensitive"),
                detail,
            );
        }
        if field.unique && kind == FieldType::Multiselect {
            let detail = "A multiselect cannot be unique.";
            self.complain(Code::IncompatibleOptions, format!("{at}/unique"), detail);
        }
        if !value["default"].is_null() {
            field.default = self.default(&value["default"], &field, at);
        }
        field
    }

    fn kind(&mut self, value: &Value, at: &str) -> FieldType {
        let Some(word) = self.text(value, at, "type") else {
            return FieldType::Text;
        };
        FieldType::parse(&word).unwrap_or_else(|| {
            let words = FieldType::ALL.map(FieldType::as_str);
            let hint = did_you_mean(&word, words.into_iter());
            let detail = format!("type is one of {}.{hint}", words.join(", "));
            self.complain(Code::InvalidEnum, format!("{at}/type"), detail);
            FieldType::Text
        })
    }

    fn options(&mut self, value: &Value, at: &str, kind: FieldType) -> Vec<String> {
        let items = self.array(value, at, "options");
        let chooses = matches!(kind, FieldType::Select | FieldType::Multiselect);
        let at = format!("{at}/options");
        if chooses == items.is_empty() {
            let detail = if chooses {
                "select and multiselect need options."
            } else {
                "Only select and multiselect have options."
            };
            self.complain(Code::InvalidOptions, at.as_str(), detail);
        }
        if items.len() > OPTIONS_MAX {
            self.complain(
                Code::InvalidOptions,
                at.as_str(),
                format!("At most {OPTIONS_MAX} options."),
            );
        }
        let mut options: Vec<String> = Vec::new();
        for (position, item) in items.iter().enumerate() {
            let text = item.as_str().unwrap_or_default();
            let separator = kind == FieldType::Multiselect && text.contains(value::SEPARATOR);
            let fits =
                (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control);
            if !fits || separator || options.iter().any(|known| known == text) {
                let detail = "An option is a text of 1 to 200 printable characters, given once; \
                              options of a multiselect have no semicolon.";
                self.complain(Code::InvalidOptions, format!("{at}/{position}"), detail);
            }
            options.push(text.to_owned());
        }
        options
    }

    fn default(&mut self, default: &Value, new: &NewField, at: &str) -> Option<Value> {
        let field = Field {
            id: 0,
            name: new.name.clone(),
            kind: new.kind,
            required: new.required,
            unique: new.unique,
            case_insensitive: new.case_insensitive,
            default: None,
            options: new.options.clone(),
        };
        match value::default_from_json(&field, default) {
            Ok(_) => Some(default.clone()),
            Err(misfit) => {
                let detail = format!(
                    "The default does not fit the field: expected {}.",
                    misfit.expected
                );
                self.complain(misfit.code, format!("{at}/default"), detail);
                None
            }
        }
    }

    pub(crate) fn collections(&mut self, value: &Value, at: &str) -> Vec<NewCollection> {
        let items = self.array(value, at, "collections");
        if items.len() > COLLECTIONS_MAX {
            let detail = format!("At most {COLLECTIONS_MAX} collections.");
            self.complain(Code::LimitReached, format!("{at}/collections"), detail);
        }
        let mut collections: Vec<NewCollection> = Vec::new();
        for (position, item) in items.iter().enumerate() {
            let at = format!("{at}/collections/{position}");
            let collection = self.collection(item, &at);
            if collections
                .iter()
                .any(|known| same_name(&known.name, &collection.name))
            {
                let detail = format!(
                    "The collection {:?} stands twice; names ignore case.",
                    collection.name
                );
                self.complain(Code::NameTaken, format!("{at}/name"), detail);
            }
            collections.push(collection);
        }
        collections
    }

    pub(crate) fn collection(&mut self, value: &Value, at: &str) -> NewCollection {
        self.known(value, at, &["name", "fields"]);
        let name = self.name(value, at);
        NewCollection {
            name,
            fields: self.fields(value, at),
        }
    }
}

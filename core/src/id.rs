//! Ids as clients see them: a prefix that says of what, and a number. Clients treat them as opaque.

/// What an id is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An import.
    Import,
    /// A database.
    Database,
    /// A collection.
    Collection,
    /// A link between two databases.
    Link,
    /// A field.
    Field,
    /// A profile.
    Profile,
    /// A subprofile.
    Subprofile,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Kind::Import => "imp_",
            Kind::Database => "db_",
            Kind::Collection => "col_",
            Kind::Link => "lnk_",
            Kind::Field => "fld_",
            Kind::Profile => "pro_",
            Kind::Subprofile => "sub_",
        }
    }
}

/// The id of this number.
#[must_use]
pub fn show(kind: Kind, number: i64) -> String {
    format!("{}{number}", kind.prefix())
}

/// The number of this id, if it is one of this kind in its only spelling.
#[must_use]
pub fn parse(kind: Kind, id: &str) -> Option<i64> {
    let digits = id.strip_prefix(kind.prefix())?;
    if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling_and_one_kind() {
        assert_eq!(parse(Kind::Import, &show(Kind::Import, 17)), Some(17));
        for other in [
            "imp_017",
            "imp_-1",
            "imp_+1",
            "imp_",
            "db_17",
            "17",
            "imp_99999999999999999999",
        ] {
            assert_eq!(parse(Kind::Import, other), None, "{other}");
        }
    }
}

//! What a payload is made of, told from its name. The bytes are not looked at: the service does
//! that, and says so when they are of another format.

use std::path::Path;

use clap::ValueEnum;
use reqwest::Url;

/// The formats of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Comma-separated values with a header
    Csv,
    /// One array of objects
    Json,
    /// One object on each line
    Ndjson,
}

impl Format {
    /// The word in the API.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Ndjson => "ndjson",
        }
    }

    /// The content type of an upload.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv",
            Format::Json => "application/json",
            Format::Ndjson => "application/x-ndjson",
        }
    }

    /// The format that a name ends with; `.gz` and `.zst` are passed over.
    pub(super) fn of(name: &str) -> Option<Format> {
        match inner_extension(name)?.as_str() {
            "csv" | "tsv" => Some(Format::Csv),
            "json" => Some(Format::Json),
            "ndjson" | "jsonl" => Some(Format::Ndjson),
            _ => None,
        }
    }
}

/// The address in this FILE argument, if it is one that the service fetches itself.
pub(super) fn location(file: &str) -> Option<Url> {
    let url = Url::parse(file).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

/// The delimiter that a name implies: `.tsv` says tab.
pub(super) fn implied_delimiter(name: &str) -> Option<char> {
    (inner_extension(name)? == "tsv").then_some('\t')
}

fn inner_extension(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let inner = lower
        .strip_suffix(".gz")
        .or_else(|| lower.strip_suffix(".zst"))
        .unwrap_or(&lower);
    Some(Path::new(inner).extension()?.to_str()?.to_owned())
}

/// A delimiter as people write it: one character, or `tab` or `\t`.
pub(super) fn delimiter(text: &str) -> Result<char, String> {
    let mut characters = text.chars();
    match (text, characters.next(), characters.next()) {
        ("tab" | "\\t", _, _) => Ok('\t'),
        (_, Some(one), None) => Ok(one),
        _ => Err("it is one character, or the word tab".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_follows_from_the_name_beneath_any_compression() {
        for (name, format) in [
            ("people.csv", Some(Format::Csv)),
            ("PEOPLE.CSV.GZ", Some(Format::Csv)),
            ("dir.json/people.tsv", Some(Format::Csv)),
            ("people.json.zst", Some(Format::Json)),
            ("people.ndjson", Some(Format::Ndjson)),
            ("people.jsonl.gz", Some(Format::Ndjson)),
            ("people.gz", None),
            ("people.xlsx", None),
            ("csv", None),
            ("", None),
        ] {
            assert_eq!(Format::of(name), format, "{name}");
        }
    }

    #[test]
    fn a_tsv_is_delimited_by_tabs() {
        assert_eq!(implied_delimiter("a.tsv.gz"), Some('\t'));
        assert_eq!(implied_delimiter("a.csv"), None);
    }

    #[test]
    fn a_delimiter_is_one_character_or_the_word_tab() {
        assert_eq!(delimiter(";"), Ok(';'));
        assert_eq!(delimiter("tab"), Ok('\t'));
        assert_eq!(delimiter("\\t"), Ok('\t'));
        assert!(delimiter("").is_err());
        assert!(delimiter(";;").is_err());
    }
}

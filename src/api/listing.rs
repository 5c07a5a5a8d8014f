//! Query parameters of lists: limit, cursor and filters. Unknown parameters are refused: a
//! misspelt filter that is passed over would show everything.

use axum::http::Uri;
use longshore_core::code::Code;
use longshore_core::limits::PAGE_ROWS_MAX;
use longshore_core::suggest::did_you_mean;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::problem::{Problem, problem};

const LIMIT_DEFAULT: i64 = 100;

/// The query of a request, taken apart.
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
    list: String,
}

impl Query {
    /// Refuses names that are not `known`; a known name that ends in `[` stands for a family.
    pub(crate) fn of(uri: &Uri, known: &[&str]) -> Result<Query, Problem> {
        let query = uri.query().unwrap_or_default();
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        for (position, (name, _)) in pairs.iter().enumerate() {
            let fits = |word: &&str| {
                *word == name
                    || (word.ends_with('[') && name.starts_with(*word) && name.ends_with(']'))
            };
            if !known.iter().any(fits) {
                let hint = did_you_mean(name, known.iter().copied());
                let detail = format!("This call has no parameter {name:?}.{hint}");
                return Err(problem(Code::InvalidParameter, detail));
            }
            if pairs[..position].iter().any(|(other, _)| other == name) {
                let detail = format!("The parameter {name:?} stands twice.");
                return Err(problem(Code::InvalidParameter, detail));
            }
        }
        Ok(Query {
            pairs,
            list: uri.path().to_owned(),
        })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The parameters `family[NAME]=value`.
    pub(crate) fn family(&self, family: &str) -> Vec<(&str, &str)> {
        let inner = |name: &'_ str| name.len() > family.len() + 1;
        self.pairs
            .iter()
            .filter(|(name, _)| name.starts_with(&format!("{family}[")) && inner(name))
            .map(|(name, value)| (&name[family.len() + 1..name.len() - 1], value.as_str()))
            .collect()
    }

    pub(crate) fn limit(&self) -> Result<i64, Problem> {
        let Some(text) = self.get("limit") else {
            return Ok(LIMIT_DEFAULT);
        };
        let limit = text
            .parse()
            .ok()
            .filter(|limit| (1..=PAGE_ROWS_MAX).contains(limit));
        limit.ok_or_else(|| {
            problem(
                Code::InvalidLimit,
                format!("limit is a number from 1 to {PAGE_ROWS_MAX}."),
            )
        })
    }

    /// The id behind which the page begins. A cursor belongs to its list and its filters.
    pub(crate) fn cursor(&self) -> Result<Option<i64>, Problem> {
        let Some(text) = self.get("cursor") else {
            return Ok(None);
        };
        let id = text.split_once('-').and_then(|(id, _)| id.parse().ok());
        let id = id.filter(|id| self.cursor_at(*id) == text);
        id.map(Some).ok_or_else(|| {
            let detail = "Use next_cursor of the page before, with the same filters.";
            problem(Code::InvalidCursor, detail)
        })
    }

    fn cursor_at(&self, id: i64) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{}\n{id}\n", self.list));
        for (name, value) in &self.pairs {
            if name != "cursor" && name != "limit" {
                hash.update(format!("{name}={value}\n"));
            }
        }
        let sum: String = hash.finalize()[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{id}-{sum}")
    }

    /// A page as clients see it. One more row than `limit` was asked for: it says whether
    /// there is a next page.
    pub(crate) fn page(&self, mut rows: Vec<(i64, Value)>, limit: i64) -> Value {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().map(|(id, _)| *id).filter(|_| more);
        let data: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
        json!({ "data": data, "next_cursor": last.map(|id| self.cursor_at(id)) })
    }
}

//! What came of an import, told in a line that a table of expectations can hold.

use serde_json::Value;

use super::TestApp;

/// The books of a complete import, such as `created 2, rejected 1; profiles +2; subprofiles ~1`.
/// Looks whether they balance on the way.
#[track_caller]
pub(crate) fn told(status: &Value) -> String {
    let count = |part: &str, name: &str| status[part][name].as_i64().unwrap();
    let outcomes = [
        "created",
        "updated",
        "unchanged",
        "ignored",
        "deleted",
        "rejected",
    ];
    let sum: i64 = outcomes.iter().map(|name| count("totals", name)).sum();
    assert_eq!(sum, count("totals", "total"), "the books balance: {status}");
    assert_eq!(count("totals", "unprocessed"), 0, "{status}");
    let complete = match count("totals", "rejected") {
        0 => "completed",
        rejected if rejected == sum => "failed",
        _ => "completed_with_rejects",
    };
    assert_eq!(status["state"], complete, "{status}");
    let rows = outcomes.map(|name| (format!("{name} "), count("totals", name)));
    let mut parts = vec![join(&rows, ", ")];
    for part in ["profiles", "subprofiles"] {
        let effects = [("+", "created"), ("~", "updated"), ("-", "deleted")]
            .map(|(sign, name)| (sign.to_owned(), count(part, name)));
        if effects.iter().any(|(_, count)| *count > 0) {
            parts.push(format!("{part} {}", join(&effects, " ")));
        }
    }
    parts.join("; ")
}

fn join(counts: &[(String, i64)], separator: &str) -> String {
    let shown: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name}{count}"))
        .collect();
    shown.join(separator)
}

/// The values of a profile or subprofile in the order of its fields' names, `-` for none.
pub(crate) fn values(thing: &Value) -> String {
    let value = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let values: Vec<String> = thing["fields"]
        .as_object()
        .unwrap()
        .values()
        .map(value)
        .collect();
    values.join("/")
}

impl TestApp {
    /// All profiles, such as `ann/1 [A/10, B/20]; bob/-`.
    pub(crate) async fn told_profiles(&self, database: &str) -> String {
        let profiles = self.profiles(database).await;
        let shown: Vec<String> = profiles.iter().map(with_children).collect();
        shown.join("; ")
    }

    /// The rejects of an import, such as `2 email key_missing`: row, column and code.
    pub(crate) async fn told_rejects(&self, status: &Value) -> Vec<String> {
        let rejects = self.rejects(status["id"].as_str().unwrap()).await;
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        rejects
            .iter()
            .map(|reject| {
                let (column, code) = (text(&reject["column"]), text(&reject["code"]));
                format!("{} {column} {code}", reject["row"])
            })
            .collect()
    }
}

fn with_children(profile: &Value) -> String {
    let mut told = values(profile);
    let children: Vec<String> = profile["subprofiles"]
        .as_object()
        .into_iter()
        .flat_map(|collections| collections.values())
        .flat_map(|children| children.as_array().unwrap())
        .map(values)
        .collect();
    if !children.is_empty() {
        told.push_str(&format!(" [{}]", children.join(", ")));
    }
    told
}

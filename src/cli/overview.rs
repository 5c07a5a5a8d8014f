//! `longshore overview`: what a dashboard asks, as lines. The figures are shown under the names that
//! the service gives them, so that a new one needs no new client.

use clap::Args;
use serde_json::Value;

use super::client::Client;
use super::connection::Connection;
use super::exit::Exit;
use super::failure::Failure;
use super::render::{plain, say, value};

/// Arguments of `longshore overview`.
#[derive(Debug, Args)]
pub struct OverviewArgs {
    /// Print the answer as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Prints the overview.
pub(super) async fn run(args: OverviewArgs, client: &Client) -> Result<Exit, Failure> {
    let found = client.get(&["v1", "overview"]).await?;
    match args.json {
        true => say(&found.to_string()),
        false => say(&lines(&found)),
    }
    Ok(Exit::Done)
}

fn lines(overview: &Value) -> String {
    let mut entries = Vec::new();
    flatten("", overview, &mut entries);
    let width = entries
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let lines = entries
        .iter()
        .map(|(name, text)| format!("{name:<width$}  {text}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn flatten(name: &str, of: &Value, entries: &mut Vec<(String, String)>) {
    match of {
        Value::Object(members) => {
            for (member, inner) in members {
                let gap = if name.is_empty() { "" } else { "." };
                flatten(&format!("{name}{gap}{}", plain(member)), inner, entries);
            }
        }
        Value::Null => entries.push((name.to_owned(), "-".to_owned())),
        other => entries.push((name.to_owned(), value(other))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_figure_has_its_line() {
        let overview =
            json!({"queue": {"depth": 3, "oldest_seconds": null}, "workers": ["a", "b"]});
        assert_eq!(
            lines(&overview),
            "queue.depth           3\nqueue.oldest_seconds  -\nworkers               a, b"
        );
    }
}

//! Logs: human by default, JSON by setting. Ids are fields; payload values, tokens and query
//! strings are never logged.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::settings::LogFormat;

/// Colours are for eyes, not for files, nor for whoever wants none (no-color.org).
fn has_colours() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !unwanted
}

/// Starts logging to standard error. A filter that cannot be read is said and replaced by `info`.
pub fn start(filter: &str, format: LogFormat) {
    let (filter, wrong) = match EnvFilter::try_new(filter) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(has_colours())
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Human => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(error = %error, "logging was started before");
    }
    if let Some(error) = wrong {
        tracing::warn!(error = %error, "LONGSHORE_LOG cannot be read; logging at info");
    }
}

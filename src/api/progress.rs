//! How an import moves, and why it does not: in words and figures, from one look at the ledger.

use longshore_core::id::{Kind, show};
use longshore_core::import::State;
use longshore_core::store::status::{RECENT_SECS, Status};
use serde_json::{Value, json};

/// Waiting for less than this is no stall.
const STALL_SECS: i64 = 2;

/// Whether the worker that has it did not say in time that it is there.
pub(crate) fn has_vanished(status: &Status) -> bool {
    status.held && status.held_until.is_some_and(|until| until < status.now)
}

/// What is being done inside the state, in words.
pub(crate) fn phase(status: &Status, state: State) -> &'static str {
    match state {
        State::Draft
            if status.payload_bytes.is_none() && status.definition["location"].is_null() =>
        {
            "waiting for its payload"
        }
        State::Draft => "waiting to be started",
        State::Queued if !status.waiting_for_turn => "waiting for a worker",
        State::Fetching if status.retry_at.is_some() => "waiting to fetch the source again",
        State::Held => "all rows are applied; nothing is removed before it is approved",
        State::Paused => "paused",
        State::Completed | State::CompletedWithRejects => "done",
        State::Failed => "failed",
        State::Cancelled => "cancelled",
        _ if has_vanished(status) || (!status.held && !status.waiting_for_turn) => {
            "waiting for a worker"
        }
        _ if status.waiting_for_turn => "waiting for its turn on the database",
        // Held a moment ago, and about to be prepared.
        State::Queued => "waiting for a worker",
        State::Fetching => "fetching the source",
        State::Preparing if status.rows_total.is_none() => "surveying the payload",
        State::Preparing => "preparing its index",
        State::Applying => "applying rows",
        State::Finishing => "removing what is missing",
    }
}

/// Why nothing moves; none while something does.
pub(crate) fn stall_reason(status: &Status, state: State) -> Option<String> {
    match state {
        State::Draft => None,
        State::Paused => Some("It is paused.".to_owned()),
        State::Held => Some("It is held for approval.".to_owned()),
        state if state.is_final() => None,
        _ if has_vanished(status) => {
            Some("Its worker vanished; another takes it up within seconds.".to_owned())
        }
        _ if status.held => None,
        _ => waiting_reason(status),
    }
}

fn waiting_reason(status: &Status) -> Option<String> {
    if let Some(retry_at) = status.retry_at {
        let warnings = status.warnings.as_array();
        let last = warnings.and_then(|all| all.last()).and_then(Value::as_str);
        return Some(format!(
            "The next attempt is at {}. {}",
            retry_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            last.unwrap_or_default()
        ));
    }
    if let Some(first) = status.movement.waits_for {
        let first = show(Kind::Import, first);
        return Some(format!(
            "It waits for {first}, which goes into the same database."
        ));
    }
    let since = status.due_since?;
    match status.movement.workers_alive {
        Some(0) => Some("No worker is alive.".to_owned()),
        _ if (status.now - since).num_seconds() >= STALL_SECS => {
            Some("All workers are busy.".to_owned())
        }
        _ => None,
    }
}

/// How far it is. A running import shows the rate of the last seconds, an ended one that of all its
/// time.
pub(crate) fn shown(status: &Status, state: State, processed: i64) -> Value {
    let until = status.finished_at.unwrap_or(status.now);
    let seconds = status
        .applying_at
        .map(|from| (until - from).as_seconds_f64())
        .filter(|seconds| *seconds > 0.0);
    let rate = seconds.map(|seconds| match state.is_final() {
        true => processed as f64 / seconds,
        false => status.movement.recent_rows as f64 / seconds.min(RECENT_SECS),
    });
    let left = status.rows_total.map(|total| total - processed);
    let eta = match (state.is_final(), rate, left) {
        (false, Some(rate), Some(left)) if rate > 0.0 => Some((left as f64 / rate).ceil()),
        _ => None,
    };
    json!({
        "bytes": status.payload_bytes,
        "bytes_total": status.payload_bytes,
        "rows": processed,
        "rows_total": status.rows_total,
        "rows_per_second": rate.map(|rate| (rate * 10.0).round() / 10.0),
        "eta_seconds": eta,
    })
}

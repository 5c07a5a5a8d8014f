//! The status object: the same in the answer to a submission, in the status and in lists.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use longshore_core::id::{Kind, show as show_id};
use longshore_core::store::status::Status;
use serde_json::{Value, json};

use super::looks::Look;
use super::problem::Problem;
use super::progress;

/// An import as clients see it.
pub(crate) fn shown(status: &Status) -> Result<Value, Problem> {
    let state = status.state()?;
    let processed = status.created
        + status.updated
        + status.unchanged
        + status.ignored
        + status.deleted
        + status.rejected;
    let sha256: Option<String> = status
        .payload_sha256
        .as_ref()
        .map(|hash| hash.iter().map(|byte| format!("{byte:02x}")).collect());
    let mut shown = json!({
        "id": show_id(Kind::Import, status.id),
        "name": status.name,
        "state": state,
        "phase": progress::phase(status, state),
        "database": show_id(Kind::Database, status.database_id),
        "database_name": status.database_name,
        "definition": status.definition,
        "totals": {
            "total": status.rows_total.unwrap_or(0),
            "created": status.created,
            "updated": status.updated,
            "unchanged": status.unchanged,
            "ignored": status.ignored,
            "deleted": status.deleted,
            "rejected": status.rejected,
            "unprocessed": status.rows_total.map_or(0, |total| total - processed),
        },
        "profiles": {
            "created": status.profiles_created,
            "updated": status.profiles_updated,
            "deleted": status.profiles_deleted,
            "removed": status.profiles_removed,
        },
        "subprofiles": {
            "created": status.subprofiles_created,
            "updated": status.subprofiles_updated,
            "deleted": status.subprofiles_deleted,
            "removed": status.subprofiles_removed,
        },
        "links": {
            "created": status.links_created,
            "deleted": status.links_deleted,
            "profiles_created": status.linked_created,
            "profiles_updated": status.linked_updated,
        },
        "payload": status.payload_bytes.map(|bytes| json!({ "bytes": bytes, "sha256": sha256 })),
        "removal": removal(status),
        "queue_position": status.movement.queue_position,
        "stall_reason": progress::stall_reason(status, state),
        "heartbeat_at": status.heartbeat_at.filter(|_| status.held),
        "progress": progress::shown(status, state, processed),
        "warnings": status.warnings,
        "version": status.version,
        "epoch": status.epoch,
        "created_at": status.created_at,
        "started_at": status.started_at,
        "finished_at": status.finished_at,
        "error": status.error,
    });
    if status.definition["on_invalid"]
        .as_str()
        .is_some_and(|word| word != "reject")
    {
        shown["coerced_cells"] = json!(status.coerced);
    }
    if let Some(retry_at) = status.retry_at.filter(|_| !state.is_final()) {
        shown["retry_at"] = json!(retry_at);
    }
    if status.pause_requested && !state.is_final() {
        shown["pause_requested"] = json!(true);
    }
    if status.cancel_requested && !state.is_final() {
        shown["cancel_requested"] = json!(true);
    }
    Ok(shown)
}

/// The removal as it was judged last; null where the import has none.
fn removal(status: &Status) -> Option<Value> {
    let state = status.removal_state.as_ref()?;
    Some(json!({
        "state": state,
        "profiles": status.removal_profiles,
        "subprofiles": status.removal_subprofiles,
        "living": status.removal_living,
        "reasons": status.removal_reasons,
        "held_until": status.removal_held_until,
    }))
}

/// Changes whenever anything in the status that is not a clock does.
pub(crate) fn etag(status: &Status) -> String {
    let flags = u8::from(status.waiting_for_turn)
        + 2 * u8::from(status.cancel_requested)
        + 4 * u8::from(status.retry_at.is_some())
        + 8 * u8::from(status.pause_requested)
        + 16 * u8::from(progress::has_vanished(status));
    let position = status.movement.queue_position.unwrap_or(-1);
    format!("\"{}-{}-{flags}-{position}\"", status.version, status.epoch)
}

/// The answer to a poll: with ETag, and with Retry-After while there is something to wait for.
pub(crate) fn answer(look: &Look, request: &HeaderMap) -> Result<Response, Problem> {
    let status = &look.status;
    let etag = etag(status);
    let known = request
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    let same = |known: &str| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag;
    let unchanged = known.is_some_and(|list| list.split(',').any(|known| same(known.trim())));
    let mut response = match unchanged {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => {
            let json = [(header::CONTENT_TYPE, "application/json")];
            (json, look.body.clone()).into_response()
        }
    };
    if let Ok(value) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if !status.state()?.is_settled() {
        let age = (status.now - status.created_at).num_seconds();
        let seconds = (age / 10).clamp(1, 10);
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
}

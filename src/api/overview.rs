//! `GET /v1/overview`: what a dashboard asks.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use longshore_core::queue::Verb;
use longshore_core::store::overview;
use serde_json::{Map, Value, json};

use super::App;
use super::caller::Reader;
use super::listing::Query;
use super::problem::Problem;

pub(crate) async fn show(
    State(app): State<App>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    Query::of(&uri, &[])?;
    let mut connection = app.pool.acquire().await?;
    let figures = overview::overview(&mut connection, caller.account_id).await?;
    let states = overview::by_state(&mut connection, caller.account_id).await?;
    let states: Map<String, Value> = states
        .into_iter()
        .map(|(state, count)| (state, json!(count)))
        .collect();
    let depths = app.queue.depth().await.ok();
    let redis = app.queue.healthy().await;
    let tickets = |verb: Verb| {
        let depths = depths.as_ref()?;
        Some(
            depths
                .iter()
                .filter(|depth| depth.verb == verb)
                .map(|depth| depth.waiting)
                .sum::<u64>(),
        )
    };
    Ok(Json(json!({
        "queue": {
            "imports_due": figures.queued,
            "oldest_age_seconds": figures.oldest_queued_secs,
            "tickets": { "fetch": tickets(Verb::Fetch), "apply": tickets(Verb::Apply) },
        },
        "imports": states,
        "held": figures.held,
        "last_hour": {
            "rows": figures.rows_last_hour,
            "rows_per_second": figures.rows_last_hour as f64 / 3600.0,
        },
        "workers_alive": figures.workers_alive,
        "imports_without_lease": figures.without_lease,
        "health": { "postgres": "up", "redis": if redis { "up" } else { "down" } },
    })))
}

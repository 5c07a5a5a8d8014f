//! Imports after their submission: shown, listed, started, cancelled.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use longshore_core::code::Code;
use longshore_core::id::{Kind, parse};
use longshore_core::import;
use longshore_core::limits::WAIT_SECS_MAX;
use longshore_core::store::databases;
use longshore_core::store::status::{self as store, ListFilter};
use longshore_core::suggest::did_you_mean;
use serde_json::Value;

use super::App;
use super::caller::Reader;
use super::listing::Query;
use super::place::Path;
use super::problem::{Problem, not_found, problem};
use super::status;

/// The number of the import that the path names.
pub(crate) fn number(id: &str) -> Result<i64, Problem> {
    parse(Kind::Import, id).ok_or_else(|| not_found("import"))
}

pub(crate) async fn show(
    State(app): State<App>,
    Reader(caller): Reader,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = Query::of(&uri, &["wait"])?;
    let id = number(&id)?;
    let mut notice = app.notices.subscribe();
    let deadline = tokio::time::Instant::now() + wait(&query)?;
    let asked = (caller.account_id, id);
    // Whoever waits holds no connection meanwhile.
    let waits = tokio::time::Instant::now() < deadline;
    if waits && !app.looks.state(&app.lines, asked).await?.is_settled() {
        while let Ok(true) = tokio::time::timeout_at(deadline, notice.of(id)).await {
            let look = app.looks.at(&app.lines, asked).await?;
            if look.status.state()?.is_settled() {
                return status::answer(&look, &headers);
            }
        }
    }
    let look = app.looks.at(&app.lines, asked).await?;
    status::answer(&look, &headers)
}

fn wait(query: &Query) -> Result<Duration, Problem> {
    let Some(text) = query.get("wait") else {
        return Ok(Duration::ZERO);
    };
    let seconds = text
        .parse()
        .ok()
        .filter(|seconds| *seconds <= WAIT_SECS_MAX);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let detail = format!("wait is a number of seconds from 0 to {WAIT_SECS_MAX}.");
        problem(Code::InvalidParameter, detail)
    })
}

pub(crate) async fn list(
    State(app): State<App>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let query = Query::of(&uri, &["state", "database", "limit", "cursor"])?;
    let limit = query.limit()?;
    let mut connection = app.pool.acquire().await?;
    let database = match query.get("database") {
        None => None,
        Some(name) => Some(databases::find(&mut connection, caller.account_id, name).await?),
    };
    let filter = ListFilter {
        state: query.get("state").map(state).transpose()?,
        database_id: database.map(|database| database.number.0),
        before: query.cursor()?,
    };
    let page = store::page(&mut connection, caller.account_id, &filter, limit + 1).await?;
    let rows = page.iter().map(|row| Ok((row.id, status::shown(row)?)));
    Ok(Json(
        query.page(rows.collect::<Result<_, Problem>>()?, limit),
    ))
}

fn state(word: &str) -> Result<import::State, Problem> {
    import::State::parse(word).ok_or_else(|| {
        let words = import::State::ALL.map(import::State::as_str);
        let hint = did_you_mean(word, words.into_iter());
        problem(
            Code::InvalidParameter,
            format!("state is one of {}.{hint}", words.join(", ")),
        )
    })
}

/// 202 with the state as it is.
pub(crate) async fn accepted(app: &App, account_id: i64, id: i64) -> Result<Response, Problem> {
    let mut connection = app.pool.acquire().await?;
    let status = store::find(&mut connection, account_id, id).await?;
    shown_as_accepted(&status)
}

pub(crate) fn shown_as_accepted(status: &store::Status) -> Result<Response, Problem> {
    Ok((StatusCode::ACCEPTED, Json(status::shown(status)?)).into_response())
}

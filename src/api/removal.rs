//! A removal that the brake holds: whom it would take, and the decision of a person. Afterwards, whom
//! it took.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use longshore_core::code::Code;
use longshore_core::error::Complaint;
use longshore_core::import::{self, RemovalState};
use longshore_core::json;
use longshore_core::queue::{Lane, Ticket, Verb};
use longshore_core::store::connect::lock_database;
use longshore_core::store::removal::{self, Removal};
use longshore_core::store::victims::{self, Scope};
use longshore_core::store::{databases, endings, imports, leases, turns};
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use super::App;
use super::body;
use super::caller::{Reader, Writer};
use super::fields::Judge;
use super::imports::{accepted, number};
use super::listing::Query;
use super::place::Path;
use super::problem::{Problem, problem};
use super::removed;

const BODY_BYTES_MAX: usize = 16 << 10;

/// Whom a removal would take, or took.
pub(crate) async fn list(
    State(app): State<App>,
    Reader(caller): Reader,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let query = Query::of(&uri, &["limit", "cursor"])?;
    let (limit, after) = (query.limit()?, query.cursor()?.unwrap_or(0));
    let id = number(&id)?;
    let mut connection = app.pool.acquire().await?;
    let mut tx = connection.begin().await?;
    let import = imports::find_for_change(&mut tx, caller.account_id, id).await?;
    let database = databases::by_number(&mut tx, import.database_id).await?;
    let page = (after, limit + 1);
    let rows = match import.state {
        import::State::Held => {
            let removal = removal::find(&mut tx, id).await?;
            let scope = Scope::of(&mut tx, id, (&database, &removal.tables)).await?;
            removed::candidates(&mut tx, &scope, page).await?
        }
        _ => removed::gone(&mut tx, id, (&database, page)).await?,
    };
    Ok(Json(query.page(rows, limit)))
}

/// Lets a held removal go on, as long as it takes no more than `removals`.
pub(crate) async fn approve(
    State(app): State<App>,
    Writer(caller): Writer,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let value = json::value(&body::json(&headers, body, BODY_BYTES_MAX).await?)?;
    let approved = removals(&value)?;
    let id = number(&id)?;
    let mut connection = app.pool.acquire().await?;
    let database_id = imports::database_of(&mut connection, caller.account_id, id).await?;
    let mut tx = connection.begin().await?;
    lock_database(&mut tx, database_id).await?;
    let held = find_held(&mut tx, caller.account_id, id).await?;
    let database = databases::by_number(&mut tx, database_id).await?;
    let scope = Scope::of(&mut tx, id, (&database, &held.tables)).await?;
    let (counts, reasons) = victims::judge(&mut tx, &scope, Some(approved)).await?;
    if !reasons.is_empty() {
        removal::judged(&mut tx, id, (&counts.sums, &reasons), RemovalState::Held).await?;
        imports::touch(&mut tx, id).await?;
        tx.commit().await?;
        let detail = format!(
            "{} would be removed now. Look at them again, and approve that number.",
            counts.removals()
        );
        return Err(problem(Code::ApprovalOutdated, detail));
    }
    removal::approve(&mut tx, id, approved).await?;
    imports::queue_again(&mut tx, id).await?;
    leases::make_due(&mut tx, id, Verb::Apply).await?;
    tx.commit().await?;
    drop(connection);
    let verb = Verb::Apply;
    app.queue.ring(Lane::Bulk, Ticket::new(verb, id)).await;
    accepted(&app, caller.account_id, id).await
}

fn removals(value: &Value) -> Result<i64, Problem> {
    let mut judge = Judge::default();
    judge.known(value, "", &["removals"]);
    if let Some(complaint) = judge.complaints.pop() {
        return Err(complaint.into());
    }
    let removals = value["removals"].as_i64().filter(|removals| *removals >= 0);
    removals.ok_or_else(|| {
        let (code, detail) = match value["removals"] {
            Value::Null => (
                Code::MissingField,
                "removals is missing: how many may go, as the status says.",
            ),
            _ => (Code::InvalidType, "removals is a whole number."),
        };
        Complaint::new(code, "/removals", detail).into()
    })
}

/// Ends a held import without its removal.
pub(crate) async fn refuse(
    State(app): State<App>,
    Writer(caller): Writer,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = number(&id)?;
    let mut connection = app.pool.acquire().await?;
    let database_id = imports::database_of(&mut connection, caller.account_id, id).await?;
    let mut tx = connection.begin().await?;
    lock_database(&mut tx, database_id).await?;
    find_held(&mut tx, caller.account_id, id).await?;
    removal::end(&mut tx, id, RemovalState::Refused).await?;
    endings::complete(&mut tx, id).await?;
    leases::close(&mut tx, id).await?;
    let next = turns::wake_next(&mut tx, database_id).await?;
    tx.commit().await?;
    drop(connection);
    for id in next {
        let verb = Verb::Apply;
        app.queue.ring(Lane::Express, Ticket::new(verb, id)).await;
    }
    accepted(&app, caller.account_id, id).await
}

/// The removal of a held import, locked; anything else has nothing to decide.
async fn find_held(tx: &mut PgConnection, account_id: i64, id: i64) -> Result<Removal, Problem> {
    leases::lock(tx, id).await?;
    let import = imports::find_for_change(tx, account_id, id).await?;
    if import.state != import::State::Held {
        let detail = format!(
            "The import is {}; only a held one waits for a decision.",
            import.state.as_str()
        );
        return Err(problem(Code::NothingToApprove, detail));
    }
    Ok(removal::find(tx, id).await?)
}

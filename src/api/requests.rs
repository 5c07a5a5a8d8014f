//! What may be asked of an import: start, pause, resume, cancel. Where a worker holds it, it is asked
//! to; where none is alive, the transition is finished here.

use axum::extract::State;
use axum::response::Response;
use longshore_core::code::Code;
use longshore_core::error::{Class, Error};
use longshore_core::import;
use longshore_core::queue::{Lane, Ticket, Verb};
use longshore_core::store::connect::lock_database;
use longshore_core::store::{endings, imports, leases, removal, requests, turns};
use sqlx::{Connection, PgConnection};

use super::App;
use super::caller::Writer;
use super::imports::{accepted, number};
use super::place::Path;
use super::problem::{Problem, problem};

/// A draft whose payload is there, or can be fetched, goes into the queue.
pub(crate) async fn start(
    State(app): State<App>,
    Writer(caller): Writer,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = number(&id)?;
    let mut connection = app.pool.acquire().await?;
    imports::database_of(&mut connection, caller.account_id, id).await?;
    let mut tx = connection.begin().await?;
    removal::wait_for_writers(&mut tx, id).await?;
    leases::lock(&mut tx, id).await?;
    let import = imports::find_for_change(&mut tx, caller.account_id, id).await?;
    if import.state != import::State::Draft {
        let detail = format!(
            "The import is {}; only a draft can be started.",
            import.state.as_str()
        );
        return Err(problem(Code::NotStartable, detail));
    }
    let verb = match (&import.snapshot, &import.definition.location) {
        (Some(_), _) => Verb::Apply,
        (None, Some(_)) => Verb::Fetch,
        (None, None) => {
            let detail = "The import has no payload yet: PUT it to …/payload first.";
            return Err(problem(Code::NotStartable, detail));
        }
    };
    imports::queue(&mut tx, id).await?;
    leases::make_due(&mut tx, id, verb).await?;
    tx.commit().await?;
    app.queue.ring(Lane::Express, Ticket::new(verb, id)).await;
    accepted(&app, caller.account_id, id).await
}

/// Asks the holder to cancel, who obeys at the end of its chunk; what no worker holds is cancelled
/// at once.
pub(crate) async fn cancel(
    State(app): State<App>,
    Writer(caller): Writer,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = number(&id)?;
    let mut connection = app.pool.acquire().await?;
    let mut tx = connection.begin().await?;
    leases::lock(&mut tx, id).await?;
    let import = imports::find_for_change(&mut tx, caller.account_id, id).await?;
    if import.state.is_final() {
        let detail = format!("The import is {} already.", import.state.as_str());
        return Err(problem(Code::NotCancellable, detail));
    }
    let held = requests::cancel(&mut tx, id).await?;
    tx.commit().await?;
    if !held {
        settle(&app, &mut connection, (&import, Request::Cancel)).await?;
    }
    drop(connection);
    accepted(&app, caller.account_id, id).await
}

/// Asks the holder to pause, who obeys at the end of its chunk.
pub(crate) async fn pause(
    State(app): State<App>,
    Writer(caller): Writer,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = number(&id)?;
    let mut connection = app.pool.acquire().await?;
    let mut tx = connection.begin().await?;
    leases::lock(&mut tx, id).await?;
    let import = imports::find_for_change(&mut tx, caller.account_id, id).await?;
    if import.state != import::State::Paused {
        refuse_to_pause(import.state)?;
        let held = requests::pause(&mut tx, id).await?;
        tx.commit().await?;
        if !held {
            settle(&app, &mut connection, (&import, Request::Pause)).await?;
        }
    } else {
        tx.rollback().await?;
    }
    drop(connection);
    accepted(&app, caller.account_id, id).await
}

fn refuse_to_pause(state: import::State) -> Result<(), Problem> {
    let why = match state {
        import::State::Draft => "it is not started yet",
        import::State::Held => "it waits for a decision already: approve, refuse or cancel it",
        state if state.is_final() => "it has ended",
        _ => return Ok(()),
    };
    let detail = format!("The import is {}: {why}.", state.as_str());
    Err(problem(Code::NotPausable, detail))
}

/// A paused import waits for its turn again, in its old place. A pause that nobody obeyed yet is taken
/// back.
pub(crate) async fn resume(
    State(app): State<App>,
    Writer(caller): Writer,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = number(&id)?;
    let mut connection = app.pool.acquire().await?;
    let mut tx = connection.begin().await?;
    leases::lock(&mut tx, id).await?;
    let import = imports::find_for_change(&mut tx, caller.account_id, id).await?;
    let withdrawn = !import.state.is_final() && requests::withdraw_pause(&mut tx, id).await?;
    if import.state != import::State::Paused {
        tx.commit().await?;
        drop(connection);
        return match withdrawn {
            true => accepted(&app, caller.account_id, id).await,
            false => {
                let detail = format!("The import is {}, not paused.", import.state.as_str());
                Err(problem(Code::NotResumable, detail))
            }
        };
    }
    let verb = match import.snapshot {
        Some(_) => Verb::Apply,
        None => Verb::Fetch,
    };
    imports::queue_again(&mut tx, id).await?;
    leases::make_due(&mut tx, id, verb).await?;
    tx.commit().await?;
    drop(connection);
    app.queue.ring(Lane::Express, Ticket::new(verb, id)).await;
    accepted(&app, caller.account_id, id).await
}

/// What is asked of an import that no worker holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Request {
    Pause,
    Cancel,
}

/// Finishes a request that no worker is there for. The request is kept already: where it cannot be
/// finished now, because somebody works on the database for long, it is left to a worker.
async fn settle(
    app: &App,
    connection: &mut PgConnection,
    (import, request): (&imports::Import, Request),
) -> Result<(), Problem> {
    let next = match settle_unheld(connection, import, request).await {
        Err(error) if error.class() == Class::Transient => {
            tracing::info!(import = import.id, error = %error, "a request is left to a worker");
            leases::wake(connection, import.id).await?;
            vec![import.id]
        }
        settled => settled?,
    };
    for id in next {
        let verb = Verb::Apply;
        app.queue.ring(Lane::Express, Ticket::new(verb, id)).await;
    }
    Ok(())
}

/// Finishes a request without a worker, unless one took the import up in the meantime: that one obeys.
/// A step of its own, since it takes the database's lock, and a request must not wait for a chunk.
async fn settle_unheld(
    connection: &mut PgConnection,
    import: &imports::Import,
    request: Request,
) -> Result<Vec<i64>, Error> {
    let mut tx = connection.begin().await?;
    lock_database(&mut tx, import.database_id).await?;
    leases::lock(&mut tx, import.id).await?;
    let now = imports::find_for_change(&mut tx, import.account_id, import.id).await?;
    if now.state.is_final() {
        return Ok(Vec::new());
    }
    let held = match request {
        Request::Cancel => requests::cancel(&mut tx, import.id).await?,
        // Somebody else paused it, held it for a decision, or took the pause back.
        Request::Pause if refuse_to_pause(now.state).is_err() || now.state.is_settled() => {
            return Ok(Vec::new());
        }
        Request::Pause => requests::pause_is_left_to_holder(&mut tx, import.id).await?,
    };
    if held {
        return Ok(Vec::new());
    }
    leases::revoke(&mut tx, import.id).await?;
    match request {
        Request::Cancel => endings::cancel(&mut tx, import.id).await?,
        Request::Pause => imports::pause(&mut tx, import.id).await?,
    }
    let next = turns::wake_next(&mut tx, import.database_id).await?;
    tx.commit().await?;
    Ok(next)
}

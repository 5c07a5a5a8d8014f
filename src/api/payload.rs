//! `PUT /v1/imports/{id}/payload`: streams the payload of a draft into the store, unpacked, hashed,
//! limited and surveyed on the way. A complete upload makes it final; an incomplete one leaves nothing.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use longshore_core::code::Code;
use longshore_core::definition::Definition;
use longshore_core::import;
use longshore_core::queue::{Lane, Ticket, Verb};
use longshore_core::store::imports::{Import, Rest, Snapshot};
use longshore_core::store::{imports, leases, removal};
use longshore_workers::outbound::{Limits, UnpackError, unpack};
use longshore_workers::survey::{Along, Surveyed};
use sqlx::Connection;
use tokio::io::AsyncWriteExt;
use tokio_stream::StreamExt;
use tokio_util::io::StreamReader;

use super::App;
use super::body;
use super::caller::Writer;
use super::imports::{accepted, number};
use super::place::Path;
use super::problem::{Problem, problem};
use super::submit::unkept;

const MEDIA_TYPES: [&str; 7] = [
    "text/csv",
    "application/json",
    "application/x-ndjson",
    "application/octet-stream",
    "application/gzip",
    "application/zstd",
    "text/plain",
];

pub(crate) async fn upload(
    State(app): State<App>,
    Writer(caller): Writer,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let id = number(&id)?;
    body::media_type(&headers, &MEDIA_TYPES)?;
    let mut connection = app.pool.acquire().await?;
    let mut tx = connection.begin().await?;
    let draft = imports::find_for_change(&mut tx, caller.account_id, id).await?;
    check(&draft)?;
    // Uploads may take long: nothing is locked, no connection is held meanwhile.
    drop(tx);
    drop(connection);
    // Until a draft is started its database may change: it is surveyed then.
    let starts = draft.definition.autostart;
    let definition = starts.then(|| draft.definition.clone());
    let (snapshot, surveyed) = receive(&app, &headers, body, definition).await?;
    let kept = keep(&app, &draft, (&snapshot, surveyed)).await;
    if kept.is_err()
        && let Rest::Stored(key) = &snapshot.rest
    {
        // Nobody will ever name it; what this misses the sweep takes.
        let _ = app.payloads.delete(key).await;
    }
    if kept? {
        app.queue
            .ring(Lane::Bulk, Ticket::new(Verb::Apply, id))
            .await;
    }
    accepted(&app, caller.account_id, id).await
}

fn check(import: &Import) -> Result<(), Problem> {
    if import.snapshot.is_some() || import.definition.location.is_some() {
        let detail = "The import has its payload already; make a new import for another one.";
        return Err(problem(Code::PayloadExists, detail));
    }
    if import.state != import::State::Draft {
        let detail = format!(
            "The import is {}; only a draft takes a payload.",
            import.state.as_str()
        );
        return Err(problem(Code::NotDraft, detail));
    }
    Ok(())
}

async fn receive(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    definition: Option<Definition>,
) -> Result<(Snapshot, Option<Surveyed>), Problem> {
    let encoding = match headers
        .get(header::CONTENT_ENCODING)
        .map(|value| value.to_str())
    {
        None => None,
        Some(Ok(encoding @ ("gzip" | "zstd" | "identity"))) => Some(encoding),
        Some(_) => {
            let detail = "Content-Encoding is gzip, zstd or identity.";
            return Err(problem(Code::UnsupportedEncoding, detail));
        }
    };
    let stream = body
        .into_data_stream()
        .timeout(body::BODY_IDLE_TIMEOUT)
        .map(|part| match part {
            Ok(part) => part.map_err(std::io::Error::other),
            Err(silent) => Err(std::io::Error::new(std::io::ErrorKind::TimedOut, silent)),
        });
    let reader = StreamReader::new(Box::pin(stream));
    let (key, mut writer) = app.payloads.create();
    // A survey keeps a thread for as long as the bytes take to come, so there are few at a time.
    let place = definition
        .as_ref()
        .and_then(|_| app.surveys.try_acquire().ok());
    let mut along = Along::new(&mut writer, definition.filter(|_| place.is_some()));
    let unpacked = unpack(reader, encoding, &mut along, &Limits::default()).await;
    let surveyed = along.surveyed().await;
    let taken = match unpacked {
        Ok(taken) => taken,
        Err(error) => {
            let _ = writer.abort().await;
            return Err(unreceived(error));
        }
    };
    writer.shutdown().await.map_err(unkept)?;
    let snapshot = Snapshot {
        rest: Rest::Stored(key),
        bytes: i64::try_from(taken.bytes).unwrap_or(i64::MAX),
        sha256: taken.sha256.to_vec(),
    };
    Ok((snapshot, surveyed))
}

/// Nothing was kept: the payload breaks a rule, or its bytes did not all come.
fn unreceived(error: UnpackError) -> Problem {
    match error {
        UnpackError::Payload { code, message, .. } => problem(code, message),
        UnpackError::Reader(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            body::timed_out()
        }
        UnpackError::Reader(_) => body::incomplete(),
        UnpackError::Sink(error) => unkept(error),
    }
}

/// Makes the upload final, unless another one was first. True: the import starts with it.
async fn keep(
    app: &App,
    draft: &Import,
    (snapshot, surveyed): (&Snapshot, Option<Surveyed>),
) -> Result<bool, Problem> {
    let id = draft.id;
    let mut connection = app.pool.acquire().await?;
    let settled = match surveyed {
        Some(surveyed) => {
            let schemas = &app.schemas;
            surveyed
                .settle_on_the_way(&mut connection, schemas, draft)
                .await
        }
        None => None,
    };
    let mut tx = connection.begin().await?;
    removal::wait_for_writers(&mut tx, id).await?;
    leases::lock(&mut tx, id).await?;
    let import = imports::find_for_change(&mut tx, draft.account_id, id).await?;
    check(&import)?;
    let starts = import.definition.autostart;
    let state = if starts {
        import::State::Queued
    } else {
        import::State::Draft
    };
    imports::keep_snapshot(&mut tx, id, snapshot, state).await?;
    if let Some((survey, warnings)) = settled {
        imports::keep_survey(&mut tx, id, &survey, &warnings).await?;
    }
    if starts {
        leases::make_due(&mut tx, id, Verb::Apply).await?;
    }
    tx.commit().await?;
    Ok(starts)
}

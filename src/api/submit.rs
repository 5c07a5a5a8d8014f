//! `POST /v1/imports`: judges the definition whole, keeps the payload, then accepts the import, its
//! lease and its idempotency key in one transaction. 202 only after the commit; Redis being down
//! changes nothing.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use longshore_core::code::Code;
use longshore_core::database::Database;
use longshore_core::definition::{self, Definition, Source};
use longshore_core::error::Complaint;
use longshore_core::id::{Kind, show};
use longshore_core::import;
use longshore_core::limits::{
    ALL_OR_NOTHING_ROWS_MAX, DEFINITION_BYTES_MAX, INLINE_BYTES_MAX, PAYLOAD_IN_LEDGER_BYTES_MAX,
};
use longshore_core::payload::Payloads;
use longshore_core::plan;
use longshore_core::queue::{Lane, Verb};
use longshore_core::store::acceptance::{Accepted, NewImport};
use longshore_core::store::imports::{Rest, Snapshot};
use longshore_core::store::status::Status;
use longshore_core::store::{acceptance, idempotency};
use longshore_workers::survey::{self, Settled, Surveyed};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};
use tokio::io::AsyncWriteExt;

use super::App;
use super::acceptances;
use super::body;
use super::caller::Writer;
use super::imports::{accepted, shown_as_accepted};
use super::problem::{Problem, problem};

pub(crate) async fn submit(
    State(app): State<App>,
    Writer(caller): Writer,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers)?;
    let body = body::json(&headers, body, INLINE_BYTES_MAX + DEFINITION_BYTES_MAX).await?;
    let (definition, source) = definition::parse(&body, &app.addresses)?;
    let source = source.map(|source| match source {
        Source::Array(text) => text.as_bytes().to_vec(),
        Source::Text(text) => text.into_bytes(),
    });
    let request = Request {
        account_id: caller.account_id,
        token_id: caller.token_id,
        key,
        definition,
        source,
    };
    request.submit(&app).await
}

/// Accepts the key quoted, as the draft standard writes it, or bare, as clients send it.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let text = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let visible = text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    if values.next().is_some() || !visible || !(1..=255).contains(&text.len()) {
        let detail = "An Idempotency-Key has 1 to 255 visible ASCII characters, and is sent once.";
        return Err(problem(Code::InvalidIdempotencyKey, detail));
    }
    Ok(Some(text.to_owned()))
}

/// How an acceptance in a transaction of its own went.
enum Outcome {
    Accepted(Accepted),
    /// The same request came in between, and made this import.
    Replayed(i64),
}

struct Request {
    account_id: i64,
    token_id: String,
    key: Option<String>,
    definition: Definition,
    source: Option<Vec<u8>>,
}

impl Request {
    async fn submit(self, app: &App) -> Result<Response, Problem> {
        // A replay is answered before anything is judged again: the first answer stands.
        if let Some(id) = self.replayed_before(app).await? {
            return self.replay(app, id).await;
        }
        app.allowance.charge(&self.token_id)?;
        let (database, ()) = tokio::try_join!(
            self.database(app),
            app.allowance.check_unfinished(&app.lines, self.account_id)
        )?;
        let survey = self.judge(&database).await?;
        let snapshot = self.snapshot(&app.payloads).await?;
        let new = Arc::new(self.new_import(&database, snapshot, survey));
        let accepted = match self.key {
            None if !new.definition.remove_missing => {
                let ways = (&app.lines, &app.queue);
                app.acceptances.accept(ways, &new, self.lane()).await?
            }
            _ => match self.accept_alone(app, &new).await? {
                Outcome::Accepted(accepted) => accepted,
                Outcome::Replayed(id) => return self.replay(app, id).await,
            },
        };
        let id = accepted.id;
        tracing::info!(import = id, account = self.account_id, "accepted");
        // What was kept is known; looking at it again would cost as much as keeping it.
        let status = Status::of_new(&new, &accepted, &database.name)?;
        Ok(located(id, shown_as_accepted(&status)?))
    }

    /// With what belongs into the same transaction: its idempotency key, what it may remove.
    async fn accept_alone(&self, app: &App, new: &NewImport) -> Result<Outcome, Problem> {
        let mut connection = app.pool.acquire().await?;
        let mut tx = connection.begin().await?;
        if let Some(id) = self.replayed_meanwhile(&mut tx).await? {
            return Ok(Outcome::Replayed(id));
        }
        let accepted = acceptance::accept(&mut tx, new).await?;
        if let Some(key) = &self.key {
            let kept = (self.fingerprint(), accepted.id);
            idempotency::keep(&mut tx, self.account_id, key, (&kept.0, kept.1)).await?;
        }
        tx.commit().await?;
        drop(connection);
        if new.state != import::State::Draft {
            let ticket = acceptances::ticket(new, &accepted);
            app.queue.ring(self.lane(), ticket).await;
        }
        Ok(Outcome::Accepted(accepted))
    }

    /// What makes two requests the same: the definition with its defaults, and the source.
    fn fingerprint(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        hash.update(serde_json::to_vec(&self.definition).unwrap_or_default());
        hash.update([0]);
        hash.update(self.source.as_deref().unwrap_or_default());
        hash.finalize().to_vec()
    }

    async fn replayed_before(&self, app: &App) -> Result<Option<i64>, Problem> {
        match self.key {
            None => Ok(None),
            Some(_) => self.replayed(&mut *app.pool.acquire().await?).await,
        }
    }

    async fn replayed(&self, connection: &mut PgConnection) -> Result<Option<i64>, Problem> {
        let Some(key) = &self.key else {
            return Ok(None);
        };
        let Some(known) = idempotency::find(connection, self.account_id, key).await? else {
            return Ok(None);
        };
        if known.fingerprint != self.fingerprint() {
            let detail = format!(
                "This Idempotency-Key came with another request at {}. Use a new key.",
                known
                    .created_at
                    .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
            );
            return Err(problem(Code::IdempotencyKeyReused, detail));
        }
        Ok(Some(known.import_id))
    }

    /// The same under the key's lock, behind which another request may have come in between.
    async fn replayed_meanwhile(&self, tx: &mut PgConnection) -> Result<Option<i64>, Problem> {
        if let Some(key) = &self.key
            && !idempotency::lock(tx, self.account_id, key).await?
        {
            let detail = "The first request with this key is still running.";
            return Err(problem(Code::IdempotencyInProgress, detail).retry_after(1));
        }
        self.replayed(tx).await
    }

    async fn replay(&self, app: &App, id: i64) -> Result<Response, Problem> {
        let mut response = located(id, accepted(app, self.account_id, id).await?);
        response
            .headers_mut()
            .insert("idempotency-replayed", HeaderValue::from_static("true"));
        Ok(response)
    }

    async fn database(&self, app: &App) -> Result<Arc<Database>, Problem> {
        let asked = (self.account_id, self.definition.database.as_str());
        let ways = (&app.lines, &app.schemas);
        app.acceptances.database(ways, asked).await
    }

    /// Against the database; an inline source also against its columns, and its survey is kept.
    async fn judge(&self, database: &Database) -> Result<Option<Settled>, Problem> {
        let complaints = plan::check_names(&self.definition, database);
        if !complaints.is_empty() {
            return Err(complaints.into());
        }
        match &self.source {
            Some(source) => self.judge_source(source, database).await,
            None => Ok(None),
        }
    }

    /// Damage is left to the import itself, which fails with its place; columns are judged here.
    async fn judge_source(
        &self,
        source: &[u8],
        database: &Database,
    ) -> Result<Option<Settled>, Problem> {
        if source.len() > INLINE_BYTES_MAX {
            let detail = format!(
                "An inline source has {INLINE_BYTES_MAX} bytes at most. Give a location, or upload it."
            );
            return Err(problem(Code::BodyTooLarge, detail));
        }
        let Some(surveyed) = self.survey(source).await else {
            return Ok(None);
        };
        let rows = surveyed.survey.rows;
        match plan::bind(&self.definition, database, &surveyed.survey.columns) {
            Ok(plan) if plan.is_all_or_nothing() && rows > ALL_OR_NOTHING_ROWS_MAX => {
                let detail = plan::too_many_rows_to_be_whole(rows);
                Err(Complaint::new(Code::TooManyRows, "/on_reject", detail).into())
            }
            Ok(_) => Ok(surveyed.settle_early(&self.definition, database)),
            Err(complaints) => Err(complaints.into()),
        }
    }

    /// None: it is damaged. A small source is read faster than a thread is woken for it.
    async fn survey(&self, source: &[u8]) -> Option<Surveyed> {
        let surveyed = if source.len() <= PAYLOAD_IN_LEDGER_BYTES_MAX {
            survey::survey(&self.definition, source)
        } else {
            let (definition, source) = (self.definition.clone(), source.to_vec());
            let surveying =
                tokio::task::spawn_blocking(move || survey::survey(&definition, source.as_slice()));
            surveying.await.ok()?
        };
        match surveyed {
            Ok(survey::Outcome::Surveyed(surveyed)) => Some(surveyed),
            _ => None,
        }
    }

    async fn snapshot(&self, payloads: &Payloads) -> Result<Option<Snapshot>, Problem> {
        let Some(source) = &self.source else {
            return Ok(None);
        };
        let rest = match source.len() <= PAYLOAD_IN_LEDGER_BYTES_MAX {
            true => Rest::Inline(source.clone()),
            false => {
                let (key, mut writer) = payloads.create();
                let written = async {
                    writer.write_all(source).await?;
                    writer.shutdown().await
                };
                written.await.map_err(unkept)?;
                Rest::Stored(key)
            }
        };
        Ok(Some(Snapshot {
            rest,
            bytes: i64::try_from(source.len()).unwrap_or(i64::MAX),
            sha256: Sha256::digest(source).to_vec(),
        }))
    }

    fn new_import(
        &self,
        database: &Database,
        snapshot: Option<Snapshot>,
        survey: Option<Settled>,
    ) -> NewImport {
        let verb = match (&snapshot, &self.definition.location) {
            (Some(_), _) => Some(Verb::Apply),
            (None, Some(_)) => Some(Verb::Fetch),
            (None, None) => None,
        };
        let starts = verb.filter(|_| self.definition.autostart);
        NewImport {
            account_id: self.account_id,
            database_id: database.number.0,
            definition: self.definition.clone(),
            state: starts.map_or(import::State::Draft, |_| import::State::Queued),
            snapshot,
            // Until a draft is started its database may change: it is surveyed then.
            survey: starts.and(survey),
            verb: verb.unwrap_or(Verb::Apply),
        }
    }

    /// What surely is small goes before what may be large.
    fn lane(&self) -> Lane {
        match &self.source {
            Some(source) if source.len() <= PAYLOAD_IN_LEDGER_BYTES_MAX => Lane::Express,
            _ => Lane::Bulk,
        }
    }
}

/// The answer says where its import is.
fn located(id: i64, mut response: Response) -> Response {
    let location = format!("/v1/imports/{}", show(Kind::Import, id));
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// The store is full or gone: nothing was accepted.
pub(crate) fn unkept(error: std::io::Error) -> Problem {
    tracing::error!(error = %error, "a payload could not be kept");
    problem(
        Code::TemporarilyUnavailable,
        "The payload could not be kept; try again.",
    )
    .retry_after(30)
}

//! The native `/v1` API. Handlers parse, call one function and answer.

mod acceptances;
mod account;
mod allowance;
mod body;
mod brake;
mod caller;
mod causes;
mod databases;
mod events;
mod fields;
mod imports;
mod lines;
mod listing;
mod looks;
mod notices;
mod overview;
mod payload;
mod place;
mod problem;
mod profiles;
mod progress;
mod rejects;
mod removal;
mod removed;
mod requests;
mod rounds;
mod status;
mod submit;
mod tokens;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post, put};
use longshore_core::address::AddressRules;
use longshore_core::code::Code;
use longshore_core::payload::Payloads;
use longshore_core::queue::Queue;
use longshore_core::store::accounts;
use longshore_core::store::connect;
use longshore_core::store::schemas::Schemas;
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use self::allowance::Allowance;
pub(crate) use self::notices::Notices;
pub use self::problem::status as status_of;
use self::problem::{ERRORS_PAGE, Problem, problem};

/// What every handler shares.
#[derive(Clone)]
pub struct App {
    pub(crate) pool: PgPool,
    pub(crate) queue: Queue,
    pub(crate) payloads: Payloads,
    pub(crate) addresses: AddressRules,
    pub(crate) notices: Notices,
    allowance: Allowance,
    pub(crate) lines: lines::Lines,
    tokens: caller::Tokens,
    acceptances: acceptances::Acceptances,
    pub(crate) looks: looks::Looks,
    pub(crate) schemas: Schemas,
    /// Places for payloads that are surveyed while they are uploaded.
    pub(crate) surveys: Arc<Semaphore>,
    streams: events::Streams,
    uses: Arc<Mutex<HashMap<String, Instant>>>,
}

/// How many payloads are surveyed at a time while they are uploaded; others are surveyed by their
/// imports.
const SURVEYS_MAX: usize = 4;

/// How often the use of one token is written down.
const USE_NOTED_EVERY: Duration = Duration::from_secs(60);

impl App {
    /// Gathers what handlers need. Announcements of imports are heard until `stop`.
    #[must_use]
    pub fn new(
        pool: PgPool,
        queue: Queue,
        (payloads, addresses): (Payloads, AddressRules),
        stop: CancellationToken,
    ) -> App {
        let notices = Notices::start(pool.clone(), stop);
        App {
            lines: lines::Lines::of(pool.clone()),
            pool,
            queue,
            payloads,
            addresses,
            notices,
            allowance: Allowance::new(0, 0),
            tokens: caller::Tokens::default(),
            acceptances: acceptances::Acceptances::default(),
            looks: looks::Looks::default(),
            schemas: Schemas::default(),
            surveys: Arc::new(Semaphore::new(SURVEYS_MAX)),
            streams: events::Streams::default(),
            uses: Arc::default(),
        }
    }

    /// With limits on what clients submit; without them there are none.
    #[must_use]
    pub fn with_allowance(self, allowance: Allowance) -> App {
        App { allowance, ..self }
    }

    /// Notes that a token was used, beside the request and at most once a minute.
    fn note_use(&self, token_id: &str) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = uses
            .get(token_id)
            .is_some_and(|at| at.elapsed() < USE_NOTED_EVERY);
        if noted {
            return;
        }
        uses.insert(token_id.to_owned(), Instant::now());
        let (pool, token_id) = (self.pool.clone(), token_id.to_owned());
        tokio::spawn(async move {
            if let Err(error) = accounts::note_use(&pool, &token_id).await {
                tracing::debug!(error = %error, "the use of a token was not noted");
            }
        });
    }
}

/// All routes.
pub fn router(app: App) -> Router {
    let v1 = Router::new()
        .route("/databases", get(databases::list).post(databases::create))
        .route(
            "/databases/{database}",
            get(databases::show).patch(brake::change),
        )
        .route("/databases/{database}/fields", post(databases::add_fields))
        .route(
            "/databases/{database}/collections",
            post(databases::add_collection),
        )
        .route(
            "/databases/{database}/collections/{collection}/fields",
            post(databases::add_collection_fields),
        )
        .route("/databases/{database}/links", post(databases::add_link))
        .route("/databases/{database}/profiles", get(profiles::list))
        .route(
            "/databases/{database}/profiles/{profile}",
            get(profiles::show),
        )
        .route("/imports", get(imports::list).post(submit::submit))
        .route("/imports/{import}", get(imports::show))
        .route("/imports/{import}/events", get(events::stream))
        .route("/imports/{import}/payload", put(payload::upload))
        .route("/imports/{import}/rejects", get(rejects::download))
        .route("/imports/{import}/rejects/summary", get(causes::summary))
        .route("/imports/{import}/removals", get(removal::list))
        .route("/imports/{import}/approve", post(removal::approve))
        .route("/imports/{import}/refuse", post(removal::refuse))
        .route("/imports/{import}/start", post(requests::start))
        .route("/imports/{import}/pause", post(requests::pause))
        .route("/imports/{import}/resume", post(requests::resume))
        .route("/imports/{import}/cancel", post(requests::cancel))
        .route("/account", get(account::show))
        .route("/overview", get(overview::show))
        .route("/tokens", get(tokens::list).post(tokens::create))
        .route("/tokens/{token}", delete(tokens::revoke))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method);
    Router::new()
        .route("/healthz", get(health))
        .route(ERRORS_PAGE, get(errors_page))
        .nest("/v1", v1)
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .with_state(app)
}

/// Whether this process answers and reaches the ledger. Says nothing else.
async fn health(axum::extract::State(app): axum::extract::State<App>) -> StatusCode {
    match connect::ping(&app.pool).await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Every code with its cause and remedy, as this version knows them. Needs no token, since whoever
/// is refused reads it.
async fn errors_page() -> impl IntoResponse {
    let media = [(header::CONTENT_TYPE, "text/markdown; charset=utf-8")];
    (media, include_str!("../../docs/errors.md"))
}

async fn no_route() -> Problem {
    problem(
        Code::NotFound,
        "There is nothing at this address. The API begins at /v1.",
    )
}

async fn no_method() -> Problem {
    problem(
        Code::MethodNotAllowed,
        "This address does not know this method; see Allow.",
    )
}

//! The roles of the one binary: everything in one process (`up`), the API (`serve`), workers
//! (`work`), the schema (`migrate`). The place where the parts are put together.

use std::path::PathBuf;

use longshore_core::payload::{PayloadAddressError, Payloads};
use longshore_core::queue::{Queue, QueueError};
use longshore_core::store::accounts::{self, NewToken};
use longshore_core::store::connect;
use longshore_core::token::{self, Scope};
use longshore_workers::work::{self, Worker, WorkerError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{self, Allowance, App};
use crate::embedded::{self, Servers, StartError, Wishes};
use crate::operator::{Note, OperatorError};
use crate::server;
use crate::settings::{Settings, SettingsError};

/// Why a role could not begin, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// Settings that cannot be.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The private servers could not be started.
    #[error(transparent)]
    Embedded(#[from] StartError),
    /// The private servers could not be stopped.
    #[error(transparent)]
    Stop(#[from] embedded::StopError),
    /// The configured Postgres cannot be used.
    #[error(transparent)]
    Postgres(#[from] embedded::CheckError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] longshore_core::error::Error),
    /// The queue.
    #[error("LONGSHORE_REDIS_URL: {0}")]
    Queue(#[from] QueueError),
    /// The payload store.
    #[error(transparent)]
    Payloads(#[from] PayloadAddressError),
    /// A worker cannot get ready.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The address of the API is taken, or not ours.
    #[error("cannot listen on {0}: {1}. LONGSHORE_LISTEN names another address")]
    Listen(std::net::SocketAddr, #[source] std::io::Error),
    /// A private server ended by itself.
    #[error("the private {0} server ended; its log is in {1:?}")]
    ServerEnded(&'static str, PathBuf),
    /// The admin token of the settings cannot be one.
    #[error(
        "LONGSHORE_ADMIN_TOKEN has 16 to 256 characters; one that begins with lsh_ is as Longshore \
         made it"
    )]
    AdminToken,
    /// The operator's note cannot be written.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// Signals cannot be waited for.
    #[error("signals cannot be waited for")]
    Signals(#[source] std::io::Error),
}

/// Brings the schema up to date.
pub async fn migrate(settings: &Settings) -> Result<(), RoleError> {
    let url = settings.database_url()?;
    embedded::check_server(url).await?;
    connect::migrate(url).await?;
    show_once(first_token(settings, url).await?);
    Ok(())
}

/// The API, until `stop`.
pub async fn serve(settings: &Settings, stop: CancellationToken) -> Result<(), RoleError> {
    let url = settings.database_url()?;
    embedded::check_server(url).await?;
    if settings.admin_token.is_some() {
        first_token(settings, url).await?;
    }
    let parts = Parts::connect(settings).await?;
    parts.serve(settings, stop).await
}

/// Workers, until `stop`.
pub async fn work(settings: &Settings, stop: CancellationToken) -> Result<(), RoleError> {
    embedded::check_server(settings.database_url()?).await?;
    let parts = Parts::connect(settings).await?;
    let worker = parts.worker(settings, stop)?;
    tracing::info!("working");
    worker.run().await;
    Ok(())
}

/// Everything in one process, until `stop`; on private servers where none are configured.
pub async fn up(settings: &Settings, stop: CancellationToken) -> Result<(), RoleError> {
    let wishes = Wishes {
        data_dir: settings.data_dir.clone(),
        postgres: settings.database_url.is_none(),
        redis: settings.redis_url.is_none(),
        ..Wishes::default()
    };
    let listener = server::listen(settings.listen)
        .await
        .map_err(|error| RoleError::Listen(settings.listen, error))?;
    let mut servers = Servers::start(&wishes).await?;
    let settings = Settings {
        database_url: servers
            .database_url()
            .map(str::to_owned)
            .or(settings.database_url.clone()),
        redis_url: servers
            .redis_url()
            .map(str::to_owned)
            .or(settings.redis_url.clone()),
        ..settings.clone()
    };
    if settings.redis_url.is_none() {
        tracing::warn!(
            install = embedded::install_command(),
            "redis-server is not installed: workers wake every second instead of at once"
        );
    }
    let ran = run_all(&settings, listener, &mut servers, stop).await;
    let stopped = servers.stop().await;
    ran?;
    stopped?;
    Ok(())
}

async fn run_all(
    settings: &Settings,
    listener: tokio::net::TcpListener,
    servers: &mut Servers,
    stop: CancellationToken,
) -> Result<(), RoleError> {
    let url = settings.database_url()?;
    embedded::check_server(url).await?;
    connect::migrate(url).await?;
    show_once(first_token(settings, url).await?);
    let note = Note::write(&settings.data_dir, url)?;
    let parts = Parts::connect(settings).await?;
    let tasks = TaskTracker::new();
    tasks.spawn(parts.worker(settings, stop.clone())?.run());
    let router = api::router(parts.app(stop.clone())?);
    tasks.spawn(server::serve(
        listener,
        router,
        settings.connections_max,
        stop.clone(),
    ));
    tasks.close();
    tracing::info!(address = %settings.listen, "up");
    let ended = watch(servers, &stop).await;
    stop.cancel();
    tasks.wait().await;
    drop(note);
    match ended {
        None => Ok(()),
        Some(name) => Err(RoleError::ServerEnded(name, settings.data_dir.clone())),
    }
}

/// Waits for the stop, or for a private server that ended by itself.
async fn watch(servers: &mut Servers, stop: &CancellationToken) -> Option<&'static str> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
        }
        if let Some(name) = servers.ended() {
            return Some(name);
        }
    }
}

/// A token that was just made; nobody can see it again.
fn show_once(text: Option<String>) {
    if let Some(text) = text {
        println!("Admin token, shown only this once: {text}");
    }
}

/// The first account's admin token: the one of the settings, or a new one where there is none.
/// Returns the text of a new one.
async fn first_token(settings: &Settings, url: &str) -> Result<Option<String>, RoleError> {
    let mut connection = connect::own_connection(url, "longshore-setup").await?;
    let account = accounts::ensure(&mut connection, "default").await?;
    let new = NewToken {
        name: "first admin".to_owned(),
        scopes: vec![Scope::Admin],
        expires_at: None,
    };
    if let Some(text) = &settings.admin_token {
        let token = token::read(text).ok_or(RoleError::AdminToken)?;
        accounts::keep_token(&mut connection, account, &token, &new).await?;
        return Ok(None);
    }
    if accounts::any_token(&mut connection).await? {
        return Ok(None);
    }
    let (token, text) = token::generate();
    accounts::keep_token(&mut connection, account, &token, &new).await?;
    Ok(Some(text))
}

/// What the doors and the workers are made of.
struct Parts {
    database_url: String,
    queue: Queue,
    payloads: Payloads,
    settings: Settings,
}

impl Parts {
    async fn connect(settings: &Settings) -> Result<Parts, RoleError> {
        if !settings.addresses()?.loopback().is_empty() {
            tracing::warn!(
                allowed = %settings.allow_loopback,
                "LONGSHORE_ALLOW_LOOPBACK is set: sources may reach these addresses of this machine"
            );
        }
        let queue = match &settings.redis_url {
            Some(url) => Queue::connect(url, &settings.redis_prefix).await?,
            None => Queue::silent(),
        };
        Ok(Parts {
            database_url: settings.database_url()?.to_owned(),
            queue,
            payloads: Payloads::open(&settings.payloads_url()?)?,
            settings: settings.clone(),
        })
    }

    fn app(&self, stop: CancellationToken) -> Result<App, RoleError> {
        let pool = connect::door_pool(&self.database_url, self.settings.api_connections)?;
        let outside = (self.payloads.clone(), self.settings.addresses()?);
        let (rate, unfinished) = (
            self.settings.submits_per_second,
            self.settings.unfinished_imports_max,
        );
        let app = App::new(pool, self.queue.clone(), outside, stop);
        Ok(app.with_allowance(Allowance::new(rate, unfinished)))
    }

    async fn serve(&self, settings: &Settings, stop: CancellationToken) -> Result<(), RoleError> {
        let listener = server::listen(settings.listen)
            .await
            .map_err(|error| RoleError::Listen(settings.listen, error))?;
        let router = api::router(self.app(stop.clone())?);
        tracing::info!(address = %settings.listen, "serving");
        server::serve(listener, router, settings.connections_max, stop).await;
        Ok(())
    }

    fn worker(&self, settings: &Settings, stop: CancellationToken) -> Result<Worker, RoleError> {
        let settings = work::Settings {
            database_url: self.database_url.clone(),
            queue: self.queue.clone(),
            payloads: self.payloads.clone(),
            addresses: settings.addresses()?,
            apply_slots: settings.apply_slots,
            fetch_slots: settings.fetch_slots,
            lanes: settings.lanes,
            chunk_rows: work::CHUNK_ROWS,
            lease: settings.lease(),
            grace: std::time::Duration::from_secs(settings.grace_secs),
        };
        Ok(Worker::new(settings, stop)?)
    }
}

//! Other APIs of the same test: one with limits, and one behind a gate before Postgres, which hangs up on
//! everyone while it is closed, as a server does that is gone.

use std::path::PathBuf;

use longshore::api::{self, Allowance, App};
use longshore::server;
use longshore_core::address::AddressRules;
use longshore_core::payload::Payloads;
use longshore_core::queue::Queue;
use longshore_core::store::connect;
use sqlx::postgres::PgConnectOptions;
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

use super::TestApp;

/// Lets connections through while it is open.
pub(crate) struct Gate {
    open: watch::Sender<bool>,
}

impl Gate {
    /// Closes or opens it; connections that are open end when it closes.
    pub(crate) fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }
}

impl TestApp {
    /// From here on the API reaches Postgres through a gate; the worker and the test do not.
    pub(crate) async fn behind_a_gate(&mut self) -> Gate {
        let (open, seen) = watch::channel(true);
        let straight: PgConnectOptions = self.database_url.parse().unwrap();
        let socket = straight.get_socket().unwrap().join(".s.PGSQL.5432");
        let name = straight.get_database().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate = listener.local_addr().unwrap();
        tokio::spawn(pass(listener, socket, seen));

        let around = format!("postgres://longshore@{gate}/{name}?sslmode=disable");
        let pool = connect::door_pool(&around, 5).unwrap();
        let payloads = format!("file://{}", self.payload_dir.path().display());
        let outside = (
            Payloads::open(&payloads).unwrap(),
            AddressRules::parse(&self.files.address).unwrap(),
        );
        let app = App::new(pool, Queue::silent(), outside, self.stop.clone());
        self.move_to(app).await;
        Gate { open }
    }

    /// From here on the API has limits on what is submitted.
    pub(crate) async fn with_allowance(&mut self, allowance: Allowance) {
        let payloads = format!("file://{}", self.payload_dir.path().display());
        let outside = (
            Payloads::open(&payloads).unwrap(),
            AddressRules::parse(&self.files.address).unwrap(),
        );
        let app = App::new(
            self.pool.clone(),
            Queue::silent(),
            outside,
            self.stop.clone(),
        );
        self.move_to(app.with_allowance(allowance)).await;
    }

    /// From here on calls go to this API.
    async fn move_to(&mut self, app: App) {
        let listener = server::listen(([127, 0, 0, 1], 0).into()).await.unwrap();
        self.url = format!("http://{}", listener.local_addr().unwrap());
        self.ear = super::hearing::Ear::open(&self.url);
        let router = api::router(app);
        tokio::spawn(server::serve(listener, router, 64, self.stop.clone()));
    }
}

async fn pass(listener: TcpListener, postgres: PathBuf, open: watch::Receiver<bool>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let (mut open, postgres) = (open.clone(), postgres.clone());
        tokio::spawn(async move {
            if !*open.borrow() {
                return;
            }
            let mut server = UnixStream::connect(&postgres).await.unwrap();
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                _ = open.wait_for(|open| !open) => {}
            }
        });
    }
}

//! The HTTP server: an accept loop of our own, since axum's sets no limit on how long a client may
//! take to send its headers, nor on how many clients there are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// From the connection's first byte to the end of the headers, and between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Silence between two requests on a kept connection of HTTP/2.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// Most bytes of one request's headers.
const HEADER_BYTES_MAX: usize = 32 << 10;
/// Most streams of one HTTP/2 connection.
const STREAMS_MAX: u32 = 100;
/// How long answers under way may take when the process stops.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// Serves until `stop`, then lets answers under way end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections_max: usize,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(connections_max));
    let graceful = GracefulShutdown::new();
    while let Some((stream, place)) = accept(&listener, &places, &stop).await {
        let watcher = graceful.watcher();
        let router = router.clone();
        tokio::spawn(async move {
            // The client's way of ending a connection is its own business.
            if let Err(error) = connection(stream, router, watcher).await {
                tracing::debug!(error = %error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(STOP_GRACE, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("answers under way were cut at the stop");
    }
}

/// The next client, once there is a place for it. None at the stop.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let next = async {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, place)),
                Err(error) => {
                    // Out of file descriptors, most likely: others must end first.
                    tracing::warn!(error = %error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    };
    tokio::select! {
        next = next => next,
        () = stop.cancelled() => None,
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    // The timers of the protocols begin once the protocol is known: until then a peek decides.
    tokio::time::timeout(HEADER_TIMEOUT, stream.peek(&mut [0])).await??;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .max_header_list_size(HEADER_BYTES_MAX as u32)
        .max_concurrent_streams(STREAMS_MAX);
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    watcher.watch(connection.into_owned()).await
}

/// Listens on an address.
pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

//! The server on the io runtime.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{error, health, limit, tenants};
use crate::port::directory::Directory;
use crate::telemetry::Telemetry;

/// Bytes of a request's body; nothing here takes one.
const BODY_MAX: usize = 4_096;

/// What handlers work with.
#[derive(Clone)]
pub struct State {
    /// The running node.
    pub directory: Arc<dyn Directory>,
    /// Its metrics.
    pub telemetry: Arc<Telemetry>,
}

/// The server could not start.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is taken, not ours or not allowed.
    #[error("cannot listen on {address}: {source}; choose another [http] listen address or stop what uses it")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// Where it listens (the port that was given, when asked for port 0).
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    /// Takes no more connections and waits until those that are served have ended.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the HTTP server ended badly");
        }
    }
}

/// All paths.
pub fn router(state: State) -> Router {
    Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/v1/tenants", get(tenants::list))
        .route("/v1/tenants/{tenant}", get(tenants::show))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(middleware::from_fn(limit::deadline))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(state)
}

/// Starts the server; call it on the io runtime. Whoever listens beyond loopback must guard the address: there is no
/// authentication here.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(address: SocketAddr, state: State) -> Result<Server, HttpError> {
    let bind = |source| HttpError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "the HTTP server can be reached from other machines and asks nobody who they are");
    }
    let (stop, mut stopped) = watch::channel(false);
    let server = axum::serve(limit::Limited::new(listener), router(state)).with_graceful_shutdown(async move {
        // An error means that the handle was dropped: stop, too.
        let _dropped = stopped.wait_for(|stop| *stop).await.is_err();
    });
    let task = tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the HTTP server failed");
        }
    });
    Ok(Server { address, stop, task })
}

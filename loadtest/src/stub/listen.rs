//! The stub's two ports.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::pubsub::Service;
use super::pubsub::wire::pub_sub_server::PubSubServer;
use super::{Orgs, rest};
use crate::error::LoadError;
use crate::report::say;

/// Streams of one connection (change-events.md 1).
const STREAMS_MAX: u32 = 1_000;

async fn bound() -> Result<(TcpListener, String), LoadError> {
    let address: SocketAddr = ([127, 0, 0, 1], 0).into();
    let listener = TcpListener::bind(address)
        .await
        .map_err(LoadError::io("opening a port of the stub org"))?;
    let address = listener
        .local_addr()
        .map_err(LoadError::io("opening a port of the stub org"))?;
    Ok((listener, format!("http://{address}")))
}

pub(super) async fn rest(orgs: Arc<Orgs>) -> Result<(String, JoinHandle<()>), LoadError> {
    let (listener, url) = bound().await?;
    // Answers are small and latency counts: no Nagle. A connection that refuses the option works all the same.
    let listener = listener.tap_io(|io| io.set_nodelay(true).unwrap_or_default());
    let router = rest::router(rest::Place { orgs, url: url.clone() });
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            say(&format!("the stub org's REST port ended: {error}"));
        }
    });
    Ok((url, task))
}

pub(super) async fn pubsub(orgs: Arc<Orgs>) -> Result<(String, JoinHandle<()>), LoadError> {
    let (listener, url) = bound().await?;
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .add_service(PubSubServer::new(Service(orgs)));
    let task = tokio::spawn(async move {
        if let Err(error) = server.serve_with_incoming(incoming).await {
            say(&format!("the stub org's Pub/Sub port ended: {error}"));
        }
    });
    Ok((url, task))
}

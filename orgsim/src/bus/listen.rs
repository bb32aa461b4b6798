//! Serves the bus over gRPC, in the clear and with TLS.

use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};

use super::Bus;
use super::service::Service;
use crate::wire::pub_sub_server::PubSubServer;

/// Names that the self-signed certificate is good for.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// Streams of one connection (Pub/Sub API guide, "Allocations").
const STREAMS: u32 = 1_000;

/// How long open calls may take to end once the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// Why the Pub/Sub server could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A listener cannot be used.
    #[error("the Pub/Sub listener cannot be used: {0}")]
    Listener(#[from] std::io::Error),
    /// No certificate could be made.
    #[error("no TLS certificate could be made for the Pub/Sub server: {0}")]
    Certificate(#[from] rcgen::Error),
    /// gRPC or TLS failed.
    #[error("the Pub/Sub server failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// A certificate that signs itself, made anew at each start.
pub struct SelfSigned {
    certificate: String,
    key: String,
}

impl SelfSigned {
    /// Makes a certificate for `localhost` and `127.0.0.1`.
    pub(crate) fn new() -> Result<Self, rcgen::Error> {
        let made = rcgen::generate_simple_self_signed(NAMES.map(str::to_owned))?;
        Ok(Self {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        })
    }

    /// PEM of the certificate, for clients that check it.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }
}

/// Serves `bus` on both listeners until `stop` is done; then open streams end with
/// `service.unavailable`.
///
/// # Errors
/// When a listener cannot be used, the certificate cannot be made, or gRPC fails.
pub async fn serve(
    bus: Arc<Bus>,
    plain: TcpListener,
    tls: Option<TcpListener>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let (close, closing) = watch::channel(false);
    let service = || PubSubServer::new(Service::new(Arc::clone(&bus.shared), closing.clone()));
    let over_tls = async {
        let Some(listener) = tls else { return Ok(()) };
        let certificate = bus.certificate()?;
        let identity = Identity::from_pem(&certificate.certificate, &certificate.key);
        let server = Server::builder().tls_config(ServerTlsConfig::new().identity(identity))?;
        run(server, service(), listener, closing.clone()).await
    };
    let in_the_clear = run(Server::builder(), service(), plain, closing.clone());
    let both = async { tokio::try_join!(in_the_clear, over_tls).map(|_| ()) };
    tokio::pin!(both);
    tokio::select! {
        ended = &mut both => return ended,
        () = stop => {}
    }
    close.send_replace(true);
    match tokio::time::timeout(GRACE, both).await {
        Ok(ended) => ended,
        Err(_) => {
            tracing::warn!("clients kept their calls open: the Pub/Sub server stops without them");
            Ok(())
        }
    }
}

async fn run(
    server: Server,
    service: PubSubServer<Service>,
    listener: TcpListener,
    mut closing: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    listener.set_nonblocking(true)?;
    // Events are small and latency counts: no Nagle.
    let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener)?).with_nodelay(Some(true));
    let stopped = async move {
        if closing.wait_for(|closing| *closing).await.is_err() {
            tracing::debug!("the Pub/Sub server was dropped: its listeners close");
        }
    };
    server
        .max_concurrent_streams(STREAMS)
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, stopped)
        .await?;
    Ok(())
}

//! Connections to Redis, each with its timeouts said aloud.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};

/// How to reach Redis, and what a new tenant is laid out by.
#[derive(Clone)]
pub struct StoreSettings {
    /// `redis://` or `rediss://`, with user and password where needed: keep it out of logs.
    pub url: secrecy::SecretString,
    /// For the handshake of a connection.
    pub connect_timeout: Duration,
    /// From a request's writing to its answer; a lane that sees one late answer is dead.
    pub response_timeout: Duration,
    /// Connections of the pool, which serves everything but the lanes.
    pub pool_size: usize,
    /// Buckets that a new tenant's rows and id index are spread over; a tenant keeps what it began with.
    pub record_buckets: u32,
    /// Partitions of the product's feed; fixed when Tandem is installed.
    pub feed_partitions: u16,
}

/// The store could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum StoreSetupError {
    /// The URL.
    #[error("the Redis URL is not valid ({0}); it looks like redis://user:password@host:6379/0")]
    Url(String),
    /// The pool.
    #[error("the Redis pool could not be made: {0}")]
    Pool(String),
}

/// Makes the client; opens nothing yet.
pub(super) fn client(settings: &StoreSettings) -> Result<Client, StoreSetupError> {
    use secrecy::ExposeSecret;
    // The driver's error can quote the URL with its password: only its kind is shown.
    Client::open(settings.url.expose_secret()).map_err(|e| StoreSetupError::Url(format!("{:?}", e.kind())))
}

/// Timeouts of an ordinary connection.
pub(super) fn config(settings: &StoreSettings) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(settings.connect_timeout))
        .set_response_timeout(Some(settings.response_timeout))
}

/// Opens a lane's own connection. It never heals by itself: what breaks stays broken.
pub(super) async fn open(client: Client, settings: StoreSettings) -> RedisResult<MultiplexedConnection> {
    let config = config(&settings).set_pipeline_buffer_size(super::pipe::IN_FLIGHT_MAX);
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// Makes the pool; opens nothing yet.
pub(super) fn pool(settings: &StoreSettings) -> Result<deadpool_redis::Pool, StoreSetupError> {
    let client = client(settings)?;
    let manager = deadpool_redis::Manager::new_with_config(client.get_connection_info().clone(), config(settings))
        .map_err(|e| StoreSetupError::Pool(format!("{:?}", e.kind())))?;
    deadpool_redis::Pool::builder(manager)
        .max_size(settings.pool_size)
        .wait_timeout(Some(settings.response_timeout))
        .create_timeout(Some(settings.connect_timeout))
        .recycle_timeout(Some(settings.response_timeout))
        .runtime(deadpool_redis::Runtime::Tokio1)
        .build()
        .map_err(|e| StoreSetupError::Pool(e.to_string()))
}

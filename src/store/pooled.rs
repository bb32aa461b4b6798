//! Requests through the pool: membership, leases, tokens, views. One connection is taken a batch, never kept.

use deadpool_redis::Pool;
use redis::{Pipeline, Value};
use tokio::runtime::Handle;

use super::connection::{self, StoreSettings, StoreSetupError};
use super::{reply, script};
use crate::port::Answer;
use crate::port::store::StoreError;

/// A pool whose connections live on one runtime, whichever thread asks: a connection driven by an arbiter would stand
/// still with it.
#[derive(Clone)]
pub(super) struct Pooled {
    pool: Pool,
    runtime: Handle,
}

impl Pooled {
    /// Opens nothing yet.
    pub(super) fn new(settings: &StoreSettings, runtime: Handle) -> Result<Self, StoreSetupError> {
        Ok(Self {
            pool: connection::pool(settings)?,
            runtime,
        })
    }

    /// Runs commands together on one connection, from now on, and gives one value for each; loads the scripts once if
    /// the server does not know them. Scripts asked here may be run twice: each either changes nothing or compares
    /// before it does.
    pub(super) fn run(&self, doing: &'static str, commands: Pipeline) -> Answer<Vec<Value>, StoreError> {
        let pool = self.pool.clone();
        let running = self.runtime.spawn(async move { run(&pool, &commands).await });
        Box::pin(async move {
            let ended = running.await.map_err(|e| e.to_string()).flatten();
            ended.map_err(|detail| StoreError::Broken { doing, detail })
        })
    }
}

async fn run(pool: &Pool, commands: &Pipeline) -> Result<Vec<Value>, String> {
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    let mut connection = pool.get().await.map_err(|e| e.to_string())?;
    let mut values = send(&mut connection, commands).await?;
    if values.iter().any(reply::is_no_script) {
        send(&mut connection, &script::load()).await?;
        values = send(&mut connection, commands).await?;
    }
    match values
        .iter()
        .find(|v| reply::is_not_serving(v))
        .and_then(reply::server_error)
    {
        Some((code, text)) => Err(format!("{code} {text}")),
        None => Ok(values),
    }
}

async fn send(connection: &mut deadpool_redis::Connection, commands: &Pipeline) -> Result<Vec<Value>, String> {
    use redis::aio::ConnectionLike;
    let sent = connection.req_packed_commands(commands, 0, commands.len()).await;
    sent.map_err(|e| e.to_string())
}

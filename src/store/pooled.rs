//! Requests through the pool: membership, leases, tokens, views. One connection is taken a batch, never kept.

use deadpool_redis::Pool;
use redis::{Pipeline, Value};

use super::{reply, script};
use crate::port::store::StoreError;

/// Runs commands together on one connection and gives one value for each; loads the scripts once if the server does
/// not know them. Scripts asked here may be run twice: each either changes nothing or compares before it does.
pub(super) async fn run(pool: &Pool, doing: &'static str, commands: Pipeline) -> Result<Vec<Value>, StoreError> {
    let broken = |detail: String| StoreError::Broken { doing, detail };
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    let mut connection = pool.get().await.map_err(|e| broken(e.to_string()))?;
    let mut values = send(&mut connection, &commands).await.map_err(&broken)?;
    if values.iter().any(reply::is_no_script) {
        let mut load = redis::pipe();
        for script in script::all() {
            load.cmd("SCRIPT").arg("LOAD").arg(&script.text);
        }
        send(&mut connection, &load).await.map_err(&broken)?;
        values = send(&mut connection, &commands).await.map_err(&broken)?;
    }
    match values
        .iter()
        .find(|v| reply::is_not_serving(v))
        .and_then(reply::server_error)
    {
        Some((code, text)) => Err(broken(format!("{code} {text}"))),
        None => Ok(values),
    }
}

async fn send(connection: &mut deadpool_redis::Connection, commands: &Pipeline) -> Result<Vec<Value>, String> {
    use redis::aio::ConnectionLike;
    let sent = connection.req_packed_commands(commands, 0, commands.len()).await;
    sent.map_err(|e| e.to_string())
}

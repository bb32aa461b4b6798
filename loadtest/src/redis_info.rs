//! What Redis says of itself in `INFO`.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::aio::MultiplexedConnection;

use crate::error::LoadError;

/// Longest wait for a rewrite of the append-only file.
const REWRITTEN_WITHIN: Duration = Duration::from_secs(120);
/// Pause between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(50);

async fn section(connection: &mut MultiplexedConnection, name: &str) -> Result<BTreeMap<String, String>, LoadError> {
    let text: String = redis::cmd("INFO").arg(name).query_async(connection).await?;
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    Ok(lines
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect())
}

/// `used_memory`: bytes that Redis has allocated.
///
/// # Errors
/// When Redis is away.
pub async fn used_memory(connection: &mut MultiplexedConnection) -> Result<u64, LoadError> {
    let memory = section(connection, "memory").await?;
    let used = memory.get("used_memory").and_then(|value| value.parse().ok());
    used.ok_or_else(|| LoadError::Stack("INFO memory tells no used_memory".to_owned()))
}

/// Commands executed so far by name, those inside scripts included, `INFO` itself not.
///
/// # Errors
/// When Redis is away.
pub async fn commands(connection: &mut MultiplexedConnection) -> Result<BTreeMap<String, u64>, LoadError> {
    let stats = section(connection, "commandstats").await?;
    let named = stats.into_iter().filter_map(|(name, stat)| {
        let name = name.strip_prefix("cmdstat_")?;
        (name != "info").then_some((name.to_owned(), calls(&stat)?))
    });
    Ok(named.collect())
}

fn calls(stat: &str) -> Option<u64> {
    stat.split(',')
        .find_map(|part| part.strip_prefix("calls="))?
        .parse()
        .ok()
}

/// Rewrites the append-only file and waits for the end, so that no rewrite falls into what is measured next.
///
/// # Errors
/// When Redis is away or does not come to an end.
pub async fn rewrite(connection: &mut MultiplexedConnection) -> Result<(), LoadError> {
    let until = tokio::time::Instant::now() + REWRITTEN_WITHIN;
    let mut asked = false;
    while tokio::time::Instant::now() < until {
        let state = section(connection, "persistence").await?;
        let busy = ["aof_rewrite_in_progress", "aof_rewrite_scheduled"]
            .iter()
            .any(|name| state.get(*name).is_some_and(|value| value != "0"));
        match (busy, asked) {
            (false, true) => return Ok(()),
            (false, false) => {
                asked = true;
                redis::cmd("BGREWRITEAOF").query_async::<String>(connection).await?;
            }
            (true, _) => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(LoadError::Stack(
        "redis did not end the rewrite of its file in time".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::{RedisServer, RedisSettings, Warden, connect};

    async fn all(connection: &mut MultiplexedConnection) -> u64 {
        commands(connection).await.expect("commands").values().sum()
    }

    #[tokio::test]
    async fn memory_and_commands_grow_with_what_is_written() {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let warden = std::sync::Arc::new(Warden::start().expect("a shell"));
        let settings = RedisSettings::default();
        let server = RedisServer::start(dir.path(), settings, &warden)
            .await
            .expect("redis-server");
        let mut connection = connect(&server.url).await.expect("a connection");
        let before = (
            used_memory(&mut connection).await.expect("memory"),
            all(&mut connection).await,
        );
        for at in 0..100 {
            let set = redis::cmd("SET")
                .arg(at)
                .arg("x".repeat(1_000))
                .query_async::<()>(&mut connection)
                .await;
            set.expect("an answer");
        }
        assert!(used_memory(&mut connection).await.expect("memory") > before.0 + 100_000);
        assert_eq!(all(&mut connection).await, before.1 + 100);
        rewrite(&mut connection).await.expect("a rewrite");
        assert_eq!(all(&mut connection).await, before.1 + 101, "a rewrite is one command");
    }
}

//! A private redis-server, durable to the last append, that can be killed and started again on its files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisResult};
use tokio::process::Command;

use super::process::{Process, Warden};
use crate::error::LoadError;

/// Longest wait for a started server: it reads its append-only file first.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Pause between two pings.
const PING_EVERY: Duration = Duration::from_millis(20);
/// Longest wait for one answer: `appendfsync always` on a busy disk is slow.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How a redis-server is set up. The default is what production must set (docs/decisions/0002).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedisSettings {
    /// `appendfsync always`; otherwise `no`.
    pub fsync: bool,
    /// Keyspace notifications, which ring for appends. Without them nobody may switch them on either.
    pub notifications: bool,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            fsync: true,
            notifications: true,
        }
    }
}

/// A redis-server of our own.
#[derive(Debug)]
pub struct RedisServer {
    /// `redis://127.0.0.1:port`.
    pub url: String,
    pub(super) process: Process,
    dir: PathBuf,
    port: u16,
    settings: RedisSettings,
}

impl RedisServer {
    /// Starts it with files under `dir` and waits for its first answer.
    ///
    /// # Errors
    /// When there is no redis-server, or it does not answer in time.
    pub async fn start(dir: &Path, settings: RedisSettings, warden: &Arc<Warden>) -> Result<Self, LoadError> {
        let dir = dir.join("redis");
        std::fs::create_dir_all(&dir).map_err(LoadError::io("making the folder of redis"))?;
        let port = free_port()?;
        let process = Self::spawn(&dir, port, settings, warden)?;
        let mut server = Self {
            url: format!("redis://127.0.0.1:{port}"),
            process,
            dir,
            port,
            settings,
        };
        server.ready().await?;
        Ok(server)
    }

    fn spawn(dir: &Path, port: u16, settings: RedisSettings, warden: &Arc<Warden>) -> Result<Process, LoadError> {
        let mut command = Command::new("redis-server");
        command.arg("--port").arg(port.to_string()).arg("--dir").arg(dir);
        command.args([
            "--bind",
            "127.0.0.1",
            "--appendonly",
            "yes",
            "--appendfsync",
            if settings.fsync { "always" } else { "no" },
            "--save",
            "",
        ]);
        command.args(["--hash-max-listpack-value", "256", "--hash-max-listpack-entries", "128"]);
        if settings.notifications {
            command.args(["--notify-keyspace-events", "Kt"]);
        } else {
            command.args(["--rename-command", "CONFIG", ""]);
        }
        command.args(["--daemonize", "no", "--loglevel", "warning"]);
        Process::spawn("redis-server", command, &dir.join("redis.log"), false, warden)
    }

    async fn ready(&mut self) -> Result<(), LoadError> {
        let until = tokio::time::Instant::now() + READY_WITHIN;
        while tokio::time::Instant::now() < until {
            self.process.check()?;
            if ping(&self.url).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(PING_EVERY).await;
        }
        Err(self.process.failure("did not answer in time"))
    }

    /// `kill -9`, and a new server at once on the same port and files.
    ///
    /// # Errors
    /// When it does not answer again in time.
    pub async fn kill_and_restart(&mut self, warden: &Arc<Warden>) -> Result<(), LoadError> {
        self.process.kill().await;
        self.process = Self::spawn(&self.dir, self.port, self.settings, warden)?;
        self.ready().await
    }
}

async fn ping(url: &str) -> RedisResult<()> {
    let mut connection = connect(url).await?;
    redis::cmd("PING")
        .query_async::<String>(&mut connection)
        .await
        .map(drop)
}

/// A port of the loopback address that nobody listens on.
///
/// # Errors
/// When no port can be had.
pub fn free_port() -> Result<u16, LoadError> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(LoadError::io("finding a free port"))?;
    Ok(listener
        .local_addr()
        .map_err(LoadError::io("finding a free port"))?
        .port())
}

/// A connection for commands that answer at once.
///
/// # Errors
/// When Redis is away.
pub async fn connect(url: &str) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_WITHIN));
    redis::Client::open(url)?
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

/// A connection for one blocking reader: no other command may share it, and its answers have no deadline.
///
/// # Errors
/// When Redis is away.
pub async fn connect_for_blocking(url: &str) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    redis::Client::open(url)?
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::AsyncCommands;

    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_a_kill() {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let warden = Arc::new(Warden::start().expect("a shell"));
        let settings = RedisSettings::default();
        let started = RedisServer::start(dir.path(), settings, &warden).await;
        let mut server = started.expect("redis-server");
        let mut connection = connect(&server.url).await.expect("a connection");
        let _: String = connection.xadd("log", "*", &[("key", "1")]).await.expect("an append");
        server.kill_and_restart(&warden).await.expect("a second start");
        let mut connection = connect(&server.url).await.expect("a connection");
        let length: u64 = connection.xlen("log").await.expect("a length");
        assert_eq!(length, 1);
        let notify: Vec<String> = redis::cmd("CONFIG")
            .arg("GET")
            .arg("hash-max-listpack-value")
            .query_async(&mut connection)
            .await
            .expect("config");
        assert_eq!(notify[1], "256");
    }

    #[tokio::test]
    async fn without_notifications_nobody_can_switch_them_on() {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let warden = Arc::new(Warden::start().expect("a shell"));
        let settings = RedisSettings {
            notifications: false,
            fsync: false,
        };
        let server = RedisServer::start(dir.path(), settings, &warden).await;
        let mut connection = connect(&server.expect("redis-server").url).await.expect("a connection");
        let set = redis::cmd("CONFIG")
            .arg(("SET", "notify-keyspace-events", "Kt"))
            .query_async::<()>(&mut connection)
            .await;
        assert!(set.is_err());
    }
}

//! A Redis (or Valkey) for this stack alone.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::DevError;
use super::child::Child;

/// Servers that are looked for, in this order.
const SERVERS: [&str; 2] = ["redis-server", "valkey-server"];
/// How long it may take to answer.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A running server.
pub(super) struct Redis {
    pub(super) child: Child,
    pub(super) url: String,
    pub(super) port: u16,
    /// The server's own process id (the child is its guard).
    pub(super) pid: u32,
}

/// The first server on the PATH.
pub(super) fn find_server() -> Result<PathBuf, DevError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    SERVERS
        .iter()
        .find_map(|name| {
            std::env::split_paths(&path)
                .map(|dir| dir.join(name))
                .find(|file| file.is_file())
        })
        .ok_or_else(|| {
            let servers = SERVERS.join(" nor ");
            DevError::Missing(format!(
                "neither {servers} is on the PATH: run script/setup, or install one (Debian, Ubuntu: apt-get install \
                 redis-server; macOS: brew install redis)"
            ))
        })
}

/// A port that nothing listens on now.
pub(super) fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Starts the server in `dir` and waits until it answers. What an earlier life wrote to `dir` is read.
pub(super) async fn start(server: &Path, dir: &Path, port: u16, logs: &Path) -> Result<Redis, DevError> {
    std::fs::create_dir_all(dir).map_err(DevError::file(dir))?;
    let this = std::env::current_exe().map_err(DevError::file(Path::new("tandem")))?;
    let mut command = Command::new(this);
    command
        .arg("dev-guard")
        .arg("--")
        .arg(server)
        .args(options(port))
        .arg("--dir")
        .arg(dir);
    let (mut child, output) = Child::start("redis", command, logs, true)?;
    let mut lines = BufReader::new(output.ok_or_else(|| child.failed("it has no output"))?).lines();
    let mut waited = Duration::ZERO;
    let pid = tokio::time::timeout(START_TIMEOUT, lines.next_line()).await;
    let pid = pid
        .ok()
        .and_then(Result::ok)
        .flatten()
        .and_then(|line| line.trim().parse::<u32>().ok());
    let url = format!("redis://127.0.0.1:{port}/0");
    while !answers(&url).await {
        if let Ok(end) = tokio::time::timeout(LOOK_INTERVAL, child.ended()).await {
            return Err(child.gone(end));
        }
        waited += LOOK_INTERVAL;
        if waited > START_TIMEOUT {
            return Err(child.failed(format!("it does not answer within {} s", START_TIMEOUT.as_secs())));
        }
    }
    let pid = pid.ok_or_else(|| child.failed("its process id is not known"))?;
    Ok(Redis { child, url, port, pid })
}

/// What Tandem asks of its Redis; docs/decisions/0002-private-redis.md says why.
fn options(port: u16) -> Vec<String> {
    let pairs = [
        ("--port", port.to_string()),
        ("--bind", "127.0.0.1".to_owned()),
        ("--daemonize", "no".to_owned()),
        ("--appendonly", "yes".to_owned()),
        ("--appendfsync", "always".to_owned()),
        ("--save", String::new()),
        ("--notify-keyspace-events", "Kt".to_owned()),
        ("--hash-max-listpack-value", "256".to_owned()),
        ("--maxmemory-policy", "noeviction".to_owned()),
        ("--slowlog-max-len", "0".to_owned()),
    ];
    pairs
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
}

async fn answers(url: &str) -> bool {
    let Ok(client) = ::redis::Client::open(url) else {
        return false;
    };
    let Ok(mut connection) = client.get_multiplexed_async_connection().await else {
        return false;
    };
    ::redis::cmd("PING")
        .query_async::<String>(&mut connection)
        .await
        .is_ok_and(|answer| answer == "PONG")
}

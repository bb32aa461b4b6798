//! The engine as a child: `tandem serve` with the stack's settings.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use super::DevError;
use super::child::Child;
use super::files::StateDir;

/// How long it may take to be ready.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

#[derive(Deserialize)]
struct Ready {
    http_url: String,
}

/// A running engine.
pub(super) struct Engine {
    pub(super) child: Child,
    pub(super) http_url: String,
}

/// Starts the engine and waits until it is ready.
pub(super) async fn start(state: &StateDir, config: &Path) -> Result<Engine, DevError> {
    state.remove("ready.json")?;
    let ready_file = state.at("ready.json");
    let this = std::env::current_exe().map_err(DevError::file(Path::new("tandem")))?;
    let mut command = Command::new(this);
    command
        .arg("serve")
        .arg("--stop-with-stdin")
        .arg("--config")
        .arg(config)
        .arg("--ready-file")
        .arg(&ready_file);
    let (mut child, _) = Child::start("engine", command, &state.at("logs"), false)?;
    let ready = async {
        loop {
            if let Ok(text) = std::fs::read_to_string(&ready_file) {
                return serde_json::from_str::<Ready>(&text).map_err(|why| format!("its ready file is wrong: {why}"));
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    };
    let answer = tokio::select! {
        ready = tokio::time::timeout(START_TIMEOUT, ready) => ready,
        end = child.ended() => return Err(child.gone(end)),
    };
    match answer {
        Ok(Ok(ready)) => Ok(Engine {
            child,
            http_url: ready.http_url,
        }),
        Ok(Err(why)) => Err(child.failed(why)),
        Err(_) => Err(child.failed(format!("it is not ready within {} s", START_TIMEOUT.as_secs()))),
    }
}

//! The simulated Salesforce orgs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use super::child::Child;
use super::{DevError, TENANTS};

/// How long it may take to say that it is ready.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A running simulator.
pub(super) struct Simulator {
    pub(super) child: Child,
    pub(super) ready: Ready,
}

/// The line that `orgsim --json` prints when it is ready.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Ready {
    pub(super) pubsub: String,
    pub(super) admin: String,
    pub(super) orgs: Vec<Org>,
}

/// One simulated org.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Org {
    pub(super) name: String,
    pub(super) org_id: String,
    pub(super) login_url: String,
    pub(super) instance_url: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) username: String,
    pub(super) password: String,
    pub(super) access_token: String,
}

/// Beside this executable, or where TANDEM_ORGSIM says.
pub(super) fn find() -> Result<PathBuf, DevError> {
    if let Some(path) = std::env::var_os("TANDEM_ORGSIM").map(PathBuf::from) {
        return if path.is_file() {
            Ok(path)
        } else {
            Err(DevError::Missing(format!(
                "TANDEM_ORGSIM names {}, which is no file",
                path.display()
            )))
        };
    }
    let this = std::env::current_exe().map_err(DevError::file(Path::new("tandem")))?;
    let sibling = this.with_file_name("orgsim");
    if sibling.is_file() {
        return Ok(sibling);
    }
    Err(DevError::Missing(format!(
        "the simulated org is missing: {} is no file; build it (cargo build -p orgsim, or script/dev), or name it with \
         TANDEM_ORGSIM",
        sibling.display()
    )))
}

/// Starts one simulator with an org a tenant and waits until it is ready.
pub(super) async fn start(program: &Path, seed: u64, logs: &Path) -> Result<Simulator, DevError> {
    let mut command = Command::new(program);
    command.args(["--json", "--stop-with-stdin", "--seed", &seed.to_string()]);
    for tenant in TENANTS {
        command.args(["--org", tenant]);
    }
    let (mut child, output) = Child::start("orgsim", command, logs, true)?;
    let mut output = BufReader::new(output.ok_or_else(|| child.failed("it has no output"))?);
    let mut line = String::new();
    let read = tokio::time::timeout(START_TIMEOUT, output.read_line(&mut line)).await;
    if !matches!(read, Ok(Ok(n)) if n > 0) {
        return match tokio::time::timeout(Duration::from_secs(1), child.ended()).await {
            Ok(end) => Err(child.gone(end)),
            Err(_) => Err(child.failed(format!(
                "it does not say that it is ready within {} s",
                START_TIMEOUT.as_secs()
            ))),
        };
    }
    let ready: Ready = serde_json::from_str(&line)
        .map_err(|why| child.failed(format!("its first line is not the expected JSON: {why}")))?;
    if let Some(tenant) = TENANTS
        .iter()
        .find(|tenant| !ready.orgs.iter().any(|org| org.name == **tenant))
    {
        return Err(child.failed(format!("it has no org '{tenant}'")));
    }
    // A full pipe would stop it.
    tokio::spawn(async move {
        let mut buffer = vec![0_u8; 4096];
        while matches!(output.read(&mut buffer).await, Ok(n) if n > 0) {}
    });
    Ok(Simulator { child, ready })
}

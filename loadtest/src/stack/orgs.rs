//! The simulated orgs: one process, one org a tenant.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::REQUEST_LIMIT_SECONDS;
use super::config::TenantOrg;
use super::process::{Process, Warden};
use crate::error::LoadError;
use crate::org::OrgInfo;

/// Longest wait for the simulator's start line.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The simulator and where it listens.
#[derive(Debug)]
pub struct Orgs {
    /// Where the admin port listens.
    pub admin_url: String,
    /// Where Pub/Sub listens.
    pub pubsub_url: String,
    /// The orgs, one a tenant.
    pub infos: Vec<OrgInfo>,
    pub(super) process: Process,
}

#[derive(Deserialize)]
struct StartLine {
    pubsub: String,
    admin: String,
    orgs: Vec<OrgInfo>,
}

/// What the simulator is started with.
#[derive(Debug)]
pub struct OrgsPlan<'a> {
    /// The simulator's program.
    pub program: &'a Path,
    /// Scratch folder of the run.
    pub dir: &'a Path,
    /// Names of the orgs.
    pub names: &'a [String],
    /// Seed of the simulator.
    pub seed: u64,
    /// Whether the fence is installed in the orgs.
    pub fence: bool,
}

impl Orgs {
    /// Starts the simulator and reads where its orgs are.
    ///
    /// # Errors
    /// When it does not start in time.
    pub async fn start(plan: &OrgsPlan<'_>, warden: &Arc<Warden>) -> Result<Self, LoadError> {
        let mut command = Command::new(plan.program);
        command
            .arg("--json")
            .arg("--request-limit")
            .arg(REQUEST_LIMIT_SECONDS.to_string());
        command.arg("--seed").arg(plan.seed.to_string());
        // The run is judged on consistency: the day's allowance must not end it.
        command.arg("--daily-calls").arg("100000000");
        for name in plan.names {
            command.arg("--org").arg(name);
        }
        if !plan.fence {
            command.arg("--no-fence");
        }
        let mut process = Process::spawn("orgsim", command, &plan.dir.join("orgsim.log"), true, warden)?;
        let stdout = process.take_stdout().ok_or_else(|| process.failure("has no output"))?;
        let mut lines = BufReader::new(stdout).lines();
        let line = match tokio::time::timeout(READY_WITHIN, lines.next_line()).await {
            Ok(Ok(Some(line))) => line,
            Ok(_) => return Err(process.failure("ended before it was ready")),
            Err(_) => return Err(process.failure("was not ready in time")),
        };
        let line: StartLine = serde_json::from_str(&line)
            .map_err(|error| LoadError::Stack(format!("orgsim's start line is not understood: {error}")))?;
        // Whatever else it prints must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self {
            admin_url: line.admin,
            pubsub_url: line.pubsub,
            infos: line.orgs,
            process,
        })
    }

    /// The simulator's process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What the engine is told of each org.
    pub fn tenants(&self) -> Vec<TenantOrg> {
        let all = self.infos.iter();
        all.map(|org| TenantOrg {
            name: org.name.clone(),
            login_url: org.login_url.clone(),
            pubsub_url: self.pubsub_url.clone(),
            client_id: org.client_id.clone(),
            client_secret: org.client_secret.clone(),
        })
        .collect()
    }
}

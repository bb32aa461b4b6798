//! The simulated orgs: one process, one org a tenant.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::process::{Process, Warden};
use super::{REQUEST_LIMIT_SECONDS, StackPlan};
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

impl Orgs {
    pub(super) async fn start(plan: &StackPlan<'_>, fence: bool, warden: &Arc<Warden>) -> Result<Self, LoadError> {
        let mut command = Command::new(&plan.binaries.orgsim);
        command
            .arg("--json")
            .arg("--request-limit")
            .arg(REQUEST_LIMIT_SECONDS.to_string());
        command.arg("--seed").arg(plan.seed.to_string());
        // The run is judged on consistency: the day's allowance must not end it.
        command.arg("--daily-calls").arg("100000000");
        for tenant in plan.tenants {
            command.arg("--org").arg(tenant);
        }
        if !fence {
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
}

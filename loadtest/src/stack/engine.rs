//! One node of the engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;

use super::config::ConfigText;
use super::process::{Process, Warden};
use crate::cli::Sabotage;
use crate::error::LoadError;

/// Longest wait for a node to write its ready file.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// Pause between two looks at the ready file.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// The variable that asks the engine for a built-in fault.
const SABOTAGE: &str = "TANDEM_SABOTAGE";

/// A running node.
#[derive(Debug)]
pub struct Engine {
    pub(super) process: Process,
    program: PathBuf,
    config: PathBuf,
    ready_file: PathBuf,
    log: PathBuf,
    sabotage: Option<&'static str>,
}

/// What an engine is started with.
#[derive(Debug)]
pub(super) struct EnginePlan<'a> {
    /// Its program.
    pub(super) program: &'a Path,
    /// Scratch folder of the run.
    pub(super) dir: &'a Path,
    /// A fault built into it.
    pub(super) sabotage: Option<Sabotage>,
}

impl Engine {
    pub(super) async fn start(
        plan: &EnginePlan<'_>,
        node: usize,
        text: &ConfigText,
        warden: &Arc<Warden>,
    ) -> Result<Self, LoadError> {
        let program = plan.program.to_owned();
        let config = text.write_for(plan.dir, node)?;
        let ready_file = plan.dir.join(format!("node-{node}.ready"));
        let log = plan.dir.join(format!("node-{node}.log"));
        let sabotage = plan.sabotage.map(Sabotage::name);
        let process = spawn(&program, &config, &ready_file, &log, sabotage, warden)?;
        let mut engine = Self {
            process,
            program,
            config,
            ready_file,
            log,
            sabotage,
        };
        engine.ready().await?;
        Ok(engine)
    }

    async fn ready(&mut self) -> Result<(), LoadError> {
        let until = tokio::time::Instant::now() + READY_WITHIN;
        while tokio::time::Instant::now() < until {
            self.process.check()?;
            if std::fs::metadata(&self.ready_file).is_ok_and(|file| file.len() > 0) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(self.process.failure("was not ready in time"))
    }

    /// A killed node is started again at once; nobody waits for it to be ready, as no process manager would.
    pub(super) async fn kill_and_restart(&mut self, warden: &Arc<Warden>) -> Result<(), LoadError> {
        self.process.kill().await;
        self.restart(warden)
    }

    /// A new process in the place of one that has ended.
    pub(super) fn restart(&mut self, warden: &Arc<Warden>) -> Result<(), LoadError> {
        self.process = spawn(
            &self.program,
            &self.config,
            &self.ready_file,
            &self.log,
            self.sabotage,
            warden,
        )?;
        Ok(())
    }
}

fn spawn(
    program: &Path,
    config: &Path,
    ready_file: &Path,
    log: &Path,
    sabotage: Option<&'static str>,
    warden: &Arc<Warden>,
) -> Result<Process, LoadError> {
    // The file of an earlier start must not speak for this one. It may not exist.
    std::fs::remove_file(ready_file).unwrap_or_default();
    let mut command = Command::new(program);
    command
        .arg("serve")
        .arg("--config")
        .arg(config)
        .arg("--ready-file")
        .arg(ready_file);
    if let Some(kind) = sabotage {
        command.env(SABOTAGE, kind);
    }
    Process::spawn("tandem", command, log, false, warden)
}

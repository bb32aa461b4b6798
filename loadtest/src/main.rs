//! `loadtest`: exit code 0 clean, 3 when anything was found or a figure missed its bound, 1 for any other failure.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use loadtest::cli::{Cli, Command};
use loadtest::error::LoadError;
use loadtest::figures::Figures;
use loadtest::report::{say, write_json};
use loadtest::{drain, idle, latency, mixed, onboarding, simulator, slow_org};

/// The oracle found something, or a figure missed its bound.
const FOUND: u8 = 3;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            error.print().unwrap_or_default();
            return if error.use_stderr() {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match run(&cli.command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FOUND),
        Err(error) => {
            say(&format!("loadtest: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<bool, LoadError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(LoadError::io("starting the runtime"))?;
    runtime.block_on(async {
        tokio::select! {
            clean = scenario(command) => clean,
            stopped = interrupted() => stopped,
        }
    })
}

/// Runs what was asked for, shows the result, and tells whether it is clean.
async fn scenario(command: &Command) -> Result<bool, LoadError> {
    let (figures, json) = match command {
        Command::Mixed(wanted) => {
            let report = mixed::run(wanted).await?;
            if let Some(path) = &wanted.json {
                write_json(&report, path)?;
            }
            show(&report.table());
            return Ok(report.clean());
        }
        Command::Onboarding(wanted) => (onboarding::run(wanted).await?, &wanted.programs.json),
        Command::Drain(wanted) => (drain::run(wanted).await?, &wanted.programs.json),
        Command::Latency(wanted) => (latency::run(wanted).await?, &wanted.programs.json),
        Command::Idle(wanted) => (idle::run(wanted).await?, &wanted.programs.json),
        Command::OrgsimSpeed(wanted) => (simulator::run(wanted).await?, &wanted.programs.json),
        Command::SlowOrg(wanted) => (slow_org::run(wanted).await?, &wanted.programs.json),
    };
    shown(&figures, json.as_deref())
}

fn shown(figures: &Figures, json: Option<&Path>) -> Result<bool, LoadError> {
    if let Some(path) = json {
        write_json(&figures.json(), path)?;
    }
    show(&figures.table());
    Ok(figures.clean())
}

fn show(table: &str) {
    // A reader that went away early does not change the verdict.
    std::io::stdout().lock().write_all(table.as_bytes()).unwrap_or_default();
}

/// Waits for Ctrl-C or SIGTERM. What was started dies with the run's values, which are dropped then.
async fn interrupted() -> Result<bool, LoadError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).map_err(LoadError::io("listening for SIGTERM"))?;
    tokio::select! {
        asked = tokio::signal::ctrl_c() => asked.map_err(LoadError::io("listening for Ctrl-C"))?,
        _ = term.recv() => {}
    }
    Err(LoadError::Stopped)
}

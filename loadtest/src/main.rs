//! `loadtest`: exit code 0 clean, 3 when the oracle finds anything, 1 for any other failure.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use loadtest::cli::{Cli, Command, Mixed};
use loadtest::error::LoadError;
use loadtest::report::{Report, say};

/// The oracle found something.
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
    let Command::Mixed(settings) = cli.command;
    match run(&settings) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FOUND),
        Err(error) => {
            say(&format!("loadtest: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(settings: &Mixed) -> Result<bool, LoadError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(LoadError::io("starting the runtime"))?;
    let report: Report = runtime.block_on(async {
        tokio::select! {
            report = loadtest::mixed::run(settings) => report,
            stopped = interrupted() => stopped,
        }
    })?;
    if let Some(path) = &settings.json {
        report.write_json(path)?;
    }
    // A reader that went away early does not change the verdict.
    std::io::stdout()
        .lock()
        .write_all(report.table().as_bytes())
        .unwrap_or_default();
    Ok(report.clean())
}

/// Waits for Ctrl-C or SIGTERM. What was started dies with the run's values, which are dropped then.
async fn interrupted() -> Result<Report, LoadError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).map_err(LoadError::io("listening for SIGTERM"))?;
    tokio::select! {
        asked = tokio::signal::ctrl_c() => asked.map_err(LoadError::io("listening for Ctrl-C"))?,
        _ = term.recv() => {}
    }
    Err(LoadError::Stopped)
}

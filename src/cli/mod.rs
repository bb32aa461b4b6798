//! The commands. One file each; this file parses the command line and gives the exit code back.
//!
//! Exit codes: 0 done, 1 it failed or problems were found, 2 the command line or the settings are wrong (trying again
//! is of no use).
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "standard output belongs to the commands"
)]

mod check;
mod dev;
mod serve;
mod status;
mod stop;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Something did not work; the text says what and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    /// It failed, or problems were found.
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self {
            code: 1,
            text: text.into(),
        }
    }

    /// What the user gave is wrong.
    pub(crate) fn wrong(text: impl Into<String>) -> Self {
        Self {
            code: 2,
            text: text.into(),
        }
    }
}

/// What a command comes to.
pub(crate) type Outcome = Result<(), Failure>;

/// Keeps a SaaS product and its customers' Salesforce orgs in step, both ways.
#[derive(Debug, Parser)]
#[command(
    name = "tandem",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "First time here? Run `tandem dev`: it starts everything on this machine, with a simulated Salesforce \
                  org, and prints what to type next.\n\n\
                  Exit codes: 0 done; 1 failed, or problems were found; 2 wrong command line or settings.\n\
                  Settings can be overridden: TANDEM_REDIS__URL=… is [redis] url. config/tandem.toml tells of all."
)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Args),
    Serve(serve::Args),
    Check(check::Args),
    Status(status::Args),
    #[command(hide = true)]
    DevGuard(dev::GuardArgs),
}

/// Runs the command of this process's arguments.
pub fn run() -> ExitCode {
    let outcome = match Line::parse().command {
        Command::Dev(args) => dev::run(args),
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Status(args) => status::run(&args),
        Command::DevGuard(args) => dev::guard(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.text.is_empty() {
                eprintln!("tandem: {}", failure.text);
            }
            ExitCode::from(failure.code)
        }
    }
}

/// A single-threaded runtime for commands that talk to others but serve nobody.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| Failure::failed(format!("the runtime cannot start: {why}")))
}

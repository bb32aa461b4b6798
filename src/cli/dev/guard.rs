//! Runs a program that cannot watch its parent, and kills it when the parent is gone.

use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use crate::cli::{Failure, Outcome, stop};

/// Runs a program; kills it when standard input ends. Prints its process id first.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct GuardArgs {
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    program: Vec<String>,
}

/// Exits as the program did: with its code, or 128 + the signal it died of.
pub(in crate::cli) fn guard(args: &GuardArgs) -> Outcome {
    let failed = |why: std::io::Error| Failure::failed(format!("{}: {why}", args.program.join(" ")));
    let runtime = crate::cli::runtime()?;
    let code = runtime.block_on(async {
        let (program, rest) = args
            .program
            .split_first()
            .ok_or_else(|| Failure::wrong("no program was named"))?;
        // Standard output belongs to the process id: what the program says goes to the log.
        let log = std::io::stderr().as_fd().try_clone_to_owned().map_err(failed)?;
        let mut command = tokio::process::Command::new(program);
        command.args(rest).stdin(Stdio::null()).stdout(log).kill_on_drop(true);
        let mut child = command.spawn().map_err(failed)?;
        println!("{}", child.id().unwrap_or(0));
        tokio::select! {
            status = child.wait() => {
                let status = status.map_err(failed)?;
                Ok(status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1))
            }
            _ = stop::asked(true) => {
                child.kill().await.map_err(failed)?;
                Ok(0)
            }
        }
    })?;
    match u8::try_from(code) {
        Ok(0) => Ok(()),
        _ => Err(Failure {
            code: u8::try_from(code).unwrap_or(1),
            text: String::new(),
        }),
    }
}

//! `tandem dev`: everything on this machine.
//!
//! It starts a Redis of its own, a simulated Salesforce org for each of two tenants, and the engine, and prints what to
//! type next. All of them end with it, whatever ends it: each child reads a pipe from this process and stops at its
//! end; Redis, which cannot, runs under [`guard`], which can.

mod child;
mod engine;
mod files;
mod guard;
mod org;
mod redis;
mod stack;
mod words;

use std::path::PathBuf;

pub(super) use guard::{GuardArgs, guard};

use super::{Failure, Outcome, stop};
use stack::Stack;

/// The tenants of `tandem dev`, each with an org of the same name.
const TENANTS: [&str; 2] = ["acme", "globex"];

/// Run everything on this machine: engine, private Redis, two simulated Salesforce orgs.
///
/// Nothing is needed but redis-server (or valkey-server); no Salesforce account. It starts fresh each time and ends
/// with Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(after_help = "When it runs it prints commands to paste into a second terminal.\n\
                        The same values are in STATE_DIR/env for a shell: . .tandem/dev/env")]
pub(super) struct Args {
    /// Print one line of JSON with all addresses instead of text
    #[arg(long)]
    json: bool,
    /// Where files, logs and the Redis of this stack go; emptied at the start
    #[arg(long, value_name = "DIR", default_value = ".tandem/dev")]
    state_dir: PathBuf,
    /// Seed of the simulated orgs: the same seed makes the same ids
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Object files to use instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    objects: Option<PathBuf>,
    /// End when standard input ends
    #[arg(long)]
    stop_with_stdin: bool,
}

/// Something of the stack does not work; the text says what and what to do.
#[derive(Debug, thiserror::Error)]
enum DevError {
    /// A file of the state directory.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// Another stack runs there.
    #[error("another `tandem dev` runs in {0}: end it, or give this one its own --state-dir")]
    Busy(PathBuf),
    /// A program is not there.
    #[error("{0}")]
    Missing(String),
    /// A child could not be started or did not come up.
    #[error("{name} did not start: {why}{log}")]
    Start {
        /// Which.
        name: &'static str,
        /// Why.
        why: String,
        /// Its last words.
        log: String,
    },
    /// A child ended that should not have.
    #[error("{name} ended ({how}){log}")]
    Ended {
        /// Which.
        name: &'static str,
        /// Exit code or signal.
        how: child::End,
        /// Its last words.
        log: String,
    },
}

impl DevError {
    fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |why| Self::File { path, why }
    }
}

pub(super) fn run(args: Args) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| Failure::failed(format!("the runtime cannot start: {why}")))?;
    let outcome = runtime.block_on(async {
        let mut stack = Stack::open(&args)?;
        let asked = stop::asked(args.stop_with_stdin);
        tokio::pin!(asked);
        let ran = tokio::select! {
            ran = stack.run(&args) => ran,
            signal = &mut asked => {
                eprintln!("{signal}: stopping");
                Ok(())
            }
        };
        stack.stop().await;
        ran
    });
    runtime.shutdown_background();
    outcome.map_err(|error| Failure::failed(error.to_string()))
}

//! `tandem serve`: the engine.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::{Failure, Outcome, stop};
use crate::app;
use crate::settings::{Reading, load};

/// Run the engine with a settings file.
///
/// It ends at SIGTERM or Ctrl-C: it takes no new work, lets calls in flight end ([node] drain_grace) and hands its
/// tenants over to other nodes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tandem serve --config config/tandem.toml\n\
                        Wrong settings end it with exit code 2 and a list of what to change.")]
pub(super) struct Args {
    /// The settings file
    #[arg(long, value_name = "FILE", env = "TANDEM_CONFIG")]
    config: PathBuf,
    /// Write {"http_url", "pid"} to this file when ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// End when standard input ends, so that this process never outlives its parent
    #[arg(long)]
    stop_with_stdin: bool,
}

pub(super) fn run(args: &Args) -> Outcome {
    let settings = load(&args.config, Reading::Full).map_err(|problems| Failure::wrong(problems.to_string()))?;
    let ready_file = args.ready_file.clone();
    let announce = move |address: SocketAddr| match &ready_file {
        Some(path) => write_ready(path, address),
        None => Ok(()),
    };
    let with_stdin = args.stop_with_stdin;
    app::serve(settings, announce, async move { stop::asked(with_stdin).await })
        .map_err(|error| Failure::failed(error.to_string()))
}

/// Whole or not at all: a reader never sees half of it.
fn write_ready(path: &Path, address: SocketAddr) -> std::io::Result<()> {
    let text = serde_json::json!({"http_url": format!("http://{address}"), "pid": std::process::id()}).to_string();
    let draft = path.with_extension("draft");
    std::fs::write(&draft, text)?;
    std::fs::rename(&draft, path)
}

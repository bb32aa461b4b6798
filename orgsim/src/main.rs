//! The `orgsim` command: starts a simulator and says how to reach it.

use std::io::Read;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use orgsim::{Options, Simulator};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// Salesforce orgs in a process, for tests. Not affiliated with Salesforce.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Address of the HTTP port.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Address of the plain-text gRPC port.
    #[arg(long, default_value = "127.0.0.1:0")]
    pubsub: SocketAddr,
    /// Address of the TLS gRPC port.
    #[arg(long, default_value = "127.0.0.1:0")]
    pubsub_tls: SocketAddr,
    /// Address of the admin port. It asks for no password: keep it on the loopback.
    #[arg(long, default_value = "127.0.0.1:0")]
    admin: SocketAddr,
    /// Name of an org; may be given many times.
    #[arg(long = "org", value_name = "NAME", default_value = "acme")]
    orgs: Vec<String>,
    /// Ids, tokens and dice come out the same for the same seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long a request may run, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    request_limit: u64,
    /// Newest API version.
    #[arg(long, default_value = "67.0")]
    api_version: String,
    /// API calls that an org allows in a rolling day.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    daily_calls: u64,
    /// Leave the fence's validation rules out.
    #[arg(long)]
    no_fence: bool,
    /// Stand the clock at this time, milliseconds since 1970; only the admin port moves it.
    #[arg(long, value_name = "MS")]
    stopped_clock: Option<i64>,
    /// Print one line of JSON when ready.
    #[arg(long)]
    json: bool,
    /// Stop when standard input ends.
    #[arg(long)]
    stop_with_stdin: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "orgsim did not start");
            report(&format!("orgsim: {error}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command tells its user what went wrong")]
fn report(text: &str) {
    eprintln!("{text}");
}

#[expect(clippy::print_stdout, reason = "the ready line is what the command is for")]
fn announce(text: &str) {
    println!("{text}");
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let (as_json, stop_with_stdin) = (arguments.json, arguments.stop_with_stdin);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let simulator = Simulator::start(Options {
        listen: arguments.listen,
        pubsub: arguments.pubsub,
        pubsub_tls: arguments.pubsub_tls,
        admin: arguments.admin,
        orgs: arguments.orgs,
        seed: arguments.seed,
        request_limit: Duration::from_secs(arguments.request_limit),
        api_version: arguments.api_version,
        daily_calls: arguments.daily_calls,
        fence: !arguments.no_fence,
        stopped_at_ms: arguments.stopped_clock,
        ..Options::default()
    })
    .await?;
    announce(&ready(&simulator, as_json));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = end_of_input(), if stop_with_stdin => {}
    }
    simulator.shutdown().await;
    Ok(())
}

fn ready(simulator: &Simulator, as_json: bool) -> String {
    let orgs = simulator.orgs();
    if as_json {
        return json!({
            "http": simulator.http_url(), "pubsub": simulator.pubsub_url(), "pubsub_tls": simulator.pubsub_tls_url(),
            "admin": simulator.admin_url(), "orgs": orgs,
        })
        .to_string();
    }
    let mut text = format!(
        "http       {}\npubsub     {}\npubsub tls {}\nadmin      {}\n",
        simulator.http_url(),
        simulator.pubsub_url(),
        simulator.pubsub_tls_url(),
        simulator.admin_url()
    );
    for org in &orgs {
        text.push_str(&format!("org {} {}\n", org["name"], org["org_id"]));
        for key in ["client_id", "client_secret", "username", "password", "access_token"] {
            text.push_str(&format!("  {key} {}\n", org[key]));
        }
    }
    text
}

/// Waits until standard input ends. A thread reads it: it may block until the process ends.
async fn end_of_input() {
    let (ended, wait) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 256];
        let mut input = std::io::stdin().lock();
        while input.read(&mut buffer).is_ok_and(|n| n > 0) {}
        ended.send(()).ok();
    });
    wait.await.ok();
}

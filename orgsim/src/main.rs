//! The `orgsim` command: starts a simulator and says how to reach it.

use std::io::{IsTerminal, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use orgsim::{Options, Simulator};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// Rows are many small pieces: with the system allocator they take half as much room again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Salesforce orgs in a process, for tests. Not affiliated with, nor endorsed by, Salesforce.
///
/// When ready it prints one line of JSON: `login_url`, `instance_url`, `pubsub`, `pubsub_tls` and `admin`, and for each org
/// of `orgs` its `org_id`, `username`, `password`, `client_id`, `client_secret` and a live `access_token`. On a terminal it
/// prints the same for people. It stops at SIGTERM and Ctrl-C.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Port for OAuth and the data API on the loopback; 0 for a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    http_port: u16,
    /// Port for the Pub/Sub API in the clear.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pubsub_port: u16,
    /// Port for the Pub/Sub API over TLS, with a certificate of its own making.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pubsub_tls_port: u16,
    /// Port of the admin API. It asks for no password.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    admin_port: u16,
    /// Address of the HTTP port, instead of a port on the loopback.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "http_port")]
    listen: Option<SocketAddr>,
    /// Address of the plain-text Pub/Sub port.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "pubsub_port")]
    pubsub: Option<SocketAddr>,
    /// Address of the Pub/Sub port with TLS.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "pubsub_tls_port")]
    pubsub_tls: Option<SocketAddr>,
    /// Address of the admin port: keep it on the loopback.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "admin_port")]
    admin: Option<SocketAddr>,
    /// Name of an org; may be given many times.
    #[arg(long = "org", value_name = "NAME")]
    names: Vec<String>,
    /// So many orgs: acme, and org-2, org-3 and so on.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "names",
          value_parser = clap::value_parser!(u16).range(1..=1_000))]
    orgs: u16,
    /// Custom objects and fields: a TOML file of [[object]] and [[field]] entries; may be given many times.
    #[arg(long, value_name = "FILE")]
    schema: Vec<PathBuf>,
    /// A snapshot that its org begins with (GET /orgs/{org}/snapshot of the admin port); may be given many times.
    #[arg(long, value_name = "FILE")]
    restore: Vec<PathBuf>,
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
    /// Print the line of JSON on a terminal, too.
    #[arg(long)]
    json: bool,
    /// Stop when standard input ends.
    #[arg(long)]
    stop_with_stdin: bool,
}

impl Arguments {
    fn options(&self) -> Result<Options, Box<dyn std::error::Error>> {
        let on = |address: Option<SocketAddr>, port: u16| {
            address.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        };
        let numbered = (1..=self.orgs).map(|n| if n == 1 { "acme".to_owned() } else { format!("org-{n}") });
        let orgs = if self.names.is_empty() {
            numbered.collect()
        } else {
            self.names.clone()
        };
        let schema = self.schema.iter().map(|path| {
            let shown = path.display();
            let text = std::fs::read_to_string(path).map_err(|e| format!("reading the schema file {shown}: {e}"))?;
            toml::from_str(&text).map_err(|e| format!("the schema file {shown} is wrong: {e}"))
        });
        Ok(Options {
            listen: on(self.listen, self.http_port),
            pubsub: on(self.pubsub, self.pubsub_port),
            pubsub_tls: on(self.pubsub_tls, self.pubsub_tls_port),
            admin: on(self.admin, self.admin_port),
            orgs,
            seed: self.seed,
            request_limit: Duration::from_secs(self.request_limit),
            api_version: self.api_version.clone(),
            daily_calls: self.daily_calls,
            fence: !self.no_fence,
            restore: self.restore.clone(),
            schema: schema.collect::<Result<_, String>>()?,
            stopped_at_ms: self.stopped_clock,
            ..Options::default()
        })
    }
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
    let as_json = arguments.json || !std::io::stdout().is_terminal();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let simulator = Simulator::start(arguments.options()?).await?;
    announce(&ready(&simulator, as_json));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = end_of_input(), if arguments.stop_with_stdin => {}
    }
    simulator.shutdown().await;
    Ok(())
}

fn ready(simulator: &Simulator, as_json: bool) -> String {
    let orgs = simulator.orgs();
    if as_json {
        return json!({
            "http": simulator.http_url(), "login_url": simulator.http_url(), "instance_url": simulator.http_url(),
            "pubsub": simulator.pubsub_url(), "pubsub_tls": simulator.pubsub_tls_url(),
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

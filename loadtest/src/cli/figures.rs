//! Settings of the scenarios that print figures.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::pause;

/// Where programs come from and results go.
#[derive(Debug, Clone, Default, Args)]
pub struct Programs {
    /// Write the figures to this file as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Build engine and org first, even when they are there.
    #[arg(long)]
    pub build: bool,
    /// Use the programs `tandem` and `orgsim` of this folder.
    #[arg(long, conflicts_with = "build")]
    pub bin_dir: Option<PathBuf>,
    /// Keep logs and files of the run in this folder (which must not exist).
    #[arg(long)]
    pub keep: Option<PathBuf>,
}

/// Settings of `drain`.
#[derive(Debug, Clone, Args)]
pub struct Drain {
    /// Who takes the calls: a stub that checks every row and stores none, or the simulated org (no bound on speed).
    #[arg(long, value_enum, default_value_t = OrgKind::Stub)]
    pub org: OrgKind,
    /// Redis's `appendfsync`.
    #[arg(long, value_enum, default_value_t = Fsync::Always)]
    pub fsync: Fsync,
    /// Records, over all tenants.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub records: u32,
    /// Tenants, each with an org of its own.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub tenants: u16,
    /// The stub tells each write on the change stream while the backlog drains, as an org with change events does. The
    /// simulated org always does.
    #[arg(long)]
    pub echoes: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "its own words would hide those of the scenario in --help")]
    pub programs: Programs,
}

/// Settings of `latency`.
#[derive(Debug, Clone, Args)]
pub struct Latency {
    /// How long each direction is measured, in seconds.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub seconds: u16,
    /// Tenants, each with an org of its own. At least 75, so that a tenant's turn comes after its window.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(75..=1000))]
    pub tenants: u16,
    #[command(flatten)]
    #[expect(missing_docs, reason = "its own words would hide those of the scenario in --help")]
    pub programs: Programs,
}

/// Settings of `idle`.
#[derive(Debug, Clone, Args)]
pub struct Idle {
    /// Tenants, each with an org of its own.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    pub tenants: u16,
    /// Every tenant is polled for changes of its org, and Redis sends no keyspace notifications: the logs of all quiet
    /// tenants are swept.
    #[arg(long)]
    pub polled: bool,
    /// How long is measured, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub seconds: u16,
    /// How long tenants have to go quiet before, in seconds: they do 30 seconds after their last work.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(0..=3600))]
    pub settle_seconds: u16,
    /// Tenants whose events must wake them.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub checks: u16,
    #[command(flatten)]
    #[expect(missing_docs, reason = "its own words would hide those of the scenario in --help")]
    pub programs: Programs,
}

/// Settings of `slow-org`.
#[derive(Debug, Clone, Args)]
pub struct SlowOrg {
    /// How long the org takes for a call.
    #[arg(long, default_value = "100ms", value_parser = latency)]
    pub latency: Duration,
    /// Records of the tenant.
    #[arg(long, default_value_t = 40_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub records: u32,
    /// Calls in flight for the tenant. More than 5 run into the 50 calls a second that an org is sent, at 100 ms.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=25))]
    pub lanes: u16,
    #[command(flatten)]
    #[expect(missing_docs, reason = "its own words would hide those of the scenario in --help")]
    pub programs: Programs,
}

/// Settings of `orgsim`.
#[derive(Debug, Clone, Args)]
pub struct OrgsimSpeed {
    /// Records that are made, changed and read.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub records: u32,
    /// Calls in flight.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=25))]
    pub lanes: u16,
    #[command(flatten)]
    #[expect(missing_docs, reason = "its own words would hide those of the scenario in --help")]
    pub programs: Programs,
}

/// Who takes the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OrgKind {
    /// Checks every row, stores no values.
    Stub,
    /// The simulated org.
    Sim,
}

/// `appendfsync` of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Fsync {
    /// Before each answer, as production must.
    Always,
    /// When the system likes to.
    No,
}

fn latency(text: &str) -> Result<Duration, String> {
    pause(text).ok_or_else(|| format!("{text} is not a time such as 100ms or 1s"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn command(line: &[&str]) -> Option<Command> {
        Cli::try_parse_from([&["loadtest"], line].concat())
            .ok()
            .map(|cli| cli.command)
    }

    #[test]
    fn the_defaults_are_those_of_the_documents() {
        let Some(Command::Drain(drain)) = command(&["drain"]) else {
            panic!("drain");
        };
        assert_eq!(
            (drain.org, drain.fsync, drain.records),
            (OrgKind::Stub, Fsync::Always, 200_000)
        );
        let Some(Command::Idle(idle)) = command(&["idle", "--polled"]) else {
            panic!("idle");
        };
        assert_eq!(
            (idle.tenants, idle.polled, idle.seconds, idle.checks),
            (10_000, true, 60, 100)
        );
        let Some(Command::SlowOrg(slow)) = command(&["slow-org", "--latency", "0.25s"]) else {
            panic!("slow-org");
        };
        assert_eq!((slow.latency, slow.lanes), (Duration::from_millis(250), 4));
        for wrong in [
            &["slow-org", "--latency", "100"][..],
            &["latency", "--tenants", "10"],
            &["drain", "--fsync", "everysec"],
            &["drain", "--bin-dir", "x", "--build"],
        ] {
            assert!(command(wrong).is_none(), "{wrong:?}");
        }
    }
}

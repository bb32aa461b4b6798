//! The command line.

mod figures;
mod mixed;
mod onboarding;

pub use figures::{Drain, Fsync, Idle, Latency, OrgKind, OrgsimSpeed, Programs, SlowOrg};
pub use mixed::{Faults, Kills, Mixed, Sabotage};
pub use onboarding::Onboarding;

use std::time::Duration;

use clap::{Parser, Subcommand};

/// Load tests of Tandem, in a crate that shares no code with it.
///
/// `mixed` and `onboarding` are judged. The other scenarios print figures; each figure that the project has a target for
/// stands beside its bound.
///
/// Exit code 0: clean, or every figure within its bound. 3: the oracle found something, a figure missed its bound, or
/// rows were wrong. 1: the run could not be made.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version)]
pub struct Cli {
    /// What to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The scenarios.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Changes on both sides of many tenants, with faults when asked for; then judges C1–C7, C9 and C10.
    Mixed(Mixed),
    /// A product and an org that have lived apart become one, under kill -9: nobody is made twice.
    ///
    /// Of the product's rows 80 % are people who are in the org too, known by their e-mail address, which may be in other
    /// case; other fields differ in some. 2 % are in the org twice. The org's records are old: no change event tells of
    /// them. The product appends its rows to the backfill log, and two workers, who share one consumer group, answer
    /// every question (link_wanted, wanted, rejected); some they answer twice, with two keys. Then people touch every
    /// record of the org that has no key yet, and the product takes those in.
    ///
    /// At the end each row must have one record and each record one row, equal in every field as the policies of the
    /// mapping say; no record may have been made for a row whose record was there; and each row that is in the org twice
    /// must have been asked about.
    Onboarding(Onboarding),
    /// How fast a backlog of changes of distinct, linked records drains, and what it costs.
    ///
    /// First the engine makes all records in the orgs, so that they are linked; that is not timed. Then it is stopped, one
    /// change of 453 bytes a record is appended, and it is started again. The clock runs from the moment it takes the first
    /// tenant over until all logs are empty: reading the whole backlog in is part of the time.
    ///
    /// One org takes at most 50 calls, so 10,000 records, a second from one engine: the backlog lies with several tenants.
    Drain(Drain),
    /// How long one change waits in an idle engine, in each direction.
    ///
    /// One change at a time, at random intervals of 10 to 30 ms, tenant after tenant: each tenant has more than a second
    /// between two of its changes, so that the freshness window (1 s) never holds one back. First from the product to the
    /// org, then from the org to the product, each for the given time.
    Latency(Latency),
    /// What many quiet tenants cost, each with an open change stream.
    ///
    /// Starts the engine with so many tenants, waits until each has its change stream open and has gone quiet, then reads
    /// memory, processor time and Redis's commands over the given time. At last events of tenants chosen at random must
    /// each wake their tenant and appear on the product's stream.
    Idle(Idle),
    /// How well the engine fills its lanes while the org answers slowly.
    ///
    /// One tenant with a backlog of linked records; its org takes the given time for each call. The most that can be done
    /// is lanes × 200 ÷ latency, a lane being a call in flight (setting `sync.in_flight_batches`). The clock runs from the
    /// first call until the log is empty.
    SlowOrg(SlowOrg),
    /// What the simulated org itself can do: how fast it starts, takes and gives rows, and what a record costs in memory.
    ///
    /// Rows a second are counted against the processor time of its process, so that they are those of one core, whatever
    /// the client takes. Every row is told on the event bus and kept there, as in the other scenarios.
    #[command(name = "orgsim")]
    OrgsimSpeed(OrgsimSpeed),
}

/// A time such as `100ms`, `10s` or `1m`, from 1 ms to a day.
fn pause(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic())?);
    let factor = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    let seconds = number.parse::<f64>().ok()? * factor;
    (0.001..=86_400.0)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
}

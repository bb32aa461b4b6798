//! Settings of the mixed run.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::pause;

/// Kills are at least so far apart.
const KILLS_APART: Duration = Duration::from_millis(100);

/// Settings of the mixed run.
#[derive(Debug, Clone, Args)]
pub struct Mixed {
    /// Tenants, each with an org of its own.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub tenants: u16,
    /// How long edits go on, in minutes (fractions count).
    #[arg(long, default_value_t = 5.0, value_parser = minutes)]
    pub minutes: f64,
    /// Changes by the product, over all tenants.
    #[arg(long, default_value_t = 100_000)]
    pub changes: u64,
    /// Edits by people in the orgs, over all tenants.
    #[arg(long, default_value_t = 10_000)]
    pub org_edits: u64,
    /// Seed of the edits.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Kill and restart parts at intervals, such as `engine=10s,redis=30s`.
    #[arg(long, default_value = "", value_parser = Kills::parse)]
    pub kill: Kills,
    /// Faults of the org's answers in percent, such as `503=5%,drop=1%,truncate=1%`.
    #[arg(long, default_value = "", value_parser = Faults::parse)]
    pub faults: Faults,
    /// A fault built into the engine, which the oracle must find.
    #[arg(long)]
    pub sabotage: Option<Sabotage>,
    /// Write the result to this file as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Build engine and org first, even when they are there.
    #[arg(long)]
    pub build: bool,
    /// Use the programs `tandem` and `orgsim` of this folder.
    #[arg(long, conflicts_with = "build")]
    pub bin_dir: Option<PathBuf>,
    /// Folder of the declared objects [default: config/objects of the repository]
    #[arg(long)]
    pub objects: Option<PathBuf>,
    /// Longest wait for both sides to be equal after edits end (with --sabotage: to be at rest), in seconds [default: 300, or 60 with --sabotage]
    #[arg(long)]
    pub rest_seconds: Option<u64>,
    /// Keep logs and files of the run in this folder (which must not exist).
    #[arg(long)]
    pub keep: Option<PathBuf>,
}

impl Mixed {
    /// How the orgs misbehave: as asked for; or as a sabotage needs it to do harm, when nothing was.
    pub fn faults(&self) -> Faults {
        if self.sabotage == Some(Sabotage::Settle) && !self.faults.any() {
            return Faults {
                status: vec![(503, 25.0)],
                ..Faults::default()
            };
        }
        self.faults.clone()
    }

    /// Changes of the product for one record of the product, on average: few where an edit that is lost in the org must
    /// not soon be hidden by later ones.
    pub fn changes_a_record(&self) -> u64 {
        match self.sabotage {
            Some(Sabotage::DropEvent) => 4,
            _ => 12,
        }
    }
}

/// A fault built into the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sabotage {
    /// Settles before the org has answered; without --faults, with 503=25%.
    Settle,
    /// Takes its own writes' events for edits.
    Echo,
    /// Sends a record's older change after its newer one.
    Order,
    /// A second owner with an old epoch goes on, with both fences off.
    Fence,
    /// Loses one event in 500.
    DropEvent,
}

impl Sabotage {
    /// As the engine is told.
    pub fn name(self) -> &'static str {
        match self {
            Self::Settle => "settle",
            Self::Echo => "echo",
            Self::Order => "order",
            Self::Fence => "fence",
            Self::DropEvent => "drop-event",
        }
    }
}

/// Parts to kill, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kills {
    /// Between two kills of the engine.
    pub engine: Option<Duration>,
    /// Between two kills of Redis.
    pub redis: Option<Duration>,
}

impl Kills {
    /// Reads `engine=10s,redis=30s`.
    ///
    /// # Errors
    /// What is wrong and what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut kills = Self::default();
        for (name, value) in pairs(text)? {
            let every = pause(value).filter(|every| *every >= KILLS_APART);
            let every = every.ok_or_else(|| format!("{value} is not a time such as 10s or 1m"))?;
            match name {
                "engine" => kills.engine = Some(every),
                "redis" => kills.redis = Some(every),
                other => return Err(format!("{other} cannot be killed: engine and redis can")),
            }
        }
        Ok(kills)
    }
}

/// Percent of data calls that each fault strikes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    /// Refused with this status before anything is done.
    pub status: Vec<(u16, f64)>,
    /// Done, then the connection is closed without an answer.
    pub drop: f64,
    /// Done, then half of the answer is sent.
    pub truncate: f64,
}

impl Faults {
    /// Reads `503=5%,drop=1%,truncate=1%`.
    ///
    /// # Errors
    /// What is wrong and what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        for (name, value) in pairs(text)? {
            let percent = value
                .trim_end_matches('%')
                .parse::<f64>()
                .ok()
                .filter(|percent| (0.0..=100.0).contains(percent));
            let percent = percent.ok_or_else(|| format!("{value} is not a percentage of 0 to 100"))?;
            match (name, name.parse::<u16>()) {
                ("drop", _) => faults.drop = percent,
                ("truncate", _) => faults.truncate = percent,
                (_, Ok(status @ 400..=599)) => faults.status.push((status, percent)),
                (other, _) => {
                    return Err(format!(
                        "{other} is no fault: drop, truncate and a status of 400 to 599 are"
                    ));
                }
            }
        }
        Ok(faults)
    }

    /// Any fault at all.
    pub fn any(&self) -> bool {
        self.drop > 0.0 || self.truncate > 0.0 || !self.status.is_empty()
    }
}

fn pairs(text: &str) -> Result<Vec<(&str, &str)>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            part.split_once('=')
                .ok_or_else(|| format!("{part}: name=value is expected"))
        })
        .collect()
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes = text
        .parse::<f64>()
        .ok()
        .filter(|minutes| (0.01..=100_000.0).contains(minutes));
    minutes.ok_or_else(|| "minutes from 0.01 to 100000".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn kills_and_faults_are_read_and_wrong_ones_are_explained() {
        let kills = Kills::parse("engine=10s,redis=0.5m").expect("right");
        assert_eq!(
            (kills.engine, kills.redis),
            (Some(Duration::from_secs(10)), Some(Duration::from_secs(30)))
        );
        let faults = Faults::parse("503=5%,drop=1%, truncate=0.5").expect("right");
        assert_eq!(
            faults,
            Faults {
                status: vec![(503, 5.0)],
                drop: 1.0,
                truncate: 0.5
            }
        );
        assert!(Faults::parse("").is_ok_and(|faults| !faults.any()));
        for wrong in ["org=10s", "engine", "engine=10", "engine=0s", "engine=1h"] {
            assert!(Kills::parse(wrong).is_err(), "{wrong}");
        }
        for wrong in ["200=5%", "drop=101%", "drop=x", "delay=1%"] {
            assert!(Faults::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_documents() {
        let mixed = |line: &[&str]| match Cli::try_parse_from(line).expect("a right line").command {
            Command::Mixed(mixed) => mixed,
            other => panic!("{other:?}"),
        };
        let defaults = mixed(&["loadtest", "mixed"]);
        assert_eq!(
            (defaults.tenants, defaults.minutes, defaults.changes, defaults.org_edits),
            (20, 5.0, 100_000, 10_000)
        );
        let sabotaged = mixed(&["loadtest", "mixed", "--sabotage", "drop-event"]);
        assert_eq!(sabotaged.sabotage.map(Sabotage::name), Some("drop-event"));
    }
}

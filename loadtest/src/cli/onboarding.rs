//! Settings of `onboarding`.

use clap::Args;

use super::figures::Programs;
use super::mixed::Kills;

/// Settings of `onboarding`.
#[derive(Debug, Clone, Args)]
pub struct Onboarding {
    /// Rows of the product, and as many records of the orgs, over all tenants.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(50..=1_000_000))]
    pub records: u32,
    /// Tenants, each with an org of its own.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub tenants: u16,
    /// Seed of the people and of the product's dice.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Kill and restart parts at intervals, all the time; "" for none.
    #[arg(long, default_value = "engine=10s", value_parser = Kills::parse)]
    pub kill: Kills,
    /// Questions that the product answers twice, with two keys, percent.
    #[arg(long, default_value_t = 1.0, value_parser = percent)]
    pub doubled: f64,
    /// Longest wait for each of the two parts to come to its end, in seconds.
    #[arg(long, default_value_t = 1_200)]
    pub rest_seconds: u64,
    #[command(flatten)]
    #[expect(missing_docs, reason = "its own words would hide those of the scenario in --help")]
    pub programs: Programs,
}

fn percent(text: &str) -> Result<f64, String> {
    let percent = text.trim_end_matches('%').parse::<f64>().ok();
    percent
        .filter(|percent| (0.0..=100.0).contains(percent))
        .ok_or_else(|| format!("{text} is not a percentage of 0 to 100"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn the_defaults_are_those_of_the_documents() {
        let command = |line: &[&str]| Cli::try_parse_from(line).ok().map(|cli| cli.command);
        let Some(Command::Onboarding(onboarding)) = command(&["loadtest", "onboarding"]) else {
            panic!("onboarding");
        };
        assert_eq!((onboarding.records, onboarding.tenants), (50_000, 1));
        assert_eq!(onboarding.kill.engine, Some(std::time::Duration::from_secs(10)));
        let Some(Command::Onboarding(calm)) = command(&["loadtest", "onboarding", "--kill", "", "--doubled", "0.5%"])
        else {
            panic!("onboarding");
        };
        assert_eq!((calm.kill, calm.doubled), (Kills::default(), 0.5));
        assert!(command(&["loadtest", "onboarding", "--doubled", "101"]).is_none());
    }
}

//! How long one change waits in an idle engine, in each direction.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::backlog::{Fleet, append};
use crate::bench::{Bench, settings};
use crate::cli::Latency;
use crate::dice::Dice;
use crate::error::LoadError;
use crate::feed::Feed;
use crate::figures::{Bound, Figures, percentile};
use crate::report::say;
use crate::sample::ROUNDS;
use crate::stack::{RedisSettings, connect};
use crate::stub::Arrival;

/// Pauses between two changes, in milliseconds: at least this, and less than this.
const PAUSE_MS: (usize, usize) = (10, 30);
/// A change that has not arrived by then is lost.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);
/// Lost changes that end a run: something is broken.
const LOST_MAX: u64 = 3;
/// Bounds in milliseconds: p50 and p99.
const LATENCY_MS: (f64, f64) = (3.0, 15.0);
const INBOUND_MS: (f64, f64) = (5.0, 50.0);

/// Runs the scenario.
///
/// # Errors
/// When the run could not be made.
pub async fn run(wanted: &Latency) -> Result<Figures, LoadError> {
    let each = Turns::records(wanted);
    let fleet = Fleet::new(wanted.tenants, each * u32::from(wanted.tenants));
    let (tell, arrivals) = mpsc::unbounded_channel();
    let redis = RedisSettings::default();
    let plain = settings("", toml::Table::new());
    let mut bench = Bench::start(&wanted.programs, redis, &fleet.names, each, plain, Some(tell)).await?;
    let measured = measure(wanted, &fleet, &mut bench, arrivals).await;
    bench.end(measured).await
}

/// Whose turn it is: tenant after tenant, and within a tenant record after record, round after round.
#[derive(Debug)]
struct Turns {
    tenants: usize,
    records: u32,
    turn: usize,
}

impl Turns {
    /// Records that a tenant needs, so that no record comes to its last round: both directions, at the shortest pause.
    fn records(wanted: &Latency) -> u32 {
        let turns = u32::from(wanted.seconds) * 2_000 / u32::try_from(PAUSE_MS.0).unwrap_or(1);
        turns / u32::from(wanted.tenants) / (u32::from(ROUNDS) - 10) + 1
    }

    /// Tenant, record and round of the next change.
    fn next(&mut self) -> (usize, u32, u8) {
        let (tenant, lap) = (self.turn % self.tenants, self.turn / self.tenants);
        self.turn += 1;
        let record = u32::try_from(lap).unwrap_or(u32::MAX) % self.records;
        let round = lap / self.records as usize + 1;
        (tenant, record, u8::try_from(round).unwrap_or(u8::MAX))
    }
}

async fn measure(
    wanted: &Latency,
    fleet: &Fleet,
    bench: &mut Bench,
    mut arrivals: mpsc::UnboundedReceiver<Arrival>,
) -> Result<Figures, LoadError> {
    let mut watch = connect(&bench.rig.redis.url).await?;
    fleet.link(&mut bench.rig, &mut watch).await?;
    while arrivals.try_recv().is_ok() {}
    let mut pace = Pace {
        turns: Turns {
            tenants: fleet.names.len(),
            records: Turns::records(wanted),
            turn: 0,
        },
        dice: Dice::new(1, 1),
        span: Duration::from_secs(u64::from(wanted.seconds)),
    };

    say("from the product to the org");
    let mut product = connect(&bench.rig.redis.url).await?;
    let outward = pace
        .run(async |(tenant, number, round)| {
            let sent = Instant::now();
            append(&mut product, &fleet.names[tenant], &[number], round).await?;
            while let Some(arrival) = arrivals.recv().await {
                if (arrival.tenant, arrival.number, arrival.round) == (tenant, number, round) {
                    return Ok(arrival.at - sent);
                }
            }
            Err(LoadError::Stack("the stub org has ended".to_owned()))
        })
        .await?;
    fleet.until_empty(&mut bench.rig, &mut watch).await?;

    say("from the org to the product");
    let mut feed = Feed::open(&bench.rig.redis.url).await?;
    let stub = &bench.stub;
    let inward = pace
        .run(async |(tenant, number, round)| {
            let sent = stub.edit(tenant, number, round);
            while let Some(heard) = feed.heard.recv().await {
                if (heard.tenant.as_str(), heard.number, heard.round) == (&fleet.names[tenant], number, round) {
                    return Ok(heard.at - sent);
                }
            }
            Err(LoadError::Stack("the product's stream cannot be read".to_owned()))
        })
        .await?;

    let counts = bench.stub.counts();
    let mut figures = Figures::default();
    figures.note("tenants", wanted.tenants);
    figures.note("samples", format!("{} + {}", outward.ms.len(), inward.ms.len()));
    figures.note("latency_ms max", format!("{:.2}", percentile(&outward.ms, 100.0)));
    figures.note("inbound_ms max", format!("{:.2}", percentile(&inward.ms, 100.0)));
    let lost = outward.lost + inward.lost + counts.wrong + counts.strange;
    figures.count("divergences", lost, Bound::AtMost(0.0));
    figures.measure(
        "latency_ms.p50",
        percentile(&outward.ms, 50.0),
        2,
        Bound::Below(LATENCY_MS.0),
    );
    figures.measure(
        "latency_ms.p99",
        percentile(&outward.ms, 99.0),
        2,
        Bound::Below(LATENCY_MS.1),
    );
    figures.measure(
        "inbound_ms.p50",
        percentile(&inward.ms, 50.0),
        2,
        Bound::Below(INBOUND_MS.0),
    );
    figures.measure(
        "inbound_ms.p99",
        percentile(&inward.ms, 99.0),
        2,
        Bound::Below(INBOUND_MS.1),
    );
    Ok(figures)
}

/// One change at a time.
struct Pace {
    turns: Turns,
    dice: Dice,
    span: Duration,
}

/// What was measured in one direction.
struct Samples {
    /// Milliseconds, sorted.
    ms: Vec<f64>,
    lost: u64,
}

impl Pace {
    async fn run(
        &mut self,
        mut change: impl AsyncFnMut((usize, u32, u8)) -> Result<Duration, LoadError>,
    ) -> Result<Samples, LoadError> {
        let until = Instant::now() + self.span;
        let mut samples = Samples {
            ms: Vec::new(),
            lost: 0,
        };
        while Instant::now() < until && samples.lost < LOST_MAX {
            match tokio::time::timeout(ARRIVES_WITHIN, change(self.turns.next())).await {
                Ok(took) => samples.ms.push(took?.as_secs_f64() * 1_000.0),
                Err(_) => samples.lost += 1,
            }
            let (least, most) = PAUSE_MS;
            let micros = least * 1_000 + self.dice.below((most - least) * 1_000);
            tokio::time::sleep(Duration::from_micros(micros as u64)).await;
        }
        samples.ms.sort_by(f64::total_cmp);
        Ok(samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn turns_go_round_the_tenants_and_never_repeat_a_round() {
        let wanted = Latency {
            seconds: 3_600,
            tenants: 75,
            programs: Default::default(),
        };
        let records = Turns::records(&wanted);
        let mut turns = Turns {
            tenants: 75,
            records,
            turn: 0,
        };
        let mut seen = HashSet::new();
        for turn in 0..3_600 * 2_000 / PAUSE_MS.0 {
            let (tenant, record, round) = turns.next();
            assert_eq!(tenant, turn % 75);
            assert!((1..ROUNDS).contains(&round) && record < records);
            assert!(seen.insert((tenant, record, round)));
        }
    }
}

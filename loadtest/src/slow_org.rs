//! How well the engine fills its lanes while the org answers slowly.

use crate::backlog::Fleet;
use crate::bench::{Bench, note_span, settings};
use crate::cli::SlowOrg;
use crate::drain::{From, drained};
use crate::error::LoadError;
use crate::figures::{Bound, Figures};
use crate::report::say;
use crate::stack::{RedisSettings, connect};

/// Share of lanes × 200 ÷ latency that must be reached.
const EFFICIENCY: f64 = 0.95;
/// Rows of a full call.
const ROWS: f64 = 200.0;

/// Runs the scenario.
///
/// # Errors
/// When the run could not be made.
pub async fn run(wanted: &SlowOrg) -> Result<Figures, LoadError> {
    let fleet = Fleet::new(1, wanted.records);
    let lanes = i64::from(wanted.lanes);
    let in_flight = toml::Table::from_iter([("in_flight_batches".to_owned(), lanes.into())]);
    let mut all = settings("sync", in_flight);
    let workers = toml::Table::from_iter([("workers".to_owned(), lanes.max(8).into())]);
    all.insert("node".to_owned(), workers.into());
    let redis = RedisSettings::default();
    let mut bench = Bench::start(&wanted.programs, redis, &fleet.names, wanted.records, all, None).await?;
    let measured = measure(wanted, &fleet, &mut bench).await;
    bench.end(measured).await
}

async fn measure(wanted: &SlowOrg, fleet: &Fleet, bench: &mut Bench) -> Result<Figures, LoadError> {
    let mut watch = connect(&bench.rig.redis.url).await?;
    say(&format!("linking {} records", fleet.total()));
    fleet.link(&mut bench.rig, &mut watch).await?;
    bench.rig.stop_engine().await;
    fleet.append(&bench.rig.redis.url, 1).await?;
    bench.stub.set_echoes(false);
    bench.stub.set_latency(wanted.latency);
    say("draining");
    let from = From::FirstCall(&bench.stub);
    let used = drained(&mut bench.rig, &mut watch, fleet, from, Vec::new()).await?;
    let (counts, verdict) = (bench.stub.counts(), bench.stub.judge(&fleet.records, 1, 2));

    let speed = fleet.total() as f64 / used.seconds;
    let most = f64::from(wanted.lanes) * ROWS / wanted.latency.as_secs_f64();
    let mut figures = Figures::default();
    figures.note("latency", format!("{:?}", wanted.latency));
    figures.note("lanes", format!("{} of one tenant", wanted.lanes));
    note_span(&mut figures, &used);
    figures.count("records", fleet.total(), None);
    let wrong = counts.wrong + counts.strange + verdict.missing + verdict.repeated;
    figures.count("divergences", wrong, Bound::AtMost(0.0));
    figures.measure("records_per_s", speed, 0, None);
    figures.measure("efficiency", speed / most, 3, Bound::AtLeast(EFFICIENCY));
    Ok(figures)
}

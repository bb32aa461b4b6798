//! How fast a backlog of changes of distinct, linked records drains, and what it costs.

mod org;
mod timed;

pub use timed::{From, drained};

use crate::backlog::Fleet;
use crate::bench::{Base, end, note_span, settings};
use crate::cli::{Drain, Fsync, OrgKind};
use crate::error::LoadError;
use crate::figures::{Bound, Figures};
use crate::redis_info::{rewrite, used_memory};
use crate::report::say;
use crate::sample::PAYLOAD_BYTES;
use crate::stack::{RedisSettings, Rig, connect};
use org::Org;

/// Records a second that the stub must get.
const RECORDS_PER_S: f64 = 25_000.0;
/// Calls for one least possible call.
const CALLS_OF_FLOOR: f64 = 1.05;
/// Bytes in Redis for one byte of payload that waits.
const BYTES_OF_PAYLOAD: f64 = 1.25;
/// Bytes in Redis of a linked record at rest.
const BYTES_AT_REST: f64 = 200.0;
/// Microseconds in a second.
const MICROS: f64 = 1e6;
/// The product's stream: what it holds is none of the records' cost.
const FEED: &str = "tandem:events:{0}";

/// Runs the scenario.
///
/// # Errors
/// When the run could not be made.
pub async fn run(wanted: &Drain) -> Result<Figures, LoadError> {
    let fleet = Fleet::new(wanted.tenants, wanted.records);
    let redis = RedisSettings {
        fsync: wanted.fsync == Fsync::Always,
        ..RedisSettings::default()
    };
    let base = Base::start(&wanted.programs, redis).await?;
    let empty = used_memory(&mut connect(&base.redis.url).await?).await?;
    let org = Org::start(wanted.org, &fleet, &base).await?;
    let (scratch, mut rig) = base.engine(&org.tenants(), settings("", toml::Table::new())).await?;
    let measured = measure(wanted, &fleet, empty, &org, &mut rig).await;
    end(rig, &scratch, measured).await
}

async fn measure(wanted: &Drain, fleet: &Fleet, empty: u64, org: &Org, rig: &mut Rig) -> Result<Figures, LoadError> {
    let mut watch = connect(&rig.redis.url).await?;
    say(&format!("linking {} records", fleet.total()));
    fleet.link(rig, &mut watch).await?;
    rig.stop_engine().await;
    redis::cmd("DEL").arg(FEED).query_async::<()>(&mut watch).await?;
    let at_rest = used_memory(&mut watch).await?;
    say("appending one change of each");
    let appended = fleet.append(&rig.redis.url, 1).await?;
    let pending = used_memory(&mut watch).await?;
    rewrite(&mut watch).await?;
    org.set_echoes(wanted.echoes);
    let calls = org.calls().await?;
    say("draining");
    let used = drained(rig, &mut watch, fleet, From::FirstOwner, org.parts()).await?;
    let calls = org.calls().await? - calls;
    let divergences = org.divergences(fleet).await?;

    let (records, per_record) = (fleet.total() as f64, |seconds: f64| {
        seconds * MICROS / fleet.total() as f64
    });
    let bytes = |more: u64, less: u64, each: f64| more.saturating_sub(less) as f64 / each;
    let floor = fleet.calls_floor();
    let stubbed = wanted.org == OrgKind::Stub;
    let mut figures = Figures::default();
    figures.note("org", if stubbed { "stub" } else { "sim" });
    figures.note("echoes", wanted.echoes || !stubbed);
    figures.note("fsync", if wanted.fsync == Fsync::Always { "always" } else { "no" });
    figures.note("tenants", wanted.tenants);
    figures.note("payload_bytes", PAYLOAD_BYTES);
    note_span(&mut figures, &used);
    figures.note("load_test_cpu_us_per_record", format!("{:.2}", per_record(used.own)));
    figures.count("records", fleet.total(), None);
    figures.count("divergences", divergences, Bound::AtMost(0.0));
    figures.measure(
        "records_per_s",
        records / used.seconds,
        0,
        stubbed.then_some(Bound::AtLeast(RECORDS_PER_S)),
    );
    figures.measure("engine_cpu_us_per_record", per_record(used.engine), 2, None);
    figures.measure("redis_cpu_us_per_record", per_record(used.redis), 2, None);
    figures.measure(
        "redis_bytes_per_pending",
        bytes(pending, at_rest, appended as f64),
        1,
        Bound::AtMost(BYTES_OF_PAYLOAD * PAYLOAD_BYTES as f64),
    );
    figures.measure(
        "redis_bytes_per_record",
        bytes(at_rest, empty, records),
        1,
        Bound::AtMost(BYTES_AT_REST),
    );
    figures.count("calls", calls, Bound::AtMost(CALLS_OF_FLOOR * floor as f64));
    figures.count("calls_floor", floor, None);
    Ok(figures)
}

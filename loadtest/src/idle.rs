//! What many quiet tenants cost, each with an open change stream, or polled.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::backlog::{Fleet, append};
use crate::bench::{Bench, note_span, settings};
use crate::cli::Idle;
use crate::dice::Dice;
use crate::error::LoadError;
use crate::feed::Feed;
use crate::figures::{Bound, Figures};
use crate::redis_info::commands;
use crate::report::say;
use crate::stack::{EVERY_TENANT, RedisSettings, connect};
use crate::usage::{Meter, resident_mib};

/// Bounds.
const RSS_MB: f64 = 300.0;
const CPU_PERCENT: f64 = 10.0;
const COMMANDS_PER_S: f64 = 1_000.0;
const COMMANDS_PER_S_POLLED: f64 = 2_500.0;
/// Between two polls of a tenant, as the engine has it unless told otherwise.
const POLL_EVERY: Duration = Duration::from_mins(15);
/// Polls in the time measured, as parts of those that are due in it.
const POLLS_MIN: f64 = 0.5;
const POLLS_MAX: f64 = 2.0;
/// Commands that the table names, those that ran most often.
const COMMANDS_SHOWN: usize = 8;
/// Streams that are not open by then never will be.
const OPEN_WITHIN: Duration = Duration::from_secs(600);
/// Between two words on how many are.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// An event that has not woken its tenant by then did not.
const WAKES_WITHIN: Duration = Duration::from_secs(10);

/// Runs the scenario.
///
/// # Errors
/// When the run could not be made.
pub async fn run(wanted: &Idle) -> Result<Figures, LoadError> {
    // Only tenants that are to be woken have a record, made later.
    let fleet = Fleet::new(wanted.tenants, 0);
    let redis = RedisSettings {
        notifications: !wanted.polled,
        ..RedisSettings::default()
    };
    let mut plain = settings("", toml::Table::new());
    if wanted.polled {
        let polled = toml::Table::from_iter([("changes".to_owned(), "poll".into())]);
        plain.insert(EVERY_TENANT.to_owned(), polled.into());
    }
    let mut bench = Bench::start(&wanted.programs, redis, &fleet.names, 1, plain, None).await?;
    let measured = measure(wanted, fleet, &mut bench).await;
    bench.end(measured).await
}

async fn measure(wanted: &Idle, mut fleet: Fleet, bench: &mut Bench) -> Result<Figures, LoadError> {
    let tenants = u64::from(wanted.tenants);
    let opened = Instant::now();
    all_open(tenants, wanted.polled, bench).await?;
    let opened = opened.elapsed();
    let chosen = choose(fleet.names.len(), usize::from(wanted.checks));
    let mut watch = connect(&bench.rig.redis.url).await?;
    if !wanted.polled {
        say(&format!("linking one record of each of {} tenants", chosen.len()));
        for tenant in &chosen {
            append(&mut watch, &fleet.names[*tenant], &[0], 0).await?;
            fleet.records[*tenant] = 1;
        }
        fleet.until_linked(&mut bench.rig, &mut watch).await?;
    }
    say(&format!("letting them go quiet for {} s", wanted.settle_seconds));
    rest(u64::from(wanted.settle_seconds), bench).await?;

    say(&format!("measuring for {} s", wanted.seconds));
    let meter = Meter::start(bench.rig.engine_pid(), bench.rig.redis_pid(), Vec::new())?;
    let before = commands(&mut watch).await?;
    let (looked, _) = bench.stub.looks();
    rest(u64::from(wanted.seconds), bench).await?;
    let used = meter.used()?;
    let ran = more(&before, &commands(&mut watch).await?);
    let resident = resident_mib(bench.rig.engine_pid())?;
    let streams = bench.stub.open_streams();
    let looks = bench.stub.looks().0 - looked;

    let woken = if wanted.polled {
        0
    } else {
        say("waking tenants by events");
        woken(&chosen, &fleet, bench).await?
    };
    let counts = bench.stub.counts();

    let mut figures = Figures::default();
    figures.note("tenants", tenants);
    figures.note("notifications", !wanted.polled);
    figures.note("seconds_to_open", format!("{:.1}", opened.as_secs_f64()));
    figures.note("redis_cpu_percent", format!("{:.2}", 100.0 * used.redis / used.seconds));
    note_span(&mut figures, &used);
    for (name, count) in ran.iter().take(COMMANDS_SHOWN) {
        let speed = *count as f64 / used.seconds;
        figures.note(&format!("redis {name}/s"), format!("{speed:.0}"));
    }
    figures.count("divergences", counts.wrong + counts.strange, Bound::AtMost(0.0));
    figures.measure("rss_mb", resident, 1, Bound::Below(RSS_MB));
    figures.measure(
        "cpu_percent",
        100.0 * used.engine / used.seconds,
        2,
        Bound::Below(CPU_PERCENT),
    );
    let most = if wanted.polled {
        COMMANDS_PER_S_POLLED
    } else {
        COMMANDS_PER_S
    };
    figures.measure(
        "redis_commands_per_s",
        ran.iter().map(|(_, count)| *count as f64).sum::<f64>() / used.seconds,
        0,
        Bound::Below(most),
    );
    if wanted.polled {
        let due = tenants as f64 * used.seconds / POLL_EVERY.as_secs_f64();
        figures.count(
            "polls",
            looks,
            Bound::Within((due * POLLS_MIN).floor(), (due * POLLS_MAX).ceil()),
        );
    } else {
        figures.count("open_streams", streams, Bound::AtLeast(tenants as f64));
        figures.count("woken_by_event", woken, Bound::AtLeast(chosen.len() as f64));
    }
    Ok(figures)
}

/// How often each command ran between two counts, the most frequent first.
fn more(before: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let ran = now.iter().map(|(name, count)| {
        let known = before.get(name).copied().unwrap_or(0);
        (name.clone(), count.saturating_sub(known))
    });
    let mut ran: Vec<(String, u64)> = ran.collect();
    ran.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    ran
}

/// Waits until each tenant has a stream open, or was polled once.
async fn all_open(tenants: u64, polled: bool, bench: &mut Bench) -> Result<(), LoadError> {
    let (until, mut told) = (Instant::now() + OPEN_WITHIN, Instant::now());
    loop {
        let open = if polled {
            bench.stub.looks().1
        } else {
            bench.stub.open_streams()
        };
        if open >= tenants {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(LoadError::Stack(format!(
                "only {open} of {tenants} tenants had their changes listened to within {OPEN_WITHIN:?}"
            )));
        }
        if told.elapsed() >= TOLD_EVERY {
            told = Instant::now();
            say(&format!("the changes of {open} of {tenants} tenants are listened to"));
        }
        bench.rig.check()?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn rest(seconds: u64, bench: &mut Bench) -> Result<(), LoadError> {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    bench.rig.check()
}

/// Different tenants, at random.
fn choose(tenants: usize, most: usize) -> Vec<usize> {
    let mut dice = Dice::new(1, 2);
    let mut left: Vec<usize> = (0..tenants).collect();
    (0..most.min(tenants))
        .map(|_| left.swap_remove(dice.below(left.len())))
        .collect()
}

/// How many tenants' events come out on the product's stream, one after the other.
async fn woken(chosen: &[usize], fleet: &Fleet, bench: &Bench) -> Result<u64, LoadError> {
    let mut feed = Feed::open(&bench.rig.redis.url).await?;
    let mut woken = 0;
    for tenant in chosen {
        bench.stub.edit(*tenant, 0, 1);
        let name = fleet.names[*tenant].as_str();
        let heard = timeout(WAKES_WITHIN, async {
            while let Some(heard) = feed.heard.recv().await {
                if heard.tenant == name && heard.round == 1 {
                    return true;
                }
            }
            false
        });
        woken += u64::from(heard.await.unwrap_or(false));
    }
    Ok(woken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_tenants_are_different() {
        let mut chosen = choose(50, 40);
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen.len(), 40);
        assert_eq!(choose(3, 100).len(), 3);
    }
}

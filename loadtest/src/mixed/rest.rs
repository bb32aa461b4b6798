//! Waits until both sides are at rest, judges, and watches that nothing more is written.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use super::drive::Struck;
use super::record;
use super::session::{Session, World};
use super::stage::Stage;
use crate::error::LoadError;
use crate::oracle::{Verdict, evidence, judge};
use crate::org::Calls;
use crate::product::{FEED, GROUP};
use crate::report::say;
use crate::stack::connect;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Between two judgements while the sides still differ.
const JUDGE_EVERY: Duration = Duration::from_secs(5);
/// Between two lines on what is still under way.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// How long is waited for what.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Without entries, events and commits for so long, a run is at rest.
    pub quiet: Duration,
    /// Both sides must be equal within this time after edits and faults stopped.
    pub within: Duration,
    /// Sides that differ at rest are looked at again until then.
    pub again: bool,
    /// And then nothing may be written for so long.
    pub watch: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            quiet: Duration::from_secs(3),
            within: Duration::from_secs(300),
            again: true,
            watch: Duration::from_secs(10),
        }
    }
}

/// A judged run with what was counted on the way.
#[derive(Debug)]
pub struct Judged {
    /// The oracle's word.
    pub verdict: Verdict,
    /// The story of the records found wrong; empty when nothing was found.
    pub evidence: String,
    /// Counted calls, one an org.
    pub calls: Vec<Calls>,
    /// From the end of edits to equality (or to the end of patience), seconds.
    pub rest_seconds: f64,
}

/// Waits, judges and watches.
///
/// # Errors
/// When a part of the stack dies, or does not answer.
pub(super) async fn rest_and_judge(
    world: &World,
    session: &Session,
    patience: &Patience,
    struck: &Struck,
    stage: &mut impl Stage,
) -> Result<Judged, LoadError> {
    let started = Instant::now();
    let (mut history, calls, rest_seconds) = loop {
        let loud = until_quiet(world, session, patience, started, stage).await?;
        let calls = calls(world).await?;
        let mut history = record::history(world, session, struck).await?;
        for (tenant, loud) in history.tenants.iter_mut().zip(&loud) {
            tenant.rested = !loud;
        }
        let verdict = judge(&history);
        let rest_seconds = started.elapsed().as_secs_f64();
        let equal = verdict.divergences == 0 && !loud.contains(&true);
        if equal || !patience.again || started.elapsed() >= patience.within {
            break (history, calls, rest_seconds);
        }
        say(&format!(
            "at rest, but {} fields or rows differ; looking again",
            verdict.divergences
        ));
        tokio::time::sleep(JUDGE_EVERY).await;
    };
    tokio::time::sleep(patience.watch).await;
    stage.check().await?;
    for ((tenant, before), after) in history.tenants.iter_mut().zip(&calls).zip(self::calls(world).await?) {
        tenant.written_at_rest = if tenant.rested {
            after.rows.saturating_sub(before.rows)
        } else {
            0
        };
    }
    let verdict = judge(&history);
    Ok(Judged {
        evidence: evidence(&history, &verdict),
        verdict,
        calls,
        rest_seconds,
    })
}

/// Waits until nothing moves; then names the tenants that still do when patience ends.
///
/// # Errors
/// When a part of the stack dies, or does not answer.
pub(crate) async fn until_quiet(
    world: &World,
    session: &Session,
    patience: &Patience,
    started: Instant,
    stage: &mut impl Stage,
) -> Result<Vec<bool>, LoadError> {
    let mut connection = connect(&world.redis_url).await?;
    let mut told = Instant::now();
    let mut before = rows(world).await?;
    let mut applied = session.applied.load(Ordering::Relaxed);
    let mut quiet_since = Instant::now();
    loop {
        stage.check().await?;
        let (under_way, feed) = match waiting(&mut connection, session).await {
            // Redis may have been killed: it comes back, and nothing is at rest meanwhile.
            Err(LoadError::Redis(_)) if started.elapsed() < patience.within => {
                quiet_since = Instant::now();
                tokio::time::sleep(LOOK_EVERY).await;
                if let Ok(again) = connect(&world.redis_url).await {
                    connection = again;
                }
                continue;
            }
            waiting => waiting?,
        };
        let now = rows(world).await?;
        let applied_now = session.applied.load(Ordering::Relaxed);
        let reader_busy = feed > 0 || !session.readers_idle() || applied_now != applied;
        if under_way.iter().any(|&count| count > 0) || reader_busy || now != before {
            quiet_since = Instant::now();
        }
        if quiet_since.elapsed() >= patience.quiet {
            return Ok(vec![false; world.orgs.len()]);
        }
        if started.elapsed() >= patience.within {
            let loud = |(at, &count): (usize, &u64)| count > 0 || reader_busy || now.get(at) != before.get(at);
            return Ok(under_way.iter().enumerate().map(loud).collect());
        }
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            let entries: u64 = under_way.iter().sum();
            say(&format!(
                "still under way: {entries} entries of outboxes and logs, {feed} events"
            ));
        }
        (before, applied) = (now, applied_now);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What is not yet done with: entries of each tenant, and events.
async fn waiting(connection: &mut MultiplexedConnection, session: &Session) -> Result<(Vec<u64>, u64), LoadError> {
    Ok((under_way(connection, session).await?, feed_waiting(connection).await?))
}

/// Entries of one tenant each that are not yet done with: the product's outbox, the log, the engine's outbox.
async fn under_way(connection: &mut MultiplexedConnection, session: &Session) -> Result<Vec<u64>, LoadError> {
    let mut pipeline = redis::pipe();
    for seat in &session.seats {
        for stream in ["changes", "backfill", "outbox"] {
            pipeline.xlen(format!("tandem:{{{}}}:{stream}", seat.tenant.name));
        }
    }
    let lengths: Vec<u64> = pipeline.query_async(connection).await?;
    let waiting = session.seats.iter().map(|seat| seat.tenant.lock().waiting() as u64);
    Ok(lengths
        .chunks(3)
        .zip(waiting)
        .map(|(lengths, waiting)| lengths.iter().sum::<u64>() + waiting)
        .collect())
}

/// Events that the product has not confirmed, and one more when it has not read the feed to its end. The group's `lag`
/// is not used: Redis 7.0 reports a wrong one after it has loaded a rewritten AOF.
async fn feed_waiting(connection: &mut MultiplexedConnection) -> Result<u64, LoadError> {
    let groups: redis::streams::StreamInfoGroupsReply = connection.xinfo_groups(FEED).await?;
    let Some(group) = groups.groups.into_iter().find(|group| group.name == GROUP) else {
        return Ok(0);
    };
    let feed: redis::streams::StreamInfoStreamReply = connection.xinfo_stream(FEED).await?;
    let unread = group.last_delivered_id != feed.last_generated_id;
    Ok(group.pending as u64 + u64::from(unread))
}

pub(crate) async fn calls(world: &World) -> Result<Vec<Calls>, LoadError> {
    futures::future::try_join_all(world.orgs.iter().map(|org| world.admin.calls(&org.name))).await
}

async fn rows(world: &World) -> Result<Vec<u64>, LoadError> {
    Ok(calls(world).await?.into_iter().map(|calls| calls.rows).collect())
}

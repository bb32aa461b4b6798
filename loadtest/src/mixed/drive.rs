//! Drives the load: changes as they fall due, people in the orgs, kills and faults, and a line on how it goes.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::editors::Editors;
use super::rhythm::Rhythm;
use super::session::{Session, World};
use super::stage::{Part, Stage};
use crate::cli::{Faults, Kills};
use crate::dice::Dice;
use crate::error::LoadError;
use crate::product::now_ms;
use crate::report::say;

/// Between two looks at what is due.
const TICK: Duration = Duration::from_millis(10);
/// Between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// Outbox rows of one tenant at which its users wait.
const OUTBOX_BOUND: usize = 20_000;
/// The edits may take so much longer than asked (factor, and seconds), when the machine or back-pressure slows them.
const OVERTIME: f64 = 1.5;
const OVERTIME_SECONDS: f64 = 30.0;

/// How much is done, in which time.
#[derive(Debug, Clone)]
pub struct Load {
    /// Time over which edits are spread.
    pub seconds: f64,
    /// Changes by the product.
    pub changes: u64,
    /// Edits in the orgs.
    pub org_edits: u64,
    /// Changes of the product for one record of the product, on average.
    pub changes_a_record: u64,
    /// What is killed, and how often.
    pub kills: Kills,
    /// How the orgs misbehave.
    pub faults: Faults,
}

/// What struck the run.
#[derive(Debug, Default)]
pub(super) struct Struck {
    /// Kills of the engine.
    pub(super) engine: u64,
    /// Kills of Redis.
    pub(super) redis: u64,
    /// Strikes of fault rules, one map an org.
    pub(super) orgs: Vec<BTreeMap<String, u64>>,
}

impl Struck {
    /// All strikes by kind.
    pub(super) fn by_kind(&self) -> BTreeMap<String, u64> {
        let mut kinds = BTreeMap::from([("engine".to_owned(), self.engine), ("redis".to_owned(), self.redis)]);
        for (kind, count) in self.orgs.iter().flatten() {
            *kinds.entry(kind.clone()).or_insert(0) += count;
        }
        kinds
    }

    /// How often one record of a tenant may have been sent again: once a kill, once an answer that was lost.
    pub(super) fn retries(&self, tenant: usize) -> u64 {
        let lost = |org: &BTreeMap<String, u64>| ["drop", "truncate"].iter().filter_map(|kind| org.get(*kind)).sum();
        self.engine + self.redis + self.orgs.get(tenant).map_or(0, lost)
    }
}

/// Drives until all edits are made, then takes the faults away.
///
/// # Errors
/// When a part of the stack dies by itself, or does not answer.
pub(super) async fn drive(
    world: &World,
    load: &Load,
    session: &Session,
    stage: &mut impl Stage,
) -> Result<Struck, LoadError> {
    let mut struck = Struck::default();
    let rules = rules(&load.faults);
    if !rules.is_empty() {
        for org in &world.orgs {
            world.admin.faults(&org.name, &rules).await?;
        }
    }
    let editors = Editors::start(world, session, load.org_edits, load.seconds);
    edit(world, load, session, stage, &editors, &mut struck).await?;
    editors.stop().await?;
    let (changes, org_edits) = (session.changes(), session.org_edits.load(Ordering::Relaxed));
    if changes < load.changes || org_edits < load.org_edits {
        say(&format!(
            "only {changes} of {} changes and {org_edits} of {} org edits could be made in time",
            load.changes, load.org_edits
        ));
    }
    if !rules.is_empty() {
        for org in &world.orgs {
            struck
                .orgs
                .push(world.admin.struck(&org.name).await?.into_iter().collect());
            world.admin.faults(&org.name, &[]).await?;
        }
    }
    Ok(struck)
}

async fn edit(
    world: &World,
    load: &Load,
    session: &Session,
    stage: &mut impl Stage,
    editors: &Editors,
    struck: &mut Struck,
) -> Result<(), LoadError> {
    let started = Instant::now();
    let mut dice = Dice::new(world.seed, 3_000_000);
    let mut made = 0;
    let mut told = Instant::now();
    let mut rhythm = Rhythm::new(&load.kills);
    loop {
        let elapsed = started.elapsed();
        let share = (elapsed.as_secs_f64() / load.seconds).min(1.0);
        let due = (load.changes as f64 * share) as u64;
        make_changes(session, &mut dice, &mut made, due);
        let people_done = editors.finished();
        let over = elapsed.as_secs_f64() > load.seconds * OVERTIME + OVERTIME_SECONDS;
        if (made >= load.changes && people_done) || over {
            return Ok(());
        }
        stage.check().await?;
        if elapsed.as_secs_f64() < load.seconds {
            rhythm.keep(stage).await?;
            struck.engine = rhythm.struck(Part::Engine);
            struck.redis = rhythm.struck(Part::Redis);
        }
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            say(&progress(load, session, elapsed, struck));
        }
        tokio::time::sleep(TICK).await;
    }
}

fn make_changes(session: &Session, dice: &mut Dice, made: &mut u64, due: u64) {
    while *made < due {
        let Some(seat) = dice.pick(&session.seats) else { return };
        let mut product = seat.tenant.lock();
        if product.waiting() >= OUTBOX_BOUND {
            return;
        }
        let before = product.changes;
        seat.plan().change(&mut product, now_ms());
        *made += product.changes - before;
    }
}

fn progress(load: &Load, session: &Session, elapsed: Duration, struck: &Struck) -> String {
    format!(
        "{:>4.0} s: {} of {} changes, {} of {} org edits, {} events applied, {} rows in outboxes, {} kills",
        elapsed.as_secs_f64(),
        session.changes(),
        load.changes,
        session.org_edits.load(Ordering::Relaxed),
        load.org_edits,
        session.applied.load(Ordering::Relaxed),
        session.waiting(),
        struck.engine + struck.redis,
    )
}

fn rules(faults: &Faults) -> Vec<Json> {
    let mut rules: Vec<Json> = faults
        .status
        .iter()
        .map(|(status, percent)| json!({"kind": "status", "status": status, "percent": percent}))
        .collect();
    for (kind, percent) in [("drop", faults.drop), ("truncate", faults.truncate)] {
        if percent > 0.0 {
            rules.push(json!({"kind": kind, "percent": percent}));
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_answers_and_kills_explain_retries_and_refusals_do_not() {
        let org = BTreeMap::from([
            ("503".to_owned(), 9),
            ("drop".to_owned(), 2),
            ("truncate".to_owned(), 1),
        ]);
        let struck = Struck {
            engine: 4,
            redis: 1,
            orgs: vec![BTreeMap::new(), org],
        };
        assert_eq!((struck.retries(0), struck.retries(1)), (5, 8));
        let kinds = struck.by_kind();
        assert_eq!((kinds.get("503"), kinds.get("engine")), (Some(&9), Some(&4)));
    }
}

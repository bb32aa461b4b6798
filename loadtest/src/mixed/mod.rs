//! The mixed run: changes on both sides of many tenants, faults, rest, judgement.

mod drive;
mod editors;
mod record;
mod rest;
mod rhythm;
mod session;
mod stage;

pub use drive::Load;
pub use rest::{Judged, Patience};
pub(crate) use rest::{calls, until_quiet};
pub(crate) use rhythm::{Rhythm, Struck};
pub use session::{Seat, Session, Staff, World};
pub use stage::{Part, Stage, Still};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::{Mixed, Sabotage};
use crate::error::LoadError;
use crate::org::Admin;
use crate::report::{Report, say};
use crate::shape::Shapes;
use crate::stack::{Binaries, Scratch, Stack, StackPlan, repository};

/// The file that tells the story of the records found wrong.
const EVIDENCE: &str = "evidence.txt";
/// Longest wait for rest where a sabotage makes it unlikely.
const REST_WITH_SABOTAGE: Duration = Duration::from_secs(60);

/// Runs the whole scenario on a stack of its own.
///
/// # Errors
/// When the run could not be made; what the oracle finds is in the report.
pub async fn run(settings: &Mixed) -> Result<Report, LoadError> {
    let sabotaged = settings.sabotage.is_some();
    let usual = Patience::default();
    let within = settings.rest_seconds.map(Duration::from_secs);
    let patience = Patience {
        within: within.unwrap_or(if sabotaged { REST_WITH_SABOTAGE } else { usual.within }),
        // The damage that a sabotage does stays.
        again: !sabotaged,
        ..usual
    };
    let binaries = Binaries::find(settings.bin_dir.as_deref(), settings.build, sabotaged).await?;
    run_with(settings, &binaries, &patience).await
}

/// As [`run`], with these programs and waits.
///
/// # Errors
/// As [`run`].
pub async fn run_with(settings: &Mixed, binaries: &Binaries, patience: &Patience) -> Result<Report, LoadError> {
    let objects = settings
        .objects
        .clone()
        .unwrap_or_else(|| repository().join("config/objects"));
    let shapes = Arc::new(Shapes::load(&objects)?);
    let scratch = Scratch::new(settings.keep.as_deref())?;
    let tenants: Vec<String> = (1..=settings.tenants).map(|tenant| format!("t{tenant:02}")).collect();
    say(&format!(
        "starting redis, {} orgs and the engine in {}",
        tenants.len(),
        scratch.path().display()
    ));
    let plan = StackPlan {
        dir: scratch.path(),
        binaries,
        objects: &objects,
        tenants: &tenants,
        seed: settings.seed,
        sabotage: settings.sabotage,
    };
    let mut stack = Stack::start(&plan).await?;
    let judged = on_stack(settings, patience, shapes, &mut stack).await;
    stack.stop().await;
    match &judged {
        Ok(report) if report.clean() => {}
        Ok(report) => {
            let path = scratch.path().join(EVIDENCE);
            std::fs::write(&path, &report.evidence).map_err(LoadError::io(format!("writing {}", path.display())))?;
            say(&format!(
                "the story of the records found wrong is in {}",
                path.display()
            ));
            scratch.keep();
        }
        Err(_) => scratch.keep(),
    }
    judged
}

async fn on_stack(
    settings: &Mixed,
    patience: &Patience,
    shapes: Arc<Shapes>,
    stack: &mut Stack,
) -> Result<Report, LoadError> {
    let world = World {
        redis_url: stack.redis.url.clone(),
        admin: Admin::new(&stack.orgs.admin_url)?,
        orgs: stack.orgs.infos.clone(),
        shapes,
        seed: settings.seed,
    };
    let load = Load {
        seconds: settings.minutes * 60.0,
        changes: settings.changes,
        org_edits: settings.org_edits,
        changes_a_record: settings.changes_a_record(),
        kills: settings.kill.clone(),
        faults: settings.faults(),
    };
    judge_run(&world, &load, patience, settings.sabotage, stack).await
}

/// Drives a load in a world, waits for rest and judges.
///
/// # Errors
/// When a part of the stack fails.
pub async fn judge_run(
    world: &World,
    load: &Load,
    patience: &Patience,
    sabotage: Option<Sabotage>,
    stage: &mut impl Stage,
) -> Result<Report, LoadError> {
    let started = std::time::Instant::now();
    let session = Session::start(world, load);
    let struck = drive::drive(world, load, &session, stage).await?;
    say("edits have ended; waiting until both sides are at rest");
    let judged = rest::rest_and_judge(world, &session, patience, &struck, stage).await?;
    let seconds = started.elapsed().as_secs_f64();
    session.stop().await;
    let mut faults: BTreeMap<String, u64> = ["503", "drop", "truncate"]
        .into_iter()
        .map(|name| (name.to_owned(), 0))
        .collect();
    faults.extend(struck.by_kind());
    faults.insert("sabotage".to_owned(), u64::from(sabotage.is_some()));
    Ok(Report::new(world, &session, judged, faults, seconds))
}

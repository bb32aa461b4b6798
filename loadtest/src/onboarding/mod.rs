//! A product and an org that have lived apart become one: rows and records of the same people meet, nobody is made twice.

mod ends;
mod judge;
mod people;

pub use judge::{Ends, Judgement, Known, Record, judge};
pub use people::{Person, people};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value as Json};

use crate::cli::Onboarding;
use crate::error::LoadError;
use crate::figures::{Bound, Figures};
use crate::mixed::{Part, Patience, Rhythm, Seat, Session, Staff, Struck, World, calls, until_quiet};
use crate::org::{Admin, Answer};
use crate::product::{BACKFILL, CHANGES, OrgEdit, now_ms};
use crate::report::say;
use crate::shape::{Object, Shapes, id15};
use crate::stack::{Binaries, Scratch, Stack, StackPlan, repository};
use crate::value::{Kind, Value};
use ends::Plot;

/// The object whose records meet.
const OBJECT: &str = "contact";
/// Consumers of the feed, who share its events.
const WORKERS: usize = 2;
/// Rows of one load into an org.
const ROWS_A_LOAD: usize = 5_000;
/// People at work in the orgs at the same time.
const PEOPLE: usize = 8;
/// Rows of one call of the platform's collections, and records of one look.
const ROWS_A_CALL: u64 = 200;
/// Questions that are more than there are reasons to ask, at most.
const ASKED_TOO_OFTEN: f64 = 1.1;
/// Between two looks at whether all is as it should be.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Findings said at a look that is not the last.
const SAID: usize = 3;
/// The file that tells what was found.
const EVIDENCE: &str = "evidence.txt";

/// Runs the scenario on a stack of its own.
///
/// # Errors
/// When the run could not be made; what was found is in the figures.
pub async fn run(settings: &Onboarding) -> Result<Figures, LoadError> {
    let programs = &settings.programs;
    let binaries = Binaries::find(programs.bin_dir.as_deref(), programs.build, false).await?;
    let objects = repository().join("config/objects");
    let shapes = Arc::new(Shapes::load(&objects)?);
    let scratch = Scratch::new(programs.keep.as_deref())?;
    let tenants: Vec<String> = (1..=settings.tenants).map(|tenant| format!("t{tenant:02}")).collect();
    say(&format!(
        "starting redis, {} orgs and the engine in {}",
        tenants.len(),
        scratch.path().display()
    ));
    let plan = StackPlan {
        dir: scratch.path(),
        binaries: &binaries,
        objects: &objects,
        tenants: &tenants,
        seed: settings.seed,
        sabotage: None,
    };
    let mut stack = Stack::start(&plan).await?;
    let outcome = on_stack(settings, shapes, &mut stack).await;
    stack.stop().await;
    let (figures, judgement) = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            scratch.keep();
            return Err(error);
        }
    };
    if !figures.clean() {
        let path = scratch.path().join(EVIDENCE);
        let evidence = [judgement.findings.join("\n"), judgement.histories.join("\n")].join("\n");
        std::fs::write(&path, evidence).map_err(LoadError::io(format!("writing {}", path.display())))?;
        for finding in &judgement.findings {
            say(finding);
        }
        scratch.keep();
    }
    Ok(figures)
}

/// The scenario at work.
struct Run<'a> {
    settings: &'a Onboarding,
    world: World,
    session: Session,
    stage: Struck<'a>,
    plots: Vec<Plot>,
}

async fn on_stack(
    settings: &Onboarding,
    shapes: Arc<Shapes>,
    stack: &mut Stack,
) -> Result<(Figures, Judgement), LoadError> {
    let at = shapes
        .object(OBJECT)
        .filter(|at| shapes.objects.get(*at).is_some_and(|o| !o.matching.is_empty()));
    let at = at.ok_or_else(|| LoadError::Usage(format!("the object {OBJECT} needs a [match]")))?;
    let world = World {
        redis_url: stack.redis.url.clone(),
        admin: Admin::new(&stack.orgs.admin_url)?,
        orgs: stack.orgs.infos.clone(),
        shapes,
        seed: settings.seed,
    };
    let (tenants, all) = (world.orgs.len(), settings.records as usize);
    let share = |tenant: usize| all / tenants + usize::from(tenant < all % tenants);
    let mut plots = Vec::new();
    for (tenant, org) in world.orgs.iter().enumerate() {
        let Some(object) = world.shapes.objects.get(at) else {
            continue;
        };
        let people = people(object, share(tenant), settings.seed, tenant);
        let mut plot = Plot::new(at, people);
        plot.load(&world, &org.name, ROWS_A_LOAD).await?;
        plots.push(plot);
    }
    say(&format!(
        "{all} records are in the orgs; the product appends {all} rows"
    ));
    let staff = Staff {
        records: 0,
        workers: WORKERS,
        doubles_percent: settings.doubled,
    };
    let started = Instant::now();
    let session = Session::staffed(&world, &staff);
    for (plot, seat) in plots.iter_mut().zip(&session.seats) {
        import(plot, &world, seat);
    }
    let rhythm = Rhythm::new(&settings.kill);
    let mut run = Run {
        settings,
        world,
        session,
        stage: Struck { stack, rhythm },
        plots,
    };
    let judged = run.play(started).await;
    run.session.stop().await;
    judged
}

/// The product's users have all these rows; an import job puts them into the outbox.
fn import(plot: &mut Plot, world: &World, seat: &Seat) {
    let Some(object) = world.shapes.objects.get(plot.object) else {
        return;
    };
    let mut product = seat.tenant.lock();
    product.log = BACKFILL;
    for (at, person) in plot.people.iter().enumerate() {
        let Some(row) = &person.row else { continue };
        let key = format!("{OBJECT}-{}", product.records.len() + 1);
        let data: Map<String, Json> = object
            .fields
            .iter()
            .zip(row)
            .map(|(field, value)| (field.name.clone(), field.to_json(value)))
            .collect();
        let record = product.make(plot.object, key.clone(), now_ms());
        product.upsert(record, &data, now_ms());
        plot.rows.insert(key, at);
    }
    product.log = CHANGES;
}

impl Run<'_> {
    async fn play(&mut self, started: Instant) -> Result<(Figures, Judgement), LoadError> {
        self.rest().await?;
        let met = started.elapsed().as_secs_f64();
        say(&format!("the product's rows have their records after {met:.0} s"));
        let touched = self.touch().await?;
        say(&format!("people have touched {touched} records without a key"));
        let (mut judgement, offered_until) = self.until_right(started).await?;
        self.tell_histories(&mut judgement).await?;
        let mut figures = self.figures(&judgement).await?;
        figures.measure("seconds", offered_until, 1, None);
        figures.measure("seconds_rows", met, 1, None);
        figures.note("records", self.settings.records);
        figures.note("tenants", self.settings.tenants);
        figures.note("seed", self.settings.seed);
        figures.note("engine kills", self.stage.rhythm.struck(Part::Engine));
        figures.note("redis kills", self.stage.rhythm.struck(Part::Redis));
        Ok((figures, judgement))
    }

    async fn rest(&mut self) -> Result<(), LoadError> {
        let patience = Patience {
            within: Duration::from_secs(self.settings.rest_seconds),
            ..Patience::default()
        };
        let started = Instant::now();
        let loud = until_quiet(&self.world, &self.session, &patience, started, &mut self.stage).await?;
        if loud.contains(&true) {
            say("not at rest within the bound");
        }
        Ok(())
    }

    /// People change one field of every record that has no key; how many.
    async fn touch(&mut self) -> Result<u64, LoadError> {
        let mut edits = Vec::new();
        for (tenant, plot) in self.plots.iter_mut().enumerate() {
            let (Some(org), Some(object)) = (self.world.orgs.get(tenant), self.world.shapes.objects.get(plot.object))
            else {
                continue;
            };
            let Some((at, field)) = touchable(object) else { continue };
            for id in ends::keyless(&self.world, &org.name, object).await? {
                let value = Value::from(format!("touched {}", plot.touched.len()));
                let edit = OrgEdit {
                    record: None,
                    object: plot.object,
                    entity: object.salesforce.clone(),
                    op: "update",
                    key: None,
                    id: Some(id.clone()),
                    fields: [(field.clone(), Json::from(&*value))].into_iter().collect(),
                    plain: Vec::new(),
                };
                plot.touched.insert(id15(&id).to_owned(), (at, value));
                edits.push((org.name.clone(), edit));
            }
        }
        let count = edits.len() as u64;
        let admin = self.world.admin.clone();
        let work = stream::iter(edits)
            .map(|(org, edit)| {
                let admin = admin.clone();
                async move { admin.edit(&org, &edit).await }
            })
            .buffer_unordered(PEOPLE)
            .try_fold(0_u64, |refused, answer| async move {
                Ok(refused + u64::from(answer == Answer::Refused))
            });
        tokio::pin!(work);
        // Parts are killed meanwhile, too.
        let refused = loop {
            tokio::select! {
                refused = &mut work => break refused?,
                () = tokio::time::sleep(Duration::from_millis(100)) => {
                    crate::mixed::Stage::check(&mut self.stage).await?;
                }
            }
        };
        if refused > 0 {
            return Err(LoadError::Admin(format!(
                "{refused} edits of records without a key were refused"
            )));
        }
        Ok(count)
    }

    /// Judges at rest, until all is right or patience ends. With the seconds that it took.
    async fn until_right(&mut self, started: Instant) -> Result<(Judgement, f64), LoadError> {
        let until = Instant::now() + Duration::from_secs(self.settings.rest_seconds);
        loop {
            self.rest().await?;
            let seconds = started.elapsed().as_secs_f64();
            let mut all = Judgement::default();
            for ((plot, org), seat) in self.plots.iter().zip(&self.world.orgs).zip(&self.session.seats) {
                let Some(object) = self.world.shapes.objects.get(plot.object) else {
                    continue;
                };
                let ends = plot.ends(&self.world, &org.name, object, seat).await?;
                all.add(judge(object, &plot.known(seat), &ends));
            }
            if all.clean() || Instant::now() >= until {
                return Ok((all, seconds));
            }
            say(&format!(
                "at rest, but {} things are not right; looking again",
                all.divergences + all.duplicates
            ));
            for finding in all.findings.iter().take(SAID) {
                say(finding);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Adds what happened in the orgs to the records that are not right.
    async fn tell_histories(&self, judgement: &mut Judgement) -> Result<(), LoadError> {
        let ids: Vec<&str> = judgement.records.iter().map(String::as_str).collect();
        if ids.is_empty() {
            return Ok(());
        }
        for (plot, org) in self.plots.iter().zip(&self.world.orgs) {
            let Some(object) = self.world.shapes.objects.get(plot.object) else {
                continue;
            };
            let history = self
                .world
                .admin
                .history(&org.name, &object.salesforce, "", &ids)
                .await?;
            judgement.histories.extend(history.iter().map(Json::to_string));
        }
        Ok(())
    }

    async fn figures(&self, judgement: &Judgement) -> Result<Figures, LoadError> {
        let none = Bound::AtMost(0.0);
        let (mut asked, mut offered, mut refused, mut doubled) = (0, 0, 0, 0);
        let (mut ambiguous, mut floor) = (0, 0);
        for (plot, seat) in self.plots.iter().zip(&self.session.seats) {
            let product = seat.tenant.lock();
            let identity = &product.identity;
            asked += identity.asked.len() as u64;
            offered += identity.offered;
            refused += identity.refused;
            doubled += identity.doubled;
            ambiguous += plot.people.iter().filter(|person| person.is_ambiguous()).count() as u64;
            // A row is looked for and written; a record without a key is read for its question and written.
            floor += 2 * (plot.rows.len() as u64).div_ceil(ROWS_A_CALL) + 2 * identity.offered.div_ceil(ROWS_A_CALL);
        }
        let (mut calls_made, mut by_kind) = (0, BTreeMap::new());
        for calls in calls(&self.world).await? {
            calls_made += calls.total;
            for (kind, count) in calls.by {
                *by_kind.entry(kind).or_insert(0) += count.as_u64().unwrap_or(0);
            }
        }
        let mut figures = Figures::default();
        let by_kind: Vec<String> = by_kind.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        figures.note("calls by kind", by_kind.join(", "));
        figures.count("records", judgement.pairs, None);
        figures.count("linked", judgement.linked, None);
        figures.count("duplicates", judgement.duplicates, none);
        figures.count("divergences", judgement.divergences, none);
        figures.count("ambiguous", ambiguous, None);
        let most = (ambiguous as f64 * ASKED_TOO_OFTEN).floor();
        figures.count("asked", asked, Bound::Within(ambiguous as f64, most));
        figures.count("offered", offered, None);
        figures.count("doubled", doubled, None);
        figures.count("rejected", refused, None);
        figures.count("calls", calls_made, None);
        figures.count("calls_floor", floor, None);
        let violations = |promise: &str| judgement.violations.get(promise).copied().unwrap_or(0);
        figures.count("violations.C1", violations("C1"), none);
        figures.count("violations.C5", violations("C5"), none);
        Ok(figures)
    }
}

/// A text field that Salesforce wins and no group has: its place and its name there.
fn touchable(object: &Object) -> Option<(usize, String)> {
    let suits = |field: &crate::shape::Field| {
        field.kind == Kind::Text && field.group.is_none() && field.policy == crate::shape::Policy::Salesforce
    };
    let at = object.fields.iter().position(suits)?;
    Some((at, object.fields.get(at)?.salesforce.clone()))
}

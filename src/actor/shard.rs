//! The supervisor of an arbiter's tenants: rows, starts, one timer, one lane.
//!
//! A tenant with nothing to do is a row and its open change stream, not an actor. Its append, its event or its time
//! starts a connection. If the shard dies, everything it owns dies with it, and the node starts another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Recipient, SpawnHandle};
use tandem_core::domain::ids::TenantName;
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::supervise::{Verdict, jittered};
use tokio::sync::watch;

use super::clock::{Clock, Dice};
use super::connection::{Connection, ConnectionDeps};
use super::contain::contained;
use super::directory::Board;
use super::doorbell::Bell;
use super::messages::{
    Assign, AttachRefused, Busy, DrainPartition, Due, Gone, LaneBroken, LaneOpened, LaneTerm, PartitionDrained, Report,
    Revoke, Rung, Wake,
};
use super::pool::WorkerPool;
use super::row::{Deadlines, Row, State};
use super::start::LaneFactory;
use super::watch::{ChildExited, Exit, Generation, Watched, spawn_watched};
use crate::telemetry::Telemetry;
use crate::telemetry::names::Metric;

/// Tenants that start at once.
pub const STARTING_MAX: usize = 10;
/// A tenant that starts longer than this no longer holds a place: others go on.
const STARTING_FOR: Duration = Duration::from_secs(30);
/// Tenants without work become rows after this long.
pub const PASSIVATE_AFTER: Duration = Duration::from_secs(30);
/// How often a quiet tenant wakes for questions that the product has not answered.
const QUESTIONS_EVERY: Duration = Duration::from_hours(1);
/// A tenant hears that it is due at most this often, also when its machine cannot do yet what is due.
const DUE_SPACING: Duration = Duration::from_millis(20);
/// Pause before a lane is opened again after it broke, or after it could not be opened (times 2ⁿ, up to 16).
const LANE_PAUSE: Duration = Duration::from_millis(400);
/// A lane that lived this long was a good one: the next pause is short.
const LANE_PROVEN: Duration = Duration::from_secs(5);

/// What a shard is built from.
#[derive(Clone)]
pub(super) struct ShardDeps {
    pub(super) index: usize,
    pub(super) node: Arc<str>,
    pub(super) workers: usize,
    pub(super) lanes: Arc<dyn LaneFactory>,
    pub(super) bell: Arc<Bell>,
    pub(super) board: Arc<Board>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) dice: Arc<Dice>,
    pub(super) drained: Recipient<PartitionDrained>,
    pub(super) refused: Recipient<AttachRefused>,
    /// Milliseconds since boot when its loop last turned.
    pub(super) pulse: Arc<AtomicU64>,
}

/// One arbiter's tenants.
pub struct Shard {
    pub(super) deps: ShardDeps,
    pub(super) rows: BTreeMap<TenantName, Row>,
    /// The rows of each partition.
    partitions: BTreeMap<u16, BTreeSet<TenantName>>,
    pool: Watched<WorkerPool>,
    lane: watch::Sender<Option<LaneTerm>>,
    lane_generation: Generation,
    /// Lanes that could not be opened, or broke at once, in a row.
    lane_failures: u32,
    lane_opened: Option<tokio::time::Instant>,
    /// Counts connections and streams, over all tenants: no two lives share a number.
    pub(super) generations: Generation,
    pub(super) starts: VecDeque<TenantName>,
    pub(super) starting: BTreeSet<TenantName>,
    pub(super) deadlines: Deadlines,
    /// Partitions that are to be given back, and their tenants that were not asked yet.
    pub(super) draining: BTreeMap<u16, VecDeque<TenantName>>,
    pub(super) timer: Option<(tokio::time::Instant, SpawnHandle)>,
}

impl Shard {
    pub(super) fn new(deps: ShardDeps, ctx: &mut Context<Self>) -> Self {
        let shard = ctx.address();
        let (workers, telemetry) = (deps.workers, Arc::clone(&deps.telemetry));
        let on_exit = move |exited: ChildExited<PoolId>| shard.do_send(exited);
        let pool = spawn_watched(PoolId, 0, on_exit, move |ctx| WorkerPool::new(workers, telemetry, ctx));
        Self {
            deps,
            rows: BTreeMap::new(),
            partitions: BTreeMap::new(),
            pool,
            lane: watch::Sender::new(None),
            lane_generation: 0,
            lane_failures: 0,
            lane_opened: None,
            generations: 0,
            starts: VecDeque::new(),
            starting: BTreeSet::new(),
            deadlines: Deadlines::default(),
            draining: BTreeMap::new(),
            timer: None,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.deps.clock.now()
    }

    // ===== lane =====

    fn open_lane(&mut self, pause: Duration, ctx: &mut Context<Self>) {
        self.lane_generation += 1;
        let generation = self.lane_generation;
        let (factory, shard) = (Arc::clone(&self.deps.lanes), ctx.address());
        let pause = jittered(pause, self.deps.dice.roll());
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let lane = contained("opening a connection", async move { factory.open().await }).await;
            shard.do_send(LaneOpened { generation, lane });
        });
    }

    fn open_lane_again(&mut self, ctx: &mut Context<Self>) {
        let pause = LANE_PAUSE * 2_u32.pow(self.lane_failures.min(4));
        self.lane_failures = self.lane_failures.saturating_add(1);
        self.open_lane(pause, ctx);
    }

    // ===== starting and stopping =====

    /// Something came for a tenant: tell its connection, or start one.
    pub(super) fn wake(&mut self, tenant: &TenantName, ctx: &mut Context<Self>) {
        let Some(row) = self.rows.get_mut(tenant) else { return };
        match &row.state {
            State::Starting(connection, _) | State::Live(connection) => {
                if !row.bell.swap(true, Ordering::AcqRel) {
                    connection.addr.do_send(Wake);
                }
            }
            State::Stopping(_) | State::BackingOff => row.rung = true,
            State::Quiet => {
                row.turn(State::Queued);
                self.starts.push_back(tenant.clone());
                self.start_some(ctx);
            }
            // Whoever starts reads the whole log; the next owner does; a parked one waits for an operator or its time.
            State::Queued | State::Draining(_) | State::Parked => {}
        }
    }

    pub(super) fn start_some(&mut self, ctx: &mut Context<Self>) {
        while self.starting.len() < STARTING_MAX {
            let Some(tenant) = self.starts.pop_front() else { return };
            let until = self.now().after(STARTING_FOR);
            let Some(row) = self.rows.get_mut(&tenant) else {
                continue;
            };
            if !matches!(row.state, State::Queued) {
                continue;
            }
            self.generations += 1;
            row.generation = self.generations;
            row.rung = false;
            row.idle_since = None;
            row.bell = Arc::new(AtomicBool::new(false));
            let deps = ConnectionDeps {
                spec: Arc::clone(&row.spec),
                generation: row.generation,
                node: Arc::clone(&self.deps.node),
                partition_epoch: row.epoch,
                lanes: self.lane.subscribe(),
                shard: ctx.address(),
                refused: self.deps.refused.clone(),
                pool: self.pool.addr.clone(),
                bell: Arc::clone(&row.bell),
                slot: Arc::clone(&row.slot),
                telemetry: Arc::clone(&self.deps.telemetry),
                clock: Arc::clone(&self.deps.clock),
                dice: Arc::clone(&self.deps.dice),
            };
            let shard = ctx.address();
            let on_exit = move |exited: ChildExited<TenantName>| shard.do_send(exited);
            let connection = spawn_watched(tenant.clone(), row.generation, on_exit, |_| Connection::new(deps));
            self.deadlines.set(row, None);
            row.turn(State::Starting(connection, until));
            self.starting.insert(tenant);
        }
    }

    pub(super) fn started(&mut self, tenant: &TenantName, ctx: &mut Context<Self>) {
        if self.starting.remove(tenant) {
            self.start_some(ctx);
        }
    }

    pub(super) fn drop_row(&mut self, tenant: &TenantName) {
        if let Some(mut row) = self.rows.remove(tenant) {
            self.deadlines.set(&mut row, None);
            if let Some(rest) = self.partitions.get_mut(&row.partition) {
                rest.remove(tenant);
                if rest.is_empty() {
                    self.partitions.remove(&row.partition);
                }
            }
            self.starting.remove(tenant);
            self.pool.addr.do_send(Gone {
                tenant: tenant.clone(),
                generation: row.generation,
            });
            row.slot.lock().state = crate::port::directory::TenantState::Elsewhere;
        }
    }

    /// Tells the node when a partition that drains has no tenant left.
    pub(super) fn check_drained(&mut self, partition: u16) {
        if !self.partitions.contains_key(&partition) && self.draining.remove(&partition).is_some() {
            self.deps.drained.do_send(PartitionDrained(partition));
        }
    }
}

impl Actor for Shard {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.pulse();
        self.open_lane(Duration::ZERO, ctx);
        self.arm(ctx);
    }
}

impl Handler<Assign> for Shard {
    type Result = ();
    fn handle(&mut self, assign: Assign, ctx: &mut Self::Context) {
        for spec in assign.tenants {
            let name = spec.name.clone();
            let slot = self.deps.board.slot(&name);
            {
                let mut posted = slot.lock();
                posted.partition_epoch = assign.epoch;
                posted.state = crate::port::directory::TenantState::Queued;
            }
            let row = Row {
                spec,
                partition: assign.partition,
                epoch: assign.epoch,
                state: State::Queued,
                generation: 0,
                bell: Arc::default(),
                rung: false,
                crashes: tandem_core::engine::supervise::Crashes::default(),
                told_due: Timestamp::ZERO,
                due: None,
                idle_since: None,
                stream: None,
                slot,
            };
            self.rows.insert(name.clone(), row);
            self.partitions
                .entry(assign.partition)
                .or_default()
                .insert(name.clone());
            self.starts.push_back(name);
        }
        self.start_some(ctx);
    }
}

impl Handler<Revoke> for Shard {
    type Result = ();
    fn handle(&mut self, Revoke(partition): Revoke, ctx: &mut Self::Context) {
        self.draining.remove(&partition);
        for tenant in self.partitions.get(&partition).cloned().unwrap_or_default() {
            self.drop_row(&tenant);
        }
        self.start_some(ctx);
    }
}

impl Handler<DrainPartition> for Shard {
    type Result = ();
    fn handle(&mut self, DrainPartition(partition): DrainPartition, ctx: &mut Self::Context) {
        let all = self.partitions.get(&partition).into_iter().flatten().cloned().collect();
        self.draining.insert(partition, all);
        self.ask_drains(ctx);
        self.arm(ctx);
    }
}

impl Handler<Rung> for Shard {
    type Result = ();
    fn handle(&mut self, _: Rung, ctx: &mut Self::Context) {
        for tenant in self.deps.bell.take() {
            self.wake(&tenant, ctx);
        }
    }
}

impl Handler<Report> for Shard {
    type Result = ();
    fn handle(&mut self, report: Report, ctx: &mut Self::Context) {
        let now = self.now();
        let Some(row) = self.rows.get_mut(&report.tenant) else {
            return;
        };
        if !row.is_current(report.generation) {
            return;
        }
        row.idle_since = report.idle.then(|| row.idle_since.unwrap_or(now));
        let passivate = row.idle_since.map(|since| since.after(PASSIVATE_AFTER));
        let wake_at = report.wake_at.map(|at| at.max(row.told_due.after(DUE_SPACING)));
        let at = [wake_at, passivate].into_iter().flatten().min();
        self.deadlines.set(row, at);
        if report.started && matches!(row.state, State::Starting(..)) {
            let State::Starting(connection, _) = row.turn(State::Queued) else {
                return;
            };
            row.turn(State::Live(connection));
        }
        if report.started {
            self.started(&report.tenant, ctx);
        }
        self.arm(ctx);
    }
}

impl Handler<Busy> for Shard {
    type Result = ();
    fn handle(&mut self, busy: Busy, ctx: &mut Self::Context) {
        let Some(row) = self.rows.get_mut(&busy.tenant) else {
            return;
        };
        if !row.is_current(busy.generation) || !matches!(row.state, State::Stopping(_)) {
            return;
        }
        let State::Stopping(connection) = row.turn(State::Queued) else {
            return;
        };
        row.turn(State::Live(connection));
        row.idle_since = None;
        if std::mem::take(&mut row.rung) {
            self.wake(&busy.tenant, ctx);
        } else if let State::Live(connection) = &row.state {
            // Its deadline was used up: let it report anew.
            connection.addr.do_send(Due);
        }
    }
}

impl Handler<ChildExited<TenantName>> for Shard {
    type Result = ();
    fn handle(&mut self, exited: ChildExited<TenantName>, ctx: &mut Self::Context) {
        let (now, dice) = (self.now(), self.deps.dice.roll());
        let tenant = exited.id;
        let Some(row) = self.rows.get_mut(&tenant) else { return };
        if !row.is_current(exited.generation) {
            return;
        }
        self.pool.addr.do_send(Gone {
            tenant: tenant.clone(),
            generation: exited.generation,
        });
        if let Some(stream) = &mut row.stream {
            stream.unheard();
        }
        match (row.turn(State::Quiet), &exited.exit) {
            (State::Draining(_), _) => {
                let partition = row.partition;
                self.drop_row(&tenant);
                self.check_drained(partition);
            }
            (State::Stopping(_), Exit::Stopped) => {
                row.idle_since = None;
                let asked = row.slot.lock().snapshot.as_ref().is_some_and(|s| s.open_questions > 0);
                let at = asked.then(|| now.after(QUESTIONS_EVERY));
                self.deadlines.set(row, at);
                if std::mem::take(&mut row.rung) || row.stream.as_ref().is_some_and(super::stream::StreamSlot::has_news)
                {
                    self.wake(&tenant, ctx);
                }
            }
            (_, exit) => {
                let text = match exit {
                    Exit::Panicked(text) => text,
                    Exit::Stopped => "it stopped unasked",
                    Exit::Killed => "it was aborted",
                };
                self.deps.telemetry.panicked("connection", tenant.as_str(), text);
                let verdict = row.crashes.crashed(now, dice);
                {
                    let mut posted = row.slot.lock();
                    posted.crashes += 1;
                    posted.last_panic = Some(text.into());
                }
                let (state, at) = match verdict {
                    Verdict::Again(at) => (State::BackingOff, at),
                    Verdict::Park(at) => {
                        tracing::error!(%tenant, "crashed too often and is parked; look at its last panic");
                        row.stream = None;
                        (State::Parked, at)
                    }
                };
                row.turn(state);
                self.deadlines.set(row, Some(at));
            }
        }
        self.started(&tenant, ctx);
        self.arm(ctx);
    }
}

/// Names the pool as a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PoolId;

impl Handler<ChildExited<PoolId>> for Shard {
    type Result = ();
    fn handle(&mut self, exited: ChildExited<PoolId>, ctx: &mut Self::Context) {
        // Grants and batches under way are gone: the shard and all its tenants begin anew.
        if let Exit::Panicked(text) = &exited.exit {
            self.deps
                .telemetry
                .panicked("worker_pool", &self.deps.index.to_string(), text);
        }
        ctx.terminate();
    }
}

impl Handler<LaneOpened> for Shard {
    type Result = ();
    fn handle(&mut self, opened: LaneOpened, ctx: &mut Self::Context) {
        if opened.generation != self.lane_generation {
            return;
        }
        match opened.lane {
            Ok(lane) => {
                self.lane_opened = Some(tokio::time::Instant::now());
                self.lane.send_replace(Some(LaneTerm {
                    generation: opened.generation,
                    lane,
                }));
            }
            Err(error) => {
                tracing::warn!(shard = self.deps.index, %error, "no connection to Redis; trying again");
                self.open_lane_again(ctx);
            }
        }
    }
}

impl Handler<LaneBroken> for Shard {
    type Result = ();
    fn handle(&mut self, LaneBroken(generation): LaneBroken, ctx: &mut Self::Context) {
        if self.lane.borrow().as_ref().is_some_and(|l| l.generation == generation) {
            self.deps.telemetry.add(Metric::LaneBreaks, 1, &[]);
            tracing::warn!(
                shard = self.deps.index,
                "the connection to Redis broke; all tenants attach again"
            );
            self.lane.send_replace(None);
            if self.lane_opened.is_some_and(|at| at.elapsed() >= LANE_PROVEN) {
                self.lane_failures = 0;
            }
            self.open_lane_again(ctx);
        }
    }
}

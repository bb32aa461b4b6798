//! The shell round a tenant's machine: message → input → step → effects, in order.
//!
//! It decides nothing. It keeps what the machine must not know of: lives, tickets, the lane, futures. A life begins
//! with `Input::Start` on a live lane and ends with `Effect::Restart`; whatever was asked for in one life is dropped
//! in the next. If the actor panics, the shard builds a new one, and Redis tells it everything.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Recipient, SpawnHandle, WrapFuture,
};
use tandem_core::domain::ids::{Epoch, Fence};
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::tenant::{Effect, Input, Lost, Phase, Snapshot};
use tokio::sync::watch;

use super::clock::{Clock, Dice};
use super::messages::{
    Answered, AttachRefused, Busy, Due, Finish, Forwarded, Granted, LaneBroken, LaneTerm, Life, News, Passivate, Ran,
    Report, Return, StreamNews, Ticket, Wake,
};
use super::pool::WorkerPool;
use super::shard::Shard;
use super::tenant::{Slot, TenantSpec};
use super::watch::Generation;
use crate::port::store::StoreError;
use crate::telemetry::Telemetry;
use crate::telemetry::names::Metric;

/// Requests whose answers are awaited at once; further effects wait their turn. An actor polls all its futures on
/// every wake, and so many answers can be in its mailbox.
pub const OUTSTANDING_MAX: usize = 96;
/// Effects that wait because of `OUTSTANDING_MAX`; beyond it the machine is broken and begins anew.
pub const BACKLOG_MAX: usize = 4096;
/// Snapshots are posted at most this often; the last one always is.
pub const POST_EVERY: Duration = Duration::from_millis(200);
/// Pause before the forwarder is tried again.
const FORWARD_PAUSE: Duration = Duration::from_secs(2);

/// A tenant's machine, as its shell sees it.
pub trait Decider {
    /// Takes one input and says what to do. Total: it never fails.
    fn step(&mut self, now: Timestamp, dice: u64, input: Input, out: &mut Vec<Effect>);
    /// Where it stands. May cost time that grows with the tenant's table: asked for at most once in `POST_EVERY`.
    fn snapshot(&self) -> Snapshot;

    /// When it wants a tick. Asked for after each input: override it where a snapshot is dear.
    fn wake_at(&self) -> Option<Timestamp> {
        self.snapshot().wake_at
    }

    /// Where it stands, as one word. Asked for after each input, as `wake_at`.
    fn phase(&self) -> Phase {
        self.snapshot().phase
    }

    /// Whether anything is unsettled. A tenant without work becomes a row: what it would do at `wake_at` is then not
    /// worth a wake. Asked for after each input, as `wake_at`.
    fn has_work(&self) -> bool {
        let s = self.snapshot();
        let counts = [
            s.pending_records,
            s.pending_entries,
            s.in_flight,
            s.unknown,
            s.waiting_for_parent,
        ];
        s.phase != Phase::Live || !s.caught_up || counts.iter().any(|n| *n > 0)
    }
}

/// What a connection is built from.
pub struct ConnectionDeps {
    /// Whose.
    pub spec: Arc<TenantSpec>,
    /// Which connection of the tenant.
    pub generation: Generation,
    /// This node's name, for `attach`.
    pub node: Arc<str>,
    /// Epoch of the partition's lease.
    pub partition_epoch: Epoch,
    /// The shard's lane.
    pub lanes: watch::Receiver<Option<LaneTerm>>,
    /// Its parent.
    pub shard: Addr<Shard>,
    /// Who hears that the lease is too old.
    pub refused: Recipient<AttachRefused>,
    /// Where workers come from.
    pub pool: Addr<WorkerPool>,
    /// Set while a [`Wake`] is on its way.
    pub bell: Arc<AtomicBool>,
    /// Where it posts.
    pub slot: Arc<Slot>,
    /// Counts and logs.
    pub telemetry: Arc<Telemetry>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Random numbers.
    pub dice: Arc<Dice>,
}

/// How the forwarder stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forwarding {
    Idle,
    /// A run is under way; `again` when the outbox got more since.
    Running {
        again: bool,
    },
}

/// One live tenant.
pub struct Connection {
    pub(super) deps: ConnectionDeps,
    pub(super) life: Life,
    pub(super) lane: Option<LaneTerm>,
    pub(super) fence: Option<Fence>,
    pub(super) tickets: Vec<Ticket>,
    pub(super) outstanding: usize,
    pub(super) forwarding: Forwarding,
    pub(super) drained: bool,
    /// The logs' lengths are asked for: a check, no work. It comes more often than idle tenants become rows.
    pub(super) checking: bool,
    decider: Box<dyn Decider>,
    backlog: VecDeque<Effect>,
    /// Re-used between steps.
    effects: Vec<Effect>,
    reported: Option<Report>,
    /// When a snapshot was last posted, and of which phase.
    posted: Option<(Timestamp, Phase)>,
    /// Whether one will be posted by a timer.
    post_due: bool,
    /// Lanes before this one are known to be broken.
    lane_min: Generation,
    /// The future that waits for a lane, or for its end.
    waiting: Option<SpawnHandle>,
}

impl Connection {
    /// Builds the machine; nothing runs yet.
    pub fn new(deps: ConnectionDeps) -> Self {
        let decider = (deps.spec.decider)();
        Self {
            deps,
            life: 0,
            lane: None,
            fence: None,
            tickets: Vec::new(),
            outstanding: 0,
            forwarding: Forwarding::Idle,
            drained: false,
            checking: false,
            decider,
            backlog: VecDeque::new(),
            effects: Vec::new(),
            reported: None,
            posted: None,
            post_due: false,
            lane_min: 0,
            waiting: None,
        }
    }

    /// Begins a life after the pause, on the first lane that is not known to be broken.
    pub(super) fn begin_after(&mut self, pause: Duration, ctx: &mut Context<Self>) {
        let life = self.life;
        self.lane = None;
        let lane_min = self.lane_min;
        let mut lanes = self.deps.lanes.clone();
        let ready = async move {
            tokio::time::sleep(pause).await;
            let usable = |l: &Option<LaneTerm>| l.as_ref().is_some_and(|l| l.generation >= lane_min);
            lanes.wait_for(usable).await.ok().and_then(|lane| lane.clone())
        };
        let waiting = ctx.spawn(ready.into_actor(self).map(move |lane, this, ctx| {
            if this.life == life && lane.is_some() {
                this.lane = lane;
                this.watch_lane(ctx);
                this.feed(Input::Start, ctx);
            }
        }));
        self.wait_for(waiting, ctx);
    }

    /// Tells the machine when its lane is replaced, even if it asks for nothing: what Redis lost may be below its
    /// read cursor (log-road rule 2).
    fn watch_lane(&mut self, ctx: &mut Context<Self>) {
        let life = self.life;
        let mine = self.lane.as_ref().map(|l| l.generation);
        let mut lanes = self.deps.lanes.clone();
        let replaced = async move {
            // An error means that the shard is gone, and this actor with it.
            let _gone = lanes
                .wait_for(|l| l.as_ref().map(|l| l.generation) != mine)
                .await
                .is_err();
        };
        let waiting = ctx.spawn(replaced.into_actor(self).map(move |(), this, ctx| {
            if this.life == life {
                this.feed(Input::Lost(Lost::Broken), ctx);
            }
        }));
        self.wait_for(waiting, ctx);
    }

    /// One future at a time waits for the lane: those of earlier lives would pile up.
    fn wait_for(&mut self, waiting: SpawnHandle, ctx: &mut Context<Self>) {
        if let Some(old) = self.waiting.replace(waiting) {
            ctx.cancel_future(old);
        }
    }

    /// One input: one step, then its effects.
    pub(super) fn feed(&mut self, input: Input, ctx: &mut Context<Self>) {
        self.checking &= !matches!(input, Input::Lengths(_));
        if let Input::Attached(attached) = &input {
            self.fence = Some(attached.fence.clone());
            // Earlier owners may have left events in the outbox.
            self.forward(ctx);
        }
        let now = self.deps.clock.now();
        let mut effects = std::mem::take(&mut self.effects);
        self.decider.step(now, self.deps.dice.roll(), input, &mut effects);
        if effects.iter().any(|e| matches!(e, Effect::Restart { .. })) {
            self.backlog.clear();
        }
        self.backlog.extend(effects.drain(..));
        self.effects = effects;
        if self.backlog.len() > BACKLOG_MAX {
            tracing::error!(tenant = %self.deps.spec.name, "the tenant's machine wants too much at once; it begins anew");
            self.backlog.clear();
            self.lost(Lost::Unexpected, ctx);
        }
        self.carry_on(ctx);
        self.publish(now, ctx);
    }

    fn carry_on(&mut self, ctx: &mut Context<Self>) {
        while self.outstanding < OUTSTANDING_MAX {
            let Some(effect) = self.backlog.pop_front() else { return };
            self.carry_out(effect, ctx);
        }
    }

    /// Tells the machine, by a message, that its tenant is lost.
    pub(super) fn lost(&mut self, lost: Lost, ctx: &mut Context<Self>) {
        self.outstanding += 1;
        // One message an effect: bounded by the backlog.
        ctx.address().do_send(Answered {
            life: self.life,
            outcome: Err(lost),
        });
    }

    /// What was asked for in this life is void.
    pub(super) fn end_life(&mut self) {
        self.life += 1;
        self.outstanding = 0;
        self.checking = false;
        self.forwarding = Forwarding::Idle;
        self.fence = None;
        for ticket in std::mem::take(&mut self.tickets) {
            self.deps.pool.do_send(Return(ticket));
        }
        self.deps.pool.do_send(super::messages::Gone {
            tenant: self.deps.spec.name.clone(),
            generation: self.deps.generation,
        });
    }

    fn is_idle(&self) -> bool {
        !self.decider.has_work()
            && self.outstanding == usize::from(self.checking)
            && self.backlog.is_empty()
            && self.tickets.is_empty()
            && self.forwarding == Forwarding::Idle
    }

    fn post(&mut self, now: Timestamp) {
        let snapshot = self.decider.snapshot();
        self.posted = Some((now, snapshot.phase));
        self.deps.slot.lock().snapshot = Some(snapshot);
    }

    /// Posts a snapshot now or soon, and reports to the shard what it acts on.
    fn publish(&mut self, now: Timestamp, ctx: &mut Context<Self>) {
        let phase = self.decider.phase();
        if self
            .posted
            .is_none_or(|(at, of)| of != phase || now.since(at) >= POST_EVERY)
        {
            self.post(now);
        } else if !self.post_due {
            self.post_due = true;
            ctx.run_later(POST_EVERY, |this, _| {
                this.post_due = false;
                let now = this.deps.clock.now();
                this.post(now);
            });
        }
        let report = Report {
            tenant: self.deps.spec.name.clone(),
            generation: self.deps.generation,
            wake_at: self.decider.wake_at(),
            idle: self.is_idle(),
            started: !matches!(phase, Phase::Detached | Phase::Attaching | Phase::Rebuilding),
        };
        // A later time needs no word: the shard's tick finds out.
        let news = self.reported.as_ref().is_none_or(|old| {
            let sooner = match (report.wake_at, old.wake_at) {
                (Some(new), Some(old)) => new < old,
                (new, old) => new.is_some() && old.is_none(),
            };
            sooner || old.idle != report.idle || old.started != report.started
        });
        if news {
            self.reported = Some(report.clone());
            self.deps.shard.do_send(report);
        }
    }

    pub(super) fn stop_when_drained(&self, ctx: &mut Context<Self>) {
        if self.drained && self.forwarding == Forwarding::Idle {
            ctx.stop();
        }
    }

    /// Translates a store error; tells those whom it concerns.
    pub(super) fn lost_by(&mut self, error: &StoreError) -> Lost {
        match error {
            StoreError::Broken { .. } => {
                if let Some(lane) = &self.lane {
                    self.lane_min = lane.generation + 1;
                    self.deps.shard.do_send(LaneBroken(lane.generation));
                }
                Lost::Broken
            }
            StoreError::Fenced { .. } => Lost::Fenced,
            StoreError::OldPartitionEpoch { seen, .. } => Lost::OldPartition(*seen),
            StoreError::Full { .. } => Lost::Full,
            StoreError::Unexpected { .. } => Lost::Unexpected,
        }
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.begin_after(Duration::ZERO, ctx);
    }
}

impl Handler<Wake> for Connection {
    type Result = ();
    fn handle(&mut self, _: Wake, ctx: &mut Self::Context) {
        // First, so that a ring during the step is not lost.
        self.deps.bell.store(false, Ordering::Release);
        if self.lane.is_some() {
            self.feed(Input::Wake, ctx);
        }
    }
}

impl Handler<Due> for Connection {
    type Result = ();
    fn handle(&mut self, _: Due, ctx: &mut Self::Context) {
        // The shard has forgotten the time that it was told: tell it anew.
        self.reported = None;
        let now = self.deps.clock.now();
        if self.lane.is_some() && self.decider.wake_at().is_some_and(|at| at <= now) {
            self.feed(Input::Tick, ctx);
        } else {
            self.publish(now, ctx);
        }
    }
}

impl Handler<Finish> for Connection {
    type Result = ();
    fn handle(&mut self, _: Finish, ctx: &mut Self::Context) {
        self.feed(Input::Drain, ctx);
    }
}

impl Handler<Passivate> for Connection {
    type Result = ();
    fn handle(&mut self, _: Passivate, ctx: &mut Self::Context) {
        if self.is_idle() {
            let now = self.deps.clock.now();
            self.post(now);
            ctx.stop();
        } else {
            let (tenant, generation) = (self.deps.spec.name.clone(), self.deps.generation);
            self.deps.shard.do_send(Busy { tenant, generation });
        }
    }
}

impl Handler<Answered> for Connection {
    type Result = ();
    fn handle(&mut self, message: Answered, ctx: &mut Self::Context) {
        if message.life != self.life {
            return;
        }
        self.outstanding = self.outstanding.saturating_sub(1);
        match message.outcome {
            Ok(Some(input)) => self.feed(input, ctx),
            Ok(None) => self.settle_down(ctx),
            Err(lost) => self.feed(Input::Lost(lost), ctx),
        }
    }
}

impl Connection {
    /// Something ended that the machine need not know of.
    fn settle_down(&mut self, ctx: &mut Context<Self>) {
        self.carry_on(ctx);
        let now = self.deps.clock.now();
        self.publish(now, ctx);
        self.stop_when_drained(ctx);
    }
}

impl Handler<Forwarded> for Connection {
    type Result = ();
    fn handle(&mut self, message: Forwarded, ctx: &mut Self::Context) {
        if let Ok(events) = &message.outcome {
            self.deps.telemetry.add(Metric::FeedForwarded, *events, &[]);
        }
        if message.life != self.life {
            return;
        }
        let again = self.forwarding == Forwarding::Running { again: true };
        self.forwarding = Forwarding::Idle;
        match message.outcome {
            Ok(_) if again => self.forward(ctx),
            Ok(_) => {}
            Err(error) => {
                self.deps.telemetry.add(Metric::FeedFailures, 1, &[]);
                tracing::warn!(tenant = %self.deps.spec.name, %error, "events were not forwarded; tried again");
                if matches!(error, StoreError::Broken { .. } | StoreError::Fenced { .. }) {
                    let lost = self.lost_by(&error);
                    return self.feed(Input::Lost(lost), ctx);
                }
                let life = self.life;
                self.forwarding = Forwarding::Running { again: false };
                ctx.run_later(FORWARD_PAUSE, move |this, ctx| {
                    if this.life == life {
                        this.forwarding = Forwarding::Idle;
                        this.forward(ctx);
                    }
                });
            }
        }
        self.settle_down(ctx);
    }
}

impl Handler<StreamNews> for Connection {
    type Result = ();
    fn handle(&mut self, message: StreamNews, ctx: &mut Self::Context) {
        if message.life == self.life {
            match message.news {
                News::Batch(batch) => self.feed(Input::Events(batch), ctx),
                News::CursorLost => self.feed(Input::CursorLost, ctx),
            }
        }
    }
}

impl Handler<Granted> for Connection {
    type Result = ();
    fn handle(&mut self, message: Granted, ctx: &mut Self::Context) {
        if message.life == self.life {
            self.tickets.push(message.ticket);
            self.feed(Input::Granted, ctx);
        } else {
            self.deps.pool.do_send(Return(message.ticket));
        }
    }
}

impl Handler<Ran> for Connection {
    type Result = ();
    fn handle(&mut self, message: Ran, ctx: &mut Self::Context) {
        if message.life == self.life {
            self.feed(
                Input::Answered {
                    batch: message.batch,
                    answer: message.answer,
                },
                ctx,
            );
        }
    }
}

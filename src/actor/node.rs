//! The root: membership, partition leases, the doorbell, drain.
//!
//! It carries out what `engine::lease` orders. It is not started again: a panic here means that nobody knows any more
//! which leases are held, so the process ends and its leases lapse.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use tandem_core::domain::ids::{Epoch, TenantName};
use tandem_core::engine::lease::{Leases, Order, Tried};
use tandem_core::engine::placement::Members;
use tandem_core::engine::supervise::Crashes;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::contain::contained;
use super::directory::Board;
use super::doorbell::{self, Bells};
use super::messages::{AttachRefused, DrainPartition, PartitionDrained, Revoke};
use super::seats::Seat;
use super::start::{NodeDeps, Stage};
use super::tenant::TenantSpec;
use crate::port::cluster::{LeaseAnswer, Member};
use crate::port::store::StoreError;
use crate::telemetry::names::Metric;

/// How often leases are looked at.
const TICK: Duration = Duration::from_millis(500);
/// How often the node says that it lives.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(2);
/// Tenants that one request registers.
const REGISTER_AT_ONCE: usize = 1_000;

/// The process's root actor.
pub(super) struct Node {
    pub(super) deps: NodeDeps,
    pub(super) partitions: BTreeMap<u16, Vec<Arc<TenantSpec>>>,
    pub(super) bells: Arc<Bells>,
    pub(super) board: Arc<Board>,
    members: Members,
    leases: Leases,
    pub(super) seats: Vec<Seat>,
    /// What shards have been given, and whether it is to be given back.
    pub(super) given: BTreeMap<u16, (Epoch, bool)>,
    beating: bool,
    beat_at: Duration,
    registered: bool,
    draining: bool,
    stage: watch::Sender<Stage>,
    /// Doorbell, sweep and hints.
    tasks: Vec<JoinHandle<()>>,
    pulse: Arc<AtomicU64>,
}

impl Node {
    pub(super) fn new(deps: NodeDeps, board: Arc<Board>, stage: watch::Sender<Stage>) -> Self {
        let mut partitions: BTreeMap<u16, Vec<_>> = BTreeMap::new();
        for spec in &deps.tenants {
            partitions.entry(spec.partition()).or_default().push(Arc::clone(spec));
        }
        let wanted: BTreeSet<u16> = partitions.keys().copied().collect();
        let seats = deps
            .places
            .iter()
            .map(|place| Seat {
                place: place.clone(),
                shard: None,
                generation: 0,
                crashes: Crashes::default(),
            })
            .collect::<Vec<_>>();
        Self {
            members: Members::new(&*deps.node),
            leases: Leases::new(deps.rules, &wanted),
            bells: Arc::new(Bells::new(seats.len())),
            pulse: board.pulse(0),
            partitions,
            board,
            seats,
            given: BTreeMap::new(),
            beating: false,
            beat_at: Duration::ZERO,
            registered: false,
            draining: false,
            stage,
            tasks: Vec::new(),
            deps,
        }
    }

    fn now(&self) -> Duration {
        self.deps.clock.since_boot()
    }

    /// Runs a request on the io runtime; its answer comes back as one message.
    fn ask<T: Send + 'static>(
        &self,
        ctx: &Context<Self>,
        request: crate::port::Answer<T, StoreError>,
        answer: impl FnOnce(Result<T, StoreError>) -> Heard + Send + 'static,
    ) {
        let node = ctx.address();
        tokio::spawn(async move {
            // One answer a request; the rules of leases and heartbeats bound requests.
            node.do_send(answer(contained("a request of the node", request).await));
        });
    }

    // ===== leases =====

    fn carry_out(&mut self, orders: Vec<Order>, ctx: &Context<Self>) {
        for order in orders {
            match order {
                Order::Acquire { partition, above, sent } => {
                    let ttl = self.deps.rules.ttl;
                    let request = self
                        .deps
                        .cluster
                        .acquire(partition, &self.deps.node, &self.deps.nonce, ttl, above);
                    self.ask(ctx, request, move |answer| Heard::Acquired {
                        partition,
                        sent,
                        answer,
                    });
                }
                Order::Renew { leases, sent } => {
                    let ttl = self.deps.rules.ttl;
                    let request = self.deps.cluster.renew(&self.deps.node, &self.deps.nonce, ttl, leases);
                    self.ask(ctx, request, move |answer| Heard::Renewed { sent, answer });
                }
                Order::Release { partition, epoch, next } => {
                    self.given.remove(&partition);
                    let request = self.deps.cluster.release(partition, &self.deps.nonce, epoch, &next);
                    self.ask(ctx, request, move |answer| Heard::Released { partition, answer });
                }
                Order::Gained { partition, epoch } => {
                    self.given.insert(partition, (epoch, false));
                    self.here(partition, true);
                    self.assign(partition, epoch);
                }
                Order::Revoke(partition) => {
                    let given_back = self.given.remove(&partition).is_some_and(|(_, draining)| draining);
                    self.here(partition, false);
                    if let Some(shard) = self.shard_of(partition) {
                        shard.addr.do_send(Revoke(partition));
                    }
                    if !given_back {
                        self.deps.telemetry.add(Metric::LeasesLost, 1, &[]);
                        tracing::warn!(partition, "a partition lease was lost; its tenants are dropped");
                    }
                }
                Order::Drain(partition) => {
                    if let Some((_, draining)) = self.given.get_mut(&partition) {
                        *draining = true;
                    }
                    self.here(partition, false);
                    match self.shard_of(partition) {
                        Some(shard) => shard.addr.do_send(DrainPartition(partition)),
                        // No shard, no tenants.
                        None => ctx.address().do_send(PartitionDrained(partition)),
                    }
                }
            }
        }
        self.post();
    }

    fn here(&self, partition: u16, come: bool) {
        let tenants = self.partitions.get(&partition).into_iter().flatten();
        self.bells.here(|here| {
            for spec in tenants {
                if come {
                    here.insert(spec.name.clone());
                } else {
                    here.remove(&spec.name);
                }
            }
        });
    }

    fn post(&mut self) {
        let settled = self.leases.is_settled(&self.members, &self.deps.node);
        self.board.leases(self.leases.held().count(), settled, self.draining);
        if self.draining && self.leases.is_empty() {
            self.stage.send_if_modified(|stage| {
                let first = *stage != Stage::Stopped;
                *stage = Stage::Stopped;
                first
            });
        }
    }

    fn tick(&mut self, ctx: &Context<Self>) {
        let now = self.now();
        self.pulse
            .store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if !self.beating && now >= self.beat_at && !self.draining {
            self.beating = true;
            self.beat_at = now + HEARTBEAT_EVERY;
            let request = self.deps.cluster.heartbeat(&self.deps.node);
            self.ask(ctx, request, Heard::Heartbeat);
        }
        self.keep_listening();
        let mut orders = Vec::new();
        self.leases
            .tick(now, self.deps.dice.roll(), &self.members, &self.deps.node, &mut orders);
        self.carry_out(orders, ctx);
    }

    /// Starts what finds appends; and again, should any of it have panicked.
    fn keep_listening(&mut self) {
        if self.tasks.iter().any(JoinHandle::is_finished) {
            self.deps
                .telemetry
                .panicked("doorbell", &self.deps.node, "see the line before");
            self.tasks.drain(..).for_each(|task| task.abort());
        }
        if self.tasks.is_empty() {
            let cluster = || Arc::clone(&self.deps.cluster);
            let bells = || Arc::clone(&self.bells);
            self.tasks = vec![
                tokio::spawn(doorbell::listen(cluster(), bells(), Arc::clone(&self.deps.dice))),
                tokio::spawn(doorbell::sweep(cluster(), bells(), self.deps.sweep_interval)),
                tokio::spawn(doorbell::hints(cluster(), bells())),
            ];
        }
    }

    fn heard_heartbeat(&mut self, answer: Result<Vec<Member>, StoreError>, ctx: &Context<Self>) {
        self.beating = false;
        match answer {
            Ok(list) => {
                let now = self.now();
                self.members.seen(now, list.iter().map(|m| (m.node.as_str(), m.age)));
                self.board.redis_answered(self.members.alive().count());
                if !self.registered {
                    self.registered = true;
                    let names: Vec<TenantName> = self.deps.tenants.iter().map(|t| t.name.clone()).collect();
                    for some in names.chunks(REGISTER_AT_ONCE) {
                        let request = self.deps.cluster.register(some.to_vec());
                        self.ask(ctx, request, Heard::Registered);
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "no heartbeat: Redis does not answer"),
        }
    }
}

impl Actor for Node {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        for index in 0..self.seats.len() {
            self.start_shard(index, ctx);
        }
        self.tick(ctx);
        ctx.run_interval(TICK, |this, ctx| this.tick(ctx));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Answers of Redis. One for each request.
#[derive(Debug, Message)]
#[rtype(result = "()")]
enum Heard {
    Heartbeat(Result<Vec<Member>, StoreError>),
    Registered(Result<(), StoreError>),
    Left(Result<(), StoreError>),
    Acquired {
        partition: u16,
        sent: Duration,
        answer: Result<LeaseAnswer, StoreError>,
    },
    Renewed {
        sent: Duration,
        answer: Result<Vec<bool>, StoreError>,
    },
    Released {
        partition: u16,
        answer: Result<(), StoreError>,
    },
}

impl Handler<Heard> for Node {
    type Result = ();
    fn handle(&mut self, heard: Heard, ctx: &mut Self::Context) {
        let (now, dice) = (self.now(), self.deps.dice.roll());
        let mut orders = Vec::new();
        match heard {
            Heard::Heartbeat(answer) => self.heard_heartbeat(answer, ctx),
            Heard::Registered(answer) => {
                if let Err(error) = answer {
                    self.registered = false;
                    tracing::warn!(%error, "tenants were not registered; tried again with the next heartbeat");
                }
            }
            Heard::Left(answer) => {
                if let Err(error) = answer {
                    tracing::info!(%error, "this node's heartbeat was not taken off; it ages out");
                }
            }
            Heard::Acquired {
                partition,
                sent,
                answer,
            } => {
                let tried = match answer {
                    Ok(LeaseAnswer::Held(lease)) => Tried::Held(lease.epoch),
                    Ok(LeaseAnswer::Taken { left, .. }) => Tried::Taken(left),
                    Err(error) => {
                        tracing::warn!(partition, %error, "a partition lease could not be asked for");
                        Tried::Failed
                    }
                };
                self.leases.acquired(now, dice, (partition, sent), tried, &mut orders);
                if self.leases.has_room() {
                    // All partitions are asked for as fast as Redis answers, not a handful a tick.
                    self.leases
                        .tick(now, self.deps.dice.roll(), &self.members, &self.deps.node, &mut orders);
                }
            }
            Heard::Renewed { sent, answer } => {
                if let Err(error) = &answer {
                    tracing::warn!(%error, "leases were not renewed; tried again until they are no longer trusted");
                }
                self.leases
                    .renewed(now, dice, sent, answer.ok().as_deref(), &mut orders);
            }
            Heard::Released { partition, answer } => {
                if let Err(error) = answer {
                    tracing::warn!(partition, %error, "a lease was not given back; it lapses by itself");
                }
                self.leases.released(now, partition);
            }
        }
        self.carry_out(orders, ctx);
    }
}

impl Handler<PartitionDrained> for Node {
    type Result = ();
    fn handle(&mut self, PartitionDrained(partition): PartitionDrained, ctx: &mut Self::Context) {
        let mut orders = Vec::new();
        self.leases
            .drained(self.now(), &self.members, &self.deps.node, partition, &mut orders);
        self.carry_out(orders, ctx);
    }
}

impl Handler<AttachRefused> for Node {
    type Result = ();
    fn handle(&mut self, refused: AttachRefused, ctx: &mut Self::Context) {
        let mut orders = Vec::new();
        self.leases
            .refused(self.now(), refused.partition, refused.seen, &mut orders);
        self.carry_out(orders, ctx);
    }
}

/// Stop claiming, finish, give everything back. From outside, once.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Drain;

impl Handler<Drain> for Node {
    type Result = ();
    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) {
        self.draining = true;
        self.leases.drain();
        self.stage.send_replace(Stage::Draining);
        // Now, so that the others reckon without this node when its leases come free.
        let request = self.deps.cluster.leave(&self.deps.node);
        self.ask(ctx, request, Heard::Left);
        self.tick(ctx);
    }
}

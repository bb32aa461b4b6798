//! The node's shards: starting them on their arbiters, and again when they die.

use std::sync::Arc;

use actix::{AsyncContext, Context, Handler, Message};
use tandem_core::domain::ids::Epoch;
use tandem_core::engine::supervise::{Crashes, Verdict};

use super::messages::{Assign, PartitionDrained};
use super::node::Node;
use super::shard::{Shard, ShardDeps};
use super::start::Place;
use super::watch::{ChildExited, Exit, Generation, Watched, spawn_watched};

/// A shard's place in the node.
pub(super) struct Seat {
    pub(super) place: Place,
    pub(super) shard: Option<Watched<Shard>>,
    pub(super) generation: Generation,
    pub(super) crashes: Crashes,
}

impl Node {
    pub(super) fn start_shard(&mut self, index: usize, ctx: &Context<Self>) {
        let (Some(seat), Some(bell)) = (self.seats.get_mut(index), self.bells.of_shard(index)) else {
            return;
        };
        seat.generation += 1;
        let generation = seat.generation;
        let node = ctx.address();
        let deps = ShardDeps {
            index,
            node: Arc::clone(&self.deps.node),
            workers: self.deps.workers,
            lanes: Arc::clone(&self.deps.lanes),
            bell: Arc::clone(bell),
            board: Arc::clone(&self.board),
            telemetry: Arc::clone(&self.deps.telemetry),
            clock: Arc::clone(&self.deps.clock),
            dice: Arc::clone(&self.deps.dice),
            drained: node.clone().recipient(),
            refused: node.clone().recipient(),
            pulse: self.board.pulse(index + 1),
        };
        let start = move || {
            let parent = node.clone();
            let on_exit = move |exited: ChildExited<usize>| parent.do_send(exited);
            let shard = spawn_watched(index, generation, on_exit, |ctx| Shard::new(deps, ctx));
            node.do_send(ShardStarted { index, shard });
        };
        match &seat.place {
            Place::Here => start(),
            Place::Arbiter(arbiter) => {
                if !arbiter.spawn_fn(start) {
                    self.deps.fatal.call("an arbiter's thread has died");
                }
            }
        }
    }

    pub(super) fn shard_of(&self, partition: u16) -> Option<&Watched<Shard>> {
        self.seats
            .get(self.bells.shard_of(partition))
            .and_then(|seat| seat.shard.as_ref())
    }

    pub(super) fn assign(&self, partition: u16, epoch: Epoch) {
        if let (Some(shard), Some(tenants)) = (self.shard_of(partition), self.partitions.get(&partition)) {
            shard.addr.do_send(Assign {
                partition,
                epoch,
                tenants: tenants.clone(),
            });
        }
    }
}

/// A shard has begun. From the shard's arbiter, once a start.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct ShardStarted {
    index: usize,
    shard: Watched<Shard>,
}

impl Handler<ShardStarted> for Node {
    type Result = ();
    fn handle(&mut self, started: ShardStarted, _: &mut Self::Context) {
        let index = started.index;
        if let Some(bell) = self.bells.of_shard(index) {
            bell.answer_to(started.shard.addr.clone().recipient());
        }
        let Some(seat) = self.seats.get_mut(index) else { return };
        seat.shard = Some(started.shard);
        let mine: Vec<_> = self
            .given
            .iter()
            .filter(|(p, _)| self.bells.shard_of(**p) == index)
            .map(|(p, g)| (*p, *g))
            .collect();
        for (partition, (epoch, draining)) in mine {
            if !draining {
                self.assign(partition, epoch);
            }
        }
    }
}

/// Time to start a shard again. Once a crash.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct StartShard(usize);

impl Handler<StartShard> for Node {
    type Result = ();
    fn handle(&mut self, StartShard(index): StartShard, ctx: &mut Self::Context) {
        self.start_shard(index, ctx);
    }
}

impl Handler<ChildExited<usize>> for Node {
    type Result = ();
    fn handle(&mut self, exited: ChildExited<usize>, ctx: &mut Self::Context) {
        let (now, dice) = (self.deps.clock.now(), self.deps.dice.roll());
        let Some(seat) = self.seats.get_mut(exited.id) else {
            return;
        };
        if seat.generation != exited.generation {
            return;
        }
        seat.shard = None;
        let text = match &exited.exit {
            Exit::Panicked(text) => text,
            Exit::Stopped => "it stopped because its worker pool died",
            Exit::Killed => "it was aborted",
        };
        self.deps.telemetry.panicked("shard", &exited.id.to_string(), text);
        match seat.crashes.crashed(now, dice) {
            Verdict::Again(at) => {
                let index = exited.id;
                ctx.run_later(at.since(now), move |_, ctx| ctx.address().do_send(StartShard(index)));
            }
            Verdict::Park(_) => self.deps.fatal.call("a shard crashed too often"),
        }
        // Tenants that were finishing died with it: their intents tell the next owner.
        let gone: Vec<u16> = self
            .given
            .iter()
            .filter(|(p, (_, draining))| *draining && self.bells.shard_of(**p) == exited.id)
            .map(|(p, _)| *p)
            .collect();
        for partition in gone {
            ctx.address().do_send(PartitionDrained(partition));
        }
    }
}

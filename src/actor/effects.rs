//! Carries out each effect of a tenant's machine: the only place where a connection meets the ports.
//!
//! A request to the store is queued on the lane when its effect is looked at, before the next effect is; only its
//! answer is awaited, by a task on the io runtime. A panic in there becomes an answer, not a dead actor.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use actix::{AsyncContext, Context};
use futures::FutureExt;
use tandem_core::engine::classify::{CallFault, Class};
use tandem_core::engine::tenant::{Effect, Input, Lost};

use super::connection::{Connection, Forwarding};
use super::contain::contained;
use super::messages::{Answered, AttachRefused, Forwarded, NextEvents, Return, Run, Subscribe, Want};
use crate::port::Answer;
use crate::port::store::{Lane, StoreError};
use crate::sink::feed;
use crate::telemetry::panics;

impl Connection {
    pub(super) fn carry_out(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        let tenant = self.deps.spec.name.clone();
        match effect {
            Effect::Attach => {
                let (node, epoch) = (Arc::clone(&self.deps.node), self.deps.partition_epoch);
                self.ask(
                    ctx,
                    |lane| lane.attach(&tenant, &node, epoch),
                    |a| Some(Input::Attached(a)),
                );
            }
            Effect::ReadLog { log, after, count } => {
                self.ask(
                    ctx,
                    |lane| lane.read_log(&tenant, log, after, count),
                    |c| Some(Input::Log(c)),
                );
            }
            Effect::ScanCompacted { cursor, count } => {
                self.ask(
                    ctx,
                    |lane| lane.scan_compacted(&tenant, cursor, count),
                    |p| Some(Input::Compacted(p)),
                );
            }
            Effect::Load { ticket, records, keys } => self.ask(
                ctx,
                |lane| lane.load(&tenant, records, keys),
                move |loaded| Some(Input::Loaded { ticket, loaded }),
            ),
            Effect::Resolve { ticket, ids } => self.ask(
                ctx,
                |lane| lane.resolve(&tenant, ids),
                move |keys| Some(Input::Resolved { ticket, keys }),
            ),
            Effect::Begin { fence, intent, done } => {
                let batch = intent.batch;
                self.ask(
                    ctx,
                    |lane| lane.begin(&tenant, &fence, intent, done),
                    move |()| Some(Input::Begun(batch)),
                );
            }
            Effect::Commit {
                ticket,
                fence,
                script,
                commit,
            } => self.ask(
                ctx,
                |lane| lane.commit(&tenant, &fence, script, commit),
                move |done| Some(Input::Committed { ticket, done }),
            ),
            Effect::Find { ticket, call } => self.read(ctx, ticket, self.deps.spec.org.find(call)),
            Effect::DueQuestions { before, count } => self.ask(
                ctx,
                |lane| lane.due_questions(&tenant, before, count),
                |keys| Some(Input::DueQuestions(keys)),
            ),
            Effect::Lengths => {
                self.checking = self.lane.is_some();
                self.ask(ctx, |lane| lane.lengths(&tenant), |l| Some(Input::Lengths(l)));
            }
            Effect::Backpressure { fence, level } => {
                self.ask(ctx, |lane| lane.set_backpressure(&tenant, &fence, level), |()| None);
            }
            Effect::WantWorker => self.deps.pool.do_send(Want {
                tenant,
                generation: self.deps.generation,
                life: self.life,
                to: ctx.address(),
            }),
            Effect::ReturnWorker => {
                if let Some(ticket) = self.tickets.pop() {
                    self.deps.pool.do_send(Return(ticket));
                }
            }
            Effect::Send { batch, call } => match self.tickets.pop() {
                Some(ticket) => {
                    let org = Arc::clone(&self.deps.spec.org);
                    self.deps.pool.do_send(Run {
                        ticket,
                        life: self.life,
                        batch,
                        org,
                        call,
                    });
                }
                None => {
                    tracing::error!(%tenant, "the tenant's machine sends without a grant; it begins anew");
                    self.lost(Lost::Unexpected, ctx);
                }
            },
            Effect::Read {
                ticket,
                sobject,
                ids,
                fields,
            } => {
                self.read(ctx, ticket, self.deps.spec.org.read(sobject, ids, fields));
            }
            Effect::Subscribe { after } => {
                let (generation, life) = (self.deps.generation, self.life);
                self.deps.shard.do_send(Subscribe {
                    tenant,
                    generation,
                    life,
                    after,
                });
            }
            Effect::NextEvents => {
                let (generation, life) = (self.deps.generation, self.life);
                self.deps.shard.do_send(NextEvents {
                    tenant,
                    generation,
                    life,
                });
            }
            Effect::Forward => self.forward(ctx),
            Effect::Restart { pause, reason } => {
                self.deps
                    .telemetry
                    .restarted(&tenant, reason, &mut self.deps.slot.lock().totals);
                if let Lost::OldPartition(seen) = reason {
                    let partition = self.deps.spec.partition();
                    self.deps.refused.do_send(AttachRefused { partition, seen });
                }
                self.end_life();
                self.begin_after(pause, ctx);
            }
            Effect::Drained => {
                self.drained = true;
                self.stop_when_drained(ctx);
            }
            Effect::Note(note) => {
                self.deps
                    .telemetry
                    .note(&tenant, &note, &mut self.deps.slot.lock().totals);
            }
        }
    }

    /// Runs the forwarder, or lets the run under way go round once more.
    pub(super) fn forward(&mut self, ctx: &mut Context<Self>) {
        let (Some(lane), Some(fence)) = (&self.lane, &self.fence) else {
            return;
        };
        if self.forwarding != Forwarding::Idle {
            self.forwarding = Forwarding::Running { again: true };
            return;
        }
        self.forwarding = Forwarding::Running { again: false };
        let run = feed::forward_all(Arc::clone(&lane.lane), self.deps.spec.name.clone(), fence.clone());
        let (to, life) = (ctx.address(), self.life);
        tokio::spawn(async move {
            let outcome = contained("forwarding events", run).await;
            to.do_send(Forwarded { life, outcome });
        });
    }

    fn ask<T: Send + 'static>(
        &mut self,
        ctx: &mut Context<Self>,
        request: impl FnOnce(&dyn Lane) -> Answer<T, StoreError>,
        input: impl FnOnce(T) -> Option<Input> + Send + 'static,
    ) {
        let Some(lane) = self.lane.clone() else {
            return self.lost(Lost::Broken, ctx);
        };
        self.outstanding += 1;
        let answer = request(lane.lane.as_ref());
        let (to, life) = (ctx.address(), self.life);
        tokio::spawn(async move {
            match contained("a request to Redis", answer).await {
                Ok(value) => to.do_send(Answered {
                    life,
                    outcome: Ok(input(value)),
                }),
                Err(error) => to.do_send(Failed { life, error }),
            }
        });
    }

    fn read(
        &mut self,
        ctx: &mut Context<Self>,
        ticket: u64,
        answer: Answer<Vec<crate::port::org::ReadRow>, CallFault>,
    ) {
        self.outstanding += 1;
        let (to, life) = (ctx.address(), self.life);
        tokio::spawn(async move {
            let rows = AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|payload| {
                Err(CallFault {
                    class: Class::Retry,
                    status: 0,
                    code: "PANIC".into(),
                    detail: panics::words(payload.as_ref()).to_owned(),
                    retry_after: None,
                })
            });
            to.do_send(Answered {
                life,
                outcome: Ok(Some(Input::Read { ticket, rows })),
            });
        });
    }
}

/// A request to the store failed. From an io task, instead of [`Answered`].
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub(super) struct Failed {
    life: super::messages::Life,
    error: StoreError,
}

impl actix::Handler<Failed> for Connection {
    type Result = ();
    fn handle(&mut self, message: Failed, ctx: &mut Self::Context) {
        if message.life != self.life {
            return;
        }
        self.outstanding = self.outstanding.saturating_sub(1);
        tracing::warn!(tenant = %self.deps.spec.name, error = %message.error, "a request to Redis failed");
        let lost = self.lost_by(&message.error);
        self.feed(Input::Lost(lost), ctx);
    }
}

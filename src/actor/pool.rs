//! Fair grants: a tenant asks first, and cuts its batch when a worker is its own.
//!
//! All soft state: when the pool dies its shard dies with it, and every tenant asks again.

use std::collections::BTreeMap;

use actix::{Actor, Addr, AsyncContext, Context, Handler};
use tandem_core::domain::ids::{BatchId, TenantName};
use tandem_core::engine::fair::Fair;
use tokio::time::Instant;

use super::connection::Connection;
use super::messages::{Done, Gone, Granted, Job, Life, Ran, Return, Run, Ticket, Want};
use super::watch::{ChildExited, Exit, Generation, Watched, spawn_watched};
use super::worker::{Worker, unknown};
use crate::telemetry::Telemetry;

/// Most workers an arbiter may have.
pub const WORKERS_MAX: usize = 32;

/// A batch under way.
struct Running {
    tenant: TenantName,
    to: Addr<Connection>,
    life: Life,
    batch: BatchId,
    since: Instant,
}

enum Seat {
    Free,
    /// Given to a tenant that has not sent its batch yet.
    Granted {
        number: u64,
        tenant: TenantName,
        generation: Generation,
        to: Addr<Connection>,
    },
    Running {
        number: u64,
        running: Running,
    },
}

/// Who waits, in the order of asking; each with its connection.
struct Asker {
    generation: Generation,
    to: Addr<Connection>,
    /// One for each worker wanted.
    lives: std::collections::VecDeque<Life>,
}

/// The pool of one arbiter.
pub struct WorkerPool {
    seats: Vec<(Seat, Watched<Worker>)>,
    fair: Fair,
    askers: BTreeMap<TenantName, Asker>,
    grants: u64,
    telemetry: std::sync::Arc<Telemetry>,
}

impl WorkerPool {
    /// Starts its workers: at least one, at most [`WORKERS_MAX`].
    pub fn new(workers: usize, telemetry: std::sync::Arc<Telemetry>, ctx: &mut Context<Self>) -> Self {
        let seats = (0..workers.clamp(1, WORKERS_MAX))
            .map(|at| (Seat::Free, spawn_worker(at, 0, ctx)))
            .collect();
        Self {
            seats,
            fair: Fair::default(),
            askers: BTreeMap::new(),
            grants: 0,
            telemetry,
        }
    }

    /// Gives free workers to those whose turn it is.
    fn grant(&mut self) {
        for (worker, (seat, _)) in self.seats.iter_mut().enumerate() {
            if !matches!(seat, Seat::Free) {
                continue;
            }
            let asked = loop {
                let Some(tenant) = self.fair.grant() else { return };
                let Some(asker) = self.askers.get_mut(&tenant) else {
                    continue;
                };
                let Some(life) = asker.lives.pop_front() else { continue };
                break (tenant, asker.generation, asker.to.clone(), life);
            };
            let (tenant, generation, to, life) = asked;
            if self.askers.get(&tenant).is_some_and(|a| a.lives.is_empty()) {
                self.askers.remove(&tenant);
            }
            self.grants += 1;
            let number = self.grants;
            // One for each Want.
            to.do_send(Granted {
                life,
                ticket: Ticket { worker, number },
            });
            *seat = Seat::Granted {
                number,
                tenant,
                generation,
                to,
            };
        }
    }

    fn free(&mut self, at: usize) {
        if let Some((seat, _)) = self.seats.get_mut(at) {
            *seat = Seat::Free;
        }
        self.grant();
    }

    fn end(&mut self, ticket: Ticket, answer: tandem_core::engine::call::WriteAnswer) {
        let Some((seat, _)) = self.seats.get_mut(ticket.worker) else {
            return;
        };
        match std::mem::replace(seat, Seat::Free) {
            Seat::Running { number, running } if number == ticket.number => {
                let millis = u64::try_from(running.since.elapsed().as_millis()).unwrap_or(u64::MAX);
                self.fair.charge(&running.tenant, millis);
                running.to.do_send(Ran {
                    life: running.life,
                    batch: running.batch,
                    answer,
                });
                self.grant();
            }
            other => *seat = other,
        }
    }
}

fn spawn_worker(at: usize, generation: Generation, ctx: &mut Context<WorkerPool>) -> Watched<Worker> {
    let pool = ctx.address();
    spawn_watched(at, generation, move |exited| pool.do_send(exited), |_| Worker)
}

impl Actor for WorkerPool {
    type Context = Context<Self>;
}

impl Handler<Want> for WorkerPool {
    type Result = ();
    fn handle(&mut self, want: Want, _: &mut Self::Context) {
        if self
            .askers
            .get(&want.tenant)
            .is_some_and(|a| a.generation != want.generation)
        {
            self.fair.forget(&want.tenant);
            self.askers.remove(&want.tenant);
        }
        if self.fair.want(&want.tenant) {
            let asker = self.askers.entry(want.tenant).or_insert_with(|| Asker {
                generation: want.generation,
                to: want.to,
                lives: std::collections::VecDeque::new(),
            });
            asker.lives.push_back(want.life);
            self.grant();
        } else {
            tracing::error!(tenant = %want.tenant, "a tenant asks for more workers than it may wait for; refused");
        }
    }
}

impl Handler<Return> for WorkerPool {
    type Result = ();
    fn handle(&mut self, Return(ticket): Return, _: &mut Self::Context) {
        let given = |seat: &Seat| matches!(seat, Seat::Granted { number, .. } if *number == ticket.number);
        if self.seats.get(ticket.worker).is_some_and(|(seat, _)| given(seat)) {
            self.free(ticket.worker);
        }
    }
}

impl Handler<Run> for WorkerPool {
    type Result = ();
    fn handle(&mut self, run: Run, ctx: &mut Self::Context) {
        let Some((seat, worker)) = self.seats.get_mut(run.ticket.worker) else {
            return;
        };
        match std::mem::replace(seat, Seat::Free) {
            Seat::Granted { number, tenant, to, .. } if number == run.ticket.number => {
                let since = Instant::now();
                *seat = Seat::Running {
                    number,
                    running: Running {
                        tenant,
                        to,
                        life: run.life,
                        batch: run.batch,
                        since,
                    },
                };
                let done = ctx.address().recipient();
                worker.addr.do_send(Job {
                    ticket: run.ticket,
                    org: run.org,
                    call: run.call,
                    done,
                });
            }
            // A grant that was void: the sender is gone or in another life, which knows the batch as unsent.
            other => *seat = other,
        }
    }
}

impl Handler<Done> for WorkerPool {
    type Result = ();
    fn handle(&mut self, done: Done, _: &mut Self::Context) {
        self.end(done.ticket, done.answer);
    }
}

impl Handler<Gone> for WorkerPool {
    type Result = ();
    fn handle(&mut self, gone: Gone, _: &mut Self::Context) {
        if self
            .askers
            .get(&gone.tenant)
            .is_some_and(|a| a.generation == gone.generation)
        {
            self.fair.forget(&gone.tenant);
            self.askers.remove(&gone.tenant);
        }
        for (seat, _) in &mut self.seats {
            if matches!(seat, Seat::Granted { tenant, generation, .. } if *tenant == gone.tenant && *generation == gone.generation)
            {
                *seat = Seat::Free;
            }
        }
        self.grant();
    }
}

impl Handler<ChildExited<usize>> for WorkerPool {
    type Result = ();
    fn handle(&mut self, exited: ChildExited<usize>, ctx: &mut Self::Context) {
        let Some((seat, worker)) = self.seats.get_mut(exited.id) else {
            return;
        };
        if worker.generation != exited.generation {
            return;
        }
        if let Exit::Panicked(text) = &exited.exit {
            self.telemetry.panicked("worker", &exited.id.to_string(), text);
        }
        *worker = spawn_worker(exited.id, exited.generation + 1, ctx);
        if let Seat::Running { number, .. } = seat {
            let ticket = Ticket {
                worker: exited.id,
                number: *number,
            };
            self.end(
                ticket,
                unknown("PANIC", "the worker died".to_owned(), std::time::Duration::ZERO),
            );
        }
    }
}

//! A shard's one timer: deadlines of all its tenants, starts that take too long, drains in slices.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::{AsyncContext, Context};
use tandem_core::domain::ids::TenantName;

use super::messages::{Due, Finish, Passivate};
use super::row::State;
use super::shard::{PASSIVATE_AFTER, Shard};
use crate::telemetry::names::Metric;

/// The timer runs at least this often.
const TICK_MAX: Duration = Duration::from_secs(1);
/// … and no more often than this.
const TICK_MIN: Duration = Duration::from_millis(2);
/// Tenants that one tick acts on; the rest comes with the next one.
const TENANTS_A_TICK: usize = 64;

impl Shard {
    /// Sees to it that the timer runs when the first tenant is due, and once in `TICK_MAX`.
    pub(super) fn arm(&mut self, ctx: &mut Context<Self>) {
        let more = self.draining.values().any(|asked| !asked.is_empty());
        let due = self.deadlines.first().map_or(TICK_MAX, |at| at.since(self.now()));
        let pause = if more { TICK_MIN } else { due.clamp(TICK_MIN, TICK_MAX) };
        let at = tokio::time::Instant::now() + pause;
        if let Some((armed, handle)) = self.timer {
            if armed <= at {
                return;
            }
            ctx.cancel_future(handle);
        }
        let handle = ctx.run_later(pause, move |this, ctx| {
            let lag = tokio::time::Instant::now().saturating_duration_since(at);
            this.deps.telemetry.record(Metric::ShardLag, lag.as_secs_f64(), &[]);
            this.timer = None;
            this.tick(ctx);
            this.arm(ctx);
        });
        self.timer = Some((at, handle));
    }

    pub(super) fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = self.now();
        self.pulse();
        for _ in 0..TENANTS_A_TICK {
            let Some(tenant) = self.deadlines.pop(now, &mut self.rows) else {
                break;
            };
            self.due(&tenant, ctx);
        }
        let late = |state: &State| matches!(state, State::Starting(_, until) if *until <= now);
        let slow: Vec<_> = self
            .starting
            .iter()
            .filter(|t| self.rows.get(*t).is_none_or(|r| late(&r.state)))
            .cloned()
            .collect();
        for tenant in slow {
            self.started(&tenant, ctx);
        }
        self.ask_drains(ctx);
    }

    pub(super) fn pulse(&self) {
        let ms = u64::try_from(self.deps.clock.since_boot().as_millis()).unwrap_or(u64::MAX);
        self.deps.pulse.store(ms, Ordering::Relaxed);
    }

    /// A tenant's time has come: its machine's, its pause's, or that of becoming quiet.
    fn due(&mut self, tenant: &TenantName, ctx: &mut Context<Self>) {
        let now = self.now();
        let Some(row) = self.rows.get_mut(tenant) else { return };
        match &row.state {
            State::Live(connection) if row.idle_since.is_some_and(|since| now.since(since) >= PASSIVATE_AFTER) => {
                connection.addr.do_send(Passivate);
                let State::Live(connection) = row.turn(State::Quiet) else {
                    return;
                };
                row.turn(State::Stopping(connection));
            }
            State::Starting(connection, _) | State::Live(connection) | State::Draining(connection) => {
                connection.addr.do_send(Due);
                row.told_due = now;
            }
            State::Quiet | State::BackingOff | State::Parked => {
                row.turn(State::Queued);
                self.starts.push_back(tenant.clone());
                self.start_some(ctx);
            }
            State::Stopping(_) | State::Queued => {}
        }
    }

    /// Asks the tenants of partitions that are given back to finish, some at a time.
    pub(super) fn ask_drains(&mut self, ctx: &mut Context<Self>) {
        let mut room = TENANTS_A_TICK;
        for partition in self.draining.keys().copied().collect::<Vec<_>>() {
            while room > 0 {
                let Some(tenant) = self.draining.get_mut(&partition).and_then(VecDeque::pop_front) else {
                    break;
                };
                room -= 1;
                let Some(row) = self.rows.get_mut(&tenant) else {
                    continue;
                };
                match row.turn(State::Quiet) {
                    State::Starting(c, _) | State::Live(c) | State::Stopping(c) | State::Draining(c) => {
                        c.addr.do_send(Finish);
                        row.turn(State::Draining(c));
                        self.started(&tenant, ctx);
                    }
                    State::Queued | State::Quiet | State::BackingOff | State::Parked => self.drop_row(&tenant),
                }
            }
            self.check_drained(partition);
        }
    }
}

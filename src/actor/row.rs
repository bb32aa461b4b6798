//! One tenant's row in its shard's table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tandem_core::domain::ids::{Epoch, TenantName};
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::supervise::Crashes;

use super::connection::Connection;
use super::stream::StreamSlot;
use super::tenant::{Slot, TenantSpec};
use super::watch::{Generation, Watched};
use crate::port::directory::TenantState;

/// Where a tenant's life stands. Those with a connection hold its life: dropping the row ends it.
#[derive(Debug)]
pub(super) enum State {
    /// Waits for its turn to start.
    Queued,
    /// Takes over; holds one of the shard's places for starting until then, or until the time.
    Starting(Watched<Connection>, Timestamp),
    /// Works.
    Live(Watched<Connection>),
    /// Was asked to stop because it has nothing to do.
    Stopping(Watched<Connection>),
    /// Was asked to finish.
    Draining(Watched<Connection>),
    /// No connection, nothing to do.
    Quiet,
    /// Crashed; started again when it is due.
    BackingOff,
    /// Crashed too often; tried once more when it is due.
    Parked,
}

impl State {
    pub(super) fn connection(&self) -> Option<&Watched<Connection>> {
        match self {
            Self::Starting(c, _) | Self::Live(c) | Self::Stopping(c) | Self::Draining(c) => Some(c),
            Self::Queued | Self::Quiet | Self::BackingOff | Self::Parked => None,
        }
    }

    pub(super) fn posted(&self) -> TenantState {
        match self {
            Self::Queued => TenantState::Queued,
            Self::Starting(..) => TenantState::Starting,
            Self::Live(_) | Self::Stopping(_) => TenantState::Live,
            Self::Draining(_) => TenantState::Draining,
            Self::Quiet => TenantState::Quiet,
            Self::BackingOff => TenantState::BackingOff,
            Self::Parked => TenantState::Parked,
        }
    }
}

pub(super) struct Row {
    pub(super) spec: Arc<TenantSpec>,
    pub(super) partition: u16,
    pub(super) epoch: Epoch,
    pub(super) state: State,
    /// Of the newest connection.
    pub(super) generation: Generation,
    /// Set while a Wake is on its way to the connection.
    pub(super) bell: Arc<AtomicBool>,
    /// Something came while it was stopping or starting again.
    pub(super) rung: bool,
    pub(super) crashes: Crashes,
    /// When it was last told that it is due.
    pub(super) told_due: Timestamp,
    /// When it is due: what stands in the heap.
    pub(super) due: Option<Timestamp>,
    pub(super) idle_since: Option<Timestamp>,
    pub(super) stream: Option<StreamSlot>,
    pub(super) slot: Arc<Slot>,
}

impl Row {
    /// Changes the state and posts it.
    pub(super) fn turn(&mut self, state: State) -> State {
        self.slot.lock().state = state.posted();
        std::mem::replace(&mut self.state, state)
    }

    /// Whether the message comes from the connection that lives now.
    pub(super) fn is_current(&self, generation: Generation) -> bool {
        self.state.connection().is_some_and(|c| c.generation == generation)
    }
}

/// When tenants are due: one entry each at most.
#[derive(Debug, Default)]
pub(super) struct Deadlines(BTreeSet<(Timestamp, TenantName)>);

impl Deadlines {
    /// Moves a tenant's entry.
    pub(super) fn set(&mut self, row: &mut Row, at: Option<Timestamp>) {
        let tenant = row.spec.name.clone();
        if let Some(old) = row.due {
            self.0.remove(&(old, tenant.clone()));
        }
        row.due = at;
        if let Some(at) = at {
            self.0.insert((at, tenant));
        }
    }

    /// The earliest.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes one that is due.
    pub(super) fn pop(&mut self, now: Timestamp, rows: &mut BTreeMap<TenantName, Row>) -> Option<TenantName> {
        let (at, _) = self.0.first()?;
        if *at > now {
            return None;
        }
        let (_, tenant) = self.0.pop_first()?;
        if let Some(row) = rows.get_mut(&tenant) {
            row.due = None;
        }
        Some(tenant)
    }
}

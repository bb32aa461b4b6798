//! What operators may ask of a running node, without meeting an actor.

use std::time::Duration;

use tandem_core::domain::ids::TenantName;
use tandem_core::engine::state::Lengths;
use tandem_core::engine::tenant::Snapshot;

use super::Answer;
use super::store::StoreError;
use crate::telemetry::events::Totals;

/// Where a tenant stands on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantState {
    /// Another node holds it, or nobody yet.
    #[default]
    Elsewhere,
    /// Waits for its turn to start.
    Queued,
    /// Takes over and reads its log.
    Starting,
    /// Works.
    Live,
    /// Nothing to do; wakes with the next change, event or due time.
    Quiet,
    /// Its connection crashed and is started again soon.
    BackingOff,
    /// Crashed too often: look at `last_panic`.
    Parked,
    /// Finishes before it is handed over.
    Draining,
}

impl TenantState {
    /// All states, for gauges.
    pub const ALL: [Self; 8] = [
        Self::Elsewhere,
        Self::Queued,
        Self::Starting,
        Self::Live,
        Self::Quiet,
        Self::BackingOff,
        Self::Parked,
        Self::Draining,
    ];

    /// The word in answers and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Elsewhere => "elsewhere",
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Live => "live",
            Self::Quiet => "quiet",
            Self::BackingOff => "backing_off",
            Self::Parked => "parked",
            Self::Draining => "draining",
        }
    }
}

/// A tenant as this node sees it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct TenantStatus {
    /// Its name.
    pub tenant: String,
    /// Where it stands.
    pub state: TenantState,
    /// The node that answers; it holds the tenant unless the state is `elsewhere`.
    pub node: String,
    /// Its partition.
    pub partition: u16,
    /// Epoch of the partition's lease.
    pub partition_epoch: u64,
    /// Age of the oldest unsent edit in milliseconds; nothing when all is sent.
    pub freshness_ms: Option<u64>,
    /// Panics since the process began.
    pub crashes: u64,
    /// What the last panic said.
    pub last_panic: Option<String>,
    /// The tenant machine's own account.
    pub machine: Option<Snapshot>,
    /// What was done since this process took it.
    pub totals: Totals,
}

/// Lengths of a tenant's keys in Redis.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct StoreView {
    /// Entries in the changes log.
    pub changes: u64,
    /// Entries in the backfill log.
    pub backfill: u64,
    /// Records with compacted folds.
    pub compacted: u64,
    /// Events not forwarded yet.
    pub outbox: u64,
}

impl From<Lengths> for StoreView {
    fn from(l: Lengths) -> Self {
        Self {
            changes: l.changes,
            backfill: l.backfill,
            compacted: l.compacted,
            outbox: l.outbox,
        }
    }
}

/// How the node itself is.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Health {
    /// The node's name.
    pub node: String,
    /// Since Redis answered; nothing when it never did.
    pub redis_silent_for: Option<Duration>,
    /// Since the slowest event loop turned.
    pub loop_silent_for: Duration,
    /// Leases held.
    pub leases: usize,
    /// Whether it holds every lease that it should.
    pub settled: bool,
    /// Whether it stops.
    pub draining: bool,
}

/// A running node, for the admin API.
pub trait Directory: Send + Sync {
    /// Up to `limit` tenants with names after `after`, in order of name.
    fn tenants(&self, after: Option<&str>, limit: usize) -> Vec<TenantStatus>;
    /// One tenant; nothing when it is not declared.
    fn tenant(&self, tenant: &TenantName) -> Option<TenantStatus>;
    /// What Redis holds of it.
    fn store_view(&self, tenant: &TenantName) -> Answer<StoreView, StoreError>;
    /// How the node is.
    fn health(&self) -> Health;
}

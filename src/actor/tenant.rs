//! A tenant as the actors are given it, and what they post about it for others to read.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tandem_core::domain::ids::{Epoch, TenantName};
use tandem_core::engine::place;
use tandem_core::engine::tenant::Snapshot;

use super::connection::Decider;
use crate::port::changes::ChangeFeed;
use crate::port::directory::TenantState;
use crate::port::org::Org;
use crate::telemetry::events::Totals;

/// Builds a tenant's machine; called once a life, on the tenant's arbiter.
pub type DeciderFactory = Arc<dyn Fn() -> Box<dyn Decider> + Send + Sync>;

/// A declared tenant.
pub struct TenantSpec {
    /// Its name.
    pub name: TenantName,
    /// Topic of its change stream.
    pub topic: Arc<str>,
    /// Its org.
    pub org: Arc<dyn Org>,
    /// Where its change events come from.
    pub changes: Arc<dyn ChangeFeed>,
    /// Its machine.
    pub decider: DeciderFactory,
}

impl TenantSpec {
    /// The partition that its lease is taken of.
    #[must_use]
    pub fn partition(&self) -> u16 {
        place::tenant_partition(&self.name)
    }
}

impl fmt::Debug for TenantSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantSpec({})", self.name)
    }
}

/// What is posted about a tenant.
#[derive(Debug, Clone, Default)]
pub struct Posted {
    /// Where its row stands.
    pub state: TenantState,
    /// Epoch of the partition lease it is worked under.
    pub partition_epoch: Epoch,
    /// The machine's own account; of the last life when none runs.
    pub snapshot: Option<Snapshot>,
    /// What it did since this process took it.
    pub totals: Totals,
    /// Panics of its connection.
    pub crashes: u64,
    /// What the last panic said.
    pub last_panic: Option<Arc<str>>,
}

/// A tenant's place on the board. Writers are the tenant's own actors; readers never meet an actor.
#[derive(Debug, Default)]
pub struct Slot(Mutex<Posted>);

impl Slot {
    /// Looks at it, or changes it. Nothing waits while it is held.
    pub fn lock(&self) -> MutexGuard<'_, Posted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

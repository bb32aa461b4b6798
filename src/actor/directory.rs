//! The board: what the actors post, and what operators and scrapes read from it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use opentelemetry::KeyValue;
use tandem_core::domain::ids::TenantName;
use tandem_core::engine::place;

use super::clock::Clock;
use super::start::LaneFactory;
use super::tenant::{Posted, Slot};
use crate::port::Answer;
use crate::port::directory::{Directory, Health, StoreView, TenantState, TenantStatus};
use crate::port::store::StoreError;
use crate::telemetry::names::Metric;
use crate::telemetry::{Gauges, Reading};

/// Tenants on the worst-of list.
pub const WORST: usize = 20;

/// Shared by all actors of the process; every tenant that is declared has its slot from the start.
pub struct Board {
    node: Arc<str>,
    tenants: RwLock<BTreeMap<TenantName, Arc<Slot>>>,
    clock: Arc<dyn Clock>,
    lanes: Arc<dyn LaneFactory>,
    /// Milliseconds since boot when each loop last turned: the node's first, then the shards'.
    pulses: Vec<Arc<AtomicU64>>,
    /// Milliseconds since boot plus one; 0: never.
    redis_ms: AtomicU64,
    leases: AtomicUsize,
    nodes: AtomicUsize,
    settled: AtomicBool,
    draining: AtomicBool,
}

impl Board {
    pub(super) fn new(
        node: Arc<str>,
        declared: impl Iterator<Item = TenantName>,
        shards: usize,
        clock: Arc<dyn Clock>,
        lanes: Arc<dyn LaneFactory>,
    ) -> Self {
        let now = u64::try_from(clock.since_boot().as_millis()).unwrap_or(u64::MAX);
        Self {
            node,
            tenants: RwLock::new(declared.map(|t| (t, Arc::default())).collect()),
            clock,
            lanes,
            pulses: (0..=shards).map(|_| Arc::new(AtomicU64::new(now))).collect(),
            redis_ms: AtomicU64::new(0),
            leases: AtomicUsize::new(0),
            nodes: AtomicUsize::new(0),
            settled: AtomicBool::new(false),
            draining: AtomicBool::new(false),
        }
    }

    /// The tenant's slot.
    pub(super) fn slot(&self, tenant: &TenantName) -> Arc<Slot> {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tenants.entry(tenant.clone()).or_default())
    }

    /// Where a loop posts that it turns; 0 is the node's.
    pub(super) fn pulse(&self, at: usize) -> Arc<AtomicU64> {
        self.pulses.get(at).map(Arc::clone).unwrap_or_default()
    }

    pub(super) fn redis_answered(&self, nodes: usize) {
        self.redis_ms.store(self.boot_ms().saturating_add(1), Ordering::Relaxed);
        self.nodes.store(nodes, Ordering::Relaxed);
    }

    pub(super) fn leases(&self, held: usize, settled: bool, draining: bool) {
        self.leases.store(held, Ordering::Relaxed);
        self.settled.store(settled, Ordering::Relaxed);
        self.draining.store(draining, Ordering::Relaxed);
    }

    fn boot_ms(&self) -> u64 {
        u64::try_from(self.clock.since_boot().as_millis()).unwrap_or(u64::MAX)
    }

    fn all(&self) -> Vec<(TenantName, Arc<Slot>)> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        tenants.iter().map(|(t, s)| (t.clone(), Arc::clone(s))).collect()
    }

    fn status(&self, tenant: &TenantName, posted: &Posted) -> TenantStatus {
        let now = self.clock.now().0;
        let here = posted.state != TenantState::Elsewhere;
        let machine = posted.snapshot.clone().filter(|_| here);
        TenantStatus {
            tenant: tenant.to_string(),
            state: posted.state,
            node: self.node.to_string(),
            partition: place::tenant_partition(tenant),
            partition_epoch: posted.partition_epoch.0,
            freshness_ms: machine
                .as_ref()
                .and_then(|m| m.oldest_ms)
                .map(|ms| now.saturating_sub(ms)),
            crashes: posted.crashes,
            last_panic: posted.last_panic.as_ref().map(ToString::to_string),
            machine,
            totals: posted.totals,
        }
    }
}

impl Directory for Board {
    fn tenants(&self, after: Option<&str>, limit: usize) -> Vec<TenantStatus> {
        let after = after.and_then(|t| TenantName::new(t).ok());
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let page: Vec<_> = {
            let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
            tenants
                .range((from, Bound::Unbounded))
                .take(limit)
                .map(|(t, s)| (t.clone(), Arc::clone(s)))
                .collect()
        };
        page.iter().map(|(t, slot)| self.status(t, &slot.lock())).collect()
    }

    fn tenant(&self, tenant: &TenantName) -> Option<TenantStatus> {
        let slot = {
            let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
            tenants.get(tenant).map(Arc::clone)
        };
        slot.map(|slot| self.status(tenant, &slot.lock()))
    }

    fn store_view(&self, tenant: &TenantName) -> Answer<StoreView, StoreError> {
        // A lane of its own: an operator's question never stands in a tenant's way.
        let (lane, tenant) = (self.lanes.open(), tenant.clone());
        Box::pin(async move { lane.await?.lengths(&tenant).await.map(StoreView::from) })
    }

    fn health(&self) -> Health {
        let now = self.boot_ms();
        let redis = self.redis_ms.load(Ordering::Relaxed);
        let slowest = self
            .pulses
            .iter()
            .map(|p| p.load(Ordering::Relaxed))
            .min()
            .unwrap_or(now);
        Health {
            node: self.node.to_string(),
            redis_silent_for: (redis > 0).then(|| Duration::from_millis(now.saturating_sub(redis - 1))),
            loop_silent_for: Duration::from_millis(now.saturating_sub(slowest)),
            leases: self.leases.load(Ordering::Relaxed),
            settled: self.settled.load(Ordering::Relaxed),
            draining: self.draining.load(Ordering::Relaxed),
        }
    }
}

impl Gauges for Board {
    fn read(&self) -> Vec<Reading> {
        let now = self.clock.now().0;
        let mut by_state: BTreeMap<TenantState, u32> = TenantState::ALL.iter().map(|s| (*s, 0)).collect();
        let mut sums = [0_usize; 4];
        let mut oldest: Vec<(u64, TenantName)> = Vec::new();
        for (tenant, slot) in self.all() {
            let posted = slot.lock();
            *by_state.entry(posted.state).or_default() += 1;
            let Some(machine) = posted
                .snapshot
                .as_ref()
                .filter(|_| posted.state != TenantState::Elsewhere)
            else {
                continue;
            };
            let parts = [
                machine.pending_records,
                machine.pending_entries,
                machine.in_flight,
                machine.unknown,
            ];
            for (sum, part) in sums.iter_mut().zip(parts) {
                *sum += part;
            }
            oldest.extend(machine.oldest_ms.map(|ms| (ms, tenant)));
        }
        oldest.sort_unstable();
        oldest.truncate(WORST);
        let health = self.health();
        let reading = |metric, labels, value| Reading { metric, labels, value };
        let plain = [
            (Metric::PendingRecords, count(sums[0])),
            (Metric::PendingEntries, count(sums[1])),
            (Metric::InFlight, count(sums[2])),
            (Metric::Unknown, count(sums[3])),
            (Metric::LeasesHeld, count(health.leases)),
            (Metric::NodesAlive, count(self.nodes.load(Ordering::Relaxed))),
        ];
        let silence = health
            .redis_silent_for
            .map(|s| reading(Metric::RedisSilence, Vec::new(), s.as_secs_f64()));
        let states = by_state
            .iter()
            .map(|(s, n)| reading(Metric::Tenants, vec![KeyValue::new("state", s.word())], f64::from(*n)));
        let worst = oldest.iter().map(|(ms, tenant)| {
            let age = Duration::from_millis(now.saturating_sub(*ms)).as_secs_f64();
            reading(
                Metric::OldestEdit,
                vec![KeyValue::new("tenant", tenant.to_string())],
                age,
            )
        });
        plain
            .into_iter()
            .map(|(m, v)| reading(m, Vec::new(), v))
            .chain(silence)
            .chain(states)
            .chain(worst)
            .collect()
    }
}

fn count(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::from(u32::MAX), f64::from)
}

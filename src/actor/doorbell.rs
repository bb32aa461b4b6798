//! How a tenant's append reaches its shard: notifications, hints and the sweep, all as one bit a tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::Recipient;
use tandem_core::domain::ids::TenantName;
use tandem_core::domain::stream::StreamId;
use tandem_core::engine::place;
use tandem_core::engine::supervise::jittered;
use tokio::sync::Notify;

use super::clock::Dice;
use super::messages::Rung;
use crate::port::cluster::{Cluster, Ends};

/// Tenants that one sweep request names.
const SWEEP_AT_ONCE: usize = 500;
/// How often producers' hints are collected.
const HINTS_EVERY: Duration = Duration::from_secs(1);
/// How many times rarer sweeps are while the doorbell tells of every append: 10,000 idle tenants then cost a few
/// hundred commands a second.
const RARER: u32 = 6;
/// Pause before the doorbell is opened again.
const REOPEN_AFTER: Duration = Duration::from_secs(2);

/// One shard's bits: which of its tenants have something to look at.
#[derive(Default)]
pub(super) struct Bell {
    rung: Mutex<BTreeSet<TenantName>>,
    shard: Mutex<Option<Recipient<Rung>>>,
}

impl Bell {
    /// Sets a tenant's bit; the first bit sends one message.
    pub(super) fn ring(&self, tenant: TenantName) {
        let first = {
            let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
            rung.insert(tenant);
            rung.len() == 1
        };
        if first {
            self.call();
        }
    }

    /// Takes all bits.
    pub(super) fn take(&self) -> BTreeSet<TenantName> {
        std::mem::take(&mut *self.rung.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The shard was started (again).
    pub(super) fn answer_to(&self, shard: Recipient<Rung>) {
        *self.shard.lock().unwrap_or_else(PoisonError::into_inner) = Some(shard);
        self.call();
    }

    fn call(&self) {
        if let Some(shard) = &*self.shard.lock().unwrap_or_else(PoisonError::into_inner) {
            shard.do_send(Rung);
        }
    }
}

/// The bells of all shards, and which tenants are here.
pub(super) struct Bells {
    bells: Vec<Arc<Bell>>,
    here: Mutex<BTreeSet<TenantName>>,
    /// Asks for a sweep now.
    sweep: Notify,
    /// Whom the doorbell told of since the last sweep; nothing while it is not open.
    heard: Mutex<Option<BTreeSet<TenantName>>>,
}

impl Bells {
    pub(super) fn new(shards: usize) -> Self {
        let bells = (0..shards.max(1)).map(|_| Arc::default()).collect();
        Self {
            bells,
            here: Mutex::default(),
            sweep: Notify::new(),
            heard: Mutex::default(),
        }
    }

    pub(super) fn of_shard(&self, shard: usize) -> Option<&Arc<Bell>> {
        self.bells.get(shard)
    }

    /// Tenants have come or gone.
    pub(super) fn here(&self, change: impl FnOnce(&mut BTreeSet<TenantName>)) {
        change(&mut self.here.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn list(&self) -> Vec<TenantName> {
        self.here
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    fn ring(&self, tenant: TenantName) {
        let partition = place::tenant_partition(&tenant);
        let here = self
            .here
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&tenant);
        if here && let Some(bell) = self.bells.get(usize::from(partition) % self.bells.len()) {
            bell.ring(tenant);
        }
    }

    /// Notes what the doorbell does.
    fn heard<T>(&self, note: impl FnOnce(&mut Option<BTreeSet<TenantName>>) -> T) -> T {
        note(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which shard has a partition's tenants.
    pub(super) fn shard_of(&self, partition: u16) -> usize {
        usize::from(partition) % self.bells.len()
    }
}

/// Listens to the doorbell for ever. After each (re)opening a sweep finds what was rung while nobody listened.
pub(super) async fn listen(cluster: Arc<dyn Cluster>, bells: Arc<Bells>, dice: Arc<Dice>) {
    loop {
        match cluster.doorbell().await {
            Ok(mut rings) => {
                bells.heard(|heard| *heard = Some(BTreeSet::new()));
                bells.sweep.notify_one();
                while let Some(name) = rings.recv().await {
                    if let Ok(tenant) = TenantName::new(&name) {
                        bells.heard(|heard| heard.as_mut().is_some_and(|h| h.insert(tenant.clone())));
                        bells.ring(tenant);
                    }
                }
                bells.heard(|heard| *heard = None);
                tracing::info!("the doorbell's connection ended; opening it again");
            }
            Err(error) => tracing::warn!(%error, "the doorbell could not be opened; the sweep finds appends meanwhile"),
        }
        tokio::time::sleep(jittered(REOPEN_AFTER, dice.roll())).await;
    }
}

/// Sweeps for ever: what appends nobody told of. Every `every`, and more rarely once the doorbell has told of appends
/// and of every one that a sweep found.
pub(super) async fn sweep(cluster: Arc<dyn Cluster>, bells: Arc<Bells>, every: Duration) {
    let mut known: BTreeMap<TenantName, Ends> = BTreeMap::new();
    let mut proven = false;
    loop {
        let pause = if proven { every * RARER } else { every };
        // The deadline is only there to end the wait.
        let _elapsed = tokio::time::timeout(pause, bells.sweep.notified()).await.is_err();
        let here = bells.list();
        // Taken first: what is rung for from now on counts for the next sweep, too.
        let heard = bells.heard(|heard| heard.as_mut().map(std::mem::take));
        let mut missed = false;
        let mut fresh = BTreeMap::new();
        for some in here.chunks(SWEEP_AT_ONCE) {
            let from: Vec<(TenantName, Ends)> = some
                .iter()
                .map(|tenant| {
                    (
                        tenant.clone(),
                        known.get(tenant).copied().unwrap_or([StreamId::ZERO; 2]),
                    )
                })
                .collect();
            match cluster.sweep(from.clone()).await {
                Ok(newer) => {
                    fresh.extend(from);
                    for (tenant, ends) in newer {
                        let first = !known.contains_key(&tenant);
                        missed |= !first && heard.as_ref().is_none_or(|h| !h.contains(&tenant));
                        fresh.insert(tenant.clone(), ends);
                        bells.ring(tenant);
                    }
                }
                // What is known is forgotten: the Redis that comes back may hold less than this one did.
                Err(error) => tracing::warn!(%error, "a sweep for new changes failed; the next one finds them"),
            }
        }
        known = fresh;
        let told = heard.as_ref().is_some_and(|h| !h.is_empty());
        proven = heard.is_some() && !missed && (proven || told);
    }
}

/// Collects producers' hints for ever.
pub(super) async fn hints(cluster: Arc<dyn Cluster>, bells: Arc<Bells>) {
    loop {
        tokio::time::sleep(HINTS_EVERY).await;
        if bells.list().is_empty() {
            continue;
        }
        match cluster.dirty().await {
            Ok(tenants) => tenants.into_iter().for_each(|t| bells.ring(t)),
            Err(error) => tracing::debug!(%error, "producers' hints could not be read"),
        }
    }
}

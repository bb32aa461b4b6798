//! Membership, partition leases and wake-ups: what nodes share.

use std::sync::Arc;
use std::time::Duration;

use tandem_core::domain::ids::{Epoch, TenantName};
use tandem_core::domain::stream::StreamId;

use super::Answer;
use super::store::StoreError;

/// A node that gave a heartbeat lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub node: String,
    /// How long ago, by the clock of Redis.
    pub age: Duration,
}

/// An acquired or renewed lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The partition's epoch.
    pub epoch: Epoch,
}

/// What trying for a lease came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// It is ours.
    Held(Lease),
    /// Another node holds it for this much longer.
    Taken {
        /// Who.
        holder: String,
        /// For how long.
        left: Duration,
    },
}

/// Newest ids of a tenant's logs, `changes` and `backfill`.
pub type Ends = [StreamId; 2];

/// Keys and scripts that belong to no tenant.
pub trait Cluster: Send + Sync {
    /// Says that this node lives, and lists all that do.
    fn heartbeat(&self, node: &str) -> Answer<Vec<Member>, StoreError>;
    /// Takes this node off the list.
    fn leave(&self, node: &str) -> Answer<(), StoreError>;
    /// Tries for a partition; `above` is the highest epoch that a refused attach named, or zero.
    fn acquire(
        &self,
        partition: u16,
        node: &str,
        nonce: &str,
        ttl: Duration,
        above: Epoch,
    ) -> Answer<LeaseAnswer, StoreError>;
    /// Renews leases in one pipeline; `false` where one was lost.
    fn renew(&self, node: &str, nonce: &str, ttl: Duration, leases: Vec<(u16, Epoch)>)
    -> Answer<Vec<bool>, StoreError>;
    /// Gives a lease back; `next` is a hint for whom.
    fn release(&self, partition: u16, nonce: &str, epoch: Epoch, next: &str) -> Answer<(), StoreError>;
    /// Tenants whose logs hold entries behind the given ends, with their ends now: the sweep that finds appends nobody
    /// told of. One command for a tenant where nothing happened.
    fn sweep(&self, known: Vec<(TenantName, Ends)>) -> Answer<Vec<(TenantName, Ends)>, StoreError>;
    /// Takes what producers put into `tandem:dirty:{i}`.
    fn dirty(&self) -> Answer<Vec<TenantName>, StoreError>;
    /// Opens the doorbell: names of tenants whose logs got entries. Ends when its connection breaks.
    fn doorbell(&self) -> Answer<tokio::sync::mpsc::Receiver<Arc<str>>, StoreError>;
    /// Registers tenants this configuration declares.
    fn register(&self, tenants: Vec<TenantName>) -> Answer<(), StoreError>;
}

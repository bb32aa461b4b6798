//! A tenant's state in Redis, as one FIFO lane of requests.
//!
//! Requests are queued in the order in which these functions are called (not in which their answers are awaited) and
//! run in that order on one connection. When that connection breaks, every answer outstanding and every later call on
//! the same [`Lane`] fails with [`StoreError::Broken`]: the owner attaches again and rebuilds (log-road rules 2 and 18).

use tandem_core::domain::change::IdempotencyKey;
use tandem_core::domain::event::Event;
use tandem_core::domain::ids::{Epoch, Fence, RecordKey, TenantName};
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::domain::stream::{Log, StreamId};
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::commit::{BatchIdList, Commit, Intent, LogChunk, Script};
pub use tandem_core::engine::state::{Attached, Committed, CompactedPage, Lengths, Loaded, LoadedRecord};

use super::Answer;

/// Why a request to the store failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The connection broke or timed out; whether the request ran is not known.
    #[error("Redis connection lost while {doing}: {detail}; the tenant is attached again")]
    Broken {
        /// Which request.
        doing: &'static str,
        /// The driver's words.
        detail: String,
    },
    /// Another owner holds the tenant, or Redis forgot what this owner did.
    #[error("tenant {tenant} was fenced off while {doing}: {reason}")]
    Fenced {
        /// Whose state.
        tenant: TenantName,
        /// Which request.
        doing: &'static str,
        /// `FENCED`, `REWOUND`, `NOBATCH`.
        reason: String,
    },
    /// `attach` came with an older partition epoch than the tenant has seen; re-acquire above this one.
    #[error("tenant {tenant} was attached under partition epoch {seen} before; this node's is older")]
    OldPartitionEpoch {
        /// Whose state.
        tenant: TenantName,
        /// The highest epoch seen.
        seen: Epoch,
    },
    /// Redis is full and this script grows its data.
    #[error("Redis is full: {doing} for tenant {tenant} was refused whole; free memory or raise maxmemory")]
    Full {
        /// Whose state.
        tenant: TenantName,
        /// Which request.
        doing: &'static str,
    },
    /// Redis answered something this version does not understand.
    #[error("unexpected answer from Redis while {doing}: {detail}")]
    Unexpected {
        /// Which request.
        doing: &'static str,
        /// What was wrong with it.
        detail: String,
    },
}

/// An outbox entry read back, ready to be forwarded.
#[derive(Debug, Clone)]
pub struct OutboxEntry {
    /// Its id in the outbox.
    pub id: StreamId,
    /// The event.
    pub event: Event,
}

/// One FIFO lane to Redis, shared by the tenants of a shard.
pub trait Lane: Send + Sync {
    /// Takes the tenant over: new epoch, step 0 of it.
    fn attach(&self, tenant: &TenantName, node: &str, partition_epoch: Epoch) -> Answer<Attached, StoreError>;

    /// Reads up to `count` entries after `after`.
    fn read_log(&self, tenant: &TenantName, log: Log, after: StreamId, count: usize) -> Answer<LogChunk, StoreError>;

    /// Names the records that have compacted folds, a page at a time.
    fn scan_compacted(&self, tenant: &TenantName, cursor: u64, count: usize) -> Answer<CompactedPage, StoreError>;

    /// Loads rows, compacted folds and idempotency keys in one round trip.
    fn load(
        &self,
        tenant: &TenantName,
        records: Vec<RecordKey>,
        keys: Vec<IdempotencyKey>,
    ) -> Answer<Loaded, StoreError>;

    /// Looks Salesforce ids up in the index.
    fn resolve(&self, tenant: &TenantName, ids: Vec<SalesforceId>) -> Answer<Vec<Option<RecordKey>>, StoreError>;

    /// Names records whose open questions are due before a time, at most `count`, those due longest first.
    fn due_questions(&self, tenant: &TenantName, before: Timestamp, count: usize)
    -> Answer<Vec<RecordKey>, StoreError>;

    /// Stores a batch's intent; no request may be sent without it. Raises the step.
    fn begin(&self, tenant: &TenantName, fence: &Fence, intent: Intent, done: BatchIdList) -> Answer<(), StoreError>;

    /// Runs `settle`, `compact` or `emit`. Raises the step.
    fn commit(
        &self,
        tenant: &TenantName,
        fence: &Fence,
        script: Script,
        commit: Box<Commit>,
    ) -> Answer<Committed, StoreError>;

    /// Reads up to `count` outbox entries after `after`.
    fn read_outbox(&self, tenant: &TenantName, after: StreamId, count: usize) -> Answer<Vec<OutboxEntry>, StoreError>;

    /// Appends entries to the product's feed, each above its partition's mark only; in outbox order.
    fn forward(&self, tenant: &TenantName, epoch: Epoch, entries: Vec<OutboxEntry>) -> Answer<(), StoreError>;

    /// Deletes outbox entries up to and including `to`, which every partition's mark covers. Raises no step.
    fn forwarded(&self, tenant: &TenantName, fence: &Fence, entries: Vec<StreamId>) -> Answer<(), StoreError>;

    /// Lengths, read in one script.
    fn lengths(&self, tenant: &TenantName) -> Answer<Lengths, StoreError>;

    /// Sets what producers see in `tandem:{t}:backpressure`: `ok`, `slow` or `stop`.
    fn set_backpressure(&self, tenant: &TenantName, fence: &Fence, level: &'static str) -> Answer<(), StoreError>;
}

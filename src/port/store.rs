//! A tenant's state in Redis, as one FIFO lane of requests.
//!
//! Requests are queued in the order in which these functions are called (not in which their answers are awaited) and
//! run in that order on one connection. When that connection breaks, every answer outstanding and every later call on
//! the same [`Lane`] fails with [`StoreError::Broken`]: the owner attaches again and rebuilds (log-road rules 2 and 18).

use std::sync::Arc;

use tandem_core::domain::change::IdempotencyKey;
use tandem_core::domain::event::Event;
use tandem_core::domain::ids::{Epoch, Fence, RecordKey, ReplayId, TenantName};
use tandem_core::domain::row::Row;
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::domain::stream::{Log, StreamId};
use tandem_core::engine::commit::{BatchIdList, Commit, Folded, Intent, LogChunk, Script};

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

/// What `attach` found.
#[derive(Debug, Clone)]
pub struct Attached {
    /// The new fence; its step is the current one.
    pub fence: Fence,
    /// Intents that earlier owners left.
    pub intents: Vec<Intent>,
    /// Change-event cursors by topic.
    pub cursors: Vec<(Arc<str>, ReplayId)>,
    /// Milliseconds since 1970 by the clock of Redis.
    pub redis_ms: u64,
}

/// State of records, as asked for.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// One for each record asked for, in order.
    pub records: Vec<LoadedRecord>,
    /// For each idempotency key asked for: the content hash it was seen with within the last 24 h.
    pub seen: Vec<Option<[u8; 8]>>,
}

/// One record's state.
#[derive(Debug, Clone, Default)]
pub struct LoadedRecord {
    /// Its row.
    pub row: Option<Row>,
    /// Its compacted fold.
    pub compacted: Option<Folded>,
    /// Its dead letter's fold, where the row says that there is one.
    pub dead: Option<Folded>,
}

/// A page of compacted folds' records.
#[derive(Debug, Clone)]
pub struct CompactedPage {
    /// Records on this page (a record can come twice).
    pub records: Vec<RecordKey>,
    /// Where to go on; 0 when the scan is complete.
    pub next: u64,
}

/// Lengths that must agree with memory when a tenant is idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// XLEN of the changes log.
    pub changes: u64,
    /// XLEN of the backfill log.
    pub backfill: u64,
    /// HLEN of the compacted folds.
    pub compacted: u64,
    /// Newest id ever of the changes log.
    pub changes_last: StreamId,
    /// Newest id ever of the backfill log.
    pub backfill_last: StreamId,
    /// XLEN of the outbox.
    pub outbox: u64,
}

/// An outbox entry read back, ready to be forwarded.
#[derive(Debug, Clone)]
pub struct OutboxEntry {
    /// Its id in the outbox.
    pub id: StreamId,
    /// The event.
    pub event: Event,
    /// Version of the object plan its hashes are laid out by.
    pub plan: u32,
}

/// What `settle`, `compact` and `emit` answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Log entries that were there to delete; fewer than asked means that a producer trimmed the stream.
    pub deleted: u64,
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

    /// Stores a batch's intent; no request may be sent without it. Raises the step.
    fn begin(
        &self,
        tenant: &TenantName,
        fence: &Fence,
        intent: Intent,
        done: BatchIdList,
    ) -> Answer<(), StoreError>;

    /// Runs `settle`, `compact` or `emit`. Raises the step.
    fn commit(
        &self,
        tenant: &TenantName,
        fence: &Fence,
        script: Script,
        commit: Box<Commit>,
    ) -> Answer<Committed, StoreError>;

    /// Reads up to `count` outbox entries after `after`.
    fn read_outbox(
        &self,
        tenant: &TenantName,
        after: StreamId,
        count: usize,
    ) -> Answer<Vec<OutboxEntry>, StoreError>;

    /// Appends entries to the product's feed, each above its partition's mark only; in outbox order.
    fn forward(
        &self,
        tenant: &TenantName,
        epoch: Epoch,
        entries: Vec<OutboxEntry>,
    ) -> Answer<(), StoreError>;

    /// Deletes outbox entries up to and including `to`, which every partition's mark covers. Raises no step.
    fn forwarded(&self, tenant: &TenantName, fence: &Fence, entries: Vec<StreamId>) -> Answer<(), StoreError>;

    /// Lengths, read in one script.
    fn lengths(&self, tenant: &TenantName) -> Answer<Lengths, StoreError>;

    /// Sets what producers see in `tandem:{t}:backpressure`: `ok`, `slow` or `stop`.
    fn set_backpressure(&self, tenant: &TenantName, fence: &Fence, level: &'static str) -> Answer<(), StoreError>;
}

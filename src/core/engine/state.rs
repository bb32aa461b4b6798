//! What the store tells of a tenant's state.

use std::sync::Arc;

use super::commit::{DeadLetter, Folded, Intent};
use crate::domain::ids::{Fence, RecordKey, ReplayId};
use crate::domain::row::Row;
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::stream::StreamId;

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
    /// Its dead letter, where the row says that there is one.
    pub dead: Option<DeadLetter>,
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
    /// Questions that the product has not answered.
    pub open_questions: u64,
    /// Entries that neither logs nor counters account for: trimmed away before they were read.
    pub unaccounted: i64,
}

/// What `settle`, `compact` and `emit` answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// Log entries that were there to delete; fewer than asked means that a producer trimmed the stream.
    pub deleted: u64,
    /// Links that were not made because another key holds the Salesforce record, with that holder. All else was done.
    pub refused_links: Vec<(SalesforceId, RecordKey)>,
}

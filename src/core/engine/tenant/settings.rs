//! What a tenant's machine is told at birth.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::ids::TenantName;

/// A tenant's settings, as plain data.
#[derive(Debug, Clone)]
pub struct TenantSettings {
    /// The tenant.
    pub tenant: TenantName,
    /// Whether the fence inside Salesforce is relied on.
    pub strict: bool,
    /// Whether the product gets `applied` events.
    pub receipts: bool,
    /// A batch that is not full waits until this long after the last one of its object and verb.
    pub freshness: Duration,
    /// Rows in a call at most (≤ 200).
    pub batch_rows: usize,
    /// Bytes of rows in a call at most.
    pub batch_bytes: usize,
    /// Batches in flight at most.
    pub in_flight_batches: usize,
    /// Records held in memory at most.
    pub table_records: usize,
    /// Bytes of changed records held in memory at most, about.
    pub table_bytes: usize,
    /// Log entries held in memory at which the oldest are compacted.
    pub compact_after_entries: usize,
    /// An entry that waits for longer is compacted: it pins its stream node's memory (log-road rule 26).
    pub compact_after_age: Duration,
    /// How long Salesforce may work on a request (the platform's 10 minutes).
    pub request_limit: Duration,
    /// Entries read from the log at once.
    pub read_entries: usize,
    /// The change stream's topic.
    pub topic: Arc<str>,
    /// What the machine is to do wrong, for tests of the oracle.
    #[cfg(feature = "sabotage")]
    pub sabotage: Option<Sabotage>,
}

impl TenantSettings {
    /// Sensible settings for a tenant.
    pub fn new(tenant: TenantName) -> Self {
        Self {
            tenant,
            strict: true,
            receipts: false,
            freshness: Duration::from_secs(1),
            batch_rows: 200,
            batch_bytes: 4 << 20,
            in_flight_batches: 4,
            table_records: 50_000,
            table_bytes: 64 << 20,
            compact_after_entries: 100_000,
            compact_after_age: Duration::from_secs(600),
            request_limit: Duration::from_secs(600),
            read_entries: 1_000,
            topic: Arc::from("/data/ChangeEvents"),
            #[cfg(feature = "sabotage")]
            sabotage: None,
        }
    }
}

/// Deliberate faults, each of which the load test's oracle must find.
#[cfg(feature = "sabotage")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Settles before Salesforce answered.
    Settle,
    /// Treats its own writes' events as edits.
    Echo,
    /// Sends a record's older content after newer.
    Order,
    /// Drops one change event in 500 and moves the cursor over it.
    DropEvent,
}

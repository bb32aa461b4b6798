//! What must survive a crash before a batch is sent: which records, which sequences, how.

use super::ids::{BatchId, RecordKey};
use super::time::Timestamp;

/// One record of a batch, as its intent names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentRecord {
    /// The record.
    pub record: RecordKey,
    /// The sequence that is sent.
    pub seq: u64,
    /// What is done to it.
    pub verb: Verb,
    /// How many owners died with this record in flight.
    pub crashes: u8,
}

/// How a record is written to Salesforce (design 6, 'write verb').
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// First create, by external id in the body.
    Create,
    /// Update by Salesforce id.
    Update,
    /// Delete by Salesforce id.
    Delete,
}

/// What must survive a crash before a batch is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The batch.
    pub batch: BatchId,
    /// When it was begun (policy time).
    pub begun: Timestamp,
    /// Its records.
    pub records: Vec<IntentRecord>,
}

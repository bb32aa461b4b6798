//! What several changes of one record come to.

use std::sync::Arc;

use super::ids::FieldIdx;
use super::payload::RawJson;
use super::stream::StreamId;
use super::time::Timestamp;

/// A folded change: what several log entries of one record come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folded {
    /// Version of the object plan that `fields` is laid out by: a fold can outlive the mapping it was made under.
    pub plan: u32,
    /// Highest sequence of the entries in it.
    pub seq: u64,
    /// Whether the record is deleted first; with `fields` or `upsert` it is then created anew (recreate).
    pub delete: bool,
    /// Whether an upsert came (after the delete, if there was one).
    pub upsert: bool,
    /// Newest value of each field, with the version and the packed id of its entry.
    pub fields: Vec<FoldedField>,
    /// Version of the newest delete in it.
    pub delete_version: u64,
    /// Packed id of the newest interactive entry in it.
    pub packed: u64,
    /// When the oldest edit in it was made.
    pub oldest: Timestamp,
    /// When the newest edit in it was made.
    pub newest: Timestamp,
    /// How many log entries it stands for.
    pub entries: u64,
    /// Highest `seen_revision` of its edits.
    pub seen_revision: Option<u64>,
    /// Idempotency keys of its entries, at most `Folded::KEYS_MAX`.
    pub idempotency_texts: Vec<Arc<str>>,
    /// Ids of its entries, oldest first, at most `Folded::RECEIPTS_MAX`, for receipts.
    pub receipts: Vec<StreamId>,
    /// Trace contexts, newest last, at most `Folded::TRACES_MAX`.
    pub traces: Vec<Arc<str>>,
}

impl Folded {
    /// Receipts name at most this many entries (design 3.1).
    pub const RECEIPTS_MAX: usize = 100;
    /// Receipts name at most this many idempotency keys.
    pub const KEYS_MAX: usize = 100;
    /// Trace contexts kept of one record.
    pub const TRACES_MAX: usize = 8;
}

/// One field of a folded change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldedField {
    /// Which field.
    pub idx: FieldIdx,
    /// Its newest value, byte for byte.
    pub value: RawJson,
    /// The version it came with; 0 for none.
    pub version: u64,
    /// Packed id of its entry.
    pub packed: u64,
    /// Whether the engine's own write-back supplied it.
    pub engine: bool,
}

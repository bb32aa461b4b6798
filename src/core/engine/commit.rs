//! What one fenced script is to do to a tenant's state, decided here and carried out by the store in one step.

use std::sync::Arc;

use crate::domain::change::IdempotencyKey;
use crate::domain::event::Event;
pub use crate::domain::folded::{Folded, FoldedField};
use crate::domain::ids::{BatchId, FieldIdx, RecordKey, ReplayId};
pub use crate::domain::intent::{Intent, IntentRecord, Verb};
use crate::domain::payload::{PersonalText, RawJson};
use crate::domain::row::Row;
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::stream::{EntryRef, Log};
use crate::domain::time::Timestamp;

/// Why a change could not be applied and where its content went: `tandem:{t}:dead`, sealed.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Salesforce's status code or Tandem's rejection code.
    pub code: Arc<str>,
    /// Field names concerned.
    pub fields: Vec<Arc<str>>,
    /// Salesforce's or Tandem's words; sealed with the content.
    pub message: PersonalText,
    /// When.
    pub at: Timestamp,
    /// The change itself: a fold, or the raw entry where it could not be understood. Sealed.
    pub content: DeadContent,
}

/// What a dead letter holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadContent {
    /// A record's folded change.
    Folded(Folded),
    /// An entry that is no change: names and values as they came, cut to `DeadLetter::RAW_BYTES_MAX`.
    Raw(Vec<(bytes::Bytes, bytes::Bytes)>),
}

impl DeadLetter {
    /// The fold in it, standing for no log entries: those were counted when it was buried.
    pub fn fold(&self) -> Option<Folded> {
        match &self.content {
            DeadContent::Folded(fold) => Some(Folded {
                entries: 0,
                ..fold.clone()
            }),
            DeadContent::Raw(_) => None,
        }
    }

    /// Salesforce holds these values since: the letter no longer speaks of the fields. `whole`: when it is sent again it
    /// replaces the record. True when nothing is left of it.
    pub fn heed(&mut self, values: &[(FieldIdx, RawJson)], whole: bool) -> bool {
        let DeadContent::Folded(fold) = &mut self.content else {
            return false;
        };
        fold.fields.retain(|f| values.iter().all(|(idx, _)| f.idx != *idx));
        if fold.delete || whole {
            // What replaces the record clears what it does not name: it names what stands.
            let stands = |(idx, value): &(FieldIdx, RawJson)| FoldedField {
                idx: *idx,
                value: value.clone(),
                version: 0,
                packed: 0,
                engine: true,
            };
            fold.fields.extend(values.iter().map(stands));
            fold.fields.sort_by_key(|f| f.idx);
        }
        fold.fields.is_empty() && !fold.delete
    }

    /// Whether the record was to exist.
    pub fn wants_alive(&self) -> bool {
        matches!(&self.content, DeadContent::Folded(fold) if fold.upsert)
    }

    /// Bytes of a raw entry that are kept.
    pub const RAW_BYTES_MAX: usize = 65_536;
}

/// Names a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DeadKey {
    /// A record has at most one.
    Record(RecordKey),
    /// An entry that names no record.
    Entry(EntryRef),
}

/// A log entry of the engine's own making: values that a merge wants written to Salesforce (none at all where only the
/// key is to be written), or a delete.
#[derive(Debug, Clone)]
pub struct EngineEntry {
    /// The record.
    pub record: RecordKey,
    /// JSON object in product terms, as a product's `data`; none deletes the record.
    pub data: Option<RawJson>,
    /// Trace context.
    pub traceparent: Option<Arc<str>>,
}

/// Deltas of `tandem:{t}:counters`. `compacted` is a gauge (it falls when compacted entries settle).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Entries whose content is in Salesforce, or needed no call.
    pub settled: i64,
    /// Entries that repeated an idempotency key.
    pub duplicate: i64,
    /// Entries of which newer versions left nothing.
    pub stale: i64,
    /// Entries that were refused (malformed, lost to a conflict whole, key re-used).
    pub refused: i64,
    /// Entries in dead letters.
    pub dead: i64,
    /// Entries that `compacted` stands for.
    pub compacted: i64,
    /// Entries that were gone when they were to be deleted: a producer trims the stream.
    pub trimmed: i64,
    /// Conflicts decided.
    pub conflicts: i64,
    /// Change events that were our own writes.
    pub echoes: i64,
    /// Change events of records without a key.
    pub unlinked: i64,
    /// Events put into the outbox.
    pub events: i64,
}

/// Everything one fenced step changes. Empty lists do nothing.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// The batch whose outcome this is; the script refuses when it is not known.
    pub batch: Option<BatchId>,
    /// What stays of the batch's intent: records of unknown outcome.
    pub intent_left: Option<Intent>,
    /// Intents of earlier owners that are dealt with.
    pub intents_done: Vec<BatchId>,
    /// Log entries to delete.
    pub delete: Vec<EntryRef>,
    /// Rows to write.
    pub rows: Vec<(RecordKey, Row)>,
    /// Rows to remove.
    pub rows_remove: Vec<RecordKey>,
    /// Open questions, and when they are looked at next.
    pub questions: Vec<(RecordKey, Timestamp)>,
    /// Questions that are open no longer.
    pub questions_remove: Vec<RecordKey>,
    /// Id index: additions.
    pub links: Vec<(SalesforceId, RecordKey)>,
    /// Id index: removals.
    pub unlinks: Vec<SalesforceId>,
    /// Compacted folds to write.
    pub compacted_put: Vec<(RecordKey, Folded)>,
    /// Compacted folds to remove.
    pub compacted_remove: Vec<RecordKey>,
    /// Dead letters to write.
    pub dead_put: Vec<(DeadKey, DeadLetter)>,
    /// Dead letters to remove.
    pub dead_remove: Vec<DeadKey>,
    /// Idempotency keys to remember.
    pub seen: Vec<IdempotencyKey>,
    /// Entries to append to the changes log.
    pub append: Vec<EngineEntry>,
    /// Events to append to the outbox, in order.
    pub outbox: Vec<Event>,
    /// Cursors to store: topic and place.
    pub cursors: Vec<(Arc<str>, ReplayId)>,
    /// Counter deltas.
    pub counters: Counters,
}

impl Commit {
    /// Takes a record out of the id index, also where this very step was to put it in.
    pub fn unlink(&mut self, id: SalesforceId) {
        self.links.retain(|(linked, _)| *linked != id);
        self.unlinks.push(id);
    }

    /// Writes a dead letter. The script removes letters before it writes some: a letter that is removed is not written.
    pub fn put_letter(&mut self, record: &RecordKey, letter: DeadLetter) {
        let key = DeadKey::Record(record.clone());
        self.dead_put.retain(|(k, _)| *k != key);
        self.dead_put.push((key, letter));
    }

    /// Removes a record's dead letter.
    pub fn remove_letter(&mut self, record: &RecordKey) {
        let key = DeadKey::Record(record.clone());
        self.dead_put.retain(|(k, _)| *k != key);
        self.dead_remove.push(key);
    }
}

/// Which fenced script carries a commit out; they differ in what they check and in what a full Redis refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// Outcomes of a batch, drops, dead letters: drains, so it runs on a full Redis.
    Settle,
    /// Log entries of records become folds: drains.
    Compact,
    /// Change events become rows, write-backs and outbox entries: grows, so a full Redis refuses it whole.
    Emit,
}

/// Batches by name.
pub type BatchIdList = Vec<BatchId>;

/// What the log holds of one entry range.
#[derive(Debug, Clone)]
pub struct LogChunk {
    /// Which log.
    pub log: Log,
    /// Entries after the asked id, oldest first.
    pub entries: Vec<crate::domain::stream::RawEntry>,
    /// Whether the log ends here.
    pub end: bool,
}

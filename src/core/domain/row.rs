//! What Tandem keeps of a record at rest: no values, only ids, numbers and keyed hashes.

use super::ids::FieldIdx;
use super::salesforce_id::SalesforceId;
use super::time::Timestamp;

/// First 48 bits of a keyed hash over field name and normal form. All zero: not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FieldHash(pub [u8; 6]);

impl FieldHash {
    /// No value of this field was ever seen by this plan version.
    pub const UNKNOWN: Self = Self([0; 6]);

    /// Whether a value was seen.
    pub fn is_known(self) -> bool {
        self != Self::UNKNOWN
    }
}

/// One of the two sides that are kept in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The SaaS product.
    Product,
    /// The tenant's Salesforce org.
    Salesforce,
}

/// The merge base: per mapped field the hash of what Salesforce was last known to hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Base {
    /// Version of the object plan that `fields` is laid out by; on a mismatch nothing is known.
    pub plan: u32,
    /// One hash a field of the plan; may be shorter than the plan (the rest is unknown).
    pub fields: Vec<FieldHash>,
}

impl Base {
    /// The hash of one field under the given plan version.
    pub fn get(&self, plan: u32, field: FieldIdx) -> FieldHash {
        if self.plan != plan {
            return FieldHash::UNKNOWN;
        }
        self.fields.get(usize::from(field.0)).copied().unwrap_or_default()
    }

    /// Sets one field's hash; forgets a layout of another plan version first.
    pub fn set(&mut self, plan: u32, field: FieldIdx, hash: FieldHash) {
        if self.plan != plan {
            self.plan = plan;
            self.fields.clear();
        }
        let at = usize::from(field.0);
        if self.fields.len() <= at {
            self.fields.resize(at + 1, FieldHash::UNKNOWN);
        }
        self.fields[at] = hash;
    }
}

/// A record that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstone {
    /// Who deleted it.
    pub by: Side,
    /// Revision of the `deleted` event that told the product (0 when the product deleted it itself).
    pub revision: u64,
    /// The Salesforce record that it was, where known: late events of it are history, not news.
    pub id: Option<SalesforceId>,
}

/// A write of ours whose change event was not seen yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentWrite {
    /// The sequence it carried.
    pub seq: u64,
    /// What it wrote, as hashes.
    pub fields: Vec<(FieldIdx, FieldHash)>,
}

/// Which version of the product's row, and which log entry, last decided some fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stamp {
    /// The product's row version; 0 when it gave none.
    pub version: u64,
    /// Packed id of the newest interactive entry (`StreamId::packed`).
    pub packed: u64,
    /// The fields; empty means every field that no other stamp names.
    pub fields: Vec<FieldIdx>,
}

/// An event that told the product of new values, remembered until an edit shows that it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The event's revision.
    pub revision: u64,
    /// When it was put into the outbox.
    pub at: Timestamp,
    /// What it said, as hashes.
    pub fields: Vec<(FieldIdx, FieldHash)>,
    /// Whether an edit has shown that it was seen; kept while older edits that lost to it still wait in the log.
    pub answered: bool,
}

/// What the product was asked about a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is to be answered, or was.
    pub asks: Asks,
    /// Revision of the event that asked; answers name it.
    pub revision: u64,
    /// When it was asked first.
    pub since: Timestamp,
}

/// What a question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asks {
    /// Which Salesforce record is this key's? Its changes wait.
    Which,
    /// Which key is this Salesforce record's? (of [`RecordKey::keyless`](super::ids::RecordKey::keyless))
    Whose,
    /// The product's values of these fields of the plan of this version.
    Values {
        /// Plan version that the positions belong to.
        plan: u32,
        /// The fields.
        fields: Vec<FieldIdx>,
    },
    /// Nothing any more: the product said that none of the candidates is meant, so the record is created.
    Create,
    /// Nothing any more: nobody answered in time.
    Expired,
}

impl Question {
    /// Whether the product still owes an answer.
    pub fn is_open(&self) -> bool {
        matches!(self.asks, Asks::Which | Asks::Whose | Asks::Values { .. })
    }
}

/// The row of one record in `tandem:{t}:records`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// The linked Salesforce record.
    pub salesforce_id: Option<SalesforceId>,
    /// The last sequence used (not: settled); floors and unused repairs raise it.
    pub last_seq: u64,
    /// Highest decided (settled or dead) versions: at most one stamp with empty `fields`, kept first.
    pub stamps: Vec<Stamp>,
    /// Seconds since 1970 when `stamps` last changed; after 24 h they fold into one at the next touch.
    pub stamped_s: u32,
    /// Merge base.
    pub base: Base,
    /// Counts the events of this record that the product was sent.
    pub revision: u64,
    /// First revision after the record was last deleted: events before it tell of a record that is gone.
    pub born: u64,
    /// Set when the record was deleted.
    pub tombstone: Option<Tombstone>,
    /// Whether `tandem:{t}:dead` holds a letter of this record.
    pub dead_letter: bool,
    /// Own writes not yet confirmed by their event, oldest first, at most `UNCONFIRMED_MAX`.
    pub unconfirmed: Vec<SentWrite>,
    /// Events that edits may not have seen yet, oldest first; each field stands in one of them at most.
    pub told: Vec<Told>,
    /// What the product was asked and has not answered, or what its answer must not be forgotten of.
    pub question: Option<Question>,
    /// Whether the linked Salesforce record may not hold the key yet: the next write takes it along.
    pub keyless: bool,
    /// When the Salesforce record had been changed last, when it was read to be linked; seconds since 1970. Events that
    /// are not clearly newer may tell of what was read already. 0: no such event can come any more.
    pub read_as_of_s: u32,
}

impl Row {
    /// The record is gone: what was known of it says nothing of one that may come after it. Returns its Salesforce id.
    pub fn die(&mut self, by: Side, revision: u64) -> Option<SalesforceId> {
        let id = self.salesforce_id.take();
        let before = self.tombstone.and_then(|t| t.id);
        self.tombstone = Some(Tombstone {
            by,
            revision,
            id: id.or(before),
        });
        self.born = self.revision.saturating_add(1);
        self.base = Base::default();
        self.unconfirmed.clear();
        self.told.clear();
        self.keyless = false;
        self.read_as_of_s = 0;
        id
    }

    /// Own writes remembered until their events come; with a further one the oldest two join.
    pub const UNCONFIRMED_MAX: usize = 4;
}

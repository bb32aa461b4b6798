//! The tenant's table: per record at most one pending fold and one in flight, and the queues of what can be sent.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::domain::change::IdempotencyKey;
use crate::domain::ids::{FieldIdx, RecordKey};
use crate::domain::row::{FieldHash, Row, SentWrite};
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::stream::{EntryRef, Log};
use crate::domain::time::Timestamp;
use crate::engine::commit::{DeadLetter, Folded, Verb};

/// Hashing without a random seed: the same inputs are walked in the same order, so that a simulation repeats itself.
/// Fast rather than hard to attack: keys are those of a tenant's own product.
pub type Fixed = foldhash::fast::FixedState;

/// What is to be sent for one record, and the log entries that it covers.
#[derive(Debug, Clone, Default)]
pub struct Pending {
    /// The folded change.
    pub fold: Folded,
    /// Raw log entries in it.
    pub entries: Vec<EntryRef>,
    /// Entries that a compacted fold in it stands for.
    pub compacted: u64,
    /// Whether a compacted fold is in it (and must be removed when it settles).
    pub from_compacted: bool,
    /// Whether a dead letter's content is in it (and the letter is withdrawn when it settles).
    pub from_dead: bool,
    /// Idempotency keys to record when it settles.
    pub keys: Vec<IdempotencyKey>,
    /// The more urgent of its entries' logs.
    pub lane: Option<Log>,
}

impl Pending {
    /// About what it holds in memory beside its values, and for each of its entries.
    const OVERHEAD: usize = 256;
    const ENTRY: usize = 32;

    /// About the bytes that it holds in memory. The same for as long as it is pending.
    pub fn bytes(&self) -> usize {
        let values: usize = self.fold.fields.iter().map(|f| f.value.expose().len()).sum();
        let entries = usize::try_from(self.entries_total()).unwrap_or(usize::MAX);
        values + Self::OVERHEAD + entries.saturating_mul(Self::ENTRY)
    }

    /// Log entries that it stands for, compacted ones included.
    pub fn entries_total(&self) -> u64 {
        self.compacted.saturating_add(self.entries.len() as u64)
    }

    /// Puts what was in flight beneath what came since.
    #[must_use]
    pub fn over(self, older: Self) -> Self {
        let mut entries = older.entries;
        entries.extend(self.entries);
        let mut keys = older.keys;
        keys.extend(self.keys);
        Self {
            fold: crate::engine::fold::under(self.fold, older.fold),
            entries,
            compacted: self.compacted.saturating_add(older.compacted),
            from_compacted: self.from_compacted || older.from_compacted,
            from_dead: self.from_dead || older.from_dead,
            keys,
            lane: match (self.lane, older.lane) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
        }
    }
}

/// A record's part of a batch on its way.
#[derive(Debug, Clone)]
pub struct Flight {
    /// How it is written.
    pub verb: Verb,
    /// What is sent.
    pub pending: Pending,
    /// The sequence and hashes that are written.
    pub write: SentWrite,
    /// Whether an event told, while it was on its way, that somebody deleted the record.
    pub deleted: bool,
}

/// A write whose outcome is not known.
#[derive(Debug, Clone, Copy)]
pub struct Doubt {
    /// When it was begun.
    pub since: Timestamp,
    /// The sequence it carried.
    pub seq: u64,
    /// How it was written.
    pub verb: Verb,
}

impl Doubt {
    /// Both writes are in doubt: the later time, the higher sequence, and the verb that must be waited for longest.
    #[must_use]
    pub fn and(self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        let weight = |verb| match verb {
            Verb::Update => 0,
            Verb::Create => 1,
            Verb::Delete => 2,
        };
        let verb = if weight(other.verb) > weight(self.verb) {
            other.verb
        } else {
            self.verb
        };
        Self {
            since: self.since.max(other.since),
            seq: self.seq.max(other.seq),
            verb,
        }
    }
}

/// How far lifting a record's sequence above the org's has come (log-road rule 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lifting {
    /// Nothing was refused.
    #[default]
    No,
    /// Refused once: waits, folds again, sends the same.
    Grace,
    /// Refused twice: the org's number is being read.
    Reading,
    /// The row holds the org's number; sent above it.
    Lifted,
}

/// One record in memory.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Its row, as the last script of ours wrote it.
    pub row: Row,
    /// What waits to be sent.
    pub pending: Option<Pending>,
    /// What is being sent.
    pub flight: Option<Flight>,
    /// A write of unknown outcome, by this owner or an earlier one.
    pub doubt: Option<Doubt>,
    /// What the writes in doubt wrote, those of this owner's life, newest last, at most `Row::UNCONFIRMED_MAX`.
    pub doubted: Vec<SentWrite>,
    /// Its dead letter, to be put beneath the next change of the product.
    pub dead: Option<DeadLetter>,
    /// Not to be sent before.
    pub not_before: Timestamp,
    /// Sends that failed since the last success.
    pub attempts: u32,
    /// Where lifting stands.
    pub lifting: Lifting,
    /// Highest own sequence that an event has shown.
    pub confirmed_seq: u64,
    /// Highest own sequence that is known to be in place, by its answer or an event: what was sent below it and still
    /// arrives is refused by the fence. One that was refused itself keeps nothing out.
    pub placed_seq: u64,
    /// Fields of own log entries that were appended and not read yet, one for each entry.
    pub unread: Vec<FieldIdx>,
    /// Since when it waits for a parent that nobody knows.
    pub orphan_since: Option<Timestamp>,
    /// Whether a partner is being looked for, or will be.
    pub looking: bool,
    /// When no partner was found.
    pub looked: Option<Timestamp>,
    /// Whether a partner is looked for although the product was asked already.
    pub look_again: bool,
    /// Answers that link it and are not decided yet: nothing of it is sent before.
    pub linking: u32,
    /// When the product was asked for the values that a recreate lacks.
    pub values_asked: Option<Timestamp>,
    /// Ticket of the last script that wrote its row: a load issued before it shows an older row.
    pub touched: u64,
    /// Which queue it stands in.
    pub queued: Option<QueueName>,
}

impl Record {
    /// Whether the row's base is what Salesforce holds: no write of ours that could have changed it is in doubt.
    pub fn base_known(&self) -> bool {
        self.doubt.is_none_or(|d| self.placed_seq >= d.seq)
    }

    /// What is on its way and still counts: not what comes too late because the record was deleted meanwhile.
    pub fn flying(&self) -> Option<&Flight> {
        self.flight.as_ref().filter(|f| !f.deleted)
    }

    /// What the product wants and Salesforce does not hold yet, newest first.
    pub fn wishes(&self) -> impl Iterator<Item = &Pending> {
        self.pending.iter().chain(self.flying().map(|f| &f.pending))
    }

    /// Whether an answer about it comes first. Not before a create in doubt is known to be in place: that decides the
    /// answer.
    pub fn waits_for_link(&self) -> bool {
        self.linking > 0 && self.doubt.is_none_or(|d| d.verb != Verb::Create)
    }

    /// Whether nothing but the row is worth keeping.
    pub fn is_idle(&self) -> bool {
        let nothing_under_way = self.pending.is_none() && self.flight.is_none() && self.doubt.is_none();
        nothing_under_way && self.unread.is_empty() && !self.looking && self.linking == 0
    }
}

/// A queue of records that can be sent in one call: urgency, object, verb.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueName {
    /// Interactive before backfill.
    pub lane: Log,
    /// Parents before children.
    pub rank: u16,
    /// The product's object name.
    pub object: Arc<str>,
    /// How they are written.
    pub verb: Verb,
}

/// The table.
#[derive(Debug, Default)]
pub struct Table {
    /// Records by key. Each on its own: a table that grows moves them, and they are large.
    pub records: HashMap<RecordKey, Box<Record>, Fixed>,
    /// Records by Salesforce id, for those in memory.
    pub by_id: HashMap<SalesforceId, RecordKey, Fixed>,
    /// What can be sent now.
    pub ready: BTreeMap<QueueName, VecDeque<RecordKey>>,
    /// What can be sent later.
    pub held: BTreeMap<(Timestamp, RecordKey), ()>,
    /// Idle records, in the order in which they became idle.
    pub idle: VecDeque<RecordKey>,
    /// Records with a pending fold.
    pub pending_records: usize,
    /// Bytes that their values take, and something for each of their entries.
    pub pending_bytes: usize,
    /// Raw log entries in memory, by log.
    pub entries: BTreeMap<Log, usize>,
    /// Records that were compacted and forgotten since the last scan.
    pub forgotten: usize,
}

impl Table {
    /// Idle rows kept as a cache.
    pub const IDLE_MAX: usize = 20_000;

    /// Raw entries in memory over both logs.
    pub fn entries_total(&self) -> usize {
        self.entries.values().sum()
    }

    /// Counts raw entries in (`by` > 0) or out.
    pub fn count_entries(&mut self, entries: &[EntryRef], into: bool) {
        for entry in entries {
            let count = self.entries.entry(entry.log).or_default();
            *count = if into { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    /// Takes the pending fold of a record out.
    pub fn take_pending(&mut self, key: &RecordKey) -> Option<Pending> {
        let record = self.records.get_mut(key)?;
        let pending = record.pending.take()?;
        self.pending_records = self.pending_records.saturating_sub(1);
        self.pending_bytes = self.pending_bytes.saturating_sub(pending.bytes());
        self.unqueue(key);
        Some(pending)
    }

    /// Puts a pending fold in; the record must be in the table and have none.
    pub fn put_pending(&mut self, key: &RecordKey, pending: Pending) {
        if let Some(record) = self.records.get_mut(key) {
            debug_assert!(record.pending.is_none(), "a record has at most one pending fold");
            self.pending_bytes += pending.bytes();
            record.pending = Some(pending);
            self.pending_records += 1;
        }
    }

    /// Puts a record at the end of a queue, unless it stands there already.
    pub fn enqueue(&mut self, key: &RecordKey, queue: QueueName) {
        let Some(record) = self.records.get_mut(key) else {
            return;
        };
        if record.queued.as_ref() == Some(&queue) {
            return;
        }
        record.queued = Some(queue.clone());
        self.ready.entry(queue).or_default().push_back(key.clone());
    }

    /// Forgets where a record stands; its stale place in the old queue is skipped when it comes up.
    pub fn unqueue(&mut self, key: &RecordKey) {
        if let Some(record) = self.records.get_mut(key) {
            record.queued = None;
        }
    }

    /// Holds a record until a time.
    pub fn hold(&mut self, key: &RecordKey, until: Timestamp) {
        let Some(record) = self.records.get_mut(key) else {
            return;
        };
        self.held.remove(&(record.not_before, key.clone()));
        record.not_before = until;
        record.queued = None;
        self.held.insert((until, key.clone()), ());
    }

    /// Takes out what is held no longer at `now`.
    pub fn release(&mut self, now: Timestamp) -> Vec<RecordKey> {
        let mut due = Vec::new();
        while let Some(((until, _), ())) = self.held.first_key_value() {
            if *until > now {
                break;
            }
            if let Some(((_, key), ())) = self.held.pop_first() {
                due.push(key);
            }
        }
        due
    }

    /// Remembers which record a Salesforce id is, while the record is in memory.
    pub fn index(&mut self, key: &RecordKey) {
        if let Some(id) = self.records.get(key).and_then(|r| r.row.salesforce_id) {
            self.by_id.insert(id, key.clone());
        }
    }

    /// Drops idle records beyond the cache's bound that no outstanding load can show older than they are.
    /// `oldest_load` is the smallest ticket of a load whose answer is still to come.
    pub fn evict(&mut self, most: usize, oldest_load: Option<u64>) {
        let mut looks = self.idle.len();
        while self.records.len() > most && looks > 0 {
            looks -= 1;
            let Some(key) = self.idle.pop_front() else { break };
            let Some(record) = self.records.get(&key) else { continue };
            if !record.is_idle() {
                continue;
            }
            if oldest_load.is_some_and(|load| load < record.touched) {
                self.idle.push_back(key);
                continue;
            }
            self.forget(&key);
        }
    }

    /// Drops one record from memory.
    pub fn forget(&mut self, key: &RecordKey) {
        let Some(record) = self.records.remove(key) else { return };
        if let Some(pending) = &record.pending {
            self.pending_records = self.pending_records.saturating_sub(1);
            self.pending_bytes = self.pending_bytes.saturating_sub(pending.bytes());
        }
        self.held.remove(&(record.not_before, key.clone()));
        if let Some(id) = record.row.salesforce_id
            && self.by_id.get(&id) == Some(key)
        {
            self.by_id.remove(&id);
        }
    }

    /// Notes that a record may have become idle.
    pub fn rest(&mut self, key: &RecordKey) {
        if self.records.get(key).is_some_and(|r| r.is_idle()) {
            self.idle.push_back(key.clone());
        }
    }
}

/// Adds a write to those whose events are awaited; each field stands in the newest one only. Beyond the bound the oldest
/// two become one under the lower sequence: an edit between them is then told, at worst together with our own value after
/// it; under the higher one it would be taken for history and lost.
pub fn await_event(row: &mut Row, write: SentWrite) {
    for older in &mut row.unconfirmed {
        older
            .fields
            .retain(|(idx, _)| !write.fields.iter().any(|(i, _)| i == idx));
    }
    row.unconfirmed.push(write);
    if row.unconfirmed.len() > Row::UNCONFIRMED_MAX {
        let next = row.unconfirmed.remove(1);
        for (idx, hash) in next.fields {
            set_hash(&mut row.unconfirmed[0].fields, idx, hash);
        }
    }
}

/// Sets one field's hash in a list.
pub fn set_hash(fields: &mut Vec<(FieldIdx, FieldHash)>, idx: FieldIdx, hash: FieldHash) {
    match fields.iter_mut().find(|(i, _)| *i == idx) {
        Some((_, old)) => *old = hash,
        None => fields.push((idx, hash)),
    }
}

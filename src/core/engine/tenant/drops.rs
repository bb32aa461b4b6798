//! What settles without a call: repeats, stale and refused entries, changes that say what both sides hold already.

use std::collections::{BTreeMap, BTreeSet};

use super::table::Pending;
use super::{Effect, Machine};
use crate::domain::change::IdempotencyKey;
use crate::domain::event::Event;
use crate::domain::ids::{FieldIdx, RecordKey};
use crate::domain::payload::RawJson;
use crate::domain::row::Row;
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::stream::EntryRef;
use crate::domain::time::Timestamp;
use crate::engine::commit::{Commit, Counters, DeadKey, DeadLetter, Script};
use crate::engine::step_size;

/// What the next settling script without a batch is to do.
#[derive(Debug, Default)]
pub(super) struct Drops {
    pub delete: Vec<EntryRef>,
    pub rows: BTreeSet<RecordKey>,
    pub seen: Vec<IdempotencyKey>,
    pub outbox: Vec<Event>,
    pub questions: Vec<(RecordKey, Timestamp)>,
    pub questions_remove: Vec<RecordKey>,
    pub compacted_remove: Vec<RecordKey>,
    pub unlinks: Vec<SalesforceId>,
    /// Dead letters to write, or (none) to remove.
    pub letters: BTreeMap<RecordKey, Option<DeadLetter>>,
    pub counters: Counters,
}

impl Drops {
    fn is_empty(&self) -> bool {
        self.delete.is_empty()
            && self.rows.is_empty()
            && self.outbox.is_empty()
            && self.questions.is_empty()
            && self.questions_remove.is_empty()
            && self.compacted_remove.is_empty()
            && self.unlinks.is_empty()
            && self.letters.is_empty()
            && self.counters == Counters::default()
    }

    /// Log entries dropped in one script at most.
    const ENTRIES_MAX: usize = 2_000;

    /// Whether this is as much as one step may carry.
    pub fn is_full(&self) -> bool {
        let events: usize = self.outbox.iter().map(step_size::of_event).sum();
        let size = events + self.rows.len() * step_size::IN_BUCKET;
        let entries = self.delete.len() >= Self::ENTRIES_MAX || self.seen.len() >= step_size::KEYS_MAX;
        entries || size >= step_size::FULL
    }

    /// Takes a pending fold's entries out of the log; the caller counts them.
    pub fn remove(&mut self, key: &RecordKey, pending: &Pending) {
        self.delete.extend_from_slice(&pending.entries);
        self.seen.extend_from_slice(&pending.keys);
        if pending.from_compacted {
            self.compacted_remove.push(key.clone());
        }
        self.counters.compacted -= i64::try_from(pending.compacted).unwrap_or(i64::MAX);
    }
}

impl Machine {
    /// What a record's dead letter wanted is in place, on its way, or lost.
    pub(super) fn withdraw_letter(&mut self, key: &RecordKey) {
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        record.dead = None;
        if std::mem::take(&mut record.row.dead_letter) {
            self.drops.letters.insert(key.clone(), None);
            self.drops.rows.insert(key.clone());
        }
    }

    /// Salesforce holds these values since a dead letter was written: they are no longer the letter's to say.
    pub(super) fn heed(&mut self, key: &RecordKey, values: &[(FieldIdx, RawJson)]) {
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        let Some(letter) = record.dead.as_mut().filter(|_| !values.is_empty()) else {
            return;
        };
        if letter.heed(values, record.row.tombstone.is_some()) {
            self.withdraw_letter(key);
        } else {
            self.drops.letters.insert(key.clone(), Some(letter.clone()));
        }
    }

    /// Carries out what was dropped since the last time, where it is as much as one step may carry.
    pub(super) fn flush_full_drops(&mut self, out: &mut Vec<Effect>) {
        if self.drops.is_full() {
            self.flush_drops(out);
        }
    }

    /// Carries out what was dropped since the last time.
    pub(super) fn flush_drops(&mut self, out: &mut Vec<Effect>) {
        if self.drops.is_empty() {
            return;
        }
        let drops = std::mem::take(&mut self.drops);
        let rows: Vec<(RecordKey, Row)> = drops
            .rows
            .into_iter()
            .filter_map(|key| self.table.records.get(&key).map(|r| (key.clone(), r.row.clone())))
            .collect();
        let keys: Vec<RecordKey> = rows.iter().map(|(key, _)| key.clone()).collect();
        let mut counters = drops.counters;
        counters.events += i64::try_from(drops.outbox.len()).unwrap_or(i64::MAX);
        let mut commit = Commit {
            delete: drops.delete,
            rows,
            seen: drops.seen,
            outbox: drops.outbox,
            questions: drops.questions,
            questions_remove: drops.questions_remove,
            compacted_remove: drops.compacted_remove,
            unlinks: drops.unlinks,
            intents_done: self.batches.take_done(),
            counters,
            ..Commit::default()
        };
        for (key, letter) in drops.letters {
            match letter {
                Some(letter) => commit.dead_put.push((DeadKey::Record(key), letter)),
                None => commit.dead_remove.push(DeadKey::Record(key)),
            }
        }
        self.commit(Script::Settle, commit, out);
        for key in keys {
            self.table.rest(&key);
        }
    }
}

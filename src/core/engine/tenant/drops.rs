//! What settles without a call: repeats, stale and refused entries, changes that say what both sides hold already.

use std::collections::BTreeSet;

use super::table::Pending;
use super::{Effect, Machine};
use crate::domain::change::IdempotencyKey;
use crate::domain::event::Event;
use crate::domain::ids::RecordKey;
use crate::domain::row::Row;
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::stream::EntryRef;
use crate::engine::commit::{Commit, Counters, DeadKey, DeadLetter, Script};

/// What the next settling script without a batch is to do.
#[derive(Debug, Default)]
pub(super) struct Drops {
    pub delete: Vec<EntryRef>,
    pub rows: BTreeSet<RecordKey>,
    pub seen: Vec<IdempotencyKey>,
    pub outbox: Vec<Event>,
    pub compacted_remove: Vec<RecordKey>,
    pub unlinks: Vec<SalesforceId>,
    pub dead_put: Vec<(DeadKey, DeadLetter)>,
    pub dead_remove: Vec<DeadKey>,
    pub counters: Counters,
}

impl Drops {
    fn is_empty(&self) -> bool {
        self.delete.is_empty()
            && self.rows.is_empty()
            && self.outbox.is_empty()
            && self.compacted_remove.is_empty()
            && self.unlinks.is_empty()
            && self.dead_put.is_empty()
            && self.dead_remove.is_empty()
            && self.counters == Counters::default()
    }

    /// Log entries dropped in one script at most.
    pub const ENTRIES_MAX: usize = 2_000;

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
        let commit = Commit {
            delete: drops.delete,
            rows,
            seen: drops.seen,
            outbox: drops.outbox,
            compacted_remove: drops.compacted_remove,
            unlinks: drops.unlinks,
            dead_put: drops.dead_put,
            dead_remove: drops.dead_remove,
            intents_done: self.batches.take_done(),
            counters,
            ..Commit::default()
        };
        self.commit(Script::Settle, commit, out);
        for key in keys {
            self.table.rest(&key);
        }
    }
}

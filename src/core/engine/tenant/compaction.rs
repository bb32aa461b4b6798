//! Compaction: log entries of a record become one folded entry, so that an outage costs memory by distinct records.

use std::time::Duration;

use super::table::Table;
use super::{Effect, Machine, Note};
use crate::domain::ids::RecordKey;
use crate::domain::time::Timestamp;
use crate::engine::commit::{Commit, DeadKey, Script};

/// Records in one script at most.
const RECORDS_MAX: usize = 200;
/// Entries in one script at most (log-road rule 24).
const ENTRIES_MAX: usize = 1_000;
/// How often stragglers are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Scripts on their way beyond which no compaction begins.
const SCRIPTS_MAX: usize = 8;

impl Machine {
    /// Compacts what has grown past a bound: entries in memory, age, or records while nothing can be sent.
    pub(super) fn compact(&mut self, out: &mut Vec<Effect>) {
        if self.commits.len() >= SCRIPTS_MAX || self.phase != super::Phase::Live {
            return;
        }
        let now = self.now;
        let many = self.table.entries_total() >= self.settings.compact_after_entries;
        let stalled = self.paused || self.breaker.is_open(now);
        let full = stalled && self.reading.blocked_by_bounds();
        if !many && !full && self.looked_for_stragglers.after(LOOK_EVERY) > now {
            return;
        }
        self.looked_for_stragglers = now;
        let age = self.settings.compact_after_age;
        let wanted = |table: &Table, key: &RecordKey| {
            let pending = table
                .records
                .get(key)
                .filter(|r| r.flight.is_none())?
                .pending
                .as_ref()?;
            let old = pending
                .entries
                .first()
                .is_some_and(|e| now.since(Timestamp(e.id.ms)) > age);
            let worth = !pending.entries.is_empty() && (old || full || (many && pending.entries.len() > 1));
            (worth && pending.entries.len() <= ENTRIES_MAX).then_some(pending.entries.len())
        };
        let mut chosen = Vec::new();
        let mut entries = 0;
        for key in self.table.records.keys() {
            let Some(count) = wanted(&self.table, key) else {
                continue;
            };
            if chosen.len() >= RECORDS_MAX || (entries > 0 && entries + count > ENTRIES_MAX) {
                break;
            }
            entries += count;
            chosen.push(key.clone());
        }
        if chosen.is_empty() {
            return;
        }
        let mut commit = Commit::default();
        for key in &chosen {
            self.compact_record(key, &mut commit);
        }
        self.commit(Script::Compact, commit, out);
        if full {
            // Memory is full and nothing can be sent: what is folded in Redis may be forgotten (rule 19).
            for key in &chosen {
                if self.table.records.get(key).is_some_and(|r| r.doubt.is_none()) {
                    self.table.forget(key);
                    self.table.forgotten += 1;
                }
            }
        }
        out.push(Effect::Note(Note::Compacted {
            records: chosen.len(),
            entries,
        }));
    }

    fn compact_record(&mut self, key: &RecordKey, commit: &mut Commit) {
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        let Some(pending) = &mut record.pending else { return };
        if std::mem::take(&mut pending.from_dead) {
            // The fold holds what the dead letter wanted: an owner that loads both must not put it beneath once more.
            record.row.dead_letter = false;
            commit.dead_remove.push(DeadKey::Record(key.clone()));
            commit.rows.push((key.clone(), record.row.clone()));
        }
        let entries = std::mem::take(&mut pending.entries);
        let count = entries.len() as u64;
        pending.compacted = pending.compacted.saturating_add(count);
        pending.from_compacted = true;
        commit.seen.append(&mut pending.keys);
        commit.compacted_put.push((key.clone(), pending.fold.clone()));
        commit.counters.compacted += i64::try_from(count).unwrap_or(i64::MAX);
        commit.delete.extend_from_slice(&entries);
        self.table.count_entries(&entries, false);
    }
}

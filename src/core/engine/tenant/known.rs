//! A product's change against the events that the product was told: what only says back what Salesforce holds, what was
//! made without having seen an event, and who wins then.

use std::time::Duration;

use super::Machine;
use super::table::Record;
use crate::domain::change::Change;
use crate::domain::event::EventId;
use crate::domain::ids::{FieldIdx, RecordKey};
use crate::domain::plan::{ObjectPlan, Policy};
use crate::domain::row::{FieldHash, Row, Side, Told};
use crate::domain::value;
use crate::engine::stamps::{self, Decided};

/// An edit without `seen_revision` counts as having seen events that are this much older than its entry.
const ASSUME_SEEN_AFTER: Duration = Duration::from_secs(5);

/// Fields of a change whose value is the one that the event which it names told, or found in Salesforce.
#[derive(Debug, Default)]
struct Mirrored {
    /// Salesforce holds the value: nothing is left to do.
    here: Vec<FieldIdx>,
    /// The product was told a newer value since, which it will hold.
    history: Vec<FieldIdx>,
}

impl Machine {
    /// Takes out of a product's change what an event said before and what lost to an event that the edit had not seen.
    /// False when nothing is left and the entry was dropped.
    pub(super) fn drop_known(&mut self, change: &mut Change) -> bool {
        let Some(plan) = self.plan.object(&change.record.object).cloned() else {
            return true;
        };
        if change.fields.is_empty() || !self.compares_with_events(change) {
            return true;
        }
        let mut hashes: Vec<(FieldIdx, FieldHash)> = Vec::with_capacity(change.fields.len());
        for (idx, raw) in &change.fields {
            let hash = plan
                .at(*idx)
                .and_then(|f| {
                    value::to_salesforce(f, raw)
                        .ok()
                        .map(|v| self.digest.field(&plan.object, &f.name, v.normal.as_bytes()))
                })
                .unwrap_or_default();
            hashes.push((*idx, hash));
        }
        let Mirrored { here, history } = self.mirrored(&plan, change, &hashes);
        let mirrored: Vec<FieldIdx> = here.iter().chain(&history).copied().collect();
        let lost = self.lost_to_events(&plan, change, &hashes, &mirrored);
        if mirrored.is_empty() && lost.is_empty() {
            return true;
        }
        let held = change.fields.iter().filter(|(idx, _)| here.contains(idx));
        self.heed(&change.record, &held.cloned().collect::<Vec<_>>());
        change
            .fields
            .retain(|(idx, _)| !mirrored.contains(idx) && !lost.contains(idx));
        let by = Decided {
            version: change.version.unwrap_or(0),
            packed: change.entry.id.packed(),
        };
        let all = plan.fields.len();
        if let Some(record) = self.table.records.get_mut(&change.record) {
            // What older entries still want of a field must not turn stale by it, should the next owner fold them again.
            let gone = here.iter().chain(&lost).copied();
            let gone: Vec<FieldIdx> = gone.filter(|idx| !under_way(record, *idx)).collect();
            stamps::stamp(&mut record.row, &gone, by, all, self.now);
            self.drops.rows.insert(change.record.clone());
        }
        if !lost.is_empty() {
            self.tell_conflict(
                &change.record.clone(),
                &lost,
                Side::Salesforce,
                change.traceparent.clone(),
            );
        }
        if change.fields.is_empty() {
            self.drops.delete.push(change.entry);
            self.drops.seen.extend(change.idempotency);
            if mirrored.is_empty() {
                self.drops.counters.refused += 1;
            } else {
                self.drops.counters.settled += 1;
            }
            return false;
        }
        true
    }

    /// Whether the product was told anything that the change can be held against: hashing its values is dear.
    fn compares_with_events(&self, change: &Change) -> bool {
        let record = self.table.records.get(&change.record);
        named(change).is_some() || record.is_some_and(|record| !record.row.told.is_empty())
    }

    /// Fields that only say back what the event said which the change names.
    fn mirrored(&self, plan: &ObjectPlan, change: &Change, hashes: &[(FieldIdx, FieldHash)]) -> Mirrored {
        let mut mirrored = Mirrored::default();
        let Some(event) = named(change) else {
            return mirrored;
        };
        let Some(record) = self.table.records.get(&change.record) else {
            return mirrored;
        };
        if !self.of_this_life(&change.record, event.revision) {
            return mirrored;
        }
        for hash in hashes.iter().filter(|h| event.says.under(plan.version).contains(h)) {
            let newer = |t: &&Told| t.revision > event.revision && t.fields.iter().any(|(idx, _)| *idx == hash.0);
            if record.row.told.iter().any(|t| newer(&t)) {
                mirrored.history.push(hash.0);
            } else if !under_way(record, hash.0)
                && record.base_known()
                && record.row.base.get(plan.version, hash.0) == hash.1
            {
                mirrored.here.push(hash.0);
            }
        }
        // A group of which a member is an edit is written whole.
        let edited = |idx: &FieldIdx| {
            let said = |i: &FieldIdx| mirrored.here.contains(i) || mirrored.history.contains(i);
            let mut given = hashes.iter().map(|(i, _)| i);
            given.any(|i| !said(i) && plan.together(*idx).contains(i))
        };
        let edited: Vec<FieldIdx> = mirrored.here.iter().copied().filter(edited).collect();
        mirrored.here.retain(|idx| !edited.contains(idx));
        mirrored
    }

    /// Whether an event of this revision tells of the record as it is, not of one that was deleted and made anew.
    fn of_this_life(&self, key: &RecordKey, revision: u64) -> bool {
        self.table
            .records
            .get(key)
            .is_some_and(|record| !deleting(record) && revision >= record.row.born)
    }

    /// Units of the change that an unseen event had told the product of with another value: by policy Salesforce wins
    /// them, or the product does and is told its own value again, because it may have applied the event meanwhile.
    fn lost_to_events(
        &mut self,
        plan: &ObjectPlan,
        change: &Change,
        hashes: &[(FieldIdx, FieldHash)],
        mirrored: &[FieldIdx],
    ) -> Vec<FieldIdx> {
        let seen = change.seen_revision.max(named(change).map(|e| e.revision));
        let imports_read = self.reading.imports_read();
        let Some(record) = self.table.records.get_mut(&change.record) else {
            return Vec::new();
        };
        if let Some(revision) = seen
            && record.row.told.iter().any(|t| t.revision <= revision && !t.answered)
        {
            record
                .row
                .told
                .iter_mut()
                .filter(|t| t.revision <= revision)
                .for_each(|t| t.answered = true);
            if record.pending.is_none() && record.flight.is_none() {
                forget_answered(&mut record.row, imports_read);
            }
            self.drops.rows.insert(change.record.clone());
        }
        if deleting(record) {
            // The events told of a record that the product has deleted since.
            return Vec::new();
        }
        let mut lost: Vec<FieldIdx> = Vec::new();
        let mut kept: Vec<FieldIdx> = Vec::new();
        if seen.is_none() {
            let touched = |idx: &FieldIdx| hashes.iter().any(|(i, _)| i == idx);
            for told in &mut record.row.told {
                if change.entry.id.ms > told.at.after(ASSUME_SEEN_AFTER).0 {
                    told.fields.retain(|(idx, _)| !touched(idx));
                }
            }
            record.row.told.retain(|t| !t.fields.is_empty());
        }
        for told in record
            .row
            .told
            .iter()
            .rev()
            .filter(|t| seen.is_none_or(|revision| revision < t.revision))
        {
            for (idx, hash) in hashes {
                let differs = told.fields.iter().any(|(i, h)| i == idx && h != hash);
                let decided = lost.contains(idx) || kept.contains(idx) || mirrored.contains(idx);
                if !differs || decided {
                    continue;
                }
                let unit = plan.together(*idx);
                let policy = plan.at(*idx).map(|f| f.on_conflict);
                if policy == Some(Policy::Product) {
                    &mut kept
                } else {
                    &mut lost
                }
                .extend(unit);
            }
        }
        if !kept.is_empty() {
            self.reassert(plan, change, &kept);
        }
        lost
    }
}

/// Events that an edit has answered say nothing more, unless an import that was not read yet is older than the answer.
pub(super) fn forget_answered(row: &mut Row, imports_read: bool) {
    if imports_read {
        row.told.retain(|t| !t.answered);
    }
}

/// The event that caused the change, or that asked for it.
fn named(change: &Change) -> Option<&EventId> {
    change.caused_by.as_ref().or(change.answers.as_ref())
}

/// Whether a delete of the record by the product is under way, with or without a new life after it.
fn deleting(record: &Record) -> bool {
    record.wishes().any(|p| p.fold.delete)
}

/// Whether some other value of the field may still be on its way: what Salesforce holds now is not what it will hold.
fn under_way(record: &Record, idx: FieldIdx) -> bool {
    let mut wishes = record.wishes();
    wishes.any(|p| p.fold.fields.iter().any(|f| f.idx == idx))
}

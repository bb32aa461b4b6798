//! One change event of one record: ours or not, who else changed what, who wins, what the product is told.
//!
//! The base is what Salesforce was last known to hold. An event is our own write exactly as far as its values are the
//! ones that we wrote under the sequence it carries; every other value is an edit of Salesforce's, whoever made it.
//! Writes of ours that were committed later than the event hide its values: their own events are still to come.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Machine;
use super::inbound::{Tally, Work, is_not_newer};
use super::merge::{Heard, Verdict, tell, units};
use super::own_writes::{
    awaits, deleting, highest_seq, is_ours, soon_stood_over, stands_over, stood_over, wants_alive, written_by,
    written_since,
};
use super::product_event::{self, changed};
use super::questions;
use crate::domain::event::{Event, EventType, Says};
use crate::domain::ids::{FieldIdx, RecordKey};
use crate::domain::payload::RawJson;
use crate::domain::plan::ObjectPlan;
use crate::domain::row::{Row, Side};
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::time::Timestamp;
use crate::engine::commit::{Commit, EngineEntry, Verb};
use crate::engine::inbound::{ChangeEvent, ChangeKind, SalesforceValue};

impl Machine {
    pub(super) fn decide_event(
        &mut self,
        work: &Work,
        event: &ChangeEvent,
        id: SalesforceId,
        commit: &mut Commit,
        touched: &mut BTreeSet<RecordKey>,
        tally: &mut Tally,
    ) {
        let Some(plan) = self.plan.by_sobject(&event.sobject).cloned() else {
            return;
        };
        let Some(key) = self.record_of(work, event, id) else {
            tally.unlinked += 1;
            self.errands.overtake(id);
            if asks_whose(&plan) {
                self.ask_whose(work, &plan, event, id, commit, touched);
            }
            return;
        };
        if key.is_keyless() {
            tally.unlinked += 1;
            self.errands.overtake(id);
            if event.kind == ChangeKind::Delete || work.is_gone(id) {
                self.withdraw(&key, id, commit);
            }
            return;
        }
        if event.kind == ChangeKind::Delete || (event.kind == ChangeKind::Gap && work.is_gone(id)) {
            self.decide_delete(&key, id, commit, touched, tally);
            return;
        }
        let own = plan
            .sequence
            .as_deref()
            .and_then(|name| event.field(name))
            .and_then(sequence_of);
        let taken_back;
        let (event, back) = match self.is_of_the_dead(&key, id) {
            true if event.kind == ChangeKind::Seen && self.is_back(work, &key, id) => {
                taken_back = ChangeEvent {
                    kind: ChangeKind::Undelete,
                    ..event.clone()
                };
                (&taken_back, true)
            }
            true if event.kind != ChangeKind::Undelete => {
                tally.echoes += 1;
                return;
            }
            _ => (event, false),
        };
        let may_be_late = matches!(event.kind, ChangeKind::Create | ChangeKind::Seen);
        if may_be_late && self.came_too_late(&key, id, own, commit) {
            touched.insert(key);
            tally.echoes += 1;
            return;
        }
        if !self.link_by_event(&key, id, event, own, commit) {
            tally.unlinked += 1;
            return;
        }
        touched.insert(key.clone());
        let anew = back || self.may_be_known(&plan, event, &key);
        let heard = self.hear(work, &plan, event, id, anew);
        let Some(record) = self.table.records.get(&key) else {
            return;
        };
        if own.is_some_and(|seq| seq > highest_seq(record)) {
            // The org knows a number of ours that Redis does not: neither a repair nor an import (log-road rule 10).
            self.behind(&key);
            return;
        }
        let looked_at = (event.kind == ChangeKind::Seen).then_some(own.unwrap_or(0));
        // What an undelete brings back is somebody's decision, whoever wrote it once. A look finds the last sequence also
        // where somebody else has changed the record since.
        let own = own.filter(|seq| match event.kind {
            ChangeKind::Undelete => false,
            ChangeKind::Seen => awaits(record, *seq),
            _ => true,
        });
        let mut row = record.row.clone();
        if !is_not_newer(&row, event) {
            row.read_as_of_s = 0;
        }
        let mut verdict = Verdict::default();
        let mut heard = heard;
        if let Some(seq) = looked_at {
            heard.retain(|h| !written_since(record, seq, h.idx));
            // A look tells every field: one that nobody has ever set is no news.
            for h in heard.extract_if(.., |h| {
                let unknown = !record.row.base.get(plan.version, h.idx).is_known();
                unknown && h.told.as_ref().is_some_and(RawJson::is_null)
            }) {
                row.base.set(plan.version, h.idx, h.hash);
            }
        }
        if let Some(seq) = own {
            // What we wrote and the event does not tell had that value before: the write is in place all the same.
            for (idx, hash) in written_by(record, seq) {
                if !stood_over(record, seq, idx) {
                    row.base.set(plan.version, idx, hash);
                }
            }
            let (ours, foreign): (Vec<Heard>, Vec<Heard>) =
                heard.into_iter().partition(|h| is_ours(record, &plan, seq, h));
            let (soon, foreign): (Vec<Heard>, Vec<Heard>) = foreign
                .into_iter()
                .filter(|h| !stood_over(record, seq, h.idx))
                .partition(|h| soon_stood_over(record, seq, h.idx));
            for h in ours.iter().chain(&soon) {
                if !stood_over(record, seq, h.idx) {
                    row.base.set(plan.version, h.idx, h.hash);
                }
            }
            if foreign.is_empty() {
                tally.echoes += 1;
            }
            #[cfg(feature = "sabotage")]
            self.tell_echo(&plan, ours, &mut verdict);
            heard = foreign;
        }
        if looked_at.is_some() {
            // The row holds our write and, where it differs, what somebody put over it: the write is no wish any more.
            self.confirm(&key, own, &mut row);
            if let (Some(seq), Some(record)) = (own, self.table.records.get_mut(&key)) {
                record.row.unconfirmed.retain(|write| write.seq > seq);
            }
        }
        let Some(record) = self.table.records.get(&key) else {
            return;
        };
        if deleting(record) {
            // The product deleted the record and wins: an edit that came between is said to be lost.
            for h in std::mem::take(&mut heard) {
                if row.base.get(plan.version, h.idx) != h.hash {
                    if !stands_over(record, h.idx) {
                        row.base.set(plan.version, h.idx, h.hash);
                    }
                    verdict.lost_by_salesforce.push(h.idx);
                }
            }
        }
        for unit in units(&plan, heard) {
            self.decide_unit(&plan, record, &mut row, unit, &mut verdict);
        }
        self.confirm(&key, own, &mut row);
        let kind = if event.kind == ChangeKind::Undelete {
            EventType::Undeleted
        } else {
            EventType::Changed
        };
        let (told, conflicts) = self.carry_out(&plan, &key, (kind, event.committed), row, verdict, commit);
        tally.told += usize::from(told);
        tally.conflicts += conflicts;
    }

    /// Asks the product whose a record is that nobody knows, once: the index remembers that it was asked.
    fn ask_whose(
        &mut self,
        work: &Work,
        plan: &ObjectPlan,
        event: &ChangeEvent,
        id: SalesforceId,
        commit: &mut Commit,
        touched: &mut BTreeSet<RecordKey>,
    ) {
        let whole = matches!(event.kind, ChangeKind::Create | ChangeKind::Undelete | ChangeKind::Seen);
        let known = work.reads.contains_key(&id) || whole;
        if !known {
            return;
        }
        let now = self.now;
        let mut verdict = Verdict::default();
        tell(plan, self.hear(work, plan, event, id, true), &mut verdict);
        let data = product_event::object(verdict.tell.into_iter());
        let key = RecordKey::keyless(Arc::clone(&plan.object), id);
        let record = self.table.records.entry(key.clone()).or_default();
        record.row.salesforce_id = Some(id);
        let says = Says {
            plan: plan.version,
            fields: verdict.says,
        };
        let asked = questions::whose(&key, &mut record.row, id, Some(data), says, now);
        commit.outbox.push(asked);
        commit.questions.push((key.clone(), questions::due(now)));
        commit.links.push((id, key.clone()));
        self.table.by_id.insert(id, key.clone());
        touched.insert(key);
    }

    /// A record without a key is gone before anybody said whose it was.
    fn withdraw(&mut self, key: &RecordKey, id: SalesforceId, commit: &mut Commit) {
        self.table.forget(key);
        commit.unlink(id);
        commit.questions.retain(|(asked, _)| asked != key);
        commit.rows_remove.push(key.clone());
        commit.questions_remove.push(key.clone());
    }

    /// Redis has forgotten writes of ours: said once a life, and shown among the errors.
    fn behind(&mut self, key: &RecordKey) {
        self.note_error(&Arc::from("redis_behind"));
        self.table.rest(key);
        if !std::mem::replace(&mut self.told_behind, true) {
            self.tell_tenant(
                "redis_behind",
                "the org holds newer writes than Redis remembers; audit the tenant",
            );
        }
    }

    /// Whether a record that a look found, and that was deleted, was read since and is there.
    fn is_back(&self, work: &Work, key: &RecordKey, id: SalesforceId) -> bool {
        let wanted_gone = self.table.records.get(key).is_some_and(|record| deleting(record));
        work.reads.contains_key(&id) && !work.is_gone(id) && !wanted_gone
    }

    /// Whether the id is that of the record as it was before it was deleted: its late events are history.
    pub(super) fn is_of_the_dead(&self, key: &RecordKey, id: SalesforceId) -> bool {
        let row = self.table.records.get(key).map(|r| &r.row);
        row.is_some_and(|row| row.salesforce_id != Some(id) && row.tombstone.is_some_and(|t| t.id == Some(id)))
    }

    /// A create of ours that happened after the record was deleted, because its outcome was in doubt: no rule of
    /// Salesforce stops it, so it is deleted again (C4).
    fn came_too_late(&mut self, key: &RecordKey, id: SalesforceId, own: Option<u64>, commit: &mut Commit) -> bool {
        let Some(record) = self.table.records.get_mut(key) else {
            return false;
        };
        let lost_meanwhile = record
            .flight
            .as_ref()
            .is_some_and(|f| f.deleted && Some(f.write.seq) == own);
        let wanted = wants_alive(record);
        let row = &mut record.row;
        let Some(tombstone) = row.tombstone else {
            return false;
        };
        let late = own.is_some_and(|seq| lost_meanwhile || !wanted || seq <= row.last_seq);
        if row.salesforce_id.is_some() || tombstone.id == Some(id) || !late {
            return false;
        }
        row.salesforce_id = Some(id);
        // Its event has come: should the answer follow, no other is awaited.
        record.confirmed_seq = record.confirmed_seq.max(own.unwrap_or(0));
        commit.links.push((id, key.clone()));
        self.table.by_id.insert(id, key.clone());
        // Where the product has made the record anew, its create finds this one by the key and writes it over, whole;
        // should the product delete it before that, this is the record to delete.
        if !wanted {
            commit.append.push(EngineEntry {
                record: key.clone(),
                data: None,
                traceparent: None,
            });
            self.reading.wake();
        }
        true
    }

    /// Whether the event's record is this key's; a create or undelete of ours, or with our key, links it.
    fn link_by_event(
        &mut self,
        key: &RecordKey,
        id: SalesforceId,
        event: &ChangeEvent,
        own: Option<u64>,
        commit: &mut Commit,
    ) -> bool {
        let Some(record) = self.table.records.get_mut(key) else {
            return false;
        };
        let in_place = own.is_some_and(|seq| seq > record.row.last_seq && seq <= highest_seq(record));
        if record.row.salesforce_id == Some(id) {
            if in_place && wants_alive(record) && record.row.tombstone.take().is_some() {
                // A late create was there; the one that the product wants has written it over.
                let linked = product_event::linked(key, &mut record.row, self.now, None);
                commit.outbox.push(linked);
            }
            return true;
        }
        let creating = record.flight.as_ref().is_some_and(|f| f.verb == Verb::Create)
            || record.doubt.is_some_and(|d| d.verb == Verb::Create)
            || in_place;
        let revived = event.kind == ChangeKind::Undelete;
        let blank = record.row.salesforce_id.is_none() && record.row.tombstone.is_none();
        let product_knows = record.pending.is_some() || record.flight.is_some() || record.row.last_seq > 0;
        let ours = creating || own.is_some() || revived || (blank && product_knows);
        if record.row.salesforce_id.is_some() || !ours || (record.row.tombstone.is_some() && !creating && !revived) {
            return false;
        }
        record.row.salesforce_id = Some(id);
        record.row.tombstone = None;
        if !revived {
            commit
                .outbox
                .push(product_event::linked(key, &mut record.row, self.now, None));
        }
        commit.links.push((id, key.clone()));
        self.table.by_id.insert(id, key.clone());
        true
    }

    /// An own event shows that a write, and all before it, are in place.
    fn confirm(&mut self, key: &RecordKey, own: Option<u64>, row: &mut Row) {
        let Some(seq) = own else { return };
        row.unconfirmed.retain(|write| write.seq > seq);
        // Used for certain: should this owner die before the answer, the next one sends above it, or not at all.
        row.last_seq = row.last_seq.max(seq);
        if let Some(record) = self.table.records.get_mut(key) {
            record.confirmed_seq = record.confirmed_seq.max(seq);
            record.placed_seq = record.placed_seq.max(seq);
            record.doubted.retain(|write| write.seq > seq);
        }
    }

    /// Tells, writes back and remembers what a verdict says. Whether the product was told of values, and conflicts.
    pub(super) fn carry_out(
        &mut self,
        plan: &ObjectPlan,
        key: &RecordKey,
        (kind, at): (EventType, Timestamp),
        mut row: Row,
        verdict: Verdict,
        commit: &mut Commit,
    ) -> (bool, usize) {
        let now = self.now;
        let told: Vec<(FieldIdx, RawJson)> = verdict
            .tell
            .iter()
            .filter_map(|(name, value)| Some((plan.field(name)?.idx, value.clone())))
            .collect();
        let dying = self.table.records.get(key).is_some_and(|r| deleting(r));
        let tells = !verdict.tell.is_empty() || (kind == EventType::Undeleted && !dying);
        if tells {
            let says = Says {
                plan: plan.version,
                fields: verdict.says,
            };
            let news = changed(kind, key, &mut row, &verdict.tell, says, now);
            commit.outbox.push(Event { at, ..news });
        }
        let mut conflicts = 0;
        let lost = [
            (verdict.lost_by_product, Side::Salesforce),
            (verdict.lost_by_salesforce, Side::Product),
        ];
        for (fields, winner) in lost {
            if fields.is_empty() {
                continue;
            }
            conflicts += 1;
            let id = self.conflict_id();
            let names = product_event::names(plan, &fields);
            commit
                .outbox
                .push(product_event::conflict(key, &mut row, &id, &names, winner, None, now));
        }
        if !verdict.write_back.is_empty() {
            let fields = verdict
                .write_back
                .iter()
                .filter_map(|(name, _)| plan.field(name))
                .map(|f| f.idx);
            if let Some(record) = self.table.records.get_mut(key) {
                record.unread.extend(fields);
            }
            let members: serde_json::Map<String, serde_json::Value> = verdict
                .write_back
                .iter()
                .filter_map(|(name, raw)| Some((name.to_string(), serde_json::from_slice(raw.expose()).ok()?)))
                .collect();
            let data = RawJson::from_checked(serde_json::Value::Object(members).to_string());
            commit.append.push(EngineEntry {
                record: key.clone(),
                data: Some(data),
                traceparent: None,
            });
            self.reading.wake();
        }
        let Some(record) = self.table.records.get_mut(key) else {
            return (tells, conflicts);
        };
        record.row = row;
        // What Salesforce changed since a dead letter was written is no longer the letter's to say.
        if let Some(letter) = record.dead.as_mut().filter(|_| !told.is_empty()) {
            if letter.heed(&told, record.row.tombstone.is_some()) {
                record.dead = None;
                record.row.dead_letter = false;
                commit.remove_letter(key);
            } else {
                commit.put_letter(key, letter.clone());
            }
        }
        (tells, conflicts)
    }
}

/// Whether the product is asked whose a record of Salesforce's is that has no key.
pub(super) fn asks_whose(plan: &ObjectPlan) -> bool {
    plan.matching.is_some() && plan.direction.tells_product()
}

/// The sequence field's number.
fn sequence_of(value: &SalesforceValue) -> Option<u64> {
    match value {
        SalesforceValue::Int(n) => u64::try_from(*n).ok(),
        SalesforceValue::Double(n) if *n >= 0.0 => Some(*n as u64),
        SalesforceValue::Text(text) => text.parse().ok(),
        SalesforceValue::Null | SalesforceValue::Bool(_) | SalesforceValue::Double(_) => None,
    }
}

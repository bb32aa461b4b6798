//! One change event of one record: ours or not, who else changed what, who wins, what the product is told.
//!
//! The base is what Salesforce was last known to hold. An event is our own write exactly as far as its values are the
//! ones that we wrote under the sequence it carries; every other value is an edit of Salesforce's, whoever made it.
//! Writes of ours that were committed later than the event hide its values: their own events are still to come.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Machine;
use super::inbound::{Tally, Work, id_of};
use super::product_event::{self, changed};
use super::table::{Record, set_hash};
use crate::domain::event::{Event, EventType};
use crate::domain::ids::{FieldIdx, RecordKey};
use crate::domain::payload::RawJson;
use crate::domain::plan::{FieldPlan, Kind, ObjectPlan, Policy};
use crate::domain::row::{FieldHash, Row, Side};
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::value::{self, Told};
use crate::engine::commit::{Commit, DeadKey, EngineEntry, Verb};
use crate::engine::inbound::{ChangeEvent, ChangeKind, SalesforceValue};

/// One field of an event, understood.
struct Heard {
    idx: FieldIdx,
    name: Arc<str>,
    hash: FieldHash,
    /// The value in product terms; none for a reference to a record without a key.
    told: Option<RawJson>,
}

/// What the product side wants of a field at the moment of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Local {
    /// Nothing.
    No,
    /// An edit that was not sent yet, with its hash.
    Pending(FieldHash),
    /// A write on its way, or in doubt.
    InFlight(FieldHash),
    /// A write that is in place; its event is to come.
    Sent(FieldHash),
}

impl Local {
    fn hash(self) -> Option<FieldHash> {
        match self {
            Self::No => None,
            Self::Pending(h) | Self::InFlight(h) | Self::Sent(h) => Some(h),
        }
    }
}

/// What an event comes to for one record.
#[derive(Default)]
struct Verdict {
    tell: Vec<(Arc<str>, RawJson)>,
    says: Vec<(FieldIdx, FieldHash)>,
    write_back: Vec<(Arc<str>, RawJson)>,
    lost_by_product: Vec<FieldIdx>,
    lost_by_salesforce: Vec<FieldIdx>,
}

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
        let Some(plan) = self.plan.by_sobject(&event.sobject).cloned() else { return };
        let Some(key) = self.record_of(work, event, id) else {
            tally.unlinked += 1;
            return;
        };
        if event.kind == ChangeKind::Delete || (event.kind == ChangeKind::Gap && work.is_gone(id)) {
            self.decide_delete(&key, id, commit, touched, tally);
            return;
        }
        let own = plan.sequence.as_deref().and_then(|name| event.field(name)).and_then(sequence_of);
        if event.kind == ChangeKind::Create && self.came_too_late(&key, id, own, commit) {
            touched.insert(key);
            tally.echoes += 1;
            return;
        }
        if !self.link_by_event(&key, id, event, own, commit) {
            tally.unlinked += 1;
            return;
        }
        touched.insert(key.clone());
        let heard = self.hear(work, &plan, event, id);
        let Some(record) = self.table.records.get(&key) else { return };
        let own = own.filter(|seq| *seq <= highest_seq(record));
        #[cfg(feature = "sabotage")]
        let own = own.filter(|_| self.settings.sabotage != Some(super::settings::Sabotage::Echo));
        let mut row = record.row.clone();
        let mut verdict = Verdict::default();
        let mut heard = heard;
        if let Some(seq) = own {
            // What we wrote and the event does not tell had that value before: the write is in place all the same.
            for (idx, hash) in written_by(record, seq) {
                if !hidden_by_later(record, seq, idx) {
                    row.base.set(plan.version, idx, hash);
                }
            }
            let (ours, foreign): (Vec<Heard>, Vec<Heard>) = heard.into_iter().partition(|h| is_ours(record, &plan, seq, h));
            for h in &ours {
                if !hidden_by_later(record, seq, h.idx) {
                    row.base.set(plan.version, h.idx, h.hash);
                }
            }
            if foreign.is_empty() {
                tally.echoes += 1;
            }
            heard = foreign.into_iter().filter(|h| !hidden_by_later(record, seq, h.idx)).collect();
        }
        if deleting(record) {
            // The product deleted the record and wins: an edit that came between is said to be lost.
            for h in std::mem::take(&mut heard) {
                if row.base.get(plan.version, h.idx) != h.hash {
                    row.base.set(plan.version, h.idx, h.hash);
                    verdict.lost_by_salesforce.push(h.idx);
                }
            }
        }
        for unit in units(&plan, heard) {
            self.decide_unit(&plan, record, &mut row, unit, &mut verdict);
        }
        self.confirm(&key, own, &mut row);
        self.carry_out(&key, event, row, verdict, commit, tally);
    }

    /// A create of ours that happened after the record was deleted, because its outcome was in doubt: no rule of
    /// Salesforce stops it, so it is deleted again (C4).
    fn came_too_late(&mut self, key: &RecordKey, id: SalesforceId, own: Option<u64>, commit: &mut Commit) -> bool {
        let Some(record) = self.table.records.get_mut(key) else { return false };
        let row = &mut record.row;
        let Some(tombstone) = row.tombstone else { return false };
        if row.salesforce_id.is_some() || tombstone.id == Some(id) || own.is_none_or(|seq| seq > row.last_seq) {
            return false;
        }
        row.salesforce_id = Some(id);
        commit.links.push((id, key.clone()));
        commit.append.push(EngineEntry { record: key.clone(), data: None, traceparent: None });
        self.table.by_id.insert(id, key.clone());
        self.reading.wake();
        true
    }

    /// Whether the event's record is this key's; a create or undelete of ours, or with our key, links it.
    fn link_by_event(&mut self, key: &RecordKey, id: SalesforceId, event: &ChangeEvent, own: Option<u64>, commit: &mut Commit) -> bool {
        let Some(record) = self.table.records.get_mut(key) else { return false };
        if record.row.salesforce_id == Some(id) {
            return true;
        }
        let creating = record.flight.as_ref().is_some_and(|f| f.verb == Verb::Create)
            || record.doubt.is_some_and(|d| d.verb == Verb::Create)
            || own.is_some_and(|seq| seq > record.row.last_seq && seq <= highest_seq(record));
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
            commit.outbox.push(product_event::linked(key, &mut record.row, self.now, None));
        }
        commit.links.push((id, key.clone()));
        self.table.by_id.insert(id, key.clone());
        true
    }

    /// The event's mapped fields, normalised.
    fn hear(&self, work: &Work, plan: &ObjectPlan, event: &ChangeEvent, id: SalesforceId) -> Vec<Heard> {
        let read = work.reads.get(&id);
        let mut heard = Vec::new();
        for field in &plan.fields {
            let from_read = read.and_then(|values| values.iter().find(|(n, _)| *n == field.salesforce)).map(|(_, v)| v);
            let in_event = event.field(&field.salesforce);
            // A group is heard as a whole: from the read, where the event held a part of it only.
            let Some(value) = from_read.or(in_event) else { continue };
            if let Some(h) = self.hear_field(work, plan, field, value) {
                heard.push(h);
            }
        }
        heard
    }

    fn hear_field(&self, work: &Work, plan: &ObjectPlan, field: &FieldPlan, value: &SalesforceValue) -> Option<Heard> {
        let parent = (field.kind == Kind::Reference).then(|| id_of(value)).flatten().and_then(|id| self.key_of(work, id));
        let inbound = value::to_product(field, value, parent.as_ref().map(|p| p.key.as_ref())).ok()?;
        let hash = self.digest.field(&plan.object, &field.name, inbound.normal.as_bytes());
        let told = match inbound.told {
            Told::Value(json) => Some(json),
            Told::ParentWithoutKey(_) => None,
        };
        Some(Heard { idx: field.idx, name: Arc::clone(&field.name), hash, told })
    }

    /// Fields that travel together, and what Salesforce's edit of them means.
    fn decide_unit(&self, plan: &ObjectPlan, record: &Record, row: &mut Row, unit: Vec<Heard>, verdict: &mut Verdict) {
        let locals: Vec<Local> = unit.iter().map(|h| self.local(plan, record, h.idx)).collect();
        let same_as_base = unit.iter().all(|h| row.base.get(plan.version, h.idx) == h.hash);
        // A write of ours that was committed later stands over the event's value.
        let standing = |h: &Heard| record.row.unconfirmed.iter().any(|w| super::rows::hash_of(w, h.idx).is_some());
        let sent = unit.iter().any(standing);
        if !sent {
            for h in &unit {
                row.base.set(plan.version, h.idx, h.hash);
            }
        }
        // What the product was told last, and no edit of it has answered, is what the product will hold: whatever
        // of its own is still under way lost to that already.
        let open = || record.row.told.iter().filter(|t| !t.answered);
        let told = |idx: FieldIdx| open().flat_map(|t| &t.fields).find(|(i, _)| *i == idx).map(|(_, h)| *h);
        if unit.iter().any(|h| told(h.idx).is_some()) {
            if unit.iter().any(|h| told(h.idx) != Some(h.hash)) {
                self.flows(record, &locals, unit, plan, verdict);
            }
            return;
        }
        let differs = unit.iter().zip(&locals).any(|(h, local)| local.hash().is_some_and(|hash| hash != h.hash));
        if !differs {
            // Both sides hold it, or only Salesforce changed it.
            if !same_as_base && locals.iter().all(|l| *l == Local::No) {
                self.flows(record, &locals, unit, plan, verdict);
            }
            return;
        }
        if same_as_base && !sent {
            // Salesforce still holds what it held when the product's edit was made.
            return;
        }
        let policy = unit.first().and_then(|h| plan.at(h.idx)).map_or(Policy::Salesforce, |f| f.on_conflict);
        let fields = unit.iter().map(|h| h.idx);
        match policy {
            Policy::Product => verdict.lost_by_salesforce.extend(fields),
            Policy::Salesforce => {
                verdict.lost_by_product.extend(fields);
                write_back(&unit, verdict);
                tell(plan, unit, verdict);
            }
        }
    }

    /// Salesforce's value goes to the product. Where something else is under way for it, it is also written back over it.
    fn flows(&self, record: &Record, locals: &[Local], unit: Vec<Heard>, plan: &ObjectPlan, verdict: &mut Verdict) {
        let folds = [record.pending.as_ref(), record.flight.as_ref().map(|f| &f.pending)];
        let under_way = |idx: FieldIdx| {
            record.unread.contains(&idx) || folds.iter().flatten().any(|p| p.fold.fields.iter().any(|f| f.idx == idx))
        };
        if locals.iter().any(|l| *l != Local::No) || unit.iter().any(|h| under_way(h.idx)) {
            write_back(&unit, verdict);
        }
        tell(plan, unit, verdict);
    }

    /// The newest thing that the product side has under way for a field.
    fn local(&self, plan: &ObjectPlan, record: &Record, idx: FieldIdx) -> Local {
        let in_doubt = record.doubt.is_some() && !record.base_known();
        if let Some(pending) = &record.pending
            && let Some(field) = pending.fold.fields.iter().find(|f| f.idx == idx && !f.engine)
            && let Some(plan_field) = plan.at(idx)
            && let Ok(outbound) = value::to_salesforce(plan_field, &field.value)
        {
            let hash = self.digest.field(&plan.object, &plan_field.name, outbound.normal.as_bytes());
            // A write in doubt that an event has shown to be in place is history, not a wish.
            let in_place = record.doubt.is_some_and(|d| record.confirmed_seq >= d.seq)
                && record.row.base.get(plan.version, idx) == hash;
            return match (in_place, in_doubt) {
                (true, _) => Local::No,
                (false, true) => Local::InFlight(hash),
                (false, false) => Local::Pending(hash),
            };
        }
        if let Some(flight) = record.flight.as_ref().filter(|f| f.write.seq > record.confirmed_seq)
            && let Some(hash) = super::rows::hash_of(&flight.write, idx)
        {
            return Local::InFlight(hash);
        }
        let sent = record.row.unconfirmed.iter().rev().find_map(|write| super::rows::hash_of(write, idx));
        sent.map_or(Local::No, Local::Sent)
    }

    /// An own event shows that a write, and all before it, are in place.
    fn confirm(&mut self, key: &RecordKey, own: Option<u64>, row: &mut Row) {
        let Some(seq) = own else { return };
        row.unconfirmed.retain(|write| write.seq > seq);
        // Used for certain: should this owner die before the answer, the next one sends above it, or not at all.
        row.last_seq = row.last_seq.max(seq);
        if let Some(record) = self.table.records.get_mut(key) {
            record.confirmed_seq = record.confirmed_seq.max(seq);
        }
    }

    fn carry_out(
        &mut self,
        key: &RecordKey,
        event: &ChangeEvent,
        mut row: Row,
        verdict: Verdict,
        commit: &mut Commit,
        tally: &mut Tally,
    ) {
        let Some(plan) = self.plan.by_sobject(&event.sobject).cloned() else { return };
        let now = self.now;
        let told: Vec<FieldIdx> = verdict.says.iter().map(|(idx, _)| *idx).collect();
        let kind = if event.kind == ChangeKind::Undelete { EventType::Undeleted } else { EventType::Changed };
        if !verdict.tell.is_empty() || kind == EventType::Undeleted {
            tally.told += 1;
            let news = changed(kind, key, &mut row, &verdict.tell, verdict.says, now);
            commit.outbox.push(Event { at: event.committed, ..news });
        }
        let lost = [(verdict.lost_by_product, Side::Salesforce), (verdict.lost_by_salesforce, Side::Product)];
        for (fields, winner) in lost {
            if fields.is_empty() {
                continue;
            }
            tally.conflicts += 1;
            let id = self.conflict_id();
            commit.outbox.push(product_event::conflict(key, &mut row, &id, &product_event::names(&plan, &fields), winner, now));
        }
        if !verdict.write_back.is_empty() {
            let fields = verdict.write_back.iter().filter_map(|(name, _)| plan.field(name)).map(|f| f.idx);
            if let Some(record) = self.table.records.get_mut(key) {
                record.unread.extend(fields);
            }
            let members: serde_json::Map<String, serde_json::Value> = verdict
                .write_back
                .iter()
                .filter_map(|(name, raw)| Some((name.to_string(), serde_json::from_slice(raw.expose()).ok()?)))
                .collect();
            let data = RawJson::from_checked(serde_json::Value::Object(members).to_string());
            commit.append.push(EngineEntry { record: key.clone(), data: Some(data), traceparent: None });
            self.reading.wake();
        }
        let Some(record) = self.table.records.get_mut(key) else { return };
        record.row = row;
        // What Salesforce changed since a dead letter was written is no longer the letter's to say.
        if let Some(letter) = record.dead.as_mut().filter(|_| !told.is_empty()) {
            if letter.forget(&told) {
                record.dead = None;
                record.row.dead_letter = false;
                commit.dead_remove.push(DeadKey::Record(key.clone()));
            } else {
                commit.dead_put.push((DeadKey::Record(key.clone()), letter.clone()));
            }
        }
    }

    fn decide_delete(&mut self, key: &RecordKey, id: SalesforceId, commit: &mut Commit, touched: &mut BTreeSet<RecordKey>, tally: &mut Tally) {
        let now = self.now;
        let Some(record) = self.table.records.get_mut(key) else { return };
        if record.row.salesforce_id != Some(id) {
            return;
        }
        let flying = record.flight.as_ref().is_some_and(|f| f.verb == Verb::Delete);
        if flying {
            // Ours, or the same wish: the answer settles it.
            tally.echoes += 1;
            return;
        }
        touched.insert(key.clone());
        commit.unlinks.push(id);
        self.table.by_id.remove(&id);
        let folds = [record.pending.as_ref(), record.flight.as_ref().map(|f| &f.pending)];
        if folds.into_iter().flatten().any(|p| p.fold.delete) {
            record.row.die(Side::Product, 0);
            tally.echoes += 1;
            return;
        }
        if let Some(flight) = &mut record.flight {
            flight.deleted = true;
        }
        commit.outbox.push(product_event::deleted(key, &mut record.row, now));
        tally.told += 1;
        self.lose_pending(key);
    }
}

fn write_back(unit: &[Heard], verdict: &mut Verdict) {
    let values = unit.iter().filter_map(|h| Some((Arc::clone(&h.name), h.told.clone()?)));
    verdict.write_back.extend(values);
}

fn tell(plan: &ObjectPlan, unit: Vec<Heard>, verdict: &mut Verdict) {
    for h in unit {
        let tells = plan.at(h.idx).is_some_and(|f| f.direction.tells_product());
        if let (true, Some(value)) = (tells, h.told) {
            set_hash(&mut verdict.says, h.idx, h.hash);
            verdict.tell.push((h.name, value));
        }
    }
}

/// Whether the product's delete of the record is under way.
fn deleting(record: &Record) -> bool {
    let folds = [record.pending.as_ref(), record.flight.as_ref().map(|f| &f.pending)];
    folds.into_iter().flatten().any(|p| p.fold.delete && !p.fold.upsert)
}

/// The highest sequence that this owner, or one before it, can have sent for the record.
fn highest_seq(record: &Record) -> u64 {
    let pending = record.pending.as_ref().map_or(0, |p| p.fold.seq);
    let flight = record.flight.as_ref().map_or(0, |f| f.write.seq);
    let doubt = record.doubt.map_or(0, |d| d.seq);
    record.row.last_seq.max(pending).max(flight).max(doubt)
}

/// Whether a field's value in an event of our own is the one that we wrote under that sequence.
fn is_ours(record: &Record, plan: &ObjectPlan, seq: u64, heard: &Heard) -> bool {
    let flight = record.flight.as_ref().map(|f| &f.write);
    let mut writes = record.row.unconfirmed.iter().chain(flight);
    match writes.find(|w| w.seq == seq).and_then(|w| super::rows::hash_of(w, heard.idx)) {
        Some(hash) => hash == heard.hash,
        // Of writes in doubt only the highest sequence is known. A field still to be sent was in one, or goes again.
        None if record.doubt.is_some_and(|d| seq <= d.seq) && wants(record, heard.idx) => true,
        None => record.row.base.get(plan.version, heard.idx) == heard.hash,
    }
}

/// What is remembered of the write with this sequence.
fn written_by(record: &Record, seq: u64) -> Vec<(FieldIdx, FieldHash)> {
    let flight = record.flight.as_ref().map(|f| &f.write);
    let write = record.row.unconfirmed.iter().chain(flight).find(|w| w.seq == seq);
    write.map(|w| w.fields.clone()).unwrap_or_default()
}

/// Whether the product's wish for this field is still under way.
fn wants(record: &Record, idx: FieldIdx) -> bool {
    let flight = record.flight.as_ref().map(|f| &f.pending);
    let mut folds = record.pending.iter().chain(flight);
    folds.any(|p| p.fold.delete || p.fold.fields.iter().any(|f| f.idx == idx))
}

/// Whether a later write of ours stands over this field: the event's value is history.
fn hidden_by_later(record: &Record, seq: u64, idx: FieldIdx) -> bool {
    let flight = record.flight.as_ref().map(|f| &f.write);
    record.row.unconfirmed.iter().chain(flight).any(|w| w.seq > seq && super::rows::hash_of(w, idx).is_some())
}

/// Heard fields by unit: groups whole, others alone.
fn units(plan: &ObjectPlan, heard: Vec<Heard>) -> Vec<Vec<Heard>> {
    let mut units: Vec<(Option<u16>, Vec<Heard>)> = Vec::new();
    for h in heard {
        let group = plan.at(h.idx).and_then(|f| f.group);
        match units.iter_mut().find(|(g, _)| group.is_some() && *g == group) {
            Some((_, unit)) => unit.push(h),
            None => units.push((group, vec![h])),
        }
    }
    units.into_iter().map(|(_, unit)| unit).collect()
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

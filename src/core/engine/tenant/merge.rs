//! The merge of one record's event with what the product side has under way: unit by unit, by policy.

use std::sync::Arc;

use super::Machine;
use super::inbound::{Work, id_of, missing_fields};
use super::own_writes::{hash_of, stands_over, wants};
use super::table::{Flight, Record, set_hash};
use crate::domain::ids::{FieldIdx, RecordKey};
use crate::domain::payload::RawJson;
use crate::domain::plan::{FieldPlan, Kind, ObjectPlan, Policy};
use crate::domain::row::{FieldHash, Row};
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::salesforce_value::SalesforceValue;
use crate::domain::value::{self, Told};
use crate::engine::inbound::ChangeEvent;

/// One field of an event, understood.
pub(super) struct Heard {
    pub(super) idx: FieldIdx,
    pub(super) name: Arc<str>,
    pub(super) hash: FieldHash,
    /// The value in product terms; none for a reference to a record without a key.
    pub(super) told: Option<RawJson>,
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
pub(super) struct Verdict {
    pub(super) tell: Vec<(Arc<str>, RawJson)>,
    pub(super) says: Vec<(FieldIdx, FieldHash)>,
    pub(super) write_back: Vec<(Arc<str>, RawJson)>,
    pub(super) lost_by_product: Vec<FieldIdx>,
    pub(super) lost_by_salesforce: Vec<FieldIdx>,
}

impl Machine {
    /// The event's mapped fields, normalised; of what was read of the record only what was read for this event. With
    /// `anew` that is the whole record. What the event holds was there, whatever a write of ours has made of it since.
    pub(super) fn hear(
        &self,
        work: &Work,
        plan: &ObjectPlan,
        event: &ChangeEvent,
        id: SalesforceId,
        anew: bool,
    ) -> Vec<Heard> {
        let missing = missing_fields(plan, event);
        let mut heard = Vec::new();
        for field in &plan.fields {
            let name = &field.salesforce;
            let from_read = work.read(id, name).filter(|_| anew || missing.contains(name));
            // A group is heard as a whole: from the read, where the event held a part of it only.
            let Some(value) = from_read.or_else(|| event.field(name)) else {
                continue;
            };
            if let Some(h) = self.hear_field(plan, field, value, |id| self.key_of(work, id)) {
                heard.push(h);
            }
        }
        heard
    }

    /// One value, normalised; `parent` tells the key of a record that a reference names.
    pub(super) fn hear_field(
        &self,
        plan: &ObjectPlan,
        field: &FieldPlan,
        value: &SalesforceValue,
        parent: impl Fn(SalesforceId) -> Option<RecordKey>,
    ) -> Option<Heard> {
        let parent = (field.kind == Kind::Reference)
            .then(|| id_of(value))
            .flatten()
            .and_then(parent);
        let inbound = value::to_product(field, value, parent.as_ref().map(|p| p.key.as_ref())).ok()?;
        let hash = self.digest.field(&plan.object, &field.name, inbound.normal.as_bytes());
        let told = match inbound.told {
            Told::Value(json) => Some(json),
            Told::ParentWithoutKey(_) => None,
        };
        Some(Heard {
            idx: field.idx,
            name: Arc::clone(&field.name),
            hash,
            told,
        })
    }

    /// Fields that travel together, and what Salesforce's edit of them means.
    pub(super) fn decide_unit(
        &self,
        plan: &ObjectPlan,
        record: &Record,
        row: &mut Row,
        unit: Vec<Heard>,
        verdict: &mut Verdict,
    ) {
        let locals: Vec<Local> = unit.iter().map(|h| self.local(plan, record, h.idx)).collect();
        let same_as_base = unit.iter().all(|h| row.base.get(plan.version, h.idx) == h.hash);
        // A write of ours that was committed later stands over the event's value.
        let sent = unit.iter().any(|h| stands_over(record, h.idx));
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
        let differs = unit
            .iter()
            .zip(&locals)
            .any(|(h, local)| local.hash().is_some_and(|hash| hash != h.hash));
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
        let policy = unit
            .first()
            .and_then(|h| plan.at(h.idx))
            .map_or(Policy::Salesforce, |f| f.on_conflict);
        let fields = unit.iter().map(|h| h.idx);
        match policy {
            Policy::Product => verdict.lost_by_salesforce.extend(fields),
            Policy::Salesforce => {
                verdict.lost_by_product.extend(fields);
                write_back(plan, &unit, verdict);
                tell(plan, unit, verdict);
            }
        }
    }

    /// Salesforce's value goes to the product. Where something else is under way for it, it is also written back over it.
    fn flows(&self, record: &Record, locals: &[Local], unit: Vec<Heard>, plan: &ObjectPlan, verdict: &mut Verdict) {
        let under_way = |idx: FieldIdx| record.unread.contains(&idx) || wants(record, idx);
        if locals.iter().any(|l| *l != Local::No) || unit.iter().any(|h| under_way(h.idx)) {
            write_back(plan, &unit, verdict);
        }
        tell(plan, unit, verdict);
    }

    /// The newest thing that the product side has under way for a field.
    fn local(&self, plan: &ObjectPlan, record: &Record, idx: FieldIdx) -> Local {
        let in_doubt = record.doubt.is_some() && !record.base_known();
        if let Some(hash) = self.pending_hash(plan, record, idx) {
            // A write in doubt that an event has shown to be in place is history, not a wish.
            let in_place = record.doubt.is_some_and(|d| record.confirmed_seq >= d.seq)
                && record.row.base.get(plan.version, idx) == hash;
            return match (in_place, in_doubt) {
                (true, _) => Local::No,
                (false, true) => Local::InFlight(hash),
                (false, false) => Local::Pending(hash),
            };
        }
        // What the engine writes back, or clears, is no wish of the product.
        let wished = |f: &&Flight| f.pending.fold.fields.iter().any(|v| v.idx == idx && !v.engine);
        let unseen = |f: &&Flight| f.write.seq > record.confirmed_seq;
        if let Some(flight) = record.flying().filter(unseen).filter(wished)
            && let Some(hash) = hash_of(&flight.write, idx)
        {
            return Local::InFlight(hash);
        }
        let sent = record
            .row
            .unconfirmed
            .iter()
            .rev()
            .find_map(|write| hash_of(write, idx));
        sent.map_or(Local::No, Local::Sent)
    }

    /// What an edit of the product's that was not sent yet wants of a field.
    pub(super) fn pending_hash(&self, plan: &ObjectPlan, record: &Record, idx: FieldIdx) -> Option<FieldHash> {
        let fold = &record.pending.as_ref()?.fold;
        let field = fold.fields.iter().find(|f| f.idx == idx && !f.engine)?;
        let of = plan.at(idx)?;
        let outbound = value::to_salesforce(of, &field.value).ok()?;
        Some(self.digest.field(&plan.object, &of.name, outbound.normal.as_bytes()))
    }
}

pub(super) fn write_back(plan: &ObjectPlan, unit: &[Heard], verdict: &mut Verdict) {
    let flows = |h: &&Heard| plan.at(h.idx).is_some_and(|f| f.direction.writes_salesforce());
    let values = unit
        .iter()
        .filter(flows)
        .filter_map(|h| Some((Arc::clone(&h.name), h.told.clone()?)));
    verdict.write_back.extend(values);
}

pub(super) fn tell(plan: &ObjectPlan, unit: Vec<Heard>, verdict: &mut Verdict) {
    for h in unit {
        let tells = plan.at(h.idx).is_some_and(|f| f.direction.tells_product());
        if let (true, Some(value)) = (tells, h.told) {
            set_hash(&mut verdict.says, h.idx, h.hash);
            verdict.tell.push((h.name, value));
        }
    }
}

/// Heard fields by unit: groups whole, others alone.
pub(super) fn units(plan: &ObjectPlan, heard: Vec<Heard>) -> Vec<Vec<Heard>> {
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

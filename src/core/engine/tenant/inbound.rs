//! Change events on their way in, one batch at a time: whose are they, what is known of those, what is missing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::decide_event::asks_whose;
use super::partners::columns;
use super::reading::LoadFor;
use super::table::Fixed;
use super::{Effect, Machine, Note};
use crate::domain::ids::RecordKey;
use crate::domain::plan::{Kind, ObjectPlan};
use crate::domain::row::Row;
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::time::Timestamp;
use crate::engine::call::ReadRow;
use crate::engine::classify::CallFault;
use crate::engine::commit::{Commit, Script};
use crate::engine::inbound::{ChangeEvent, ChangeKind, EventBatch, SalesforceValue, row_values};

/// How soon a read that failed is tried again.
const READ_RETRY: Duration = Duration::from_secs(2);
/// Ids in one read at most.
const READ_MAX: usize = 2_000;

/// How far a batch of events has come.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Resolve,
    Resolving(u64),
    Load,
    Loading,
    Read,
    Reading(BTreeMap<u64, Vec<SalesforceId>>),
    Wait(Timestamp),
    Decide,
    Committing(u64),
}

/// The batch in hand.
#[derive(Debug)]
pub(super) struct Work {
    batch: EventBatch,
    stage: Stage,
    /// What the id index says.
    pub keys: HashMap<SalesforceId, Option<RecordKey>, Fixed>,
    asked: Vec<SalesforceId>,
    /// Fields read because the events did not hold them.
    pub reads: HashMap<SalesforceId, Vec<(Arc<str>, SalesforceValue)>>,
    gone: BTreeSet<SalesforceId>,
    tally: Tally,
}

impl Work {
    /// A field of a record as it was read.
    pub fn read(&self, id: SalesforceId, name: &str) -> Option<&SalesforceValue> {
        let values = self.reads.get(&id)?;
        values.iter().find(|(n, _)| n.as_ref() == name).map(|(_, v)| v)
    }

    /// Whether a read found the record gone.
    pub fn is_gone(&self, id: SalesforceId) -> bool {
        self.gone.contains(&id)
    }
}

/// Counts of one batch.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub events: usize,
    pub echoes: usize,
    pub told: usize,
    pub conflicts: usize,
    pub unlinked: usize,
}

/// What is to be read of one sObject.
#[derive(Default)]
struct Missing {
    ids: BTreeSet<SalesforceId>,
    fields: BTreeSet<Arc<str>>,
}

/// Change events of a tenant.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    work: Option<Work>,
}

impl Inbound {
    pub fn is_busy(&self) -> bool {
        self.work.is_some()
    }

    pub fn wake_at(&self) -> Option<Timestamp> {
        match self.work.as_ref()?.stage {
            Stage::Wait(until) => Some(until),
            _ => None,
        }
    }
}

impl Machine {
    pub(super) fn events(&mut self, mut batch: EventBatch, _: &mut Vec<Effect>) {
        self.last_event = Some(self.now);
        #[cfg(feature = "sabotage")]
        self.drop_events(&mut batch.events);
        batch.events.retain(|e| self.plan.by_sobject(&e.sobject).is_some());
        self.inbound.work = Some(Work {
            batch,
            stage: Stage::Resolve,
            keys: HashMap::default(),
            asked: Vec::new(),
            reads: HashMap::default(),
            gone: BTreeSet::new(),
            tally: Tally::default(),
        });
    }

    /// Takes the batch in hand as far as it can go now.
    pub(super) fn inbound_on(&mut self, out: &mut Vec<Effect>) {
        if self.phase != super::Phase::Live {
            return;
        }
        // Each stage leads to a later one, or waits; a batch passes them at most twice (records may be evicted).
        for _ in 0..16 {
            let Some(mut work) = self.inbound.work.take() else {
                return;
            };
            let before = std::mem::replace(&mut work.stage, Stage::Decide);
            let (stage, go_on) = match before {
                Stage::Resolve => self.resolve_events(&mut work, out),
                Stage::Load => self.load_events(&work, out),
                Stage::Read => self.read_events(&work, out),
                Stage::Wait(until) if until <= self.now => (Stage::Read, true),
                Stage::Decide if self.events_unloaded(&work).is_empty() => self.decide_events(&mut work, out),
                Stage::Decide => (Stage::Load, true),
                waiting => (waiting, false),
            };
            work.stage = stage;
            self.inbound.work = Some(work);
            if !go_on {
                return;
            }
        }
    }

    fn resolve_events(&mut self, work: &mut Work, out: &mut Vec<Effect>) -> (Stage, bool) {
        let mut ids = BTreeSet::new();
        for event in &work.batch.events {
            let Some(plan) = self.plan.by_sobject(&event.sobject) else {
                continue;
            };
            ids.extend(event.ids.iter().copied());
            ids.extend(referred(plan, event.fields.iter().map(|(n, v)| (n.as_ref(), v))));
        }
        for values in work.reads.values() {
            ids.extend(values.iter().filter_map(|(_, v)| id_of(v)));
        }
        ids.retain(|id| !self.table.by_id.contains_key(id) && !work.keys.contains_key(id));
        if ids.is_empty() {
            return (Stage::Load, true);
        }
        let ticket = self.ticket();
        work.asked = ids.iter().copied().collect();
        out.push(Effect::Resolve {
            ticket,
            ids: work.asked.clone(),
        });
        (Stage::Resolving(ticket), false)
    }

    pub(super) fn resolved(&mut self, ticket: u64, keys: Vec<Option<RecordKey>>, out: &mut Vec<Effect>) {
        if self.partners_resolved(ticket, &keys, out) {
            return;
        }
        let Some(work) = &mut self.inbound.work else { return };
        if work.stage != Stage::Resolving(ticket) {
            return;
        }
        work.keys.extend(std::mem::take(&mut work.asked).into_iter().zip(keys));
        work.stage = Stage::Load;
    }

    /// The record that an event's id is, by memory, by the index, or by the key that the event itself holds.
    pub(super) fn record_of(&self, work: &Work, event: &ChangeEvent, id: SalesforceId) -> Option<RecordKey> {
        if let Some(key) = self.table.by_id.get(&id) {
            return Some(key.clone());
        }
        if let Some(Some(key)) = work.keys.get(&id) {
            return Some(key.clone());
        }
        let plan = self.plan.by_sobject(&event.sobject)?;
        let read = || work.read(id, &plan.external_id);
        match event.field(&plan.external_id).or_else(read)? {
            SalesforceValue::Text(key) if !key.is_empty() => {
                Some(RecordKey::new(Arc::clone(&plan.object), Arc::clone(key)))
            }
            _ => None,
        }
    }

    /// The key of a parent, for references.
    pub(super) fn key_of(&self, work: &Work, id: SalesforceId) -> Option<RecordKey> {
        self.table
            .by_id
            .get(&id)
            .cloned()
            .or_else(|| work.keys.get(&id).cloned().flatten())
            .filter(|key| !key.is_keyless())
    }

    fn events_unloaded(&self, work: &Work) -> Vec<RecordKey> {
        let mut unknown = BTreeSet::new();
        for event in &work.batch.events {
            unknown.extend(event.ids.iter().filter_map(|id| self.record_of(work, event, *id)));
        }
        unknown
            .into_iter()
            .filter(|key| !self.table.records.contains_key(key))
            .collect()
    }

    fn load_events(&mut self, work: &Work, out: &mut Vec<Effect>) -> (Stage, bool) {
        let unknown = self.events_unloaded(work);
        if unknown.is_empty() {
            return (Stage::Read, true);
        }
        self.load(LoadFor::Events(unknown), Vec::new(), out);
        (Stage::Loading, false)
    }

    pub(super) fn inbound_loaded(&mut self) {
        if let Some(work) = &mut self.inbound.work
            && work.stage == Stage::Loading
        {
            work.stage = Stage::Read;
        }
    }

    /// Fields that a decision needs and the events do not hold: the rest of a group, long texts, whole records of gaps.
    fn read_events(&mut self, work: &Work, out: &mut Vec<Effect>) -> (Stage, bool) {
        let mut missing: BTreeMap<Arc<str>, Missing> = BTreeMap::new();
        for event in &work.batch.events {
            let Some(plan) = self.plan.by_sobject(&event.sobject) else {
                continue;
            };
            let fields = missing_fields(plan, event);
            for id in &event.ids {
                if work.reads.contains_key(id) || work.gone.contains(id) {
                    continue;
                }
                let fields = match self.record_of(work, event, *id) {
                    Some(key) if key.is_keyless() => continue,
                    Some(key) if self.may_be_known(plan, event, &key) || self.may_be_back(event, &key, *id) => {
                        columns(plan)
                    }
                    Some(_) => fields.clone(),
                    None => unknown_fields(plan, event),
                };
                if !fields.is_empty() {
                    let entry = missing.entry(Arc::clone(&event.sobject)).or_default();
                    entry.ids.insert(*id);
                    entry.fields.extend(fields);
                }
            }
        }
        if missing.is_empty() {
            return (Stage::Decide, true);
        }
        let mut tickets = BTreeMap::new();
        for (sobject, Missing { ids, fields }) in missing {
            let ids: Vec<SalesforceId> = ids.into_iter().collect();
            for chunk in ids.chunks(READ_MAX) {
                let ticket = self.ticket();
                tickets.insert(ticket, chunk.to_vec());
                self.calls += 1;
                let fields = fields.iter().cloned().collect();
                out.push(Effect::Read {
                    ticket,
                    sobject: Arc::clone(&sobject),
                    ids: chunk.to_vec(),
                    fields,
                });
            }
        }
        (Stage::Reading(tickets), false)
    }

    /// Whether an event of somebody else's may tell of what was there when the record was read to be linked: older values
    /// would go to the product after newer ones, so the record is read again.
    pub(super) fn may_be_known(&self, plan: &ObjectPlan, event: &ChangeEvent, key: &RecordKey) -> bool {
        let told = !matches!(event.kind, ChangeKind::Delete | ChangeKind::Overflow);
        let own =
            event.kind != ChangeKind::Seen && plan.sequence.as_deref().is_some_and(|name| event.field(name).is_some());
        let record = self.table.records.get(key);
        told && !own && record.is_some_and(|r| is_not_newer(&r.row, event))
    }

    /// Whether a look found a record that was deleted: it may be older than the delete, so the record is read.
    fn may_be_back(&self, event: &ChangeEvent, key: &RecordKey, id: SalesforceId) -> bool {
        event.kind == ChangeKind::Seen && self.is_of_the_dead(key, id)
    }

    pub(super) fn inbound_read(&mut self, ticket: u64, rows: Result<Vec<ReadRow>, CallFault>) {
        let now = self.now;
        let Some(work) = &mut self.inbound.work else { return };
        let Stage::Reading(tickets) = &mut work.stage else {
            return;
        };
        let Some(ids) = tickets.remove(&ticket) else { return };
        let done = tickets.is_empty();
        match rows {
            Ok(rows) => {
                for (id, row) in ids.into_iter().zip(rows) {
                    match row.fields.as_deref().and_then(row_values) {
                        Some(values) => {
                            work.reads.insert(id, values);
                        }
                        None => {
                            work.gone.insert(id);
                        }
                    }
                }
                if done {
                    // References that were read may name parents that are not resolved yet.
                    work.stage = Stage::Resolve;
                }
            }
            Err(fault) => {
                work.stage = Stage::Wait(now.after(READ_RETRY));
                self.note_error(&fault.code);
            }
        }
    }

    fn decide_events(&mut self, work: &mut Work, out: &mut Vec<Effect>) -> (Stage, bool) {
        let mut commit = Commit::default();
        let mut touched = BTreeSet::new();
        let mut all_touched = BTreeSet::new();
        let mut tally = Tally {
            events: work.batch.events.len(),
            ..Tally::default()
        };
        let events = std::mem::take(&mut work.batch.events);
        for event in &events {
            if event.kind == ChangeKind::Overflow {
                out.push(Effect::Note(Note::Gap { records: 0 }));
                continue;
            }
            for id in &event.ids {
                self.decide_event(work, event, *id, &mut commit, &mut touched, &mut tally);
                if commit.is_full() {
                    // Should the owner die before the cursor moves, the event finds that its values are known.
                    self.put_rows(&touched, &mut commit);
                    all_touched.append(&mut touched);
                    self.when_full(Script::Emit, &mut commit, out);
                }
            }
        }
        work.tally = tally;
        self.put_rows(&touched, &mut commit);
        all_touched.append(&mut touched);
        let topic = Arc::clone(&self.settings.topic);
        commit.cursors.push((topic, work.batch.latest.clone()));
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        commit.counters.echoes += count(tally.echoes);
        commit.counters.conflicts += count(tally.conflicts);
        commit.counters.unlinked += count(tally.unlinked);
        commit.counters.events += count(commit.outbox.len());
        let ticket = self.commit(Script::Emit, commit, out);
        self.flush_drops(out);
        for key in &all_touched {
            self.place(key);
            self.table.rest(key);
        }
        (Stage::Committing(ticket), false)
    }

    fn put_rows(&self, keys: &BTreeSet<RecordKey>, commit: &mut Commit) {
        for key in keys {
            if let Some(record) = self.table.records.get(key) {
                commit.rows.push((key.clone(), record.row.clone()));
            }
        }
    }

    pub(super) fn inbound_committed(&mut self, ticket: u64, out: &mut Vec<Effect>) {
        let done = self
            .inbound
            .work
            .as_ref()
            .is_some_and(|w| w.stage == Stage::Committing(ticket));
        if !done {
            return;
        }
        if let Some(work) = self.inbound.work.take() {
            let Tally {
                events,
                echoes,
                told,
                conflicts,
                unlinked,
            } = work.tally;
            if events > 0 {
                out.push(Effect::Note(Note::Events {
                    events,
                    echoes,
                    told,
                    conflicts,
                    unlinked,
                }));
            }
        }
        out.push(Effect::NextEvents);
    }
}

/// Whether an event is not newer than what was read when the record was linked, by whole seconds. No margin: an edit that
/// is taken for older is not looked at, and our own later write would hide it.
pub(super) fn is_not_newer(row: &Row, event: &ChangeEvent) -> bool {
    row.read_as_of_s != 0 && event.committed.0 / 1_000 <= u64::from(row.read_as_of_s)
}

/// Ids that reference fields of the event hold.
fn referred<'a>(
    plan: &'a ObjectPlan,
    fields: impl Iterator<Item = (&'a str, &'a SalesforceValue)> + 'a,
) -> impl Iterator<Item = SalesforceId> + 'a {
    fields
        .filter(|(name, _)| plan.by_salesforce(name).any(|f| f.kind == Kind::Reference))
        .filter_map(|(_, v)| id_of(v))
}

/// The Salesforce id that a value is, if it is one.
pub(super) fn id_of(value: &SalesforceValue) -> Option<SalesforceId> {
    match value {
        SalesforceValue::Text(text) => SalesforceId::parse(text).ok(),
        _ => None,
    }
}

/// API names of mapped fields that must be read before the event can be decided.
pub(super) fn missing_fields(plan: &ObjectPlan, event: &ChangeEvent) -> Vec<Arc<str>> {
    if event.kind == ChangeKind::Delete || event.kind == ChangeKind::Overflow {
        return Vec::new();
    }
    if event.kind == ChangeKind::Gap {
        return plan.fields.iter().map(|f| Arc::clone(&f.salesforce)).collect();
    }
    let held = |name: &str| event.field(name).is_some();
    let mut missing: BTreeSet<Arc<str>> = BTreeSet::new();
    for group in &plan.groups {
        let names: Vec<&Arc<str>> = group
            .iter()
            .filter_map(|idx| plan.at(*idx))
            .map(|f| &f.salesforce)
            .collect();
        let some = names.iter().any(|n| held(n) || event.unread.contains(n));
        if some && !names.iter().all(|n| held(n)) {
            missing.extend(names.into_iter().cloned());
        }
    }
    missing.extend(
        event
            .unread
            .iter()
            .filter(|n| plan.by_salesforce(n).next().is_some())
            .cloned(),
    );
    missing.into_iter().collect()
}

/// API names of all that must be read of a record that nobody knows, before the product is asked whose it is.
fn unknown_fields(plan: &ObjectPlan, event: &ChangeEvent) -> Vec<Arc<str>> {
    let partly_told = matches!(event.kind, ChangeKind::Update | ChangeKind::Gap);
    if partly_told && asks_whose(plan) {
        columns(plan)
    } else {
        Vec::new()
    }
}

//! `link`: the product says which Salesforce record a key is. First key for a record and first record for a key win;
//! decided by reading the record, asking the index whose it is, and one fenced step.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::json;

use super::partners::{Errand, Purpose, columns};
use super::product_event;
use super::{Effect, Machine};
use crate::domain::change::Change;
use crate::domain::event::{Event, EventType};
use crate::domain::ids::RecordKey;
use crate::domain::row::{Asks, Question};
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::time::Timestamp;
use crate::engine::classify::CallFault;
use crate::engine::commit::{Commit, Script, Verb};
use crate::engine::retry;

/// Answers that are looked at in one go.
const LOOKED_AT: usize = 400;
/// Answers whose records one read names.
const READ_MAX: usize = 200;
/// Reads for answers on their way at once, look-ups included.
const ERRANDS_MAX: usize = 2;

/// An answer that is not decided yet; its entry stays in the log until then.
#[derive(Debug)]
pub(super) struct Link(Change);

/// Answers that wait.
#[derive(Debug, Default)]
pub(super) struct Linking {
    waiting: VecDeque<Link>,
    not_before: Timestamp,
    failures: u32,
}

impl Linking {
    /// Whether any answer waits to be looked at.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When waiting answers are looked at again after a failure.
    pub fn due_at(&self) -> Option<Timestamp> {
        (!self.is_empty()).then_some(self.not_before)
    }
}

/// What is known of an answer without asking anybody.
enum Glance {
    Accept,
    Create,
    Refuse(Why),
    /// A write of the record is on its way: what it comes to decides.
    Wait,
    Read(SalesforceId),
}

/// Why an answer is refused.
enum Why {
    /// Another pair was first.
    AlreadyLinked(Arc<str>, SalesforceId),
    /// The org has no such record of this object, or hides it.
    NoSuchRecord,
}

impl Machine {
    /// Takes an answer in.
    pub(super) fn take_link(&mut self, change: Change) {
        self.table.count_entries(&[change.entry], true);
        if let Some(record) = self.table.records.get_mut(&change.record) {
            record.linking += 1;
            record.queued = None;
        }
        self.linking.waiting.push_back(Link(change));
    }

    /// Decides what can be decided, and reads what has to be.
    pub(super) fn link_on(&mut self, out: &mut Vec<Effect>) {
        let busy = self.errands.len() >= ERRANDS_MAX || !self.may_send();
        if self.linking.is_empty() || self.linking.not_before > self.now || busy {
            return;
        }
        let mut reads: BTreeMap<Arc<str>, Vec<(SalesforceId, Link)>> = BTreeMap::new();
        for _ in 0..LOOKED_AT.min(self.linking.waiting.len()) {
            let Some(link) = self.linking.waiting.pop_front() else {
                break;
            };
            match self.glance(&link.0) {
                Glance::Accept => self.accept_link(&link.0, None),
                Glance::Create => self.accept_link(&link.0, Some(Asks::Create)),
                Glance::Refuse(why) => {
                    self.refuse_link(&link.0, &why);
                    self.flush_full_drops(out);
                }
                Glance::Wait => self.linking.waiting.push_back(link),
                Glance::Read(id) => {
                    let of_object = reads.entry(Arc::clone(&link.0.record.object)).or_default();
                    if of_object.len() < READ_MAX {
                        of_object.push((id, link));
                    } else {
                        self.linking.waiting.push_back(link);
                    }
                }
            }
        }
        for (object, links) in reads {
            let Some(plan) = self.plan.object(&object).cloned() else {
                continue;
            };
            let ticket = self.ticket();
            self.calls += 1;
            let ids = links.iter().map(|(id, _)| *id).collect();
            let (sobject, fields) = (Arc::clone(&plan.sobject), columns(&plan));
            let links = links.into_iter().map(|(_, link)| link).collect();
            self.errands.start(ticket, plan, Purpose::Link(links));
            out.push(Effect::Read {
                ticket,
                sobject,
                ids,
                fields,
            });
        }
        self.flush_drops(out);
    }

    fn glance(&self, change: &Change) -> Glance {
        let Some(record) = self.table.records.get(&change.record) else {
            return Glance::Wait;
        };
        let held = record.row.salesforce_id;
        let Some(id) = change.salesforce_id else {
            return if held.is_some() { Glance::Accept } else { Glance::Create };
        };
        if held == Some(id) {
            return Glance::Accept;
        }
        if let Some(other) = held {
            return Glance::Refuse(Why::AlreadyLinked(Arc::clone(&change.record.key), other));
        }
        let holder = self.table.by_id.get(&id).filter(|holder| !holder.is_keyless());
        if let Some(holder) = holder {
            return Glance::Refuse(Why::AlreadyLinked(Arc::clone(&holder.key), id));
        }
        let creating = record.doubt.is_some_and(|d| d.verb == Verb::Create);
        if record.flight.is_some() || creating {
            Glance::Wait
        } else {
            Glance::Read(id)
        }
    }

    /// The records that answers name were read: whose are they?
    pub(super) fn link(&mut self, errand: &Errand, links: Vec<Link>, out: &mut Vec<Effect>) {
        self.linking.failures = 0;
        let mut commit = Commit::default();
        let mut touched = Vec::new();
        for link in links {
            match self.glance(&link.0) {
                Glance::Accept => self.accept_link(&link.0, None),
                Glance::Create => self.accept_link(&link.0, Some(Asks::Create)),
                Glance::Refuse(why) => {
                    self.refuse_link(&link.0, &why);
                    self.tell_winners_first(&mut commit, out);
                }
                Glance::Wait => self.linking.waiting.push_back(link),
                Glance::Read(id) if errand.overtaken.contains(&id) => self.linking.waiting.push_back(link),
                Glance::Read(id) => {
                    if let Some(why) = self.why_not(errand, &link.0.record, id) {
                        self.refuse_link(&link.0, &why);
                        self.tell_winners_first(&mut commit, out);
                        continue;
                    }
                    let Some(partner) = errand.partners.iter().find(|p| p.id == id) else {
                        continue;
                    };
                    let change = link.0;
                    self.adopt(errand, &change.record, partner, Some(&change), &mut commit);
                    self.table.count_entries(&[change.entry], false);
                    commit.delete.push(change.entry);
                    commit.seen.extend(change.idempotency);
                    commit.counters.settled += 1;
                    touched.push(change.record);
                    self.when_full(Script::Emit, &mut commit, out);
                }
            }
        }
        if !touched.is_empty() {
            self.emit(commit, out);
        }
        self.flush_drops(out);
        for key in touched {
            self.linked_or_not(&key);
        }
    }

    /// Refusals that are as much as one step may carry go out, after the links that they lost to.
    fn tell_winners_first(&mut self, commit: &mut Commit, out: &mut Vec<Effect>) {
        if self.drops.is_full() {
            if !commit.rows.is_empty() {
                self.emit(std::mem::take(commit), out);
            }
            self.flush_drops(out);
        }
    }

    fn why_not(&self, errand: &Errand, key: &RecordKey, id: SalesforceId) -> Option<Why> {
        let Some(partner) = errand.partners.iter().find(|p| p.id == id) else {
            return Some(Why::NoSuchRecord);
        };
        if let Some(holder) = self.holder(errand, id).filter(|h| !h.is_keyless() && h != key) {
            return Some(Why::AlreadyLinked(holder.key, id));
        }
        let there = partner.key(&errand.plan).filter(|there| **there != *key.key)?;
        Some(Why::AlreadyLinked(there.into(), id))
    }

    /// Reading failed: the answers wait.
    pub(super) fn link_later(&mut self, links: Vec<Link>, fault: &CallFault) {
        self.linking.failures = self.linking.failures.saturating_add(1);
        let pause = retry::delay(fault.class, self.linking.failures, fault.retry_after, self.dice);
        self.linking.not_before = self.now.after(pause);
        for link in links.into_iter().rev() {
            self.linking.waiting.push_front(link);
        }
    }

    /// An answer is decided: the record's writes go on when it was the last.
    fn linked_or_not(&mut self, key: &RecordKey) {
        if let Some(record) = self.table.records.get_mut(key) {
            record.linking = record.linking.saturating_sub(1);
        }
        self.place(key);
        self.table.rest(key);
    }

    /// The answer changes nothing beyond what it leaves in the row.
    fn accept_link(&mut self, change: &Change, then: Option<Asks>) {
        let key = &change.record;
        if self
            .table
            .records
            .get(key)
            .is_some_and(|r| super::questions::asks_which(&r.row))
        {
            self.close_question(key);
        }
        if let Some(record) = self.table.records.get_mut(key)
            && let Some(asks) = then
        {
            record.row.question = Some(Question {
                asks,
                revision: record.row.revision,
                since: self.now,
            });
            self.drops.rows.insert(key.clone());
        }
        self.drop_link(change);
        self.drops.counters.settled += 1;
        self.linked_or_not(key);
    }

    fn drop_link(&mut self, change: &Change) {
        self.table.count_entries(&[change.entry], false);
        self.drops.delete.push(change.entry);
        self.drops.seen.extend(change.idempotency);
    }

    /// Tells the product why, and who was first. What it has under way for a key that stays unlinked waits until it says
    /// what is to become of it: a row that was made twice is not to be made twice in Salesforce too.
    fn refuse_link(&mut self, change: &Change, why: &Why) {
        let (key, now) = (&change.record, self.now);
        let (code, message, remedy, winner) = match why {
            Why::AlreadyLinked(winner, id) => (
                "already_linked",
                "another pair of key and Salesforce record was first",
                "drop the duplicate row (op delete), or link it to another record; an empty salesforce_id creates one",
                json!({ "key": winner, "salesforce_id": id.to_string() }),
            ),
            Why::NoSuchRecord => (
                "no_such_record",
                "the org has no such record of this object, or hides it from Tandem's user",
                "answer with a record that is there; an empty salesforce_id creates one",
                serde_json::Value::Null,
            ),
        };
        let waits = self.plan.object(&key.object).is_some_and(|p| p.matching.is_some());
        if let Some(record) = self.table.records.get_mut(key) {
            let row = &mut record.row;
            row.revision += 1;
            if waits && row.salesforce_id.is_none() {
                let since = row.question.as_ref().map_or(now, |q| q.since);
                row.question = Some(Question {
                    asks: Asks::Which,
                    revision: row.revision,
                    since,
                });
                self.drops.questions.push((key.clone(), super::questions::due(now)));
            }
            let detail = json!({
                "code": code, "fields": [], "message": message, "remedy": remedy, "winner": winner,
                "salesforce_id": change.salesforce_id.map(|id| id.to_string()), "entries": [change.entry.id.to_string()],
                "idempotency_keys": change.idempotency_text.iter().collect::<Vec<_>>(),
            });
            self.drops.outbox.push(Event {
                detail: Some(product_event::raw(&detail)),
                traceparent: change.traceparent.clone(),
                ..product_event::event(EventType::Rejected, key, row, now)
            });
            self.drops.rows.insert(key.clone());
        }
        self.drop_link(change);
        self.drops.counters.refused += 1;
        self.linked_or_not(key);
    }
}

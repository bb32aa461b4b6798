//! Questions to the product: which Salesforce record is this key's, whose is this Salesforce record, what are these
//! values. A question lies in the record's row until it is answered; open ones are repeated, and end unanswered.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::product_event;
use super::reading::LoadFor;
use super::rows::Refusal;
use super::table::Record;
use super::{Effect, Machine};
use crate::domain::change::Change;
use crate::domain::event::{Event, EventType, Says};
use crate::domain::ids::{FieldIdx, RecordKey};
use crate::domain::payload::{PersonalText, RawJson};
use crate::domain::plan::ObjectPlan;
use crate::domain::row::{Asks, FieldHash, Question, Row, Side};
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::time::Timestamp;

/// An open question is asked again this often.
const REMIND_EVERY: Duration = Duration::from_hours(24);
/// A question that nobody has answered for so long is given up.
const EXPIRE_AFTER: Duration = Duration::from_hours(14 * 24);
/// How often a live tenant looks for questions that are due.
const LOOK_EVERY: Duration = Duration::from_hours(1);
/// Questions looked at in one go.
const DUE_MAX: usize = 200;
/// How long the create of a record that was deleted in Salesforce waits for the values that the edit does not name.
pub(super) const RECREATE_PATIENCE: Duration = Duration::from_mins(1);

/// Looking for questions that are due.
#[derive(Debug, Default)]
pub(super) struct DueQuestions {
    looked: Timestamp,
    asked: bool,
}

impl DueQuestions {
    /// When they are looked for next.
    pub fn look_at(&self) -> Option<Timestamp> {
        (!self.asked).then(|| self.looked.after(LOOK_EVERY))
    }
}

/// A record that a key may mean, as a question names it.
pub(super) struct Candidate {
    pub id: SalesforceId,
    /// What the record holds, in product terms.
    pub data: RawJson,
}

fn put(row: &mut Row, asks: Asks, now: Timestamp) {
    row.revision += 1;
    let same = |q: &&Question| std::mem::discriminant(&q.asks) == std::mem::discriminant(&asks);
    let since = row.question.as_ref().filter(same).map_or(now, |q| q.since);
    row.question = Some(Question {
        asks,
        revision: row.revision,
        since,
    });
}

/// Asks which of several Salesforce records, or of none, is the key's.
pub(super) fn which(key: &RecordKey, row: &mut Row, candidates: &[Candidate], all: usize, now: Timestamp) -> Event {
    put(row, Asks::Which, now);
    let named: Vec<String> = candidates
        .iter()
        .map(|c| {
            let data = String::from_utf8_lossy(c.data.expose());
            format!("{{\"salesforce_id\":\"{}\",\"data\":{data}}}", c.id)
        })
        .collect();
    let detail = format!("{{\"candidates\":[{}],\"found\":{all}}}", named.join(","));
    Event {
        detail: Some(RawJson::from_checked(detail)),
        ..product_event::event(EventType::LinkWanted, key, row, now)
    }
}

/// Asks which key a Salesforce record has. `key` is keyless.
pub(super) fn whose(
    key: &RecordKey,
    row: &mut Row,
    id: SalesforceId,
    data: Option<RawJson>,
    says: Says,
    now: Timestamp,
) -> Event {
    put(row, Asks::Whose, now);
    Event {
        salesforce_id: Some(id),
        data,
        says,
        ..product_event::event(EventType::LinkWanted, key, row, now)
    }
}

/// Asks for values of fields. What was asked for before and is still open is asked for again with them. The event's id
/// says what Salesforce holds: an answer that gives just that is no edit.
pub(super) fn values(
    key: &RecordKey,
    row: &mut Row,
    plan: &ObjectPlan,
    mut fields: Vec<FieldIdx>,
    why: &'static str,
    now: Timestamp,
) -> Event {
    if let Some(Asks::Values { plan: of, fields: open }) = row.question.as_ref().map(|q| &q.asks)
        && *of == plan.version
    {
        fields.extend(open);
    }
    fields.sort_unstable();
    fields.dedup();
    let names = product_event::names(plan, &fields);
    let plan = plan.version;
    let held = fields.iter().map(|idx| (*idx, row.base.get(plan, *idx)));
    let says = Says {
        plan,
        fields: held.filter(|(_, hash)| *hash != FieldHash::UNKNOWN).collect(),
    };
    put(row, Asks::Values { plan, fields }, now);
    let detail = json!({ "fields": names, "why": why });
    Event {
        detail: Some(product_event::raw(&detail)),
        says,
        ..product_event::event(EventType::Wanted, key, row, now)
    }
}

/// When a question that was just asked is looked at next.
pub(super) fn due(now: Timestamp) -> Timestamp {
    now.after(REMIND_EVERY)
}

/// Whether a record waits for an answer that says where it goes.
pub(super) fn asks_which(row: &Row) -> bool {
    row.question.as_ref().is_some_and(|q| q.asks == Asks::Which)
}

impl Machine {
    /// The question about a record is open no longer.
    pub(super) fn close_question(&mut self, key: &RecordKey) {
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        if record.row.question.take().is_some() {
            self.drops.questions_remove.push(key.clone());
            self.drops.rows.insert(key.clone());
        }
    }

    /// Asks for values of a record, outside of any other step.
    pub(super) fn want_values(&mut self, key: &RecordKey, plan: &ObjectPlan, fields: Vec<FieldIdx>, why: &'static str) {
        let now = self.now;
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        let event = values(key, &mut record.row, plan, fields, why, now);
        self.drops.outbox.push(event);
        self.drops.questions.push((key.clone(), due(now)));
        self.drops.rows.insert(key.clone());
    }

    /// An upsert that names a `wanted` event gives the values that it asked for, as far as the product has any.
    pub(super) fn take_answer(&mut self, change: &Change) {
        let Some(answers) = &change.answers else { return };
        let question = self
            .table
            .records
            .get(&change.record)
            .and_then(|r| r.row.question.as_ref());
        if question.is_some_and(|q| q.revision == answers.revision && matches!(q.asks, Asks::Values { .. })) {
            self.close_question(&change.record);
        }
    }

    /// The product did not apply an event: a conflict, decided by the fields' policies. Where the product wins, its
    /// values are asked for.
    pub(super) fn take_refusal(&mut self, change: &Change) {
        self.drops.delete.push(change.entry);
        self.drops.seen.extend(change.idempotency);
        self.drops.counters.settled += 1;
        let (Some(answers), Some(plan)) = (&change.answers, self.plan.object(&change.record.object).cloned()) else {
            return;
        };
        let key = &change.record;
        let question = self.table.records.get(key).and_then(|r| r.row.question.as_ref());
        if question.is_some_and(|q| q.revision == answers.revision && matches!(q.asks, Asks::Values { .. })) {
            // It has no such values: what waits goes on without them.
            self.close_question(key);
            self.place(key);
            return;
        }
        let named = answers.says.under(plan.version).iter();
        let (ours, theirs): (Vec<FieldIdx>, Vec<FieldIdx>) =
            named.map(|(idx, _)| *idx).partition(|idx| product_wins(&plan, *idx));
        let reason = change.reason.as_ref().map(PersonalText::expose);
        if !theirs.is_empty() || ours.is_empty() {
            self.tell_refused(key, &theirs, Side::Salesforce, reason, change.traceparent.clone());
        }
        if !ours.is_empty() {
            self.tell_refused(key, &ours, Side::Product, reason, change.traceparent.clone());
            self.want_values(key, &plan, ours, "refused");
        }
        self.table.rest(key);
    }

    /// What a create of a record that Salesforce deleted would lack of the product's row: it is asked for once, and the
    /// create waits a while. The time until which it waits, if it does.
    pub(super) fn wait_for_values(&mut self, key: &RecordKey, plan: &ObjectPlan) -> Option<Timestamp> {
        let now = self.now;
        let record = self.table.records.get_mut(key)?;
        let lacking = lacking(record, plan);
        if lacking.is_empty() {
            return None;
        }
        if let Some(asked) = record.values_asked {
            let open = matches!(record.row.question.as_ref().map(|q| &q.asks), Some(Asks::Values { .. }));
            return Some(asked.after(RECREATE_PATIENCE)).filter(|until| open && *until > now);
        }
        record.values_asked = Some(now);
        self.want_values(key, plan, lacking, "recreate");
        Some(now.after(RECREATE_PATIENCE))
    }

    /// Looks for questions that are due, now and then.
    pub(super) fn look_for_questions(&mut self, out: &mut Vec<Effect>) {
        let due = self.due_questions.look_at().is_some_and(|at| at <= self.now);
        if self.phase == super::Phase::Live && due {
            self.due_questions = DueQuestions {
                looked: self.now,
                asked: true,
            };
            out.push(Effect::DueQuestions {
                before: self.now,
                count: DUE_MAX,
            });
        }
    }

    pub(super) fn questions_due(&mut self, keys: Vec<RecordKey>, out: &mut Vec<Effect>) {
        self.due_questions.asked = false;
        if keys.len() == DUE_MAX {
            // There are more: they are looked for as soon as these are dealt with.
            self.due_questions.looked = Timestamp::ZERO;
        }
        let (known, unknown): (Vec<_>, Vec<_>) = keys.into_iter().partition(|k| self.table.records.contains_key(k));
        self.remind(&known);
        if !unknown.is_empty() {
            self.load(LoadFor::Questions(unknown), Vec::new(), out);
        }
    }

    /// Asks again, or gives up.
    pub(super) fn remind(&mut self, keys: &[RecordKey]) {
        for key in keys {
            let plan = self.plan.object(&key.object).cloned();
            let record = self.table.records.get(key);
            let question = record.and_then(|r| r.row.question.clone()).filter(Question::is_open);
            let (Some(plan), Some(question)) = (plan, question) else {
                self.drops.questions_remove.push(key.clone());
                continue;
            };
            if self.now.since(question.since) >= EXPIRE_AFTER {
                self.give_up(key, &question);
            } else {
                self.ask_again(key, &plan, question);
            }
            self.table.rest(key);
        }
    }

    fn ask_again(&mut self, key: &RecordKey, plan: &ObjectPlan, question: Question) {
        let now = self.now;
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        let event = match question.asks {
            Asks::Which => {
                // The candidates may be others by now.
                record.looked = None;
                record.look_again = true;
                self.drops.questions.push((key.clone(), due(now)));
                self.place(key);
                return;
            }
            Asks::Whose => {
                let Ok(id) = SalesforceId::parse(key.key.trim_start_matches('\0')) else {
                    return;
                };
                whose(key, &mut record.row, id, None, Says::default(), now)
            }
            Asks::Values { fields, .. } => values(key, &mut record.row, plan, fields, "reminder", now),
            Asks::Create | Asks::Expired => return,
        };
        self.drops.outbox.push(event);
        self.drops.questions.push((key.clone(), due(now)));
        self.drops.rows.insert(key.clone());
    }

    fn give_up(&mut self, key: &RecordKey, question: &Question) {
        if question.asks == Asks::Which {
            self.close_question(key);
            self.bury(
                key,
                Refusal {
                    code: "unanswered",
                    fields: Vec::new(),
                    message: PersonalText::new("nobody said in 14 days which Salesforce record this key means"),
                },
            );
            return;
        }
        let whose = question.asks == Asks::Whose;
        self.close_question(key);
        if whose && let Some(record) = self.table.records.get_mut(key) {
            record.row.question = Some(Question {
                asks: Asks::Expired,
                ..question.clone()
            });
        }
        self.note_error(&Arc::from("question_expired"));
        self.place(key);
    }
}

fn product_wins(plan: &ObjectPlan, idx: FieldIdx) -> bool {
    plan.at(idx)
        .is_some_and(|f| f.on_conflict == crate::domain::plan::Policy::Product && f.direction.writes_salesforce())
}

/// Fields that Salesforce held before it deleted the record, and that the edit which brings it back does not name.
fn lacking(record: &Record, plan: &ObjectPlan) -> Vec<FieldIdx> {
    let deleted_there = record
        .row
        .tombstone
        .is_some_and(|t| t.by == Side::Salesforce && t.id.is_some());
    let Some(pending) = record.pending.as_ref().filter(|p| deleted_there && !p.fold.delete) else {
        return Vec::new();
    };
    plan.fields
        .iter()
        .filter(|f| f.direction.writes_salesforce() && !pending.fold.fields.iter().any(|given| given.idx == f.idx))
        .map(|f| f.idx)
        .collect()
}

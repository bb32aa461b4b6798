//! Events for the product: made here, put into the outbox by the script that makes them true.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Machine;
use super::own_writes::highest_seq;
use super::rows::Refusal;
use super::table::Pending;
use crate::domain::change::{Change, Rejection};
use crate::domain::event::{Event, EventType, Says};
use crate::domain::ids::{FieldIdx, RecordKey};
use crate::domain::payload::{PersonalText, RawJson};
use crate::domain::plan::ObjectPlan;
use crate::domain::row::{Row, Side, Told, Tombstone};
use crate::domain::stream::RawEntry;
use crate::domain::time::Timestamp;
use crate::domain::value;
use crate::engine::commit::{DeadContent, DeadLetter, Folded};

/// Salesforce's refusals that a person can heal, and how; anything else gets the general remedy.
const REMEDY: &str = "correct the named fields in the product, or the rule in Salesforce, and append the change again";

pub(super) fn raw(value: &Value) -> RawJson {
    RawJson::from_checked(value.to_string())
}

/// An event of a record, as far as all kinds are alike.
pub(super) fn event(kind: EventType, key: &RecordKey, row: &Row, now: Timestamp) -> Event {
    Event {
        kind,
        record: Some(key.clone()),
        salesforce_id: row.salesforce_id,
        data: None,
        detail: None,
        revision: row.revision,
        at: now,
        traceparent: None,
        says: Says::default(),
    }
}

/// The pair of key and Salesforce id is known.
pub(super) fn linked(key: &RecordKey, row: &mut Row, now: Timestamp, trace: Option<Arc<str>>) -> Event {
    row.revision += 1;
    Event {
        traceparent: trace,
        ..event(EventType::Linked, key, row, now)
    }
}

/// A receipt.
pub(super) fn applied(key: &RecordKey, row: &Row, fold: &Folded, now: Timestamp) -> Event {
    let entries: Vec<String> = fold.receipts.iter().map(ToString::to_string).collect();
    let detail = json!({ "entries": entries, "idempotency_keys": fold.idempotency_texts });
    Event {
        detail: Some(raw(&detail)),
        traceparent: fold.traces.last().cloned(),
        ..event(EventType::Applied, key, row, now)
    }
}

/// Salesforce refused a change.
pub(super) fn rejected(
    key: &RecordKey,
    row: &Row,
    code: &str,
    fields: &[Arc<str>],
    message: &PersonalText,
    fold: &Folded,
    now: Timestamp,
) -> Event {
    let entries: Vec<String> = fold.receipts.iter().map(ToString::to_string).collect();
    let detail = json!({
        "code": code, "fields": fields, "message": message.expose(), "remedy": REMEDY,
        "entries": entries, "idempotency_keys": fold.idempotency_texts,
    });
    Event {
        detail: Some(raw(&detail)),
        traceparent: fold.traces.last().cloned(),
        ..event(EventType::Rejected, key, row, now)
    }
}

/// Both sides changed something; says who won.
pub(super) fn conflict(
    key: &RecordKey,
    row: &mut Row,
    id: &str,
    fields: &[Arc<str>],
    winner: Side,
    reason: Option<&str>,
    now: Timestamp,
) -> Event {
    row.revision += 1;
    let winner = match winner {
        Side::Product => "product",
        Side::Salesforce => "salesforce",
    };
    let mut detail = json!({ "id": id, "fields": fields, "winner": winner });
    if let (Some(reason), Some(detail)) = (reason, detail.as_object_mut()) {
        detail.insert("reason".to_owned(), Value::from(reason));
    }
    Event {
        detail: Some(raw(&detail)),
        ..event(EventType::Conflict, key, row, now)
    }
}

/// New values for the product; `says` are their hashes. Remembered on the row until an edit shows that it was seen.
pub(super) fn changed(
    kind: EventType,
    key: &RecordKey,
    row: &mut Row,
    data: &[(Arc<str>, RawJson)],
    says: Says,
    now: Timestamp,
) -> Event {
    row.revision += 1;
    tell(
        row,
        Told {
            revision: row.revision,
            at: now,
            fields: says.fields.clone(),
            answered: false,
        },
    );
    Event {
        data: Some(object(data.iter().cloned())),
        says,
        ..event(kind, key, row, now)
    }
}

/// Values by name as one JSON object.
pub(super) fn object(values: impl Iterator<Item = (Arc<str>, RawJson)>) -> RawJson {
    let mut text = String::from("{");
    for (name, value) in values {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&Value::from(name.as_ref()).to_string());
        text.push(':');
        text.push_str(&String::from_utf8_lossy(value.expose()));
    }
    text.push('}');
    RawJson::from_checked(text)
}

/// The record is gone from Salesforce.
pub(super) fn deleted(key: &RecordKey, row: &mut Row, now: Timestamp) -> Event {
    row.revision += 1;
    let id = row.die(Side::Salesforce, row.revision);
    Event {
        salesforce_id: id,
        ..event(EventType::Deleted, key, row, now)
    }
}

/// Remembers an event; each field stands in the newest one only, so there are no more of them than fields.
fn tell(row: &mut Row, told: Told) {
    for older in &mut row.told {
        older
            .fields
            .retain(|(idx, _)| !told.fields.iter().any(|(i, _)| i == idx));
    }
    row.told.retain(|t| !t.fields.is_empty());
    row.told.push(told);
}

/// Product names of Salesforce fields; a name that is not mapped stays as it is.
pub(super) fn product_names(plan: &ObjectPlan, fields: &[Arc<str>]) -> Vec<Arc<str>> {
    fields
        .iter()
        .map(|name| {
            plan.by_salesforce(name)
                .next()
                .map_or_else(|| Arc::clone(name), |f| Arc::clone(&f.name))
        })
        .collect()
}

/// Product names of fields by position.
pub(super) fn names(plan: &ObjectPlan, fields: &[FieldIdx]) -> Vec<Arc<str>> {
    fields
        .iter()
        .filter_map(|idx| plan.at(*idx))
        .map(|f| Arc::clone(&f.name))
        .collect()
}

/// What goes into `dead`.
pub(super) fn letter(
    code: &Arc<str>,
    fields: Vec<Arc<str>>,
    message: PersonalText,
    fold: &Folded,
    now: Timestamp,
) -> DeadLetter {
    DeadLetter {
        code: Arc::clone(code),
        fields,
        message,
        at: now,
        content: DeadContent::Folded(fold.clone()),
    }
}

/// An idempotency key came again with other content.
pub(super) fn key_reused(change: &Change) -> Rejection {
    Rejection {
        code: "idempotency_key_reused",
        fields: Vec::new(),
        message: PersonalText::new("this idempotency key was used with other content within the last 24 hours"),
        remedy: "give every change a key of its own, e.g. the outbox row's id",
        record: Some(change.record.clone()),
        idempotency_text: change.idempotency_text.clone(),
    }
}

impl Machine {
    /// Drops an entry that is no change, and says so.
    pub(super) fn refuse(&mut self, entry: &RawEntry, rejection: Rejection) {
        if rejection.code == "future_id" {
            self.note_error(&Arc::from(rejection.code));
        }
        let detail = json!({
            "code": rejection.code, "fields": rejection.fields, "message": rejection.message.expose(),
            "remedy": rejection.remedy, "entries": [entry.at.id.to_string()],
            "idempotency_keys": rejection.idempotency_text.iter().collect::<Vec<_>>(),
        });
        self.drops.outbox.push(Event {
            kind: EventType::Rejected,
            record: rejection.record,
            salesforce_id: None,
            data: None,
            detail: Some(raw(&detail)),
            revision: 0,
            at: self.now,
            traceparent: None,
            says: Says::default(),
        });
        self.drops.delete.push(entry.at);
        self.drops.counters.refused += 1;
    }

    /// Tells of a conflict that was decided while folding.
    pub(super) fn tell_conflict(
        &mut self,
        key: &RecordKey,
        fields: &[FieldIdx],
        winner: Side,
        trace: Option<Arc<str>>,
    ) {
        self.tell_refused(key, fields, winner, None, trace);
    }

    /// Tells of a conflict that began with the product's refusal of an event, in its own words.
    pub(super) fn tell_refused(
        &mut self,
        key: &RecordKey,
        fields: &[FieldIdx],
        winner: Side,
        reason: Option<&str>,
        trace: Option<Arc<str>>,
    ) {
        let Some(plan) = self.plan.object(&key.object).cloned() else {
            return;
        };
        let id = self.conflict_id();
        let now = self.now;
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        let event = conflict(key, &mut record.row, &id, &names(&plan, fields), winner, reason, now);
        self.drops.outbox.push(Event {
            traceparent: trace,
            ..event
        });
        self.drops.rows.insert(key.clone());
        self.drops.counters.conflicts += 1;
    }

    /// A name for a conflict, unique within the tenant.
    pub(super) fn conflict_id(&mut self) -> String {
        self.conflicts += 1;
        format!("{}-{}", self.fence.as_ref().map_or(0, |f| f.epoch.0), self.conflicts)
    }

    /// Tells the product its own values again: it wins them, but may have applied an older event meanwhile.
    pub(super) fn reassert(&mut self, plan: &ObjectPlan, change: &Change, fields: &[FieldIdx]) {
        let mut data = Vec::new();
        let mut fields_said = Vec::new();
        for (idx, value) in change.fields.iter().filter(|(idx, _)| fields.contains(idx)) {
            let Some(field) = plan.at(*idx) else { continue };
            let Ok(outbound) = value::to_salesforce(field, value) else {
                continue;
            };
            fields_said.push((
                *idx,
                self.digest.field(&plan.object, &field.name, outbound.normal.as_bytes()),
            ));
            data.push((Arc::clone(&field.name), value.clone()));
        }
        self.tell_conflict(&change.record, fields, Side::Product, change.traceparent.clone());
        let now = self.now;
        let Some(record) = self.table.records.get_mut(&change.record) else {
            return;
        };
        let says = Says {
            plan: plan.version,
            fields: fields_said,
        };
        let event = changed(EventType::Changed, &change.record, &mut record.row, &data, says, now);
        self.drops.outbox.push(Event {
            traceparent: change.traceparent.clone(),
            ..event
        });
        self.drops.rows.insert(change.record.clone());
    }

    /// Settles a pending fold that needs no call.
    pub(super) fn settle_without_call(&mut self, key: &RecordKey) {
        let Some(pending) = self.table.take_pending(key) else {
            return;
        };
        let now = self.now;
        let all = self.plan.object(&key.object).map_or(0, |p| p.fields.len());
        self.table.count_entries(&pending.entries, false);
        let imports_read = self.reading.imports_read();
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        record.attempts = 0;
        record.orphan_since = None;
        let row = &mut record.row;
        row.last_seq = row.last_seq.max(pending.fold.seq);
        super::outcome::stamp_fold(row, &pending.fold, all, now);
        if pending.fold.delete && row.question.take().is_some() {
            self.drops.questions_remove.push(key.clone());
        }
        if pending.fold.delete && !pending.fold.upsert && row.tombstone.is_none() {
            row.tombstone = Some(Tombstone {
                by: Side::Product,
                revision: 0,
                id: None,
            });
        }
        super::known::forget_answered(row, imports_read);
        if pending.from_dead {
            row.dead_letter = false;
            self.drops.letters.insert(key.clone(), None);
        }
        if self.settings.receipts && !pending.fold.receipts.is_empty() {
            let receipt = applied(key, row, &pending.fold, now);
            self.drops.outbox.push(receipt);
        }
        self.drops.remove(key, &pending);
        self.drops.counters.settled += i64::try_from(pending.entries_total()).unwrap_or(i64::MAX);
        self.drops.rows.insert(key.clone());
    }

    /// A fold that cannot be sent at all becomes a dead letter.
    pub(super) fn bury(&mut self, key: &RecordKey, refusal: Refusal) {
        let Some(pending) = self.table.take_pending(key) else {
            return;
        };
        let now = self.now;
        let all = self.plan.object(&key.object).map_or(0, |p| p.fields.len());
        self.table.count_entries(&pending.entries, false);
        self.dead += 1;
        let code: Arc<str> = Arc::from(refusal.code);
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        record.row.last_seq = record.row.last_seq.max(pending.fold.seq);
        record.row.dead_letter = true;
        super::outcome::stamp_fold(&mut record.row, &pending.fold, all, now);
        let row = &record.row;
        let event = rejected(key, row, &code, &refusal.fields, &refusal.message, &pending.fold, now);
        self.drops.outbox.push(event);
        let letter = letter(&code, refusal.fields, refusal.message, &pending.fold, now);
        record.dead = Some(letter.clone());
        self.drops.letters.insert(key.clone(), Some(letter));
        self.drops.remove(key, &pending);
        self.drops.counters.dead += i64::try_from(pending.entries_total()).unwrap_or(i64::MAX);
        self.drops.rows.insert(key.clone());
        self.note_error(&code);
    }

    /// A record that Salesforce says is gone, and no event told how.
    pub(super) fn deleted_unseen(&mut self, key: &RecordKey) {
        let now = self.now;
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        if let Some(id) = record.row.salesforce_id {
            self.table.by_id.remove(&id);
            self.drops.unlinks.push(id);
        }
        record.row.last_seq = highest_seq(record);
        let event = deleted(key, &mut record.row, now);
        self.drops.outbox.push(event);
        self.drops.rows.insert(key.clone());
        self.withdraw_letter(key);
        self.lose_pending(key);
    }

    /// What the product wanted of a record that Salesforce deleted is lost, visibly.
    pub(super) fn lose_pending(&mut self, key: &RecordKey) {
        if let Some(pending) = self.table.take_pending(key) {
            self.lose(key, &pending);
        }
    }

    /// What was pending or on its way comes too late.
    pub(super) fn lose(&mut self, key: &RecordKey, pending: &Pending) {
        self.table.count_entries(&pending.entries, false);
        let fields: Vec<FieldIdx> = pending
            .fold
            .fields
            .iter()
            .filter(|f| !f.engine)
            .map(|f| f.idx)
            .collect();
        if !fields.is_empty() {
            self.tell_conflict(key, &fields, Side::Salesforce, pending.fold.traces.last().cloned());
        }
        let all = self.plan.object(&key.object).map_or(0, |p| p.fields.len());
        let now = self.now;
        if let Some(record) = self.table.records.get_mut(key) {
            record.row.last_seq = record.row.last_seq.max(pending.fold.seq);
            super::outcome::stamp_fold(&mut record.row, &pending.fold, all, now);
        }
        self.drops.remove(key, pending);
        self.drops.counters.refused += i64::try_from(pending.entries_total()).unwrap_or(i64::MAX);
        self.drops.rows.insert(key.clone());
    }

    /// Tells the product of the tenant's state.
    pub(super) fn tell_tenant(&mut self, state: &'static str, reason: &str) {
        self.drops.outbox.push(Event {
            kind: EventType::Tenant,
            record: None,
            salesforce_id: None,
            data: None,
            detail: Some(raw(&json!({ "state": state, "reason": reason }))),
            revision: 0,
            at: self.now,
            traceparent: None,
            says: Says::default(),
        });
    }
}

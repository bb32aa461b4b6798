//! An org with one object, a fence, and change events in commit order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::model_plan::PAIRS;
use crate::domain::ids::ReplayId;
use crate::domain::payload::PersonalText;
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::time::Timestamp;
use crate::engine::call::{FindCall, Literal, ReadRow, WriteAnswer, WriteCall};
use crate::engine::classify::{CallFault, Class, RowFault, RowOutcome};
use crate::engine::commit::Verb;
use crate::engine::inbound::{ChangeEvent, ChangeKind, SalesforceValue};

#[derive(Default)]
pub struct Org {
    pub live: BTreeMap<SalesforceId, Map<String, Value>>,
    /// The recycle bin.
    pub bin: BTreeMap<SalesforceId, Map<String, Value>>,
    pub events: Vec<ChangeEvent>,
    next: u64,
    pub fence_refusals: usize,
    pub writes: usize,
}

const KEY: &str = "Tandem_Key__c";
const SEQ: &str = "Tandem_Seq__c";

impl Org {
    /// `locked`: for each row whether another transaction holds the record.
    pub fn apply(&mut self, call: &WriteCall, locked: &[bool], now: u64) -> WriteAnswer {
        let outcomes = call.rows.iter().zip(locked).map(|(row, locked)| {
            if *locked {
                return failed(Class::Retry, "UNABLE_TO_LOCK_ROW");
            }
            let fields: Map<String, Value> =
                serde_json::from_slice(format!("{{{}}}", std::str::from_utf8(&row.members).unwrap()).as_bytes())
                    .unwrap();
            self.writes += 1;
            match call.verb {
                Verb::Create => self.upsert(fields, now),
                Verb::Update => self.update(row.id.unwrap(), fields, now),
                Verb::Delete => self.delete(row.id.unwrap(), now),
            }
        });
        WriteAnswer {
            outcome: Ok(outcomes.collect()),
            usage: None,
            took: Duration::from_millis(5),
            requests: 1,
        }
    }

    fn upsert(&mut self, fields: Map<String, Value>, now: u64) -> RowOutcome {
        let found = self
            .live
            .iter()
            .find(|(_, f)| f.get(KEY) == fields.get(KEY))
            .map(|(id, _)| *id);
        if let Some(id) = found {
            return self.update(id, fields, now);
        }
        if fields.get("LastName").and_then(Value::as_str) == Some("BAD") {
            return failed(Class::Reject, "FIELD_INTEGRITY_EXCEPTION");
        }
        self.next += 1;
        let id = SalesforceId::parse(&format!("003{:012}", self.next)).unwrap();
        let fields: Map<String, Value> = fields.into_iter().filter(|(_, v)| !v.is_null()).collect();
        self.event(id, ChangeKind::Create, &fields, now);
        self.live.insert(id, fields);
        RowOutcome::Done { id, created: true }
    }

    pub fn update(&mut self, id: SalesforceId, fields: Map<String, Value>, now: u64) -> RowOutcome {
        let Some(row) = self.live.get_mut(&id) else {
            return failed(Class::Gone, "ENTITY_IS_DELETED");
        };
        let before = row.get(SEQ).and_then(Value::as_u64);
        let after = fields.get(SEQ).and_then(Value::as_u64);
        if let (Some(before), Some(after)) = (before, after)
            && after < before
        {
            self.fence_refusals += 1;
            return failed(Class::Fence, "FIELD_CUSTOM_VALIDATION_EXCEPTION");
        }
        if fields.get("LastName").and_then(Value::as_str) == Some("BAD") {
            return failed(Class::Reject, "FIELD_INTEGRITY_EXCEPTION");
        }
        let mut changed = Map::new();
        for (name, value) in fields {
            let old = row.get(&name).cloned().unwrap_or(Value::Null);
            if old != value {
                changed.insert(name.clone(), value.clone());
                if value.is_null() {
                    row.remove(&name)
                } else {
                    row.insert(name, value)
                };
            }
        }
        self.event(id, ChangeKind::Update, &changed, now);
        RowOutcome::Done { id, created: false }
    }

    pub fn delete(&mut self, id: SalesforceId, now: u64) -> RowOutcome {
        let Some(fields) = self.live.remove(&id) else {
            return failed(Class::Gone, "ENTITY_IS_DELETED");
        };
        self.bin.insert(id, fields);
        self.event(id, ChangeKind::Delete, &Map::new(), now);
        RowOutcome::Done { id, created: false }
    }

    /// A person takes a record out of the recycle bin; refused while another one has its key, which is unique.
    pub fn undelete(&mut self, id: SalesforceId, now: u64) {
        let Some(fields) = self.bin.remove(&id) else { return };
        if self.live.values().any(|f| f.get(KEY) == fields.get(KEY)) {
            self.bin.insert(id, fields);
            return;
        }
        self.event(id, ChangeKind::Undelete, &fields, now);
        self.live.insert(id, fields);
    }

    pub fn read(&self, ids: &[SalesforceId], fields: &[Arc<str>]) -> Result<Vec<ReadRow>, CallFault> {
        let row = |id: &SalesforceId| {
            let held = self.live.get(id)?;
            let mut picked: Map<String, Value> = fields
                .iter()
                .map(|f| (f.to_string(), held.get(f.as_ref()).cloned().unwrap_or(Value::Null)))
                .collect();
            let changed = self.events.iter().rev().find(|e| e.ids.contains(id));
            if let (Some(stamp), Some(event)) = (picked.get_mut("SystemModstamp"), changed) {
                *stamp = Value::from(event.committed.to_string());
            }
            Some(json!(picked).to_string().into())
        };
        Ok(ids
            .iter()
            .map(|id| ReadRow {
                id: *id,
                fields: row(id),
            })
            .collect())
    }

    /// A person makes a record.
    pub fn person_makes(&mut self, fields: &Value, now: u64) -> SalesforceId {
        self.next += 1;
        let id = SalesforceId::parse(&format!("003{:012}", self.next)).unwrap();
        let fields = fields.as_object().cloned().unwrap();
        self.event(id, ChangeKind::Create, &fields, now);
        self.live.insert(id, fields);
        id
    }

    /// Records that hold one of the values in each field; texts compare without regard to case.
    pub fn find(&self, call: &FindCall) -> Vec<ReadRow> {
        let meets = |fields: &Map<String, Value>| {
            call.any_of.iter().all(|(name, values)| {
                let held = fields.get(name.as_ref()).and_then(Value::as_str).map(str::to_lowercase);
                held.is_some_and(|held| {
                    values
                        .iter()
                        .any(|v| matches!(v, Literal::Text(text) if text.to_lowercase() == held))
                })
            })
        };
        let ids: Vec<SalesforceId> = self.live.iter().filter(|(_, f)| meets(f)).map(|(id, _)| *id).collect();
        let ids = &ids[..ids.len().min(FindCall::FOUND_MAX)];
        self.read(ids, &call.fields).unwrap()
    }

    fn event(&mut self, id: SalesforceId, kind: ChangeKind, changed: &Map<String, Value>, now: u64) {
        let at = self.events.len() as u64 + 1;
        let mut fields: Vec<(Arc<str>, SalesforceValue)> = changed
            .iter()
            .map(|(name, value)| (Arc::from(name.as_str()), value_of(value)))
            .collect();
        if matches!(kind, ChangeKind::Create | ChangeKind::Undelete) {
            // Their bodies name every field, those without a value too.
            let unset = PAIRS.iter().filter(|(_, name)| !changed.contains_key(*name));
            fields.extend(unset.map(|(_, name)| (Arc::from(*name), SalesforceValue::Null)));
        }
        self.events.push(ChangeEvent {
            replay_id: ReplayId(at.to_be_bytes().to_vec().into()),
            sobject: "Contact".into(),
            ids: vec![id],
            kind,
            committed: Timestamp(now),
            commit_number: at as i64,
            transaction_key: format!("t{at}").into(),
            sequence: 1,
            commit_user: "005".into(),
            origin: "".into(),
            fields,
            unread: Vec::new(),
        });
    }

    pub fn by_key(&self, key: &str) -> Vec<(SalesforceId, &Map<String, Value>)> {
        let same = |f: &Map<String, Value>| f.get(KEY).and_then(Value::as_str) == Some(key);
        self.live
            .iter()
            .filter(|(_, f)| same(f))
            .map(|(id, f)| (*id, f))
            .collect()
    }
}

fn failed(class: Class, code: &str) -> RowOutcome {
    RowOutcome::Failed(RowFault {
        class,
        code: code.into(),
        fields: Vec::new(),
        message: PersonalText::default(),
    })
}

fn value_of(value: &Value) -> SalesforceValue {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => SalesforceValue::Null,
        Value::Bool(b) => SalesforceValue::Bool(*b),
        Value::Number(n) => SalesforceValue::Double(n.as_f64().unwrap()),
        Value::String(s) => SalesforceValue::Text(s.as_str().into()),
    }
}

//! A product that edits rows, appends its changes with versions, and applies events with a trigger that tells of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::model_store::Store;
use crate::domain::event::{Event, EventId, EventType};
use crate::domain::ids::TenantName;
use crate::domain::stream::{Log, StreamId};

#[derive(Default)]
pub struct Product {
    pub rows: BTreeMap<String, Map<String, Value>>,
    pub versions: BTreeMap<String, u64>,
    pub seen: BTreeMap<String, u64>,
    pub deleted_by_org: Vec<String>,
    pub conflicts: usize,
    /// Rows that have a Salesforce record.
    pub linked: BTreeSet<String>,
    /// What records of Salesforce's held that were asked about.
    pub strangers: BTreeMap<String, serde_json::Value>,
    /// Rows that were made for records of Salesforce's.
    pub made: BTreeSet<String>,
    pub rows_made: usize,
    /// Where people's edits go: the backfill log is an import's.
    pub lane: Option<Log>,
}

impl Product {
    pub fn edit(&mut self, store: &mut Store, now: u64, key: &str, fields: Map<String, Value>) {
        if self.deleted_by_org.iter().any(|k| k == key) {
            return;
        }
        let row = self.rows.entry(key.to_owned()).or_default();
        row.extend(fields.clone());
        row.retain(|_, v| !v.is_null());
        self.append(store, now, key, "upsert", Some(Value::Object(fields).to_string()), None);
    }

    pub fn delete(&mut self, store: &mut Store, now: u64, key: &str) {
        if self.rows.remove(key).is_some() {
            self.append(store, now, key, "delete", None, None);
        }
    }

    fn append(
        &mut self,
        store: &mut Store,
        now: u64,
        key: &str,
        op: &str,
        data: Option<String>,
        cause: Option<String>,
    ) {
        let log = self.lane.filter(|_| cause.is_none()).unwrap_or(Log::Changes);
        let version = self.versions.entry(key.to_owned()).or_default();
        *version += 1;
        let mut fields = vec![
            ("object", "contact".to_owned()),
            ("key", key.to_owned()),
            ("op", op.to_owned()),
            ("version", version.to_string()),
            ("seen_revision", self.seen.get(key).copied().unwrap_or(0).to_string()),
        ];
        fields.extend(data.map(|d| ("data", d)));
        fields.extend(cause.map(|c| ("caused_by", c)));
        store.append(log, now, fields);
    }

    pub fn apply(&mut self, store: &mut Store, now: u64, outbox: StreamId, event: &Event) {
        let Some(key) = event.record.as_ref().map(|r| r.key.to_string()) else {
            return;
        };
        self.seen.insert(
            key.clone(),
            event.revision.max(self.seen.get(&key).copied().unwrap_or(0)),
        );
        match event.kind {
            EventType::Changed | EventType::Undeleted => {
                let data: Map<String, Value> = serde_json::from_slice(event.data.as_ref().unwrap().expose()).unwrap();
                if event.kind == EventType::Undeleted {
                    self.deleted_by_org.retain(|k| *k != key);
                    self.rows.entry(key.clone()).or_default();
                }
                let Some(row) = self.rows.get_mut(&key) else { return };
                row.extend(data.clone());
                row.retain(|_, v| !v.is_null());
                let cause = Some(self.event_id(outbox, event));
                self.append(store, now, &key, "upsert", Some(Value::Object(data).to_string()), cause);
            }
            EventType::Deleted => {
                self.rows.remove(&key);
                self.linked.remove(&key);
                self.deleted_by_org.push(key);
            }
            EventType::Linked => {
                self.linked.insert(key);
            }
            EventType::LinkWanted | EventType::Wanted | EventType::Rejected => self.answer(store, now, outbox, event),
            EventType::Conflict => self.conflicts += 1,
            EventType::Applied | EventType::Tenant => {}
        }
    }

    pub fn event_id(&self, outbox: StreamId, event: &Event) -> String {
        EventId {
            tenant: TenantName::new("acme").unwrap(),
            outbox,
            revision: event.revision,
            says: event.says.clone(),
        }
        .encode()
    }
}

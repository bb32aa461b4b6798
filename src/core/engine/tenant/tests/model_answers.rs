//! How the modelled product answers questions.

use serde_json::{Map, Value, json};

use super::model_product::Product;
use super::model_store::Store;
use crate::domain::event::{Event, EventType};
use crate::domain::stream::{Log, StreamId};

impl Product {
    pub fn answer(&mut self, store: &mut Store, now: u64, outbox: StreamId, event: &Event) {
        let id = self.event_id(outbox, event);
        let record = event.record.clone().unwrap();
        let key = record.key.to_string();
        let parsed = |raw: Option<&crate::domain::payload::RawJson>| -> Value {
            raw.map_or(Value::Null, |raw| serde_json::from_slice(raw.expose()).unwrap())
        };
        let (data, detail) = (parsed(event.data.as_ref()), parsed(event.detail.as_ref()));
        match event.kind {
            EventType::LinkWanted if record.is_keyless() => {
                let salesforce_id = event.salesforce_id.unwrap().to_string();
                self.strangers.insert(salesforce_id.clone(), data.clone());
                let row = self.row_for(&data);
                link(store, now, &row, &salesforce_id, &id);
            }
            EventType::LinkWanted if self.rows.contains_key(&key) => {
                let first = &detail["candidates"][0]["salesforce_id"];
                link(store, now, &key, first.as_str().unwrap_or(""), &id);
            }
            EventType::Wanted => {
                let Some(row) = self.rows.get(&key) else { return };
                let names = detail["fields"].as_array().unwrap();
                let data: Map<String, Value> = names
                    .iter()
                    .map(|n| n.as_str().unwrap())
                    .map(|n| (n.to_owned(), row.get(n).cloned().unwrap_or(Value::Null)))
                    .collect();
                self.append_answer(store, now, &key, &json!(data).to_string(), &id);
            }
            EventType::Rejected if ["already_linked", "no_such_record"].contains(&detail["code"].as_str().unwrap()) => {
                if self.linked.contains(&key) {
                    // The row has another record: this one is somebody else.
                    let refused = detail["salesforce_id"].as_str().unwrap_or_default();
                    if detail["winner"]["key"] == key.as_str()
                        && let Some(data) = self.strangers.get(refused).cloned()
                    {
                        let row = self.row_for(&data);
                        link(store, now, &row, refused, &id);
                    }
                    return;
                }
                if self.made.remove(&key) {
                    self.delete(store, now, &key);
                } else if self.rows.contains_key(&key) {
                    link(store, now, &key, "", &id);
                }
            }
            _ => {}
        }
    }

    /// The row of a record that has none: one with its e-mail address, or a new one.
    fn row_for(&mut self, data: &Value) -> String {
        let email = |row: &Map<String, Value>| row.get("email").and_then(Value::as_str).map(str::to_lowercase);
        let data = data.as_object().cloned().unwrap_or_default();
        let wanted = email(&data);
        let known = self
            .rows
            .iter()
            .find(|(key, row)| wanted.is_some() && email(row) == wanted && !self.linked.contains(*key));
        if let Some((key, _)) = known {
            return key.clone();
        }
        let key = format!("n{}", self.rows_made);
        self.rows_made += 1;
        let row = data.into_iter().filter(|(_, v)| !v.is_null()).collect();
        self.rows.insert(key.clone(), row);
        self.versions.insert(key.clone(), 0);
        self.made.insert(key.clone());
        key
    }

    fn append_answer(&mut self, store: &mut Store, now: u64, key: &str, data: &str, answers: &str) {
        let version = self.versions.entry(key.to_owned()).or_default();
        *version += 1;
        let fields = vec![
            ("object", "contact".to_owned()),
            ("key", key.to_owned()),
            ("op", "upsert".to_owned()),
            ("version", version.to_string()),
            ("seen_revision", self.seen.get(key).copied().unwrap_or(0).to_string()),
            ("data", data.to_owned()),
            ("answers", answers.to_owned()),
        ];
        store.append(Log::Changes, now, fields);
    }
}

fn link(store: &mut Store, now: u64, key: &str, salesforce_id: &str, answers: &str) {
    let fields = vec![
        ("object", "contact".to_owned()),
        ("key", key.to_owned()),
        ("op", "link".to_owned()),
        ("salesforce_id", salesforce_id.to_owned()),
        ("answers", answers.to_owned()),
    ];
    store.append(Log::Changes, now, fields);
}

//! A naive engine: one task, state in memory, one write a change. Its faults are chosen by name.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use loadtest::product::{Event, parse};
use loadtest::shape::{Field, Policy, Shapes};
use loadtest::stack::connect;
use loadtest::value::{Kind, Value as Plain, normal};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use redis::streams::StreamRangeReply;
use serde_json::{Map, Value, json};

use super::org::{Change, Org, Orgs};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Settles one change in twenty without sending it.
    Settle,
    /// Tells the product its own writes.
    Echo,
    /// After one write in ten, writes the record's earlier content again.
    Order,
    /// Loses one event in ten.
    DropEvent,
    /// Removes one entry in fifty without counting it.
    Vanish,
    /// Makes one record in ten twice.
    Twice,
    /// Makes a record again that a person deleted.
    Resurrect,
    /// Overwrites without a word what people changed meanwhile.
    Silent,
    /// Goes on writing for ever.
    Restless,
}

#[derive(Debug, Default)]
struct Record {
    id: Option<String>,
    base: BTreeMap<String, Plain>,
    revision: u64,
    field_revision: HashMap<String, u64>,
    deleted_at: Option<u64>,
    last_write: Map<String, Value>,
}

pub(crate) struct Engine {
    orgs: Orgs,
    shapes: Arc<Shapes>,
    connection: MultiplexedConnection,
    tenants: Vec<String>,
    fault: Fault,
    records: HashMap<(String, String, String), Record>,
    keys: HashMap<String, (String, String)>,
    seen: HashSet<String>,
    seq: u64,
    events: u64,
    turn: u64,
}

/// Pause between rounds: long enough that edits of both sides meet in many of them.
const ROUND: std::time::Duration = std::time::Duration::from_millis(60);

impl Engine {
    pub(crate) async fn start(
        orgs: Orgs,
        shapes: Arc<Shapes>,
        redis_url: &str,
        fault: Fault,
    ) -> tokio::task::JoinHandle<()> {
        let connection = connect(redis_url).await.expect("redis");
        let tenants = orgs.infos().into_iter().map(|org| org.name).collect();
        let engine = Self {
            orgs,
            shapes,
            connection,
            tenants,
            fault,
            records: HashMap::new(),
            keys: HashMap::new(),
            seen: HashSet::new(),
            seq: 0,
            events: 0,
            turn: 0,
        };
        tokio::spawn(engine.run())
    }

    async fn run(mut self) {
        loop {
            for tenant in self.tenants.clone() {
                self.round(&tenant).await;
            }
            tokio::time::sleep(ROUND).await;
        }
    }

    /// One turn in so many goes wrong.
    fn wrong(&mut self, fault: Fault, every: u64) -> bool {
        if self.fault != fault {
            return false;
        }
        self.turn += 1;
        self.turn.is_multiple_of(every)
    }

    async fn round(&mut self, tenant: &str) {
        let log = format!("tandem:{{{tenant}}}:changes");
        let counters = format!("tandem:{{{tenant}}}:counters");
        let entries: StreamRangeReply = self
            .connection
            .xrange_count(&log, "-", "+", 200)
            .await
            .expect("the log");
        let (mut events, mut done) = (Vec::new(), Vec::new());
        let mut waiting = HashSet::new();
        {
            let orgs = self.orgs.clone();
            let mut org = orgs.lock(tenant);
            while let Some(change) = org.bus.pop_front() {
                self.import(tenant, &mut org, &change, &mut events);
            }
            for entry in &entries.ids {
                let fields: HashMap<String, String> = entry
                    .map
                    .keys()
                    .filter_map(|name| Some((name.clone(), entry.get(name)?)))
                    .collect();
                let record = (fields["object"].clone(), fields["key"].clone());
                if waiting.contains(&record) {
                    continue;
                }
                match self.export(tenant, &mut org, &fields, &mut events) {
                    Some(fate) => done.push((entry.id.clone(), fate)),
                    None => {
                        waiting.insert(record);
                    }
                }
            }
            if self.fault == Fault::Restless {
                let id = org
                    .rows
                    .iter()
                    .find(|(_, row)| !row.deleted && !row.key().is_empty())
                    .map(|(id, _)| id.clone());
                if let Some(id) = id {
                    self.seq += 1;
                    org.update(
                        &id,
                        json!({"Tandem_Seq__c": self.seq}).as_object().expect("object").clone(),
                        true,
                    );
                }
            }
        }
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        for event in &events {
            pipeline.xadd("tandem:events:{0}", "*", event);
        }
        for (id, fate) in &done {
            pipeline.xdel(&log, &[id]);
            if !self.wrong(Fault::Vanish, 50) {
                pipeline.hincr(&counters, *fate, 1);
            }
        }
        if !events.is_empty() || !done.is_empty() {
            let _: Vec<redis::Value> = pipeline.query_async(&mut self.connection).await.expect("a transaction");
        }
    }

    fn event(&mut self, tenant: &str, object: &str, key: &str, event: Event) -> Vec<(&'static str, String)> {
        self.events += 1;
        vec![
            ("id", format!("event-{}", self.events)),
            ("tenant", tenant.to_owned()),
            ("type", event.kind),
            ("object", object.to_owned()),
            ("key", key.to_owned()),
            ("salesforce_id", event.salesforce_id),
            ("data", Value::Object(event.data).to_string()),
            ("revision", event.revision.unwrap_or(0).to_string()),
            ("detail", event.detail.to_string()),
        ]
    }

    /// A change on the bus becomes an event.
    fn import(&mut self, tenant: &str, org: &mut Org, change: &Change, events: &mut Vec<Vec<(&'static str, String)>>) {
        let Some((object, key)) = self.keys.get(&change.id).cloned() else {
            return;
        };
        if (change.own && self.fault != Fault::Echo) || self.wrong(Fault::DropEvent, 10) {
            return;
        }
        let shapes = self.shapes.clone();
        let shape = &shapes.objects[shapes.object(&object).expect("declared")];
        let parents: HashMap<String, String> = self
            .keys
            .iter()
            .map(|(id, (_, key))| (id[..15].to_owned(), key.clone()))
            .collect();
        let record = self
            .records
            .get_mut(&(tenant.to_owned(), object.clone(), key.clone()))
            .expect("a linked record");
        if change.kind == "delete" && !change.own && self.fault == Fault::Resurrect {
            let row = org.rows[&change.id].clone();
            let id = org.create(&row.entity, row.fields, true);
            record.id = Some(id.clone());
            self.keys.insert(id, (object, key));
            return;
        }
        record.revision += 1;
        let revision = Some(record.revision);
        if change.kind == "delete" {
            if record.id.as_ref() == Some(&change.id) && !change.own {
                record.id = None;
                record.deleted_at = revision;
                let event = Event {
                    kind: "deleted".to_owned(),
                    revision,
                    ..Event::default()
                };
                events.push(self.event(tenant, &object, &key, event));
            }
            return;
        }
        let mut data = Map::new();
        for (name, value) in &change.changed {
            let Some(at) = shape.salesforce_field(name) else {
                continue;
            };
            let field = &shape.fields[at];
            let plain = shapes.from_salesforce(field, value, &parents);
            data.insert(field.name.clone(), field.to_json(&plain));
            record.field_revision.insert(field.name.clone(), record.revision);
            record.base.insert(field.name.clone(), plain);
        }
        if !data.is_empty() && org.rows.contains_key(&change.id) {
            let salesforce_id = change.id.clone();
            let event = Event {
                kind: "changed".to_owned(),
                data,
                revision,
                salesforce_id,
                ..Event::default()
            };
            events.push(self.event(tenant, &object, &key, event));
        }
    }

    /// An entry of the log becomes a write; `None`: not yet possible.
    fn export(
        &mut self,
        tenant: &str,
        org: &mut Org,
        entry: &HashMap<String, String>,
        events: &mut Vec<Vec<(&'static str, String)>>,
    ) -> Option<&'static str> {
        if self.seen.contains(&entry["idempotency_key"]) {
            return Some("duplicate");
        }
        let (object, key) = (entry["object"].clone(), entry["key"].clone());
        let shapes = self.shapes.clone();
        let shape = &shapes.objects[shapes.object(&object).expect("declared")];
        let place = (tenant.to_owned(), object.clone(), key.clone());
        let mut record = self.records.remove(&place).unwrap_or_default();
        let seen = entry
            .get("seen_revision")
            .and_then(|seen| seen.parse::<u64>().ok())
            .unwrap_or(0);
        let fate = 'fate: {
            if entry.contains_key("caused_by") {
                break 'fate Some("settled");
            }
            if entry["op"] == "delete" {
                if let Some(id) = record.id.take() {
                    org.delete(&id, true);
                }
                record.base.clear();
                break 'fate Some("settled");
            }
            if record.deleted_at.is_some_and(|deleted| seen < deleted) {
                break 'fate Some("refused");
            }
            if self.wrong(Fault::Settle, 20) {
                break 'fate Some("settled");
            }
            let data = parse(entry).data;
            let Some(write) = self.write(tenant, shape, &data) else {
                break 'fate None;
            };
            let mut write = write;
            let (mut named, mut back) = (Vec::new(), Map::new());
            for (name, value) in &data {
                let field = &shape.fields[shape.field(name).expect("declared")];
                let plain = normal(field.kind, value);
                let unseen = record.field_revision.get(name).is_some_and(|&revision| revision > seen);
                if unseen && record.id.is_some() && record.base.get(name) != Some(&plain) && self.fault != Fault::Silent
                {
                    named.push((name.clone(), field.policy));
                    if field.policy == Policy::Salesforce {
                        write.remove(&field.salesforce);
                        continue;
                    }
                    back.insert(name.clone(), value.clone());
                }
                record.base.insert(name.clone(), plain);
            }
            self.seq += 1;
            let earlier = std::mem::replace(&mut record.last_write, write.clone());
            if !write.is_empty() {
                write.insert("Tandem_Seq__c".to_owned(), json!(self.seq));
            }
            match &record.id {
                Some(id) if !write.is_empty() => org.update(id, write, true),
                Some(_) => {}
                None => {
                    write.insert("Tandem_Key__c".to_owned(), json!(key));
                    if self.wrong(Fault::Twice, 10) {
                        org.create(&shape.salesforce, write.clone(), true);
                    }
                    let id = org.create(&shape.salesforce, write, true);
                    self.keys.insert(id.clone(), (object.clone(), key.clone()));
                    record.id = Some(id);
                }
            }
            if !earlier.is_empty() && self.wrong(Fault::Order, 10) {
                org.update(record.id.as_ref().expect("a row"), earlier, true);
            }
            for policy in [Policy::Product, Policy::Salesforce] {
                let fields: Vec<&String> = named
                    .iter()
                    .filter(|(_, own)| *own == policy)
                    .map(|(name, _)| name)
                    .collect();
                if fields.is_empty() {
                    continue;
                }
                let winner = if policy == Policy::Product {
                    "product"
                } else {
                    "salesforce"
                };
                let detail = json!({"id": "c", "fields": fields, "winner": winner});
                let event = Event {
                    kind: "conflict".to_owned(),
                    detail,
                    revision: Some(record.revision),
                    ..Event::default()
                };
                events.push(self.event(tenant, &object, &key, event));
            }
            if !back.is_empty() {
                record.revision += 1;
                let event = Event {
                    kind: "changed".to_owned(),
                    data: back,
                    revision: Some(record.revision),
                    ..Event::default()
                };
                events.push(self.event(tenant, &object, &key, event));
            }
            Some("settled")
        };
        self.records.insert(place, record);
        if fate.is_some() {
            self.seen.insert(entry["idempotency_key"].clone());
        }
        fate
    }

    /// The Salesforce fields of a change; `None` while a parent is not there yet.
    fn write(
        &self,
        tenant: &str,
        shape: &loadtest::shape::Object,
        data: &Map<String, Value>,
    ) -> Option<Map<String, Value>> {
        let mut write = Map::new();
        for (name, value) in data {
            let field: &Field = &shape.fields[shape.field(name).expect("declared")];
            let theirs = match (field.kind, value.as_str()) {
                (Kind::Reference(parent), Some(key)) => {
                    let parent = self.shapes.objects[parent].name.clone();
                    let record = self.records.get(&(tenant.to_owned(), parent, key.to_owned()))?;
                    json!(record.id.as_ref()?)
                }
                (Kind::Choice, Some(ours)) => {
                    let pair = field.values.iter().find(|(known, _)| known == ours);
                    json!(pair.map_or(ours, |(_, theirs)| theirs))
                }
                _ => value.clone(),
            };
            write.insert(field.salesforce.clone(), theirs);
        }
        Some(write)
    }
}

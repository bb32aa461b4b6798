//! One tenant without chance: every effect is carried out at once, in order, until nothing is left to do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::model_org::Org;
use super::model_store::Store;
use crate::domain::event::{Event, EventId, EventType};
use crate::domain::ids::{ReplayId, TenantName};
use crate::domain::plan::TenantPlan;
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::stream::Log;
use crate::domain::time::Timestamp;
use crate::engine::inbound::EventBatch;
use crate::engine::tenant::io::{Effect, Input};
use crate::engine::tenant::{Machine, Snapshot, TenantSettings};

pub struct Bench {
    pub now: u64,
    machine: Machine,
    settings: TenantSettings,
    plan: Arc<TenantPlan>,
    pub store: Store,
    pub org: Org,
    inputs: VecDeque<Input>,
    subscribed: Option<usize>,
    wants_events: bool,
    pub backpressure: &'static str,
    /// Look-ups made so far.
    pub finds: usize,
    /// Writing calls made so far.
    pub writes: usize,
    /// Whether answers of look-ups and reads are lost.
    pub lose_reads: bool,
}

impl Bench {
    pub fn new(plan: Arc<TenantPlan>) -> Self {
        Self::with(plan, |_| {})
    }

    pub fn with(plan: Arc<TenantPlan>, change: impl FnOnce(&mut TenantSettings)) -> Self {
        let mut settings = TenantSettings::new(TenantName::new("acme").unwrap());
        settings.freshness = Duration::from_millis(10);
        change(&mut settings);
        let mut bench = Self {
            now: 1_790_000_000_000,
            machine: Machine::new(settings.clone(), Arc::clone(&plan), [7; 32]),
            settings,
            plan,
            store: Store::default(),
            org: Org::default(),
            inputs: VecDeque::from([Input::Start]),
            subscribed: None,
            wants_events: false,
            backpressure: "",
            finds: 0,
            writes: 0,
            lose_reads: false,
        };
        bench.settle();
        bench
    }

    /// An entry of the product's log.
    pub fn append(&mut self, key: &str, op: &str, more: &[(&str, &str)]) {
        self.append_to(Log::Changes, key, op, more);
    }

    pub fn append_to(&mut self, log: Log, key: &str, op: &str, more: &[(&str, &str)]) {
        let mut fields = vec![
            ("object", "contact".to_owned()),
            ("key", key.to_owned()),
            ("op", op.to_owned()),
        ];
        fields.extend(more.iter().map(|(n, v)| (*n, (*v).to_owned())));
        self.store.append(log, self.now, fields);
    }

    pub fn upsert(&mut self, key: &str, data: &Value) {
        self.append(key, "upsert", &[("data", &data.to_string())]);
    }

    /// An answer that names a Salesforce record.
    pub fn link(&mut self, key: &str, id: Option<SalesforceId>, answers: &str) {
        let id = id.map(|id| id.to_string()).unwrap_or_default();
        self.append(key, "link", &[("salesforce_id", &id), ("answers", answers)]);
    }

    /// Steps until nothing happens any more; time passes as timers want it, up to `patience`.
    pub fn settle_for(&mut self, patience: Duration) {
        let until = self.now + u64::try_from(patience.as_millis()).unwrap();
        self.inputs.push_back(Input::Wake);
        loop {
            while let Some(input) = self.next_input() {
                self.now += 1;
                let mut out = Vec::new();
                self.machine.step(Timestamp(self.now), 5, input, &mut out);
                out.into_iter().for_each(|effect| self.carry_out(effect));
            }
            match self.machine.wake_at().map(|at| at.0.max(self.now + 1)) {
                Some(at) if at <= until => {
                    self.now = at;
                    self.inputs.push_back(Input::Tick);
                }
                _ => return,
            }
        }
    }

    pub fn settle(&mut self) {
        self.settle_for(Duration::from_secs(10));
    }

    /// An operator holds the tenant, or lets it go on.
    pub fn pause(&mut self, held: bool) {
        self.inputs.push_back(if held { Input::Pause } else { Input::Resume });
        self.settle();
    }

    /// The owner dies; the next one attaches.
    pub fn crash(&mut self) {
        self.machine = Machine::new(self.settings.clone(), Arc::clone(&self.plan), [7; 32]);
        self.inputs = VecDeque::from([Input::Start]);
        self.subscribed = None;
        self.wants_events = false;
    }

    /// What the org holds was made long ago: no event tells of it any more.
    pub fn long_ago(&mut self) {
        let events = self.org.events.len();
        self.store.forget_events_until(events);
        self.subscribed = self.subscribed.map(|_| events);
    }

    fn next_input(&mut self) -> Option<Input> {
        if let Some(input) = self.inputs.pop_front() {
            return Some(input);
        }
        let place = self.subscribed.filter(|_| self.wants_events)?;
        let all = self.org.events.len();
        if place >= all {
            return None;
        }
        let events = self.org.events[place..all].to_vec();
        self.subscribed = Some(all);
        self.wants_events = false;
        let latest = ReplayId((all as u64).to_be_bytes().to_vec().into());
        Some(Input::Events(EventBatch { events, latest }))
    }

    fn carry_out(&mut self, effect: Effect) {
        if let Some(input) = self.store.run(&effect, self.now) {
            self.inputs.push_back(input);
            return;
        }
        match effect {
            Effect::WantWorker => self.inputs.push_back(Input::Granted),
            Effect::Send { batch, call } => {
                self.writes += 1;
                let locked = vec![false; call.rows.len()];
                let answer = self.org.apply(&call, &locked, self.now);
                self.inputs.push_back(Input::Answered { batch, answer });
            }
            Effect::Find { ticket, call } => {
                self.finds += 1;
                let rows = Ok(self.org.find(&call));
                self.read(Input::Found { ticket, rows });
            }
            Effect::Read {
                ticket, ids, fields, ..
            } => {
                let rows = self.org.read(&ids, &fields);
                self.read(Input::Read { ticket, rows });
            }
            Effect::Subscribe { after } => {
                let place = after.map_or(0, |r| u64::from_be_bytes(r.0[..8].try_into().unwrap()) as usize);
                self.subscribed = Some(place);
                self.wants_events = true;
            }
            Effect::NextEvents => self.wants_events = true,
            Effect::Backpressure { level, .. } => self.backpressure = level,
            Effect::Restart { reason, .. } => panic!("lost: {reason:?}"),
            _ => {}
        }
    }

    fn read(&mut self, input: Input) {
        if !self.lose_reads {
            self.inputs.push_back(input);
        }
    }

    pub fn snapshot(&self) -> Snapshot {
        self.machine.snapshot()
    }

    /// Events of one type so far, as the feed would show them.
    pub fn told(&self, kind: EventType) -> Vec<Told> {
        let all = self.store.outbox.iter().filter(|(_, event)| event.kind == kind);
        all.map(|(outbox, event)| Told {
            id: self.event_id(*outbox, event),
            key: event
                .record
                .as_ref()
                .filter(|r| !r.is_keyless())
                .map(|r| r.key.to_string()),
            salesforce_id: event.salesforce_id,
            data: json(event.data.as_ref()),
            detail: json(event.detail.as_ref()),
        })
        .collect()
    }

    fn event_id(&self, outbox: crate::domain::stream::StreamId, event: &Event) -> String {
        EventId {
            tenant: self.settings.tenant.clone(),
            outbox,
            revision: event.revision,
            says: event.says.clone(),
        }
        .encode()
    }

    /// The one record of a key in the org.
    pub fn org_record(&self, key: &str) -> (SalesforceId, Map<String, Value>) {
        let found = self.org.by_key(key);
        assert_eq!(found.len(), 1, "{key} has one record in the org");
        (found[0].0, found[0].1.clone())
    }
}

/// An event of the feed.
#[derive(Debug)]
pub struct Told {
    pub id: String,
    pub key: Option<String>,
    pub salesforce_id: Option<SalesforceId>,
    pub data: Value,
    pub detail: Value,
}

fn json(raw: Option<&crate::domain::payload::RawJson>) -> Value {
    raw.map_or(Value::Null, |raw| serde_json::from_slice(raw.expose()).unwrap())
}

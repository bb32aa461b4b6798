//! One tenant's world: the machine, its store, its org, its product, and a scheduler that is unkind.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::model_org::Org;
use super::model_plan::plan_with;
use super::model_product::Product;
use super::model_store::Store;
use crate::domain::ids::{FieldIdx, ReplayId, TenantName};
use crate::domain::plan::{MatchPlan, OnMatch, TenantPlan};
use crate::domain::time::Timestamp;
use crate::engine::call::{WriteAnswer, WriteCall};
use crate::engine::classify::{CallFault, Class};
use crate::engine::commit::Script;
use crate::engine::inbound::EventBatch;
use crate::engine::tenant::io::{Effect, Input, Lost};
use crate::engine::tenant::{Machine, TenantSettings};

/// What goes wrong, in percent of the chances.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    pub crash: u64,
    pub lost_answer: u64,
    pub lost_request: u64,
    pub bad_values: bool,
    pub compact: bool,
    /// Rows that another transaction holds: they are to be sent again.
    pub locked: u64,
    /// Per thousand commands to Redis: the connection breaks before it, or, where the command grows, Redis is full.
    pub broken: u64,
    /// People undelete records, and the product makes records anew that Salesforce deleted.
    pub revive: bool,
    /// People make records without a key, and keys look for partners.
    pub strangers: bool,
    /// Some of the product's edits go to the backfill log, which is read later.
    pub imports: bool,
}

pub struct Dice(u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    pub fn of(&mut self, n: u64) -> u64 {
        self.roll() % n
    }
}

/// Rolls only where the fault can happen, so that a new kind of fault leaves the runs without it as they are.
fn chance(dice: &mut Dice, of: u64, times: u64) -> bool {
    times > 0 && dice.of(of) < times
}

/// A request on its way to the org, which may arrive late, or its answer on the way back.
enum Wire {
    Request(crate::domain::ids::BatchId, WriteCall, bool),
    Answer(crate::domain::ids::BatchId, WriteAnswer),
}

pub struct World {
    pub now: u64,
    pub dice: Dice,
    pub faults: Faults,
    pub machine: Machine,
    settings: TenantSettings,
    plan: Arc<TenantPlan>,
    pub store: Store,
    pub org: Org,
    pub product: Product,
    store_queue: VecDeque<Input>,
    wire: Vec<Wire>,
    pub inputs: VecDeque<Input>,
    subscribed: Option<usize>,
    wants_events: bool,
    /// Whether nothing reaches Redis any more in this life.
    cut_off: bool,
    told: usize,
    pub edits: u64,
    pub notes: Vec<String>,
    /// What happened to every record, for a failed seed's message.
    pub trace: Vec<String>,
}

impl World {
    pub fn new(seed: u64, faults: Faults) -> Self {
        let mut settings = TenantSettings::new(TenantName::new("acme").unwrap());
        // Every other world has few lanes and small calls: batches are cut ahead.
        (settings.batch_rows, settings.in_flight_batches) = if seed.is_multiple_of(2) { (2, 2) } else { (7, 4) };
        settings.freshness = Duration::from_millis(50);
        settings.request_limit = Duration::from_secs(5);
        settings.read_entries = 5;
        if faults.compact {
            settings.compact_after_entries = 12;
            settings.table_records = 30;
        }
        let matching = MatchPlan {
            fields: vec![FieldIdx(1)],
            one: OnMatch::Act,
            none: OnMatch::Act,
        };
        let plan = plan_with(faults.strangers.then_some(matching));
        let machine = Machine::new(settings.clone(), Arc::clone(&plan), [7; 32]);
        let mut world = Self {
            now: 1_790_000_000_000,
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            faults,
            machine,
            settings,
            plan,
            store: Store::default(),
            org: Org::default(),
            product: Product::default(),
            store_queue: VecDeque::new(),
            wire: Vec::new(),
            inputs: VecDeque::from([Input::Start]),
            subscribed: None,
            wants_events: false,
            cut_off: false,
            told: 0,
            edits: 0,
            notes: Vec::new(),
            trace: Vec::new(),
        };
        world.turn();
        world
    }

    fn org_write(&mut self, call: &WriteCall) -> WriteAnswer {
        let from = self.org.events.len();
        let locked = call
            .rows
            .iter()
            .map(|_| chance(&mut self.dice, 100, self.faults.locked));
        let answer = self.org.apply(call, &locked.collect::<Vec<_>>(), self.now);
        self.trace
            .push(format!("\"*\" org writes {}..{}", from + 1, self.org.events.len()));
        answer
    }

    /// Feeds every waiting input to the machine.
    fn turn(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            let mut out = Vec::new();
            let dice = self.dice.roll();
            self.machine.step(Timestamp(self.now), dice, input, &mut out);
            for effect in out {
                self.carry_out(effect);
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        if let Effect::Begin { intent, .. } = &effect {
            for r in &intent.records {
                self.trace.push(format!(
                    "{:?} begin {} {:?} {}",
                    r.record.key, intent.batch, r.verb, r.seq
                ));
            }
        }
        if let Effect::Commit { commit, script, .. } = &effect {
            for event in &commit.outbox {
                let data = event
                    .data
                    .as_ref()
                    .or(event.detail.as_ref())
                    .map(|d| String::from_utf8_lossy(d.expose()).into_owned());
                let key = event.record.as_ref().map(|r| r.key.to_string());
                self.trace.push(format!(
                    "{:?} {script:?} tells {:?} r{} {data:?}",
                    key, event.kind, event.revision
                ));
            }
            for entry in &commit.append {
                let data = entry
                    .data
                    .as_ref()
                    .map(|d| String::from_utf8_lossy(d.expose()).into_owned());
                self.trace.push(format!("{:?} write-back {data:?}", entry.record.key));
            }
            for (key, fold) in &commit.compacted_put {
                self.trace.push(format!(
                    "{:?} compacted {} entries, seq {}",
                    key.key, fold.entries, fold.seq
                ));
            }
            for key in &commit.compacted_remove {
                self.trace.push(format!("{:?} no longer compacted", key.key));
            }
            for (key, row) in &commit.rows {
                self.trace.push(format!(
                    "{:?} {script:?} row seq {} rev {} unconfirmed {:?} told {:?}",
                    key.key,
                    row.last_seq,
                    row.revision,
                    row.unconfirmed.iter().map(|u| u.seq).collect::<Vec<_>>(),
                    row.told.iter().map(|t| t.revision).collect::<Vec<_>>()
                ));
            }
        }
        if self.cuts_off(&effect) {
            return;
        }
        if let Some(input) = self.store.run(&effect, self.now) {
            self.store_queue.push_back(input);
            return;
        }
        match effect {
            Effect::WantWorker => self.inputs.push_back(Input::Granted),
            Effect::Send { batch, call } => {
                let late = self.dice.of(100) < self.faults.lost_answer;
                self.wire.push(Wire::Request(batch, call, late));
            }
            Effect::Read {
                ticket, ids, fields, ..
            } => {
                let rows = self.org.read(&ids, &fields);
                self.store_queue.push_back(Input::Read { ticket, rows });
            }
            Effect::Find { ticket, call } => {
                let rows = Ok(self.org.find(&call));
                self.store_queue.push_back(Input::Found { ticket, rows });
            }
            Effect::Subscribe { after } => {
                let place = after.map_or(0, |r| u64::from_be_bytes(r.0[..8].try_into().unwrap()) as usize);
                self.subscribed = Some(place);
                self.wants_events = true;
            }
            Effect::NextEvents => self.wants_events = true,
            Effect::Restart { .. } => {
                self.forget_life();
                self.inputs.push_back(Input::Start);
            }
            Effect::Note(note) => self.notes.push(format!("{note:?}")),
            _ => {}
        }
    }

    /// Whether the effect does not reach Redis: from the first on that does not, none does until the machine attaches anew.
    fn cuts_off(&mut self, effect: &Effect) -> bool {
        if !Store::is_for(effect) {
            return false;
        }
        if !self.cut_off && chance(&mut self.dice, 1_000, self.faults.broken) {
            self.cut_off = true;
            let grows = matches!(effect, Effect::Commit { script, .. } if *script == Script::Emit);
            let lost = if grows { Lost::Full } else { Lost::Broken };
            self.trace.push(format!("\"*\" {lost:?}"));
            self.store_queue.push_back(Input::Lost(lost));
        }
        self.cut_off
    }

    /// Requests stay on the wire: they outlive whoever sent them.
    fn forget_life(&mut self) {
        self.store_queue.clear();
        self.inputs.clear();
        self.subscribed = None;
        self.wants_events = false;
        self.cut_off = false;
        self.wire.retain(|w| matches!(w, Wire::Request(..)));
    }

    fn crash(&mut self) {
        self.trace.push("\"*\" crash".to_owned());
        self.forget_life();
        self.machine = Machine::new(self.settings.clone(), Arc::clone(&self.plan), [7; 32]);
        self.inputs.push_back(Input::Start);
    }

    /// One thing happens.
    pub fn happen(&mut self, edits: bool) {
        self.now += self.dice.of(40);
        let choice = self.dice.of(100);
        match choice {
            0..=34 => {
                if let Some(answer) = self.store_queue.pop_front() {
                    self.inputs.push_back(answer);
                }
            }
            35..=49 => self.move_wire(),
            50..=64 => self.deliver_events(),
            65..=79 => self.product_applies(),
            80..=86 if edits => self.product_edits(),
            87..=91 if edits => self.org_edits(),
            92 if edits && self.dice.of(100) < self.faults.crash => self.crash(),
            93..=95 => self.inputs.push_back(Input::Wake),
            _ => self.inputs.push_back(Input::Tick),
        }
        self.turn();
    }

    fn move_wire(&mut self) {
        if self.wire.is_empty() {
            return;
        }
        let at = self.dice.of(self.wire.len() as u64) as usize;
        match self.wire.swap_remove(at) {
            Wire::Request(batch, call, late) if late => {
                // The client gives up; the request may still be applied, later, or never.
                let fault = CallFault {
                    class: Class::Unknown,
                    status: 0,
                    code: "TIMEOUT".into(),
                    detail: String::new(),
                    retry_after: None,
                };
                let answer = WriteAnswer {
                    outcome: Err(fault),
                    usage: None,
                    took: Duration::ZERO,
                    requests: 1,
                };
                self.wire.push(Wire::Answer(batch, answer));
                match self.dice.of(3) {
                    0 => drop(self.org_write(&call)),
                    1 => self.wire.push(Wire::Request(
                        crate::domain::ids::BatchId {
                            number: u64::MAX,
                            ..batch
                        },
                        call,
                        false,
                    )),
                    _ => {}
                }
            }
            Wire::Request(batch, call, _) if self.dice.of(100) < self.faults.lost_request => {
                let fault = CallFault {
                    class: Class::Retry,
                    status: 503,
                    code: "SERVER_UNAVAILABLE".into(),
                    detail: String::new(),
                    retry_after: None,
                };
                let answer = WriteAnswer {
                    outcome: Err(fault),
                    usage: None,
                    took: Duration::ZERO,
                    requests: 1,
                };
                drop(call);
                self.wire.push(Wire::Answer(batch, answer));
            }
            Wire::Request(batch, call, _) => {
                let answer = self.org_write(&call);
                self.wire.push(Wire::Answer(batch, answer));
            }
            Wire::Answer(batch, answer) => {
                let rows: Vec<String> = answer
                    .outcome
                    .iter()
                    .flatten()
                    .map(|o| match o {
                        crate::engine::classify::RowOutcome::Done { id, created } => format!("{id} {created}"),
                        crate::engine::classify::RowOutcome::Failed(f) => f.code.to_string(),
                    })
                    .collect();
                self.trace.push(format!("\"*\" answer {batch} {rows:?}"));
                self.inputs.push_back(Input::Answered { batch, answer });
            }
        }
    }

    fn deliver_events(&mut self) {
        let Some(place) = self.subscribed.filter(|_| self.wants_events) else {
            return;
        };
        let until = (place + 1 + self.dice.of(4) as usize).min(self.org.events.len());
        if until <= place {
            return;
        }
        let events = self.org.events[place..until].to_vec();
        self.trace.push(format!("\"*\" events {}..{until}", place + 1));
        let latest = ReplayId((until as u64).to_be_bytes().to_vec().into());
        self.subscribed = Some(until);
        self.wants_events = false;
        self.inputs.push_back(Input::Events(EventBatch { events, latest }));
    }

    fn product_applies(&mut self) {
        let Some((id, event)) = self.store.outbox.get(self.told).cloned() else {
            return;
        };
        self.told += 1;
        let key = event.record.as_ref().map(|r| r.key.to_string());
        self.trace
            .push(format!("{key:?} product applies {:?} r{}", event.kind, event.revision));
        self.product.apply(&mut self.store, self.now, id, &event);
        self.inputs.push_back(Input::Wake);
    }

    /// Lets everything come to rest; returns the writes that the engine made after both sides were equal.
    pub fn rest(&mut self) {
        for round in 0..40_000 {
            self.happen(false);
            if round % 50 == 0 {
                self.now += 700;
            }
            let moved = !self.store_queue.is_empty()
                || !self.wire.is_empty()
                || self.told < self.store.outbox.len()
                || self.subscribed.is_none_or(|place| place < self.org.events.len())
                || !self.store.log.is_empty()
                || !self.store.backfill.is_empty()
                || self.machine.has_work();
            if !moved {
                return;
            }
        }
        panic!("no rest");
    }

    pub fn restart_machine(&mut self) {
        self.crash();
        self.turn();
    }

    pub fn lose(&mut self) {
        self.inputs.push_back(Input::Lost(Lost::Broken));
        self.turn();
    }
}

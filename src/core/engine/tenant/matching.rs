//! Looking for a partner in Salesforce before a record's first create.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::partners::{Errand, Partner, Purpose, columns};
use super::questions::{self, Candidate, asks_which};
use super::table::{Fixed, Record};
use super::{Effect, Machine, Note};
use crate::domain::ids::RecordKey;
use crate::domain::payload::RawJson;
use crate::domain::plan::{FieldPlan, MatchPlan, ObjectPlan, OnMatch};
use crate::domain::row::Asks;
use crate::domain::salesforce_value::SalesforceValue;
use crate::domain::time::Timestamp;
use crate::domain::value::{self, Normal};
use crate::engine::call::{FindCall, Literal};
use crate::engine::classify::CallFault;
use crate::engine::commit::{Commit, Script};
use crate::engine::retry;

/// Errands of a tenant on their way at once.
const ERRANDS_MAX: usize = 2;
/// How long it is believed that a record has no partner; a create that waits for longer looks again.
const BELIEVED: Duration = Duration::from_mins(1);
/// Candidates that a question names.
const CANDIDATES_MAX: usize = 10;

/// What a record is looked for by: its values of the match fields in normal form and lower case, as SOQL compares.
type Likeness = Vec<Vec<u8>>;

/// A record that a partner is looked for.
#[derive(Debug)]
pub(super) struct Sought {
    key: RecordKey,
    likeness: Likeness,
}

/// Records that wait to be looked for.
#[derive(Debug, Default)]
pub(super) struct Matching {
    waiting: BTreeMap<Arc<str>, VecDeque<RecordKey>>,
    last: HashMap<Arc<str>, Timestamp, Fixed>,
    /// Records in a call, where fewer than usual have to be.
    rows: HashMap<Arc<str>, usize, Fixed>,
    not_before: Timestamp,
    failures: u32,
}

impl Matching {
    fn rows(&self, object: &str) -> usize {
        self.rows.get(object).copied().unwrap_or(FindCall::ROWS_MAX)
    }

    /// When the next look is due, if any waits.
    pub fn due_at(&self, freshness: Duration) -> Option<Timestamp> {
        let waiting = self.waiting.iter().filter(|(_, keys)| !keys.is_empty());
        let due = waiting.map(|(object, keys)| match self.last.get(object) {
            Some(last) if keys.len() < self.rows(object) => last.after(freshness),
            _ => Timestamp::ZERO,
        });
        due.min().map(|at| at.max(self.not_before))
    }
}

/// Whether a partner must be looked for before the record is created.
pub(super) fn needs_partner(record: &Record, matching: &MatchPlan, now: Timestamp) -> bool {
    // What was begun once is never linked to another record: the upsert by its key finds the one that it made.
    let blank = record.row.salesforce_id.is_none() && record.row.tombstone.is_none() && record.doubt.is_none();
    let wanted = record.pending.as_ref().is_some_and(|p| p.fold.upsert) && record.flight.is_none();
    let told = record.row.question.as_ref().is_some_and(|q| q.asks == Asks::Create);
    let looked = record.looked.is_some_and(|at| at.after(BELIEVED) > now);
    blank && wanted && !told && !looked && !matching.fields.is_empty()
}

impl Machine {
    /// Puts a record among those that are looked for.
    pub(super) fn look_for_partner(&mut self, key: &RecordKey) {
        if let Some(record) = self.table.records.get_mut(key)
            && !std::mem::replace(&mut record.looking, true)
        {
            record.queued = None;
            let object = Arc::clone(&key.object);
            self.matching.waiting.entry(object).or_default().push_back(key.clone());
        }
    }

    /// Sends look-ups that are due.
    pub(super) fn look_on(&mut self, out: &mut Vec<Effect>) {
        let due = |m: &Self| m.matching.due_at(m.settings.freshness).is_some_and(|at| at <= m.now);
        // Each round sends one look-up, or empties an object's queue.
        for _ in 0..ERRANDS_MAX * 2 {
            if !due(self) || self.errands.len() >= ERRANDS_MAX || !self.may_send() {
                return;
            }
            let freshness = self.settings.freshness;
            let object = self.matching.waiting.iter().find(|(object, keys)| {
                let full = keys.len() >= self.matching.rows(object);
                let last = self.matching.last.get(*object);
                !keys.is_empty() && (full || last.is_none_or(|at| at.after(freshness) <= self.now))
            });
            let Some(object) = object.map(|(object, _)| Arc::clone(object)) else {
                return;
            };
            self.look_up(&object, out);
        }
    }

    fn look_up(&mut self, object: &Arc<str>, out: &mut Vec<Effect>) {
        let mut queue = self.matching.waiting.remove(object).unwrap_or_default();
        let Some(plan) = self.plan.object(object).cloned() else {
            return;
        };
        let Some(matching) = plan.matching.clone() else { return };
        let mut call = FindCall {
            sobject: Arc::clone(&plan.sobject),
            fields: columns(&plan),
            any_of: Vec::new(),
        };
        for idx in &matching.fields {
            let name = plan.at(*idx).map(|f| Arc::clone(&f.salesforce)).unwrap_or_default();
            call.any_of.push((name, Vec::new()));
        }
        let mut bytes = call.query_bytes();
        let mut sought: Vec<Sought> = Vec::new();
        let mut alone: Vec<RecordKey> = Vec::new();
        let most = self.matching.rows(object);
        while sought.len() < most
            && let Some(key) = queue.pop_front()
        {
            let record = self.table.records.get(&key);
            let Some(record) = record.filter(|r| needs_partner(r, &matching, self.now)) else {
                self.looked_for(&key);
                continue;
            };
            let Some((likeness, literals)) = likeness_of(&plan, &matching, record) else {
                alone.push(key);
                continue;
            };
            let size: usize = literals.iter().map(Literal::encoded_bytes).sum();
            if bytes + size > FindCall::QUERY_BYTES_MAX {
                if sought.is_empty() {
                    // Too long to be asked for, and so to be found by.
                    alone.push(key);
                    continue;
                }
                queue.push_front(key);
                break;
            }
            bytes += size;
            for ((_, values), literal) in call.any_of.iter_mut().zip(literals) {
                if !values.contains(&literal) {
                    values.push(literal);
                }
            }
            sought.push(Sought { key, likeness });
        }
        if !queue.is_empty() {
            self.matching.waiting.insert(Arc::clone(object), queue);
        }
        self.matching.last.insert(Arc::clone(object), self.now);
        if !alone.is_empty() {
            self.without_partner(&matching, alone, out);
        }
        if sought.is_empty() {
            return;
        }
        let ticket = self.ticket();
        self.calls += 1;
        self.errands.start(ticket, plan, Purpose::Match(sought));
        out.push(Effect::Find { ticket, call });
    }

    /// A look-up failed: its records are looked for again, later.
    pub(super) fn look_later(&mut self, plan: &ObjectPlan, sought: Vec<Sought>, fault: &CallFault) {
        self.matching.failures = self.matching.failures.saturating_add(1);
        let pause = retry::delay(fault.class, self.matching.failures, fault.retry_after, self.dice);
        self.matching.not_before = self.now.after(pause);
        self.wait_again(plan, sought);
    }

    fn wait_again(&mut self, plan: &ObjectPlan, sought: Vec<Sought>) {
        let queue = self.matching.waiting.entry(Arc::clone(&plan.object)).or_default();
        for one in sought.into_iter().rev() {
            queue.push_front(one.key);
        }
    }

    /// A record is looked for no longer.
    fn looked_for(&mut self, key: &RecordKey) {
        if let Some(record) = self.table.records.get_mut(key) {
            record.looking = false;
            record.look_again = false;
        }
        self.place(key);
        self.table.rest(key);
    }

    /// What was found: for each record one partner, several, or none.
    pub(super) fn looked(&mut self, errand: &Errand, sought: Vec<Sought>, out: &mut Vec<Effect>) {
        self.matching.failures = 0;
        let plan = Arc::clone(&errand.plan);
        let Some(matching) = plan.matching.clone() else { return };
        if !errand.complete && sought.len() > 1 {
            // There may be more than were read: fewer records at once have fewer partners.
            let rows = (sought.len() / 2).max(1);
            self.matching.rows.insert(Arc::clone(&plan.object), rows);
            self.wait_again(&plan, sought);
            return;
        }
        self.matching.rows.remove(&plan.object);
        let mut by: HashMap<Likeness, Vec<&Partner>, Fixed> = HashMap::default();
        for partner in &errand.partners {
            if let Some(likeness) = likeness_of_partner(&plan, &matching, partner) {
                by.entry(likeness).or_default().push(partner);
            }
        }
        let mut commit = Commit::default();
        let mut alone = Vec::new();
        let mut taken = BTreeSet::new();
        let (mut one, mut many) = (0, 0);
        let mut again = Vec::new();
        let mut keys = Vec::with_capacity(sought.len());
        for Sought { key, likeness } in sought {
            let wanted = self.table.records.get(&key);
            if !wanted.is_some_and(|r| needs_partner(r, &matching, self.now)) {
                keys.push(key);
                continue;
            }
            let found = by.get(&likeness).map(Vec::as_slice).unwrap_or_default();
            if found.iter().any(|p| errand.overtaken.contains(&p.id)) {
                again.push(Sought { key, likeness });
                continue;
            }
            let own = found.iter().find(|p| p.key(&plan) == Some(&key.key));
            let free: Vec<&Partner> = found
                .iter()
                .copied()
                .filter(|p| p.key(&plan).is_none() && !taken.contains(&p.id))
                .filter(|p| self.holder(errand, p.id).is_none_or(|holder| holder.is_keyless()))
                .collect();
            let partner = match (own, free.as_slice()) {
                (Some(own), _) => Some(*own),
                (None, [only]) if matching.one == OnMatch::Act && errand.complete => Some(*only),
                (None, []) => {
                    alone.push(key);
                    continue;
                }
                (None, _) => None,
            };
            if let Some(partner) = partner {
                one += 1;
                taken.insert(partner.id);
                self.adopt(errand, &key, partner, None, &mut commit);
            } else {
                many += 1;
                self.ask_which(errand, &key, &free, &mut commit);
            }
            keys.push(key);
            self.when_full(Script::Emit, &mut commit, out);
        }
        self.wait_again(&plan, again);
        out.push(Effect::Note(Note::Matched {
            one,
            many,
            none: alone.len(),
        }));
        if !commit.rows.is_empty() {
            self.emit(commit, out);
        }
        for key in &keys {
            self.looked_for(key);
        }
        if !alone.is_empty() {
            self.without_partner(&matching, alone, out);
        }
    }

    /// Records that nobody in Salesforce resembles: created, or asked about.
    fn without_partner(&mut self, matching: &MatchPlan, keys: Vec<RecordKey>, out: &mut Vec<Effect>) {
        if matching.none == OnMatch::Ask {
            let mut commit = Commit::default();
            for key in &keys {
                self.ask_which_of(key, &[], 0, &mut commit);
                self.when_full(Script::Emit, &mut commit, out);
            }
            self.emit(commit, out);
        }
        for key in keys {
            let now = self.now;
            if let Some(record) = self.table.records.get_mut(&key)
                && matching.none == OnMatch::Act
            {
                record.looked = Some(now);
                if asks_which(&record.row) {
                    // The candidates of an earlier question are gone.
                    self.close_question(&key);
                }
            }
            self.looked_for(&key);
        }
    }

    fn ask_which(&mut self, errand: &Errand, key: &RecordKey, found: &[&Partner], commit: &mut Commit) {
        let candidates: Vec<Candidate> = found
            .iter()
            .take(CANDIDATES_MAX)
            .map(|partner| Candidate {
                id: partner.id,
                data: data_of(self.hear_partner(errand, partner)),
            })
            .collect();
        self.ask_which_of(key, &candidates, found.len(), commit);
    }

    fn ask_which_of(&mut self, key: &RecordKey, candidates: &[Candidate], all: usize, commit: &mut Commit) {
        let now = self.now;
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        let event = questions::which(key, &mut record.row, candidates, all, now);
        commit.outbox.push(event);
        commit.questions.push((key.clone(), questions::due(now)));
        commit.rows.push((key.clone(), record.row.clone()));
    }
}

/// What a record is looked for by, from what it is to be created with; nothing where a match field has no value.
fn likeness_of(plan: &ObjectPlan, matching: &MatchPlan, record: &Record) -> Option<(Likeness, Vec<Literal>)> {
    let fold = &record.pending.as_ref()?.fold;
    let mut likeness = Vec::new();
    let mut literals = Vec::new();
    for field in matching.fields.iter().filter_map(|idx| plan.at(*idx)) {
        let given = fold.fields.iter().find(|f| f.idx == field.idx)?;
        let outbound = value::to_salesforce(field, &given.value).ok()?;
        let literal = match serde_json::from_slice(&outbound.json).ok()? {
            serde_json::Value::String(text) => Literal::Text(text),
            serde_json::Value::Number(number) => Literal::Number(number.to_string()),
            _ => return None,
        };
        likeness.push(folded_case(&outbound.normal));
        literals.push(literal);
    }
    Some((likeness, literals))
}

fn likeness_of_partner(plan: &ObjectPlan, matching: &MatchPlan, partner: &Partner) -> Option<Likeness> {
    let field = |field: &FieldPlan| {
        let value = partner.value(&field.salesforce)?;
        if *value == SalesforceValue::Null {
            return None;
        }
        Some(folded_case(&value::to_product(field, value, None).ok()?.normal))
    };
    matching.fields.iter().map(|idx| field(plan.at(*idx)?)).collect()
}

/// SOQL compares texts without regard to case (SOQL reference, from memory), and so do people.
fn folded_case(normal: &Normal) -> Vec<u8> {
    String::from_utf8_lossy(normal.as_bytes()).to_lowercase().into_bytes()
}

/// Values in product terms as one JSON object.
fn data_of(heard: Vec<super::merge::Heard>) -> RawJson {
    super::product_event::object(heard.into_iter().filter_map(|h| Some((h.name, h.told?))))
}

//! Errands to Salesforce for records that are not linked: reading possible partners, and whose they are.
//!
//! Both ways in which a key and a Salesforce record meet, a look before the first create and an answer of the product,
//! read records first, then ask the id index whose they and their parents are, and then decide in one fenced step.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::inbound::id_of;
use super::linking::Link;
use super::matching::Sought;
use super::merge::Heard;
use super::table::Fixed;
use super::{Effect, Machine};
use crate::domain::ids::RecordKey;
use crate::domain::plan::{Kind, ObjectPlan};
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::salesforce_value::SalesforceValue;
use crate::domain::value;
use crate::engine::call::ReadRow;
use crate::engine::classify::CallFault;
use crate::engine::inbound::row_values;
use crate::engine::tenant::Note;

/// Set by Salesforce at every change of a record, by whomever (contract.md 7.3).
const CHANGED: &str = "SystemModstamp";

/// A Salesforce record that may be somebody's partner.
#[derive(Debug, Clone)]
pub(super) struct Partner {
    pub id: SalesforceId,
    pub values: Vec<(Arc<str>, SalesforceValue)>,
}

impl Partner {
    /// A field's value; none where it was not read.
    pub fn value(&self, name: &str) -> Option<&SalesforceValue> {
        self.values.iter().find(|(n, _)| n.as_ref() == name).map(|(_, v)| v)
    }

    /// When the record was changed last, in seconds since 1970.
    pub fn changed_s(&self) -> u32 {
        let Some(SalesforceValue::Text(text)) = self.value(CHANGED) else {
            return 0;
        };
        let ms = value::parse_instant_ms(text).unwrap_or_default();
        u32::try_from(ms.div_euclid(1_000)).unwrap_or_default()
    }

    /// The key that the record holds in Salesforce.
    pub fn key(&self, plan: &ObjectPlan) -> Option<&str> {
        match self.value(&plan.external_id)? {
            SalesforceValue::Text(key) if !key.is_empty() => Some(key),
            _ => None,
        }
    }
}

/// What records are read for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// Records before their first create.
    Match(Vec<Sought>),
    /// Answers of the product.
    Link(Vec<Link>),
}

/// One errand.
#[derive(Debug)]
pub(super) struct Errand {
    pub plan: Arc<ObjectPlan>,
    pub purpose: Purpose,
    /// What was read.
    pub partners: Vec<Partner>,
    /// Whether all that fits was read.
    pub complete: bool,
    /// Whose the partners and their parents are, by the id index.
    pub keys: HashMap<SalesforceId, Option<RecordKey>, Fixed>,
    /// Records of which an event was taken in since the errand began: what was read of them may be older.
    pub overtaken: BTreeSet<SalesforceId>,
    asked: Vec<SalesforceId>,
}

/// Errands on their way, by the ticket of what they wait for.
#[derive(Debug, Default)]
pub(super) struct Errands(BTreeMap<u64, Errand>);

impl Errands {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// An event of a record that nobody is linked to was taken in.
    pub fn overtake(&mut self, id: SalesforceId) {
        for errand in self.0.values_mut() {
            errand.overtaken.insert(id);
        }
    }

    pub fn start(&mut self, ticket: u64, plan: Arc<ObjectPlan>, purpose: Purpose) {
        self.0.insert(
            ticket,
            Errand {
                plan,
                purpose,
                partners: Vec::new(),
                complete: true,
                keys: HashMap::default(),
                overtaken: BTreeSet::new(),
                asked: Vec::new(),
            },
        );
    }
}

/// API names of all that is read of a possible partner.
pub(super) fn columns(plan: &ObjectPlan) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = plan.fields.iter().map(|f| Arc::clone(&f.salesforce)).collect();
    names.push(Arc::clone(&plan.external_id));
    names.push(Arc::from(CHANGED));
    names.sort_unstable();
    names.dedup();
    names
}

impl Machine {
    /// What an errand read. False when the ticket is of none.
    pub(super) fn partners_read(
        &mut self,
        ticket: u64,
        rows: Result<Vec<ReadRow>, CallFault>,
        out: &mut Vec<Effect>,
    ) -> Result<(), Result<Vec<ReadRow>, CallFault>> {
        let Some(mut errand) = self.errands.0.remove(&ticket) else {
            return Err(rows);
        };
        let rows = match rows {
            Ok(rows) => rows,
            Err(fault) => {
                self.breaker.on_answer(self.now, Some(fault.class), self.dice);
                self.note_error(&fault.code);
                out.push(Effect::Note(Note::CallFailed {
                    code: Arc::clone(&fault.code),
                    status: fault.status,
                }));
                self.errand_failed(errand, &fault);
                return Ok(());
            }
        };
        self.breaker.on_answer(self.now, None, self.dice);
        errand.complete = rows.len() < crate::engine::call::FindCall::FOUND_MAX;
        errand.partners = rows
            .into_iter()
            .filter_map(|row| {
                Some(Partner {
                    id: row.id,
                    values: row_values(row.fields.as_deref()?)?,
                })
            })
            .collect();
        let mut ids: BTreeSet<SalesforceId> = errand.partners.iter().map(|p| p.id).collect();
        for field in errand.plan.fields.iter().filter(|f| f.kind == Kind::Reference) {
            ids.extend(
                errand
                    .partners
                    .iter()
                    .filter_map(|p| id_of(p.value(&field.salesforce)?)),
            );
        }
        ids.retain(|id| !self.table.by_id.contains_key(id));
        if ids.is_empty() {
            self.errand_done(errand, out);
            return Ok(());
        }
        let ticket = self.ticket();
        errand.asked = ids.into_iter().collect();
        out.push(Effect::Resolve {
            ticket,
            ids: errand.asked.clone(),
        });
        self.errands.0.insert(ticket, errand);
        Ok(())
    }

    /// Whose the records are that an errand read. False when the ticket is of none.
    pub(super) fn partners_resolved(&mut self, ticket: u64, keys: &[Option<RecordKey>], out: &mut Vec<Effect>) -> bool {
        let Some(mut errand) = self.errands.0.remove(&ticket) else {
            return false;
        };
        errand.keys.extend(errand.asked.drain(..).zip(keys.iter().cloned()));
        self.errand_done(errand, out);
        true
    }

    fn errand_failed(&mut self, errand: Errand, fault: &CallFault) {
        match errand.purpose {
            Purpose::Match(sought) => self.look_later(&errand.plan, sought, fault),
            Purpose::Link(links) => self.link_later(links, fault),
        }
    }

    fn errand_done(&mut self, mut errand: Errand, out: &mut Vec<Effect>) {
        match std::mem::replace(&mut errand.purpose, Purpose::Link(Vec::new())) {
            Purpose::Match(sought) => self.looked(&errand, sought, out),
            Purpose::Link(links) => self.link(&errand, links, out),
        }
    }

    /// Who holds a Salesforce record: by memory, else by the index as the errand read it.
    pub(super) fn holder(&self, errand: &Errand, id: SalesforceId) -> Option<RecordKey> {
        let indexed = || errand.keys.get(&id).cloned().flatten();
        self.table.by_id.get(&id).cloned().or_else(indexed)
    }

    /// What a possible partner holds, in product terms.
    pub(super) fn hear_partner(&self, errand: &Errand, partner: &Partner) -> Vec<Heard> {
        let plan = &errand.plan;
        let parent = |id| self.holder(errand, id).filter(|key| !key.is_keyless());
        plan.fields
            .iter()
            .filter_map(|field| self.hear_field(plan, field, partner.value(&field.salesforce)?, parent))
            .collect()
    }
}

//! Building a row of a call from a folded change.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::table::Record;
use crate::domain::digest::Digester;
use crate::domain::ids::RecordKey;
use crate::domain::payload::{PersonalText, RawJson};
use crate::domain::plan::{FieldPlan, ObjectPlan, TenantPlan};
use crate::domain::row::SentWrite;
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::time::Timestamp;
use crate::domain::value;
use crate::engine::call::WriteRow;
use crate::engine::commit::{Folded, FoldedField, Verb};

/// What is known of a parent record.
pub(super) enum Parent {
    /// It is in Salesforce.
    Id(SalesforceId),
    /// It is on its way there, or stuck where people can see it.
    Coming,
    /// Nobody knows it; wait this long, then let Salesforce say so.
    Unknown {
        /// How long.
        patience: Duration,
    },
    /// Its state is not in memory.
    NotLoaded,
}

/// A row, or why there is none now.
pub(super) enum Built {
    /// To be sent.
    Row {
        /// For the call.
        row: WriteRow,
        /// For the intent and the settlement.
        write: SentWrite,
    },
    /// Salesforce holds all of it already.
    Same,
    /// These parents' state must be loaded first.
    ParentsUnknown(Vec<RecordKey>),
    /// A parent is not in Salesforce yet.
    ParentPending,
}

/// A value that cannot be sent: a dead letter.
#[derive(Debug)]
pub(super) struct Refusal {
    pub code: &'static str,
    pub fields: Vec<Arc<str>>,
    pub message: PersonalText,
}

/// What a row is built in view of.
pub(super) struct Context<'a> {
    pub plan: &'a ObjectPlan,
    pub tenant: &'a TenantPlan,
    pub digest: &'a Digester,
    pub key: &'a RecordKey,
    pub now: Timestamp,
}

/// Builds the row of one record. `parent` tells what is known of records that it refers to.
pub(super) fn build(
    context: &Context<'_>,
    record: &Record,
    fold: &Folded,
    verb: Verb,
    parent: impl Fn(&RecordKey) -> Parent,
) -> Result<Built, Refusal> {
    let Context { plan, digest, .. } = *context;
    if fold.plan != plan.version && !fold.fields.is_empty() {
        return Err(Refusal {
            code: "mapping_changed",
            fields: Vec::new(),
            message: PersonalText::new(
                "the mapping changed while this change waited; its fields can no longer be told",
            ),
        });
    }
    let id = record.row.salesforce_id;
    if verb == Verb::Delete {
        let write = SentWrite {
            seq: fold.seq,
            fields: Vec::new(),
        };
        return Ok(Built::Row {
            row: WriteRow {
                id,
                members: Bytes::new(),
            },
            write,
        });
    }
    let mut members = Members::default();
    let mut write = SentWrite {
        seq: fold.seq,
        fields: Vec::new(),
    };
    let mut wanted = Vec::new();
    // What Salesforce holds is known only while no write of ours is in doubt.
    let base_known = verb == Verb::Update && record.base_known();
    for (field, raw) in values(plan, fold) {
        let outbound = value::to_salesforce(field, raw).map_err(|error| Refusal {
            code: "bad_value",
            fields: vec![Arc::clone(&field.name)],
            message: PersonalText::new(error.to_string()),
        })?;
        let hash = digest.field(&plan.object, &field.name, outbound.normal.as_bytes());
        if base_known && record.row.base.get(plan.version, field.idx) == hash {
            continue;
        }
        write.fields.push((field.idx, hash));
        if let Some(key) = outbound.normal.as_key() {
            match reference(context, field, key, record, &parent) {
                Referred::Member(name, json) => members.put(&name, &json),
                Referred::Load(key) => wanted.push(key),
                Referred::Wait => return Ok(Built::ParentPending),
            }
        } else {
            members.put(&field.salesforce, &outbound.json);
        }
    }
    if !wanted.is_empty() {
        return Ok(Built::ParentsUnknown(wanted));
    }
    let keyless = record.row.keyless;
    if verb == Verb::Update && write.fields.is_empty() && !keyless {
        return Ok(Built::Same);
    }
    if verb == Verb::Create || keyless {
        let key = serde_json::Value::from(context.key.key.as_ref()).to_string();
        members.put(&plan.external_id, key.as_bytes());
    }
    if let Some(sequence) = &plan.sequence {
        members.put(sequence, fold.seq.to_string().as_bytes());
    }
    let id = (verb == Verb::Update).then_some(id).flatten();
    Ok(Built::Row {
        row: WriteRow {
            id,
            members: members.text.freeze(),
        },
        write,
    })
}

/// Whether the write replaces the record whole, so that nothing of a deleted one shows through. A create after a delete
/// can find a record that a late create of before has left: it is written over, too.
pub(super) fn replaces(record: &Record, fold: &Folded, verb: Verb) -> bool {
    verb != Verb::Delete && (fold.delete || (verb == Verb::Create && record.row.tombstone.is_some()))
}

/// Names every field in a fold that replaces the record: those that nobody set are cleared. They stay named, so that an
/// edit that comes between is seen to be overwritten, and so that the write clears them again when it is repeated.
pub(super) fn name_all(plan: &ObjectPlan, fold: &mut Folded) {
    for field in plan.fields.iter().filter(|f| f.direction.writes_salesforce()) {
        if let Err(at) = fold.fields.binary_search_by_key(&field.idx, |f| f.idx) {
            let cleared = FoldedField {
                idx: field.idx,
                value: RawJson::null(),
                version: 0,
                packed: 0,
                engine: true,
            };
            fold.fields.insert(at, cleared);
        }
    }
}

/// The values to write.
fn values<'a>(plan: &'a ObjectPlan, fold: &'a Folded) -> impl Iterator<Item = (&'a FieldPlan, &'a RawJson)> {
    let named = fold.fields.iter().filter_map(|f| Some((plan.at(f.idx)?, &f.value)));
    named.filter(|(field, _)| field.direction.writes_salesforce())
}

enum Referred {
    Member(String, Vec<u8>),
    Load(RecordKey),
    Wait,
}

fn reference(
    context: &Context<'_>,
    field: &FieldPlan,
    key: &str,
    record: &Record,
    parent: &impl Fn(&RecordKey) -> Parent,
) -> Referred {
    let Some(object) = field.references.as_deref().and_then(|name| context.tenant.object(name)) else {
        return Referred::Wait;
    };
    let parent_record = RecordKey::new(Arc::clone(&object.object), key);
    match parent(&parent_record) {
        Parent::Id(id) => Referred::Member(field.salesforce.to_string(), format!("\"{id}\"").into_bytes()),
        Parent::NotLoaded => Referred::Load(parent_record),
        Parent::Coming => Referred::Wait,
        Parent::Unknown { patience } => {
            let waited = record
                .orphan_since
                .is_some_and(|since| context.now.since(since) >= patience);
            if !waited {
                return Referred::Wait;
            }
            let name = relationship(&field.salesforce);
            let json = serde_json::json!({ object.external_id.as_ref(): key })
                .to_string()
                .into_bytes();
            Referred::Member(name, json)
        }
    }
}

/// The relationship's name of a lookup field: `AccountId` → `Account`, `Site__c` → `Site__r` (contract.md 4.2).
fn relationship(field: &str) -> String {
    match field.strip_suffix("__c") {
        Some(custom) => format!("{custom}__r"),
        None => field.strip_suffix("Id").unwrap_or(field).to_owned(),
    }
}

/// JSON members under construction.
#[derive(Default)]
struct Members {
    text: BytesMut,
}

impl Members {
    fn put(&mut self, name: &str, json: &[u8]) {
        if !self.text.is_empty() {
            self.text.put_u8(b',');
        }
        self.text.put_u8(b'"');
        self.text.put_slice(name.as_bytes());
        self.text.put_slice(b"\":");
        self.text.put_slice(json);
    }
}

//! What happened in a run, as the outside saw it. The oracle judges this and nothing else.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::shape::Shapes;
use crate::value::Value;

/// Values of some fields: index of the field, value in normal form.
pub type Fields = Vec<(u8, Value)>;

/// One whole run.
#[derive(Debug, Default)]
pub struct History {
    /// The declared objects.
    pub shapes: Arc<Shapes>,
    /// One entry a tenant.
    pub tenants: Vec<TenantHistory>,
}

/// One tenant's part of the run.
#[derive(Debug, Default)]
pub struct TenantHistory {
    /// The tenant's name.
    pub name: String,
    /// Every record the product ever had.
    pub records: Vec<RecordHistory>,
    /// The log as Redis counts it.
    pub log: LogCounts,
    /// The engine's own conservation counters, by name.
    pub counters: BTreeMap<String, u64>,
    /// Appends that Redis acknowledged, each one counted, deliberate copies included.
    pub acknowledged: u64,
    /// Highest stream id that was acknowledged.
    pub last_acknowledged: StreamId,
    /// Salesforce ids named by events, with the records they were named for.
    pub named_ids: HashMap<String, Vec<usize>>,
    /// Live rows of the org without a key, of objects that are not matched.
    pub unkeyed_rows: u64,
    /// Live rows of the org without a key, of objects that are: the product was to be asked whose they are.
    pub unasked_rows: u64,
    /// Live rows of the org with a key that the product never had.
    pub unknown_keys: u64,
    /// Rows that people made in the org, of objects that are not matched: they never get a key here.
    pub unlinked: u64,
    /// What struck this tenant and may explain a write that is sent again.
    pub retries_allowed: u64,
    /// The tenant came to rest within the bound after edits and faults stopped.
    pub rested: bool,
    /// Rows the engine wrote after the tenant had come to rest.
    pub written_at_rest: u64,
}

/// A Redis stream id: milliseconds, number.
pub type StreamId = (u64, u64);

/// Lengths and totals of the two inboxes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LogCounts {
    /// `entries-added` of `changes` and `backfill` together.
    pub added: u64,
    /// Entries still in both.
    pub length: u64,
    /// `last-generated-id` of `changes`.
    pub last_id: StreamId,
}

/// One record as both sides saw it.
#[derive(Debug, Default, Clone)]
pub struct RecordHistory {
    /// Index of its object in the shapes.
    pub object: usize,
    /// The product's key.
    pub key: String,
    /// What happened to its row in the product, in commit order.
    pub steps: Vec<Step>,
    /// The product's row at the end: a value a field; `None` when the row is gone.
    pub product_row: Option<Vec<Value>>,
    /// What was committed in the org, in order.
    pub commits: Vec<Commit>,
    /// Older commits are missing from `commits`.
    pub commits_cut: bool,
    /// What people tried to write in the org, answered or not (commits may be cut).
    pub org_attempts: Fields,
    /// Live rows of the org with this key, at the end.
    pub org_rows: Vec<Vec<Value>>,
}

/// One step of a product row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The product made the row, with all of its fields.
    Create(Fields),
    /// The product's users changed fields.
    Edit(Fields),
    /// The product's users deleted the row.
    Delete,
    /// The product made the row for a record that people had made in the org, with what the question said of it.
    TakenIn(Fields),
    /// The product applied a `changed` event.
    Changed(Fields),
    /// The product applied a `deleted` event.
    Deleted,
    /// A `conflict` event named these fields.
    Conflict {
        /// Fields named.
        fields: Vec<u8>,
        /// Side that won; `None` while it waits for a person.
        winner: Option<crate::value::Side>,
    },
    /// The product gave its values again because a `wanted` event asked for them.
    Wanted,
    /// A `rejected` event named these fields (none: the whole record).
    Rejected(Vec<u8>),
}

/// What a commit in the org did to the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitKind {
    /// The row was made.
    Create,
    /// Fields changed.
    Update,
    /// The row went to the bin.
    Delete,
    /// The row came back from the bin.
    Undelete,
}

/// One commit of a row in the org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Made under the integration user: by the engine.
    pub engine: bool,
    /// What it did.
    pub kind: CommitKind,
    /// Mapped fields it changed, in the product's terms.
    pub fields: Fields,
    /// `Tandem_Seq__c` after it, where it was touched and not blank.
    pub seq: Option<u64>,
}

impl RecordHistory {
    /// The value a step of the product's own gave to a field.
    pub fn own_value(step: &Step, field: u8) -> Option<&Value> {
        match step {
            Step::Create(fields) | Step::Edit(fields) => value_of(fields, field),
            _ => None,
        }
    }

    /// What a step brought to the product from people in the org.
    pub fn heard(step: &Step) -> Option<&Fields> {
        match step {
            Step::TakenIn(fields) | Step::Changed(fields) => Some(fields),
            _ => None,
        }
    }

    /// True when either side deleted the record at some time.
    pub fn was_deleted(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step, Step::Delete | Step::Deleted))
            || self.commits.iter().any(|commit| commit.kind == CommitKind::Delete)
    }

    /// True when a conflict event named the field or one of its group.
    pub fn conflict_names(&self, shapes: &Shapes, field: u8) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Conflict { fields, .. } => fields
                .iter()
                .any(|&named| travels_with(shapes, self.object, named, field)),
            _ => false,
        })
    }

    /// True when a rejected event named the field, its group, or the whole record.
    pub fn rejection_names(&self, shapes: &Shapes, field: u8) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Rejected(fields) => {
                fields.is_empty()
                    || fields
                        .iter()
                        .any(|&named| travels_with(shapes, self.object, named, field))
            }
            _ => false,
        })
    }
}

/// The value of one field.
pub fn value_of(fields: &Fields, field: u8) -> Option<&Value> {
    fields.iter().find(|(at, _)| *at == field).map(|(_, value)| value)
}

/// Two fields are one, or members of one group.
pub fn travels_with(shapes: &Shapes, object: usize, a: u8, b: u8) -> bool {
    let group = |field: u8| {
        shapes
            .objects
            .get(object)
            .and_then(|object| object.fields.get(usize::from(field)))
            .and_then(|field| field.group)
    };
    a == b || (group(a).is_some() && group(a) == group(b))
}

//! Rows and versions of one tenant.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::answer::Identity;
use super::append::Floor;
use super::feed::Seen;
use super::outbox::{CHANGES, Entry, LANES, Said};
use crate::history::{Fields, RecordHistory, Step, StreamId};
use crate::shape::{Shapes, id15};

/// A row's bookkeeping beside its history.
#[derive(Debug, Default, Clone)]
pub(super) struct Mark {
    pub(super) version: u64,
    /// The newest revision that the row has seen.
    pub(super) seen: Option<u64>,
    /// The Salesforce record, where an event has named it.
    pub(super) salesforce_id: Option<String>,
    /// The row was made for a Salesforce record that nobody knew.
    pub(super) taken_in: bool,
    /// The Salesforce record (15 characters) that an answer under way links the row to.
    pub(super) answered: Option<String>,
    made_at_ms: u64,
    /// Of the event that told a field last, where events are applied by several workers.
    told: Vec<u64>,
}

/// What an applied event brought, beside its fields.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a> {
    /// The event's id.
    pub id: &'a str,
    /// Its revision.
    pub revision: Option<u64>,
}

/// One tenant of the product.
#[derive(Debug)]
pub struct Product {
    /// The declared objects.
    pub shapes: Arc<Shapes>,
    /// Index of the tenant, part of every mark.
    pub tenant: usize,
    /// Each record with its steps and, in `product_row`, its present row.
    pub records: Vec<RecordHistory>,
    /// Outbox, one queue an appender.
    pub outbox: [VecDeque<Entry>; LANES],
    /// Appends acknowledged so far.
    pub acknowledged: u64,
    /// Highest acknowledged stream id.
    pub last_acknowledged: StreamId,
    /// Lower bound of calls, from the append log.
    pub floor: Floor,
    /// Salesforce ids that events named, with the records.
    pub named_ids: HashMap<String, Vec<usize>>,
    /// Changes people made in the product.
    pub changes: u64,
    /// Events applied, by type.
    pub events: BTreeMap<String, u64>,
    /// Ids of events already applied: part of what a row's transaction commits.
    pub seen: Seen,
    /// Who is who in Salesforce, as far as the product was asked.
    pub identity: Identity,
    /// Several workers apply events: one that comes late leaves alone what a newer one has told.
    pub workers: bool,
    /// The log that outbox rows are for at present.
    pub log: &'static str,
    pub(super) marks: Vec<Mark>,
    by_key: HashMap<(usize, String), usize>,
    pub(super) next_row: u64,
    next_edit: u64,
}

impl Product {
    /// An empty product for tenant number `tenant`.
    pub fn new(shapes: Arc<Shapes>, tenant: usize) -> Self {
        Self {
            shapes,
            tenant,
            records: Vec::new(),
            outbox: Default::default(),
            acknowledged: 0,
            last_acknowledged: (0, 0),
            floor: Floor::default(),
            named_ids: HashMap::new(),
            changes: 0,
            events: BTreeMap::new(),
            seen: Seen::default(),
            identity: Identity::default(),
            workers: false,
            log: CHANGES,
            marks: Vec::new(),
            by_key: HashMap::new(),
            next_row: 0,
            next_edit: 0,
        }
    }

    /// A number for a new edit, unique in this tenant.
    pub fn edit_number(&mut self) -> u64 {
        self.next_edit += 1;
        self.next_edit
    }

    /// Index of a record by object name and key.
    pub fn find(&self, object: &str, key: &str) -> Option<usize> {
        let object = self.shapes.object(object)?;
        self.by_key.get(&(object, key.to_owned())).copied()
    }

    /// When the record was made (first time), ms.
    pub fn made_at(&self, record: usize) -> u64 {
        self.marks.get(record).map_or(0, |mark| mark.made_at_ms)
    }

    /// The Salesforce id of a record, where an event has named it.
    pub fn salesforce_id(&self, record: usize) -> Option<&str> {
        self.marks.get(record)?.salesforce_id.as_deref()
    }

    /// Makes a new record without a row; give it one with [`Product::upsert`].
    pub fn make(&mut self, object: usize, key: String, now_ms: u64) -> usize {
        let at = self.records.len();
        self.by_key.insert((object, key.clone()), at);
        self.records.push(RecordHistory {
            object,
            key,
            ..RecordHistory::default()
        });
        self.marks.push(Mark {
            made_at_ms: now_ms,
            ..Mark::default()
        });
        at
    }

    /// People change fields of a row, or make the row with all of its fields.
    pub fn upsert(&mut self, record: usize, data: &Map<String, Json>, now_ms: u64) {
        let fields = self.normal_fields(record, data);
        let Some(history) = self.records.get_mut(record) else {
            return;
        };
        let step = if history.product_row.is_some() {
            Step::Edit(fields.clone())
        } else {
            Step::Create(fields.clone())
        };
        history.steps.push(step);
        self.write(record, &fields);
        self.changes += 1;
        let said = Said {
            op: "upsert",
            data: Some(data),
            dirty: true,
            ..Said::default()
        };
        self.emit(record, &said, now_ms);
    }

    /// People delete a row.
    pub fn delete(&mut self, record: usize, now_ms: u64) {
        let Some(history) = self.records.get_mut(record) else {
            return;
        };
        history.steps.push(Step::Delete);
        history.product_row = None;
        self.changes += 1;
        let said = Said {
            op: "delete",
            dirty: true,
            ..Said::default()
        };
        self.emit(record, &said, now_ms);
    }

    /// Applies a `changed` event. The trigger writes an outbox row, as for every change of a row.
    pub fn apply_changed(&mut self, record: usize, data: &Map<String, Json>, cause: Cause<'_>, now_ms: u64) {
        let mut fields = self.normal_fields(record, data);
        self.saw(record, cause.revision);
        if self.workers {
            self.leave_newer(record, cause.revision, &mut fields);
        }
        let Some(history) = self.records.get_mut(record) else {
            return;
        };
        history.steps.push(Step::Changed(fields.clone()));
        let object = history.object;
        if history.product_row.is_none() {
            return;
        }
        self.write(record, &fields);
        // Fields that only Salesforce writes are no columns of the outbox.
        let written = |name: &str| {
            let at = self.shapes.objects.get(object).and_then(|object| object.field(name));
            at.is_some_and(|at| fields.iter().any(|(field, _)| usize::from(*field) == at))
        };
        let sent: Map<String, Json> = data
            .iter()
            .filter(|(name, _)| written(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if !sent.is_empty() {
            let said = Said {
                op: "upsert",
                data: Some(&sent),
                cause: Some(cause),
                ..Said::default()
            };
            self.emit(record, &said, now_ms);
        }
    }

    /// Applies a `deleted` event: the row goes, and people never touch its key again.
    pub fn apply_deleted(&mut self, record: usize, cause: Cause<'_>, now_ms: u64) {
        self.saw(record, cause.revision);
        let Some(history) = self.records.get_mut(record) else {
            return;
        };
        history.steps.push(Step::Deleted);
        if history.product_row.take().is_some() {
            let said = Said {
                op: "delete",
                cause: Some(cause),
                ..Said::default()
            };
            self.emit(record, &said, now_ms);
        }
    }

    /// Answers a `wanted` event with the present values of the fields, or with a delete where the row is gone.
    pub fn answer_wanted(&mut self, record: usize, data: Option<&Map<String, Json>>, cause: Cause<'_>, now_ms: u64) {
        self.saw(record, cause.revision);
        let Some(history) = self.records.get_mut(record) else {
            return;
        };
        history.steps.push(Step::Wanted);
        let said = Said {
            op: if data.is_some() { "upsert" } else { "delete" },
            data,
            answers: Some(cause.id),
            ..Said::default()
        };
        self.emit(record, &said, now_ms);
    }

    /// Notes a step that changes no row.
    pub fn note(&mut self, record: usize, step: Step, revision: Option<u64>) {
        self.saw(record, revision);
        if let Some(history) = self.records.get_mut(record) {
            history.steps.push(step);
        }
    }

    /// The row was made for a Salesforce record that nobody knew.
    pub fn is_taken_in(&self, record: usize) -> bool {
        self.marks.get(record).is_some_and(|mark| mark.taken_in)
    }

    /// Remembers which Salesforce record an event named for this key.
    pub fn named(&mut self, record: usize, salesforce_id: &str) {
        let id = id15(salesforce_id).to_owned();
        let records = self.named_ids.entry(id).or_default();
        if !records.contains(&record) {
            records.push(record);
        }
        if let Some(mark) = self.marks.get_mut(record) {
            mark.salesforce_id = Some(salesforce_id.to_owned());
        }
    }

    /// Takes out what a newer event has told already, and remembers what this one tells.
    fn leave_newer(&mut self, record: usize, revision: Option<u64>, fields: &mut Fields) {
        let (Some(mark), Some(revision)) = (self.marks.get_mut(record), revision) else {
            return;
        };
        fields.retain(|(at, _)| {
            let at = usize::from(*at);
            if mark.told.len() <= at {
                mark.told.resize(at + 1, 0);
            }
            match mark.told.get_mut(at) {
                Some(told) if *told <= revision => {
                    *told = revision;
                    true
                }
                _ => false,
            }
        });
    }

    fn saw(&mut self, record: usize, revision: Option<u64>) {
        if let Some(mark) = self.marks.get_mut(record) {
            mark.seen = mark.seen.max(revision);
        }
    }

    fn normal_fields(&self, record: usize, data: &Map<String, Json>) -> Fields {
        let history = self.records.get(record);
        let object = history.and_then(|history| self.shapes.objects.get(history.object));
        object.map(|object| object.normal_fields(data)).unwrap_or_default()
    }

    pub(super) fn write(&mut self, record: usize, fields: &Fields) {
        let Some(history) = self.records.get_mut(record) else {
            return;
        };
        let width = self
            .shapes
            .objects
            .get(history.object)
            .map_or(0, |object| object.fields.len());
        let row = history
            .product_row
            .get_or_insert_with(|| vec![crate::value::Value::default(); width]);
        for (at, value) in fields {
            if let Some(place) = row.get_mut(usize::from(*at)) {
                place.clone_from(value);
            }
        }
        let object = self.shapes.objects.get(history.object);
        if let Some(likeness) = object.and_then(|object| object.likeness(row)) {
            self.identity.file(history.object, likeness, record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn product() -> (Product, usize) {
        let mut product = Product::new(Arc::new(crate::shape::tests::shapes()), 0);
        let record = product.make(1, "contact-1".to_owned(), 0);
        product.upsert(
            record,
            json!({"last_name": "A", "email": "a@x.org"})
                .as_object()
                .expect("object"),
            0,
        );
        (product, record)
    }

    fn get<'a>(entry: &'a Entry, name: &str) -> Option<&'a str> {
        entry
            .fields
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value.as_str())
    }

    #[test]
    fn the_trigger_names_the_event_and_later_edits_name_the_revision_seen() {
        let (mut product, record) = product();
        let data = json!({"first_name": "B"});
        let cause = Cause {
            id: "event-7",
            revision: Some(3),
        };
        product.apply_changed(record, data.as_object().expect("object"), cause, 0);
        product.upsert(record, json!({"first_name": "C"}).as_object().expect("object"), 0);
        let rows: Vec<&Entry> = product.outbox[Product::lane(record)].iter().collect();
        assert_eq!(
            rows.iter().map(|row| get(row, "version")).collect::<Vec<_>>(),
            [Some("1"), Some("2"), Some("3")]
        );
        assert_eq!(
            rows.iter().map(|row| get(row, "caused_by")).collect::<Vec<_>>(),
            [None, Some("event-7"), None]
        );
        assert_eq!(
            rows.iter().map(|row| get(row, "seen_revision")).collect::<Vec<_>>(),
            [None, Some("3"), Some("3")]
        );
        assert_eq!(
            rows.iter().map(|row| row.dirty).collect::<Vec<_>>(),
            [true, false, true]
        );
    }

    #[test]
    fn a_deleted_event_drops_the_row_and_a_late_changed_event_does_not_bring_it_back() {
        let (mut product, record) = product();
        product.apply_deleted(
            record,
            Cause {
                id: "e1",
                revision: Some(1),
            },
            0,
        );
        let late = json!({"first_name": "B"});
        product.apply_changed(
            record,
            late.as_object().expect("object"),
            Cause {
                id: "e2",
                revision: Some(2),
            },
            0,
        );
        assert!(product.records[record].product_row.is_none());
        assert_eq!(product.waiting(), 2, "the create, and the trigger's delete");
    }
}

//! Rows, versions and the outbox of one tenant.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::append::Floor;
use crate::history::{Fields, RecordHistory, Step, StreamId};
use crate::shape::{Shapes, id15};
use crate::value::normal;

/// Appenders a tenant: a record always goes through the same one, so its rows are appended in commit order.
pub const LANES: usize = 2;

/// One row of the outbox, to be appended to the tenant's log.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The outbox row's id, and so its idempotency key.
    pub id: u64,
    /// Index of the record.
    pub record: usize,
    /// Names and values of the stream entry.
    pub fields: Vec<(&'static str, String)>,
    /// Counts as a change made by people, so that it must reach the org.
    pub dirty: bool,
    /// A deliberate copy of an entry that was appended before.
    pub copy: bool,
}

/// A row's bookkeeping beside its history.
#[derive(Debug, Default, Clone)]
struct Mark {
    version: u64,
    seen: Option<u64>,
    salesforce_id: Option<String>,
    made_at_ms: u64,
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
    marks: Vec<Mark>,
    by_key: HashMap<(usize, String), usize>,
    next_row: u64,
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
        self.emit(record, "upsert", Some(data), now_ms, None, None, true);
    }

    /// People delete a row.
    pub fn delete(&mut self, record: usize, now_ms: u64) {
        let Some(history) = self.records.get_mut(record) else {
            return;
        };
        history.steps.push(Step::Delete);
        history.product_row = None;
        self.changes += 1;
        self.emit(record, "delete", None, now_ms, None, None, true);
    }

    /// Applies a `changed` event. The trigger writes an outbox row, as for every change of a row.
    pub fn apply_changed(&mut self, record: usize, data: &Map<String, Json>, cause: Cause<'_>, now_ms: u64) {
        let fields = self.normal_fields(record, data);
        self.saw(record, cause.revision);
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
        let known = |name: &str| {
            self.shapes
                .objects
                .get(object)
                .is_some_and(|object| object.field(name).is_some())
        };
        let sent: Map<String, Json> = data
            .iter()
            .filter(|(name, _)| known(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if !sent.is_empty() {
            self.emit(record, "upsert", Some(&sent), now_ms, Some(cause), None, false);
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
            self.emit(record, "delete", None, now_ms, Some(cause), None, false);
        }
    }

    /// Answers a `wanted` event with the present values of the fields, or with a delete where the row is gone.
    pub fn answer_wanted(&mut self, record: usize, data: Option<&Map<String, Json>>, cause: Cause<'_>, now_ms: u64) {
        self.saw(record, cause.revision);
        let Some(history) = self.records.get_mut(record) else {
            return;
        };
        history.steps.push(Step::Wanted);
        let op = if data.is_some() { "upsert" } else { "delete" };
        self.emit(record, op, data, now_ms, None, Some(cause.id), false);
    }

    /// Notes a step that changes no row.
    pub fn note(&mut self, record: usize, step: Step, revision: Option<u64>) {
        self.saw(record, revision);
        if let Some(history) = self.records.get_mut(record) {
            history.steps.push(step);
        }
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

    /// Rows waiting to be appended.
    pub fn waiting(&self) -> usize {
        self.outbox.iter().map(VecDeque::len).sum()
    }

    /// The appender of a record.
    pub fn lane(record: usize) -> usize {
        record % LANES
    }

    fn saw(&mut self, record: usize, revision: Option<u64>) {
        if let Some(mark) = self.marks.get_mut(record) {
            mark.seen = mark.seen.max(revision);
        }
    }

    fn normal_fields(&self, record: usize, data: &Map<String, Json>) -> Fields {
        let object = self
            .records
            .get(record)
            .and_then(|history| self.shapes.objects.get(history.object));
        let Some(object) = object else { return Fields::new() };
        let known = data
            .iter()
            .filter_map(|(name, value)| Some((object.field(name)?, value)));
        known
            .filter_map(|(at, value)| Some((at as u8, normal(object.fields.get(at)?.kind, value))))
            .collect()
    }

    fn write(&mut self, record: usize, fields: &Fields) {
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
    }

    #[expect(clippy::too_many_arguments, reason = "one outbox row has this many columns")]
    fn emit(
        &mut self,
        record: usize,
        op: &'static str,
        data: Option<&Map<String, Json>>,
        now_ms: u64,
        cause: Option<Cause<'_>>,
        answers: Option<&str>,
        dirty: bool,
    ) {
        let (Some(history), Some(mark)) = (self.records.get(record), self.marks.get_mut(record)) else {
            return;
        };
        let Some(object) = self.shapes.objects.get(history.object) else {
            return;
        };
        mark.version += 1;
        self.next_row += 1;
        let mut fields = vec![
            ("object", object.name.clone()),
            ("key", history.key.clone()),
            ("op", op.to_owned()),
            ("version", mark.version.to_string()),
            ("at", rfc3339(now_ms)),
            ("idempotency_key", format!("{}-{}", self.tenant, self.next_row)),
        ];
        if let Some(data) = data {
            fields.push(("data", Json::Object(data.clone()).to_string()));
        }
        let seen = cause.and_then(|cause| cause.revision).or(mark.seen);
        if let Some(seen) = seen {
            fields.push(("seen_revision", seen.to_string()));
        }
        if let Some(cause) = cause {
            fields.push(("caused_by", cause.id.to_owned()));
        }
        if let Some(answers) = answers {
            fields.push(("answers", answers.to_owned()));
        }
        let entry = Entry {
            id: self.next_row,
            record,
            fields,
            dirty,
            copy: false,
        };
        if let Some(queue) = self.outbox.get_mut(Self::lane(record)) {
            queue.push_back(entry);
        }
    }
}

/// Milliseconds since 1970 as RFC 3339 in UTC.
pub(super) fn rfc3339(ms: u64) -> String {
    let (days, of_day) = (ms / 86_400_000, ms % 86_400_000);
    let (year, month, day) = civil(days);
    let (hour, minute, second, rest) = (
        of_day / 3_600_000,
        of_day / 60_000 % 60,
        of_day / 1000 % 60,
        of_day % 1000,
    );
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest:03}Z")
}

/// The date of a day counted from 1970-01-01 (days of 400-year eras that begin on 1 March).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
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
    fn times_are_written_as_rfc_3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_709_210_096_789), "2024-02-29T12:34:56.789Z");
        assert_eq!(rfc3339(1_795_478_400_001), "2026-11-24T00:00:00.001Z");
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

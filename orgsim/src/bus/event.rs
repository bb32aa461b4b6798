//! One event as the bus keeps it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use arcstr::ArcStr;
use bytes::Bytes;

use super::avro::Datum;
use super::body::Body;
use super::channel::{Header, Subject};
use super::random;
use super::schema::EventSchema;
use super::schema_json::CHANGE_TYPES;
use super::several::Several;
use crate::commit::{ChangeKind, Commit, RowChange};
use crate::org::{Cell, Row};

/// Positions of the change types in the schema's enum.
const GAP_OFFSET: u8 = 4;
const GAP_OVERFLOW: u8 = 8;

/// What overflow events have instead of record ids.
const NO_RECORD: &str = "000000000000000AAA";

/// Events above this size become gap events, bytes.
const EVENT_LIMIT: usize = 1_000_000;

/// A change type as the header's enum has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChangeType(u8);

impl ChangeType {
    pub(crate) const OVERFLOW: Self = Self(GAP_OVERFLOW);

    pub(crate) fn of(kind: ChangeKind) -> Self {
        Self(match kind {
            ChangeKind::Create => 0,
            ChangeKind::Update => 1,
            ChangeKind::Delete => 2,
            ChangeKind::Undelete => 3,
        })
    }

    pub(crate) fn as_gap(self) -> Self {
        if self.is_gap() { self } else { Self(self.0 + GAP_OFFSET) }
    }

    fn is_gap(self) -> bool {
        self.0 >= GAP_OFFSET
    }

    /// Enriched channels add fields to updates and deletes only; creates and undeletes have them anyway.
    fn is_enriched(self) -> bool {
        self == Self::of(ChangeKind::Update) || self == Self::of(ChangeKind::Delete)
    }
}

/// An event, before the bus gave it a place.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) schema: Arc<EventSchema>,
    /// The transaction; its changes are in its events.
    commit: Arc<Commit>,
    change_type: ChangeType,
    sequence: u32,
    /// 18-character ids; several when the same change hit several records in one transaction.
    records: Several<ArcStr>,
    /// The key of each record at commit time, where the object has one.
    keys: Several<Option<ArcStr>>,
    told: Told,
}

/// What a change tells of the values. Rows are shared with the org, and encoded when somebody reads.
#[derive(Debug)]
pub(crate) enum Told {
    /// All of a row.
    All(Arc<Row>),
    /// What is different between two versions of a row.
    Changed(Arc<Row>, Arc<Row>),
    /// Nothing but the header.
    Nothing,
}

impl Told {
    /// What to tell of a change.
    pub(crate) fn of(change: &RowChange) -> Self {
        match (change.kind, &change.before, &change.after) {
            (ChangeKind::Create | ChangeKind::Undelete, _, Some(row)) => Self::All(Arc::clone(row)),
            (ChangeKind::Update, before, Some(after)) => {
                Self::Changed(before.clone().unwrap_or_default(), Arc::clone(after))
            }
            _ => Self::Nothing,
        }
    }

    /// How many fields it changed; at least one.
    pub(crate) fn count(&self, schema: &EventSchema) -> usize {
        match self {
            Self::Changed(before, after) => Body::changes(schema, before, after).max(1),
            Self::All(_) | Self::Nothing => 1,
        }
    }

    /// Whether both tell the same of their records.
    pub(crate) fn same(&self, schema: &EventSchema, other: &Self) -> bool {
        match (self, other) {
            (Self::All(one), Self::All(other)) => Body::same(schema, one, other),
            (Self::Changed(before, after), Self::Changed(other_before, other_after)) => {
                Body::same_change(schema, (before, after), (other_before, other_after))
            }
            (Self::Nothing, Self::Nothing) => true,
            _ => false,
        }
    }

    /// Whether an event of it may be above [`EVENT_LIMIT`]; false is certain.
    fn may_be_large(&self) -> bool {
        let (Self::All(row) | Self::Changed(_, row)) = self else {
            return false;
        };
        let texts = row.cells.filled().filter_map(|(_, cell)| cell.as_text());
        texts.map(str::len).sum::<usize>() > EVENT_LIMIT / 2
    }

    /// The body, for somebody from whom the fields at these places are hidden.
    fn body(&self, schema: &EventSchema, hidden: &[usize]) -> Body {
        match self {
            Self::All(row) => Body::whole(schema, &seen(row, hidden)),
            Self::Changed(before, after) => Body::change(schema, &seen(before, hidden), &seen(after, hidden)),
            Self::Nothing => Body::empty(schema),
        }
    }
}

/// A row without what is hidden.
fn seen<'r>(row: &'r Row, hidden: &[usize]) -> Cow<'r, Row> {
    let Some(last) = hidden.iter().max() else {
        return Cow::Borrowed(row);
    };
    let size = row
        .cells
        .filled()
        .last()
        .map_or(0, |(place, _)| place + 1)
        .max(last + 1);
    let mut cells = row.cells.unpack(size);
    for place in hidden {
        cells[*place] = Cell::Null;
    }
    Cow::Owned(Row::of(&cells))
}

impl Event {
    /// The event of a change of `records` in `commit`.
    pub(crate) fn new(
        schema: &Arc<EventSchema>,
        commit: &Arc<Commit>,
        change_type: ChangeType,
        sequence: usize,
        records: Vec<ArcStr>,
        keys: Vec<Option<ArcStr>>,
        told: Told,
    ) -> Self {
        if change_type.is_gap() {
            return Self::gap(schema, commit, change_type, records);
        }
        let large = told.may_be_large();
        let event = Self {
            schema: Arc::clone(schema),
            commit: Arc::clone(commit),
            change_type,
            sequence: u32::try_from(sequence).unwrap_or(u32::MAX),
            records: Several::of(records),
            keys: Several::of(keys),
            told,
        };
        if large && event.payload(&[]).len() > EVENT_LIMIT {
            return Self::gap(schema, commit, change_type.as_gap(), event.records().to_vec());
        }
        event
    }

    /// The one event that stands for all further changes of an object in a very large transaction.
    pub(crate) fn overflow(schema: &Arc<EventSchema>, commit: &Arc<Commit>) -> Self {
        Self::gap(schema, commit, ChangeType::OVERFLOW, vec![NO_RECORD.into()])
    }

    /// Header only; the sequence number of gap events is always 1.
    fn gap(schema: &Arc<EventSchema>, commit: &Arc<Commit>, change_type: ChangeType, records: Vec<ArcStr>) -> Self {
        Self {
            schema: Arc::clone(schema),
            commit: Arc::clone(commit),
            change_type,
            sequence: 1,
            keys: Several::of(records.iter().map(|_| None).collect()),
            records: Several::of(records),
            told: Told::Nothing,
        }
    }

    /// The datum after the record ids, and where in it the key field's union is.
    fn rest(&self, hidden: &[usize]) -> (Vec<u8>, Option<Range<usize>>) {
        let body = self.told.body(&self.schema, hidden);
        encode(&self.commit, self.change_type, self.sequence, &body)
    }

    /// The value of a record's field, as far as the event tells it, for filters.
    fn field(&self, name: &str) -> Cell {
        let field = self.schema.fields.iter().find(|field| field.name == name);
        let place = field.map(|field| field.place);
        match (place, &self.told) {
            (Some(place), Told::All(row)) => row.cells[place].clone(),
            (Some(place), Told::Changed(before, after)) if before.cells[place] != after.cells[place] => {
                after.cells[place].clone()
            }
            _ => Cell::Null,
        }
    }

    /// What a filter looks at.
    pub(crate) fn value(&self, subject: &Subject) -> Cell {
        match subject {
            Subject::Header(Header::EntityName) => Cell::text(&self.schema.entity),
            Subject::Header(Header::ChangeOrigin) => Cell::text(&self.commit.change_origin),
            Subject::Header(Header::CommitUser) => Cell::text(&self.commit.commit_user),
            Subject::Header(Header::ChangeType) => Cell::text(CHANGE_TYPES[usize::from(self.change_type.0)]),
            Subject::Field(name) => self.field(name),
        }
    }

    pub(crate) fn records(&self) -> &[ArcStr] {
        self.records.as_slice()
    }

    /// The datum with all record ids, for somebody from whom the fields at these places are hidden.
    pub(crate) fn payload(&self, hidden: &[usize]) -> Bytes {
        let mut datum = Datum::default();
        datum.string(&self.schema.entity);
        datum.strings(self.records());
        datum.raw(&self.rest(hidden).0);
        datum.into_vec().into()
    }

    /// The datum of record `index` alone, as an enriched channel delivers it; `current` is the record's key now,
    /// where it is not the one of commit time. None when there is no such record.
    pub(crate) fn enriched(&self, index: usize, current: Option<Option<&str>>, hidden: &[usize]) -> Option<Bytes> {
        let record = self.records().get(index)?;
        let (rest, key) = self.rest(hidden);
        let mut datum = Datum::default();
        datum.string(&self.schema.entity);
        datum.strings(&[record]);
        match key.filter(|_| self.change_type.is_enriched()) {
            Some(place) => {
                let at_commit = || self.keys.as_slice().get(index)?.as_deref();
                datum.raw(rest.get(..place.start)?);
                match current.unwrap_or_else(at_commit) {
                    Some(text) => {
                        datum.branch(1);
                        datum.string(text);
                    }
                    None => datum.branch(0),
                }
                datum.raw(rest.get(place.end..)?);
            }
            None => datum.raw(&rest),
        }
        Some(datum.into_vec().into())
    }
}

/// The header after the record ids, and the body; and where the key field's union is.
fn encode(commit: &Commit, change_type: ChangeType, sequence: u32, body: &Body) -> (Vec<u8>, Option<Range<usize>>) {
    let mut datum = Datum::default();
    datum.branch(change_type.0);
    datum.string(&commit.change_origin);
    datum.string(&commit.transaction_key);
    datum.long(sequence.into());
    datum.long(commit.commit_ms);
    datum.long(commit.commit_number);
    datum.string(&commit.commit_user);
    datum.strings(&body.nulled.to_strings());
    datum.strings(&body.diff.to_strings());
    datum.strings(&body.changed.to_strings());
    let start = datum.len();
    datum.raw(body.bytes.as_slice());
    let key = body.key.as_ref().map(|key| key.start + start..key.end + start);
    (datum.into_vec(), key)
}

/// The event id that subscribers see; the same at every delivery of the event with this replay id.
pub(crate) fn event_id(org: u64, replay: u64) -> String {
    let high = random::mix(org ^ random::mix(replay));
    random::uuid_of(high, random::mix(high ^ replay))
}

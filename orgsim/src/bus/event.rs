//! One event as the bus keeps it: encoded once, shared by all subscribers.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::avro::Datum;
use super::body::Body;
use super::random;
use super::schema::EventSchema;
use crate::commit::{ChangeKind, Commit};

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

/// An encoded event, before the bus gave it a place.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) schema: Arc<EventSchema>,
    /// The datum with all record ids.
    pub(crate) payload: Bytes,
    change_type: ChangeType,
    /// 18-character ids; several when the same change hit several records in one transaction.
    records: Box<[Box<str>]>,
    /// The key of each record at commit time, where the object has one.
    keys: Box<[Option<Box<str>>]>,
    /// Where the header goes on after the record ids.
    after_records: usize,
    /// Where the key field's union is.
    key: Option<Range<usize>>,
}

impl Event {
    /// The event of a change of `records` in `commit`.
    pub(crate) fn new(
        schema: &Arc<EventSchema>,
        commit: &Commit,
        change_type: ChangeType,
        sequence: usize,
        records: Vec<Box<str>>,
        keys: Vec<Option<Box<str>>>,
        body: &Body,
    ) -> Self {
        if change_type.is_gap() {
            return Self::gap(schema, commit, change_type, records);
        }
        let event = Self::encode(schema, commit, change_type, sequence, records, keys, body);
        if event.payload.len() > EVENT_LIMIT {
            return Self::gap(schema, commit, change_type.as_gap(), event.records.into_vec());
        }
        event
    }

    /// The one event that stands for all further changes of an object in a very large transaction.
    pub(crate) fn overflow(schema: &Arc<EventSchema>, commit: &Commit) -> Self {
        Self::gap(schema, commit, ChangeType::OVERFLOW, vec![NO_RECORD.into()])
    }

    /// Header only; the sequence number of gap events is always 1.
    fn gap(schema: &Arc<EventSchema>, commit: &Commit, change_type: ChangeType, records: Vec<Box<str>>) -> Self {
        let keys = records.iter().map(|_| None).collect();
        Self::encode(schema, commit, change_type, 1, records, keys, &Body::empty(schema))
    }

    fn encode(
        schema: &Arc<EventSchema>,
        commit: &Commit,
        change_type: ChangeType,
        sequence: usize,
        records: Vec<Box<str>>,
        keys: Vec<Option<Box<str>>>,
        body: &Body,
    ) -> Self {
        let mut datum = Datum::default();
        datum.string(&schema.entity);
        datum.strings(&records);
        let after_records = datum.len();
        datum.branch(change_type.0);
        datum.string(&commit.change_origin);
        datum.string(&commit.transaction_key);
        datum.long(i64::try_from(sequence).unwrap_or(i64::MAX));
        datum.long(commit.commit_ms);
        datum.long(commit.commit_number);
        datum.string(&commit.commit_user);
        datum.strings(&body.nulled.to_strings());
        datum.strings(&body.diff.to_strings());
        datum.strings(&body.changed.to_strings());
        let start = datum.len();
        datum.raw(body.bytes.as_slice());
        Self {
            schema: Arc::clone(schema),
            payload: datum.into_vec().into(),
            change_type,
            records: records.into(),
            keys: keys.into(),
            after_records,
            key: body.key.as_ref().map(|key| key.start + start..key.end + start),
        }
    }

    pub(crate) fn records(&self) -> &[Box<str>] {
        &self.records
    }

    /// The datum of record `index` alone, as an enriched channel delivers it; `current` is the record's key now,
    /// where it is not the one of commit time. None when there is no such record.
    pub(crate) fn enriched(&self, index: usize, current: Option<Option<&str>>) -> Option<Bytes> {
        let record = self.records.get(index)?;
        let key = match &self.key {
            Some(place) if self.change_type.is_enriched() => Some((
                place.clone(),
                current.unwrap_or_else(|| self.keys.get(index)?.as_deref()),
            )),
            _ => None,
        };
        if self.records.len() == 1 && key.is_none() {
            return Some(self.payload.clone());
        }
        let mut datum = Datum::default();
        datum.string(&self.schema.entity);
        datum.strings(&[record]);
        match key {
            Some((place, text)) => {
                datum.raw(self.payload.get(self.after_records..place.start)?);
                match text {
                    Some(text) => {
                        datum.branch(1);
                        datum.string(text);
                    }
                    None => datum.branch(0),
                }
                datum.raw(self.payload.get(place.end..)?);
            }
            None => datum.raw(self.payload.get(self.after_records..)?),
        }
        Some(datum.into_vec().into())
    }
}

/// The event id that subscribers see; the same at every delivery of the event with this replay id.
pub(crate) fn event_id(org: u64, replay: u64) -> String {
    let high = random::mix(org ^ random::mix(replay));
    random::uuid_of(high, random::mix(high ^ replay))
}

//! From an event's bytes to its header and values. Total: any bytes give an event or an error, never a panic.

use std::io;
use std::sync::{Arc, Once};

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use tandem_core::domain::ids::ReplayId;
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::inbound::{ChangeEvent, ChangeKind};

use super::changes::{self, FieldValues};
use super::schema::EventSchema;

/// What the decoder may allocate for one value, in bytes: an event is at most 1 MB (change-events.md 1).
const ALLOCATION_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest text of a header that is kept, in characters.
const HEADER_CHARS_MAX: usize = 500;

/// An event that cannot be read with its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecodeError {
    #[error("its bytes do not fit its schema")]
    Misfit,
    #[error("it has bytes too few or too many")]
    Length,
    #[error("its header is not a change event's")]
    Header,
}

/// Reads one event.
pub(super) fn event(schema: &EventSchema, payload: &[u8], replay_id: ReplayId) -> Result<ChangeEvent, DecodeError> {
    let Value::Record(values) = datum(schema, payload)? else {
        return Err(DecodeError::Misfit);
    };
    let mut values = values.into_iter();
    let Some((_, Value::Record(header))) = values.next() else {
        return Err(DecodeError::Header);
    };
    let header = Header::of(header).ok_or(DecodeError::Header)?;

    let ids: Option<Vec<_>> = header
        .record_ids
        .iter()
        .map(|id| SalesforceId::parse(id).ok())
        .collect();
    // Wildcards (`001*`) and what else is no id: which records changed is not told (change-events.md 3).
    let ids = ids.filter(|ids| !ids.is_empty());
    let kind = match (&ids, kind_of(&header.change_type)) {
        (None, _) => ChangeKind::Overflow,
        (Some(_), kind) => kind,
    };
    let body: Vec<Value> = values.map(|(_, value)| value).collect();
    let FieldValues { kind, fields, unread } = changes::read(schema, kind, &header.marks, body);
    Ok(ChangeEvent {
        replay_id,
        sobject: if header.entity.is_empty() {
            Arc::clone(&schema.sobject)
        } else {
            text(&header.entity)
        },
        ids: if kind == ChangeKind::Overflow {
            Vec::new()
        } else {
            ids.unwrap_or_default()
        },
        kind,
        committed: Timestamp(u64::try_from(header.commit_timestamp).unwrap_or(0)),
        commit_number: header.commit_number,
        transaction_key: text(&header.transaction_key),
        sequence: header.sequence,
        commit_user: text(&header.commit_user),
        origin: text(&header.origin),
        fields,
        unread,
    })
}

fn kind_of(change_type: &str) -> ChangeKind {
    match change_type {
        "CREATE" => ChangeKind::Create,
        "UPDATE" => ChangeKind::Update,
        "DELETE" => ChangeKind::Delete,
        "UNDELETE" => ChangeKind::Undelete,
        "GAP_OVERFLOW" => ChangeKind::Overflow,
        // GAP_CREATE, GAP_UPDATE, GAP_DELETE, GAP_UNDELETE; also SNAPSHOT and what is not known yet: reading the
        // records is right for all of them.
        _ => ChangeKind::Gap,
    }
}

fn text(text: &str) -> Arc<str> {
    match text.char_indices().nth(HEADER_CHARS_MAX) {
        Some((end, _)) => text.get(..end).unwrap_or_default().into(),
        None => text.into(),
    }
}

fn datum(schema: &EventSchema, payload: &[u8]) -> Result<Value, DecodeError> {
    static LIMIT: Once = Once::new();
    LIMIT.call_once(|| {
        apache_avro::util::max_allocation_bytes(ALLOCATION_BYTES_MAX);
    });
    let mut bytes = Exact {
        rest: payload,
        ran_out: false,
    };
    let value = GenericDatumReader::builder(&schema.avro)
        .build()
        .and_then(|reader| reader.read_value(&mut bytes))
        .map_err(|_| DecodeError::Misfit)?;
    if bytes.ran_out || !bytes.rest.is_empty() {
        return Err(DecodeError::Length);
    }
    Ok(value)
}

/// Remembers that the decoder wanted more than there was: at the end of its input it takes strings, booleans and unions
/// for null, and a truncated event would look like one with cleared fields.
struct Exact<'a> {
    rest: &'a [u8],
    ran_out: bool,
}

impl io::Read for Exact<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let take = self.rest.len().min(into.len());
        self.ran_out |= take < into.len();
        let (head, tail) = self.rest.split_at(take);
        for (slot, byte) in into.iter_mut().zip(head) {
            *slot = *byte;
        }
        self.rest = tail;
        Ok(take)
    }
}

#[derive(Default)]
struct Header {
    entity: String,
    record_ids: Vec<String>,
    change_type: String,
    origin: String,
    transaction_key: String,
    sequence: i32,
    commit_timestamp: i64,
    commit_number: i64,
    commit_user: String,
    marks: Marks,
}

/// The three bitmaps, as texts.
#[derive(Default)]
pub(super) struct Marks {
    pub(super) changed: Vec<String>,
    pub(super) nulled: Vec<String>,
    pub(super) diff: Vec<String>,
}

impl Header {
    /// Takes a header apart by the names of its fields; those that it needs must be there.
    fn of(fields: Vec<(String, Value)>) -> Option<Self> {
        let mut header = Self::default();
        let mut seen = 0_u32;
        for (name, value) in fields {
            match (name.as_str(), plain(value)) {
                ("entityName", Value::String(v)) => header.entity = v,
                ("recordIds", Value::Array(v)) => header.record_ids = strings(v)?,
                ("changeType", Value::Enum(_, v) | Value::String(v)) => header.change_type = v,
                ("changeOrigin", Value::String(v)) => header.origin = v,
                ("transactionKey", Value::String(v)) => header.transaction_key = v,
                ("sequenceNumber", Value::Int(v)) => header.sequence = v,
                ("commitTimestamp", Value::Long(v) | Value::TimestampMillis(v)) => header.commit_timestamp = v,
                ("commitNumber", Value::Long(v)) => header.commit_number = v,
                ("commitUser", Value::String(v)) => header.commit_user = v,
                ("nulledFields", Value::Array(v)) => header.marks.nulled = strings(v)?,
                ("diffFields", Value::Array(v)) => header.marks.diff = strings(v)?,
                ("changedFields", Value::Array(v)) => header.marks.changed = strings(v)?,
                _ => continue,
            }
            seen += 1;
        }
        const ALL: u32 = 12;
        (seen == ALL).then_some(header)
    }
}

fn strings(values: Vec<Value>) -> Option<Vec<String>> {
    values
        .into_iter()
        .map(|v| if let Value::String(s) = plain(v) { Some(s) } else { None })
        .collect()
}

/// What a union holds.
pub(super) fn plain(value: Value) -> Value {
    match value {
        Value::Union(_, inner) => *inner,
        other => other,
    }
}

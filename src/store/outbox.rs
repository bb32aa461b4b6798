//! Events as stream entries: in the tenant's outbox, and in the product's feed.
//!
//! Both carry the fields of the product's contract (design 3.1), absent where empty. The outbox has no `tenant` and no
//! `id` (its key and its entry's id say both) and one field more: `says`, packed: plan version (4 bytes), then per
//! field its position (2 bytes) and hash (6 bytes). At forwarding it becomes part of the event's `id`.

use std::borrow::Cow;

use bytes::Bytes;
use tandem_core::domain::event::{Event, EventId, EventType, Says};
use tandem_core::domain::ids::{FieldIdx, RecordKey, TenantName};
use tandem_core::domain::payload::RawJson;
use tandem_core::domain::row::FieldHash;
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::domain::stream::StreamId;
use tandem_core::domain::time::Timestamp;

use crate::port::store::OutboxEntry;

/// Names and values of a stream entry.
pub(super) type Fields<'a> = Vec<(&'static str, Cow<'a, [u8]>)>;

fn contract(event: &Event) -> Fields<'_> {
    let mut fields: Fields<'_> = vec![("type", event.kind.as_str().as_bytes().into())];
    if let Some(record) = &event.record {
        fields.push(("object", record.object.as_bytes().into()));
        if !record.is_keyless() {
            fields.push(("key", record.key.as_bytes().into()));
        }
    }
    if let Some(id) = event.salesforce_id {
        fields.push(("salesforce_id", id.to_string().into_bytes().into()));
    }
    if let Some(data) = &event.data {
        fields.push(("data", data.expose().as_ref().into()));
    }
    if event.record.is_some() {
        fields.push(("revision", event.revision.to_string().into_bytes().into()));
    }
    fields.push(("at", event.at.to_string().into_bytes().into()));
    if let Some(trace) = &event.traceparent {
        fields.push(("traceparent", trace.as_bytes().into()));
    }
    if let Some(detail) = &event.detail {
        fields.push(("detail", detail.expose().as_ref().into()));
    }
    fields
}

/// An outbox entry.
pub(super) fn outbox_fields(event: &Event) -> Fields<'_> {
    let mut fields = contract(event);
    if !event.says.is_empty() {
        let mut packed = event.says.plan.to_be_bytes().to_vec();
        for (idx, hash) in &event.says.fields {
            packed.extend_from_slice(&idx.0.to_be_bytes());
            packed.extend_from_slice(&hash.0);
        }
        fields.push(("says", packed.into()));
    }
    fields
}

/// A feed entry.
pub(super) fn feed_fields<'a>(tenant: &'a TenantName, entry: &'a OutboxEntry) -> Fields<'a> {
    let id = EventId {
        tenant: tenant.clone(),
        outbox: entry.id,
        revision: entry.event.revision,
        says: entry.event.says.clone(),
    };
    let mut fields: Fields<'_> = vec![
        ("id", id.encode().into_bytes().into()),
        ("tenant", tenant.as_str().as_bytes().into()),
    ];
    fields.extend(contract(&entry.event));
    fields
}

fn unpack_says(packed: &[u8]) -> Option<Says> {
    let (plan, rest) = packed.split_first_chunk::<4>()?;
    let (fields, rest) = rest.as_chunks::<8>();
    let fields = fields
        .iter()
        .map(|[a, b, hash @ ..]| (FieldIdx(u16::from_be_bytes([*a, *b])), FieldHash(*hash)))
        .collect();
    rest.is_empty().then_some(Says {
        plan: u32::from_be_bytes(*plan),
        fields,
    })
}

/// Reads an outbox entry back; the error is the name of the field that makes no sense.
pub(super) fn parse(id: StreamId, fields: Vec<(Vec<u8>, Vec<u8>)>) -> Result<OutboxEntry, &'static str> {
    let text = |value: Vec<u8>, name| String::from_utf8(value).map_err(|_| name);
    let (mut kind, mut object, mut key, mut at) = (None, None, None, None);
    let (mut salesforce_id, mut data, mut detail, mut traceparent) = (None, None, None, None);
    let (mut revision, mut says) = (0, Says::default());
    for (name, value) in fields {
        match name.as_slice() {
            b"type" => kind = EventType::ALL.into_iter().find(|t| t.as_str().as_bytes() == value),
            b"object" => object = Some(text(value, "object")?),
            b"key" => key = Some(text(value, "key")?),
            b"salesforce_id" => {
                let id = SalesforceId::parse(&text(value, "salesforce_id")?).map_err(|_| "salesforce_id")?;
                salesforce_id = Some(id);
            }
            b"data" => data = Some(RawJson::from_checked(Bytes::from(value))),
            b"revision" => revision = text(value, "revision")?.parse().map_err(|_| "revision")?,
            b"at" => {
                let time: jiff::Timestamp = text(value, "at")?.parse().map_err(|_| "at")?;
                at = Some(Timestamp(u64::try_from(time.as_millisecond()).map_err(|_| "at")?));
            }
            b"traceparent" => traceparent = Some(text(value, "traceparent")?.into()),
            b"detail" => detail = Some(RawJson::from_checked(Bytes::from(value))),
            b"says" => says = unpack_says(&value).ok_or("says")?,
            // A newer version's field: the feed of this version cannot carry it.
            _ => {}
        }
    }
    let record = match (object, key, salesforce_id) {
        (Some(object), Some(key), _) => Some(RecordKey::new(object, key)),
        (Some(object), None, Some(id)) => Some(RecordKey::keyless(object, id)),
        _ => None,
    };
    let event = Event {
        kind: kind.ok_or("type")?,
        record,
        salesforce_id,
        data,
        detail,
        revision,
        at: at.ok_or("at")?,
        traceparent,
        says,
    };
    Ok(OutboxEntry { id, event })
}

//! An event as CometD shows it: JSON with names in the place of bitmaps, without nulls, and with dates as text [V:S17].

use serde_json::{Map, Value, json};

use super::kind::Kind;
use super::schema::{EventSchema, Shape};
use super::schema_json::CHANGE_TYPES;
use crate::org::{format_date, format_instant};

/// The payload of `data`; None for bytes that this bus did not write.
pub(crate) fn payload(schema: &EventSchema, datum: &[u8]) -> Option<Value> {
    let mut reader = Reader(datum);
    let entity = reader.text()?;
    let records = reader.texts()?;
    let change_type = *CHANGE_TYPES.get(usize::try_from(reader.long()?).ok()?)?;
    let (origin, transaction, sequence) = (reader.text()?, reader.text()?, reader.long()?);
    let (commit_ms, commit_number, user) = (reader.long()?, reader.long()?, reader.text()?);
    let (_nulled, diff, changed) = (reader.texts()?, reader.texts()?, reader.texts()?);
    let (diff, changed) = (names(schema, &diff), names(schema, &changed));
    let header = json!({"entityName": entity, "recordIds": records, "changeType": change_type, "changeOrigin": origin,
        "transactionKey": transaction, "sequenceNumber": sequence, "commitTimestamp": commit_ms,
        "commitNumber": commit_number, "commitUser": user, "changedFields": changed});
    let mut out = Map::new();
    out.insert("ChangeEventHeader".to_owned(), header);
    for field in &schema.fields {
        let value = match (reader.long()?, &field.shape) {
            (0, _) => continue,
            (1, Shape::Plain(kind)) => reader.scalar(*kind)?,
            // A business account's name is a text.
            (1, Shape::Compound(compound)) if compound.switchable() => reader.scalar(Kind::Text)?,
            (_, Shape::Compound(compound)) => {
                let mut parts = Map::new();
                for child in &compound.children {
                    if reader.long()? == 1 {
                        parts.insert(child.name.to_owned(), reader.scalar(child.kind)?);
                    }
                }
                Value::Object(parts)
            }
            _ => return None,
        };
        let value = if diff.contains(&field.name) {
            json!({ "diff": value })
        } else {
            value
        };
        out.insert(field.name.clone(), value);
    }
    reader.0.is_empty().then_some(Value::Object(out))
}

/// The names of a field set; children as `Parent.Child`.
fn names(schema: &EventSchema, set: &[&str]) -> Vec<String> {
    let mut names = Vec::new();
    for item in set {
        let (parent, bits) = match item.split_once('-') {
            Some((parent, bits)) => (parent.parse::<usize>().ok(), bits),
            None => (None, *item),
        };
        for position in positions(bits) {
            let name = match parent {
                None => position
                    .checked_sub(1)
                    .and_then(|at| schema.fields.get(at))
                    .map(|field| field.name.clone()),
                Some(parent) => parent
                    .checked_sub(1)
                    .and_then(|at| schema.fields.get(at))
                    .and_then(|field| {
                        let Shape::Compound(compound) = &field.shape else {
                            return None;
                        };
                        Some(format!("{}.{}", field.name, compound.children.get(position)?.name))
                    }),
            };
            names.extend(name);
        }
    }
    names
}

/// The bits of `0x…`, lowest first.
fn positions(bits: &str) -> Vec<usize> {
    let digits = bits.strip_prefix("0x").unwrap_or_default().chars().rev().enumerate();
    digits
        .flat_map(|(at, digit)| {
            let value = digit.to_digit(16).unwrap_or(0);
            (0..4)
                .filter(move |bit| value >> bit & 1 == 1)
                .map(move |bit| at * 4 + bit)
        })
        .collect()
}

/// Reads what [`super::avro::Datum`] writes.
struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    fn take(&mut self, count: usize) -> Option<&'d [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn long(&mut self) -> Option<i64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        None
    }

    fn text(&mut self) -> Option<&'d str> {
        let length = usize::try_from(self.long()?).ok()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    fn texts(&mut self) -> Option<Vec<&'d str>> {
        let mut texts = Vec::new();
        loop {
            let count = self.long()?;
            if count == 0 {
                return Some(texts);
            }
            for _ in 0..count {
                texts.push(self.text()?);
            }
        }
    }

    fn scalar(&mut self, kind: Kind) -> Option<Value> {
        Some(match kind {
            Kind::Text | Kind::LongText => json!(self.text()?),
            Kind::Double => json!(f64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            Kind::Integer => json!(self.long()?),
            Kind::Boolean => json!(*self.take(1)?.first()? == 1),
            Kind::DateTime => json!(format_instant(self.long()?.div_euclid(1_000)).replace("+0000", "Z")),
            Kind::DateOnly => json!(date(self.long()?)?),
            Kind::TimeOnly => {
                let ms = self.long()?;
                let (second, minute, hour) = (ms / 1_000 % 60, ms / 60_000 % 60, ms / 3_600_000);
                json!(format!("{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000))
            }
        })
    }
}

fn date(ms: i64) -> Option<String> {
    let moment = jiff::Timestamp::from_millisecond(ms).ok()?;
    Some(format_date(moment.to_zoned(jiff::tz::TimeZone::UTC).date()))
}

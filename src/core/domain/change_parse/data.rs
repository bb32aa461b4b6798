//! `data`: a JSON object of changed fields, by product name. Values are kept byte for byte.
//!
//! No kind of value holds an object, and only lists of texts are lists, so nothing is followed deeper than two levels.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::refusal::{Refusal, short};
use super::{DATA_BYTES_MAX, FIELDS_MAX, Name};
use crate::domain::change::Origin;
use crate::domain::ids::FieldIdx;
use crate::domain::payload::RawJson;
use crate::domain::plan::{FieldPlan, ObjectPlan};
use crate::domain::value;

/// Names that one rejection lists.
const LISTED_MAX: usize = 20;

/// The changed fields, by position.
pub(super) fn read(object: &ObjectPlan, data: &Bytes, origin: Origin) -> Result<Vec<(FieldIdx, RawJson)>, Refusal> {
    if data.len() > DATA_BYTES_MAX {
        return Err(Refusal::data_too_large());
    }
    let text = std::str::from_utf8(data).map_err(|_| Refusal::bad_utf8(Name::Data))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let members = Reader { object }
        .deserialize(&mut reader)
        .and_then(|members| reader.end().map(|()| members));
    let mut members = members.map_err(|error| Refusal::bad_json(&error))?;
    members.check()?;
    members.fields.sort_unstable_by_key(|(field, _)| field.idx);
    if origin == Origin::Product {
        whole_groups(object, &members.fields)?;
    }
    let mut fields = Vec::with_capacity(members.fields.len());
    for (field, raw) in members.fields {
        let raw = RawJson::from_checked(data.slice_ref(raw.get().as_bytes()));
        value::to_salesforce(field, &raw).map_err(|error| Refusal::bad_value(&field.name, error))?;
        fields.push((field.idx, raw));
    }
    Ok(fields)
}

/// The members of a group that flow to Salesforce come together or not at all.
fn whole_groups(object: &ObjectPlan, named: &[(&FieldPlan, &RawValue)]) -> Result<(), Refusal> {
    let mut missing: Vec<Arc<str>> = Vec::new();
    for (at, group) in object.groups.iter().enumerate() {
        let is_named = |idx: FieldIdx| named.iter().any(|(field, _)| field.idx == idx);
        if !named.iter().any(|(field, _)| field.group.map(usize::from) == Some(at)) {
            continue;
        }
        let members = group
            .iter()
            .filter_map(|idx| object.at(*idx))
            .filter(|field| field.direction.writes_salesforce());
        missing.extend(
            members
                .filter(|field| !is_named(field.idx))
                .map(|field| field.name.clone())
                .take(LISTED_MAX),
        );
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Refusal::incomplete_group(missing))
    }
}

/// What the object holds: all of it is read even where something is wrong, so that one answer names all of that.
#[derive(Default)]
struct Members<'p, 'd> {
    fields: Vec<(&'p FieldPlan, &'d RawValue)>,
    unknown: Vec<Arc<str>>,
    not_writable: Vec<Arc<str>>,
    duplicate: Vec<Arc<str>>,
    too_many: bool,
}

impl Members<'_, '_> {
    fn check(&mut self) -> Result<(), Refusal> {
        if self.too_many {
            return Err(Refusal::too_many_fields());
        }
        if !self.unknown.is_empty() {
            return Err(Refusal::unknown_field(std::mem::take(&mut self.unknown)));
        }
        if !self.not_writable.is_empty() {
            return Err(Refusal::field_not_writable(std::mem::take(&mut self.not_writable)));
        }
        if !self.duplicate.is_empty() {
            return Err(Refusal::duplicate_field(std::mem::take(&mut self.duplicate)));
        }
        Ok(())
    }
}

fn list(names: &mut Vec<Arc<str>>, name: &str) {
    let name = short(name);
    if names.len() < LISTED_MAX && !names.contains(&name) {
        names.push(name);
    }
}

struct Reader<'p> {
    object: &'p ObjectPlan,
}

impl<'p, 'd> DeserializeSeed<'d> for Reader<'p> {
    type Value = Members<'p, 'd>;

    fn deserialize<D: Deserializer<'d>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'p, 'd> Visitor<'d> for Reader<'p> {
    type Value = Members<'p, 'd>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'d>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members = Members::default();
        let mut seen = vec![false; self.object.fields.len()];
        let mut count = 0_usize;
        while let Some(name) = map.next_key_seed(MemberName { object: self.object })? {
            let raw: &'d RawValue = map.next_value()?;
            count += 1;
            members.too_many |= count > FIELDS_MAX;
            match name {
                Member::Unknown(name) => list(&mut members.unknown, &name),
                Member::Field(field) if !field.direction.writes_salesforce() => {
                    list(&mut members.not_writable, &field.name);
                }
                Member::Field(field) => match seen.get_mut(usize::from(field.idx.0)) {
                    Some(seen) if !*seen => {
                        *seen = true;
                        members.fields.push((field, raw));
                    }
                    _ => list(&mut members.duplicate, &field.name),
                },
            }
        }
        Ok(members)
    }
}

enum Member<'p> {
    Field(&'p FieldPlan),
    Unknown(Arc<str>),
}

/// Finds the field of a name without keeping the name.
struct MemberName<'p> {
    object: &'p ObjectPlan,
}

impl<'p, 'd> DeserializeSeed<'d> for MemberName<'p> {
    type Value = Member<'p>;

    fn deserialize<D: Deserializer<'d>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'p> Visitor<'_> for MemberName<'p> {
    type Value = Member<'p>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self
            .object
            .field(name)
            .map_or_else(|| Member::Unknown(short(name)), Member::Field))
    }
}

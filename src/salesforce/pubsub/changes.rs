//! Which fields an event tells of, and their values (change-events.md 3).

use std::sync::Arc;

use apache_avro::types::Value;
use tandem_core::engine::inbound::{ChangeKind, SalesforceValue};

use super::bitmap::FieldSet;
use super::decode::{Marks, plain};
use super::schema::{EventSchema, Field};

/// An event's fields; the kind is `Gap` where the event does not tell which fields changed.
pub(super) struct FieldValues {
    pub(super) kind: ChangeKind,
    pub(super) fields: Vec<(Arc<str>, SalesforceValue)>,
    pub(super) unread: Vec<Arc<str>>,
}

/// Reads the body. `body` has the values after the header, in the schema's order.
pub(super) fn read(schema: &EventSchema, kind: ChangeKind, marks: &Marks, body: Vec<Value>) -> FieldValues {
    let mut out = FieldValues {
        kind,
        fields: Vec::new(),
        unread: Vec::new(),
    };
    let told = schema.fields.iter().skip(1).zip(body.into_iter().map(plain));
    match kind {
        ChangeKind::Create | ChangeKind::Undelete => told.for_each(|(field, value)| out.take_all(field, value)),
        ChangeKind::Update => match Changed::parse(marks) {
            Some(changed) => {
                for (position, (field, value)) in told.enumerate() {
                    // The header is field 0.
                    out.take_changed(&changed, position + 1, field, value);
                }
            }
            // Something changed; which fields is not told in a way that can be understood.
            None => out.kind = ChangeKind::Gap,
        },
        // The bus knows no looks.
        ChangeKind::Delete | ChangeKind::Gap | ChangeKind::Overflow | ChangeKind::Seen => {}
    }
    out
}

struct Changed {
    changed: FieldSet,
    nulled: FieldSet,
    diff: FieldSet,
}

impl Changed {
    fn parse(marks: &Marks) -> Option<Self> {
        let all = Self {
            changed: FieldSet::parse(&marks.changed).ok()?,
            nulled: FieldSet::parse(&marks.nulled).ok()?,
            diff: FieldSet::parse(&marks.diff).ok()?,
        };
        (!(all.changed.is_empty() && all.nulled.is_empty())).then_some(all)
    }

    fn names_children(&self, field: usize) -> bool {
        [&self.changed, &self.nulled, &self.diff]
            .iter()
            .any(|set| set.names_children(field))
    }
}

impl FieldValues {
    /// All values of a new record, empty ones included.
    fn take_all(&mut self, field: &Field, value: Value) {
        match value {
            Value::Record(parts) => {
                for (name, (_, part)) in field.parts.iter().zip(parts) {
                    self.put(name, plain(part));
                }
                self.whole_name(field);
            }
            Value::Null => {
                for name in &field.parts {
                    self.put(name, Value::Null);
                }
                if field.plain || is_name(field) {
                    self.put(&field.name, Value::Null);
                }
            }
            other => self.put(&field.name, other),
        }
    }

    fn take_changed(&mut self, marks: &Changed, at: usize, field: &Field, value: Value) {
        let compound = matches!(value, Value::Record(_)) || marks.names_children(at) || !field.plain;
        if field.parts.is_empty() || !compound {
            let (changed, nulled, diff) = (marks.changed.has(at), marks.nulled.has(at), marks.diff.has(at));
            if changed || nulled || diff {
                self.put_changed(&field.name, nulled, diff, value);
            }
            return;
        }
        // A compound named as a whole: all of it was cleared, or all of it may have changed.
        let whole = |set: &FieldSet| set.has(at) && !set.names_children(at);
        let (changed, nulled, diff) = (whole(&marks.changed), whole(&marks.nulled), whole(&marks.diff));
        let mut parts = match value {
            Value::Record(parts) => parts,
            _ => Vec::new(),
        }
        .into_iter();
        let mut any = false;
        for (child, name) in field.parts.iter().enumerate() {
            let part = parts.next().map_or(Value::Null, |(_, value)| plain(value));
            let nulled = nulled || marks.nulled.has_child(at, child);
            let diff = diff || marks.diff.has_child(at, child);
            if changed || nulled || diff || marks.changed.has_child(at, child) {
                any = true;
                self.put_changed(name, nulled, diff, part);
            }
        }
        if any {
            self.whole_name(field);
        }
    }

    fn put_changed(&mut self, name: &Arc<str>, nulled: bool, diff: bool, value: Value) {
        if diff {
            self.unread.push(Arc::clone(name));
        } else if nulled {
            self.put(name, Value::Null);
        } else if matches!(value, Value::Null) {
            // Changed, not cleared, and no value: in an update null means 'not told' (change-events.md 3).
            self.unread.push(Arc::clone(name));
        } else {
            self.put(name, value);
        }
    }

    /// A person's whole name changes with its parts, and no event holds it.
    fn whole_name(&mut self, field: &Field) {
        if is_name(field) {
            self.unread.push(Arc::clone(&field.name));
        }
    }

    fn put(&mut self, name: &Arc<str>, value: Value) {
        let value = match value {
            Value::Null => SalesforceValue::Null,
            Value::Boolean(v) => SalesforceValue::Bool(v),
            Value::Int(v) | Value::Date(v) => SalesforceValue::Int(v.into()),
            Value::Long(v) | Value::TimestampMillis(v) => SalesforceValue::Int(v),
            Value::Float(v) => SalesforceValue::Double(v.into()),
            Value::Double(v) => SalesforceValue::Double(v),
            Value::String(v) | Value::Enum(_, v) => SalesforceValue::Text(v.into()),
            // Binary content and what else has no form here: read it.
            _ => return self.unread.push(Arc::clone(name)),
        };
        self.fields.push((Arc::clone(name), value));
    }
}

fn is_name(field: &Field) -> bool {
    field.name.as_ref() == "Name" && !field.parts.is_empty()
}

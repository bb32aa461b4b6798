//! One event schema: what is needed of it to understand bitmaps and compounds.

use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::schema::RecordSchema;

use super::flatten;

/// Largest schema text that is read, in bytes. An object has at most 800 custom fields or so.
pub(super) const TEXT_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How deep records may nest: event, compound, and one to spare. Also what stops records that hold themselves.
const DEPTH_MAX: usize = 4;

/// A parsed schema, shared by all events written with it.
#[derive(Debug)]
pub(super) struct EventSchema {
    pub(super) avro: Schema,
    /// sObject API name after the schema's name; events themselves name it too.
    pub(super) sobject: Arc<str>,
    /// By position; 0 is the header.
    pub(super) fields: Vec<Field>,
}

/// One top-level field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: Arc<str>,
    /// Whether it can be a plain value.
    pub(super) plain: bool,
    /// API names of its parts, where it can be a compound.
    pub(super) parts: Vec<Arc<str>>,
}

/// Why a schema is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SchemaError {
    #[error("it is no Avro schema, or larger than {TEXT_BYTES_MAX} bytes")]
    NoSchema,
    #[error("it is no change event: it has no ChangeEventHeader at its beginning")]
    NoChangeEvent,
    #[error("it uses what change events do not have: {0}")]
    Foreign(&'static str),
}

impl EventSchema {
    pub(super) fn parse(text: &str) -> Result<Self, SchemaError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(SchemaError::NoSchema);
        }
        let avro = Schema::parse_str(text).map_err(|_| SchemaError::NoSchema)?;
        let Schema::Record(event) = &avro else {
            return Err(SchemaError::NoChangeEvent);
        };
        if event.fields.first().is_none_or(|f| f.name != "ChangeEventHeader") {
            return Err(SchemaError::NoChangeEvent);
        }
        let named = named_records(event);
        check(&avro, &named, DEPTH_MAX)?;
        let sobject = sobject_of(event.name.name());
        let fields = event
            .fields
            .iter()
            .map(|f| Field::of(&f.name, &f.schema, &named))
            .collect();
        Ok(Self { sobject, fields, avro })
    }

    /// The sObject that a schema's text is about, for schemas that do not parse.
    pub(super) fn sobject_in(text: &str) -> Option<Arc<str>> {
        #[derive(serde::Deserialize)]
        struct Named<'a> {
            #[serde(borrow)]
            name: std::borrow::Cow<'a, str>,
        }
        let named: Named<'_> = serde_json::from_str(text).ok()?;
        let name = sobject_of(&named.name);
        name.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_')
            .then_some(name)
            .filter(|n| !n.is_empty())
    }
}

impl Field {
    fn of(name: &str, schema: &Schema, named: &[&RecordSchema]) -> Self {
        let mut field = Self {
            name: name.into(),
            plain: false,
            parts: Vec::new(),
        };
        let branches = match schema {
            Schema::Union(union) => union.variants(),
            other => std::slice::from_ref(other),
        };
        for branch in branches {
            match record(branch, named) {
                Some(compound) => {
                    let parts = compound.fields.iter();
                    field.parts = parts
                        .map(|p| flatten::part(name, compound.name.name(), &p.name))
                        .collect();
                }
                None => field.plain |= !matches!(branch, Schema::Null),
            }
        }
        field
    }
}

/// `ContactChangeEvent` is about Contact, `Invoice__ChangeEvent` about Invoice__c.
fn sobject_of(event: &str) -> Arc<str> {
    match (event.strip_suffix("__ChangeEvent"), event.strip_suffix("ChangeEvent")) {
        (Some(stem), _) => format!("{stem}__c").into(),
        (None, Some(stem)) => stem.into(),
        (None, None) => event.into(),
    }
}

/// The records that a compound's field may refer to by name: those written out at an earlier field.
fn named_records(event: &RecordSchema) -> Vec<&RecordSchema> {
    let branches = event.fields.iter().flat_map(|f| match &f.schema {
        Schema::Union(union) => union.variants(),
        other => std::slice::from_ref(other),
    });
    branches
        .filter_map(|s| if let Schema::Record(r) = s { Some(r) } else { None })
        .collect()
}

fn record<'a>(schema: &'a Schema, named: &[&'a RecordSchema]) -> Option<&'a RecordSchema> {
    match schema {
        Schema::Record(record) => Some(record),
        Schema::Ref { name } => named.iter().find(|r| r.name.name() == name.name()).copied(),
        _ => None,
    }
}

/// Lets through only what change events are made of, so that decoding cannot run away: no maps, no fixed sizes, arrays
/// of strings only, no records without end.
fn check(schema: &Schema, named: &[&RecordSchema], depth: usize) -> Result<(), SchemaError> {
    let depth = depth.checked_sub(1).ok_or(SchemaError::Foreign("deep nesting"))?;
    match schema {
        Schema::Array(array) if matches!(*array.items, Schema::String) => Ok(()),
        Schema::Union(union) => union
            .variants()
            .iter()
            .try_for_each(|branch| check_value(branch, named, depth)),
        other => check_value(other, named, depth),
    }
}

fn check_value(schema: &Schema, named: &[&RecordSchema], depth: usize) -> Result<(), SchemaError> {
    match (record(schema, named), schema) {
        (Some(record), _) => record
            .fields
            .iter()
            .try_for_each(|field| check(&field.schema, named, depth)),
        (
            None,
            Schema::Null
            | Schema::Boolean
            | Schema::Int
            | Schema::Long
            | Schema::Float
            | Schema::Double
            | Schema::String
            | Schema::Bytes
            | Schema::Date
            | Schema::TimestampMillis
            | Schema::Enum(_),
        ) => Ok(()),
        (None, Schema::Ref { .. }) => Err(SchemaError::Foreign("a name that stands for no record")),
        (None, _) => Err(SchemaError::Foreign("a type beyond text, numbers and records")),
    }
}

//! A change-event schema as JSON text, with the key order that live orgs use: name, namespace, type, fields, uuid.

use serde::Serialize;

use super::compound::{Compound, Family};
use super::schema::{Field, Shape};

/// Kinds of change, in the order of the enum's symbols.
pub(crate) const CHANGE_TYPES: [&str; 10] = [
    "CREATE",
    "UPDATE",
    "DELETE",
    "UNDELETE",
    "GAP_CREATE",
    "GAP_UPDATE",
    "GAP_DELETE",
    "GAP_UNDELETE",
    "GAP_OVERFLOW",
    "SNAPSHOT",
];

const NAMESPACE: &str = "com.sforce.eventbus";

#[derive(Serialize)]
struct Event<'a> {
    name: &'a str,
    namespace: &'static str,
    r#type: &'static str,
    fields: Vec<FieldJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<&'a str>,
}

#[derive(Serialize)]
struct FieldJson<'a> {
    name: &'a str,
    r#type: Type<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doc: Option<&'a str>,
    /// `Some(None)` is written as `null`; None is not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<Option<()>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Type<'a> {
    Named(&'static str),
    Union(Vec<Self>),
    Record {
        r#type: &'static str,
        name: &'static str,
        fields: Vec<FieldJson<'a>>,
    },
    Enum {
        r#type: &'static str,
        name: &'static str,
        symbols: [&'static str; CHANGE_TYPES.len()],
    },
    Array {
        r#type: &'static str,
        items: &'static str,
    },
}

/// The schema called `name` with the header and `fields`.
pub(crate) fn text(name: &str, fields: &[Field], uuid: Option<&str>) -> String {
    let mut defined = Vec::new();
    let body = fields.iter().map(|field| {
        let mut union = vec![Type::Named("null")];
        match &field.shape {
            Shape::Plain(kind) => union.push(Type::Named(kind.avro())),
            Shape::Compound(compound) => {
                if compound.switchable() {
                    union.push(Type::Named("string"));
                }
                union.push(record(compound, &mut defined));
            }
        }
        FieldJson {
            name: &field.name,
            r#type: Type::Union(union),
            doc: Some(&field.doc),
            default: Some(None),
        }
    });
    let event = Event {
        name,
        namespace: NAMESPACE,
        r#type: "record",
        fields: std::iter::once(header()).chain(body).collect(),
        uuid,
    };
    // Structs with string keys always serialise.
    serde_json::to_string(&event).unwrap_or_default()
}

/// A record type is written out once; later fields of the same type name it.
fn record<'a>(compound: &Compound, defined: &mut Vec<Family>) -> Type<'a> {
    let name = compound.family.record();
    if defined.contains(&compound.family) {
        return Type::Named(name);
    }
    defined.push(compound.family);
    let fields = compound
        .children
        .iter()
        .map(|child| FieldJson {
            name: child.name,
            r#type: Type::Union(vec![Type::Named("null"), Type::Named(child.kind.avro())]),
            doc: None,
            default: Some(None),
        })
        .collect();
    Type::Record {
        r#type: "record",
        name,
        fields,
    }
}

fn header() -> FieldJson<'static> {
    let field = |name, r#type| FieldJson {
        name,
        r#type,
        doc: None,
        default: None,
    };
    let strings = || Type::Array {
        r#type: "array",
        items: "string",
    };
    let fields = vec![
        field("entityName", Type::Named("string")),
        field("recordIds", strings()),
        field(
            "changeType",
            Type::Enum {
                r#type: "enum",
                name: "ChangeType",
                symbols: CHANGE_TYPES,
            },
        ),
        field("changeOrigin", Type::Named("string")),
        field("transactionKey", Type::Named("string")),
        field("sequenceNumber", Type::Named("int")),
        field("commitTimestamp", Type::Named("long")),
        field("commitNumber", Type::Named("long")),
        field("commitUser", Type::Named("string")),
        field("nulledFields", strings()),
        field("diffFields", strings()),
        field("changedFields", strings()),
    ];
    FieldJson {
        name: "ChangeEventHeader",
        r#type: Type::Record {
            r#type: "record",
            name: "ChangeEventHeader",
            fields,
        },
        doc: Some("Data:ComplexValueType"),
        default: None,
    }
}

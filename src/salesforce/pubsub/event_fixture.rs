//! Events for tests, with schemas of the shapes that live orgs have (change-events.md 2).

use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::{Value as Json, json};

use super::schema::EventSchema;

pub(super) const ID: &str = "003000000000001AAA";

/// Kinds of change, in the order of the enum's symbols.
const KINDS: [&str; 10] = [
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

fn header() -> Json {
    let strings = json!({"type": "array", "items": "string"});
    json!({"type": "record", "name": "ChangeEventHeader", "fields": [
        {"name": "entityName", "type": "string"},
        {"name": "recordIds", "type": strings},
        {"name": "changeType", "type": {"type": "enum", "name": "ChangeType", "symbols": KINDS}},
        {"name": "changeOrigin", "type": "string"},
        {"name": "transactionKey", "type": "string"},
        {"name": "sequenceNumber", "type": "int"},
        {"name": "commitTimestamp", "type": "long"},
        {"name": "commitNumber", "type": "long"},
        {"name": "commitUser", "type": "string"},
        {"name": "nulledFields", "type": strings},
        {"name": "diffFields", "type": strings},
        {"name": "changedFields", "type": strings}]})
}

fn nullable(name: &str, kind: &str) -> Json {
    json!({"name": name, "type": ["null", kind], "default": null, "doc": "Data:Text:00N000000000001"})
}

fn record(name: &str, parts: &[(&str, &str)]) -> Json {
    let fields: Vec<_> = parts.iter().map(|(part, kind)| nullable(part, kind)).collect();
    json!({"type": "record", "name": name, "fields": fields})
}

fn event(name: &str, mut fields: Vec<Json>) -> String {
    fields.insert(
        0,
        json!({"name": "ChangeEventHeader", "type": header(), "doc": "Data:ComplexValueType"}),
    );
    json!({"name": name, "namespace": "com.sforce.eventbus", "type": "record", "fields": fields,
           "uuid": "KxC1P8xW4-iTJxZQ6PlZpw"})
    .to_string()
}

/// Positions: 1 AccountId, 2 Name (record), 3 OtherAddress, 4 MailingAddress (by name), 5 Email, 6 Score__c, 7 Active__c,
/// 8 Birthdate, 9 Description, 10 Count__c.
pub(super) fn contact_schema() -> String {
    let person = record(
        "PersonName",
        &[
            ("Salutation", "string"),
            ("FirstName", "string"),
            ("LastName", "string"),
        ],
    );
    let address = record(
        "Address",
        &[
            ("Street", "string"),
            ("City", "string"),
            ("PostalCode", "string"),
            ("Latitude", "double"),
        ],
    );
    event(
        "ContactChangeEvent",
        vec![
            nullable("AccountId", "string"),
            json!({"name": "Name", "type": ["null", person], "default": null}),
            json!({"name": "OtherAddress", "type": ["null", address], "default": null}),
            json!({"name": "MailingAddress", "type": ["null", "Address"], "default": null}),
            nullable("Email", "string"),
            nullable("Score__c", "double"),
            nullable("Active__c", "boolean"),
            nullable("Birthdate", "long"),
            nullable("Description", "string"),
            nullable("Count__c", "int"),
        ],
    )
}

/// Position 1 is Name: a text for businesses, a record for persons.
pub(super) fn account_schema() -> String {
    let person = record(
        "Switchable_PersonName",
        &[
            ("Salutation", "string"),
            ("FirstName", "string"),
            ("LastName", "string"),
        ],
    );
    event(
        "AccountChangeEvent",
        vec![
            json!({"name": "Name", "type": ["null", "string", person], "default": null}),
            nullable("Phone", "string"),
        ],
    )
}

pub(super) fn text(value: &str) -> Value {
    Value::Union(1, Box::new(Value::String(value.to_owned())))
}

pub(super) fn none() -> Value {
    Value::Union(0, Box::new(Value::Null))
}

pub(super) fn some(value: Value) -> Value {
    Value::Union(1, Box::new(value))
}

pub(super) fn parts(names: &[&str], values: Vec<Value>) -> Value {
    Value::Record(names.iter().map(|n| (*n).to_owned()).zip(values).collect())
}

pub(super) const PERSON: [&str; 3] = ["Salutation", "FirstName", "LastName"];
pub(super) const ADDRESS: [&str; 4] = ["Street", "City", "PostalCode", "Latitude"];

/// What a test's header says; the rest is always the same.
pub(super) struct Said<'a> {
    pub(super) kind: &'a str,
    pub(super) ids: &'a [&'a str],
    pub(super) changed: &'a [&'a str],
    pub(super) nulled: &'a [&'a str],
    pub(super) diff: &'a [&'a str],
}

impl Default for Said<'_> {
    fn default() -> Self {
        Self {
            kind: "UPDATE",
            ids: &[ID],
            changed: &[],
            nulled: &[],
            diff: &[],
        }
    }
}

/// An event's bytes. `body` holds the fields after the header that are not null, by position.
pub(super) fn encode(schema: &EventSchema, said: &Said<'_>, body: Vec<(usize, Value)>) -> Vec<u8> {
    let strings = |all: &[&str]| Value::Array(all.iter().map(|s| Value::String((*s).to_owned())).collect());
    let kind = u32::try_from(KINDS.iter().position(|k| *k == said.kind).unwrap()).unwrap();
    let header = vec![
        ("entityName".to_owned(), Value::String(schema.sobject.to_string())),
        ("recordIds".to_owned(), strings(said.ids)),
        ("changeType".to_owned(), Value::Enum(kind, said.kind.to_owned())),
        (
            "changeOrigin".to_owned(),
            Value::String("com/salesforce/api/rest/67.0;client=tandem".to_owned()),
        ),
        (
            "transactionKey".to_owned(),
            Value::String("00065380-d1a9-a64a-9341-14f6f12f674c".to_owned()),
        ),
        ("sequenceNumber".to_owned(), Value::Int(3)),
        ("commitTimestamp".to_owned(), Value::Long(1_714_170_102_000)),
        ("commitNumber".to_owned(), Value::Long(1_100_823_480_049)),
        ("commitUser".to_owned(), Value::String("005000000000001AAA".to_owned())),
        ("nulledFields".to_owned(), strings(said.nulled)),
        ("diffFields".to_owned(), strings(said.diff)),
        ("changedFields".to_owned(), strings(said.changed)),
    ];
    let mut fields: Vec<(String, Value)> = schema.fields.iter().map(|f| (f.name.to_string(), none())).collect();
    fields[0].1 = Value::Record(header);
    for (at, value) in body {
        fields[at].1 = value;
    }
    let writer = GenericDatumWriter::builder(&schema.avro).build().unwrap();
    writer.write_value_to_vec(Value::Record(fields)).unwrap()
}

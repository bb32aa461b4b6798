//! Change events of the stub's contacts: their schema, and their bytes (change-events.md 2 and 3).

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};

use super::avro::Datum;
use super::ids;
use super::told::{Change, Kind};
use crate::sample::{self, EDITED, FIELDS, SOBJECT, Tag};

/// Names the schema on the wire.
pub(super) const SCHEMA_ID: &str = "stubContactChangeEvent";
/// The kinds of change in the schema's order.
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
/// The last name is a part of the compound `Name`, which is the schema's field 1; its parts stand in this order.
const NAME_PARTS: [&str; 3] = ["Salutation", "FirstName", "LastName"];
const NAME_AT: usize = 1;
/// Which of [`FIELDS`] that is.
const LAST_NAME: &str = "LastName";

/// The fields that are no parts of a compound, in the schema's order, from position 2 on.
fn plain() -> impl Iterator<Item = &'static sample::Field> {
    FIELDS.iter().filter(|field| field.salesforce != LAST_NAME)
}

/// The schema's text.
pub(super) fn schema() -> String {
    let strings = json!({"type": "array", "items": "string"});
    let header = json!({"type": "record", "name": "ChangeEventHeader", "fields": [
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
        {"name": "changedFields", "type": strings}]});
    let nullable = |name: &str, kind: Json| json!({"name": name, "type": ["null", kind], "default": null});
    let parts: Vec<Json> = NAME_PARTS.iter().map(|part| nullable(part, json!("string"))).collect();
    let name = json!({"type": "record", "name": "PersonName", "fields": parts});
    let mut fields = vec![
        json!({"name": "ChangeEventHeader", "type": header}),
        nullable("Name", name),
    ];
    fields.extend(plain().map(|field| nullable(field.salesforce, json!("string"))));
    fields.push(nullable("Tandem_Key__c", json!("string")));
    fields.push(nullable("Tandem_Seq__c", json!("double")));
    json!({"name": "ContactChangeEvent", "namespace": "com.sforce.eventbus", "type": "record", "fields": fields})
        .to_string()
}

/// The bytes of one event.
pub(super) fn payload(tenant: usize, place: u64, change: Change) -> Vec<u8> {
    let tag = Tag::new(change.number, change.round);
    let (kind, seq, user) = match change.kind {
        Kind::Create(seq) => (0, Some(seq), ids::user()),
        Kind::Update(seq) => (1, Some(seq), ids::user()),
        Kind::Edit => (1, None, "005000000000002AAA".to_owned()),
    };
    let key = matches!(change.kind, Kind::Create(_)).then(|| sample::key(change.number));
    let mut datum = Datum(Vec::with_capacity(700));
    datum.text(SOBJECT).texts(&[&ids::record(tenant, change.number)]);
    datum.long(kind).text("com/salesforce/api/rest/67.0");
    datum.text(&format!("{place:08x}-0000-4000-8000-{tenant:012x}"));
    datum
        .long(1)
        .long(now_ms())
        .long(i64::try_from(place).unwrap_or(i64::MAX))
        .text(&user);
    datum.texts(&[]).texts(&[]);
    let changed = if kind == 0 { Vec::new() } else { bitmap(change.kind) };
    datum.texts(&changed.iter().map(String::as_str).collect::<Vec<_>>());
    let told = |field: &sample::Field| change.kind != Kind::Edit || field.salesforce == FIELDS[EDITED].salesforce;
    match FIELDS.iter().find(|field| field.salesforce == LAST_NAME && told(field)) {
        Some(field) => {
            datum.branch(1).branch(0).branch(0);
            datum.branch(1).text(&tag.value(field));
        }
        None => _ = datum.branch(0),
    }
    let mut text = |value: Option<String>| match value {
        Some(value) => _ = datum.branch(1).text(&value),
        None => _ = datum.branch(0),
    };
    for field in plain() {
        text(told(field).then(|| tag.value(field)));
    }
    text(key);
    match seq {
        Some(seq) => _ = datum.branch(1).double(seq as f64),
        None => _ = datum.branch(0),
    }
    datum.0
}

/// `changedFields` of an update: a bit a top-level field, the header being bit 0, and a bitmap of the name's parts.
fn bitmap(kind: Kind) -> Vec<String> {
    let edited = FIELDS.get(EDITED).map(|field| field.salesforce);
    let own = kind != Kind::Edit;
    let mut bits = 0_u32;
    let mut at = NAME_AT;
    for field in plain() {
        at += 1;
        if own || Some(field.salesforce) == edited {
            bits |= 1 << at;
        }
    }
    if own {
        // Behind the plain fields come the key, which does not change, and the sequence.
        bits |= 1 << (at + 2);
    }
    let mut all = vec![format!("0x{bits:08X}")];
    if own {
        all.push(format!("{NAME_AT}-0x04"));
    }
    all
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_has_the_fields_in_the_places_that_the_bitmap_names() {
        let schema: Json = serde_json::from_str(&schema()).expect("JSON");
        let fields = schema["fields"].as_array().expect("fields");
        let names: Vec<&str> = fields
            .iter()
            .map(|field| field["name"].as_str().expect("a name"))
            .collect();
        assert_eq!(&names[..3], ["ChangeEventHeader", "Name", "Email"]);
        assert_eq!(&names[11..], ["Tandem_Key__c", "Tandem_Seq__c"]);
        let bits = |kind| u32::from_str_radix(&bitmap(kind)[0][2..], 16).expect("hex");
        let named = |bits: u32| -> Vec<&str> {
            (0..names.len())
                .filter(|at| bits >> at & 1 == 1)
                .map(|at| names[at])
                .collect()
        };
        assert_eq!(named(bits(Kind::Edit)), ["Phone"]);
        let own = named(bits(Kind::Update(1)));
        assert_eq!((own.len(), own.last()), (10, Some(&"Tandem_Seq__c")));
        assert_eq!(bitmap(Kind::Update(1))[1], "1-0x04");
    }

    #[test]
    fn an_edit_carries_one_value_and_a_create_all() {
        let holds = |kind, value: &str| {
            let change = Change {
                number: 5,
                round: 3,
                kind,
            };
            let bytes = payload(2, 9, change);
            bytes.windows(value.len()).any(|window| window == value.as_bytes())
        };
        let tag = Tag::new(5, 3);
        for (at, field) in FIELDS.iter().enumerate() {
            let value = tag.value(field);
            assert!(holds(Kind::Create(8), &value));
            assert_eq!(holds(Kind::Edit, &value), at == EDITED, "{}", field.name);
        }
        assert!(holds(Kind::Create(8), &sample::key(5)) && !holds(Kind::Update(8), &sample::key(5)));
    }
}

//! Reads change events knowing only the schema's JSON and Salesforce's description of the bitmaps.

use std::collections::{BTreeMap, BTreeSet};

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use serde_json::{Value, json};

/// What an event told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) entity: String,
    pub(crate) records: Vec<String>,
    pub(crate) kind: String,
    pub(crate) origin: String,
    pub(crate) transaction: String,
    pub(crate) sequence: i32,
    pub(crate) commit_ms: i64,
    pub(crate) commit_number: i64,
    pub(crate) user: String,
    /// Values that are not null, by path (`Email`, `MailingAddress.City`).
    pub(crate) body: BTreeMap<String, Value>,
    pub(crate) changed: BTreeSet<String>,
    pub(crate) nulled: BTreeSet<String>,
    pub(crate) diff: BTreeSet<String>,
    pub(crate) replay: Vec<u8>,
    pub(crate) event_id: String,
}

impl Told {
    pub(crate) fn replay_number(&self) -> u64 {
        u64::from_be_bytes(*self.replay.first_chunk().unwrap())
    }
}

/// A reader for one schema.
pub(crate) struct Reader {
    schema: apache_avro::Schema,
    /// Field names by position, and child names of record fields.
    names: Vec<(String, Vec<String>)>,
}

impl Reader {
    pub(crate) fn new(json: &str) -> Self {
        let tree: Value = serde_json::from_str(json).unwrap();
        let mut records = BTreeMap::new();
        let names = tree["fields"].as_array().unwrap().iter().map(|field| {
            let name = field["name"].as_str().unwrap().to_owned();
            (name, children(&field["type"], &mut records))
        });
        Self {
            names: names.collect(),
            schema: apache_avro::Schema::parse_str(json).unwrap(),
        }
    }

    pub(crate) fn read(&self, payload: &[u8], replay: Vec<u8>, event_id: String) -> Told {
        let mut rest = payload;
        let reader = GenericDatumReader::builder(&self.schema).build().unwrap();
        let Avro::Record(fields) = reader.read_value(&mut rest).unwrap() else {
            panic!("no record")
        };
        assert!(rest.is_empty(), "{} bytes left", rest.len());
        let mut fields = fields.into_iter();
        let (name, header) = fields.next().unwrap();
        assert_eq!(name, "ChangeEventHeader");
        let header = plain(header).unwrap();
        let text = |key: &str| header[key].as_str().unwrap().to_owned();
        let mut body = BTreeMap::new();
        for (name, value) in fields {
            match plain(value) {
                Some(Value::Object(children)) => {
                    body.extend(
                        children
                            .into_iter()
                            .map(|(child, value)| (format!("{name}.{child}"), value)),
                    );
                }
                Some(value) => {
                    body.insert(name, value);
                }
                None => {}
            }
        }
        Told {
            entity: text("entityName"),
            records: serde_json::from_value(header["recordIds"].clone()).unwrap(),
            kind: text("changeType"),
            origin: text("changeOrigin"),
            transaction: text("transactionKey"),
            sequence: serde_json::from_value(header["sequenceNumber"].clone()).unwrap(),
            commit_ms: header["commitTimestamp"].as_i64().unwrap(),
            commit_number: header["commitNumber"].as_i64().unwrap(),
            user: text("commitUser"),
            body,
            changed: self.names_of(&header["changedFields"]),
            nulled: self.names_of(&header["nulledFields"]),
            diff: self.names_of(&header["diffFields"]),
            replay,
            event_id,
        }
    }

    /// Array of bitmaps to paths. Element `0x…` is a big-endian number whose bit i stands for field i of the schema;
    /// `p-0x…` the same for the children of field p.
    fn names_of(&self, bitmaps: &Value) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        for (index, bitmap) in bitmaps.as_array().unwrap().iter().enumerate() {
            let bitmap = bitmap.as_str().unwrap();
            match bitmap.split_once('-') {
                None => {
                    assert_eq!(index, 0, "the plain bitmap is first");
                    paths.extend(bits(bitmap).into_iter().map(|bit| self.names[bit].0.clone()));
                }
                Some((parent, nested)) => {
                    assert!(index > 0, "a nested bitmap is never first");
                    let (name, children) = &self.names[parent.parse::<usize>().unwrap()];
                    paths.extend(bits(nested).into_iter().map(|bit| format!("{name}.{}", children[bit])));
                }
            }
        }
        paths
    }
}

/// Positions of the ones of `0x…`, from the right.
fn bits(bitmap: &str) -> Vec<usize> {
    let digits = bitmap.strip_prefix("0x").unwrap();
    assert!(
        digits.len().is_multiple_of(2) && !digits.bytes().any(|digit| digit.is_ascii_lowercase()),
        "{bitmap}"
    );
    let mut ones = Vec::new();
    for (place, digit) in digits.chars().rev().enumerate() {
        let digit = digit.to_digit(16).unwrap();
        ones.extend((0..4).filter(|bit| digit >> bit & 1 == 1).map(|bit| place * 4 + bit));
    }
    ones
}

/// Child names of the record that a field's union has, or refers to by name.
fn children(field: &Value, records: &mut BTreeMap<String, Vec<String>>) -> Vec<String> {
    let branches = field.as_array().map_or(std::slice::from_ref(field), Vec::as_slice);
    for branch in branches {
        if branch["type"] == "record" {
            let names: Vec<String> = branch["fields"]
                .as_array()
                .unwrap()
                .iter()
                .map(|child| child["name"].as_str().unwrap().into())
                .collect();
            records.insert(branch["name"].as_str().unwrap().to_owned(), names.clone());
            return names;
        }
        if let Some(known) = branch.as_str().and_then(|name| records.get(name)) {
            return known.clone();
        }
    }
    Vec::new()
}

/// An Avro value as JSON; None for null. Records lose their nulls.
fn plain(value: Avro) -> Option<Value> {
    match value {
        Avro::Null => None,
        Avro::Union(_, inner) => plain(*inner),
        Avro::Boolean(flag) => Some(json!(flag)),
        Avro::Int(number) => Some(json!(number)),
        Avro::Long(number) => Some(json!(number)),
        Avro::Double(number) => Some(json!(number)),
        Avro::String(text) | Avro::Enum(_, text) => Some(json!(text)),
        Avro::Array(items) => Some(Value::Array(items.into_iter().filter_map(plain).collect())),
        Avro::Record(fields) => Some(Value::Object(
            fields
                .into_iter()
                .filter_map(|(name, value)| Some((name, plain(value)?)))
                .collect(),
        )),
        other => panic!("unexpected {other:?}"),
    }
}

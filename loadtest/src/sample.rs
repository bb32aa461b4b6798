//! What the scenarios write: contacts whose every value follows from the record's number and the round of its change,
//! so that whoever sees a value knows whether it is right without having stored it.

use std::io::Write as _;

/// The product's name of the object.
pub const OBJECT: &str = "contact";
/// Salesforce's name of the object.
pub const SOBJECT: &str = "Contact";
/// The file that maps it, for the engine.
pub const MAPPING: &str = include_str!("../objects/contact.toml");
/// Bytes of the `data` of each change: the size that the engine's targets are stated for.
pub const PAYLOAD_BYTES: usize = 453;
/// Bytes of a key.
pub const KEY_BYTES: usize = 10;
/// Numbers of records stay below.
pub const NUMBERS: u32 = 10_000_000;
/// Rounds stay below.
pub const ROUNDS: u8 = 100;

/// One mapped field: the product's name, Salesforce's name, and what follows the tag in each value.
#[derive(Debug)]
pub struct Field {
    /// In the product.
    pub name: &'static str,
    /// In Salesforce.
    pub salesforce: &'static str,
    /// What stands behind the tag.
    pub tail: &'static str,
}

const fn field(name: &'static str, salesforce: &'static str, tail: &'static str) -> Field {
    Field { name, salesforce, tail }
}

/// The ten mapped fields.
pub const FIELDS: [Field; 10] = [
    field("email", "Email", "@example.org"),
    field("last_name", "LastName", " Lovelace of Ockham Park"),
    field("phone", "Phone", " +44 20 7946 0000 x1"),
    field("mobile", "MobilePhone", " +44 20 7946 0000 x2"),
    field("home_phone", "HomePhone", " +44 20 7946 0000 x3"),
    field("fax", "Fax", " +44 20 7946 0000 x4"),
    field("title", "Title", " Countess, Analyst of Analytical Engine"),
    field("department", "Department", " Department of Notes A-G."),
    field("assistant", "AssistantName", " Augustus DeMor"),
    field("assistant_phone", "AssistantPhone", " +44 20 7946 0000 x5"),
];
/// The field that people in the org edit: its place in [`FIELDS`].
pub const EDITED: usize = 2;

/// The beginning of every value of one record in one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag([u8; 10]);

impl Tag {
    /// The tag of a record's round.
    pub fn new(number: u32, round: u8) -> Self {
        let mut tag = *b"0000000r00";
        digits(&mut tag[..7], number);
        digits(&mut tag[8..], u32::from(round));
        Self(tag)
    }

    /// The record and round whose value begins so.
    pub fn read(value: &str) -> Option<(u32, u8)> {
        let number = value.get(..7)?.parse().ok()?;
        let round = value.get(7..10)?.strip_prefix('r')?.parse().ok()?;
        Some((number, round))
    }

    /// Whether this is the field's value of this record and round.
    pub fn fits(self, field: &Field, value: &str) -> bool {
        value
            .as_bytes()
            .strip_prefix(self.0.as_slice())
            .is_some_and(|tail| tail == field.tail.as_bytes())
    }

    /// The field's value.
    pub fn value(self, field: &Field) -> String {
        let mut value = String::from_utf8_lossy(&self.0).into_owned();
        value.push_str(field.tail);
        value
    }
}

fn digits(places: &mut [u8], mut number: u32) {
    for place in places.iter_mut().rev() {
        *place = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// A record's key.
pub fn key(number: u32) -> String {
    format!("k{number:09}")
}

/// The record that a key names.
pub fn number_of(key: &str) -> Option<u32> {
    let digits = key.strip_prefix('k').filter(|digits| digits.len() == KEY_BYTES - 1)?;
    digits.parse().ok().filter(|number| *number < NUMBERS)
}

/// The `data` of one change: all ten fields.
pub fn payload(number: u32, round: u8) -> Vec<u8> {
    let tag = Tag::new(number, round);
    let mut data = Vec::with_capacity(PAYLOAD_BYTES);
    for (at, field) in FIELDS.iter().enumerate() {
        let lead = if at == 0 { '{' } else { ',' };
        // Writing to a vector cannot fail.
        write!(data, "{lead}\"{}\":\"{}\"", field.name, tag.value(field)).unwrap_or_default();
    }
    data.push(b'}');
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_its_size_and_tells_record_and_round() {
        for (number, round) in [(0, 0), (1_234_567, 42), (NUMBERS - 1, ROUNDS - 1)] {
            let data = payload(number, round);
            assert_eq!(data.len(), PAYLOAD_BYTES);
            let json: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&data).expect("JSON");
            let tag = Tag::new(number, round);
            for field in &FIELDS {
                let value = json[field.name].as_str().expect("a text");
                assert_eq!(Tag::read(value), Some((number, round)));
                assert!(tag.fits(field, value) && !Tag::new(number, round ^ 1).fits(field, value));
            }
        }
    }

    #[test]
    fn keys_have_their_length_and_name_their_record() {
        let text = key(1_234_567);
        assert_eq!((text.len(), number_of(&text)), (KEY_BYTES, Some(1_234_567)));
        for wrong in ["", "k1", "x001234567", "k0012345678", "k-01234567", "k999999999"] {
            assert_eq!(number_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_mapping_names_the_same_fields() {
        let table: toml::Table = MAPPING.parse().expect("TOML");
        let mapped = table["fields"].as_table().expect("fields");
        assert_eq!(mapped.len(), FIELDS.len());
        for field in &FIELDS {
            let declared = &mapped[field.name];
            let salesforce = declared.as_str().or_else(|| declared["salesforce"].as_str());
            assert_eq!(salesforce, Some(field.salesforce));
        }
    }
}

//! Change events and their schemas from any bytes (see `tests/fuzz`).
#![allow(clippy::indexing_slicing, clippy::panic, reason = "a test may end by panicking")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "figures and dice"
)]

#[path = "../../../tests/fuzz/mutate.rs"]
mod mutate;

use apache_avro::types::Value;
use tandem_core::domain::ids::ReplayId;

use self::mutate::Fuzz;
use super::decode::event;
use super::event_fixture::*;
use super::schema::EventSchema;
use super::schemas::SharedSchemas;

fn replay() -> ReplayId {
    ReplayId(vec![0; 10].into())
}

/// What an event came to, without its values.
fn came_to(schema: &EventSchema, bytes: &[u8]) -> String {
    match event(schema, bytes, replay()) {
        Ok(event) => {
            let said = event.fields.iter().map(|(name, _)| name.len()).sum::<usize>() + event.unread.len();
            assert!(said <= 100 * (schema.fields.len() + 20), "no more than the schema has");
            format!(
                "{:?} {} {} {}",
                event.kind,
                event.ids.len(),
                event.fields.len(),
                event.unread.len()
            )
        }
        Err(error) => error.to_string(),
    }
}

fn events(name: &str, schema: &str, bodies: Vec<Vec<(usize, Value)>>) {
    let schema = EventSchema::parse(schema).unwrap();
    let mut corpus = Vec::new();
    for (at, body) in bodies.into_iter().enumerate() {
        for kind in ["CREATE", "UPDATE", "DELETE", "GAP_UPDATE", "GAP_OVERFLOW"] {
            let said = Said {
                kind,
                changed: &["0x36", "2-0x06", "4-0x07"],
                nulled: if at == 0 { &[] } else { &["0x100"] },
                ..Said::default()
            };
            corpus.push(encode(&schema, &said, body.clone()));
        }
    }
    let words = [
        "0x",
        "2-0x07",
        "0x7fffffffffffffffffff",
        "001*",
        "UPDATE",
        "\u{2}\u{2}",
        "\0",
        "\u{7f}",
    ];
    let fuzz = Fuzz {
        name,
        corpus,
        words: &words,
        cases: 10_000,
    };
    fuzz.run(|bytes| came_to(&schema, bytes));
}

#[test]
fn fuzz_contact_events() {
    let person = || some(parts(&PERSON, vec![none(), text("Jane"), text("Doe")]));
    let address = || some(parts(&ADDRESS, vec![text("1 Rd"), text("Ely"), none(), none()]));
    let full = vec![
        (1, text("001000000000001AAA")),
        (2, person()),
        (4, address()),
        (5, text("a@x.org")),
        (6, some(Value::Double(2.5))),
        (7, some(Value::Boolean(true))),
        (8, some(Value::Long(0))),
    ];
    events("contact events", &contact_schema(), vec![Vec::new(), full]);
}

#[test]
fn fuzz_account_events() {
    let business = vec![(1, text("Acme")), (2, text("+1 555"))];
    events("account events", &account_schema(), vec![Vec::new(), business]);
}

#[test]
fn fuzz_schemas() {
    let words = [
        "\"type\":",
        "\"name\":",
        "\"fields\":",
        "\"record\"",
        "\"null\"",
        "\"string\"",
        "\"array\"",
        "\"map\"",
        "\"fixed\"",
        "\"enum\"",
        "\"items\":",
        "\"symbols\":",
        "\"logicalType\":",
        "\"decimal\"",
        "\"Address\"",
        "\"default\":",
        "[",
        "]",
        "{",
        "}",
        ",",
        "ContactChangeEvent",
        "ChangeEventHeader",
    ];
    let fuzz = Fuzz {
        name: "schemas",
        corpus: vec![contact_schema().into_bytes(), account_schema().into_bytes()],
        words: &words,
        cases: 1_000,
    };
    fuzz.run(|bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return "no text".to_owned();
        };
        let known = SharedSchemas::default().parse(text).is_some();
        match EventSchema::parse(text) {
            Ok(schema) => {
                assert!(known, "what can be read is known");
                format!(
                    "{} {}",
                    schema.fields.len(),
                    came_to(&schema, &[2, 4, 6, 8, 0, 0, 0, 0])
                )
            }
            Err(error) => format!("{known} {error}"),
        }
    });
}

//! What events tell, read from bytes; and that no bytes bring the decoder down.

use std::sync::LazyLock;

use apache_avro::types::Value;
use bytes::Bytes;
use proptest::prelude::*;
use tandem_core::domain::ids::ReplayId;
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::inbound::{ChangeEvent, ChangeKind, SalesforceValue};

use super::decode::{DecodeError, event};
use super::event_fixture::*;
use super::schema::{EventSchema, SchemaError};
use super::schemas::{Known, SharedSchemas};

static CONTACT: LazyLock<EventSchema> = LazyLock::new(|| EventSchema::parse(&contact_schema()).unwrap());

fn replay() -> ReplayId {
    ReplayId(Bytes::from_static(&[0, 0, 0, 0, 0, 0x5a, 0x94, 0xf0, 0, 0]))
}

fn read(said: &Said<'_>, body: Vec<(usize, Value)>) -> ChangeEvent {
    let schema = &*CONTACT;
    event(schema, &encode(schema, said, body), replay()).unwrap()
}

fn fields(event: &ChangeEvent) -> Vec<(String, SalesforceValue)> {
    event
        .fields
        .iter()
        .map(|(name, value)| (name.to_string(), value.clone()))
        .collect()
}

fn field(name: &str, text: &str) -> (String, SalesforceValue) {
    (name.to_owned(), SalesforceValue::Text(text.into()))
}

fn null(name: &str) -> (String, SalesforceValue) {
    (name.to_owned(), SalesforceValue::Null)
}

fn unread(event: &ChangeEvent) -> Vec<&str> {
    event.unread.iter().map(AsRef::as_ref).collect()
}

#[test]
fn the_header_is_read() {
    let event = read(
        &Said {
            changed: &["0x20"],
            ..Said::default()
        },
        vec![(5, text("a@x"))],
    );
    assert_eq!(event.replay_id, replay());
    assert_eq!((event.sobject.as_ref(), event.kind), ("Contact", ChangeKind::Update));
    assert_eq!(event.ids.iter().map(ToString::to_string).collect::<Vec<_>>(), [ID]);
    assert_eq!(event.committed, Timestamp(1_714_170_102_000));
    assert_eq!((event.commit_number, event.sequence), (1_100_823_480_049, 3));
    assert_eq!(event.transaction_key.as_ref(), "00065380-d1a9-a64a-9341-14f6f12f674c");
    assert_eq!(event.commit_user.as_ref(), "005000000000001AAA");
    assert_eq!(event.origin.as_ref(), "com/salesforce/api/rest/67.0;client=tandem");
}

#[test]
fn an_update_tells_its_changed_fields_only() {
    // Values that are not marked are not told, values that are marked and null were cleared.
    let body = vec![
        (1, text("001000000000001AAA")),
        (5, text("a@x")),
        (6, some(Value::Double(1.5))),
        (7, some(Value::Boolean(true))),
        (8, some(Value::Long(86_400_000))),
        (10, some(Value::Int(-7))),
    ];
    let event = read(
        &Said {
            changed: &["0x07E0"],
            nulled: &["0x0200"],
            ..Said::default()
        },
        body,
    );
    assert_eq!(
        fields(&event),
        [
            field("Email", "a@x"),
            ("Score__c".to_owned(), SalesforceValue::Double(1.5)),
            ("Active__c".to_owned(), SalesforceValue::Bool(true)),
            ("Birthdate".to_owned(), SalesforceValue::Int(86_400_000)),
            null("Description"),
            ("Count__c".to_owned(), SalesforceValue::Int(-7)),
        ]
    );
    assert!(event.unread.is_empty());
}

#[test]
fn parts_of_compounds_have_their_own_bits() {
    let address = |city: &str| some(parts(&ADDRESS, vec![none(), text(city), none(), none()]));
    let person = some(parts(&PERSON, vec![none(), text("Jane"), none()]));
    let event = read(
        &Said {
            changed: &["0x20", "2-0x02", "4-0x07"],
            nulled: &["0x00", "4-0x05"],
            diff: &["0x00"],
            ..Said::default()
        },
        vec![(2, person), (4, address("Bern")), (5, text("a@x"))],
    );
    let want = [
        field("FirstName", "Jane"),
        null("MailingStreet"),
        field("MailingCity", "Bern"),
        null("MailingPostalCode"),
        field("Email", "a@x"),
    ];
    assert_eq!(fields(&event), want);
    // The whole name changed with its part, and the event does not hold it.
    assert_eq!(unread(&event), ["Name"]);

    // The second address of a schema refers to the first by name: its record may be missing altogether.
    let event = read(
        &Said {
            changed: &["0x00", "4-0x0A"],
            nulled: &["0x00", "4-0x0A"],
            ..Said::default()
        },
        vec![],
    );
    assert_eq!(fields(&event), [null("MailingCity"), null("MailingLatitude")]);
}

#[test]
fn a_compound_marked_as_a_whole_is_taken_with_care() {
    let city = some(parts(
        &ADDRESS,
        vec![none(), text("Bern"), none(), some(Value::Double(46.9))],
    ));
    let event = read(
        &Said {
            changed: &["0x10"],
            ..Said::default()
        },
        vec![(4, city)],
    );
    let want = [
        field("MailingCity", "Bern"),
        ("MailingLatitude".to_owned(), SalesforceValue::Double(46.9)),
    ];
    assert_eq!(fields(&event), want);
    assert_eq!(unread(&event), ["MailingStreet", "MailingPostalCode"]);

    let event = read(
        &Said {
            changed: &["0x10"],
            nulled: &["0x10"],
            ..Said::default()
        },
        vec![],
    );
    let all = ["MailingStreet", "MailingCity", "MailingPostalCode", "MailingLatitude"];
    assert_eq!(fields(&event), all.map(null));
}

#[test]
fn what_an_update_does_not_hold_has_to_be_read() {
    let diff = text("--- \n+++ 9f86d081884c7d65\n@@ -1 +1 @@");
    let event = read(
        &Said {
            changed: &["0x0220"],
            diff: &["0x0200"],
            ..Said::default()
        },
        vec![(9, diff)],
    );
    assert!(event.fields.is_empty());
    assert_eq!(unread(&event), ["Email", "Description"]);
}

#[test]
fn a_create_tells_everything_empty_fields_included() {
    for kind in ["CREATE", "UNDELETE"] {
        let person = some(parts(&PERSON, vec![none(), none(), text("Doe")]));
        let event = read(
            &Said {
                kind,
                ..Said::default()
            },
            vec![(2, person), (5, text("a@x"))],
        );
        let want = [
            null("AccountId"),
            null("Salutation"),
            null("FirstName"),
            field("LastName", "Doe"),
            null("OtherStreet"),
            null("OtherCity"),
            null("OtherPostalCode"),
            null("OtherLatitude"),
            null("MailingStreet"),
            null("MailingCity"),
            null("MailingPostalCode"),
            null("MailingLatitude"),
            field("Email", "a@x"),
            null("Score__c"),
            null("Active__c"),
            null("Birthdate"),
            null("Description"),
            null("Count__c"),
        ];
        assert_eq!(fields(&event), want, "{kind}");
        assert_eq!(unread(&event), ["Name"], "{kind}");
    }
}

#[test]
fn a_name_is_a_text_for_businesses_and_a_record_for_persons() {
    let schema = EventSchema::parse(&account_schema()).unwrap();
    let read =
        |said: &Said<'_>, value: Value| event(&schema, &encode(&schema, said, vec![(1, value)]), replay()).unwrap();
    let ids: &[&str] = &["001000000000001AAA"];

    let business = read(
        &Said {
            ids,
            changed: &["0x02"],
            ..Said::default()
        },
        text("Acme"),
    );
    assert_eq!(
        (business.sobject.as_ref(), fields(&business)),
        ("Account", vec![field("Name", "Acme")])
    );
    assert!(business.unread.is_empty());

    let person = Value::Union(2, Box::new(parts(&PERSON, vec![none(), text("Jane"), text("Doe")])));
    let person = read(
        &Said {
            ids,
            changed: &["0x00", "1-0x06"],
            ..Said::default()
        },
        person,
    );
    assert_eq!(fields(&person), [field("FirstName", "Jane"), field("LastName", "Doe")]);
    assert_eq!(unread(&person), ["Name"]);

    let cleared = read(
        &Said {
            ids,
            changed: &["0x02"],
            nulled: &["0x02"],
            ..Said::default()
        },
        none(),
    );
    assert_eq!(fields(&cleared), [null("Name")]);
}

#[test]
fn kinds_are_told_apart() {
    for (kind, want) in [
        ("DELETE", ChangeKind::Delete),
        ("GAP_CREATE", ChangeKind::Gap),
        ("GAP_UPDATE", ChangeKind::Gap),
        ("GAP_DELETE", ChangeKind::Gap),
        ("GAP_UNDELETE", ChangeKind::Gap),
        ("GAP_OVERFLOW", ChangeKind::Overflow),
        ("SNAPSHOT", ChangeKind::Gap),
    ] {
        let event = read(
            &Said {
                kind,
                ..Said::default()
            },
            vec![],
        );
        assert_eq!(
            (event.kind, event.fields.len(), event.unread.len()),
            (want, 0, 0),
            "{kind}"
        );
        assert_eq!(event.ids.is_empty(), want == ChangeKind::Overflow, "{kind}");
    }
}

#[test]
fn records_that_are_not_named_are_all_records() {
    for ids in [
        &["003*"][..],
        &[],
        &["00300000000000*"],
        &[ID, "junk"],
        &["003000000000001AAB"],
        &[""],
    ] {
        let event = read(
            &Said {
                ids,
                changed: &["0x20"],
                ..Said::default()
            },
            vec![(5, text("a@x"))],
        );
        assert_eq!(
            (event.kind, event.ids.len(), event.fields.len()),
            (ChangeKind::Overflow, 0, 0),
            "{ids:?}"
        );
    }
    let merged = read(
        &Said {
            ids: &[ID, "003000000000002AAA"],
            changed: &["0x20"],
            ..Said::default()
        },
        vec![],
    );
    assert_eq!((merged.kind, merged.ids.len()), (ChangeKind::Update, 2));
}

#[test]
fn an_update_whose_marks_say_nothing_is_a_gap() {
    let marks: [(&[&str], &[&str], &[&str]); 5] = [
        (&[], &[], &[]),
        (&["0x00"], &["0x00"], &["0x00"]),
        (&["Email"], &[], &[]),
        (&["0x20"], &["nonsense"], &[]),
        (&["0x20"], &[], &["0xZZ"]),
    ];
    for (changed, nulled, diff) in marks {
        let event = read(
            &Said {
                changed,
                nulled,
                diff,
                ..Said::default()
            },
            vec![(5, text("a@x"))],
        );
        assert_eq!(
            (event.kind, event.ids.len(), event.fields.len()),
            (ChangeKind::Gap, 1, 0),
            "{changed:?}"
        );
    }
    // Bits beyond the schema are no fields.
    let event = read(
        &Said {
            changed: &["0xFFFFFFFF00000020", "99-0xFF"],
            ..Said::default()
        },
        vec![(5, text("a@x"))],
    );
    assert_eq!(fields(&event), [field("Email", "a@x")]);
}

#[test]
fn a_truncated_event_is_no_event_with_cleared_fields() {
    let schema = &*CONTACT;
    let said = Said {
        kind: "CREATE",
        ..Said::default()
    };
    let whole = encode(schema, &said, vec![(5, text("a@x")), (9, text("long"))]);
    assert!(event(schema, &whole, replay()).is_ok());
    for length in 0..whole.len() {
        assert!(
            event(schema, &whole[..length], replay()).is_err(),
            "{length} of {} bytes",
            whole.len()
        );
    }
    let mut longer = whole;
    longer.push(0);
    assert_eq!(event(schema, &longer, replay()).unwrap_err(), DecodeError::Length);
}

#[test]
fn schemas_that_could_run_away_are_not_used() {
    let count = r#"{"default":null,"doc":"Data:Text:00N000000000001","name":"Count__c","type":["null","int"]}"#;
    assert!(contact_schema().contains(count));
    let with = |kind: &str| contact_schema().replace(count, &format!(r#"{{"name":"Count__c","type":{kind}}}"#));
    for (kind, fits) in [
        (r#"["null","string"]"#, true),
        (r#"{"type":"array","items":"string"}"#, true),
        (r#"{"type":"long","logicalType":"timestamp-millis"}"#, true),
        (r#"{"type":"array","items":{"type":"array","items":"null"}}"#, false),
        (r#"{"type":"array","items":"null"}"#, false),
        (r#"{"type":"map","values":"string"}"#, false),
        (r#"{"type":"fixed","name":"F","size":1000000000}"#, false),
        (r#"["null","com.sforce.eventbus.ContactChangeEvent"]"#, false),
        (
            r#"{"type":"record","name":"Loop","fields":[{"name":"l","type":"Loop"}]}"#,
            false,
        ),
        (r#""Unknown""#, false),
    ] {
        assert_eq!(EventSchema::parse(&with(kind)).is_ok(), fits, "{kind}");
    }
    assert_eq!(EventSchema::parse("{").unwrap_err(), SchemaError::NoSchema);
    assert_eq!(
        EventSchema::parse(r#""string""#).unwrap_err(),
        SchemaError::NoChangeEvent
    );
    let bare = r#"{"type":"record","name":"X","fields":[{"name":"a","type":"string"}]}"#;
    assert_eq!(EventSchema::parse(bare).unwrap_err(), SchemaError::NoChangeEvent);
}

#[test]
fn equal_schemas_are_parsed_once_and_bad_ones_tell_their_object() {
    let shared = SharedSchemas::default();
    let (one, two) = (
        shared.parse(&contact_schema()).unwrap(),
        shared.parse(&contact_schema()).unwrap(),
    );
    assert!(std::sync::Arc::ptr_eq(&one, &two));
    let bad = shared
        .parse(r#"{"name":"Invoice__ChangeEvent","type":"record","fields":7}"#)
        .unwrap();
    assert!(matches!(bad.as_ref(), Known::Bad { sobject, .. } if sobject.as_ref() == "Invoice__c"));
    assert!(shared.parse("no schema").is_none());
    assert!(shared.parse(r#"{"name":"Evil Name"}"#).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_bring_the_decoder_down(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _either = event(&CONTACT, &bytes, replay()).is_ok();
    }

    #[test]
    fn no_damage_brings_the_decoder_down(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let schema = &*CONTACT;
        let person = some(parts(&PERSON, vec![none(), text("Jane"), text("Doe")]));
        let said = Said { changed: &["0x20", "2-0x06", "4-0x07"], nulled: &["0x00", "4-0x05"], ..Said::default() };
        let mut bytes = encode(schema, &said, vec![(2, person), (5, text("a@x")), (6, some(Value::Double(2.0)))]);
        let place = at.index(bytes.len());
        bytes[place] = byte;
        bytes.truncate(cut.index(bytes.len()) + 1);
        let _either = event(schema, &bytes, replay()).is_ok();
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_text_brings_the_schema_reader_down(at in any::<prop::sample::Index>(), with in "[\\PC]{0,12}") {
        let mut text: Vec<char> = contact_schema().chars().collect();
        let place = at.index(text.len());
        text.splice(place..(place + with.chars().count()).min(text.len()), with.chars());
        let text: String = text.into_iter().collect();
        if let Ok(schema) = EventSchema::parse(&text) {
            let _either = event(&schema, &[2, 4, 6, 8], replay()).is_ok();
        }
    }
}

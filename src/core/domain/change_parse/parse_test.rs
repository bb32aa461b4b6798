//! What good entries become, and that no bytes break the parser.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::event::Says;
use crate::domain::ids::FieldIdx;
use crate::domain::plan::{Direction, FieldPlan, Kind, Policy};
use crate::domain::stream::{EntryRef, Log};

/// 2026-11-23T07:00:00Z.
pub(super) const NOW: Timestamp = Timestamp(1_795_417_200_000);

pub(super) fn plan() -> TenantPlan {
    let fields = [
        ("active", Kind::Boolean, Direction::Both, None),
        ("amount", Kind::Decimal, Direction::ToSalesforce, None),
        ("born", Kind::Date, Direction::Both, None),
        ("city", Kind::Text, Direction::Both, Some(0)),
        ("company", Kind::Reference, Direction::Both, None),
        ("email", Kind::Email, Direction::Both, None),
        ("full_name", Kind::Text, Direction::ToProduct, None),
        ("geo", Kind::Text, Direction::ToProduct, Some(0)),
        ("street", Kind::Text, Direction::Both, Some(0)),
        ("tags", Kind::Multipicklist, Direction::Both, None),
    ];
    let field = |(at, (name, kind, direction, group)): (usize, (&str, Kind, Direction, Option<u16>))| FieldPlan {
        idx: FieldIdx(at as u16),
        name: name.into(),
        salesforce: name.into(),
        kind,
        direction,
        on_conflict: Policy::Salesforce,
        personal: false,
        required: false,
        references: None,
        values: BTreeMap::new(),
        scale: None,
        group,
    };
    let object = |object: &str, direction| {
        Arc::new(ObjectPlan {
            object: object.into(),
            sobject: "Contact".into(),
            external_id: "Tandem_Key__c".into(),
            sequence: None,
            direction,
            fields: fields.into_iter().enumerate().map(field).collect(),
            groups: vec![vec![FieldIdx(3), FieldIdx(7), FieldIdx(8)]],
            matching: None,
            version: 1,
            rank: 0,
        })
    };
    TenantPlan {
        objects: vec![
            object("contact", Direction::Both),
            object("report", Direction::ToProduct),
        ],
    }
}

pub(super) fn entry(fields: &[(&str, &[u8])]) -> RawEntry {
    let fields = fields
        .iter()
        .map(|(name, value)| (Bytes::copy_from_slice(name.as_bytes()), Bytes::copy_from_slice(value)))
        .collect();
    RawEntry {
        at: EntryRef {
            log: Log::Changes,
            id: StreamId {
                ms: NOW.0 - 1_000,
                seq: 3,
            },
        },
        fields,
    }
}

#[expect(clippy::result_large_err, reason = "as the function under test")]
pub(super) fn parse(entry: &RawEntry) -> Result<Change, Rejection> {
    let (plan, digest) = (plan(), Digester::new([1; 32]));
    let tenant = TenantName::new("acme").unwrap();
    Parser {
        plan: &plan,
        digest: &digest,
        tenant: &tenant,
    }
    .parse(entry, NOW)
}

pub(super) fn event_id(tenant: &str) -> EventId {
    let tenant = TenantName::new(tenant).unwrap();
    EventId {
        tenant,
        outbox: StreamId { ms: 5, seq: 6 },
        revision: 7,
        says: Says::default(),
    }
}

fn values(change: &Change) -> Vec<(u16, &str)> {
    change
        .fields
        .iter()
        .map(|(idx, raw)| (idx.0, std::str::from_utf8(raw.expose()).unwrap()))
        .collect()
}

#[test]
fn the_smallest_upsert() {
    let change = parse(&entry(&[
        ("object", b"contact"),
        ("key", b"42"),
        ("op", b"upsert"),
        ("data", b"{}"),
    ]))
    .unwrap();
    assert_eq!(change.record, RecordKey::new("contact", "42"));
    assert_eq!(
        (change.op, change.origin, change.fields.len()),
        (Op::Upsert, Origin::Product, 0)
    );
    assert_eq!(
        change.at,
        Timestamp(NOW.0 - 1_000),
        "without `at` the entry's time counts"
    );
    assert!(change.version.is_none() && change.seen_revision.is_none() && change.caused_by.is_none());
    assert!(change.idempotency.is_none() && change.traceparent.is_none());
}

#[test]
fn values_are_kept_byte_for_byte_and_sorted_by_position() {
    let data = r#" { "tags" : ["b","a"],"amount":1.2300E+2 , "\u0065mail":" a\u0062 ", "born":null } "#;
    let entry = entry(&[
        ("data", data.as_bytes()),
        ("op", b"upsert"),
        ("key", b"4 2"),
        ("object", b"contact"),
    ]);
    let change = parse(&entry).unwrap();
    assert_eq!(
        values(&change),
        [
            (1, "1.2300E+2"),
            (2, "null"),
            (5, "\" a\\u0062 \""),
            (9, "[\"b\",\"a\"]")
        ]
    );
}

#[test]
fn everything_an_upsert_may_say() {
    let caused_by = event_id("acme");
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let text = caused_by.encode();
    let change = parse(&entry(&[
        ("object", b"contact"),
        ("key", "ключ".as_bytes()),
        ("op", b"upsert"),
        ("data", br#"{"street":"1","city":"2","company":"acme"}"#),
        ("version", b"18446744073709551615"),
        ("at", b"2026-11-23T07:59:58.25+01:00"),
        ("seen_revision", b"0"),
        ("caused_by", text.as_bytes()),
        ("answers", text.as_bytes()),
        ("idempotency_key", b"row-7"),
        ("traceparent", trace.as_bytes()),
    ]))
    .unwrap();
    assert_eq!(values(&change), [(3, "\"2\""), (4, "\"acme\""), (8, "\"1\"")]);
    assert_eq!(change.version, Some(u64::MAX));
    assert_eq!(change.at, Timestamp(NOW.0 - 1_750));
    assert_eq!(change.seen_revision, Some(0));
    assert_eq!(change.caused_by.as_ref(), Some(&caused_by));
    assert_eq!(change.answers, Some(caused_by));
    assert_eq!(change.idempotency_text.as_deref(), Some("row-7"));
    assert_eq!(change.traceparent.as_deref(), Some(trace));
}

#[test]
fn other_operations() {
    let head = |op: &'static [u8]| vec![("object", b"contact".as_slice()), ("key", b"42"), ("op", op)];
    assert_eq!(parse(&entry(&head(b"delete"))).unwrap().op, Op::Delete);

    let mut link = head(b"link");
    link.push(("salesforce_id", b"0031a000005hwVaAAI"));
    let change = parse(&entry(&link)).unwrap();
    assert_eq!(
        (change.op, change.salesforce_id),
        (Op::Link, SalesforceId::parse("0031a000005hwVaAAI").ok())
    );

    let question = event_id("acme").encode();
    let mut create = head(b"link");
    create.extend([("salesforce_id", b"".as_slice()), ("answers", question.as_bytes())]);
    let change = parse(&entry(&create)).unwrap();
    assert_eq!(
        (change.op, change.salesforce_id, change.answers.is_some()),
        (Op::Link, None, true)
    );

    let mut refuse = head(b"refuse");
    refuse.extend([
        ("reason", b" closed period ".as_slice()),
        ("answers", question.as_bytes()),
    ]);
    let change = parse(&entry(&refuse)).unwrap();
    assert_eq!(change.op, Op::Refuse);
    assert_eq!(change.reason.unwrap().expose(), "closed period");

    refuse[0].1 = b"report";
    assert_eq!(
        parse(&entry(&refuse)).unwrap().op,
        Op::Refuse,
        "answers are no writes: any direction may give them"
    );
}

#[test]
fn the_engine_may_name_single_fields_of_a_group() {
    let fields: [(&str, &[u8]); 5] = [
        ("object", b"contact"),
        ("key", b"42"),
        ("op", b"upsert"),
        ("data", br#"{"city":"Bonn"}"#),
        ("origin", b"engine"),
    ];
    let change = parse(&entry(&fields)).unwrap();
    assert_eq!(
        (change.origin, values(&change)),
        (Origin::Engine, vec![(3, "\"Bonn\"")])
    );
    assert_eq!(parse(&entry(&fields[..4])).unwrap_err().code, "incomplete_group");
}

#[test]
fn a_malformed_trace_is_ignored() {
    for trace in [
        "",
        "00-x-y-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "garbage\n",
    ] {
        let entry = entry(&[
            ("object", b"contact"),
            ("key", b"1"),
            ("op", b"delete"),
            ("traceparent", trace.as_bytes()),
        ]);
        assert_eq!(parse(&entry).unwrap().traceparent, None, "{trace}");
    }
}

#[test]
fn idempotency_knows_a_repeat_from_a_reuse() {
    let hash = |fields: &[(&str, &[u8])]| parse(&entry(fields)).unwrap().idempotency.unwrap();
    let first = hash(&[
        ("object", b"contact"),
        ("key", b"1"),
        ("op", b"delete"),
        ("idempotency_key", b"k"),
        ("traceparent", b"one"),
    ]);
    let repeat = hash(&[
        ("traceparent", b"two"),
        ("idempotency_key", b"k"),
        ("key", b"1"),
        ("op", b"delete"),
        ("object", b"contact"),
    ]);
    let reuse = hash(&[
        ("object", b"contact"),
        ("key", b"2"),
        ("op", b"delete"),
        ("idempotency_key", b"k"),
    ]);
    assert_eq!(first, repeat);
    assert_eq!(first.key, reuse.key);
    assert_ne!(first.content, reuse.content);
}

fn noisy_entry() -> impl Strategy<Value = RawEntry> {
    let name = prop::sample::select(vec![
        "object",
        "key",
        "op",
        "data",
        "salesforce_id",
        "reason",
        "version",
        "at",
        "seen_revision",
        "caused_by",
        "answers",
        "idempotency_key",
        "traceparent",
        "origin",
    ]);
    let word = prop::sample::select(vec![
        "contact",
        "report",
        "upsert",
        "delete",
        "link",
        "refuse",
        "engine",
        "1",
        "0",
        "",
        "{}",
        "{\"email\":\"a\"}",
        "{\"email\":",
        "{\"city\":[[[{}]]],\"city\":1e999}",
        "2026-11-23T07:00:00Z",
        "0031a000005hwVaAAI",
    ]);
    let value = prop_oneof![
        3 => word.prop_map(|word| word.as_bytes().to_vec()),
        1 => any::<Vec<u8>>(),
        1 => "(?s).{0,20}".prop_map(String::into_bytes),
        1 => "\\{(\"[a-z]{1,6}\":[\\PC]{0,8},?){0,3}\\}".prop_map(String::into_bytes),
    ];
    let name = prop_oneof![9 => name.prop_map(|name| name.as_bytes().to_vec()), 1 => any::<Vec<u8>>()];
    let field = (name, value).prop_map(|(name, value)| (Bytes::from(name), Bytes::from(value)));
    (any::<u64>(), any::<u64>(), prop::collection::vec(field, 0..8)).prop_map(|(ms, seq, fields)| RawEntry {
        at: EntryRef {
            log: Log::Backfill,
            id: StreamId {
                ms: if ms % 4 == 0 { ms } else { NOW.0 },
                seq,
            },
        },
        fields,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// And a rejection says what to do.
    #[test]
    fn nothing_panics(entry in noisy_entry()) {
        if let Err(rejection) = parse(&entry) {
            prop_assert!(!rejection.code.is_empty() && !rejection.message.expose().is_empty());
            prop_assert!(rejection.remedy.ends_with('.'));
        }
    }

    #[test]
    fn no_data_panics(data: Vec<u8>, text in "(?s).{0,40}") {
        for data in [data.as_slice(), text.as_bytes()] {
            let entry = entry(&[("object", b"contact"), ("key", b"1"), ("op", b"upsert"), ("data", data)]);
            prop_assert!(parse(&entry).is_err() || serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(data).is_ok());
        }
    }

    #[test]
    fn texts_come_out_as_they_went_in(text in "(?s).{0,40}") {
        let json = serde_json::to_string(&text).unwrap();
        let data = format!("{{\"email\":{json}}}");
        let entry = entry(&[("object", b"contact"), ("key", b"1"), ("op", b"upsert"), ("data", data.as_bytes())]);
        let change = parse(&entry).unwrap();
        prop_assert_eq!(values(&change), vec![(5, json.as_str())]);
    }
}

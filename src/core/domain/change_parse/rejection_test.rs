//! Every rejection, by an entry that gets it.

use super::parse_test::{NOW, entry, event_id, parse};
use super::*;

/// A good upsert with some fields replaced, added or (with none) removed.
fn with(changes: &[(&'static str, Option<&[u8]>)]) -> RawEntry {
    let mut fields: Vec<(&str, &[u8])> = vec![
        ("object", b"contact"),
        ("key", b"42"),
        ("op", b"upsert"),
        ("data", br#"{"email":"a"}"#),
    ];
    for (name, value) in changes {
        fields.retain(|(known, _)| known != name);
        fields.extend(value.map(|value| (*name, value)));
    }
    entry(&fields)
}

fn rejection(changes: &[(&'static str, Option<&[u8]>)]) -> Rejection {
    parse(&with(changes)).expect_err("it should be rejected")
}

fn with_data(data: &str) -> Rejection {
    rejection(&[("data", Some(data.as_bytes()))])
}

#[test]
fn names_and_their_values() {
    let (mine, other) = (event_id("acme").encode(), event_id("other").encode());
    let (mine, other) = (Some(mine.as_bytes()), Some(other.as_bytes()));
    let long_key = "k".repeat(256);
    let long_reason = "r".repeat(1_001);
    let one: Option<&[u8]> = Some(b"1");
    let empty: Option<&[u8]> = Some(b"");
    let not_utf8: Option<&[u8]> = Some(b"\xff\xfe");
    let op = |op: &'static str| ("op", Some(op.as_bytes()));
    let no_data = ("data", None);
    let id: Option<&[u8]> = Some(b"0031a000005hwVaAAI");
    for (changes, code, about) in [
        (vec![("object", None)], "missing_name", "object"),
        (vec![("key", None)], "missing_name", "key"),
        (vec![("op", None)], "missing_name", "op"),
        (vec![no_data], "missing_name", "data"),
        (vec![("verison", one)], "unknown_name", "verison"),
        (vec![("object", not_utf8)], "bad_utf8", "object"),
        (vec![("data", not_utf8)], "bad_utf8", "data"),
        (vec![("key", not_utf8)], "bad_utf8", "key"),
        (vec![op("insert")], "unknown_op", "op"),
        (vec![op("UPSERT")], "unknown_op", "op"),
        (vec![("object", Some(b"lead"))], "unknown_object", "object"),
        (vec![("object", empty)], "unknown_object", "object"),
        (vec![("object", Some(b"report"))], "object_not_writable", "object"),
        (
            vec![("object", Some(b"report")), op("delete"), no_data],
            "object_not_writable",
            "object",
        ),
        (vec![("key", empty)], "bad_key", "key"),
        (vec![("key", Some(b" 1"))], "bad_key", "key"),
        (vec![("key", Some(b"1\t"))], "bad_key", "key"),
        (vec![("key", Some("1\u{a0}".as_bytes()))], "bad_key", "key"),
        (vec![("key", Some(b"a\0b"))], "bad_key", "key"),
        (vec![("key", Some(long_key.as_bytes()))], "bad_key", "key"),
        (vec![op("delete")], "unexpected_name", "data"),
        (vec![("salesforce_id", id)], "unexpected_name", "salesforce_id"),
        (vec![("reason", one)], "unexpected_name", "reason"),
        (vec![op("link"), no_data], "missing_name", "salesforce_id"),
        (
            vec![op("link"), no_data, ("salesforce_id", empty)],
            "bad_salesforce_id",
            "salesforce_id",
        ),
        (
            vec![op("link"), no_data, ("salesforce_id", one)],
            "bad_salesforce_id",
            "salesforce_id",
        ),
        (vec![op("refuse"), no_data, ("answers", mine)], "missing_name", "reason"),
        (vec![op("refuse"), no_data, ("reason", one)], "missing_name", "answers"),
        (
            vec![op("refuse"), no_data, ("reason", Some(b"  ")), ("answers", mine)],
            "bad_reason",
            "reason",
        ),
        (
            vec![
                op("refuse"),
                no_data,
                ("reason", Some(long_reason.as_bytes())),
                ("answers", mine),
            ],
            "bad_reason",
            "reason",
        ),
        (vec![("version", Some(b"0"))], "bad_version", "version"),
        (vec![("version", empty)], "bad_version", "version"),
        (vec![("version", Some(b"-1"))], "bad_version", "version"),
        (vec![("version", Some(b"+1"))], "bad_version", "version"),
        (vec![("version", Some(b"1.0"))], "bad_version", "version"),
        (
            vec![("version", Some(b"18446744073709551616"))],
            "bad_version",
            "version",
        ),
        (
            vec![("seen_revision", Some(b"x"))],
            "bad_seen_revision",
            "seen_revision",
        ),
        (vec![("at", Some(b"yesterday"))], "bad_at", "at"),
        (vec![("at", Some(b"2026-11-23"))], "bad_at", "at"),
        (vec![("at", Some(b"1969-12-31T23:59:59Z"))], "bad_at", "at"),
        (vec![("at", Some(b"2026-11-23T07:05:00Z"))], "bad_at", "at"),
        (vec![("caused_by", one)], "bad_caused_by", "caused_by"),
        (vec![("caused_by", other)], "foreign_caused_by", "caused_by"),
        (vec![("answers", one)], "bad_answers", "answers"),
        (vec![("answers", other)], "foreign_answers", "answers"),
        (
            vec![("idempotency_key", empty)],
            "bad_idempotency_key",
            "idempotency_key",
        ),
        (
            vec![("idempotency_key", Some(b"a\nb"))],
            "bad_idempotency_key",
            "idempotency_key",
        ),
        (
            vec![("idempotency_key", Some(long_key.as_bytes()))],
            "bad_idempotency_key",
            "idempotency_key",
        ),
        (vec![("origin", Some(b"product"))], "bad_origin", "origin"),
    ] {
        let rejection = rejection(&changes);
        let context = format!("{about}: {}", rejection.message.expose());
        assert_eq!(rejection.code, code, "{context}");
        assert_eq!(rejection.fields, [about.into()], "{context}");
        assert!(rejection.remedy.ends_with('.'));
    }
}

#[test]
fn data() {
    let deep = format!("{{\"email\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let huge = format!("{{\"email\":\"{}\"}}", "x".repeat(DATA_BYTES_MAX));
    let many: Vec<String> = (0..=FIELDS_MAX).map(|n| format!("\"f{n}\":1")).collect();
    let many = format!("{{{}}}", many.join(","));
    for (data, code, about) in [
        ("", "bad_json", "data"),
        ("{", "bad_json", "data"),
        ("{\"email\":}", "bad_json", "data"),
        ("{\"email\":\"a\"} x", "bad_json", "data"),
        ("{'email':'a'}", "bad_json", "data"),
        ("[]", "data_not_object", "data"),
        ("null", "data_not_object", "data"),
        ("\"x\"", "data_not_object", "data"),
        (huge.as_str(), "data_too_large", "data"),
        (many.as_str(), "too_many_fields", "data"),
        ("{\"emial\":\"a\"}", "unknown_field", "emial"),
        ("{\"full_name\":\"a\"}", "field_not_writable", "full_name"),
        ("{\"email\":\"a\",\"\\u0065mail\":\"b\"}", "duplicate_field", "email"),
        ("{\"city\":\"Bonn\"}", "incomplete_group", "street"),
        ("{\"email\":1}", "wrong_type", "email"),
        ("{\"email\":{\"a\":1}}", "wrong_type", "email"),
        (deep.as_str(), "wrong_type", "email"),
        ("{\"email\":\"\\ud800\"}", "bad_text", "email"),
        ("{\"active\":\"true\"}", "wrong_type", "active"),
        ("{\"amount\":\"1,5\"}", "bad_number", "amount"),
        ("{\"amount\":1e400}", "number_out_of_range", "amount"),
        ("{\"born\":\"2026-02-29\"}", "bad_date", "born"),
        ("{\"tags\":\"a;b\"}", "wrong_type", "tags"),
        ("{\"company\":\" x\"}", "bad_reference", "company"),
    ] {
        let rejection = with_data(data);
        let context = format!("{about}: {}", rejection.message.expose());
        assert_eq!(rejection.code, code, "{context}");
        assert_eq!(rejection.fields, [about.into()], "{context}");
        assert!(rejection.message.expose().len() < 200, "{context}");
    }
}

#[test]
fn all_wrong_names_are_told_at_once() {
    let rejection = with_data("{\"x\":1,\"full_name\":2,\"y\":3,\"x\":4}");
    assert_eq!(
        (rejection.code, rejection.fields),
        ("unknown_field", vec!["x".into(), "y".into()])
    );
    let long = with_data(&format!("{{\"{}\":1}}", "é".repeat(5_000)));
    assert!(long.message.expose().chars().count() < 100);
    // What does not look like a name may be a value: `fields` can be logged, the message cannot.
    let swapped = with_data("{\"ada@example.org\":\"email\"}");
    assert_eq!(swapped.fields, []);
    assert!(swapped.message.expose().contains("ada@example.org"));
    assert!(!format!("{swapped:?}").contains("ada"));
}

#[test]
fn an_id_far_ahead() {
    let mut entry = with(&[]);
    entry.at.id.ms = NOW.0 + 300_000;
    assert!(parse(&entry).is_ok());
    entry.at.id.ms += 1;
    assert_eq!(parse(&entry).unwrap_err().code, "future_id");
    entry.at.id.ms = u64::MAX;
    assert_eq!(parse(&entry).unwrap_err().code, "future_id");
}

#[test]
fn names_come_once() {
    let entry = entry(&[
        ("object", b"contact"),
        ("key", b"1"),
        ("op", b"delete"),
        ("op", b"upsert"),
    ]);
    let rejection = parse(&entry).unwrap_err();
    assert_eq!(
        (rejection.code, rejection.fields),
        ("duplicate_name", vec!["op".into()])
    );
}

#[test]
fn a_rejection_names_the_record_as_far_as_it_can_be_read() {
    let rejection = rejection(&[("object", Some(b"lead")), ("idempotency_key", Some(b"row-7"))]);
    assert_eq!(rejection.record, Some(RecordKey::new("lead", "42")));
    assert_eq!(rejection.idempotency_text.as_deref(), Some("row-7"));
    assert_eq!(self::rejection(&[("key", Some(b" "))]).record, None);
    assert_eq!(self::rejection(&[("object", Some(b"\xff"))]).record, None);
}

#[test]
fn a_rejection_does_not_repeat_values() {
    for data in [
        "{\"email\":12345678}",
        "{\"amount\":\"12345678x\"}",
        "{\"born\":\"12345678\"}",
        "\"12345678\"",
        "12345678 {",
    ] {
        assert!(!with_data(data).message.expose().contains("12345678"), "{data}");
    }
}

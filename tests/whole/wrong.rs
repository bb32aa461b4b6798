//! Entries that are no change, each with the code that says so.

use tandem_core::domain::event::{EventId, Says};
use tandem_core::domain::ids::TenantName;
use tandem_core::domain::stream::StreamId;

/// Names and values of an entry, as bytes.
pub(crate) type Entry = Vec<(Vec<u8>, Vec<u8>)>;

/// A right upsert of this key, with changes: another value, or none.
pub(crate) fn entry(key: &str, changes: &[(&str, Option<&[u8]>)]) -> Entry {
    let usual: [(&str, &[u8]); 4] = [
        ("object", b"contact"),
        ("key", key.as_bytes()),
        ("op", b"upsert"),
        ("data", br#"{"last_name":"x"}"#),
    ];
    let kept = usual
        .iter()
        .filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    let changed = changes
        .iter()
        .filter_map(|(name, value)| value.map(|value| (*name, value)));
    kept.copied()
        .chain(changed)
        .map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec()))
        .collect()
}

fn data(text: impl AsRef<[u8]>) -> Entry {
    entry("bad", &[("data", Some(text.as_ref()))])
}

fn with(name: &str, value: impl AsRef<[u8]>) -> Entry {
    entry("bad", &[(name, Some(value.as_ref()))])
}

fn deal(member: &str) -> Entry {
    let data = format!("{{\"name\":\"x\",{member}}}");
    entry("bad", &[("object", Some(b"deal")), ("data", Some(data.as_bytes()))])
}

const MIB: usize = 1 << 20;

/// What is wrong, and the code that says so.
pub(crate) fn bad() -> Vec<(&'static str, Entry)> {
    let many_members: Vec<String> = (0..10_000).map(|n| format!("\"f{n}\":1")).collect();
    let many_names = (0..10_000).map(|n| (format!("f{n}").into_bytes(), b"1".to_vec()));
    let twice = [entry("bad", &[]), entry("bad", &[])].concat();
    let foreign = EventId {
        tenant: TenantName::new("globex").unwrap(),
        outbox: StreamId { ms: 1, seq: 0 },
        revision: 1,
        says: Says::default(),
    };
    vec![
        ("missing_name", vec![(b"object".to_vec(), b"contact".to_vec())]),
        ("unknown_name", vec![(b"".to_vec(), b"".to_vec())]),
        ("unknown_name", many_names.collect()),
        ("unknown_name", with(&"n".repeat(5 * MIB), "1")),
        ("duplicate_name", twice),
        ("unknown_object", with("object", "invoice")),
        ("unknown_object", with("object", "x".repeat(MIB))),
        ("bad_utf8", with("object", b"\xff\xfe")),
        ("bad_utf8", with("key", b"\xff")),
        ("bad_key", with("key", "")),
        ("bad_key", with("key", " 1")),
        ("bad_key", with("key", "a\0b")),
        ("bad_key", with("key", "k".repeat(256))),
        ("bad_key", with("key", "k".repeat(5 * MIB))),
        ("unknown_op", with("op", "UPSERT")),
        ("unknown_op", with("op", "\0")),
        ("missing_name", entry("bad", &[("data", None)])),
        ("unexpected_name", entry("bad", &[("op", Some(b"delete"))])),
        ("bad_json", data("")),
        ("bad_json", data("{\"last_name\":\"x\"")),
        ("bad_json", data("{\"last_name\":\"x\"} {}")),
        ("bad_json", data(b"{\"last_name\":\"\0\"}")),
        ("bad_utf8", data(b"{\"last_name\":\"\xff\"}")),
        ("data_not_object", data("[1]")),
        ("data_not_object", data("null")),
        (
            "data_too_large",
            data(format!("{{\"last_name\":\"{}\"}}", "x".repeat(5 * MIB))),
        ),
        ("too_many_fields", data(format!("{{{}}}", many_members.join(",")))),
        ("duplicate_field", data(r#"{"last_name":"x","last_name":"y"}"#)),
        ("unknown_field", data(r#"{"lastname":"x"}"#)),
        (
            "unknown_field",
            data(format!("{{\"deep\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000))),
        ),
        (
            "wrong_type",
            data(format!(
                "{{\"last_name\":{}1{}}}",
                "[".repeat(100_000),
                "]".repeat(100_000)
            )),
        ),
        (
            "wrong_type",
            data(format!(
                "{{\"status\":{}1{}}}",
                "{\"a\":".repeat(100_000),
                "}".repeat(100_000)
            )),
        ),
        ("wrong_type", data(r#"{"last_name":{"first":"x"}}"#)),
        ("incomplete_group", data(r#"{"city":"Paris"}"#)),
        ("field_not_writable", data(r#"{"full_name":"x"}"#)),
        ("number_out_of_range", deal(r#""amount":1e999999999"#)),
        (
            "number_out_of_range",
            deal(&format!("\"amount\":{}", "9".repeat(10_000))),
        ),
        ("bad_date", deal(r#""close_date":"2026-02-30""#)),
        ("bad_version", with("version", "0")),
        ("bad_version", with("version", "18446744073709551616")),
        ("bad_version", with("version", "-1")),
        ("bad_at", with("at", "9999-12-31T23:59:59Z")),
        ("bad_at", with("at", "yesterday")),
        ("bad_seen_revision", with("seen_revision", "1.5")),
        ("bad_caused_by", with("caused_by", "x".repeat(MIB))),
        ("foreign_caused_by", with("caused_by", foreign.encode())),
        ("bad_idempotency_key", with("idempotency_key", "i".repeat(256))),
        ("bad_origin", with("origin", "product")),
        ("missing_name", entry("bad", &[("op", Some(b"link")), ("data", None)])),
        (
            "bad_salesforce_id",
            entry(
                "bad",
                &[("op", Some(b"link")), ("data", None), ("salesforce_id", Some(b"003"))],
            ),
        ),
        (
            "missing_name",
            entry(
                "bad",
                &[("op", Some(b"refuse")), ("data", None), ("reason", Some(b"no"))],
            ),
        ),
    ]
}

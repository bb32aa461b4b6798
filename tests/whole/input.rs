//! Everything that a product may append and should not: each is told, none holds up the rest, all are accounted for.

use redis::Value;
use serde_json::json;
use tandem_core::domain::event::EventId;
use tandem_core::domain::ids::TenantName;
use tandem_core::domain::stream::StreamId;

use crate::stack::{Stack, until};

/// Names and values of an entry, as bytes.
type Entry = Vec<(Vec<u8>, Vec<u8>)>;

/// A right upsert of this key, with changes: another value, or none.
fn entry(key: &str, changes: &[(&str, Option<&[u8]>)]) -> Entry {
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
fn bad() -> Vec<(&'static str, Entry)> {
    let many_members: Vec<String> = (0..10_000).map(|n| format!("\"f{n}\":1")).collect();
    let many_names = (0..10_000).map(|n| (format!("f{n}").into_bytes(), b"1".to_vec()));
    let twice = [entry("bad", &[]), entry("bad", &[])].concat();
    let foreign = EventId {
        tenant: TenantName::new("globex").unwrap(),
        outbox: StreamId { ms: 1, seq: 0 },
        revision: 1,
        plan: 0,
        says: Vec::new(),
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

impl Stack {
    /// Appends bytes to a log; the entry's id.
    pub(crate) async fn append_bytes(&self, log: &str, id: &str, fields: &Entry) -> String {
        let mut redis = self.redis.clone();
        let mut command = redis::cmd("XADD");
        command.arg(format!("tandem:{{acme}}:{log}")).arg(id);
        for (name, value) in fields {
            command.arg(name.as_slice()).arg(value.as_slice());
        }
        command.query_async(&mut redis).await.unwrap()
    }

    /// Nothing of a tenant waits, and every entry that was ever added is accounted for.
    pub(crate) async fn settled(&self, tenant: &str) {
        let mut view = self.view(tenant).await;
        until("the logs are empty", async || {
            view = self.view(tenant).await;
            view.changes.length + view.backfill.length + view.outbox.length + view.compacted_records == 0
        })
        .await;
        assert_eq!(view.unaccounted(), 0, "{view:?}");
    }

    /// How often a tenant was lost, and whether anything panicked.
    async fn mishaps(&self, tenant: &str) -> (u64, u64) {
        let told = self.engine(&format!("/v1/tenants/{tenant}")).await;
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let number = |path| told.pointer(path).and_then(serde_json::Value::as_u64).unwrap();
        (number("/tenant/totals/restarts"), number("/tenant/crashes"))
    }
}

#[tokio::test]
async fn every_wrong_entry_is_refused_with_a_reason_and_the_rest_goes_on() {
    let stack = Stack::start(&[]).await;
    stack.upsert("before", &json!({"last_name": "x"})).await;
    stack.told("linked", "before").await;
    let before = stack.mishaps("acme").await;
    let mut expected = Vec::new();
    for (at, (code, entry)) in bad().into_iter().enumerate() {
        let log = if at % 5 == 4 { "backfill" } else { "changes" };
        expected.push((code, stack.append_bytes(log, "*", &entry).await));
        stack.upsert(&format!("good {at}"), &json!({"last_name": "x"})).await;
    }
    for at in 0..expected.len() {
        stack.told("linked", &format!("good {at}")).await;
    }
    stack.settled("acme").await;
    let rejected: Vec<serde_json::Value> = stack
        .events()
        .await
        .iter()
        .filter(|event| event.get("type") == "rejected")
        .map(|event| serde_json::from_str(event.get("detail")).unwrap())
        .collect();
    let mut wrong = Vec::new();
    for (code, id) in &expected {
        match rejected.iter().find(|detail| detail["entries"][0] == *id) {
            None => wrong.push(format!("{code}: not told")),
            Some(detail) if detail["code"] != *code => wrong.push(format!("{code}: told as {detail}")),
            Some(detail) => {
                let words = |name: &str| detail[name].as_str().unwrap().len();
                assert!((10..1_000).contains(&words("message")), "{detail}");
                assert!((10..1_000).contains(&words("remedy")), "{detail}");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(rejected.len(), expected.len(), "each once");
    assert_eq!(
        stack.mishaps("acme").await,
        before,
        "nothing was lost and nothing panicked"
    );
    stack.stop();
}

#[tokio::test]
async fn versions_out_of_order_and_keys_used_twice_are_accounted_for() {
    let stack = Stack::start(&[]).await;
    for (version, name) in [("5", "new"), ("3", "old"), ("5", "newest"), ("4", "older")] {
        let data = json!({ "last_name": name }).to_string();
        let fields = [
            ("object", Some(b"contact".as_slice())),
            ("data", Some(data.as_bytes())),
            ("version", Some(version.as_bytes())),
        ];
        stack.append_bytes("changes", "*", &entry("1", &fields)).await;
    }
    stack.told("linked", "1").await;
    let with_key = |data: &'static str| {
        let fields = [
            ("data", Some(data.as_bytes())),
            ("idempotency_key", Some(b"row 7".as_slice())),
        ];
        entry("2", &fields)
    };
    for data in [r#"{"last_name":"a"}"#, r#"{"last_name":"a"}"#, r#"{"last_name":"b"}"#] {
        stack.append_bytes("changes", "*", &with_key(data)).await;
    }
    let event = stack.told("rejected", "idempotency_key_reused").await;
    assert!(event.holds("row 7") && event.holds("a key of its own"), "{event:?}");
    stack.told("linked", "2").await;
    stack.settled("acme").await;
    for (key, name) in [("1", "newest"), ("2", "a")] {
        let rows = stack
            .admin("acme", &format!("records/Contact?key={key}"), &serde_json::Value::Null)
            .await;
        assert_eq!(rows[0]["LastName"], name, "{rows}");
    }
    let counters = stack.view("acme").await.counters;
    assert_eq!(
        (counters.duplicate, counters.refused, counters.stale),
        (1, 1, 2),
        "{counters:?}"
    );
    stack.stop();
}

#[tokio::test]
async fn an_id_from_the_future_holds_the_log_up_for_seconds_only() {
    let stack = Stack::start(&[]).await;
    stack.upsert("before", &json!({"last_name": "x"})).await;
    stack.told("linked", "before").await;
    let far = format!("{}-{}", u64::MAX, u64::MAX - 1);
    stack.append_bytes("changes", &far, &entry("far", &[])).await;
    stack.upsert("pinned", &json!({"last_name": "x"})).await;
    for key in ["far", "pinned"] {
        let event = stack.told("rejected", key).await;
        assert!(event.holds("future_id") && event.holds("in a minute"), "{event:?}");
    }
    // The log takes nothing more until it is made anew.
    let key = "tandem:{acme}:changes";
    let good = [
        "object",
        "contact",
        "key",
        "after",
        "op",
        "upsert",
        "data",
        r#"{"last_name":"x"}"#,
    ];
    let mut redis = stack.redis.clone();
    until("the log takes changes again", async || {
        let added: redis::RedisResult<Value> = redis::cmd("XADD")
            .arg(key)
            .arg("*")
            .arg(&good)
            .query_async(&mut redis)
            .await;
        added.is_ok()
    })
    .await;
    stack.told("linked", "after").await;
    stack.settled("acme").await;
    let metrics = stack.engine("/metrics").await;
    assert!(
        metrics.contains("tandem_log_alarms_total{kind=\"future_entry\"}"),
        "{metrics}"
    );
    stack.stop();
}

#[tokio::test]
async fn streams_of_nobody_and_keys_of_another_type_disturb_nobody_else() {
    let stack = Stack::start(&[]).await;
    for key in [
        "tandem:{nobody}:changes",
        "tandem:{}:changes",
        "tandem:{A B}:changes",
        "tandem:{acme}x:changes",
    ] {
        stack.ask(&["XADD", key, "*", "object", "contact"]).await;
    }
    stack.ask(&["SADD", "tandem:dirty:{7}", "nobody", "", "A B"]).await;
    stack.ask(&["SET", "tandem:{globex}:backfill", "no stream"]).await;
    stack
        .ask(&["XADD", "tandem:{globex}:changes", "*", "object", "company"])
        .await;
    stack.upsert("1", &json!({"last_name": "x"})).await;
    stack.told("linked", "1").await;
    stack.settled("acme").await;
    until("the broken tenant is told of", async || {
        stack
            .engine("/metrics")
            .await
            .contains("tandem_tenant_restarts_total{reason=\"unexpected\"}")
    })
    .await;
    stack.ask(&["DEL", "tandem:{globex}:backfill"]).await;
    stack.told("rejected", "globex").await;
    stack.settled("globex").await;
    for key in ["tandem:{nobody}:changes", "tandem:{}:changes", "tandem:{A B}:changes"] {
        assert_eq!(stack.ask(&["XLEN", key]).await, Value::Int(1), "nobody reads {key}");
    }
    stack.stop();
}

//! Everything that a product may append and should not: each is told, none holds up the rest, all are accounted for.

use redis::Value;
use serde_json::json;

use crate::stack::{Stack, until};
use crate::wrong::{Entry, bad, entry};

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
        // Entries of the two logs that came within a millisecond have one id.
        let of_id = || rejected.iter().filter(|detail| detail["entries"][0] == *id);
        match of_id().find(|detail| detail["code"] == *code) {
            None => wrong.push(format!("{code}: told as {:?}", of_id().collect::<Vec<_>>())),
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

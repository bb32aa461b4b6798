//! A Redis that is trimmed, emptied, full or slow: noticed, said, survived.

use redis::Value;
use serde_json::json;

use crate::stack::{Stack, until};

impl Stack {
    /// One change goes all the way.
    async fn works(&self, key: &str) {
        self.upsert(key, &json!({"last_name": "x"})).await;
        let event = self.told("linked", key).await;
        assert!(!event.get("salesforce_id").is_empty(), "{event:?}");
    }

    /// Waits until a metric has this sample, whatever its value.
    async fn shows(&self, sample: &str) {
        until(sample, async || self.engine("/metrics").await.contains(sample)).await;
    }

    fn engine_log(&self) -> String {
        std::fs::read_to_string(self.file("logs/engine.log")).unwrap()
    }
}

#[tokio::test]
async fn a_producer_that_trims_its_stream_is_told_of() {
    let stack = Stack::start(&[]).await;
    stack.works("before").await;
    // Entries that were read and wait.
    stack.faults(json!([{"kind": "status", "status": 503}])).await;
    for at in 0..50 {
        stack.upsert(&format!("read {at}"), &json!({"last_name": "x"})).await;
    }
    until("they are read", async || {
        let told = stack.engine("/v1/tenants/acme").await;
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        told.pointer("/tenant/machine/pending_entries") == Some(&json!(50))
    })
    .await;
    stack.ask(&["XTRIM", "tandem:{acme}:changes", "MAXLEN", "10"]).await;
    stack.faults(json!([])).await;
    for at in 0..50 {
        stack.told("linked", &format!("read {at}")).await;
    }
    stack.shows("tandem_log_alarms_total{kind=\"trimmed\"}").await;
    stack.settled("acme").await;
    assert!(stack.engine_log().contains("remove that"), "the remedy is told");

    // An entry that goes in the moment in which it comes, before anybody reads it.
    let mut redis = stack.redis.clone();
    let lost: (String, u64) = redis::pipe()
        .atomic()
        .xadd("tandem:{acme}:changes", "*", &[("object", "contact")])
        .cmd("XTRIM")
        .arg("tandem:{acme}:changes")
        .arg(&["MAXLEN", "0"])
        .query_async(&mut redis)
        .await
        .unwrap();
    assert_eq!(lost.1, 1);
    assert_eq!(stack.view("acme").await.unaccounted(), 1);
    until("a lost entry is told of", async || {
        stack.engine_log().contains("\"entries\":1,\"target\"")
    })
    .await;
    stack.works("after").await;
    stack.stop();
}

#[tokio::test]
async fn an_emptied_redis_is_taken_up_again() {
    let stack = Stack::start(&[]).await;
    stack.works("before").await;
    stack.ask(&["FLUSHALL"]).await;
    stack.works("after").await;
    stack.upsert("before", &json!({"first_name": "again"})).await;
    stack.told("linked", "before").await;
    stack.settled("acme").await;
    stack.shows("tandem_tenant_restarts_total{reason=\"fenced\"}").await;
    let rows = stack.admin("acme", "records/Contact", &serde_json::Value::Null).await;
    assert_eq!(
        rows.as_array().map(Vec::len),
        Some(2),
        "no record was made twice: {rows}"
    );
    stack.stop();
}

#[tokio::test]
async fn a_full_redis_refuses_what_grows_and_goes_on_when_there_is_room() {
    let stack = Stack::start(&[]).await;
    stack.works("before").await;
    stack.ask(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
    let mut redis = stack.redis.clone();
    let refused: redis::RedisResult<Value> = redis::cmd("XADD")
        .arg("tandem:{acme}:changes")
        .arg(&["*", "object", "contact"])
        .query_async(&mut redis)
        .await;
    assert_eq!(refused.unwrap_err().code(), Some("OOM"), "the producer is told");
    let edit =
        json!({"entity": "Contact", "op": "update", "key": "before", "fields": {"FirstName": "Ada"}, "as": "human"});
    stack.edit(edit).await;
    stack.shows("tandem_tenant_restarts_total{reason=\"full\"}").await;
    assert!(stack.engine_log().contains("\"reason\":\"full\""), "it is logged");
    stack.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
    stack.told("changed", "Ada").await;
    stack.works("after").await;
    stack.settled("acme").await;
    stack.stop();
}

#[tokio::test]
async fn a_redis_that_does_not_answer_for_a_while_is_waited_for() {
    let stack = Stack::start(&[("REDIS__RESPONSE_TIMEOUT", "1s")]).await;
    stack.works("before").await;
    // A change wakes the engine; then commands of everybody wait, and after that are carried out.
    let good = [
        ("object", "contact"),
        ("key", "meanwhile"),
        ("op", "upsert"),
        ("data", r#"{"last_name":"x"}"#),
    ];
    let mut redis = stack.redis.clone();
    let _: (String, ()) = redis::pipe()
        .xadd("tandem:{acme}:changes", "*", &good)
        .cmd("CLIENT")
        .arg(&["PAUSE", "4000", "ALL"])
        .query_async(&mut redis)
        .await
        .unwrap();
    stack.told("linked", "meanwhile").await;
    stack.shows("tandem_tenant_restarts_total{reason=\"broken\"}").await;
    assert!(stack.engine_log().contains("its tenants attach again"), "it is logged");
    stack.works("after").await;
    stack.settled("acme").await;
    stack.stop();
}

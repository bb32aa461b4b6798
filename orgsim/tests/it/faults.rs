//! What goes wrong on purpose, and that work goes on when its client left.

use std::time::Duration;

use serde_json::{Value, json};

use crate::server::{Server, V};

async fn rules(server: &Server, rules: Value) {
    let set = server.admin("POST", "/orgs/acme/faults", json!({"rules": rules})).await;
    assert_eq!(set.status, 200, "{}", set.text);
}

async fn struck(server: &Server) -> Value {
    server.admin("GET", "/orgs/acme/faults", Value::Null).await.body["rules"][0]["struck"].clone()
}

async fn count(server: &Server) -> u64 {
    rules(server, json!([])).await;
    server.query("SELECT count() FROM Account").await.body["totalSize"]
        .as_u64()
        .unwrap()
}

#[tokio::test]
async fn a_status_comes_before_any_work() {
    let server = Server::start().await;
    rules(&server, json!([{"kind": "status", "status": 502, "path": "/sobjects"}])).await;
    let refused = server.call("POST", "/sobjects/Account", json!({"Name": "a"})).await;
    assert_eq!(refused.status, 502);
    assert!(refused.text.starts_with("<html>"), "V:AB-RATE: an HTML body");
    assert_eq!(server.get("/limits").await.status, 200, "another path");
    assert_eq!(struck(&server).await, 1);
    assert_eq!(count(&server).await, 0);
}

#[tokio::test]
async fn an_answer_can_be_given_word_by_word() {
    let server = Server::start().await;
    rules(
        &server,
        json!([{"kind": "status", "status": 200, "body": "[{\"success\":"}]),
    )
    .await;
    let cut = server.get("/limits").await;
    assert_eq!((cut.status.as_u16(), cut.text.as_str()), (200, "[{\"success\":"));
    rules(
        &server,
        json!([{"kind": "status", "status": 500, "body": "<p>a proxy</p>"}]),
    )
    .await;
    let page = server.get("/limits").await;
    assert_eq!((page.status.as_u16(), page.text.as_str()), (500, "<p>a proxy</p>"));
}

#[tokio::test]
async fn lost_and_cut_answers_leave_their_work() {
    let server = Server::start().await;
    for (done, kind) in [(1, "drop"), (2, "truncate")] {
        rules(&server, json!([{"kind": kind, "percent": 100}])).await;
        let sent = server
            .request("POST", &format!("{V}/sobjects/Account"))
            .json(&json!({"Name": "a"}))
            .send()
            .await;
        let lost = match sent {
            Err(_) => "answer",
            Ok(response) => {
                assert_eq!(response.status(), 201);
                assert!(response.bytes().await.is_err(), "half a body");
                "body"
            }
        };
        assert_eq!(lost, if kind == "drop" { "answer" } else { "body" });
        assert_eq!(struck(&server).await, 1);
        assert_eq!(count(&server).await, done);
    }
}

#[tokio::test]
async fn work_goes_on_when_the_client_left() {
    let server = Server::start().await;
    rules(&server, json!([{"kind": "delay", "ms": 400}])).await;
    let request = server
        .request("POST", &format!("{V}/sobjects/Account"))
        .json(&json!({"Name": "late"}));
    assert!(
        request
            .timeout(Duration::from_millis(100))
            .send()
            .await
            .unwrap_err()
            .is_timeout()
    );
    assert_eq!(count(&server).await, 0, "not yet");
    let mut applied = 0;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        applied = count(&server).await;
        if applied == 1 {
            break;
        }
    }
    assert_eq!(applied, 1);
}

#[tokio::test]
async fn a_request_ends_at_its_limit() {
    let server = Server::with(orgsim::Options {
        request_limit: Duration::from_millis(50),
        ..Default::default()
    })
    .await;
    rules(&server, json!([{"kind": "delay", "ms": 5_000}])).await;
    let refused = server.call("POST", "/sobjects/Account", json!({"Name": "never"})).await;
    assert_eq!(refused.refusal(), (503, "REQUEST_RUNNING_TOO_LONG"));
    assert_eq!(count(&server).await, 0);
}

#[tokio::test]
async fn locked_rows() {
    let server = Server::start().await;
    let id = server.create("Account", json!({"Name": "a"})).await;
    rules(&server, json!([{"kind": "lock", "percent": 100}])).await;
    let record = json!({"attributes": {"type": "Account"}, "id": id, "Name": "b"});
    let done = server
        .call("PATCH", "/composite/sobjects", json!({"records": [record]}))
        .await;
    let error = &done.body[0]["errors"][0];
    assert_eq!(error["statusCode"], "UNABLE_TO_LOCK_ROW");
    // C, two independent reports.
    assert_eq!(
        error["message"],
        format!("unable to obtain exclusive access to this record or 1 records: {id}")
    );
    assert_eq!(
        server
            .call("PATCH", &format!("/sobjects/Account/{id}"), json!({"Name": "b"}))
            .await
            .refusal(),
        (400, "UNABLE_TO_LOCK_ROW")
    );
    assert_eq!(struck(&server).await, 2);
    rules(&server, json!([{"kind": "lock", "percent": 30}])).await;
    let records: Vec<Value> = (0..200)
        .map(|i| json!({"attributes": {"type": "Account"}, "Name": format!("{i}")}))
        .collect();
    let done = server
        .call("POST", "/composite/sobjects", json!({"records": records}))
        .await;
    let locked = done
        .body
        .as_array()
        .unwrap()
        .iter()
        .filter(|r| r["success"] == false)
        .count();
    assert!((20..=110).contains(&locked), "{locked} of 200 at 30 %");
}

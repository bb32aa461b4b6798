//! What an org allows, what other apps use of it, and rules that say what goes wrong.

use std::time::Duration;

use serde_json::{Value, json};

use crate::server::Server;

async fn limits(server: &Server, body: Value) -> Value {
    let answer = server.admin("POST", "/orgs/acme/limits", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body
}

async fn rules(server: &Server, rules: Value) {
    let answer = server
        .admin("POST", "/orgs/acme/faults", json!({ "rules": rules }))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn other_apps_use_the_same_day() {
    let server = Server::start().await;
    limits(
        &server,
        json!({"daily_calls": 1_000, "foreign_calls": 990, "foreign_calls_per_minute": 4}),
    )
    .await;
    let used = async || {
        let answer = server.call("GET", "/limits", Value::Null).await;
        (answer.status.as_u16(), answer.header("sforce-limit-info").to_owned())
    };
    assert_eq!(used().await, (200, "api-usage=991/1000".to_owned()));
    // Two minutes later others have made eight calls more, and there is one left.
    server.admin("POST", "/clock", json!({"offset_ms": 120_000})).await;
    assert_eq!(used().await, (200, "api-usage=1000/1000".to_owned()));
    let refused = server.call("GET", "/limits", Value::Null).await;
    assert_eq!(refused.refusal(), (403, "REQUEST_LIMIT_EXCEEDED"));
    assert_eq!(refused.body[0]["message"], "TotalRequests Limit exceeded.");
}

#[tokio::test]
async fn long_requests_stand_in_the_way_of_others() {
    let server = Server::start().await;
    limits(&server, json!({"long_request_ms": 0, "concurrent_long_requests": 1})).await;
    rules(
        &server,
        json!([{"kind": "delay", "ms": 60_000, "path": "/sobjects/Account/describe"}]),
    )
    .await;
    let url = format!(
        "{}/services/data/v67.0/sobjects/Account/describe",
        server.simulator.http_url()
    );
    let slow = server.client.get(url).bearer_auth(server.token()).send();
    let slow = tokio::spawn(tokio::time::timeout(Duration::from_secs(30), slow));
    // The slow request is in work as soon as another one is refused.
    let mut refused = server.call("GET", "/limits", Value::Null).await;
    for _ in 0..1_000 {
        if refused.status == 403 {
            break;
        }
        tokio::task::yield_now().await;
        refused = server.call("GET", "/limits", Value::Null).await;
    }
    assert_eq!(refused.refusal(), (403, "REQUEST_LIMIT_EXCEEDED"));
    assert_eq!(
        refused.body[0]["message"],
        "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
    );
    limits(&server, json!({"concurrent_long_requests": 2})).await;
    assert_eq!(server.call("GET", "/limits", Value::Null).await.status, 200);
    slow.abort();
}

#[tokio::test]
async fn a_full_org_takes_changes_but_no_rows() {
    let server = Server::start().await;
    let id = server.create("Account", json!({"Name": "a"})).await;
    limits(&server, json!({"storage_mb": 1})).await;
    let rows: Vec<Value> = (0..600).map(|n| json!({"Name": format!("{n}")})).collect();
    let filled = server
        .admin("POST", "/orgs/acme/load", json!({"entity": "Account", "rows": rows}))
        .await;
    assert_eq!(
        filled.body[0]["errorCode"], "STORAGE_LIMIT_EXCEEDED",
        "512 rows of 2 kB fill a megabyte"
    );
    let rows: Vec<Value> = (0..505).map(|n| json!({"Name": format!("{n}")})).collect();
    let filled = server
        .admin("POST", "/orgs/acme/load", json!({"entity": "Account", "rows": rows}))
        .await;
    assert_eq!(filled.status, 400, "the users and the organisation have rows, too");
    let told = server.call("GET", "/limits", Value::Null).await.body;
    assert_eq!(told["DataStorageMB"]["Max"], 1);
    assert_eq!(
        server
            .call("PATCH", &format!("/sobjects/Account/{id}"), json!({"Name": "b"}))
            .await
            .status,
        204
    );
    limits(&server, json!({"storage_mb": null})).await;
    server.create("Account", json!({"Name": "c"})).await;
}

#[tokio::test]
async fn any_code_comes_upon_rows_of_every_road() {
    let server = Server::start().await;
    rules(&server, json!([{"kind": "row", "code": "ENTITY_IS_LOCKED", "message": "the entity is locked for editing", "fields": ["Name"]}])).await;
    let one = server.call("POST", "/sobjects/Account", json!({"Name": "a"})).await;
    assert_eq!(
        one.body,
        json!([{"message": "the entity is locked for editing", "errorCode": "ENTITY_IS_LOCKED", "fields": ["Name"]}])
    );
    let record = json!({"attributes": {"type": "Account"}, "Name": "a"});
    let many = server
        .call("POST", "/composite/sobjects", json!({"records": [record]}))
        .await;
    assert_eq!(
        many.body[0]["errors"][0],
        json!({"statusCode": "ENTITY_IS_LOCKED", "message": "the entity is locked for editing", "fields": ["Name"]})
    );
    let tree = json!({"records": [{"attributes": {"type": "Account", "referenceId": "r"}, "Name": "a"}]});
    let grown = server.call("POST", "/composite/tree/Account", tree).await;
    assert_eq!(grown.body["results"][0]["errors"][0]["statusCode"], "ENTITY_IS_LOCKED");
    let subrequest = json!({"method": "POST", "url": "/services/data/v67.0/sobjects/Account", "referenceId": "r", "body": {"Name": "a"}});
    let composite = server
        .call("POST", "/composite", json!({"compositeRequest": [subrequest]}))
        .await;
    assert_eq!(
        composite.body["compositeResponse"][0]["body"][0]["errorCode"],
        "ENTITY_IS_LOCKED"
    );
    // A read-only org: every write is refused, reads work.
    rules(
        &server,
        json!([{"kind": "row", "code": "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE"}]),
    )
    .await;
    let refused = server.call("POST", "/sobjects/Account", json!({"Name": "a"})).await;
    assert_eq!(
        refused.refusal(),
        (400, "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE")
    );
    assert_eq!(server.query("SELECT Id FROM Account").await.status, 200);
}

#[tokio::test]
async fn a_maintenance_window_has_a_beginning_and_an_end() {
    let server = Server::start().await;
    let now = server.admin("GET", "/clock", Value::Null).await.body["now_ms"]
        .as_i64()
        .unwrap();
    let window = json!([{"kind": "status", "status": 503, "from_ms": now + 3_600_000, "until_ms": now + 7_200_000,
        "headers": {"Retry-After": "60"}}]);
    rules(&server, window).await;
    let mut seen = Vec::new();
    for hours in [0, 1, 2, 3] {
        // A minute inside of the hour, whatever time the test takes.
        server
            .admin("POST", "/clock", json!({"offset_ms": hours * 3_600_000 + 60_000}))
            .await;
        let answer = server.call("GET", "/limits", Value::Null).await;
        seen.push((answer.status.as_u16(), answer.header("retry-after").to_owned()));
    }
    let fine = || (200, String::new());
    assert_eq!(seen, [fine(), (503, "60".to_owned()), fine(), fine()]);
}

#[tokio::test]
async fn a_reset_does_no_work_and_a_drop_does() {
    let server = Server::start().await;
    for (kind, rows) in [("reset", 0), ("drop", 1)] {
        rules(&server, json!([{"kind": kind, "method": "POST", "times": 1}])).await;
        let url = format!("{}/services/data/v67.0/sobjects/Account", server.simulator.http_url());
        let sent = server
            .client
            .post(url)
            .bearer_auth(server.token())
            .json(&json!({"Name": kind}));
        assert!(sent.send().await.is_err(), "{kind}: no answer");
        let found = server
            .query(&format!("SELECT Id FROM Account WHERE Name = '{kind}'"))
            .await;
        assert_eq!(found.body["totalSize"], rows, "{kind}");
    }
}

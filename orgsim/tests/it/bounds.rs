//! What a day allows (contract 5), and how calls are counted.

use orgsim::Options;
use serde_json::{Value, json};

use crate::server::{Server, V};

#[tokio::test]
async fn the_day_is_a_rolling_window() {
    let server = Server::with(Options {
        daily_calls: 3,
        ..Options::default()
    })
    .await;
    for used in 1..=3 {
        assert_eq!(
            server.get("/limits").await.header("sforce-limit-info"),
            format!("api-usage={used}/3")
        );
    }
    let over = server.get("/limits").await;
    assert_eq!(over.status, 403);
    // C camel.
    assert_eq!(
        over.body,
        json!([{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}])
    );
    // Not counted: the list of versions [V:D-TOOLHDR], identities [R rfdb].
    assert_eq!(server.send(server.request("GET", "/services/data")).await.status, 200);
    for (minutes, status) in [(60, 200), (60, 403)] {
        server
            .admin("POST", "/clock", json!({"offset_ms": (24 * 60 + minutes) * 60_000}))
            .await;
        server.admin("POST", "/orgs/acme/expire-tokens", json!({})).await;
        let org = &server.orgs[0];
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", org["client_id"].as_str().unwrap()),
            ("client_secret", org["client_secret"].as_str().unwrap()),
        ];
        let token = server
            .client
            .post(format!("{}/services/oauth2/token", server.simulator.http_url()))
            .form(&form);
        let token = server.send(token).await.body["access_token"]
            .as_str()
            .unwrap()
            .to_owned();
        for _ in 0..if status == 200 { 3 } else { 1 } {
            let call = server
                .client
                .get(format!("{}{V}/limits", server.simulator.http_url()))
                .bearer_auth(&token);
            assert_eq!(server.send(call).await.status, status, "V:D-APILIM");
        }
    }
}

#[tokio::test]
async fn calls_are_counted_by_kind() {
    let server = Server::start().await;
    let record = json!({"attributes": {"type": "Contact"}, "LastName": "x", "Tandem_Key__c": "k"});
    server
        .call("POST", "/composite/sobjects", json!({"records": [record]}))
        .await;
    server
        .call(
            "PATCH",
            "/composite/sobjects/Contact/Tandem_Key__c",
            json!({"records": [record]}),
        )
        .await;
    server.query("SELECT Id FROM Contact").await;
    server.get("/sobjects/Contact/describe").await;
    server
        .get("/composite/sobjects/Contact?ids=003000000000000&fields=Id")
        .await;
    let report = server.admin("GET", "/orgs/acme/calls", Value::Null).await.body;
    assert_eq!(report["total"], 5);
    for kind in [
        "collections_create",
        "collections_upsert",
        "query",
        "describe",
        "retrieve",
    ] {
        assert_eq!(report["by"][kind], 1, "{kind}");
    }
    assert_eq!(
        report["rows"],
        json!({"create": 1, "update": 0, "upsert": 1, "delete": 0})
    );
}

//! Change events over CometD.

use std::time::Duration;

use serde_json::{Value, json};

use crate::server::Server;

const CHANNEL: &str = "/data/AccountChangeEvent";

async fn say(server: &Server, token: &str, messages: Value) -> Vec<Value> {
    let url = format!("{}/cometd/60.0", server.simulator.http_url());
    let sent = server
        .client
        .post(url)
        .header("authorization", format!("OAuth {token}"))
        .json(&messages);
    let answer = tokio::time::timeout(Duration::from_secs(30), sent.send())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer.status(), 200);
    answer.json::<Vec<Value>>().await.unwrap()
}

async fn handshake(server: &Server) -> String {
    let hand = json!([{"channel": "/meta/handshake", "id": "1", "version": "1.0", "supportedConnectionTypes": ["long-polling"]}]);
    let answer = say(server, server.token(), hand).await.remove(0);
    assert_eq!(
        (&answer["successful"], &answer["id"], &answer["ext"]["replay"]),
        (&json!(true), &json!("1"), &json!(true))
    );
    answer["clientId"].as_str().unwrap().to_owned()
}

async fn subscribe(server: &Server, client: &str, replay: Value) -> Value {
    let message = json!({"channel": "/meta/subscribe", "clientId": client, "subscription": CHANNEL, "ext": {"replay": {CHANNEL: replay}}});
    say(server, server.token(), json!([message])).await.remove(0)
}

async fn connect(server: &Server, client: &str) -> Vec<Value> {
    let message = json!([{"channel": "/meta/connect", "clientId": client, "connectionType": "long-polling"}]);
    say(server, server.token(), message).await
}

#[tokio::test]
async fn events_come_with_names_and_dates_as_text() {
    let server = Server::start().await;
    let id = server
        .create(
            "Account",
            json!({"Name": "Acme", "BillingCity": "Bern", "AnnualRevenue": 1.5}),
        )
        .await;
    let client = handshake(&server).await;
    assert_eq!(subscribe(&server, &client, json!(-2)).await["successful"], true);
    let first = connect(&server, &client).await;
    let (event, advice) = (&first[0], &first[1]);
    assert_eq!(
        advice["advice"],
        json!({"reconnect": "retry", "interval": 0, "timeout": 110_000})
    );
    assert_eq!(event["channel"], CHANNEL);
    let payload = &event["data"]["payload"];
    let header = &payload["ChangeEventHeader"];
    assert_eq!(
        (&header["changeType"], &header["recordIds"]),
        (&json!("CREATE"), &json!([id]))
    );
    assert_eq!(
        (&payload["Name"], &payload["AnnualRevenue"]),
        (&json!("Acme"), &json!(1.5))
    );
    assert_eq!(payload["BillingAddress"], json!({"City": "Bern"}));
    assert!(payload["CreatedDate"].as_str().unwrap().ends_with(".000Z"), "{payload}");
    assert!(payload.get("Phone").is_none() && header.get("nulledFields").is_none());
    // A connect that waits is woken by the next change.
    let waiting = connect(&server, &client);
    let path = format!("/sobjects/Account/{id}");
    let change = server.call("PATCH", &path, json!({"BillingCity": null, "Phone": "1"}));
    let (answers, _) = tokio::join!(waiting, change);
    let payload = &answers[0]["data"]["payload"];
    let changed = payload["ChangeEventHeader"]["changedFields"].as_array().unwrap();
    for name in ["Phone", "LastModifiedDate", "BillingAddress.City"] {
        assert!(changed.contains(&json!(name)), "{changed:?}");
    }
    assert_eq!((&payload["Phone"], payload.get("BillingAddress")), (&json!("1"), None));
    let replay = |answer: &Value| answer["data"]["event"]["replayId"].as_i64().unwrap();
    assert!(replay(&answers[0]) > replay(event));
    // Another client goes on after the first event.
    let other = handshake(&server).await;
    subscribe(&server, &other, json!(replay(event))).await;
    let again = connect(&server, &other).await;
    assert_eq!((again.len(), replay(&again[0])), (2, replay(&answers[0])));
}

#[tokio::test]
async fn what_cometd_refuses() {
    let server = Server::start().await;
    let hand = json!([{"channel": "/meta/handshake", "version": "1.0"}]);
    let denied = say(&server, "00Dx!nothing", hand).await.remove(0);
    assert_eq!(
        (&denied["error"], &denied["advice"]["reconnect"]),
        (&json!("403::Handshake denied"), &json!("none"))
    );
    assert_eq!(denied["ext"]["sfdc"]["failureReason"], "401::Authentication invalid");
    let client = handshake(&server).await;
    let bad = subscribe(&server, &client, json!(7)).await;
    assert_eq!(
        bad["error"],
        "400::The replayId {7} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events."
    );
    let message = json!([{"channel": "/meta/subscribe", "clientId": client, "subscription": "/data/Nothing"}]);
    let missing = say(&server, server.token(), message).await.remove(0);
    assert!(
        missing["error"].as_str().unwrap().starts_with("400::The channel"),
        "{missing}"
    );
    let unknown = connect(&server, "nobody").await.remove(0);
    assert_eq!(
        (&unknown["error"], &unknown["advice"]["reconnect"]),
        (&json!("403::Unknown client"), &json!("handshake"))
    );
    let connect_with = json!([{"channel": "/meta/connect", "clientId": client}]);
    let expired = say(&server, "00Dx!nothing", connect_with).await.remove(0);
    assert_eq!(
        (&expired["error"], &expired["advice"]["reconnect"]),
        (&json!("401::Authentication invalid"), &json!("none"))
    );
    let leave = json!({"channel": "/meta/disconnect", "clientId": client});
    assert_eq!(say(&server, server.token(), leave).await[0]["successful"], true);
    assert_eq!(connect(&server, &client).await[0]["error"], "403::Unknown client");
    server
        .admin("POST", "/orgs/acme/events", json!({"delivery_limit": 0}))
        .await;
    server.create("Account", json!({"Name": "a"})).await;
    let client = handshake(&server).await;
    subscribe(&server, &client, json!(-2)).await;
    let exhausted = connect(&server, &client).await.remove(0);
    assert_eq!(
        exhausted["error"],
        "403::Organization total events daily limit exceeded"
    );
}

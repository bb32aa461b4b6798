//! The admin port.

use serde_json::{Value, json};

use crate::server::Server;

#[tokio::test]
async fn a_person_edits_and_the_oracle_looks() {
    let server = Server::start().await;
    let edit = async |body: Value| server.admin("POST", "/orgs/acme/edit", body).await;
    let made =
        edit(json!({"entity": "Contact", "op": "create", "fields": {"LastName": "a", "Tandem_Key__c": "k"}})).await;
    assert_eq!(made.status, 200, "{}", made.text);
    for (op, fields) in [
        ("update", json!({"LastName": "b"})),
        ("delete", json!({})),
        ("undelete", json!({})),
    ] {
        let done = edit(json!({"entity": "Contact", "op": op, "key": "k", "fields": fields})).await;
        assert_eq!(
            (done.status.as_u16(), &done.body["id"]),
            (200, &made.body["id"]),
            "{op}"
        );
    }
    let human = server
        .query("SELECT Id FROM User WHERE Username LIKE 'human@%'")
        .await
        .body["records"][0]["Id"]
        .clone();
    let history = server
        .admin("GET", "/orgs/acme/history/Contact?key=k", Value::Null)
        .await
        .body;
    let kinds: Vec<&str> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["create", "update", "delete", "undelete"]);
    for entry in history.as_array().unwrap() {
        assert_eq!((&entry["user"], &entry["origin"]), (&human, &json!("")));
    }
    assert_eq!(history[1]["changed"]["LastName"], "b");
    assert!(history[0]["commit_number"].as_i64() < history[1]["commit_number"].as_i64());
    let id = made.body["id"].as_str().unwrap();
    for query in [format!("key=none&ids={id}"), format!("key=k&ids={id},{}", &id[..15])] {
        let path = format!("/orgs/acme/history/Contact?{query}");
        assert_eq!(server.admin("GET", &path, Value::Null).await.body, history, "{query}");
    }
    let rows = server
        .admin("GET", "/orgs/acme/records/Contact", Value::Null)
        .await
        .body;
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["LastModifiedById"], human);
    let by_key = server
        .admin("GET", "/orgs/acme/records/Contact?key=k", Value::Null)
        .await
        .body;
    assert_eq!(by_key, rows);
    assert_eq!(
        server
            .admin("GET", "/orgs/acme/records/Contact?deleted=true", Value::Null)
            .await
            .body,
        json!([])
    );
    let calls = server.admin("GET", "/orgs/acme/calls", Value::Null).await.body;
    assert_eq!(calls["total"], 1, "edits are no API calls; the query was one");
}

#[tokio::test]
async fn many_rows_come_whole() {
    let server = Server::start().await;
    for _ in 0..6 {
        let records: Vec<Value> = (0..200)
            .map(|i| json!({"attributes": {"type": "Account"}, "Name": format!("{i}")}))
            .collect();
        server
            .call("POST", "/composite/sobjects", json!({"records": records}))
            .await;
    }
    let org_id = server.orgs[0]["org_id"].as_str().unwrap();
    let rows = server
        .admin("GET", &format!("/orgs/{org_id}/records/Account"), Value::Null)
        .await
        .body;
    assert_eq!(rows.as_array().unwrap().len(), 1_200);
}

#[tokio::test]
async fn calls_that_make_no_sense() {
    let server = Server::start().await;
    for (method, path, body, status) in [
        ("GET", "/orgs/nobody/calls", Value::Null, 404),
        ("GET", "/orgs/acme/records/Nope", Value::Null, 400),
        ("GET", "/orgs/acme/history/Contact", Value::Null, 400),
        (
            "POST",
            "/orgs/acme/edit",
            json!({"entity": "Contact", "op": "paint"}),
            400,
        ),
        (
            "POST",
            "/orgs/acme/edit",
            json!({"entity": "Contact", "op": "update", "key": "none"}),
            404,
        ),
        (
            "POST",
            "/orgs/acme/edit",
            json!({"entity": "Contact", "op": "create", "fields": {}}),
            400,
        ),
        (
            "POST",
            "/orgs/acme/faults",
            json!({"rules": [{"kind": "drop", "percent": 101}]}),
            400,
        ),
        (
            "POST",
            "/orgs/acme/faults",
            json!({"rules": [{"kind": "explode"}]}),
            422,
        ),
        ("GET", "/orgs/acme/records/Contact?fields=Id,Nope", Value::Null, 400),
        ("POST", "/orgs/acme/load", json!({"entity": "Contact"}), 400),
        ("POST", "/orgs/acme/load", json!({"entity": "Nope", "rows": []}), 400),
        ("POST", "/orgs/acme/jwt-key", json!({"public_key_pem": "no"}), 400),
        ("POST", "/orgs/acme/events", json!({"expire_replay_before": "xyz"}), 400),
    ] {
        let answer = server.admin(method, path, body.clone()).await;
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text);
    }
}

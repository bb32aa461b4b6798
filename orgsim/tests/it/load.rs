//! Rows that an org held before anybody listened.

use std::sync::{Arc, Mutex};

use orgsim::commit::{Commit, CommitSink, Disturbance};
use orgsim::{Options, Simulator};
use serde_json::{Value, json};

use crate::server::Server;

#[derive(Default)]
struct Ear(Mutex<Vec<Commit>>);

impl CommitSink for Ear {
    fn publish(&self, commit: Commit) {
        self.0.lock().unwrap().push(commit);
    }
    fn disturb(&self, _org_id: &str, _disturbance: Disturbance) {}
}

async fn load(server: &Server, rows: &[Value]) -> crate::server::Answer {
    let body = json!({"entity": "Contact", "rows": rows});
    server.admin("POST", "/orgs/acme/load", body).await
}

#[tokio::test]
async fn loaded_rows_are_found_and_remembered_and_no_event_tells_of_them() {
    let ear = Arc::new(Ear::default());
    let simulator = Simulator::start_with(Options::default(), |_| ear.clone());
    let server = Server::of(simulator.await.unwrap());
    let rows: Vec<Value> = (0..3_000)
        .map(|i| json!({"LastName": format!("L{i}"), "Email": format!("p{i}@x.org"), "Tandem_Key__c": format!("k{i}")}))
        .collect();
    let loaded = load(&server, &rows).await;
    let ids = loaded.body["ids"].as_array().unwrap().clone();
    assert_eq!((loaded.status.as_u16(), ids.len()), (200, 3_000), "{}", loaded.text);
    assert!(ear.0.lock().unwrap().is_empty());

    let found = server.query("SELECT Id FROM Contact WHERE Email = 'P7@x.org'").await;
    assert_eq!(found.body["records"][0]["Id"], ids[7]);
    let history = server
        .admin("GET", "/orgs/acme/history/Contact?key=k7", Value::Null)
        .await;
    assert_eq!(history.body[0]["kind"], "create");
    assert_eq!(history.body[0]["changed"]["LastName"], "L7");
    let path = "/orgs/acme/records/Contact?fields=Id,LastName";
    let names = server.admin("GET", path, Value::Null).await.body;
    let row = names.as_array().unwrap()[7].as_object().unwrap().clone();
    assert_eq!((row.len(), &row["LastName"]), (3, &json!("L7")), "and its attributes");

    let edit = json!({"entity": "Contact", "op": "update", "id": ids[7], "fields": {"Title": "T"}});
    server.admin("POST", "/orgs/acme/edit", edit).await;
    let heard = ear.0.lock().unwrap().clone();
    assert_eq!(heard.len(), 1, "an edit of a loaded row is told");
    let before = heard[0].changes[0].before.as_ref().unwrap();
    assert!(before.cells.filled().any(|(_, cell)| cell.as_text() == Some("L7")));
    let calls = server.admin("GET", "/orgs/acme/calls", Value::Null).await.body;
    assert_eq!(calls["total"], 1, "a load is no API call; the query was one");
}

#[tokio::test]
async fn one_refused_row_refuses_the_load() {
    let server = Server::start().await;
    let refused = load(&server, &[json!({"LastName": "a"}), json!({"FirstName": "b"})]).await;
    assert_eq!(refused.refusal(), (400, "REQUIRED_FIELD_MISSING"));
    let rows = server.admin("GET", "/orgs/acme/records/Contact", Value::Null).await;
    assert_eq!(rows.body, json!([]));
}

//! What the bus is told of each transaction.

use std::sync::{Arc, Mutex};

use orgsim::commit::{ChangeKind, Commit, CommitSink, Disturbance};
use orgsim::directory::Directory;
use orgsim::org::{Cell, Row};
use orgsim::{Options, Simulator};
use serde_json::{Value, json};

use crate::server::{Server, V};

#[derive(Default)]
struct Ear {
    commits: Mutex<Vec<Commit>>,
    disturbed: Mutex<Vec<Disturbance>>,
}

impl CommitSink for Ear {
    fn publish(&self, commit: Commit) {
        self.commits.lock().unwrap().push(commit);
    }
    fn disturb(&self, _org_id: &str, disturbance: Disturbance) {
        self.disturbed.lock().unwrap().push(disturbance);
    }
}

async fn listen() -> (Server, Arc<Ear>, Arc<dyn Directory>) {
    let ear = Arc::new(Ear::default());
    let mut directory = None;
    let simulator = Simulator::start_with(Options::default(), |d| {
        directory = Some(d);
        ear.clone()
    });
    let server = Server::of(simulator.await.unwrap());
    (server, ear, directory.unwrap())
}

#[tokio::test]
async fn one_commit_a_transaction_in_order() {
    let (server, ear, directory) = listen().await;
    let records: Vec<Value> = (0..3)
        .map(
            |i| json!({"attributes": {"type": "Contact"}, "LastName": format!("{i}"), "Tandem_Key__c": format!("{i}")}),
        )
        .collect();
    let made = server
        .call("POST", "/composite/sobjects", json!({"records": records}))
        .await;
    let id = made.body[1]["id"].as_str().unwrap();
    let request = server
        .request("PATCH", &format!("{V}/sobjects/Contact/{id}"))
        .header("sforce-call-options", "client=tandem, defaultNamespace=x");
    server.send(request.json(&json!({"Title": "T", "LastName": "n"}))).await;
    server
        .call("PATCH", &format!("/sobjects/Contact/{id}"), json!({"Title": null}))
        .await;
    server
        .call("DELETE", &format!("/sobjects/Contact/{id}"), Value::Null)
        .await;
    server
        .admin(
            "POST",
            "/orgs/acme/edit",
            json!({"entity": "Contact", "op": "undelete", "id": id}),
        )
        .await;
    // Refused and rolled-back calls tell nothing.
    server.call("POST", "/sobjects/Contact", json!({})).await;
    let bad = json!([{"attributes": {"type": "Contact"}, "LastName": "x"}, {"attributes": {"type": "Contact"}}]);
    server
        .call(
            "POST",
            "/composite/sobjects",
            json!({"allOrNone": true, "records": bad}),
        )
        .await;
    let commits = ear.commits.lock().unwrap();
    let kinds: Vec<(usize, ChangeKind)> = commits.iter().map(|c| (c.changes.len(), c.changes[0].kind)).collect();
    use ChangeKind::{Create, Delete, Undelete, Update};
    assert_eq!(
        kinds,
        [(3, Create), (1, Update), (1, Update), (1, Delete), (1, Undelete)]
    );
    assert!(
        commits
            .windows(2)
            .all(|w| w[0].commit_number < w[1].commit_number && w[0].transaction_key != w[1].transaction_key)
    );
    assert!(commits.iter().all(|c| c.commit_ms % 1_000 == 0));
    let origins: Vec<&str> = commits.iter().map(|c| c.change_origin.as_str()).collect();
    assert_eq!(origins[1], "com/salesforce/api/rest/67.0;client=tandem");
    assert_eq!((origins[2], origins[4]), ("com/salesforce/api/rest/67.0", ""));
    let (set, cleared) = (&commits[1].changes[0], &commits[2].changes[0]);
    assert_eq!((&*set.entity, set.id.as_str()), ("Contact", id));
    let contact = directory.entity(&commits[0].org_id, "Contact").unwrap();
    let place = |name: &str| contact.fields.iter().find(|f| f.name == name).unwrap().place;
    let value = |row: &Option<Arc<Row>>, name: &str| row.as_ref().unwrap().cells[place(name)].clone();
    for (row, name, expected) in [
        (&set.before, "Title", Cell::Null),
        (&set.after, "Title", Cell::text("T")),
        (&set.before, "Name", Cell::text("1")),
        (&set.after, "Name", Cell::text("n")),
        (&cleared.after, "Title", Cell::Null),
    ] {
        assert_eq!(value(row, name), expected, "{name}");
    }
    assert!(commits[0].changes[0].before.is_none() && commits[3].changes[0].after.is_none());
}

#[tokio::test]
async fn a_parent_takes_its_children_in_one_transaction() {
    let (server, ear, _) = listen().await;
    let account = server.create("Account", json!({"Name": "a"})).await;
    server
        .create("Contact", json!({"LastName": "c", "AccountId": account}))
        .await;
    server
        .call("DELETE", &format!("/sobjects/Account/{account}"), Value::Null)
        .await;
    let commits = ear.commits.lock().unwrap();
    let last = commits.last().unwrap();
    let told: Vec<&str> = last.changes.iter().map(|c| &*c.entity).collect();
    assert_eq!(told, ["Account", "Contact"]);
}

#[tokio::test]
async fn the_directory_knows_tokens_and_fields() {
    let (server, ear, directory) = listen().await;
    let org_id = server.orgs[0]["org_id"].as_str().unwrap();
    for id in [org_id, &org_id[..15]] {
        assert_eq!(directory.authorise(id, server.token()).as_deref(), Some(org_id));
    }
    assert_eq!(directory.authorise(org_id, "x"), None);
    assert_eq!(directory.captured(org_id), ["Account", "Contact", "Opportunity"]);
    let contact = directory.entity(org_id, "Contact").unwrap();
    let city = contact.fields.iter().find(|f| f.name == "MailingCity").unwrap();
    assert_eq!(
        (city.sf_type.as_str(), city.compound.as_deref(), &city.custom_field_id),
        ("string", Some("MailingAddress"), &None)
    );
    let key = contact.fields.iter().find(|f| f.name == "Tandem_Key__c").unwrap();
    assert!(
        key.custom_field_id
            .as_ref()
            .is_some_and(|id| id.starts_with("00N") && id.len() == 15)
    );
    server
        .admin(
            "POST",
            "/orgs/acme/events",
            json!({"drop_percent": 5, "gap": true, "expire_replay_before": "00ff"}),
        )
        .await;
    let wanted = Disturbance {
        drop_percent: 5.0,
        delay_ms: 0,
        gap: true,
        expire_replay_before: Some(vec![0, 255]),
        ..Disturbance::default()
    };
    assert_eq!(format!("{:?}", ear.disturbed.lock().unwrap()), format!("[{wanted:?}]"));
}

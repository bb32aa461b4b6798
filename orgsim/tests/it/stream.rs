//! What is written over HTTP is heard over the Pub/Sub API.

use orgsim::wire::pub_sub_client::PubSubClient;
use orgsim::wire::{FetchRequest, FetchResponse, ReplayPreset};
use serde_json::{Value, json};
use tonic::metadata::MetadataValue;
use tonic::{Request, Streaming};

use crate::server::Server;

/// An open call, and its responses; the stream of requests stays open, as its end would end the call.
async fn subscribe(server: &Server, topic: &str) -> Streaming<FetchResponse> {
    let mut client = PubSubClient::connect(server.simulator.pubsub_url()).await.unwrap();
    let fetch = FetchRequest {
        topic_name: topic.into(),
        replay_preset: ReplayPreset::Earliest.into(),
        num_requested: 100,
        ..FetchRequest::default()
    };
    let requests = futures::StreamExt::chain(futures::stream::iter([fetch]), futures::stream::pending());
    let mut request = Request::new(requests);
    let org_id = server.orgs[0]["org_id"].as_str().unwrap();
    let url = server.simulator.http_url();
    for (key, value) in [
        ("accesstoken", server.token()),
        ("instanceurl", url.as_str()),
        ("tenantid", org_id),
    ] {
        request
            .metadata_mut()
            .insert(key, MetadataValue::try_from(value).unwrap());
    }
    client.subscribe(request).await.unwrap().into_inner()
}

/// The payload of the next event.
async fn next(answers: &mut Streaming<FetchResponse>) -> Vec<u8> {
    loop {
        let answer = answers.message().await.unwrap().unwrap();
        if let Some(event) = answer.events.into_iter().next() {
            return event.event.unwrap().payload.to_vec();
        }
    }
}

fn holds(payload: &[u8], text: &str) -> bool {
    payload.windows(text.len()).any(|w| w == text.as_bytes())
}

#[tokio::test]
async fn a_row_becomes_an_event() {
    let server = Server::start().await;
    let record = json!({"attributes": {"type": "Contact"}, "LastName": "heard", "MailingCity": "Bern"});
    server
        .call("POST", "/composite/sobjects", json!({"records": [record]}))
        .await;
    let payload = next(&mut subscribe(&server, "/data/ChangeEvents").await).await;
    for text in ["Contact", "heard", "Bern", "com/salesforce/api/rest/67.0"] {
        assert!(holds(&payload, text), "{text}");
    }
    server.simulator.shutdown().await;
}

#[tokio::test]
async fn a_custom_channel_carries_what_passes_its_filter() {
    let server = Server::start().await;
    let human = server
        .query("SELECT Id FROM User WHERE Username LIKE 'human@%'")
        .await
        .body["records"][0]["Id"]
        .clone();
    let filter = format!(
        "ChangeEventHeader.commitUser != '{}' AND ChangeEventHeader.changeType = 'CREATE'",
        human.as_str().unwrap()
    );
    let channel = json!({"name": "Mine__chn", "entities": ["Account"], "filter": filter});
    let made = server.admin("POST", "/orgs/acme/channels", channel).await;
    assert_eq!(made.body["filter"], json!(filter), "{}", made.text);
    let edit = json!({"entity": "Account", "op": "create", "fields": {"Name": "a person's"}});
    server.admin("POST", "/orgs/acme/edit", edit).await;
    server.create("Contact", json!({"LastName": "of another object"})).await;
    server.create("Account", json!({"Name": "told"})).await;
    let payload = next(&mut subscribe(&server, "/data/Mine__chn").await).await;
    assert!(holds(&payload, "told"), "the first that passes");
    for (body, words) in [
        (json!({"name": "Mine"}), "name must end in __chn"),
        (
            json!({"name": "A__chn", "entities": ["Nothing"]}),
            "there is no object Nothing",
        ),
        (
            json!({"name": "A__chn", "filter": "Name = 'x'"}),
            "Name is no field of the header",
        ),
    ] {
        let refused = server.admin("POST", "/orgs/acme/channels", body).await;
        assert!(
            refused.body["error"].as_str().unwrap().contains(words),
            "{}",
            refused.text
        );
    }
}

#[tokio::test]
async fn who_lost_the_permission_hears_nothing_of_the_object() {
    let server = Server::start().await;
    let user = server.orgs[0]["username"].clone();
    let lose = json!({"username": user, "object": "Contact", "view_all": false});
    assert_eq!(server.admin("POST", "/orgs/acme/permissions", lose).await.status, 200);
    let mut answers = subscribe(&server, "/data/ChangeEvents").await;
    server.create("Contact", json!({"LastName": "not told"})).await;
    server.create("Account", json!({"Name": "told"})).await;
    let payload = next(&mut answers).await;
    assert!(
        holds(&payload, "told") && !holds(&payload, "not told"),
        "a healthy stream without the object"
    );
    let again = json!({"username": user, "object": "Contact"});
    server.admin("POST", "/orgs/acme/permissions", again).await;
    server.create("Contact", json!({"LastName": "told again"})).await;
    assert!(holds(&next(&mut answers).await, "told again"));
}

#[tokio::test]
async fn an_admin_chooses_the_objects_that_are_told() {
    let server = Server::start().await;
    let told = json!({"captured": ["Lead"]});
    assert_eq!(server.admin("POST", "/orgs/acme/events", told).await.status, 200);
    server.create("Account", json!({"Name": "untold"})).await;
    server.create("Lead", json!({"LastName": "told", "Company": "c"})).await;
    let payload = next(&mut subscribe(&server, "/data/LeadChangeEvent").await).await;
    assert!(holds(&payload, "told"));
    let unknown = server
        .admin("POST", "/orgs/acme/events", json!({"captured": ["Nothing"]}))
        .await;
    assert_eq!(unknown.body["error"], "there is no object Nothing");
}

#[tokio::test]
async fn event_schemas_are_read_over_rest() {
    let server = Server::start().await;
    let by_event = server
        .call("GET", "/sobjects/AccountChangeEvent/eventSchema", Value::Null)
        .await;
    let id = by_event.body["uuid"].as_str().unwrap();
    assert_eq!((id.len(), &by_event.body["name"]), (22, &json!("AccountChangeEvent")));
    let path = format!("/event/eventSchema/{id}?payloadFormat=COMPACT");
    assert_eq!(server.call("GET", &path, Value::Null).await.body, by_event.body);
    for path in [
        "/event/eventSchema/nothing",
        "/sobjects/LeadChangeEvent/eventSchema",
        "/sobjects/Account/eventSchema",
    ] {
        assert_eq!(server.call("GET", path, Value::Null).await.status, 404, "{path}");
    }
}

//! What is written over HTTP is heard over the Pub/Sub API.

use std::collections::VecDeque;

use orgsim::wire::pub_sub_client::PubSubClient;
use orgsim::wire::{FetchRequest, FetchResponse, ReplayPreset};
use serde_json::{Value, json};
use tonic::metadata::MetadataValue;
use tonic::{Request, Streaming};

use crate::server::Server;

/// An open call; the stream of requests stays open, as its end would end the call.
struct Listening {
    answers: Streaming<FetchResponse>,
    unread: VecDeque<Vec<u8>>,
}

async fn subscribe(server: &Server, topic: &str) -> Listening {
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
    Listening {
        answers: client.subscribe(request).await.unwrap().into_inner(),
        unread: VecDeque::new(),
    }
}

/// The payload of the next event.
async fn next(listening: &mut Listening) -> Vec<u8> {
    loop {
        if let Some(payload) = listening.unread.pop_front() {
            return payload;
        }
        let answer = listening.answers.message().await.unwrap().unwrap();
        let payloads = answer
            .events
            .into_iter()
            .map(|event| event.event.unwrap().payload.to_vec());
        listening.unread.extend(payloads);
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
            json!({"name": "A__chn", "filter": "Name 'x'"}),
            "= or != is wanted after Name",
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

#[tokio::test]
async fn a_channel_filters_by_what_an_event_tells_of_its_record() {
    let server = Server::start().await;
    let channel = json!({"name": "Media__chn", "filter": "Industry = 'Media'"});
    assert_eq!(server.admin("POST", "/orgs/acme/channels", channel).await.status, 200);
    let id = server
        .create("Account", json!({"Name": "first", "Industry": "Banking"}))
        .await;
    let path = format!("/sobjects/Account/{id}");
    server
        .call("PATCH", &path, json!({"Industry": "Media", "Site": "second"}))
        .await;
    // The value is still there, and the event of this change does not tell it.
    server.call("PATCH", &path, json!({"Site": "third"})).await;
    server
        .create("Account", json!({"Name": "fourth", "Industry": "Media"}))
        .await;
    let mut answers = subscribe(&server, "/data/Media__chn").await;
    for text in ["second", "fourth"] {
        assert!(holds(&next(&mut answers).await, text), "{text}");
    }
}

#[tokio::test]
async fn hidden_fields_leave_the_events_of_who_may_not_see_them() {
    let server = Server::start().await;
    let user = server.orgs[0]["username"].clone();
    let hide = json!({"username": user, "object": "Account", "hidden": ["Site"]});
    assert_eq!(server.admin("POST", "/orgs/acme/permissions", hide).await.status, 200);
    let edit = json!({"entity": "Account", "op": "create", "fields": {"Name": "seen", "Site": "secret"}});
    let made = server.admin("POST", "/orgs/acme/edit", edit).await;
    let change = json!({"entity": "Account", "op": "update", "id": made.body["id"], "fields": {"Phone": "555", "Site": "hidden"}});
    server.admin("POST", "/orgs/acme/edit", change).await;
    let mut answers = subscribe(&server, "/data/ChangeEvents").await;
    let created = next(&mut answers).await;
    assert!(holds(&created, "seen") && !holds(&created, "secret"));
    let changed = next(&mut answers).await;
    assert!(holds(&changed, "555") && !holds(&changed, "hidden"));
}

#[tokio::test]
async fn a_converted_lead_tells_of_itself_without_the_date() {
    let server = Server::start().await;
    server
        .admin(
            "POST",
            "/orgs/acme/events",
            json!({"captured": ["Lead", "Account", "Contact"]}),
        )
        .await;
    let lead = server
        .create("Lead", json!({"LastName": "Ng", "Company": "Acme"}))
        .await;
    let convert = json!({"entity": "Lead", "op": "convert", "id": lead});
    assert_eq!(server.admin("POST", "/orgs/acme/edit", convert).await.status, 200);
    let schema = server
        .call("GET", "/sobjects/LeadChangeEvent/eventSchema", Value::Null)
        .await
        .body;
    let names: Vec<&str> = schema["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["name"].as_str().unwrap())
        .collect();
    let bit = |name: &str| names.iter().position(|n| *n == name).unwrap();
    let mut answers = subscribe(&server, "/data/ChangeEvents").await;
    let mut last = Vec::new();
    for entity in ["Lead", "Account", "Contact", "Lead"] {
        last = next(&mut answers).await;
        assert!(holds(&last[..20], entity), "{entity}");
    }
    // The bitmap of the changed fields is the longest text of hex digits.
    let text = String::from_utf8_lossy(&last).into_owned();
    let digits = text
        .split("0x")
        .skip(1)
        .map(|t| t.chars().take_while(char::is_ascii_hexdigit).collect::<String>());
    let bitmap = digits.max_by_key(String::len).unwrap();
    let is_set = |bit: usize| {
        let digit = bitmap
            .chars()
            .rev()
            .nth(bit / 4)
            .and_then(|c| c.to_digit(16))
            .unwrap_or(0);
        digit >> (bit % 4) & 1 == 1
    };
    assert!(is_set(bit("IsConverted")) && is_set(bit("Status")) && !is_set(bit("LastModifiedDate")));
}

//! What is written over HTTP is heard over the Pub/Sub API.

use orgsim::wire::pub_sub_client::PubSubClient;
use orgsim::wire::{FetchRequest, ReplayPreset};
use serde_json::json;
use tonic::Request;
use tonic::metadata::MetadataValue;

use crate::server::Server;

#[tokio::test]
async fn a_row_becomes_an_event() {
    let server = Server::start().await;
    let record = json!({"attributes": {"type": "Contact"}, "LastName": "heard", "MailingCity": "Bern"});
    server
        .call("POST", "/composite/sobjects", json!({"records": [record]}))
        .await;
    let mut client = PubSubClient::connect(server.simulator.pubsub_url()).await.unwrap();
    let fetch = FetchRequest {
        topic_name: "/data/ChangeEvents".into(),
        replay_preset: ReplayPreset::Earliest.into(),
        num_requested: 1,
        ..FetchRequest::default()
    };
    // The stream of requests stays open: its end would end the call.
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
    let mut answers = client.subscribe(request).await.unwrap().into_inner();
    let event = loop {
        let answer = answers.message().await.unwrap().expect("the stream goes on");
        if let Some(event) = answer.events.into_iter().next() {
            break event;
        }
    };
    let payload = event.event.unwrap().payload;
    let holds = |text: &str| payload.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(holds("Contact") && holds("heard") && holds("Bern") && holds("com/salesforce/api/rest/67.0"));
    server.simulator.shutdown().await;
}

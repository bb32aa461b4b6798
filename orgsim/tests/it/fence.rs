//! The fence inside Salesforce (design 6): two validation rules on every object with key and sequence.

use orgsim::Options;
use serde_json::{Value, json};

use crate::server::Server;

#[tokio::test]
async fn the_number_never_falls_and_the_key_is_written_once() {
    let server = Server::start().await;
    for (before, change, refused) in [
        (json!({}), json!({"Tandem_Seq__c": 5}), None),
        (json!({"Tandem_Seq__c": 5}), json!({"Tandem_Seq__c": 5}), None),
        (json!({"Tandem_Seq__c": 5}), json!({"Tandem_Seq__c": 6}), None),
        (
            json!({"Tandem_Seq__c": 5}),
            json!({"Tandem_Seq__c": 4}),
            Some("Tandem_Seq__c"),
        ),
        (
            json!({"Tandem_Seq__c": 5}),
            json!({"Tandem_Seq__c": null}),
            Some("Tandem_Seq__c"),
        ),
        (json!({"Tandem_Seq__c": 5}), json!({"Title": "untouched"}), None),
        (json!({}), json!({"Tandem_Key__c": "KEY"}), None),
        (json!({"Tandem_Key__c": "KEY"}), json!({"Tandem_Key__c": "KEY"}), None),
        (
            json!({"Tandem_Key__c": "KEY"}),
            json!({"Tandem_Key__c": "key"}),
            Some("Tandem_Key__c"),
        ),
        (
            json!({"Tandem_Key__c": "KEY"}),
            json!({"Tandem_Key__c": null}),
            Some("Tandem_Key__c"),
        ),
    ] {
        let mut fields = json!({"LastName": "x"});
        fields
            .as_object_mut()
            .unwrap()
            .extend(before.as_object().unwrap().clone());
        let id = server.create("Contact", fields).await;
        let path = format!("/sobjects/Contact/{id}");
        let done = server.call("PATCH", &path, change.clone()).await;
        match refused {
            None => assert_eq!(done.status, 204, "{before} {change}: {}", done.text),
            Some(field) => {
                assert_eq!(
                    done.refusal(),
                    (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
                    "{before} {change}"
                );
                assert_eq!(done.body[0]["fields"], json!([field]));
            }
        }
        // Never on delete.
        assert_eq!(server.call("DELETE", &path, Value::Null).await.status, 204);
    }
    let calls = server.admin("GET", "/orgs/acme/calls", Value::Null).await;
    assert_eq!(calls.body["fence_refusals"], 4);
}

#[tokio::test]
async fn a_person_meets_the_fence_only_at_its_fields() {
    let server = Server::start().await;
    server
        .create(
            "Contact",
            json!({"LastName": "x", "Tandem_Key__c": "k", "Tandem_Seq__c": 9}),
        )
        .await;
    let edit = async |fields: Value| {
        let body = json!({"entity": "Contact", "op": "update", "key": "k", "fields": fields});
        server.admin("POST", "/orgs/acme/edit", body).await.status.as_u16()
    };
    assert_eq!(edit(json!({"LastName": "y"})).await, 200);
    assert_eq!(edit(json!({"Tandem_Seq__c": 8})).await, 400);
}

#[tokio::test]
async fn an_org_without_the_fence_takes_everything() {
    let server = Server::with(Options {
        fence: false,
        ..Options::default()
    })
    .await;
    let id = server
        .create("Contact", json!({"LastName": "x", "Tandem_Seq__c": 9}))
        .await;
    assert_eq!(
        server
            .call("PATCH", &format!("/sobjects/Contact/{id}"), json!({"Tandem_Seq__c": 1}))
            .await
            .status,
        204
    );
}

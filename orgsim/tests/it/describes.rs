//! Describes (contract 2.3), with the keys and lengths of recorded ones [R cci].

use serde_json::{Value, json};

use crate::server::{Server, V};

#[tokio::test]
async fn fields_are_as_recorded() {
    let server = Server::start().await;
    for (sobject, field, kind, length, nillable, createable, compound) in [
        ("Account", "Name", "string", 255, false, true, Value::Null),
        (
            "Account",
            "BillingStreet",
            "textarea",
            255,
            true,
            true,
            json!("BillingAddress"),
        ),
        ("Account", "BillingAddress", "address", 0, true, false, Value::Null),
        ("Account", "Website", "url", 255, true, true, Value::Null),
        ("Contact", "LastName", "string", 80, false, true, json!("Name")),
        ("Contact", "Name", "string", 121, false, false, Value::Null),
        ("Contact", "Email", "email", 80, true, true, Value::Null),
        ("Contact", "AccountId", "reference", 18, true, true, Value::Null),
        ("Opportunity", "StageName", "picklist", 255, false, true, Value::Null),
        ("Opportunity", "Amount", "currency", 0, true, true, Value::Null),
        (
            "Opportunity",
            "SystemModstamp",
            "datetime",
            0,
            false,
            false,
            Value::Null,
        ),
    ] {
        let describe = server.get(&format!("/sobjects/{sobject}/describe/")).await.body;
        let field = describe["fields"]
            .as_array()
            .unwrap()
            .iter()
            .find(|f| f["name"] == field)
            .unwrap()
            .clone();
        let shape = (
            &field["type"],
            &field["length"],
            &field["nillable"],
            &field["createable"],
            &field["compoundFieldName"],
        );
        assert_eq!(
            shape,
            (
                &json!(kind),
                &json!(length),
                &json!(nillable),
                &json!(createable),
                &compound
            ),
            "{sobject}.{field}"
        );
        assert_eq!(field.as_object().unwrap().len(), 57, "R cci: keys of a field");
    }
    let contact = server.get("/sobjects/Contact/describe").await.body;
    let key = contact["fields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["name"] == "Tandem_Key__c")
        .unwrap();
    for flag in ["externalId", "unique", "caseSensitive", "idLookup", "custom"] {
        assert_eq!(key[flag], true, "{flag}");
    }
}

#[tokio::test]
async fn flags_are_as_recorded() {
    let server = Server::start().await;
    // Recorded describes of 2020 to 2025 [R cci].
    for (sobject, field, flag, value) in [
        ("Contact", "FirstName", "permissionable", json!(false)),
        ("Contact", "MailingAddress", "permissionable", json!(true)),
        ("Contact", "Phone", "permissionable", json!(true)),
        ("Contact", "LastName", "permissionable", json!(false)),
        ("Contact", "AccountId", "searchPrefilterable", json!(true)),
        ("Contact", "OwnerId", "searchPrefilterable", json!(false)),
        ("Contact", "MasterRecordId", "searchPrefilterable", json!(false)),
        ("Contact", "MailingAddress", "queryByDistance", json!(true)),
        ("Contact", "MailingCity", "queryByDistance", json!(false)),
        ("Case", "Status", "defaultValue", json!("New")),
        ("Case", "CaseNumber", "groupable", json!(false)),
        ("Case", "IsDeleted", "defaultValue", json!(false)),
        ("Contact", "Email", "defaultValue", Value::Null),
        ("Contact", "Email", "groupable", json!(true)),
        ("Opportunity", "Amount", "groupable", json!(false)),
        ("Opportunity", "Amount", "aggregatable", json!(true)),
    ] {
        let describe = server.get(&format!("/sobjects/{sobject}/describe")).await.body;
        let fields = describe["fields"].as_array().unwrap();
        let found = fields.iter().find(|f| f["name"] == field).unwrap();
        assert_eq!(found[flag], value, "{sobject}.{field} {flag}");
    }
    let global = server.get("/sobjects").await.body;
    let mergeable: Vec<&str> = global["sobjects"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|s| s["mergeable"] == true)
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    assert_eq!(mergeable, ["Account", "Contact", "Lead"]);
}

#[tokio::test]
async fn the_rest_of_the_map() {
    let server = Server::start().await;
    let global = server.get("/sobjects/").await.body;
    assert_eq!(
        (&global["encoding"], &global["maxBatchSize"]),
        (&json!("UTF-8"), &json!(200))
    );
    let prefixes: Vec<(&str, &str)> = global["sobjects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["name"].as_str().unwrap(), s["keyPrefix"].as_str().unwrap()))
        .collect();
    assert_eq!(
        prefixes,
        [
            ("Account", "001"),
            ("Campaign", "701"),
            ("CampaignMember", "00v"),
            ("Case", "500"),
            ("Contact", "003"),
            ("Event", "00U"),
            ("Lead", "00Q"),
            ("Opportunity", "006"),
            ("OpportunityLineItem", "00k"),
            ("Organization", "00D"),
            ("Pricebook2", "01s"),
            ("PricebookEntry", "01u"),
            ("Product2", "01t"),
            ("RecordType", "012"),
            ("Task", "00T"),
            ("User", "005")
        ]
    );
    let versions = server
        .send(
            server
                .client
                .get(format!("{}/services/data/", server.simulator.http_url())),
        )
        .await
        .body;
    assert_eq!(
        versions[0],
        json!({"label": "Winter '11", "url": "/services/data/v20.0", "version": "20.0"}),
        "V:RF-FIX"
    );
    assert_eq!(versions.as_array().unwrap().last().unwrap()["label"], "Summer '26");
    assert_eq!(
        server
            .send(server.request("GET", "/services/data/v99.0/limits"))
            .await
            .refusal(),
        (404, "NOT_FOUND")
    );
    let fresh = server.get("/sobjects/Contact/describe").await;
    let request = server
        .request("GET", &format!("{V}/sobjects/Contact/describe"))
        .header("if-modified-since", fresh.header("last-modified"));
    assert_eq!(server.send(request).await.status, 304, "V:D-COND");
    let user = server.orgs[0]["user_id"].as_str().unwrap();
    assert_eq!(
        server.get(&format!("/sobjects/User/{user}")).await.body["Username"],
        server.orgs[0]["username"]
    );
    assert_eq!(
        server.query("SELECT Name, IsSandbox FROM Organization").await.body["totalSize"],
        1
    );
}

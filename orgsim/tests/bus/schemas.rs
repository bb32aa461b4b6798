//! GetSchema against facts of live orgs.

use serde_json::Value;

use crate::client::{Served, signed};
use crate::orgs::{Orgs, entity};
use orgsim::wire::{SchemaRequest, TopicRequest};

async fn schema(served: &Served, topic: &str) -> (String, String, String) {
    let mut client = served.client().await;
    let request = TopicRequest {
        topic_name: topic.to_owned(),
    };
    let id = client
        .stub
        .get_topic(signed(request))
        .await
        .unwrap()
        .into_inner()
        .schema_id;
    let info = client
        .stub
        .get_schema(signed(SchemaRequest { schema_id: id.clone() }))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(info.schema_id, id);
    assert!(!info.rpc_id.is_empty());
    (id, info.schema_json.clone(), info.rpc_id)
}

/// A field's name, Avro type and doc.
type FieldFact = (&'static str, &'static str, &'static str);

fn field<'a>(schema: &'a Value, name: &str) -> &'a Value {
    schema["fields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|field| field["name"] == name)
        .unwrap_or(&Value::Null)
}

/// Key order of a live compact schema (captured 2026-07-02, WolverineFx sources): name, namespace, type, fields, uuid.
#[tokio::test]
async fn a_schema_is_compact_and_ends_with_its_id() {
    let served = Served::new(Orgs::new());
    let (id, json, _) = schema(&served, "/data/ContactChangeEvent").await;
    assert!(json.starts_with(
        r#"{"name":"ContactChangeEvent","namespace":"com.sforce.eventbus","type":"record","fields":[{"name":"ChangeEventHeader""#
    ));
    assert!(json.ends_with(&format!(r#"],"uuid":"{id}"}}"#)), "{json}");
    assert_eq!(id.len(), 22);
    assert!(
        id.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'),
        "{id}"
    );
}

/// Live AccountChangeEvent and ContactChangeEvent schemas (public repository Valeriyyy/SalesforceGRPC).
#[tokio::test]
async fn the_header_is_first_and_has_the_live_types() {
    let served = Served::new(Orgs::new());
    for topic in [
        "/data/ContactChangeEvent",
        "/data/AccountChangeEvent",
        "/data/Visit__ChangeEvent",
    ] {
        let json: Value = serde_json::from_str(&schema(&served, topic).await.1).unwrap();
        let header = &json["fields"][0];
        assert_eq!(header["doc"], "Data:ComplexValueType");
        let strings = r#"{"items":"string","type":"array"}"#;
        let types: Vec<(String, String)> = header["type"]["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|field| (field["name"].as_str().unwrap().to_owned(), field["type"].to_string()))
            .collect();
        let change_type = concat!(
            r#"{"name":"ChangeType","symbols":["CREATE","UPDATE","DELETE","UNDELETE","GAP_CREATE","GAP_UPDATE","#,
            r#""GAP_DELETE","GAP_UNDELETE","GAP_OVERFLOW","SNAPSHOT"],"type":"enum"}"#
        );
        let expected = [
            ("entityName", r#""string""#),
            ("recordIds", strings),
            ("changeType", change_type),
            ("changeOrigin", r#""string""#),
            ("transactionKey", r#""string""#),
            ("sequenceNumber", r#""int""#),
            ("commitTimestamp", r#""long""#),
            ("commitNumber", r#""long""#),
            ("commitUser", r#""string""#),
            ("nulledFields", strings),
            ("diffFields", strings),
            ("changedFields", strings),
        ];
        assert_eq!(
            types,
            expected.map(|(name, avro)| (name.to_owned(), avro.to_owned())),
            "{topic}"
        );
    }
}

/// The same live schemas, field by field.
#[tokio::test]
async fn fields_have_the_live_types_and_docs() {
    let served = Served::new(Orgs::new());
    let text = r#"["null","string"]"#;
    let tables: [(&str, &[FieldFact]); 3] = [
        (
            "/data/ContactChangeEvent",
            &[
                ("AccountId", text, "ForeignKey:EntityId"),
                ("MailingAddress", r#"["null","Address"]"#, "Data:Address"),
                ("Phone", text, "Data:Phone"),
                ("Email", text, "Data:Email"),
                ("Birthdate", r#"["null","long"]"#, "Data:DateOnly"),
                ("Description", text, "Data:StringPlusClob"),
                ("HasOptedOutOfEmail", r#"["null","boolean"]"#, "Data:Boolean"),
                ("CreatedDate", r#"["null","long"]"#, "CreatedDate:DateTime"),
                ("LastModifiedDate", r#"["null","long"]"#, "Data:DateTime"),
                ("Tandem_Key__c", text, "Data:Text:00N000000000030"),
                ("Tandem_Seq__c", r#"["null","double"]"#, "Data:Double:00N000000000031"),
                ("Status__c", text, "Data:DynamicEnum:00N000000000032"),
            ],
        ),
        (
            "/data/AccountChangeEvent",
            &[
                ("Website", text, "Data:Url"),
                ("AnnualRevenue", r#"["null","double"]"#, "Data:Currency"),
                ("NumberOfEmployees", r#"["null","int"]"#, "Data:Integer"),
            ],
        ),
        (
            "/data/Visit__ChangeEvent",
            &[
                ("Name", text, "Data:Text"),
                ("At__c", r#"["null","long"]"#, "Data:TimeOnly:00N000000000007"),
                ("Levels__c", text, "Data:MultiEnum:00N000000000008"),
                ("Rate__c", r#"["null","double"]"#, "Data:Percent:00N000000000009"),
                ("Secret__c", text, "Data:EncryptedText:00N000000000010"),
            ],
        ),
    ];
    for (topic, table) in tables {
        let json: Value = serde_json::from_str(&schema(&served, topic).await.1).unwrap();
        for (name, avro, doc) in table {
            let field = field(&json, name);
            assert_eq!(field["type"].to_string(), *avro, "{topic} {name}");
            assert_eq!(field["doc"], **doc, "{topic} {name}");
            assert!(field.as_object().unwrap().contains_key("default"), "{topic} {name}");
        }
        for absent in [
            "Id",
            "IsDeleted",
            "SystemModstamp",
            "MailingCity",
            "LastName",
            "Place__Latitude__s",
        ] {
            assert_eq!(field(&json, absent), &Value::Null, "{topic} {absent}");
        }
    }
}

/// The same live schemas: names, addresses and locations.
#[tokio::test]
async fn compound_fields_are_records() {
    let served = Served::new(Orgs::new());
    let children = |union: &Value| -> Vec<String> {
        let record = union.as_array().unwrap().last().unwrap();
        record["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|child| child["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let contact: Value = serde_json::from_str(&schema(&served, "/data/ContactChangeEvent").await.1).unwrap();
    let name = field(&contact, "Name");
    assert_eq!(
        (&name["doc"], &name["type"][1]["name"]),
        (&"Data:PersonName".into(), &"PersonName".into())
    );
    assert_eq!(children(&name["type"]), ["Salutation", "FirstName", "LastName"]);
    let other = &field(&contact, "OtherAddress")["type"];
    assert_eq!(other[1]["name"], "Address");
    let parts = [
        "Street",
        "City",
        "State",
        "PostalCode",
        "Country",
        "Latitude",
        "Longitude",
        "GeocodeAccuracy",
    ];
    assert_eq!(children(other), parts, "no state and country picklists");

    let account: Value = serde_json::from_str(&schema(&served, "/data/AccountChangeEvent").await.1).unwrap();
    let name = field(&account, "Name");
    assert_eq!(name["doc"], "Data:Switchable_PersonName");
    assert_eq!((&name["type"][0], &name["type"][1]), (&"null".into(), &"string".into()));
    assert_eq!(name["type"][2]["name"], "Switchable_PersonName");
    let billing = children(&field(&account, "BillingAddress")["type"]);
    assert_eq!(
        billing[5..7],
        ["StateCode", "CountryCode"],
        "state and country picklists"
    );

    let visit: Value = serde_json::from_str(&schema(&served, "/data/Visit__ChangeEvent").await.1).unwrap();
    let place = field(&visit, "Place__c");
    assert_eq!(place["doc"], "Data:Location:00N000000000006");
    assert_eq!(children(&place["type"]), ["Latitude", "Longitude"]);
}

/// REST guide, eventSchema: an id stands for one version for ever.
#[tokio::test]
async fn another_field_makes_another_schema_and_the_old_one_stays() {
    let orgs = Orgs::new();
    let served = Served::new(orgs.clone());
    let (old_id, old_json, _) = schema(&served, "/data/Visit__ChangeEvent").await;
    assert_eq!(schema(&served, "/data/Visit__ChangeEvent").await.0, old_id);
    orgs.entities.lock().unwrap()[2] = entity("Visit__c", "Id id\nName string\nNew__c string");
    let (new_id, new_json, _) = schema(&served, "/data/Visit__ChangeEvent").await;
    assert_ne!(old_id, new_id);
    assert!(new_json.contains("New__c") && !old_json.contains("New__c"));
    assert_eq!(served.client().await.schema(&old_id).await, old_json);
}

//! Schemas that grow while the org lives, record types, and what permissions hide.

use serde_json::{Value, json};

use crate::server::Server;

const OBJECT: &str = r#"
[[object]]
name = "Visit__c"
[[field]]
object = "Visit__c"
name = "Account__c"
type = "reference"
reference_to = ["Account"]
child_relationship = "Visits__r"
[[field]]
object = "Contact"
name = "Vip__c"
type = "boolean"
[[field]]
object = "Contact"
name = "Loyalty__c"
type = "string"
external_id = true
unique = true
"#;

async fn extend(server: &Server, toml: &str) -> (u16, String) {
    let url = format!("{}/orgs/acme/schema", server.simulator.admin_url());
    let sent = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/toml")
        .body(toml.to_owned());
    let answer = sent.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn an_org_gets_objects_and_fields_while_it_lives() {
    let server = Server::start().await;
    let contact = server.create("Contact", json!({"LastName": "Ng"})).await;
    let path = format!("/sobjects/Contact/{contact}");
    let before = server.call("GET", "/sobjects/Contact/describe", Value::Null).await;
    assert_eq!(extend(&server, OBJECT).await, (200, "{\"changes\":1}".to_owned()));
    // Rows that were there have the new checkbox, and no other value.
    let row = server.call("GET", &path, Value::Null).await.body;
    assert_eq!((&row["Vip__c"], &row["Loyalty__c"]), (&json!(false), &Value::Null));
    let set = json!({"Vip__c": true, "Loyalty__c": "L1"});
    assert_eq!(server.call("PATCH", &path, set).await.status, 204);
    let upsert = server
        .call("PATCH", "/sobjects/Contact/Loyalty__c/L1", json!({"Title": "T"}))
        .await;
    assert_eq!(upsert.body["id"], contact);
    let account = server.create("Account", json!({"Name": "Acme"})).await;
    let visit = server
        .create("Visit__c", json!({"Name": "v", "Account__c": account}))
        .await;
    assert!(visit.starts_with("a00"), "{visit}");
    let found = server.query("SELECT Id, (SELECT Id FROM Visits__r) FROM Account").await;
    assert_eq!(found.body["records"][0]["Visits__r"]["totalSize"], 1);
    // A client that has the old describe is told of the new one.
    let request = server
        .request("GET", &format!("{}/sobjects/Contact/describe", crate::server::V))
        .header("if-modified-since", before.header("last-modified"))
        .header("if-none-match", before.header("etag"));
    let after = server.send(request).await;
    assert_eq!(after.status, 200);
    assert_ne!(after.header("etag"), before.header("etag"));
    let (status, said) = extend(&server, OBJECT).await;
    assert_eq!(
        (
            status,
            said.contains("object Visit__c: there is an object of this name already")
        ),
        (400, true),
        "{said}"
    );
    let added = server.admin("GET", "/orgs/acme/schema", Value::Null).await.body;
    assert_eq!(added[0]["object"][0]["name"], "Visit__c");
}

#[tokio::test]
async fn a_snapshot_brings_what_was_added() {
    let (first, second) = (Server::start().await, Server::start().await);
    extend(&first, OBJECT).await;
    let rule = "[[validation_rule]]\nobject = \"Visit__c\"\nname = \"n\"\nformula = \"Name = 'bad'\"\nmessage = \"no\"";
    assert_eq!(extend(&first, rule).await.0, 200);
    let id = first.create("Visit__c", json!({"Name": "v"})).await;
    let client = reqwest::Client::new();
    let url = |server: &Server| format!("{}/orgs/acme/snapshot", server.simulator.admin_url());
    let file = client.get(url(&first)).send().await.unwrap().bytes().await.unwrap();
    let given = client.put(url(&second)).body(file).send().await.unwrap();
    assert_eq!(given.status(), 200, "{}", given.text().await.unwrap());
    let read = second
        .call("GET", &format!("/sobjects/Visit__c/{id}"), Value::Null)
        .await;
    assert_eq!(read.body["Name"], "v");
    let refused = second.call("POST", "/sobjects/Visit__c", json!({"Name": "bad"})).await;
    assert_eq!(refused.refusal(), (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION"));
}

#[tokio::test]
async fn record_types_have_a_default_and_their_own_values() {
    let server = Server::start().await;
    let types = r#"
[[record_type]]
object = "Contact"
name = "Customer"
default = true
picklists = { Status__c = ["Active"] }
[[record_type]]
object = "Contact"
name = "Partner"
label = "A Partner"
[[record_type]]
object = "Contact"
name = "Old"
active = false
"#;
    assert_eq!(extend(&server, types).await.0, 200);
    let rows = server
        .query("SELECT Id, DeveloperName, SobjectType, IsActive FROM RecordType ORDER BY Id")
        .await
        .body;
    let id = |at: usize| rows["records"][at]["Id"].as_str().unwrap().to_owned();
    assert_eq!(rows["records"][0]["DeveloperName"], "Customer");
    assert!(id(0).starts_with("012"));
    let describe = server.call("GET", "/sobjects/Contact/describe", Value::Null).await.body;
    let infos = describe["recordTypeInfos"].as_array().unwrap();
    let told: Vec<(&str, bool, bool)> = infos
        .iter()
        .map(|i| {
            (
                i["developerName"].as_str().unwrap(),
                i["defaultRecordTypeMapping"] == true,
                i["available"] == true,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("Customer", true, true),
            ("Partner", false, true),
            ("Old", false, false),
            ("Master", false, true)
        ]
    );
    let made = server.create("Contact", json!({"LastName": "Ng"})).await;
    let found = server
        .query("SELECT RecordType.DeveloperName, RecordTypeId FROM Contact WHERE RecordType.Name = 'Customer'")
        .await;
    assert_eq!(found.body["records"][0]["RecordType"]["DeveloperName"], "Customer");
    let path = format!("/sobjects/Contact/{made}");
    for (fields, refusal) in [
        (
            json!({"Status__c": "Former"}),
            Some("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ),
        (json!({"Status__c": "Active"}), None),
        (json!({"Status__c": "Former", "RecordTypeId": id(1)}), None),
        (
            json!({"RecordTypeId": id(0)}),
            Some("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ),
        (json!({"RecordTypeId": id(2)}), Some("INVALID_CROSS_REFERENCE_KEY")),
        (json!({"Title": "untouched values are not looked at"}), None),
    ] {
        let done = server.call("PATCH", &path, fields.clone()).await;
        match refusal {
            None => assert_eq!(done.status, 204, "{fields}: {}", done.text),
            Some(code) => assert_eq!(done.refusal(), (400, code), "{fields}"),
        }
    }
}

#[tokio::test]
async fn permissions_hide_fields_and_refuse_writes() {
    let server = Server::start().await;
    let id = server
        .create(
            "Contact",
            json!({"LastName": "Ng", "Email": "ng@acme.example", "Birthdate": "2000-01-01"}),
        )
        .await;
    let path = format!("/sobjects/Contact/{id}");
    let user = server.orgs[0]["username"].as_str().unwrap();
    let permit = async |mut body: Value| {
        body["username"] = json!(user);
        body["object"] = json!("Contact");
        server.admin("POST", "/orgs/acme/permissions", body).await
    };
    let done = permit(json!({"hidden": ["Birthdate"], "read_only": ["Email"], "delete": false})).await;
    assert_eq!(done.body["Contact"]["hidden"], json!(["Birthdate"]), "{}", done.text);
    let describe = server.call("GET", "/sobjects/Contact/describe", Value::Null).await.body;
    let fields = describe["fields"].as_array().unwrap();
    assert!(!fields.iter().any(|f| f["name"] == "Birthdate"), "V:I-ingestr-1011");
    let email = fields.iter().find(|f| f["name"] == "Email").unwrap();
    assert_eq!(
        (&email["updateable"], &email["createable"], &describe["deletable"]),
        (&json!(false), &json!(false), &json!(false))
    );
    let row = server.call("GET", &path, Value::Null).await.body;
    assert_eq!((row.get("Birthdate"), &row["Email"]), (None, &json!("ng@acme.example")));
    let asked = server.query("SELECT Id, Birthdate FROM Contact").await;
    assert_eq!(asked.refusal(), (400, "INVALID_FIELD"));
    assert!(
        asked.body[0]["message"]
            .as_str()
            .unwrap()
            .contains("No such column 'Birthdate' on entity 'Contact'")
    );
    for (fields, code) in [
        (json!({"Birthdate": null}), "INVALID_FIELD"),
        (json!({"Email": "x@acme.example"}), "INVALID_FIELD_FOR_INSERT_UPDATE"),
    ] {
        assert_eq!(server.call("PATCH", &path, fields).await.refusal(), (400, code));
    }
    let refused = server.call("DELETE", &path, Value::Null).await;
    assert_eq!(refused.refusal(), (400, "INSUFFICIENT_ACCESS_OR_READONLY"));
    // A person has other permissions.
    let edit = json!({"entity": "Contact", "op": "update", "id": id, "fields": {"Email": "y@acme.example"}});
    assert_eq!(server.admin("POST", "/orgs/acme/edit", edit).await.status, 200);
    permit(json!({"read": false})).await;
    assert_eq!(
        server.query("SELECT Id FROM Contact").await.refusal(),
        (400, "INVALID_TYPE")
    );
    assert_eq!(server.call("GET", &path, Value::Null).await.status, 404);
    let global = server.call("GET", "/sobjects", Value::Null).await.body;
    assert!(
        !global["sobjects"]
            .as_array()
            .unwrap()
            .iter()
            .any(|s| s["name"] == "Contact")
    );
    permit(json!({})).await;
    let row = server.call("GET", &path, Value::Null).await.body;
    assert_eq!(row["Birthdate"], "2000-01-01", "the value was there all the time");
    let unknown = permit(json!({"hidden": ["Nothing"]})).await;
    assert_eq!(unknown.body["error"], "Contact has no field Nothing");
}

#[tokio::test]
async fn requests_are_conditional_by_date_and_for_accounts_by_tag() {
    let server = Server::start().await;
    for (object, tags) in [("Account", true), ("Contact", false)] {
        let fields = if tags {
            json!({"Name": "a"})
        } else {
            json!({"LastName": "a"})
        };
        let id = server.create(object, fields).await;
        let url = format!("{}/sobjects/{object}/{id}", crate::server::V);
        let read = server.send(server.request("GET", &url)).await;
        let modified = read.header("last-modified").to_owned();
        let future = "Fri, 1 Jan 2100 00:00:00 GMT";
        let past = "Sat, 01 Jan 2000 00:00:00 GMT";
        let with = async |method: &str, header: &'static str, value: &str| {
            let request = server.request(method, &url).header(header, value);
            let request = if method == "PATCH" {
                request.json(&json!({"Description": "d"}))
            } else {
                request
            };
            let answer = server.send(request).await;
            (
                answer.status.as_u16(),
                answer.body[0]["errorCode"].as_str().map(str::to_owned),
            )
        };
        assert_eq!(with("GET", "if-modified-since", &modified).await.0, 304);
        assert_eq!(with("GET", "if-modified-since", past).await.0, 200);
        assert_eq!(with("GET", "if-modified-since", "nonsense").await.0, 200);
        assert_eq!(with("GET", "if-unmodified-since", past).await.0, 412);
        assert_eq!(
            with("PATCH", "if-unmodified-since", past).await,
            (412, Some("ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE".to_owned()))
        );
        assert_eq!(
            with("PATCH", "if-unmodified-since", "nonsense").await,
            (400, Some("INVALID_INPUT".to_owned()))
        );
        assert_eq!(with("PATCH", "if-unmodified-since", future).await.0, 204);
        let tag = if tags {
            read.header("etag").to_owned()
        } else {
            "\"x\"".to_owned()
        };
        let expected = if tags { [412, 304, 412] } else { [204, 200, 204] };
        assert_eq!(with("PATCH", "if-match", "\"other\"").await.0, expected[0], "{object}");
        let newest = server.send(server.request("GET", &url)).await;
        let tag = if tags { newest.header("etag").to_owned() } else { tag };
        assert_eq!(with("GET", "if-none-match", &tag).await.0, expected[1], "{object}");
        assert_eq!(with("PATCH", "if-none-match", &tag).await.0, expected[2], "{object}");
        // A delete is not conditional.
        assert_eq!(with("DELETE", "if-unmodified-since", past).await.0, 204);
    }
}

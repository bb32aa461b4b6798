//! What an org does with rows by itself: formula fields, roll-ups, validation rules, automations.

use orgsim::Options;
use orgsim::schema::SchemaFile;
use serde_json::{Value, json};

use crate::server::Server;

const SCHEMA: &str = r#"
[[object]]
name = "Invoice__c"
change_events = true
[[object]]
name = "Line__c"
[[field]]
object = "Line__c"
name = "Invoice__c"
type = "masterdetail"
reference_to = ["Invoice__c"]
child_relationship = "Lines__r"
[[field]]
object = "Line__c"
name = "Amount__c"
type = "currency"
[[field]]
object = "Invoice__c"
name = "Total__c"
type = "summary"
summarize = "Line__c"
operation = "sum"
summarized = "Amount__c"
[[field]]
object = "Invoice__c"
name = "Lines__c"
type = "summary"
summarize = "Line__c"
operation = "count"
[[field]]
object = "Contact"
name = "Greeting__c"
type = "formula"
formula = "'Dear ' & LastName & IF(ISBLANK(Account.Name), '', ' of ' & Account.Name)"
[[validation_rule]]
object = "Contact"
name = "Former_needs_reason"
formula = "AND(ISPICKVAL(Status__c, 'Former'), ISBLANK(Description))"
message = "Say why the contact left."
field = "Description"
[[validation_rule]]
object = "Contact"
name = "Former_has_no_title"
formula = "AND(ISPICKVAL(Status__c, 'Former'), Title = 'Boss')"
message = "Bosses stay."
[[automation]]
object = "Contact"
name = "Shout"
when = "before"
on = ["insert", "update"]
set = { Department = "UPPER(Department)" }
[[automation]]
object = "Contact"
name = "Refuse"
when = "after"
on = ["insert", "update", "delete"]
condition = "LastName = 'Refused'"
throw = "no such person"
[[automation]]
object = "Contact"
name = "Warm"
when = "after"
on = ["insert"]
condition = "NOT(ISBLANK(AccountId))"
update_parent = { field = "AccountId", set = { Description = "'met ' & LastName" } }
"#;

async fn start() -> Server {
    let file: SchemaFile = toml::from_str(SCHEMA).unwrap();
    Server::with(Options {
        schema: vec![file],
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn a_formula_field_is_made_when_it_is_read() {
    let server = start().await;
    let account = server.create("Account", json!({"Name": "Acme"})).await;
    let id = server
        .create("Contact", json!({"LastName": "Ng", "AccountId": account}))
        .await;
    let path = format!("/sobjects/Contact/{id}");
    let read = async || server.call("GET", &path, Value::Null).await.body["Greeting__c"].clone();
    assert_eq!(read().await, "Dear Ng of Acme");
    // The parent changes, and nobody touches the row.
    server
        .call(
            "PATCH",
            &format!("/sobjects/Account/{account}"),
            json!({"Name": "Umbrella"}),
        )
        .await;
    assert_eq!(read().await, "Dear Ng of Umbrella");
    let found = server
        .query("SELECT Greeting__c FROM Contact WHERE Greeting__c LIKE '%umbrella' ORDER BY Greeting__c")
        .await;
    assert_eq!(found.body["records"][0]["Greeting__c"], "Dear Ng of Umbrella");
    let refused = server.call("PATCH", &path, json!({"Greeting__c": "x"})).await;
    assert_eq!(refused.refusal(), (400, "INVALID_FIELD_FOR_INSERT_UPDATE"));
    let describe = server.call("GET", "/sobjects/Contact/describe", Value::Null).await.body;
    let fields = describe["fields"].as_array().unwrap();
    let field = fields.iter().find(|f| f["name"] == "Greeting__c").unwrap();
    assert_eq!(
        (&field["calculated"], &field["type"], &field["createable"]),
        (&json!(true), &json!("string"), &json!(false))
    );
    assert!(field["calculatedFormula"].as_str().unwrap().starts_with("'Dear '"));
}

#[tokio::test]
async fn a_roll_up_follows_its_details_in_their_transaction() {
    let server = start().await;
    let invoice = server.create("Invoice__c", json!({"Name": "I-1"})).await;
    let told = async || {
        let row = server
            .call("GET", &format!("/sobjects/Invoice__c/{invoice}"), Value::Null)
            .await
            .body;
        (row["Total__c"].clone(), row["Lines__c"].clone())
    };
    let line = |amount: f64| json!({"attributes": {"type": "Line__c"}, "Name": "l", "Invoice__c": invoice, "Amount__c": amount});
    let made = server
        .call(
            "POST",
            "/composite/sobjects",
            json!({"records": [line(1.5), line(2.25)]}),
        )
        .await;
    assert_eq!(told().await, (json!(3.75), json!(2)));
    let first = made.body[0]["id"].as_str().unwrap();
    server
        .call("PATCH", &format!("/sobjects/Line__c/{first}"), json!({"Amount__c": 10}))
        .await;
    assert_eq!(told().await, (json!(12.25), json!(2)));
    server
        .call("DELETE", &format!("/sobjects/Line__c/{first}"), Value::Null)
        .await;
    assert_eq!(told().await, (json!(2.25), json!(1)));
    let undelete = json!({"entity": "Line__c", "op": "undelete", "id": first});
    assert_eq!(server.admin("POST", "/orgs/acme/edit", undelete).await.status, 200);
    assert_eq!(told().await, (json!(12.25), json!(2)));
    // A refused call leaves the sum alone.
    let bad =
        json!({"allOrNone": true, "records": [line(100.0), {"attributes": {"type": "Line__c"}, "Name": "no master"}]});
    server.call("POST", "/composite/sobjects", bad).await;
    assert_eq!(told().await, (json!(12.25), json!(2)));
    let refused = server
        .call(
            "PATCH",
            &format!("/sobjects/Invoice__c/{invoice}"),
            json!({"Total__c": 1}),
        )
        .await;
    assert_eq!(refused.refusal(), (400, "INVALID_FIELD_FOR_INSERT_UPDATE"));
}

#[tokio::test]
async fn a_validation_rule_refuses_rows_on_every_road() {
    let server = start().await;
    let bad = json!({"LastName": "x", "Status__c": "Former"});
    let refused = server.call("POST", "/sobjects/Contact", bad.clone()).await;
    assert_eq!(
        refused.body,
        json!([{"message": "Say why the contact left.", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": ["Description"]}])
    );
    let upsert = server
        .call("PATCH", "/sobjects/Contact/Tandem_Key__c/k", bad.clone())
        .await;
    assert_eq!(upsert.refusal(), (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION"));
    let mut record = bad.clone();
    record["attributes"] = json!({"type": "Contact"});
    let rows = server
        .call("POST", "/composite/sobjects", json!({"records": [record]}))
        .await;
    assert_eq!(
        rows.body[0]["errors"][0]["statusCode"],
        "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    );
    let edit = json!({"entity": "Contact", "op": "create", "fields": bad});
    assert_eq!(server.admin("POST", "/orgs/acme/edit", edit).await.status, 400);
    // Each rule that strikes is told.
    let worse = json!({"LastName": "x", "Status__c": "Former", "Title": "Boss", "attributes": {"type": "Contact"}});
    let rows = server
        .call("POST", "/composite/sobjects", json!({"records": [worse.clone()]}))
        .await;
    let words = |errors: &Value| {
        errors
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["message"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words(&rows.body[0]["errors"]),
        ["Say why the contact left.", "Bosses stay."]
    );
    assert_eq!(
        words(&server.call("POST", "/sobjects/Contact", worse).await.body).len(),
        2
    );
    let good = json!({"LastName": "x", "Status__c": "Former", "Description": "moved"});
    assert_eq!(server.call("POST", "/sobjects/Contact", good).await.status, 201);
}

#[tokio::test]
async fn automations_rewrite_update_parents_and_throw() {
    let server = start().await;
    let account = server.create("Account", json!({"Name": "Acme"})).await;
    let id = server
        .create(
            "Contact",
            json!({"LastName": "Ng", "Department": "sales", "AccountId": account}),
        )
        .await;
    let row = server
        .call("GET", &format!("/sobjects/Contact/{id}"), Value::Null)
        .await
        .body;
    assert_eq!(row["Department"], "SALES");
    let parent = server
        .call("GET", &format!("/sobjects/Account/{account}"), Value::Null)
        .await
        .body;
    assert_eq!(parent["Description"], "met Ng");
    let refused = server
        .call(
            "PATCH",
            &format!("/sobjects/Contact/{id}"),
            json!({"LastName": "Refused"}),
        )
        .await;
    assert_eq!(refused.refusal(), (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"));
    let words = refused.body[0]["message"].as_str().unwrap();
    assert!(
        words.starts_with("Refuse: execution of AfterUpdate") && words.contains("no such person"),
        "{words}"
    );
    let kept = server
        .call("GET", &format!("/sobjects/Contact/{id}"), Value::Null)
        .await
        .body;
    assert_eq!(kept["LastName"], "Ng");
}

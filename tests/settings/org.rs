//! A mapping held against an org's describe.

use serde_json::{Value, json};
use tandem::settings::mapping::describe::{Describe, apply_describe, check_describe};
use tandem_core::domain::plan::ObjectPlan;

use crate::files::{Files, TENANT};

const DEAL: &str = r#"object = "deal"
salesforce = "Opportunity"
[fields]
name = { salesforce = "Name", required = true }
amount = { salesforce = "Amount", kind = "decimal" }
count = { salesforce = "Count__c", kind = "integer" }
stage = { salesforce = "StageName", required = true, values = { won = "Closed Won" } }
company = { salesforce = "AccountId", references = "company" }
made = { salesforce = "CreatedDate", kind = "datetime", direction = "to_product" }
"#;

fn deal() -> ObjectPlan {
    let settings = Files::new(TENANT).with("objects/deal.toml", DEAL).load().unwrap();
    settings
        .tenants
        .values()
        .next()
        .unwrap()
        .plan
        .object("deal")
        .unwrap()
        .as_ref()
        .clone()
}

fn field(name: &str, kind: &str) -> Value {
    json!({"name": name, "type": kind, "length": 255, "nillable": true, "createable": true, "updateable": true})
}

/// A describe that fits the mapping.
fn fitting() -> Value {
    let mut fields = vec![
        field("Name", "string"),
        field("Amount", "currency"),
        field("Count__c", "double"),
        field("StageName", "picklist"),
        field("AccountId", "reference"),
        field("CreatedDate", "datetime"),
        field("Tandem_Key__c", "string"),
        field("Tandem_Seq__c", "double"),
    ];
    fields[0]["nillable"] = json!(false);
    fields[1]["scale"] = json!(2);
    fields[3]["nillable"] = json!(false);
    fields[3]["picklistValues"] = json!([{"value": "Closed Won", "active": true}, {"value": "Old", "active": false}]);
    fields[4]["referenceTo"] = json!(["Account"]);
    fields[5]["createable"] = json!(false);
    fields[5]["updateable"] = json!(false);
    fields[6]["externalId"] = json!(true);
    fields[6]["unique"] = json!(true);
    fields[6]["caseSensitive"] = json!(true);
    fields[7]["precision"] = json!(15);
    json!({"name": "Opportunity", "createable": true, "updateable": true, "queryable": true, "deletable": true, "fields": fields})
}

fn describe(body: &Value) -> Describe {
    Describe::parse("Opportunity", body.to_string().as_bytes()).unwrap()
}

fn told(body: &Value) -> Vec<String> {
    check_describe(&deal(), &describe(body), |object| {
        (object == "company").then_some("Account")
    })
    .into_iter()
    .map(|found| {
        format!(
            "{} {}: {}",
            found.field.unwrap_or_default(),
            found.salesforce,
            found.what
        )
    })
    .collect()
}

#[test]
fn an_org_that_fits() {
    assert_eq!(told(&fitting()), Vec::<String>::new());
}

/// Position of a field in [`fitting`], what is changed in it, and what is told.
#[test]
fn everything_that_does_not_fit() {
    let table: &[(usize, Value, &str)] = &[
        (
            1,
            json!({"name": "Other"}),
            "amount Opportunity.Amount: is missing, or field-level security hides it from this user",
        ),
        (
            1,
            json!({"type": "string"}),
            "amount Opportunity.Amount: is a string there and decimal here: map a field of another type",
        ),
        (
            0,
            json!({"type": "address"}),
            "name Opportunity.Name: is a address there and text here: map its parts (street, city, …) one by one",
        ),
        (
            2,
            json!({"scale": 2}),
            "count Opportunity.Count__c: has 2 digits after the point: use kind = \"decimal\"",
        ),
        (
            1,
            json!({"updateable": false}),
            "amount Opportunity.Amount: can be set on create only: give edit permission, or use direction = \"to_product\"",
        ),
        (
            1,
            json!({"updateable": false, "createable": false}),
            "amount Opportunity.Amount: cannot be written by this user: give edit permission, or use direction = \"to_product\"",
        ),
        (
            1,
            json!({"nillable": false}),
            "amount Opportunity.Amount: is demanded on create: set required = true",
        ),
        (
            3,
            json!({"picklistValues": [{"value": "Closed Won", "active": false}, {"value": "Open", "active": true}]}),
            "stage Opportunity.StageName: has no active value \"Closed Won\"; it has: Open",
        ),
        (
            4,
            json!({"referenceTo": ["Campaign"]}),
            "company Opportunity.AccountId: points to Campaign, not to Account",
        ),
        (
            6,
            json!({"unique": false, "caseSensitive": false}),
            " Opportunity.Tandem_Key__c: holds the product's key and must be unique, treat \"ABC\" and \"abc\" as different values",
        ),
        (
            6,
            json!({"length": 80}),
            " Opportunity.Tandem_Key__c: holds the product's key and must be 255 long",
        ),
        (
            6,
            json!({"externalId": false}),
            " Opportunity.Tandem_Key__c: holds the product's key and must be an external id",
        ),
        (
            7,
            json!({"precision": 18}),
            " Opportunity.Tandem_Seq__c: must be a Number(15, 0): it fences out late writes",
        ),
        (
            7,
            json!({"updateable": false}),
            " Opportunity.Tandem_Seq__c: must be editable for this user",
        ),
        (
            7,
            json!({"name": "X"}),
            " Opportunity.Tandem_Seq__c: is missing, or field-level security hides it: deploy Tandem's package, or set fence = \"soft\"",
        ),
    ];
    for (at, change, expected) in table {
        let mut body = fitting();
        for (key, value) in change.as_object().unwrap() {
            body["fields"][*at][key] = value.clone();
        }
        assert_eq!(told(&body), [*expected], "for {change}");
    }
    let mut body = fitting();
    body["deletable"] = json!(false);
    assert_eq!(
        told(&body),
        [" Opportunity: is not deletable for this user: give it the object permissions"]
    );
    let mut body = fitting();
    let mut close = field("CloseDate", "date");
    close["nillable"] = json!(false);
    body["fields"].as_array_mut().unwrap().push(close);
    assert_eq!(
        told(&body),
        [" Opportunity.CloseDate: is demanded on create and no mapped field fills it: map one to it"]
    );
}

#[test]
fn describe_tells_the_scale_of_decimals() {
    let plan = apply_describe(&deal(), &describe(&fitting()));
    assert_eq!(plan.field("amount").unwrap().scale, Some(2));
    assert_eq!(plan.field("count").unwrap().scale, None, "only decimals are rounded");
    assert_eq!(plan.version, deal().version);
}

#[test]
fn an_answer_that_is_no_describe() {
    let error = Describe::parse(
        "Opportunity",
        br#"{"name":"Opportunity","fields":[{"name":"A","type":7}]}"#,
    )
    .unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("the describe of Opportunity is not as expected at fields[0].type: "),
        "{text}"
    );
}

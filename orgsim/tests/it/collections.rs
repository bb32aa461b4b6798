//! Two hundred rows in one call (contract 3.2).

use serde_json::{Value, json};

use crate::server::{Server, V};

const ROLLED_BACK: &str = "ALL_OR_NONE_OPERATION_ROLLED_BACK";

fn contact(fields: Value) -> Value {
    let mut record = json!({"attributes": {"type": "Contact"}});
    record
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    record
}

fn codes(body: &Value) -> Vec<&str> {
    body.as_array()
        .unwrap()
        .iter()
        .map(|r| r["errors"][0]["statusCode"].as_str().unwrap_or("ok"))
        .collect()
}

async fn count(server: &Server) -> u64 {
    server.query("SELECT count() FROM Contact").await.body["totalSize"]
        .as_u64()
        .unwrap()
}

#[tokio::test]
async fn order_and_mixed_results() {
    let server = Server::start().await;
    let records: Vec<Value> = (0..200)
        .map(|i| {
            contact(if i % 7 == 3 {
                json!({})
            } else {
                json!({"LastName": format!("n{i}")})
            })
        })
        .collect();
    let made = server
        .call(
            "POST",
            "/composite/sobjects",
            json!({"allOrNone": false, "records": records}),
        )
        .await;
    assert_eq!(made.status, 200, "V:D-COLCRE: 200 with failed rows");
    let rows = made.body.as_array().unwrap();
    assert_eq!(rows.len(), 200);
    for (i, row) in rows.iter().enumerate() {
        if i % 7 == 3 {
            let error = json!({"statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName]", "fields": ["LastName"]});
            assert_eq!(
                *row,
                json!({"success": false, "errors": [error]}),
                "observed 2026: no id key"
            );
        } else {
            let id = row["id"].as_str().unwrap();
            assert_eq!(*row, json!({"id": id, "success": true, "errors": []}));
            assert_eq!(
                server
                    .get(&format!("/sobjects/Contact/{id}?fields=LastName"))
                    .await
                    .body["LastName"],
                format!("n{i}")
            );
        }
    }
}

#[tokio::test]
async fn rows_that_cannot_be_updated() {
    let server = Server::start().await;
    let id = server.create("Contact", json!({"LastName": "a"})).await;
    let gone = server.create("Contact", json!({"LastName": "b"})).await;
    let account = server.create("Account", json!({"Name": "c"})).await;
    server
        .send(server.request("DELETE", &format!("{V}/sobjects/Contact/{gone}")))
        .await;
    let records = json!([
        contact(json!({"id": id, "LastName": "A"})),
        contact(json!({"id": format!("{}zzzz", &id[..11]), "LastName": "x"})),
        contact(json!({"id": gone, "LastName": "x"})),
        contact(json!({"id": account, "LastName": "x"})),
        contact(json!({"LastName": "x"})),
        {"id": id, "LastName": "x"},
        {"attributes": {"type": "Nope"}, "id": id},
    ]);
    // The id of row 0 is named again by the last two: all three would be duplicates; name it once here.
    let mut records = records;
    records[5]["id"] = json!(format!("{}yyyy", &id[..11]));
    records[6]["id"] = json!(null);
    let done = server
        .call("PATCH", "/composite/sobjects", json!({"records": records}))
        .await;
    let expected = [
        "ok",
        "INVALID_CROSS_REFERENCE_KEY", // R nango
        "ENTITY_IS_DELETED",
        "MALFORMED_ID", // V:D-ERR
        "MISSING_ARGUMENT",
        "JSON_PARSER_ERROR", // R nango
        "INVALID_TYPE",
    ];
    assert_eq!(codes(&done.body), expected);
    assert_eq!(
        done.body[1],
        json!({"success": false, "errors": [{"statusCode": "INVALID_CROSS_REFERENCE_KEY", "message": "invalid cross reference id", "fields": []}]})
    );
    assert_eq!(
        done.body[5]["errors"][0]["message"],
        "Nested object for polymorphic foreign key must have an attributes field before any other fields."
    );
    assert_eq!(
        done.body[3]["errors"][0]["message"],
        format!("Contact ID: id value of incorrect type: {account}")
    );
}

#[tokio::test]
async fn all_or_none_undoes_everything() {
    let server = Server::start().await;
    let records = json!([
        contact(json!({"LastName": "a", "Tandem_Key__c": "a"})),
        contact(json!({})),
        contact(json!({"LastName": "c"}))
    ]);
    for (method, path) in [
        ("POST", "/composite/sobjects"),
        ("PATCH", "/composite/sobjects/Contact/Id"),
    ] {
        let done = server
            .call(method, path, json!({"allOrNone": true, "records": records}))
            .await;
        assert_eq!(done.status, 200);
        assert_eq!(
            codes(&done.body),
            [ROLLED_BACK, "REQUIRED_FIELD_MISSING", ROLLED_BACK],
            "V:JSF-CRUDTEST"
        );
        assert_eq!(count(&server).await, 0);
    }
    // The key of the undone row is free again.
    let id = server
        .create("Contact", json!({"LastName": "a", "Tandem_Key__c": "a"}))
        .await;
    let ids = format!("/composite/sobjects?ids={id},003000000000000&allOrNone=true");
    let done = server.send(server.request("DELETE", &format!("{V}{ids}"))).await;
    assert_eq!(codes(&done.body), [ROLLED_BACK, "INVALID_CROSS_REFERENCE_KEY"]);
    assert_eq!(count(&server).await, 1);
}

#[tokio::test]
async fn upsert_tells_what_it_created() {
    let server = Server::start().await;
    server
        .create("Contact", json!({"LastName": "old", "Tandem_Key__c": "1"}))
        .await;
    let records = json!([
        contact(json!({"Tandem_Key__c": "1", "LastName": "new"})),
        contact(json!({"Tandem_Key__c": "2", "LastName": "two"})),
        contact(json!({"Tandem_Key__c": "3"})),
        contact(json!({"LastName": "no key"})),
        contact(json!({"Tandem_Key__c": "4", "LastName": "x"})),
        contact(json!({"Tandem_Key__c": "4", "LastName": "y"})),
    ]);
    let done = server
        .call(
            "PATCH",
            "/composite/sobjects/Contact/Tandem_Key__c",
            json!({"records": records}),
        )
        .await;
    // V:CCI-CASS for created; M: the words and the code of keys named twice.
    assert_eq!(
        codes(&done.body),
        [
            "ok",
            "ok",
            "REQUIRED_FIELD_MISSING",
            "MISSING_ARGUMENT",
            "DUPLICATE_VALUE",
            "DUPLICATE_VALUE"
        ]
    );
    let created: Vec<&Value> = done.body.as_array().unwrap().iter().map(|r| &r["created"]).collect();
    assert_eq!(
        created,
        [
            &json!(false),
            &json!(true),
            &json!(false),
            &json!(false),
            &json!(false),
            &json!(false)
        ]
    );
    let unknown = server
        .call("PATCH", "/composite/sobjects/Contact/LastName", json!({"records": []}))
        .await;
    assert_eq!(unknown.refusal(), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn bounds_of_a_call() {
    let server = Server::start().await;
    let rows: Vec<Value> = (0..201).map(|i| contact(json!({"LastName": format!("{i}")}))).collect();
    let done = server
        .call("POST", "/composite/sobjects", json!({"records": rows}))
        .await;
    assert_eq!(done.refusal(), (400, "EXCEEDED_ID_LIMIT"), "M");
    let mixed = |runs: usize| -> Vec<Value> {
        (0..runs)
            .map(|i| {
                if i % 2 == 0 {
                    contact(json!({"LastName": "x"}))
                } else {
                    json!({"attributes": {"type": "Account"}, "Name": "y"})
                }
            })
            .collect()
    };
    let ten = server
        .call("POST", "/composite/sobjects", json!({"records": mixed(10)}))
        .await;
    assert_eq!(codes(&ten.body), ["ok"; 10], "V:D-COLCRE: ten runs of types");
    let eleven = server
        .call("POST", "/composite/sobjects", json!({"records": mixed(11)}))
        .await;
    assert_eq!(eleven.refusal().0, 400);
    assert_eq!(count(&server).await, 5);
    for body in ["{", "[]", r#"{"records":{}}"#] {
        let request = server
            .request("POST", &format!("{V}/composite/sobjects"))
            .header("content-type", "application/json")
            .body(body);
        assert_eq!(server.send(request).await.status, 400, "V:D-COLCRE: malformed is 400");
    }
}

#[tokio::test]
async fn ids_named_twice() {
    let server = Server::start().await;
    let id = server.create("Contact", json!({"LastName": "a"})).await;
    // 15 and 18 characters are one id.
    let records = json!([
        contact(json!({"id": id, "LastName": "x"})),
        contact(json!({"Id": &id[..15], "LastName": "y"}))
    ]);
    let done = server
        .call("PATCH", "/composite/sobjects", json!({"records": records}))
        .await;
    assert_eq!(codes(&done.body), ["DUPLICATE_VALUE", "DUPLICATE_VALUE"], "M");
}

#[tokio::test]
async fn retrieve_keeps_the_order_and_says_null() {
    let server = Server::start().await;
    let one = server.create("Contact", json!({"LastName": "one"})).await;
    let two = server.create("Contact", json!({"LastName": "two"})).await;
    let account = server.create("Account", json!({"Name": "a"})).await;
    let ids = [two.as_str(), "003000000000000", account.as_str(), one.as_str()];
    let got = server
        .get(&format!(
            "/composite/sobjects/Contact?ids={}&fields=LastName",
            ids.join(",")
        ))
        .await;
    let posted = server
        .call(
            "POST",
            "/composite/sobjects/Contact",
            json!({"ids": ids, "fields": ["LastName"]}),
        )
        .await;
    for answer in [got, posted] {
        assert_eq!(answer.body[0]["LastName"], "two");
        assert_eq!((&answer.body[1], &answer.body[2]), (&Value::Null, &Value::Null), "M");
        assert_eq!(
            answer.body[3]["attributes"]["url"],
            format!("{V}/sobjects/Contact/{one}")
        );
    }
}

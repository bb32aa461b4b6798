//! SOQL over HTTP (contract 2.3 and 5).

use serde_json::{Value, json};

use crate::server::{Server, V};

fn names(body: &Value) -> Vec<&str> {
    body["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["LastName"].as_str().unwrap())
        .collect()
}

async fn fill(server: &Server, rows: usize) {
    for start in (0..rows).step_by(200) {
        let records: Vec<Value> = (start..rows.min(start + 200))
            .map(|i| json!({"attributes": {"type": "Contact"}, "LastName": format!("n{i:05}"), "Tandem_Seq__c": i}))
            .collect();
        server
            .call("POST", "/composite/sobjects", json!({"records": records}))
            .await;
    }
}

#[tokio::test]
async fn conditions() {
    let server = Server::start().await;
    let account = server
        .create("Account", json!({"Name": "Acme", "Tandem_Key__c": "A"}))
        .await;
    for row in [
        json!({"LastName": "ann", "Email": "Ann@Example.com", "Tandem_Seq__c": 1, "AccountId": account, "Birthdate": "2000-01-01"}),
        json!({"LastName": "Bob", "Tandem_Seq__c": 2, "Status__c": "Active"}),
        json!({"LastName": "cid_x", "Tandem_Key__c": "Key", "AccountId": account}),
    ] {
        server.create("Contact", row).await;
    }
    for (condition, expected) in [
        ("LastName = 'ANN'", vec!["ann"]),
        ("LastName != 'ann'", vec!["Bob", "cid_x"]),
        ("Email = 'ann@example.com'", vec!["ann"]),
        ("Tandem_Key__c = 'key'", vec![]),
        ("Tandem_Key__c = 'Key'", vec!["cid_x"]),
        ("Tandem_Key__c IN ('Key', 'x') AND LastName LIKE 'c%'", vec!["cid_x"]),
        ("LastName LIKE '%\\_x'", vec!["cid_x"]),
        ("LastName LIKE '_o_'", vec!["Bob"]),
        ("Tandem_Seq__c = null", vec!["cid_x"]),
        ("Tandem_Seq__c != null AND Tandem_Seq__c <= 1", vec!["ann"]),
        ("Tandem_Seq__c IN (2, 3)", vec!["Bob"]),
        ("Tandem_Seq__c = 2", vec!["Bob"]),
        ("Tandem_Seq__c NOT IN (2, 3)", vec!["ann", "cid_x"]),
        ("Account.Name = 'acme'", vec!["ann", "cid_x"]),
        ("Account.Owner.IsActive = true AND NOT (Birthdate = null)", vec!["ann"]),
        ("Birthdate < 2000-01-02", vec!["ann"]),
        (
            "SystemModstamp > 2020-01-01T00:00:00Z AND Status__c = 'active'",
            vec!["Bob"],
        ),
        ("CreatedDate > 2999-01-01T00:00:00.000+0000", vec![]),
    ] {
        let found = server
            .query(&format!(
                "SELECT LastName FROM Contact WHERE {condition} ORDER BY LastName"
            ))
            .await;
        assert_eq!(found.status, 200, "{condition}: {}", found.text);
        assert_eq!(names(&found.body), expected, "{condition}");
    }
    let nested = server
        .query("SELECT Account.Name, Account.Owner.Name FROM Contact ORDER BY LastName DESC LIMIT 2")
        .await;
    assert_eq!(
        nested.body["records"][0]["Account"]["Owner"]["Name"],
        "Integration User"
    );
    assert_eq!(nested.body["records"][1]["Account"], Value::Null);
    // V:CCI-CASS: count() has the number and no rows; R cci: count(Id) is an AggregateResult with expr0.
    let count = server.query("SELECT count() FROM Contact").await;
    assert_eq!(count.body, json!({"totalSize": 3, "done": true, "records": []}));
    let count = server.query("select count(Id), max(Tandem_Seq__c) from Contact").await;
    assert_eq!(
        count.body["records"],
        json!([{"attributes": {"type": "AggregateResult"}, "expr0": 3, "expr1": 2}])
    );
}

#[tokio::test]
async fn pages() {
    let server = Server::start().await;
    fill(&server, 2_500).await;
    let first = server
        .query("SELECT LastName FROM Contact ORDER BY Tandem_Seq__c")
        .await;
    assert_eq!(
        (&first.body["totalSize"], &first.body["done"]),
        (&json!(2_500), &json!(false))
    );
    assert_eq!(names(&first.body).len(), 2_000, "V:D-QOPT");
    let next = first.body["nextRecordsUrl"].as_str().unwrap();
    // Observed 2026: 0r8…, 18 characters, dash, offset.
    let locator = next.strip_prefix(&format!("{V}/query/")).unwrap();
    assert!(
        locator.starts_with("0r8") && locator.ends_with("-2000") && locator.len() == 23,
        "{locator}"
    );
    let last = server.send(server.request("GET", next)).await;
    assert_eq!(
        (
            &last.body["totalSize"],
            &last.body["done"],
            last.body.get("nextRecordsUrl")
        ),
        (&json!(2_500), &json!(true), None)
    );
    assert_eq!(names(&last.body)[0], "n02000");
    assert_eq!(names(&last.body).len(), 500);
    // Observed 2026: a long text makes pages of 1000.
    let long = server.query("SELECT LastName, Description FROM Contact").await;
    assert_eq!(names(&long.body).len(), 1_000);
    let request = server
        .request("GET", &format!("{V}/query?q=SELECT+LastName+FROM+Contact"))
        .header("sforce-query-options", "batchSize=250");
    assert_eq!(names(&server.send(request).await.body).len(), 250);
    // Ten cursors a user: the eleventh ends the oldest (contract 5).
    for _ in 0..10 {
        server.query("SELECT Id FROM Contact").await;
    }
    assert_eq!(
        server.send(server.request("GET", next)).await.refusal(),
        (400, "INVALID_QUERY_LOCATOR")
    );
}

#[tokio::test]
async fn deleted_rows_are_seen_by_query_all_only() {
    let server = Server::start().await;
    let id = server
        .create("Contact", json!({"LastName": "gone", "Tandem_Key__c": "k"}))
        .await;
    server
        .call("DELETE", &format!("/sobjects/Contact/{id}"), Value::Null)
        .await;
    for (resource, condition, rows) in [
        ("query", "Id != null", 0),
        ("queryAll", "IsDeleted = true", 1),
        ("queryAll", "Tandem_Key__c = 'k'", 1),
    ] {
        let soql = format!("SELECT Id, IsDeleted FROM Contact WHERE {condition}");
        let found = server
            .send(
                server
                    .request("GET", &format!("{V}/{resource}/"))
                    .query(&[("q", &soql)]),
            )
            .await;
        assert_eq!(found.body["totalSize"], rows, "{resource} {condition}: {}", found.text);
    }
    assert_eq!(
        server.query("SELECT Id FROM Contact WHERE").await.refusal(),
        (400, "MALFORMED_QUERY")
    );
}

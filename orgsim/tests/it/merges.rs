//! Merges, converted leads, the recycle bin, duplicate and assignment rules.

use orgsim::Options;
use orgsim::schema::SchemaFile;
use serde_json::{Value, json};

use crate::server::{Server, V};

async fn edit(server: &Server, body: Value) -> crate::server::Answer {
    server.admin("POST", "/orgs/acme/edit", body).await
}

async fn with_rules(text: &str) -> Server {
    let file: SchemaFile = toml::from_str(text).unwrap();
    let schema = vec![file];
    Server::with(Options {
        schema,
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn a_merge_leaves_one_row_with_all_children() {
    let server = Server::start().await;
    let winner = server.create("Account", json!({"Name": "Acme"})).await;
    let loser = server
        .create("Account", json!({"Name": "Acme Inc", "Phone": "1"}))
        .await;
    let child = server
        .create("Contact", json!({"LastName": "Ng", "AccountId": loser}))
        .await;
    let merge = json!({"entity": "Account", "op": "merge", "id": winner, "losers": [loser], "fields": {"Phone": "1"}});
    let done = edit(&server, merge.clone()).await;
    assert_eq!(done.status, 200, "{}", done.text);
    let row = server
        .call("GET", &format!("/sobjects/Account/{winner}"), Value::Null)
        .await
        .body;
    assert_eq!((&row["Name"], &row["Phone"]), (&json!("Acme"), &json!("1")));
    let contact = server
        .call("GET", &format!("/sobjects/Contact/{child}"), Value::Null)
        .await
        .body;
    assert_eq!(contact["AccountId"], json!(winner));
    // Writes to the loser, and its place in queryAll and getDeleted.
    let late = server
        .call("PATCH", &format!("/sobjects/Account/{loser}"), json!({"Name": "x"}))
        .await;
    assert_eq!(late.refusal(), (404, "ENTITY_IS_DELETED"));
    let all = format!("{V}/queryAll?q=SELECT+Id,MasterRecordId+FROM+Account+WHERE+IsDeleted=true");
    let found = server.send(server.request("GET", &all)).await;
    assert_eq!(
        (
            &found.body["records"][0]["Id"],
            &found.body["records"][0]["MasterRecordId"]
        ),
        (&json!(loser), &json!(winner))
    );
    assert_eq!(edit(&server, merge).await.body[0]["errorCode"], "ENTITY_IS_DELETED");
    for (entity, losers) in [
        ("Account", json!([winner])),
        ("Account", json!([])),
        ("Contact", json!([winner])),
    ] {
        let id = if entity == "Account" { &winner } else { &child };
        let bad = edit(
            &server,
            json!({"entity": entity, "op": "merge", "id": id, "losers": losers}),
        )
        .await;
        assert_eq!(bad.body[0]["errorCode"], "MERGE_FAILED", "{}", bad.text);
    }
}

#[tokio::test]
async fn a_converted_lead_becomes_rows_and_takes_no_more_changes() {
    let server = Server::start().await;
    let lead = server
        .create(
            "Lead",
            json!({"LastName": "Ng", "Company": "Acme", "Email": "ng@acme.example"}),
        )
        .await;
    let convert = json!({"entity": "Lead", "op": "convert", "id": lead, "opportunity": "A deal"});
    let done = edit(&server, convert.clone()).await;
    assert_eq!(done.status, 200, "{}", done.text);
    let row = server
        .call("GET", &format!("/sobjects/Lead/{lead}"), Value::Null)
        .await
        .body;
    assert_eq!(
        (&row["IsConverted"], &row["Status"], &row["ConvertedContactId"]),
        (&json!(true), &json!("Closed - Converted"), &done.body["id"])
    );
    let found = server.query("SELECT Account.Name, Email FROM Contact").await.body;
    assert_eq!(
        (&found["records"][0]["Account"]["Name"], &found["records"][0]["Email"]),
        (&json!("Acme"), &json!("ng@acme.example"))
    );
    let deal = server
        .query("SELECT Id FROM Opportunity WHERE Name = 'A deal' AND Account.Name = 'Acme'")
        .await
        .body;
    assert_eq!(deal["records"][0]["Id"], row["ConvertedOpportunityId"]);
    let late = server
        .call("PATCH", &format!("/sobjects/Lead/{lead}"), json!({"Phone": "1"}))
        .await;
    assert_eq!(late.refusal(), (400, "CANNOT_UPDATE_CONVERTED_LEAD"));
    assert_eq!(
        edit(&server, convert).await.body[0]["errorCode"],
        "CANNOT_UPDATE_CONVERTED_LEAD"
    );
}

#[tokio::test]
async fn the_recycle_bin_is_emptied_by_age_and_by_hand() {
    let server = Server::start().await;
    let mut ids = Vec::new();
    for name in ["old", "purged", "back", "kept"] {
        ids.push(server.create("Account", json!({"Name": name})).await);
    }
    for id in &ids[..3] {
        server
            .call("DELETE", &format!("/sobjects/Account/{id}"), Value::Null)
            .await;
    }
    let ops = [("purge", 1), ("undelete", 2)];
    for (op, at) in ops {
        let done = edit(&server, json!({"entity": "Account", "op": op, "id": ids[at]})).await;
        assert_eq!(done.status, 200, "{op}: {}", done.text);
    }
    let rows = async |deleted: bool| {
        let path = format!("/orgs/acme/records/Account?deleted={deleted}&fields=Name");
        let rows = server.admin("GET", &path, Value::Null).await.body;
        rows.as_array()
            .unwrap()
            .iter()
            .map(|r| r["Name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(true).await, ["old"]);
    let days = |days: i64| json!({"offset_ms": days * 86_400_000 + 60_000});
    for (after, left) in [(14, 1), (15, 0)] {
        server.admin("POST", "/clock", days(after)).await;
        // Any look of a person at the rows counts.
        edit(
            &server,
            json!({"entity": "Account", "op": "update", "id": ids[3], "fields": {"Phone": "1"}}),
        )
        .await;
        assert_eq!(rows(true).await.len(), left, "after {after} days");
    }
    assert_eq!(rows(false).await, ["back", "kept"]);
    let gone = edit(&server, json!({"entity": "Account", "op": "undelete", "id": ids[0]})).await;
    assert_eq!(gone.body[0]["errorCode"], "INVALID_CROSS_REFERENCE_KEY");
}

#[tokio::test]
async fn duplicate_rules_warn_or_block() {
    let server = with_rules(
        r#"
[[duplicate_rule]]
object = "Contact"
name = "Same_email"
fields = ["Email"]
on_create = "alert"
on_update = "block"
[[duplicate_rule]]
object = "Account"
name = "Same_name_and_site"
fields = ["Name", "Site"]
on_create = "block"
message = "There is one."
"#,
    )
    .await;
    let first = server
        .create("Contact", json!({"LastName": "Ng", "Email": "Ng@acme.example"}))
        .await;
    let twin = json!({"LastName": "N", "Email": "ng@ACME.example"});
    let refused = server.call("POST", "/sobjects/Contact", twin.clone()).await;
    assert_eq!(refused.refusal(), (400, "DUPLICATES_DETECTED"));
    let result = &refused.body[0]["duplicateResult"];
    assert_eq!(
        (&result["allowSave"], &result["duplicateRule"]),
        (&json!(true), &json!("Same_email"))
    );
    assert_eq!(
        result["matchResults"][0]["matchRecords"][0]["record"]["Id"],
        json!(first),
        "V:PY-DUP"
    );
    let record = json!({"attributes": {"type": "Contact"}, "LastName": "N", "Email": "ng@acme.example"});
    let rows = server
        .call("POST", "/composite/sobjects", json!({"records": [record]}))
        .await;
    let error = &rows.body[0]["errors"][0];
    assert_eq!(
        (&error["statusCode"], error.get("duplicateResult")),
        (&json!("DUPLICATES_DETECTED"), None),
        "V:D-ALLORNONE"
    );
    let url = format!("{V}/sobjects/Contact");
    let allowed = server
        .request("POST", &url)
        .header(
            "sforce-duplicate-rule-header",
            "allowSave=true; includeRecordDetails=false",
        )
        .json(&twin);
    let second = server.send(allowed).await;
    assert_eq!(second.status, 201, "{}", second.text);
    // An update that leaves the address alone is not looked at; one that touches it meets a block.
    let path = format!("/sobjects/Contact/{}", second.body["id"].as_str().unwrap());
    assert_eq!(server.call("PATCH", &path, json!({"Title": "T"})).await.status, 204);
    let touched = server
        .request("PATCH", &format!("{V}{path}"))
        .header("sforce-duplicate-rule-header", "allowSave=true")
        .json(&json!({"Email": "NG@acme.example"}));
    let blocked = server.send(touched).await;
    assert_eq!(blocked.refusal(), (400, "DUPLICATES_DETECTED"));
    assert_eq!(blocked.body[0]["duplicateResult"]["allowSave"], false);
    server.create("Account", json!({"Name": "Acme", "Site": "Rome"})).await;
    server.create("Account", json!({"Name": "Acme", "Site": "Oslo"})).await;
    server.create("Account", json!({"Name": "Acme"})).await;
    let same = server
        .call("POST", "/sobjects/Account", json!({"Name": "acme", "Site": "rome"}))
        .await;
    assert_eq!(
        (same.refusal(), &same.body[0]["message"]),
        ((400, "DUPLICATES_DETECTED"), &json!("There is one."))
    );
}

#[tokio::test]
async fn assignment_rules_change_owners_unless_the_header_says_no() {
    let server = with_rules(
        r#"
[[assignment_rule]]
object = "Lead"
owner = "human@acme.example"
criteria = "ISPICKVAL(LeadSource, 'Web')"
"#,
    )
    .await;
    let users = server.admin("GET", "/orgs/acme/users", Value::Null).await.body;
    let id = |login: &str| {
        users
            .as_array()
            .unwrap()
            .iter()
            .find(|u| u["username"].as_str().unwrap().starts_with(login))
            .unwrap()["user_id"]
            .clone()
    };
    let (human, integration) = (id("human@"), id("integration@"));
    for (header, source, owner) in [
        (None, "Web", &human),
        (Some("TRUE"), "Web", &human),
        (Some("FALSE"), "Web", &integration),
        (None, "Other", &integration),
    ] {
        let mut request = server.request("POST", &format!("{V}/sobjects/Lead"));
        if let Some(header) = header {
            request = request.header("sforce-auto-assign", header);
        }
        let made = server
            .send(request.json(&json!({"LastName": "l", "Company": "c", "LeadSource": source})))
            .await;
        let path = format!("/sobjects/Lead/{}", made.body["id"].as_str().unwrap());
        let row = server.call("GET", &path, Value::Null).await.body;
        assert_eq!(&row["OwnerId"], owner, "{header:?} {source}");
    }
}

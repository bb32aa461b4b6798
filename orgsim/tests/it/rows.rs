//! Single rows (contract 2.3) and what values they take (contract 7).

use serde_json::{Value, json};

use crate::server::{Server, V};

#[tokio::test]
async fn the_life_of_a_row() {
    let server = Server::start().await;
    let made = server
        .call(
            "POST",
            "/sobjects/Account/",
            json!({"Name": "  Acme ", "Industry": "", "NumberOfEmployees": "10000"}),
        )
        .await;
    assert_eq!(made.status, 201);
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(made.body, json!({"id": id, "success": true, "errors": []}), "V:RF-FIX");
    assert_eq!(made.header("location"), format!("{V}/sobjects/Account/{id}"), "R rfdb");
    assert_eq!(made.header("content-type"), "application/json;charset=UTF-8");
    assert_eq!(made.header("sforce-limit-info"), "api-usage=1/100000", "V:D-LIMINFO");
    let row = server.get(&format!("/sobjects/Account/{id}")).await;
    assert!(row.text.starts_with(r#"{"attributes":{"type":"Account","url":"#));
    assert_eq!(row.body["Name"], "Acme", "M: text is trimmed");
    assert_eq!(row.body["Industry"], Value::Null, "M: an empty text is null");
    assert_eq!(row.body["NumberOfEmployees"], 10_000, "R cci sends it as text");
    assert!(
        row.body["CreatedDate"].as_str().unwrap().ends_with(".000+0000"),
        "V:CCI-CASS"
    );
    let some = server
        .get(&format!("/sobjects/Account/{}?fields=Name,Id", &id[..15]))
        .await;
    assert_eq!(some.body.as_object().unwrap().len(), 3);
    let path = format!("/sobjects/Account/{id}");
    let changed = server.call("PATCH", &path, json!({"Name": "B"})).await;
    assert_eq!((changed.status.as_u16(), changed.text.as_str()), (204, ""), "V:D-ERR");
    let posted = server
        .call("POST", &format!("{path}?_HttpMethod=PATCH"), json!({"Name": "C"}))
        .await;
    assert_eq!(posted.status, 204, "M: method override");
    assert_eq!(
        server
            .send(server.request("DELETE", &format!("{V}{path}")))
            .await
            .status,
        204
    );
    let again = server.send(server.request("DELETE", &format!("{V}{path}"))).await;
    assert_eq!(again.status, 404);
    // R rfdb.
    assert_eq!(
        again.body,
        json!([{"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []}])
    );
    assert_eq!(
        server.call("PATCH", &path, json!({"Name": "D"})).await.refusal(),
        (404, "ENTITY_IS_DELETED")
    );
    // R cci: the code first, no fields.
    let gone = server.get(&path).await;
    assert_eq!(
        gone.text,
        r#"[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]"#
    );
}

#[tokio::test]
async fn upsert_by_external_id() {
    let server = Server::start().await;
    let upsert = async |version: u32, key: &str, body: Value| {
        let path = format!("/services/data/v{version}.0/sobjects/Contact/Tandem_Key__c/{key}");
        server.send(server.request("PATCH", &path).json(&body)).await
    };
    let body = json!({"LastName": "Bär"});
    // R rfdb at v29 (no created, 204), observed 2026 at v59 and later.
    for (version, key, status, created) in [
        (29, "old", 201, Value::Null),
        (29, "old", 204, Value::Null),
        (67, "a%2Fb%20%C3%A4", 201, json!(true)),
        (67, "a%2Fb%20%C3%A4", 200, json!(false)),
    ] {
        let answer = upsert(version, key, body.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["created"]),
            (status, &created),
            "v{version} {key}"
        );
    }
    let read = server
        .get("/sobjects/Contact/Tandem_Key__c/a%2Fb%20%C3%A4?fields=Tandem_Key__c")
        .await;
    assert_eq!(read.body["Tandem_Key__c"], "a/b ä");
    // The key is case-sensitive: another case is another row.
    assert_eq!(upsert(67, "OLD", body.clone()).await.status, 201);
    assert_eq!(
        upsert(67, "none?updateOnly=true", body.clone()).await.refusal(),
        (404, "NOT_FOUND")
    );
    let unknown = server.call("PATCH", "/sobjects/Contact/Nope__c/1", body).await;
    // F restforce.
    assert_eq!(
        unknown.body[0]["message"],
        "Provided external ID field does not exist or is not accessible: Nope__c"
    );
    assert_eq!(unknown.refusal(), (404, "NOT_FOUND"));
    let named = upsert(67, "old", json!({"LastName": "x", "Tandem_Key__c": "old"})).await;
    assert_eq!(named.refusal(), (400, "INVALID_FIELD"));
    // Contact.Email is an id lookup, not unique: several matches are 300 with the rows' URLs [V:D-UPSERT, F restforce].
    let email = json!({"LastName": "x", "Email": "x@example.com"});
    let (one, two) = (
        server.create("Contact", email.clone()).await,
        server.create("Contact", email).await,
    );
    let several = server
        .call(
            "PATCH",
            "/sobjects/Contact/Email/X@example.com",
            json!({"LastName": "y"}),
        )
        .await;
    assert_eq!(several.status, 300);
    assert_eq!(
        several.body,
        json!([
            format!("{V}/sobjects/Contact/{one}"),
            format!("{V}/sobjects/Contact/{two}")
        ])
    );
}

#[tokio::test]
async fn values_that_are_refused() {
    let server = Server::start().await;
    let account = server.create("Account", json!({"Name": "a"})).await;
    let gone = server.create("Account", json!({"Name": "gone"})).await;
    server
        .send(server.request("DELETE", &format!("{V}/sobjects/Account/{gone}")))
        .await;
    let missing = format!("{}zzzz", &account[..11]);
    let contact = server
        .create("Contact", json!({"LastName": "taken", "Tandem_Key__c": "k"}))
        .await;
    let long = "é".repeat(81);
    for (field, value, code, named) in [
        ("LastName", json!(null), "REQUIRED_FIELD_MISSING", true),
        ("LastName", json!("   "), "REQUIRED_FIELD_MISSING", true),
        ("LastName", json!(long), "STRING_TOO_LONG", true),
        (
            "Status__c",
            json!("Nope"),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            true,
        ),
        ("Email", json!("nobody"), "INVALID_EMAIL_ADDRESS", true),
        ("AccountId", json!("42"), "MALFORMED_ID", true),
        ("AccountId", json!(contact), "MALFORMED_ID", true),
        ("AccountId", json!(missing), "INVALID_CROSS_REFERENCE_KEY", true),
        (
            "AccountId",
            json!(gone),
            "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
            true,
        ),
        ("Tandem_Seq__c", json!(1e15), "NUMBER_OUTSIDE_VALID_RANGE", true),
        ("Tandem_Seq__c", json!("many"), "JSON_PARSER_ERROR", false),
        ("Birthdate", json!("2024-02-30"), "JSON_PARSER_ERROR", false),
        ("Email", json!({"a": 1}), "JSON_PARSER_ERROR", false),
        ("Nope__c", json!(1), "INVALID_FIELD", false),
        (
            "CreatedDate",
            json!("2024-01-01T00:00:00Z"),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            true,
        ),
        ("Name", json!("x"), "INVALID_FIELD_FOR_INSERT_UPDATE", true),
        ("Tandem_Key__c", json!("k"), "DUPLICATE_VALUE", false),
        ("Account", json!({"Tandem_Key__c": "nobody"}), "INVALID_FIELD", false),
        ("Account", json!({"Name": "a"}), "INVALID_FIELD", false),
        (
            "Account",
            json!({"Tandem_Key__c": "a", "Id": "b"}),
            "INVALID_FIELD",
            false,
        ),
        // R nango.
        (
            "Account",
            json!({"Tandem_Key__c": "a", "attributes": {"type": "Account"}}),
            "JSON_PARSER_ERROR",
            false,
        ),
    ] {
        let mut body = json!({"LastName": "x"});
        body[field] = value.clone();
        let answer = server.call("POST", "/sobjects/Contact", body).await;
        assert_eq!(answer.refusal(), (400, code), "{field} {value}: {}", answer.text);
        if named {
            assert_eq!(answer.body[0]["fields"], json!([field]), "{field} {value}");
        }
    }
    // C go-salesforce#133.
    let twice = server
        .call(
            "POST",
            "/sobjects/Contact",
            json!({"LastName": "x", "Tandem_Key__c": "k"}),
        )
        .await;
    let text = format!("duplicate value found: Tandem_Key__c duplicates value on record with id: {contact}");
    assert_eq!(
        twice.body,
        json!([{"message": text, "errorCode": "DUPLICATE_VALUE", "fields": []}])
    );
    // V:JSF-B2TEST, V:I-dojo-762.
    let missing = server.call("POST", "/sobjects/Opportunity", json!({"Amount": 1})).await;
    assert_eq!(
        missing.body[0]["message"],
        "Required fields are missing: [Name, StageName, CloseDate]"
    );
    let long = server
        .call(
            "PATCH",
            &format!("/sobjects/Contact/{contact}"),
            json!({"LastName": "x".repeat(81)}),
        )
        .await;
    assert!(long.body[0]["message"].as_str().unwrap().ends_with("(max length=80)"));
    for (path, code) in [
        ("/sobjects/Nope", "NOT_FOUND"),
        ("/sobjects/Account/42", "NOT_FOUND"),
        ("/nope", "NOT_FOUND"),
    ] {
        assert_eq!(server.get(path).await.refusal(), (404, code), "{path}");
    }
    assert_eq!(
        server
            .send(server.request("PUT", &format!("{V}/sobjects/Account")))
            .await
            .refusal()
            .0,
        405
    );
}

#[tokio::test]
async fn values_that_follow_from_others() {
    let server = Server::start().await;
    let account = server
        .create(
            "Account",
            json!({"Name": "a", "Tandem_Key__c": "42", "BillingCity": "Bern"}),
        )
        .await;
    let row = server.get(&format!("/sobjects/Account/{account}")).await.body;
    // Observed 2026: lower-case parts; null when all parts are.
    assert_eq!(row["BillingAddress"]["city"], "Bern");
    assert_eq!(row["ShippingAddress"], Value::Null);
    let parent = json!({"FirstName": "A", "LastName": "B", "Account": {"Tandem_Key__c": "42"}});
    let contact = server.create("Contact", parent).await;
    let row = server.get(&format!("/sobjects/Contact/{contact}")).await.body;
    assert_eq!(
        (&row["Name"], &row["AccountId"]),
        (&json!("A B"), &json!(account)),
        "V:D-UPSERT"
    );
    let deal = json!({"Name": "o", "StageName": "Closed Won", "CloseDate": "2026-01-02", "Amount": 12.5});
    let deal = server.create("Opportunity", deal).await;
    let row = server.get(&format!("/sobjects/Opportunity/{deal}")).await.body;
    for (field, value) in [
        ("IsWon", json!(true)),
        ("Probability", json!(100)),
        ("ExpectedRevenue", json!(12.5)),
        ("CloseDate", json!("2026-01-02")),
    ] {
        assert_eq!(row[field], value, "M: {field}");
    }
    // Children that the describe says follow their parent go and come with it [R cci: cascadeDelete].
    server
        .send(server.request("DELETE", &format!("{V}/sobjects/Account/{account}")))
        .await;
    assert_eq!(server.get(&format!("/sobjects/Contact/{contact}")).await.status, 404);
    server
        .admin(
            "POST",
            "/orgs/acme/edit",
            json!({"entity": "Account", "op": "undelete", "id": account}),
        )
        .await;
    assert_eq!(server.get(&format!("/sobjects/Contact/{contact}")).await.status, 200);
}

#[tokio::test]
async fn selected_values_have_the_order_of_their_list_and_owners_are_active() {
    let file = toml::from_str(
        "[[field]]\nobject = \"Account\"\nname = \"Regions__c\"\ntype = \"multipicklist\"\nvalues = [\"North\", \"East\", \"South\"]",
    );
    let server = Server::with(orgsim::Options {
        schema: vec![file.unwrap()],
        ..orgsim::Options::default()
    })
    .await;
    let id = server
        .create(
            "Account",
            json!({"Name": "a", "Regions__c": "South; North;Other;South"}),
        )
        .await;
    let path = format!("/sobjects/Account/{id}");
    let row = server.call("GET", &path, Value::Null).await.body;
    assert_eq!(row["Regions__c"], "North;South;Other");
    let many: Vec<String> = (0..101).map(|n| format!("v{n}")).collect();
    let refused = server.call("PATCH", &path, json!({"Regions__c": many.join(";")})).await;
    assert_eq!(refused.refusal(), (400, "TOO_MANY_ENUM_VALUE"));
    let made = server
        .admin(
            "POST",
            "/orgs/acme/users",
            json!({"username": "gone@acme.example", "active": false}),
        )
        .await;
    let refused = server
        .call("PATCH", &path, json!({"OwnerId": made.body["user_id"]}))
        .await;
    assert_eq!(refused.refusal(), (400, "INACTIVE_OWNER_OR_USER"));
}

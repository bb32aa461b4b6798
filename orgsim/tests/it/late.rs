//! Rows that become visible later than their stamp, and rows that parallel writers have locked.

use serde_json::{Value, json};

use crate::server::{Server, V};

async fn edit(server: &Server, body: Value) -> crate::server::Answer {
    server.admin("POST", "/orgs/acme/edit", body).await
}

#[tokio::test]
async fn a_late_commit_appears_behind_the_readers_cursor() {
    let server = Server::start().await;
    let row = json!({"LastName": "Late", "Tandem_Key__c": "late"});
    let late = json!({"entity": "Contact", "op": "create", "fields": row, "visible_after_ms": 600_000});
    let made = edit(&server, late).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let id = made.body["id"].as_str().unwrap();
    let seen = async || {
        server
            .query("SELECT Id FROM Contact WHERE LastName = 'Late'")
            .await
            .body["totalSize"]
            .clone()
    };
    assert_eq!(seen().await, 0);
    assert_eq!(
        server
            .call("GET", &format!("/sobjects/Contact/{id}"), Value::Null)
            .await
            .status,
        404
    );
    // Its unique key is taken already.
    let taken = server
        .call(
            "PATCH",
            "/sobjects/Contact/Tandem_Key__c/late",
            json!({"LastName": "x"}),
        )
        .await;
    assert_eq!(taken.refusal(), (400, "UNABLE_TO_LOCK_ROW"));
    server.admin("POST", "/clock", json!({"offset_ms": 300_000})).await;
    let other = server.create("Contact", json!({"LastName": "Other"})).await;
    let now = server.admin("GET", "/clock", Value::Null).await.body["now_ms"]
        .as_i64()
        .unwrap();
    let at = |ms: i64| {
        jiff::Timestamp::from_millisecond(ms)
            .unwrap()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string()
    };
    let window = format!(
        "/sobjects/Contact/updated/?start={}&end={}",
        at(now - 1_200_000),
        at(now + 60_000)
    );
    let covered = async || {
        let answer = server.call("GET", &window, Value::Null).await.body;
        let text = answer["latestDateCovered"].as_str().unwrap().replace("+0000", "Z");
        (
            text.parse::<jiff::Timestamp>().unwrap().as_millisecond(),
            answer["ids"].as_array().unwrap().len(),
        )
    };
    let (before, ids) = covered().await;
    assert!(
        before <= now - 240_000 && ids == 1,
        "back to the start of the open transaction: {before} of {now}"
    );
    server.admin("POST", "/clock", json!({"offset_ms": 601_000})).await;
    assert_eq!(seen().await, 1);
    let rows = server
        .query("SELECT Id FROM Contact ORDER BY SystemModstamp")
        .await
        .body;
    assert_eq!(
        (&rows["records"][0]["Id"], &rows["records"][1]["Id"]),
        (&json!(id), &json!(other)),
        "stamped before, seen after"
    );
    let (after, ids) = covered().await;
    assert!(after > before && ids == 2);
    let history = server
        .admin("GET", "/orgs/acme/history/Contact?key=late", Value::Null)
        .await
        .body;
    assert_eq!(history[0]["kind"], "create");
}

#[tokio::test]
async fn rows_of_an_open_transaction_are_locked_as_they_were() {
    let server = Server::start().await;
    let id = server.create("Contact", json!({"LastName": "Before"})).await;
    let path = format!("/sobjects/Contact/{id}");
    let late = json!({"entity": "Contact", "op": "update", "id": id, "fields": {"LastName": "After"}, "visible_after_ms": 60_000});
    edit(&server, late).await;
    let name = async || server.call("GET", &path, Value::Null).await.body["LastName"].clone();
    assert_eq!(name().await, "Before");
    for (method, body) in [("PATCH", json!({"Title": "T"})), ("DELETE", Value::Null)] {
        let locked = server.call(method, &path, body).await;
        assert_eq!(locked.refusal(), (400, "UNABLE_TO_LOCK_ROW"), "{method}");
        assert!(locked.body[0]["message"].as_str().unwrap().ends_with(&id));
    }
    server.admin("POST", "/clock", json!({"offset_ms": 61_000})).await;
    assert_eq!(name().await, "After");
    assert_eq!(server.call("PATCH", &path, json!({"Title": "T"})).await.status, 204);
    let bad = json!({"entity": "Contact", "op": "update", "id": id, "fields": {}, "visible_after_ms": 1e12});
    assert_eq!(edit(&server, bad).await.status, 400);
}

#[tokio::test]
async fn a_parent_does_not_go_while_a_child_is_locked() {
    let server = Server::start().await;
    let account = server.create("Account", json!({"Name": "Acme"})).await;
    let contact = server
        .create("Contact", json!({"LastName": "c", "AccountId": account}))
        .await;
    let late = json!({"entity": "Contact", "op": "update", "id": contact, "fields": {"Title": "T"}, "visible_after_ms": 60_000});
    assert_eq!(edit(&server, late).await.status, 200);
    let path = format!("/sobjects/Account/{account}");
    let locked = server.call("DELETE", &path, Value::Null).await;
    assert_eq!(locked.refusal(), (400, "UNABLE_TO_LOCK_ROW"));
    server.admin("POST", "/clock", json!({"offset_ms": 61_000})).await;
    assert_eq!(server.call("DELETE", &path, Value::Null).await.status, 204);
}

#[tokio::test]
async fn parallel_writers_of_one_account_meet_its_lock() {
    let server = Server::start().await;
    let account = server.create("Account", json!({"Name": "Acme"})).await;
    let set = json!({"write_ms": 60_000});
    assert_eq!(server.admin("POST", "/orgs/acme/limits", set).await.status, 200);
    let contact = |n: u32| json!({"LastName": format!("{n}"), "AccountId": account});
    let url = format!("{}{V}/sobjects/Contact", server.simulator.http_url());
    let slow = server
        .client
        .post(url)
        .bearer_auth(server.token())
        .json(&contact(1))
        .send();
    let slow = tokio::spawn(slow);
    // The first writer's row is there as soon as it has the lock.
    while server.query("SELECT Id FROM Contact").await.body["totalSize"] == 0 {
        tokio::task::yield_now().await;
    }
    let set = json!({"write_ms": 0});
    server.admin("POST", "/orgs/acme/limits", set).await;
    let locked = server.call("POST", "/sobjects/Contact", contact(2)).await;
    assert_eq!(locked.refusal(), (400, "UNABLE_TO_LOCK_ROW"));
    assert!(
        locked.body[0]["message"].as_str().unwrap().ends_with(&account),
        "{}",
        locked.text
    );
    // Rows of no account are free.
    server.create("Contact", json!({"LastName": "free"})).await;
    slow.abort();
}

#[tokio::test]
async fn a_cursor_is_its_users_alone() {
    let server = Server::start().await;
    let rows: Vec<Value> = (0..201).map(|n| json!({"Name": format!("{n}")})).collect();
    server
        .admin("POST", "/orgs/acme/load", json!({"entity": "Account", "rows": rows}))
        .await;
    let url = format!("{V}/query?q=SELECT+Id+FROM+Account");
    let first = server
        .send(
            server
                .request("GET", &url)
                .header("sforce-query-options", "batchSize=200"),
        )
        .await;
    let next = first.body["nextRecordsUrl"].as_str().unwrap();
    let org = &server.orgs[0];
    let login = format!("{}/services/oauth2/token", server.simulator.http_url());
    let users = server.admin("GET", "/orgs/acme/users", Value::Null).await.body;
    let human = users
        .as_array()
        .unwrap()
        .iter()
        .find(|u| u["username"].as_str().unwrap().starts_with("human@"))
        .unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let form = [
        ("grant_type", "password".to_owned()),
        ("client_id", text(&org["client_id"])),
        ("client_secret", text(&org["client_secret"])),
        ("username", text(&human["username"])),
        ("password", text(&human["password"])),
    ];
    let token: Value = server
        .client
        .post(login)
        .form(&form)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let foreign = server
        .client
        .get(format!("{}{next}", server.simulator.http_url()))
        .bearer_auth(token["access_token"].as_str().unwrap());
    let refused: Value = foreign.send().await.unwrap().json().await.unwrap();
    assert_eq!(refused[0]["errorCode"], "UNAUTHORIZED_USER_FOR_CURSOR", "V:D-CODES");
    assert_eq!(server.send(server.request("GET", next)).await.body["done"], true);
}

//! Query jobs and their results (contract 4.4).

use serde_json::{Value, json};

use crate::bulk::{ENDED, job, rules, run, until};
use crate::server::{Answer, Server, V};

async fn make(server: &Server, body: Value) -> String {
    let made = server.call("POST", "/jobs/query", body).await;
    assert_eq!(
        (made.status.as_u16(), &made.body["state"]),
        (200, &json!("UploadComplete")),
        "{}",
        made.text
    );
    made.body["id"].as_str().unwrap().to_owned()
}

fn soql(text: &str) -> Value {
    json!({"operation": "query", "query": text})
}

/// Makes a query and waits until it is done.
async fn done(server: &Server, body: Value) -> String {
    let id = make(server, body).await;
    let job = until(server, "query", &id, &ENDED).await;
    assert_eq!(job["state"], "JobComplete");
    id
}

async fn results(server: &Server, id: &str, parameters: &str) -> Answer {
    server.get(&format!("/jobs/query/{id}/results{parameters}")).await
}

/// So many accounts, named n0000 and so on.
async fn fill(server: &Server, rows: usize) {
    let mut data = String::from("Name\n");
    (0..rows).for_each(|i| data.push_str(&format!("n{i:04}\n")));
    run(server, job("insert", "Account"), &data).await;
}

#[tokio::test]
async fn a_query_from_its_making_to_its_end() {
    let server = Server::start().await;
    let account = server
        .create(
            "Account",
            json!({"Name": "Acme, \"Inc\"", "NumberOfEmployees": 5, "AnnualRevenue": 7}),
        )
        .await;
    let id = server
        .create(
            "Contact",
            json!({"LastName": "a", "AccountId": account, "Birthdate": "2024-02-29", "Tandem_Seq__c": 2}),
        )
        .await;
    server.create("Contact", json!({"LastName": "b"})).await;
    let text = "SELECT Account.Name, Id, account.NumberOfEmployees, Account.AnnualRevenue, Birthdate, IsDeleted, \
                Tandem_Seq__c, Title, CreatedDate FROM Contact ORDER BY LastName";
    let job = make(&server, soql(text)).await;
    let shown = until(&server, "query", &job, &ENDED).await;
    // V:JSF-BULK2: no errorMessage, no ingest counts.
    let expected = json!({
        "id": job, "operation": "query", "object": "Contact", "createdById": server.orgs[0]["user_id"],
        "createdDate": shown["createdDate"], "systemModstamp": shown["systemModstamp"], "state": "JobComplete",
        "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": 67.0, "jobType": "V2Query", "lineEnding": "LF",
        "columnDelimiter": "COMMA", "numberRecordsProcessed": 2, "retries": 0,
        "totalProcessingTime": shown["totalProcessingTime"], "isPkChunkingSupported": true,
    });
    assert_eq!(shown, expected);
    let page = results(&server, &job, "").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/csv"));
    assert_eq!(
        (page.header("sforce-numberofrecords"), page.header("sforce-locator")),
        ("2", "null"),
        "V:D-BQRES"
    );
    let stamp = page.text.lines().nth(1).unwrap().rsplit(',').next().unwrap().to_owned();
    assert!(stamp.ends_with(".000Z\""), "contract 7.2: {stamp}");
    let rows = format!(
        "\"Account.Name\",\"Id\",\"Account.NumberOfEmployees\",\"Account.AnnualRevenue\",\"Birthdate\",\"IsDeleted\",\
         \"Tandem_Seq__c\",\"Title\",\"CreatedDate\"\n\
         \"Acme, \"\"Inc\"\"\",\"{id}\",\"5\",\"7.0\",\"2024-02-29\",\"false\",\"2.0\",\"\",{stamp}\n\"\",\""
    );
    assert!(page.text.starts_with(&rows), "{}", page.text);
    let empty = done(&server, soql("SELECT Id FROM Contact WHERE LastName = 'none'")).await;
    let page = results(&server, &empty, "/").await;
    assert_eq!(
        (page.text.as_str(), page.header("sforce-numberofrecords")),
        ("\"Id\"\n", "0")
    );
    assert_eq!(page.header("sforce-locator"), "null");
}

#[tokio::test]
async fn other_dialects_and_deleted_rows() {
    let server = Server::start().await;
    let id = server.create("Account", json!({"Name": "a"})).await;
    server
        .call("DELETE", &format!("/sobjects/Account/{id}"), Value::Null)
        .await;
    for (operation, rows) in [("query", 0), ("queryAll", 1)] {
        let body = json!({"operation": operation, "query": "SELECT Name, IsDeleted FROM Account",
            "columnDelimiter": "PIPE", "lineEnding": "CRLF", "contentType": "CSV"});
        let page = results(&server, &done(&server, body).await, "").await;
        let expected = ["\"Name\"|\"IsDeleted\"\r\n", "\"a\"|\"true\"\r\n"][..=rows].concat();
        assert_eq!(page.text, expected, "{operation}");
    }
}

#[tokio::test]
async fn pages_and_their_locators() {
    let server = Server::start().await;
    fill(&server, 25).await;
    let id = done(&server, soql("SELECT Name FROM Account ORDER BY Name")).await;
    let (mut locator, mut names, mut pages) = (String::new(), Vec::new(), Vec::new());
    while locator != "null" {
        let parameters = format!("?maxRecords=10&locator={locator}");
        let page = results(&server, &id, &parameters).await;
        assert_eq!(page.text.lines().next(), Some("\"Name\""), "each page has the header");
        names.extend(page.text.lines().skip(1).map(str::to_owned));
        let again = results(&server, &id, &parameters).await;
        assert_eq!(
            (again.text, again.headers["sforce-locator"].clone()),
            (page.text.clone(), page.headers["sforce-locator"].clone())
        );
        locator = page.header("sforce-locator").to_owned();
        pages.push(page.header("sforce-numberofrecords").to_owned());
    }
    assert_eq!(pages, ["10", "10", "5"]);
    let expected: Vec<String> = (0..25).map(|i| format!("\"n{i:04}\"")).collect();
    assert_eq!(names, expected);
    let other = done(&server, soql("SELECT Name FROM Account")).await;
    let first = results(&server, &id, "?maxRecords=10").await;
    let foreign = first.header("sforce-locator");
    for (id, locator) in [(&other, foreign), (&id, "x"), (&id, "MTAwMDA")] {
        let refused = results(&server, id, &format!("?locator={locator}")).await;
        assert_eq!(refused.refusal(), (400, "INVALID_LOCATOR"));
    }
    assert_eq!(results(&server, &id, "?maxRecords=0").await.refusal().0, 400);
    let older = format!("/services/data/v62.0/jobs/query/{id}/results");
    let older = server.send(server.request("GET", &older)).await;
    assert_eq!(older.status, 409, "V:D-BQRES");
}

#[tokio::test]
async fn result_pages_side_by_side() {
    let server = Server::start().await;
    fill(&server, 33).await;
    let id = done(&server, soql("SELECT Name FROM Account ORDER BY Name")).await;
    let first = server
        .get(&format!("/jobs/query/{id}/resultPages?maxRecords=5"))
        .await
        .body;
    assert_eq!(
        (first["resultPages"].as_array().unwrap().len(), &first["done"]),
        (5, &json!(false)),
        "V:D-BQPAR"
    );
    let next = first["nextRecordsUrl"]
        .as_str()
        .unwrap()
        .replace("resultPages", "resultpages");
    let last = server.send(server.request("GET", &next)).await.body;
    assert_eq!((&last["done"], &last["nextRecordsUrl"]), (&json!(true), &Value::Null));
    let mut names = Vec::new();
    for url in [&first, &last]
        .iter()
        .flat_map(|list| list["resultPages"].as_array().unwrap())
    {
        let page = server
            .send(server.request("GET", url["resultUrl"].as_str().unwrap()))
            .await;
        names.extend(page.text.lines().skip(1).map(str::to_owned));
    }
    let expected: Vec<String> = (0..33).map(|i| format!("\"n{i:04}\"")).collect();
    assert_eq!(names, expected);
    // Before v58 there is no such list.
    let path = |v: u32| format!("/services/data/v{v}.0/jobs/query");
    for (version, status) in [(57, 404), (58, 200)] {
        let made = server
            .request("POST", &path(version))
            .json(&soql("SELECT Name FROM Account"));
        let made = server.send(made).await.body;
        assert_eq!(made["apiVersion"], f64::from(version));
        let id = made["id"].as_str().unwrap();
        until(&server, "query", id, &ENDED).await;
        let pages = server.request("GET", &format!("{}/{id}/resultPages", path(version)));
        assert_eq!(server.send(pages).await.status, status);
    }
}

#[tokio::test]
async fn results_do_not_change_and_come_packed() {
    let server = Server::start().await;
    fill(&server, 300).await;
    let id = done(&server, soql("SELECT Id, Name FROM Account")).await;
    let before = results(&server, &id, "").await.text;
    fill(&server, 5).await;
    assert_eq!(results(&server, &id, "").await.text, before);
    let url = format!("{}{V}/jobs/query/{id}/results", server.simulator.http_url());
    let plain = reqwest::Client::builder().no_gzip().build().unwrap();
    let packed = plain
        .get(url)
        .bearer_auth(server.token())
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip", "V:D-BQRES");
    let mut text = String::new();
    let bytes = packed.bytes().await.unwrap();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text).unwrap();
    assert_eq!(text, before);
}

#[tokio::test]
async fn what_a_bulk_query_may_not_say() {
    let server = Server::start().await;
    for (text, code, words) in [
        (
            "SELECT MailingAddress FROM Contact",
            "FUNCTIONALITY_NOT_ENABLED",
            "Selecting compound data not supported in Bulk Query",
        ),
        (
            "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
            "API_ERROR",
            "Aggregate Relationships not supported in Bulk V2 Query with CSV content type",
        ),
        (
            "SELECT LastName FROM Contact GROUP BY LastName",
            "API_ERROR",
            "Implementation restriction",
        ),
        (
            "SELECT Id FROM Contact LIMIT 1 OFFSET 1",
            "API_ERROR",
            "Implementation restriction",
        ),
        (
            "SELECT TYPEOF Owner WHEN User THEN Name END FROM Contact",
            "API_ERROR",
            "Implementation restriction",
        ),
        (
            "SELECT COUNT(Id) FROM Contact",
            "API_ERROR",
            "Implementation restriction",
        ),
        ("SELECT Nope FROM Contact", "INVALID_FIELD", ""),
        ("SELECT Id FROM Nope", "INVALID_TYPE", ""),
        ("", "MALFORMED_QUERY", ""),
    ] {
        let refused = server.call("POST", "/jobs/query", soql(text)).await;
        assert_eq!(refused.refusal(), (400, code), "{text}");
        assert!(
            refused.body[0]["message"].as_str().unwrap().starts_with(words),
            "{}",
            refused.text
        );
    }
    let insert = json!({"operation": "insert", "query": "SELECT Id FROM Contact"});
    assert_eq!(
        server.call("POST", "/jobs/query", insert).await.refusal(),
        (400, "JSON_PARSER_ERROR")
    );
}

#[tokio::test]
async fn queries_that_are_ended_and_forgotten() {
    let server = Server::start().await;
    rules(&server, json!([{"kind": "bulk_delay", "ms": 100}])).await;
    let id = make(&server, soql("SELECT Id FROM Account")).await;
    let path = format!("/jobs/query/{id}");
    assert_eq!(results(&server, &id, "").await.refusal(), (400, "INVALIDJOBSTATE"), "M");
    assert_eq!(
        server.call("DELETE", &path, Value::Null).await.refusal(),
        (400, "API_ERROR"),
        "M"
    );
    let aborted = server.call("PATCH", &path, json!({"state": "Aborted"})).await;
    assert_eq!(
        (aborted.status.as_u16(), &aborted.body["state"]),
        (200, &json!("Aborted"))
    );
    assert_eq!(results(&server, &id, "").await.refusal(), (400, "INVALIDJOBSTATE"));
    assert_eq!(server.call("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(server.get(&path).await.refusal(), (404, "NOT_FOUND"));
    rules(&server, json!([{"kind": "bulk_fail_after", "path": "/jobs/query"}])).await;
    let id = make(&server, soql("SELECT Id FROM Account")).await;
    let failed = until(&server, "query", &id, &ENDED).await;
    assert_eq!(
        (&failed["state"], failed.get("errorMessage")),
        (&json!("Failed"), None),
        "V:JSF-BULK2"
    );
    // A job of one kind is none of the other.
    assert_eq!(server.get(&format!("/jobs/ingest/{id}")).await.status, 404);
}

#[tokio::test]
async fn parents_of_several_kinds_show_their_own_fields() {
    let server = Server::start().await;
    let contact = server.create("Contact", json!({"LastName": "c"})).await;
    let lead = server.create("Lead", json!({"LastName": "l", "Company": "x"})).await;
    for who in [&contact, &lead] {
        server.create("Task", json!({"Subject": "s", "WhoId": who})).await;
    }
    let id = done(
        &server,
        soql("SELECT Who.LastName, Who.Type, Owner.Username FROM Task ORDER BY Id"),
    )
    .await;
    let user = server.orgs[0]["username"].as_str().unwrap();
    let expected = format!(
        "\"Who.LastName\",\"Who.Type\",\"Owner.Username\"\n\"c\",\"Contact\",\"{user}\"\n\"l\",\"Lead\",\"{user}\"\n"
    );
    assert_eq!(results(&server, &id, "").await.text, expected);
}

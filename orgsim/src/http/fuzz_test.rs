//! Requests of any bytes: methods, paths, ids, parameters, headers and bodies, through the router to the rows and back.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use axum::body::Body;
use http::Request;
use serde_json::Value;

use super::{Cut, request, work};
use crate::mutate::Fuzz;
use crate::simulator::Options;
use crate::world::World;

/// The parts of an input: method and path with parameters, one header, body.
const PARTS: char = '\n';

/// What a request comes to: nothing when it is none, else status and the first error's code.
async fn ask(world: &Arc<World>, token: &str, text: &str) -> String {
    let mut parts = text.splitn(4, PARTS);
    let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (header, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut built = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"));
    if let Some((name, value)) = header.split_once(':') {
        built = built.header(name, value.trim());
    }
    let Ok(built) = built.body(Body::from(body.to_owned())) else {
        return String::new();
    };
    let (parts, body) = built.into_parts();
    let (reply, cut) = match request::read(parts, body).await {
        Ok(call) => work(world, call).await,
        Err(refusal) => (refusal, Cut::Whole),
    };
    assert_eq!(cut, Cut::Whole);
    // A refused SOAP call has this status.
    assert!(reply.status != 500 || reply.body.contains("Fault"), "{text}");
    let json = reply
        .headers
        .iter()
        .any(|(name, value)| name == "content-type" && value.contains("json"));
    let value: Value = match serde_json::from_str(&reply.body) {
        Ok(value) => value,
        Err(error) => {
            assert!(!json || method == "HEAD", "{text}: {error}");
            Value::Null
        }
    };
    format!("{} {}", reply.status, value[0]["errorCode"])
}

/// Cases between two new worlds: rows and jobs must not pile up.
const CASES_A_WORLD: u64 = 20_000;

/// A world whose calls never run out, and a token of its org.
fn fresh() -> (Arc<World>, String) {
    let options = Options {
        daily_calls: u64::MAX,
        ..Options::default()
    };
    let world = Arc::new(World::new(&options).unwrap());
    let token = world.describe_orgs()[0]["access_token"].as_str().unwrap().to_owned();
    (world, token)
}

#[test]
fn fuzz_requests() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = RefCell::new(fresh());
    let base = "/services/data/v67.0";
    let row =
        "GET\n/services/data/v67.0/sobjects/User/".to_owned() + &world.borrow().0.orgs[0].identity.human.id + "\n\n";
    let corpus: Vec<String> = [
        "GET\nB/sobjects/Account/describe\nif-modified-since: Wed, 6 May 2026 00:00:00 GMT\n",
        "POST\nB/sobjects/Account\n\n{\"Name\":\"a\",\"AnnualRevenue\":1e3}",
        "PATCH\nB/sobjects/Contact/Tandem_Key__c/a%2Fb%20c?updateOnly=true\nsforce-auto-assign: FALSE\n{\"LastName\":\"x\",\"Account\":{\"Tandem_Key__c\":\"1\"}}",
        "DELETE\nB/composite/sobjects?ids=001000000000001AAA,003xx&allOrNone=true\n\n",
        "GET\nB/query?q=SELECT+Id,Name+FROM+Account+WHERE+Name+LIKE+'a%25'&columns=true\nsforce-query-options: batchSize=200\n",
        "GET\nB/query/0r8xx5R2yF2gs3VASQ-2000\n\n",
        "GET\nB/sobjects/Account/updated/?start=2026-11-01T00:00:00Z&end=2026-11-02T00:00:00%2B00:00\n\n",
        "POST\nB/composite\n\n{\"allOrNone\":true,\"compositeRequest\":[{\"method\":\"POST\",\"url\":\"/services/data/v67.0/sobjects/Account\",\"referenceId\":\"a\",\"body\":{\"Name\":\"x\"}},{\"method\":\"GET\",\"url\":\"/services/data/v67.0/sobjects/Account/@{a.id}\",\"referenceId\":\"b\"}]}",
        "POST\nB/composite/batch\n\n{\"batchRequests\":[{\"method\":\"GET\",\"url\":\"v67.0/limits\"}]}",
        "POST\nB/composite/graph\n\n{\"graphs\":[{\"graphId\":\"g\",\"compositeRequest\":[{\"method\":\"POST\",\"url\":\"/services/data/v67.0/sobjects/Account\",\"referenceId\":\"a\",\"body\":{\"Name\":\"x\"}}]}]}",
        "POST\nB/composite/tree/Account\n\n{\"records\":[{\"attributes\":{\"type\":\"Account\",\"referenceId\":\"r\"},\"Name\":\"a\",\"Contacts\":{\"records\":[]}}]}",
        "PATCH\nB/composite/sobjects/Contact/Tandem_Key__c\n\n{\"records\":[{\"attributes\":{\"type\":\"Contact\"},\"Tandem_Key__c\":\"k\",\"LastName\":\"l\"}]}",
        "POST\nB/jobs/ingest\n\n{\"object\":\"Contact\",\"operation\":\"insert\",\"lineEnding\":\"LF\"}",
        "GET\nB/jobs/ingest/750000000000001AAA/failedResults/\n\n",
        "POST\n/services/oauth2/token\ncontent-type: application/x-www-form-urlencoded\ngrant_type=refresh_token&refresh_token=x&client_id=y",
        "POST\n/services/Soap/u/67.0\nsoapaction: login\n<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body><login><username>a</username><password>b</password></login></e:Body></e:Envelope>",
        "GET\nB/event/eventSchema/KxC1P8xW4-iTJxZQ6PlZpw?payloadFormat=COMPACT\n\n",
    ]
    .iter()
    .map(|text| text.replace("B/", &format!("{base}/")))
    .chain([row])
    .collect();
    let words = [
        "GET\n",
        "POST\n",
        "PATCH\n",
        "PUT\n",
        "HEAD\n",
        "/services/data/",
        "v67.0/",
        "v0.0/",
        "v99999999999999999999.0/",
        "//",
        "..",
        "%2e%2e",
        "%00",
        "%ff",
        "%",
        "\\",
        "?",
        "&",
        "=",
        "sobjects/",
        "Account/",
        "Contact/",
        "User/",
        "describe",
        "updated/",
        "deleted/",
        "query",
        "queryAll",
        "composite/",
        "sobjects?ids=",
        "jobs/query",
        "results?locator=",
        "maxRecords=",
        "limits/",
        "recordCount?sObjects=",
        "Id/",
        "Tandem_Key__c/",
        "001000000000001AAA",
        "00100000000000",
        "-1",
        "9223372036854775808",
        "null",
        "[]",
        "{}",
        "[[[[",
        "\"attributes\":",
        "if-match: *",
        "sforce-duplicate-rule-header: allowSave=true",
        "content-encoding: gzip",
        "_HttpMethod=PATCH",
        "é",
        "\u{202e}",
    ];
    let fuzz = Fuzz {
        name: "requests",
        corpus: corpus.into_iter().map(String::into_bytes).collect(),
        words: &words,
        cases: 2_000,
    };
    let asked = Cell::new(0_u64);
    fuzz.run(|bytes| {
        if asked.replace(asked.get() + 1).is_multiple_of(CASES_A_WORLD) {
            world.replace(fresh());
        }
        let (world, token) = &*world.borrow();
        runtime.block_on(ask(world, token, &String::from_utf8_lossy(bytes)))
    });
}

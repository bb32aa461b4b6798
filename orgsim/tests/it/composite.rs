//! Several calls in one (contract 3.1, 3.3, 3.5).

use serde_json::{Value, json};

use crate::server::{Answer, Server, V};

const ROLLED_BACK: &str = "The transaction was rolled back since another operation in the same transaction failed.";

fn part(reference: &str, method: &str, path: &str, body: Value) -> Value {
    let mut part = json!({"referenceId": reference, "method": method, "url": format!("{V}{path}")});
    if !body.is_null() {
        part["body"] = body;
    }
    part
}

async fn composite(server: &Server, all_or_none: bool, parts: Vec<Value>) -> Answer {
    let body = json!({"allOrNone": all_or_none, "compositeRequest": parts});
    server.call("POST", "/composite", body).await
}

/// Reference, status and the first error's code of each answer.
fn outcomes(answer: &Answer) -> Vec<(String, u64, String)> {
    let told = answer.body["compositeResponse"].as_array().unwrap();
    told.iter()
        .map(|t| {
            (
                t["referenceId"].as_str().unwrap().to_owned(),
                t["httpStatusCode"].as_u64().unwrap(),
                t["body"][0]["errorCode"].as_str().unwrap_or("").to_owned(),
            )
        })
        .collect()
}

async fn count(server: &Server, sobject: &str) -> u64 {
    let counted = server.query(&format!("SELECT count() FROM {sobject}")).await;
    counted.body["totalSize"].as_u64().unwrap()
}

#[tokio::test]
async fn references_reach_into_earlier_answers() {
    let server = Server::start().await;
    let answer = composite(
        &server,
        false,
        vec![
            part("acc", "POST", "/sobjects/Account", json!({"Name": "Acme"})),
            part(
                "con",
                "POST",
                "/sobjects/Contact",
                json!({"LastName": "L", "AccountId": "@{acc.id}"}),
            ),
            part("read", "GET", "/sobjects/Account/@{acc.id}?fields=Id,Name", Value::Null),
            part(
                "list",
                "GET",
                "/query?q=SELECT+Id,+Account.Name+FROM+Contact+WHERE+AccountId+=+'@{read.Id}'",
                Value::Null,
            ),
            part(
                "renamed",
                "PATCH",
                "/sobjects/Contact/@{list.records[0].Id}",
                json!({"FirstName": "@{read.Name}"}),
            ),
        ],
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let told = &answer.body["compositeResponse"];
    let statuses: Vec<u64> = outcomes(&answer).iter().map(|(_, status, _)| *status).collect();
    assert_eq!(statuses, [201, 201, 200, 200, 204], "{}", answer.text);
    let id = told[0]["body"]["id"].as_str().unwrap();
    assert_eq!(
        told[0]["httpHeaders"]["Location"],
        format!("{V}/sobjects/Account/{id}"),
        "M"
    );
    assert_eq!(told[3]["body"]["records"][0]["Account"]["Name"], "Acme");
    assert_eq!(told[4]["body"], Value::Null);
    let named = server.query("SELECT Name FROM Contact").await;
    assert_eq!(named.body["records"][0]["Name"], "Acme L");
}

#[tokio::test]
async fn one_call_is_counted_and_a_batch_by_its_parts() {
    let server = Server::start().await;
    let parts = (0..25).map(|i| part(&format!("r{i}"), "POST", "/sobjects/Account", json!({"Name": "A"})));
    let answer = composite(&server, false, parts.collect()).await;
    assert_eq!(answer.header("sforce-limit-info"), "api-usage=1/100000", "V:D-COMPPOST");
    let rows: Vec<Value> = (0..3)
        .map(|_| json!({"method": "POST", "url": "v67.0/sobjects/Account", "richInput": {"Name": "B"}}))
        .collect();
    let batch = server
        .call("POST", "/composite/batch", json!({"batchRequests": rows}))
        .await;
    assert_eq!(batch.header("sforce-limit-info"), "api-usage=4/100000", "V:D-BATCH-JA");
}

#[tokio::test]
async fn without_all_or_none_only_what_refers_to_a_failed_one_is_halted() {
    let server = Server::start().await;
    let answer = composite(
        &server,
        false,
        vec![
            part("bad", "POST", "/sobjects/Account", json!({})),
            part(
                "depends",
                "POST",
                "/sobjects/Contact",
                json!({"LastName": "L", "AccountId": "@{bad.id}"}),
            ),
            part("stands", "POST", "/sobjects/Contact", json!({"LastName": "M"})),
        ],
    )
    .await;
    let expected = [
        ("bad", 400, "REQUIRED_FIELD_MISSING"),
        ("depends", 400, "PROCESSING_HALTED"),
        ("stands", 201, ""),
    ];
    assert_eq!(
        outcomes(&answer),
        expected.map(|(r, s, c)| (r.to_owned(), s, c.to_owned()))
    );
    assert_eq!(count(&server, "Contact").await, 1);
}

#[tokio::test]
async fn all_or_none_takes_everything_back_and_collections_still_say_success() {
    let server = Server::start().await;
    let kept = server.create("Account", json!({"Name": "kept"})).await;
    let rows = json!({"records": [{"attributes": {"type": "Contact"}, "LastName": "C"}]});
    let answer = composite(
        &server,
        true,
        vec![
            part("made", "POST", "/sobjects/Account", json!({"Name": "A"})),
            part(
                "renamed",
                "PATCH",
                &format!("/sobjects/Account/{kept}"),
                json!({"Name": "other"}),
            ),
            part("rows", "POST", "/composite/sobjects", rows),
            part("gone", "DELETE", &format!("/sobjects/Account/{kept}"), Value::Null),
            part("bad", "POST", "/sobjects/Contact", json!({})),
            part("never", "POST", "/sobjects/Account", json!({"Name": "N"})),
        ],
    )
    .await;
    let halted = "PROCESSING_HALTED";
    let expected = [
        ("made", 400, halted),
        ("renamed", 400, halted),
        ("rows", 200, ""),
        ("gone", 400, halted),
        ("bad", 400, "REQUIRED_FIELD_MISSING"),
        ("never", 400, halted),
    ];
    assert_eq!(
        outcomes(&answer),
        expected.map(|(r, s, c)| (r.to_owned(), s, c.to_owned()))
    );
    let told = &answer.body["compositeResponse"];
    assert_eq!(told[0]["body"][0]["message"], ROLLED_BACK, "V:D-ALLORNONE");
    assert_eq!(told[2]["body"][0]["success"], true, "V:D-ALLORNONE: the trap");
    assert_eq!(
        (count(&server, "Account").await, count(&server, "Contact").await),
        (1, 0)
    );
    let row = server.get(&format!("/sobjects/Account/{kept}?fields=Name")).await;
    assert_eq!(row.body["Name"], "kept");
}

#[tokio::test]
async fn a_refused_row_of_a_collection_takes_the_whole_call_back() {
    let server = Server::start().await;
    let rows =
        json!({"records": [{"attributes": {"type": "Contact"}, "LastName": "C"}, {"attributes": {"type": "Contact"}}]});
    let answer = composite(
        &server,
        true,
        vec![
            part("made", "POST", "/sobjects/Account", json!({"Name": "A"})),
            part("rows", "POST", "/composite/sobjects", rows),
        ],
    )
    .await;
    let codes: Vec<u64> = outcomes(&answer).iter().map(|(_, status, _)| *status).collect();
    assert_eq!(codes, [400, 200]);
    let rows = &answer.body["compositeResponse"][1]["body"];
    assert_eq!(
        rows[0]["errors"][0]["statusCode"], "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "forced by the outer one"
    );
    assert_eq!(
        (count(&server, "Account").await, count(&server, "Contact").await),
        (0, 0)
    );
}

#[tokio::test]
async fn malformed_calls_are_refused_whole() {
    let server = Server::start().await;
    let fine = || part("a", "POST", "/sobjects/Account", json!({"Name": "A"}));
    let mut header = fine();
    header["httpHeaders"] = json!({"Authorization": "Bearer x"});
    let mut lower = fine();
    lower["method"] = json!("post");
    let query = |i: usize| part(&format!("q{i}"), "GET", "/query?q=SELECT+Id+FROM+User", Value::Null);
    let many = |n: usize| {
        (0..n)
            .map(|i| part(&format!("r{i}"), "GET", "/limits", Value::Null))
            .collect()
    };
    let calls: [(&str, Vec<Value>); 8] = [
        ("none", vec![]),
        ("26", many(26)),
        ("six that query", (0..6).map(query).collect()),
        ("one id twice", vec![fine(), fine()]),
        ("a forbidden header", vec![header]),
        ("a method in lower case", vec![lower]),
        (
            "a composite in a composite",
            vec![part("c", "POST", "/composite", json!({"compositeRequest": []}))],
        ),
        ("no url", vec![json!({"referenceId": "a", "method": "GET"})]),
    ];
    for (what, parts) in calls {
        let answer = composite(&server, false, parts).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.text);
        assert!(answer.body[0]["errorCode"].is_string(), "{what}: {}", answer.text);
    }
    assert_eq!(count(&server, "Account").await, 0, "V:D-BLOG17: nothing was run");
}

#[tokio::test]
async fn a_describe_tells_its_headers_inside() {
    let server = Server::start().await;
    let answer = composite(
        &server,
        false,
        vec![part("d", "GET", "/sobjects/Contact/describe", Value::Null)],
    )
    .await;
    let told = &answer.body["compositeResponse"][0];
    assert_eq!(told["httpStatusCode"], 200);
    assert_eq!(told["body"]["name"], "Contact");
    for name in ["ETag", "Last-Modified"] {
        assert!(told["httpHeaders"][name].is_string(), "observed 2026: {name}");
    }
}

#[tokio::test]
async fn a_batch_commits_each_part_and_halts_when_asked_to() {
    let server = Server::start().await;
    let row = |name: Value| json!({"method": "POST", "url": "v67.0/sobjects/Account", "richInput": {"Name": name}});
    let rows = || vec![row(json!("A")), row(Value::Null), row(json!("B"))];
    let answer = server
        .call("POST", "/composite/batch", json!({"batchRequests": rows()}))
        .await;
    let statuses = |a: &Answer| -> Vec<u64> {
        let results = a.body["results"].as_array().unwrap();
        results.iter().map(|r| r["statusCode"].as_u64().unwrap()).collect()
    };
    assert_eq!((answer.status.as_u16(), statuses(&answer)), (200, vec![201, 400, 201]));
    assert_eq!(answer.body["hasErrors"], true);
    let halting = json!({"haltOnError": true, "batchRequests": rows()});
    let answer = server.call("POST", "/composite/batch", halting).await;
    assert_eq!(statuses(&answer), [201, 400, 412], "V:D-BATCHREQ");
    assert_eq!(
        answer.body["results"][2]["result"][0]["errorCode"],
        "BATCH_PROCESSING_HALTED"
    );
    assert_eq!(count(&server, "Account").await, 3);
    let id = server.create("Account", json!({"Name": "C"})).await;
    let change = json!({"method": "PATCH", "url": format!("v67.0/sobjects/Account/{id}"), "richInput": {"Site": "S"}});
    let answer = server
        .call("POST", "/composite/batch", json!({"batchRequests": [change]}))
        .await;
    assert_eq!(answer.body["results"][0], json!({"statusCode": 204, "result": null}));
    assert_eq!(answer.body["hasErrors"], false);
}

#[tokio::test]
async fn each_graph_stands_or_falls_by_itself() {
    let server = Server::start().await;
    let family = |id: &str, last_name: Value| {
        json!({"graphId": id, "compositeRequest": [
            part("a", "POST", "/sobjects/Account", json!({"Name": id})),
            part("c", "POST", "/sobjects/Contact", json!({"LastName": last_name, "AccountId": "@{a.id}"})),
        ]})
    };
    let graphs = json!({"graphs": [family("g1", json!("L")), family("g2", Value::Null), family("g3", json!("M"))]});
    let answer = server.call("POST", "/composite/graph", graphs).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let successes: Vec<bool> = (0..3)
        .map(|i| answer.body["graphs"][i]["isSuccessful"].as_bool().unwrap())
        .collect();
    assert_eq!(successes, [true, false, true]);
    let told = &answer.body["graphs"][1]["graphResponse"]["compositeResponse"];
    assert_eq!(told[0]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(
        (count(&server, "Account").await, count(&server, "Contact").await),
        (2, 2)
    );
    assert_eq!(answer.header("sforce-limit-info"), "api-usage=1/100000", "M");
}

#[tokio::test]
async fn graphs_have_their_limits() {
    let server = Server::start().await;
    let node = |i: usize, body: Value| part(&format!("n{i}"), "POST", "/sobjects/Account", body);
    let chain = (0..16)
        .map(|i| {
            node(
                i,
                if i == 0 {
                    json!({"Name": "A"})
                } else {
                    json!({"Name": "B", "ParentId": format!("@{{n{}.id}}", i - 1)})
                },
            )
        })
        .collect::<Vec<_>>();
    let wide = |graphs: usize, nodes: usize| {
        let graph = |g: usize| json!({"graphId": format!("g{g}"), "compositeRequest": (0..nodes).map(|i| node(i, json!({"Name": "A"}))).collect::<Vec<_>>()});
        json!({"graphs": (0..graphs).map(graph).collect::<Vec<_>>()})
    };
    let queries =
        json!({"graphs": [{"graphId": "g", "compositeRequest": [part("q", "GET", "/query?q=x", Value::Null)]}]});
    for (what, body) in [
        ("76 graphs", wide(76, 1)),
        ("501 nodes", wide(3, 167)),
        (
            "16 levels",
            json!({"graphs": [{"graphId": "g", "compositeRequest": chain}]}),
        ),
        ("a query", queries),
        (
            "two graphs of one name",
            json!({"graphs": [wide(1, 1)["graphs"][0], wide(1, 1)["graphs"][0]]}),
        ),
    ] {
        let answer = server.call("POST", "/composite/graph", body).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.text);
    }
    assert_eq!(count(&server, "Account").await, 0);
    let answer = server.call("POST", "/composite/graph", wide(2, 250)).await;
    assert_eq!(
        (answer.status.as_u16(), count(&server, "Account").await),
        (200, 500),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn a_tree_grows_whole_or_not_at_all() {
    let server = Server::start().await;
    let contact = |reference: &str, name: Value| json!({"attributes": {"type": "Contact", "referenceId": reference}, "LastName": name});
    let tree = |second: Value| {
        json!({"records": [{"attributes": {"type": "Account", "referenceId": "a1"}, "Name": "A",
            "Contacts": {"records": [contact("c1", json!("L")), contact("c2", second)]}}]})
    };
    let answer = server.call("POST", "/composite/tree/Account", tree(Value::Null)).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    let results = &answer.body["results"];
    assert_eq!(
        (&answer.body["hasErrors"], &results[0]["referenceId"]),
        (&json!(true), &json!("c2"))
    );
    assert_eq!(results[0]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!(count(&server, "Account").await, 0, "V:TREE-NOTE: all or nothing");
    let answer = server.call("POST", "/composite/tree/Account", tree(json!("M"))).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let references: Vec<&str> = answer.body["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["referenceId"].as_str().unwrap())
        .collect();
    assert_eq!(references, ["a1", "c1", "c2"]);
    let children = server.query("SELECT Id FROM Contact WHERE Account.Name = 'A'").await;
    assert_eq!(children.body["totalSize"], 2);
    let wrong = json!({"records": [{"attributes": {"type": "Account", "referenceId": "a"}, "Name": "A", "Nobodies": {"records": []}}]});
    assert_eq!(server.call("POST", "/composite/tree/Account", wrong).await.status, 400);
}

//! What the admin port tells of itself.

use serde_json::{Map, Value};

use crate::server::Server;

/// The calls of a document: path, method and what is told of it.
fn calls(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, call)| (path, method, call))
    })
}

#[tokio::test]
async fn the_document_tells_which_methods_a_path_takes() {
    let server = Server::start().await;
    let document = server.admin("GET", "/openapi.json", Value::Null).await.body;
    assert_eq!(document["info"]["title"], "orgsim, admin port");
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        // No org has this name: a call that is served finds none, or a body that it does not like.
        let real = path.replace("{org}", "nowhere").replace("{entity}", "Contact");
        for method in ["get", "put", "post", "delete", "patch"] {
            let status = server.admin(&method.to_uppercase(), &real, Value::Null).await.status;
            let served = status != 405;
            assert_eq!(served, item.get(method).is_some(), "{method} {path}: {status}");
            asked += 1;
        }
    }
    assert!(asked >= 5 * 15, "{asked} calls");
}

#[tokio::test]
async fn every_example_is_accepted() {
    let server = Server::start().await;
    let document = server.admin("GET", "/openapi.json", Value::Null).await.body;
    let mut given = Vec::new();
    for (path, method, call) in calls(&document) {
        let example = &call["requestBody"]["content"]["application/json"]["example"];
        if example.is_null() {
            continue;
        }
        let real = path.replace("{org}", "acme");
        let answer = server.admin(&method.to_uppercase(), &real, example.clone()).await;
        assert_eq!(answer.status, 200, "{method} {path} with {example}: {}", answer.text);
        given.push(path);
    }
    assert!(given.len() >= 10, "{given:?}");
}

#[tokio::test]
async fn every_type_that_is_named_is_told() {
    let server = Server::start().await;
    let document = server.admin("GET", "/openapi.json", Value::Null).await.body;
    let types: &Map<String, Value> = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    let named: Vec<&str> = text
        .split("\"#/components/schemas/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(named.len() >= types.len(), "{named:?}");
    for name in named {
        assert!(types.contains_key(name), "{name}");
    }
}

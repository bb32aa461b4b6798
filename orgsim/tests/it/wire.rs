//! How requests and answers travel: packed, in pieces, too large, for several orgs.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use orgsim::Options;
use serde_json::{Value, json};

use crate::server::{Server, V};

fn records(rows: usize) -> Value {
    let records: Vec<Value> = (0..rows)
        .map(|i| json!({"attributes": {"type": "Account"}, "Name": format!("a{i}")}))
        .collect();
    json!({ "records": records })
}

#[tokio::test]
async fn packed_and_chunked_bodies() {
    let server = Server::start().await;
    let body = records(100).to_string();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(body.as_bytes()).unwrap();
    let path = format!("{V}/composite/sobjects");
    let request = server
        .request("POST", &path)
        .header("content-encoding", "gzip")
        .body(packed.finish().unwrap());
    assert_eq!(
        server.send(request).await.body.as_array().unwrap().len(),
        100,
        "V:D-HEADERS"
    );
    // jsforce sends no length: the body comes in chunks. This client tells the length, so the bytes are written by hand.
    let (mut stream, body) = (
        std::net::TcpStream::connect(&server.simulator.http_url()[7..]).unwrap(),
        r#"{"Name":"chunked"}"#,
    );
    let head = format!(
        "POST {V}/sobjects/Account HTTP/1.1\r\nhost: x\r\nauthorization: OAuth {}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        server.token()
    );
    let answer = tokio::task::spawn_blocking(move || {
        stream
            .write_all(format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).as_bytes())
            .unwrap();
        std::io::read_to_string(stream).unwrap()
    });
    assert!(answer.await.unwrap().starts_with("HTTP/1.1 201"));
    // The usual client unpacks and hides the header.
    let plain = reqwest::Client::builder().no_gzip().build().unwrap();
    let url = format!("{}{V}/sobjects/Account/describe", server.simulator.http_url());
    let raw = plain
        .get(url)
        .bearer_auth(server.token())
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(raw.headers()["content-encoding"], "gzip");
    assert_eq!(raw.bytes().await.unwrap()[..2], [0x1f, 0x8b]);
    let long = server.get(&format!("/query?q={}", "x".repeat(16_400))).await;
    assert_eq!(long.status, 414, "V:D-APILIM");
    assert!(long.text.contains("Bad Message 414"));
}

#[tokio::test]
async fn orgs_stay_apart() {
    let server = Server::with(Options {
        orgs: vec!["a".into(), "b".into()],
        ..Options::default()
    })
    .await;
    server.call("POST", "/composite/sobjects", records(3)).await;
    let other = server.orgs[1]["access_token"].as_str().unwrap();
    let url = format!("{}{V}/query", server.simulator.http_url());
    let query = server
        .client
        .get(url)
        .query(&[("q", "SELECT count() FROM Account")])
        .bearer_auth(other);
    let seen = server.send(query).await;
    assert_eq!(
        (&seen.body["totalSize"], seen.header("sforce-limit-info")),
        (&json!(0), "api-usage=1/100000")
    );
    let twice = orgsim::Simulator::start(Options {
        orgs: vec!["a".into(), "a".into()],
        ..Options::default()
    })
    .await;
    assert!(twice.is_err());
}

#[tokio::test]
async fn a_stopped_simulator_is_gone() {
    let server = Server::start().await;
    let url = server.simulator.http_url();
    server.simulator.shutdown().await;
    assert!(reqwest::get(url).await.unwrap_err().is_connect());
}

//! `tandem status` against a node's HTTP port.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use crate::process::{err, out, run};

/// Answers each path once, in this order, and says what was asked.
fn node(answers: Vec<(&'static str, &'static str)>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            asked.push(lines.next().unwrap().unwrap());
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let length = body.len();
            write!(stream, "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        }
        asked
    });
    (url, thread)
}

#[test]
fn all_pages_become_one_table() {
    let (url, thread) = node(vec![
        (
            "200 OK",
            r#"{"tenants":[{"tenant":"acme","state":"live","freshness_ms":1500,"machine":{"phase":"live","pending_records":3}}],"next":"acme"}"#,
        ),
        (
            "200 OK",
            r#"{"tenants":[{"tenant":"globex","state":"quiet"}],"next":null}"#,
        ),
    ]);
    let output = run(&["status", "--url", &url]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let text = out(&output);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1][..4], ["acme", "live", "live", "3"]);
    assert_eq!(lines[2][..2], ["globex", "quiet"]);
    assert_eq!(
        thread.join().unwrap(),
        ["GET /v1/tenants HTTP/1.1", "GET /v1/tenants?after=acme HTTP/1.1"]
    );
}

#[test]
fn one_tenant_in_full_and_one_that_is_not_there() {
    let (url, thread) = node(vec![
        ("200 OK", r#"{"tenant":"acme","machine":{"phase":"live"}}"#),
        (
            "404 Not Found",
            r#"{"error":{"code":"unknown_tenant","message":"no tenant 'acne'","remedy":"GET /v1/tenants lists them"}}"#,
        ),
    ]);
    let output = run(&["status", "acme", "--url", &url]);
    assert_eq!(out(&output), "machine.phase: live\ntenant: acme\n");
    let output = run(&["status", "acne", "--url", &url]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        err(&output).contains("no tenant 'acne'; GET /v1/tenants lists them"),
        "{}",
        err(&output)
    );
    assert_eq!(
        thread.join().unwrap(),
        ["GET /v1/tenants/acme HTTP/1.1", "GET /v1/tenants/acne HTTP/1.1"]
    );
}

#[test]
fn no_node_is_told_with_the_remedy() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = run(&["status", "--url", &format!("http://127.0.0.1:{port}")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("does not answer") && err(&output).contains("--url"),
        "{}",
        err(&output)
    );
}

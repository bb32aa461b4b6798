//! How the tests of bulk jobs speak to the simulator.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{Answer, Server, V};

/// How long a job may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes an ingest job that must be accepted; its id.
pub(crate) async fn open(server: &Server, job: Value) -> String {
    let made = server.call("POST", "/jobs/ingest", job).await;
    assert_eq!(made.status, 200, "{}", made.text);
    made.body["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn upload(server: &Server, id: &str, data: impl Into<Vec<u8>>) -> Answer {
    let request = server
        .request("PUT", &format!("{V}/jobs/ingest/{id}/batches"))
        .header("content-type", "text/csv")
        .body(data.into());
    server.send(request).await
}

pub(crate) async fn state(server: &Server, id: &str, state: &str) -> Answer {
    server
        .call("PATCH", &format!("/jobs/ingest/{id}"), json!({"state": state}))
        .await
}

/// Looks at a job of a kind until it has one of these states.
pub(crate) async fn until(server: &Server, kind: &str, id: &str, states: &[&str]) -> Value {
    let start = Instant::now();
    loop {
        let job = server.get(&format!("/jobs/{kind}/{id}")).await.body;
        if states.iter().any(|s| job["state"] == *s) {
            return job;
        }
        assert!(start.elapsed() < PATIENCE, "{job}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) const ENDED: [&str; 3] = ["JobComplete", "Failed", "Aborted"];

/// Runs an ingest job to its end; the job as it is shown then.
pub(crate) async fn run(server: &Server, job: Value, data: &str) -> Value {
    let id = open(server, job).await;
    let sent = upload(server, &id, data).await;
    assert_eq!((sent.status.as_u16(), sent.text.as_str()), (201, ""));
    let closed = state(server, &id, "UploadComplete").await;
    assert_eq!(
        (closed.status.as_u16(), &closed.body["state"]),
        (200, &json!("UploadComplete"))
    );
    until(server, "ingest", &id, &ENDED).await
}

/// Shorthand for the job of an operation on an object.
pub(crate) fn job(operation: &str, object: &str) -> Value {
    json!({"operation": operation, "object": object, "contentType": "CSV"})
}

/// One result file of a job.
pub(crate) async fn file(server: &Server, job: &Value, part: &str) -> String {
    let id = job["id"].as_str().unwrap();
    let answer = server.get(&format!("/jobs/ingest/{id}/{part}/")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, "text/csv")
    );
    answer.text
}

/// Rows of comma-separated, quoted CSV without line breaks or quotes in values; the header first, then sorted.
pub(crate) fn table(text: &str) -> Vec<Vec<String>> {
    let mut lines: Vec<Vec<String>> = text
        .lines()
        .map(|line| {
            let line = line.strip_prefix('"').and_then(|l| l.strip_suffix('"')).unwrap();
            line.split("\",\"").map(str::to_owned).collect()
        })
        .collect();
    if let Some(rows) = lines.get_mut(1..) {
        rows.sort_unstable();
    }
    lines
}

/// Errors of the failed rows, by the first submitted value.
pub(crate) async fn errors(server: &Server, job: &Value) -> Vec<(String, String)> {
    let rows = table(&file(server, job, "failedResults").await);
    let mut errors: Vec<_> = rows.into_iter().skip(1).map(|r| (r[2].clone(), r[1].clone())).collect();
    errors.sort_unstable();
    errors
}

pub(crate) async fn rules(server: &Server, rules: Value) {
    let set = server.admin("POST", "/orgs/acme/faults", json!({"rules": rules})).await;
    assert_eq!(set.status, 200, "{}", set.text);
}

pub(crate) async fn count(server: &Server, object: &str) -> u64 {
    let counted = server.query(&format!("SELECT count() FROM {object}")).await;
    counted.body["totalSize"].as_u64().unwrap()
}

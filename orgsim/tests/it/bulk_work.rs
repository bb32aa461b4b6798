//! How the rows of an ingest job are worked on: in chunks, under the org's rules, and with what goes wrong (contract 4.1).

use serde_json::{Value, json};

use crate::bulk::{count, errors, file, job, open, rules, run, state, until, upload};
use crate::server::Server;

#[tokio::test]
async fn results_come_in_another_order_and_in_chunks() {
    let server = Server::start().await;
    let mut data = String::from("Name\n");
    (0..1_000).for_each(|i| data.push_str(&format!("n{i:04}\n")));
    let done = run(&server, job("insert", "Account"), &data).await;
    assert_eq!(done["numberRecordsProcessed"], 1_000);
    let good = file(&server, &done, "successfulResults").await;
    let names: Vec<&str> = good.lines().skip(1).map(|l| l.rsplit(',').next().unwrap()).collect();
    assert_eq!(names.len(), 1_000);
    assert!(!names.is_sorted(), "M: not the upload's order");
    assert_eq!(
        good,
        file(&server, &done, "SUCCESSFULRESULTS").await,
        "the same each time"
    );
    let report = server.admin("GET", "/orgs/acme/calls", Value::Null).await.body;
    assert_eq!(report["rows"]["create"], 1_000);
    assert_eq!(report["total"], report["by"]["bulk"], "V:D-APILIM: each call counts");
}

#[tokio::test]
async fn the_fence_and_unique_keys_hold() {
    let server = Server::start().await;
    let id = server
        .create(
            "Contact",
            json!({"LastName": "a", "Tandem_Key__c": "1", "Tandem_Seq__c": 5}),
        )
        .await;
    let data = format!("Id,Tandem_Seq__c\n{id},4\n");
    let done = run(&server, job("update", "Contact"), &data).await;
    let words =
        "FIELD_CUSTOM_VALIDATION_EXCEPTION:Tandem: a newer change of this record was already written.:Tandem_Seq__c --";
    assert_eq!(errors(&server, &done).await, [(id.clone(), words.to_owned())]);
    let done = run(
        &server,
        job("insert", "Contact"),
        "LastName,Tandem_Key__c\nb,1\nc,2\nd,2\n",
    )
    .await;
    let told = errors(&server, &done).await;
    assert_eq!(told.len(), 2);
    assert!(
        told.iter()
            .all(|(_, e)| e.starts_with("DUPLICATE_VALUE:duplicate value found: Tandem_Key__c"))
    );
    let calls = server.admin("GET", "/orgs/acme/calls", Value::Null).await;
    assert_eq!(calls.body["fence_refusals"], 1);
}

#[tokio::test]
async fn an_abort_stops_between_chunks() {
    let server = Server::start().await;
    rules(
        &server,
        json!([{"kind": "bulk_delay", "ms": 60, "path": "/jobs/ingest"}]),
    )
    .await;
    let id = open(&server, job("insert", "Account")).await;
    let mut data = String::from("Name\n");
    (0..2_000).for_each(|i| data.push_str(&format!("n{i:04}\n")));
    upload(&server, &id, data).await;
    state(&server, &id, "UploadComplete").await;
    let working = until(&server, "ingest", &id, &["InProgress"]).await;
    assert_eq!(working["numberRecordsFailed"], 0);
    let aborted = state(&server, &id, "Aborted").await.body;
    let done = aborted["numberRecordsProcessed"].as_u64().unwrap();
    assert!(done < 2_000 && done % 200 == 0, "{done}");
    let rest = file(&server, &aborted, "unprocessedrecords").await;
    assert_eq!(rest.lines().next(), Some("Name"));
    assert_eq!(rest.lines().count() as u64 - 1, 2_000 - done);
    assert_eq!(rest.lines().nth(1), Some(format!("n{done:04}").as_str()));
    assert_eq!(count(&server, "Account").await, done);
    let good = file(&server, &aborted, "successfulResults").await;
    assert_eq!(good.lines().count() as u64 - 1, done);
}

#[tokio::test]
async fn a_job_that_fails_half_way() {
    let server = Server::start().await;
    rules(
        &server,
        json!([{"kind": "bulk_fail_after", "rows": 250, "body": "TooManyLockFailure : words"}]),
    )
    .await;
    let mut data = String::from("Name\n");
    (0..400).for_each(|i| data.push_str(&format!("n{i:04}\n")));
    let done = run(&server, job("insert", "Account"), &data).await;
    assert_eq!(
        (
            &done["state"],
            &done["errorMessage"],
            &done["numberRecordsProcessed"],
            &done["retries"]
        ),
        (
            &json!("Failed"),
            &json!("TooManyLockFailure : words"),
            &json!(250),
            &json!(20)
        )
    );
    let rest = file(&server, &done, "unprocessedRecords").await;
    assert_eq!((rest.lines().count(), rest.lines().nth(1)), (151, Some("n0250")));
    assert_eq!(count(&server, "Account").await, 250);
    let struck = server.admin("GET", "/orgs/acme/faults", Value::Null).await.body;
    assert_eq!(struck["rules"][0]["struck"], 1);
}

#[tokio::test]
async fn locks_hit_rows() {
    let server = Server::start().await;
    rules(
        &server,
        json!([{"kind": "lock", "percent": 30, "path": "/jobs/ingest"}]),
    )
    .await;
    let mut data = String::from("Name\n");
    (0..400).for_each(|i| data.push_str(&format!("n{i:04}\n")));
    let done = run(&server, job("insert", "Account"), &data).await;
    let failed = done["numberRecordsFailed"].as_u64().unwrap();
    assert!((60..=200).contains(&failed), "{failed} of 400 at 30 %");
    let told = errors(&server, &done).await;
    assert!(
        told.iter()
            .all(|(_, e)| e.starts_with("UNABLE_TO_LOCK_ROW:unable to obtain exclusive access"))
    );
    assert_eq!(done["state"], "JobComplete");
}

//! How the rows of an ingest job are worked on: in chunks, under the org's rules, and with what goes wrong (contract 4.1).

use serde_json::{Value, json};

use crate::bulk::{count, errors, file, job, open, rules, run, state, until, upload};
use crate::server::{Server, V};

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

#[tokio::test]
async fn each_chunk_is_one_transaction_of_the_bulk_api() {
    let server = Server::start().await;
    let made = server
        .request("POST", &format!("{V}/jobs/ingest"))
        .header("sforce-call-options", "client=loader, defaultNamespace=x")
        .json(&job("insert", "Contact"));
    let id = server.send(made).await.body["id"].as_str().unwrap().to_owned();
    let mut data = String::from("LastName,Tandem_Key__c\n");
    (0..401).for_each(|i| data.push_str(&format!("n,k{i}\n")));
    upload(&server, &id, data).await;
    state(&server, &id, "UploadComplete").await;
    until(&server, "ingest", &id, &["JobComplete"]).await;
    let mut commits = Vec::new();
    for key in ["k0", "k199", "k200", "k399", "k400"] {
        let path = format!("/orgs/acme/history/Contact?key={key}");
        let entry = server.admin("GET", &path, Value::Null).await.body[0].clone();
        assert_eq!(entry["origin"], "com/salesforce/api/bulkapi/67.0;client=loader");
        assert_eq!(
            (&entry["kind"], &entry["user"]),
            (&json!("create"), &server.orgs[0]["user_id"])
        );
        commits.push(entry["commit_number"].as_i64().unwrap());
    }
    assert_eq!(commits[0], commits[1], "V:D-BULKLIM: chunks of 200");
    assert!(commits[1] < commits[2] && commits[2] == commits[3] && commits[3] < commits[4]);
}

#[tokio::test]
async fn jobs_of_several_clients_go_on_side_by_side() {
    let server = Server::start().await;
    let mut ids = Vec::new();
    for n in 0..4 {
        let id = open(&server, job("insert", "Account")).await;
        let mut data = String::from("Name\n");
        (0..600).for_each(|i| data.push_str(&format!("{n}-{i}\n")));
        upload(&server, &id, data).await;
        ids.push(id);
    }
    for id in &ids {
        state(&server, id, "UploadComplete").await;
    }
    for id in &ids {
        let done = until(&server, "ingest", id, &["JobComplete"]).await;
        assert_eq!(
            (&done["numberRecordsProcessed"], &done["numberRecordsFailed"]),
            (&json!(600), &json!(0))
        );
    }
    assert_eq!(count(&server, "Account").await, 2_400);
}

//! What a day allows of bulk jobs, how long they live, and the lists of them (contract 4.3).

use orgsim::{BulkLimits, Options};
use serde_json::{Value, json};

use crate::bulk::{count, file, job, open, run, until};
use crate::server::{Server, V};

const HOUR_MS: i64 = 3_600_000;

async fn limits(server: &Server) -> [(u64, u64); 3] {
    let body = server.get("/limits").await.body;
    [
        "DailyBulkApiBatches",
        "DailyBulkV2QueryJobs",
        "DailyBulkV2QueryFileStorageMB",
    ]
    .map(|name| {
        let limit = &body[name];
        (limit["Max"].as_u64().unwrap(), limit["Remaining"].as_u64().unwrap())
    })
}

async fn query(server: &Server) -> crate::server::Answer {
    let body = json!({"operation": "query", "query": "SELECT Id, Name FROM Account"});
    server.call("POST", "/jobs/query", body).await
}

/// Moves the clock, and gets a token that lives there.
async fn travel(server: &mut Server, hours: i64) {
    server
        .admin("POST", "/clock", json!({"offset_ms": hours * HOUR_MS}))
        .await;
    let org = &server.orgs[0];
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", org["client_id"].as_str().unwrap()),
        ("client_secret", org["client_secret"].as_str().unwrap()),
    ];
    let url = format!("{}/services/oauth2/token", server.simulator.http_url());
    let token = server.send(server.client.post(url).form(&form)).await.body["access_token"].clone();
    server.orgs[0]["access_token"] = token;
}

#[tokio::test]
async fn batches_and_query_jobs_of_a_day() {
    let mut server = Server::with(Options {
        bulk: BulkLimits {
            batches: 3,
            query_jobs: 2,
            result_mb: 1,
        },
        ..Options::default()
    })
    .await;
    assert_eq!(limits(&server).await, [(3, 3), (2, 2), (1, 1)]);
    let mut data = String::from("Name\n");
    (0..10_001).for_each(|i| data.push_str(&format!("n{i}\n")));
    let done = run(&server, job("insert", "Account"), &data).await;
    assert_eq!(done["state"], "JobComplete");
    assert_eq!(
        limits(&server).await[0],
        (3, 1),
        "V:D-BULKLIM: one for each 10,000 rows"
    );
    let done = run(&server, job("insert", "Account"), &data).await;
    assert_eq!(
        (&done["state"], &done["numberRecordsProcessed"], &done["errorMessage"]),
        (
            &json!("Failed"),
            &json!(10_000),
            &json!("ExceededQuota : ApiBatchItems Limit exceeded.")
        ),
        "M"
    );
    assert_eq!(file(&server, &done, "unprocessedRecords").await, "Name\nn10000\n");
    let refused = server.call("POST", "/jobs/ingest", job("insert", "Account")).await;
    assert_eq!(refused.refusal(), (400, "EXCEEDEDQUOTA"), "M");
    for _ in 0..2 {
        let made = query(&server).await;
        until(&server, "query", made.body["id"].as_str().unwrap(), &["JobComplete"]).await;
    }
    let refused = query(&server).await;
    assert_eq!(refused.refusal(), (400, "LIMIT_EXCEEDED"));
    assert_eq!(limits(&server).await, [(3, 0), (2, 0), (1, 0)]);
    travel(&mut server, 25).await;
    assert_eq!(limits(&server).await, [(3, 3), (2, 2), (1, 1)]);
    assert_eq!(query(&server).await.status, 200);
}

#[tokio::test]
async fn the_words_of_the_real_number() {
    let server = Server::with(Options {
        bulk: BulkLimits {
            query_jobs: 0,
            ..BulkLimits::default()
        },
        ..Options::default()
    })
    .await;
    let refused = query(&server).await;
    assert_eq!(
        refused.body[0]["message"], "Max bulk v2 query jobs (0) per 24 hrs has been reached",
        "V:I-airbyte-26520"
    );
    assert_eq!(
        limits(&Server::start().await).await.map(|(max, _)| max),
        [15_000, 10_000, 976_562]
    );
}

#[tokio::test]
async fn jobs_do_not_live_for_ever() {
    let mut server = Server::start().await;
    let done = run(&server, job("insert", "Account"), "Name\na\n").await;
    let waiting = open(&server, job("insert", "Account")).await;
    let path = |id: &str| format!("/jobs/ingest/{id}");
    let done = path(done["id"].as_str().unwrap());
    travel(&mut server, 23).await;
    assert_eq!(server.get(&path(&waiting)).await.body["state"], "Open");
    travel(&mut server, 25).await;
    let late = server.get(&path(&waiting)).await.body;
    assert_eq!(late["state"], "Failed", "V:D-BULKLIM: 24 h; the state from memory");
    assert_eq!(server.get(&done).await.status, 200);
    travel(&mut server, 7 * 24 + 1).await;
    assert_eq!(server.get(&done).await.status, 404, "V:D-BULKLIM: 7 days");
    assert_eq!(server.get(&path(&waiting)).await.status, 200);
    travel(&mut server, 8 * 24 + 1).await;
    assert_eq!(server.get(&path(&waiting)).await.status, 404);
    assert_eq!(count(&server, "Account").await, 1, "rows stay");
}

#[tokio::test]
async fn lists_of_jobs() {
    let server = Server::start().await;
    for _ in 0..1_001 {
        open(&server, job("insert", "Account")).await;
    }
    query(&server).await;
    let kinds = |body: &Value| -> (usize, usize) {
        let records = body["records"].as_array().unwrap();
        let queries = records.iter().filter(|j| j["jobType"] == "V2Query").count();
        (records.len() - queries, queries)
    };
    let first = server.get("/jobs/ingest?jobType=V2Ingest").await.body;
    assert_eq!(
        (kinds(&first), &first["done"]),
        ((1_000, 0), &json!(false)),
        "M: a thousand a page"
    );
    let next = first["nextRecordsUrl"].as_str().unwrap();
    assert!(
        next.starts_with(&format!("{V}/jobs/ingest?queryLocator=750")) && next.ends_with("&jobType=V2Ingest"),
        "{next}"
    );
    let last = server.send(server.request("GET", next)).await.body;
    assert_eq!(
        (kinds(&last), &last["done"], &last["nextRecordsUrl"]),
        ((1, 0), &json!(true), &Value::Null)
    );
    assert_eq!(last["records"][0]["state"], "Open");
    let locator = next.split(['=', '&']).nth(1).unwrap();
    for (parameters, jobs) in [
        ("", (0, 1)),
        ("jobType=V2Query", (0, 1)),
        ("jobType=V2Ingest", (1, 0)),
        ("jobType=Classic", (0, 0)),
        ("isPkChunkingEnabled=true", (0, 0)),
        ("isPkChunkingEnabled=false", (0, 1)),
        ("concurrencyMode=serial", (0, 0)),
        ("concurrencyMode=parallel", (0, 1)),
    ] {
        let list = server
            .get(&format!("/jobs/query?queryLocator={locator}&{parameters}"))
            .await
            .body;
        assert_eq!((kinds(&list), &list["done"]), (jobs, &json!(true)), "{parameters}");
    }
    for locator in ["x", "750000000000000AAA"] {
        let refused = server.get(&format!("/jobs/ingest?queryLocator={locator}")).await;
        assert_eq!(refused.refusal(), (400, "INVALID_LOCATOR"));
    }
}

#[tokio::test]
async fn a_used_up_day_stops_bulk_calls_not_the_work() {
    let server = Server::with(Options {
        daily_calls: 3,
        ..Options::default()
    })
    .await;
    let id = open(&server, job("insert", "Account")).await;
    crate::bulk::upload(&server, &id, "Name\na\n").await;
    crate::bulk::state(&server, &id, "UploadComplete").await;
    let look = server.get(&format!("/jobs/ingest/{id}")).await;
    assert_eq!(
        look.refusal(),
        (403, "REQUEST_LIMIT_EXCEEDED"),
        "V:D-APILIM: each poll counts"
    );
    for _ in 0..500 {
        let rows = server.admin("GET", "/orgs/acme/records/Account", Value::Null).await;
        if rows.body.as_array().is_some_and(|r| r.len() == 1) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the row never came");
}

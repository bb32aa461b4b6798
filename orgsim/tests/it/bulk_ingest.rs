//! Ingest jobs: their life, their rows and their results (contract 4.1).

use serde_json::{Value, json};

use crate::bulk::{ENDED, count, errors, file, job, open, run, state, table, until, upload};
use crate::server::{Server, V};

#[tokio::test]
async fn a_job_from_open_to_complete() {
    let server = Server::start().await;
    let made = server.call("POST", "/jobs/ingest/", job("insert", "contact")).await;
    assert_eq!(made.status, 200, "M");
    let id = made.body["id"].as_str().unwrap();
    assert!(id.starts_with("750") && id.len() == 18, "R cci: {id}");
    // V:JSF-BULK2 for the names.
    let expected = json!({
        "id": id, "object": "Contact", "operation": "insert", "state": "Open", "apiVersion": 67.0,
        "createdById": server.orgs[0]["user_id"], "createdDate": made.body["createdDate"],
        "systemModstamp": made.body["systemModstamp"], "concurrencyMode": "Parallel", "contentType": "CSV",
        "contentUrl": format!("services/data/v67.0/jobs/ingest/{id}/batches"), "lineEnding": "LF",
        "columnDelimiter": "COMMA", "jobType": "V2Ingest", "numberRecordsProcessed": 0, "numberRecordsFailed": 0,
        "retries": 0, "totalProcessingTime": 0, "apiActiveProcessingTime": 0, "apexProcessingTime": 0,
        "isPkChunkingSupported": false,
    });
    assert_eq!(made.body, expected);
    assert!(
        made.text.contains("\"apiVersion\":67.0"),
        "a number with a decimal place"
    );
    assert!(made.body["createdDate"].as_str().unwrap().ends_with(".000+0000"), "M");
    let early = server.get(&format!("/jobs/ingest/{id}/successfulResults")).await;
    assert_eq!(early.refusal(), (400, "INVALIDJOBSTATE"), "M");
    let sent = upload(
        &server,
        id,
        "LastName,FirstName,Tandem_Seq__c\nOne,,1.5e1\n,Two,2\n\"Thr\"\"ee\",x,\n",
    )
    .await;
    assert_eq!((sent.status.as_u16(), sent.text.as_str()), (201, ""), "M");
    let twice = upload(&server, &id[..15], "LastName\nx\n").await;
    assert_eq!(twice.refusal(), (400, "CLIENTINPUTERROR"), "V:JSF-BULK2: once");
    assert!(
        twice.body[0]["message"]
            .as_str()
            .unwrap()
            .contains("Found multiple contents for job")
    );
    let closed = state(&server, id, "UploadComplete").await;
    assert_eq!(closed.body["state"], "UploadComplete");
    let done = until(&server, "ingest", id, &ENDED).await;
    assert_eq!(
        (
            &done["state"],
            &done["numberRecordsProcessed"],
            &done["numberRecordsFailed"]
        ),
        (&json!("JobComplete"), &json!(3), &json!(1)),
        "complete does not mean accepted"
    );
    let good = file(&server, &done, "successfulResults").await;
    let ids: Vec<String> = table(&good).into_iter().skip(1).map(|r| r[0].clone()).collect();
    let first = &ids[0];
    assert!(good.starts_with("\"sf__Id\",\"sf__Created\",\"LastName\",\"FirstName\",\"Tandem_Seq__c\"\n"));
    assert!(good.contains(&format!("\"{first}\",\"true\",\"One\",\"\",\"1.5e1\"\n")));
    assert!(good.contains("\"Thr\"\"ee\",\"x\",\"\"\n"));
    let bad = file(&server, &done, "failedResults").await;
    assert_eq!(
        bad,
        "\"sf__Id\",\"sf__Error\",\"LastName\",\"FirstName\",\"Tandem_Seq__c\"\n\
         \"\",\"REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --\",\"\",\"Two\",\"2\"\n",
        "V:JSF-B2TEST"
    );
    assert_eq!(
        file(&server, &done, "unprocessedRecords").await,
        "LastName,FirstName,Tandem_Seq__c\n"
    );
    let row = server.get(&format!("/sobjects/Contact/{first}")).await;
    assert_eq!(
        (&row.body["LastName"], &row.body["Tandem_Seq__c"]),
        (&json!("One"), &json!(15))
    );
}

#[tokio::test]
async fn what_cannot_be_made() {
    let server = Server::start().await;
    for (body, code, words) in [
        (
            job("insert", "Nope"),
            "INVALIDJOB",
            "InvalidJob : Unable to find object: Nope",
        ),
        (
            job("insert", "User"),
            "INVALIDENTITY",
            "InvalidEntity : Entity 'User' is not supported by the Bulk API.",
        ),
        (job("merge", "Contact"), "JSON_PARSER_ERROR", ""),
        (
            json!({"operation": "insert", "object": "Contact", "contentType": "JSON"}),
            "JSON_PARSER_ERROR",
            "",
        ),
        (
            json!({"operation": "insert", "object": "Contact", "lineEnding": "CR"}),
            "JSON_PARSER_ERROR",
            "",
        ),
        (
            json!({"operation": "insert", "object": "Contact", "columnDelimiter": ","}),
            "JSON_PARSER_ERROR",
            "",
        ),
        (
            job("upsert", "Contact"),
            "INVALIDJOB",
            "InvalidJob : External ID was blank for Contact. An External ID must be specified for upsert.",
        ),
        (
            json!({"operation": "upsert", "object": "Contact", "externalIdFieldName": "LastName"}),
            "INVALIDJOB",
            "InvalidJob : Field name provided, LastName does not match an External ID for Contact",
        ),
    ] {
        let refused = server.call("POST", "/jobs/ingest", body.clone()).await;
        assert_eq!(refused.refusal(), (400, code), "{body}");
        if !words.is_empty() {
            assert_eq!(refused.body[0]["message"], words);
        }
    }
    for path in [
        "/jobs",
        "/jobs/ingest/750000000000000AAA",
        "/jobs/ingest/x/batches",
        "/jobs/nope",
    ] {
        let missing = server.get(path).await;
        assert_eq!(missing.refusal(), (404, "NOT_FOUND"), "{path}");
        assert_eq!(missing.body[0]["message"], "The requested resource does not exist");
    }
}

#[tokio::test]
async fn what_a_job_shows_of_its_making() {
    let server = Server::start().await;
    let asked = json!({"operation": "upsert", "object": "Contact", "externalIdFieldName": "tandem_key__c",
        "lineEnding": "CRLF", "columnDelimiter": "SEMICOLON", "assignmentRuleId": "01Q000000000001"});
    let id = open(&server, asked).await;
    let shown = server.get(&format!("/jobs/ingest/{}", &id[..15])).await.body;
    for (name, value) in [
        ("externalIdFieldName", "Tandem_Key__c"),
        ("lineEnding", "CRLF"),
        ("columnDelimiter", "SEMICOLON"),
        ("assignmentRuleId", "01Q000000000001"),
    ] {
        assert_eq!(shown[name], value);
    }
}

#[tokio::test]
async fn states_and_what_they_allow() {
    let server = Server::start().await;
    let id = open(&server, job("insert", "Account")).await;
    let path = format!("/jobs/ingest/{id}");
    let early = server.call("DELETE", &path, Value::Null).await;
    assert_eq!(early.refusal(), (400, "API_ERROR"), "M");
    assert_eq!(
        state(&server, &id, "JobComplete").await.refusal(),
        (400, "INVALIDJOBSTATE")
    );
    let aborted = state(&server, &id, "Aborted").await;
    assert_eq!(
        (aborted.status.as_u16(), &aborted.body["state"]),
        (200, &json!("Aborted"))
    );
    for asked in ["Aborted", "UploadComplete"] {
        assert_eq!(
            state(&server, &id, asked).await.refusal(),
            (400, "INVALIDJOBSTATE"),
            "{asked}"
        );
    }
    assert_eq!(
        upload(&server, &id, "Name\na\n").await.refusal(),
        (400, "INVALIDJOBSTATE")
    );
    // A job without data has files without rows.
    assert_eq!(
        file(&server, &aborted.body, "successfulResults").await,
        "\"sf__Id\",\"sf__Created\"\n"
    );
    assert_eq!(file(&server, &aborted.body, "unprocessedrecords").await, "");
    assert_eq!(server.call("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(server.get(&path).await.status, 404);
    let done = run(&server, job("insert", "Account"), "Name\na\n").await;
    let id = done["id"].as_str().unwrap();
    let late = state(&server, id, "Aborted").await;
    assert_eq!(late.refusal(), (400, "INVALIDJOBSTATE"));
    assert_eq!(
        late.body[0]["message"],
        "InvalidJobState : Aborting already Completed Job not allowed"
    );
    assert_eq!(
        upload(&server, id, "Name\na\n").await.refusal(),
        (400, "INVALIDJOBSTATE")
    );
    for (method, path) in [
        ("PUT", format!("/jobs/ingest/{id}")),
        ("POST", format!("/jobs/ingest/{id}/batches")),
        ("POST", format!("/jobs/ingest/{id}/failedResults")),
        ("DELETE", "/jobs/ingest".to_owned()),
    ] {
        let refused = server.call(method, &path, json!({})).await;
        assert_eq!(refused.refusal(), (405, "METHOD_NOT_ALLOWED"), "{method} {path}");
    }
}

#[tokio::test]
async fn every_operation() {
    let server = Server::start().await;
    let id = server
        .create("Contact", json!({"LastName": "a", "Title": "t", "Tandem_Key__c": "1"}))
        .await;
    let other = server.create("Contact", json!({"LastName": "b"})).await;
    let upsert = json!({"operation": "upsert", "object": "Contact", "externalIdFieldName": "Tandem_Key__c"});
    let done = run(&server, upsert, "Tandem_Key__c,LastName\n1,A\n2,B\n3,\n,C\n4,x\n4,y\n").await;
    assert_eq!(done["numberRecordsFailed"], 4);
    let good = table(&file(&server, &done, "successfulResults").await);
    assert!(
        good.contains(&[id.as_str(), "false", "1", "A"].map(str::to_owned).to_vec()),
        "{good:?}"
    );
    assert_eq!(good.iter().filter(|r| r[1] == "true" && r[2] == "2").count(), 1);
    let told: Vec<(String, String)> = errors(&server, &done).await;
    let codes: Vec<(&str, &str)> = told
        .iter()
        .map(|(k, e)| (k.as_str(), e.split(':').next().unwrap()))
        .collect();
    assert_eq!(
        codes,
        [
            ("", "MISSING_ARGUMENT"),
            ("3", "REQUIRED_FIELD_MISSING"),
            ("4", "DUPLICATE_VALUE"),
            ("4", "DUPLICATE_VALUE")
        ]
    );
    let update = format!("Id,Title,Email\n{id},,a@b.example\n{other},#N/A,bad\n,x,\n003000000000000AAA,x,\nnope,x,\n");
    let done = run(&server, job("update", "Contact"), &update).await;
    let bad = table(&file(&server, &done, "failedResults").await);
    let bad: Vec<(&str, &str)> = bad[1..]
        .iter()
        .map(|r| (r[0].as_str(), r[1].split(':').next().unwrap()))
        .collect();
    assert_eq!(
        bad,
        [
            ("", "MISSING_ARGUMENT"),
            ("003000000000000AAA", "INVALID_CROSS_REFERENCE_KEY"),
            (other.as_str(), "INVALID_EMAIL_ADDRESS"),
            ("nope", "MALFORMED_ID"),
        ]
    );
    let row = server.get(&format!("/sobjects/Contact/{id}")).await.body;
    assert_eq!(
        (&row["Title"], &row["Email"]),
        (&json!("t"), &json!("a@b.example")),
        "V:D-CSV: empty is untouched"
    );
    let done = run(&server, job("update", "Contact"), &format!("Id,Title\n{id},#N/A\n")).await;
    assert_eq!(done["numberRecordsFailed"], 0);
    let row = server.get(&format!("/sobjects/Contact/{id}")).await.body;
    assert_eq!(row["Title"], Value::Null, "V:D-CSV: #N/A is null");
    let done = run(&server, job("delete", "Contact"), &format!("Id\n{id}\n{id}\n")).await;
    assert_eq!(
        (&done["numberRecordsProcessed"], &done["numberRecordsFailed"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(
        errors(&server, &done).await,
        [(id.clone(), "ENTITY_IS_DELETED:entity is deleted:--".to_owned())]
    );
    assert_eq!(server.get(&format!("/sobjects/Contact/{id}")).await.status, 404);
    let more = run(&server, job("delete", "Contact"), &format!("Id,LastName\n{id},x\n")).await;
    assert_eq!(
        more["errorMessage"], "InvalidBatch : Field name not found : LastName",
        "M: ids only"
    );
}

#[tokio::test]
async fn a_hard_delete_is_for_good() {
    let server = Server::with(orgsim::Options {
        // 2023-11-14T22:13:20Z
        stopped_at_ms: Some(1_700_000_000_000),
        ..Default::default()
    })
    .await;
    let account = server.create("Account", json!({"Name": "a"})).await;
    let contact = server
        .create(
            "Contact",
            json!({"LastName": "c", "AccountId": account, "Tandem_Key__c": "k"}),
        )
        .await;
    let done = run(&server, job("hardDelete", "Account"), &format!("Id\n{account}\n")).await;
    assert_eq!(done["numberRecordsFailed"], 0);
    for (object, id) in [("Account", &account), ("Contact", &contact)] {
        let text = format!("SELECT Id FROM {object}");
        let all = server.send(server.request("GET", &format!("{V}/queryAll")).query(&[("q", &text)]));
        assert_eq!(all.await.body["totalSize"], 0, "{object} is nowhere");
        let edit = json!({"entity": object, "op": "undelete", "id": id});
        let back = server.admin("POST", "/orgs/acme/edit", edit).await;
        assert_eq!(back.refusal(), (404, "INVALID_CROSS_REFERENCE_KEY"));
        let window = "start=2023-11-14T22:00:00Z&end=2023-11-14T22:30:00Z";
        let listed = server.get(&format!("/sobjects/{object}/deleted?{window}")).await;
        assert_eq!(
            listed.body["deletedRecords"][0]["id"], **id,
            "V:D-GETDEL: {}",
            listed.text
        );
    }
    // The key is free again.
    server
        .create("Contact", json!({"LastName": "n", "Tandem_Key__c": "k"}))
        .await;
}

#[tokio::test]
async fn job_and_data_in_one_call() {
    let server = Server::start().await;
    let body = |data: &str| {
        format!(
            "--B\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name=\"job\"\r\n\r\n{}\r\n--B\r\n\
             Content-Type: text/csv\r\nContent-Disposition: form-data; name=\"content\"; filename=\"content\"\r\n\r\n{data}\r\n--B--\r\n",
            job("insert", "Account")
        )
    };
    let post = |body: String| {
        server
            .request("POST", &format!("{V}/jobs/ingest"))
            .header("content-type", "multipart/form-data; boundary=B")
            .body(body)
    };
    let made = server.send(post(body("Name\na\nb\n"))).await;
    assert_eq!(
        (made.status.as_u16(), &made.body["state"]),
        (200, &json!("UploadComplete")),
        "V:D-BULKING"
    );
    let done = until(&server, "ingest", made.body["id"].as_str().unwrap(), &ENDED).await;
    assert_eq!(
        (&done["state"], &done["numberRecordsProcessed"]),
        (&json!("JobComplete"), &json!(2))
    );
    let large = server
        .send(post(body(&format!("Name\n{}\n", "x".repeat(100_000)))))
        .await;
    assert_eq!(large.refusal(), (400, "CLIENTINPUTERROR"), "M");
    let half = server.send(post("--B\r\n\r\n".to_owned())).await;
    assert_eq!(half.refusal(), (400, "CLIENTINPUTERROR"));
    assert_eq!(count(&server, "Account").await, 2);
}

#[tokio::test]
async fn uploads_that_are_refused() {
    let server = Server::start().await;
    let id = open(&server, job("insert", "Account")).await;
    let path = format!("{V}/jobs/ingest/{id}/batches");
    let json = server
        .request("PUT", &path)
        .header("content-type", "application/json")
        .body("{}");
    assert_eq!(server.send(json).await.refusal(), (415, "UNSUPPORTED_MEDIA_TYPE"), "M");
    assert_eq!(
        upload(&server, &id, vec![b'N', 0xff]).await.refusal(),
        (400, "CLIENTINPUTERROR")
    );
    // A hundred megabytes are taken, one more byte is not [V:D-CSV].
    let mut large = b"Name\n".to_vec();
    large.resize(100 * 1024 * 1024 + 1, b'\n');
    assert_eq!(
        upload(&server, &id, large.clone()).await.refusal(),
        (413, "EXCEEDED_MAX_SIZE_REQUEST")
    );
    large.pop();
    assert_eq!(upload(&server, &id, large).await.status, 201);
}

#[tokio::test]
async fn packed_uploads() {
    let server = Server::start().await;
    let id = open(&server, job("insert", "Account")).await;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, b"Name\na\n").unwrap();
    let request = server
        .request("PUT", &format!("{V}/jobs/ingest/{id}/batches"))
        .header("content-type", "text/csv; charset=UTF-8")
        .header("content-encoding", "gzip")
        .body(packer.finish().unwrap());
    assert_eq!(server.send(request).await.status, 201);
    state(&server, &id, "UploadComplete").await;
    let done = until(&server, "ingest", &id, &ENDED).await;
    assert_eq!(done["numberRecordsProcessed"], 1);
}

//! Uploads as clients write them (contract 4.2).

use serde_json::{Value, json};

use crate::bulk::{errors, file, job, run, table};
use crate::server::Server;

/// What the newest Contact has of a field.
async fn stored(server: &Server, field: &str) -> Value {
    let text = format!("SELECT {field} FROM Contact ORDER BY Id DESC LIMIT 1");
    let rows = server.query(&text).await;
    rows.body["records"][0][field].clone()
}

#[tokio::test]
async fn delimiters_and_line_endings() {
    let server = Server::start().await;
    for (name, d) in [
        ("COMMA", ","),
        ("TAB", "\t"),
        ("PIPE", "|"),
        ("SEMICOLON", ";"),
        ("CARET", "^"),
        ("BACKQUOTE", "`"),
    ] {
        for (ending, e) in [("LF", "\n"), ("CRLF", "\r\n")] {
            let asked =
                json!({"operation": "insert", "object": "Contact", "columnDelimiter": name, "lineEnding": ending});
            let data = format!("LastName{d}Title{e}x{d}\"a{d}b{e}c\"\"d\"{e}");
            let done = run(&server, asked, &data).await;
            assert_eq!(
                (&done["state"], &done["numberRecordsFailed"]),
                (&json!("JobComplete"), &json!(0)),
                "{name} {ending}"
            );
            assert_eq!(stored(&server, "Title").await, format!("a{d}b{e}c\"d"));
            let good = file(&server, &done, "successfulResults").await;
            assert!(good.ends_with(&format!("\"x\"{d}\"a{d}b{e}c\"\"d\"{e}")), "{good:?}");
        }
    }
}

#[tokio::test]
async fn files_that_cannot_be_read() {
    let server = Server::start().await;
    let quote =
        "InvalidBatch : Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote";
    let ending = "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is";
    let long = format!("LastName,{}\n", "x".repeat(32_000));
    let wide = format!("{}\n", ["a"; 5_001].join(","));
    for (line_ending, data, error) in [
        ("LF", "LastName\r\na\r\n", format!("{ending} LF")),
        ("LF", "LastName\na\r\n", format!("{ending} LF")),
        ("CRLF", "LastName\na\n", format!("{ending} CRLF")),
        ("LF", "LastName\na\"b\n", quote.to_owned()),
        ("LF", "LastName\n\"a\n", quote.to_owned()),
        ("LF", "\u{feff}\"LastName\"\na\n", quote.to_owned()),
        // C node-sf-bulk2#17.
        (
            "LF",
            "LastName,Nope\na,b\n",
            "InvalidBatch : Field name not found : Nope".to_owned(),
        ),
        (
            "LF",
            "\u{feff}LastName\na\n",
            "InvalidBatch : Field name not found : \u{feff}LastName".to_owned(),
        ),
        (
            "LF",
            "LastName,MailingAddress\na,b\n",
            "InvalidBatch : Field name not found : MailingAddress".to_owned(),
        ),
        (
            "LF",
            "LastName,Account.Name\na,b\n",
            "InvalidBatch : Field name not found : Account.Name".to_owned(),
        ),
        (
            "LF",
            "LastName,Nope.Id\na,b\n",
            "InvalidBatch : Field name not found : Nope.Id".to_owned(),
        ),
        (
            "LF",
            "LastName,Contact:Account.Tandem_Key__c\na,b\n",
            "InvalidBatch : Field name not found : Contact:Account.Tandem_Key__c".to_owned(),
        ),
        (
            "LF",
            "LastName,lastname\na,b\n",
            "InvalidBatch : Duplicate field name : lastname".to_owned(),
        ),
        ("LF", "LastName\n", "InvalidBatch : Records not found".to_owned()),
        ("LF", "", "InvalidBatch : Records not found".to_owned()),
        (
            "LF",
            &long,
            "InvalidBatch : The header is longer than 32000 characters".to_owned(),
        ),
        (
            "LF",
            &wide,
            "InvalidBatch : A record has at most 5000 fields".to_owned(),
        ),
    ] {
        let asked = json!({"operation": "insert", "object": "Contact", "lineEnding": line_ending});
        let done = run(&server, asked, data).await;
        let shown: String = data.chars().take(60).collect();
        assert_eq!(
            (&done["state"], &done["errorMessage"]),
            (&json!("Failed"), &json!(error)),
            "{shown:?}"
        );
        assert_eq!(done["numberRecordsProcessed"], 0);
        assert_eq!(
            file(&server, &done, "unprocessedrecords").await,
            data,
            "all of it waits"
        );
        assert_eq!(file(&server, &done, "failedResults").await.lines().count(), 1);
    }
}

#[tokio::test]
async fn rows_that_cannot_be_read() {
    let server = Server::start().await;
    let data = format!(
        "LastName,Title\na, \"b\"\n\"c\" ,d\ne, f\ng\nh,i,j\nk,{}\nl,m\n",
        "x".repeat(131_073)
    );
    let done = run(&server, job("insert", "Contact"), &data).await;
    assert_eq!(done["state"], "JobComplete", "V:D-CSV: an error of the row");
    let codes: Vec<(String, String)> = errors(&server, &done)
        .await
        .into_iter()
        .map(|(k, e)| (k, e.split(':').next().unwrap().to_owned()))
        .collect();
    let expected = [
        ("a", "INVALID_INPUT"),
        ("c", "INVALID_INPUT"),
        ("g", "INVALID_INPUT"),
        ("h", "INVALID_INPUT"),
        ("k", "LIMIT_EXCEEDED"),
    ];
    assert_eq!(codes, expected.map(|(k, e)| (k.to_owned(), e.to_owned())));
    let good = table(&file(&server, &done, "successfulResults").await);
    assert_eq!(
        (&good[1][2..], &good[2][2..]),
        (
            &["e".to_owned(), " f".to_owned()][..],
            &["l".to_owned(), "m".to_owned()][..]
        )
    );
    let columns: Vec<String> = ["LastName", "FirstName", "Title", "Department"]
        .map(str::to_owned)
        .to_vec();
    let record = [
        "x".repeat(100_001),
        "x".repeat(100_001),
        "x".repeat(100_001),
        "x".repeat(100_001),
    ];
    let done = run(
        &server,
        job("insert", "Contact"),
        &format!("{}\n{}\n", columns.join(","), record.join(",")),
    )
    .await;
    let told = errors(&server, &done).await;
    assert_eq!(
        told[0].1,
        "LIMIT_EXCEEDED:The record has more than 400000 characters:--"
    );
}

#[tokio::test]
async fn values_of_every_kind() {
    let server = Server::start().await;
    let contact = [
        ("Title", " kept ", json!("kept")),
        ("Title", "Ünïcode \u{1f600}", json!("Ünïcode \u{1f600}")),
        ("Title", "null", json!("null")),
        ("Birthdate", "2024-02-29", json!("2024-02-29")),
        (
            "EmailBouncedDate",
            "2022-03-17T17:21:26+01:00",
            json!("2022-03-17T16:21:26.000+0000"),
        ),
        (
            "EmailBouncedDate",
            "2022-03-17T16:21:26.000Z",
            json!("2022-03-17T16:21:26.000+0000"),
        ),
        ("Tandem_Seq__c", "1.5E3", json!(1_500)),
        ("Tandem_Seq__c", "-7", json!(-7)),
        ("Status__c", "Active", json!("Active")),
        ("Title", "#N/A", Value::Null),
        ("Title", "", Value::Null),
    ];
    for (field, value, expected) in contact {
        let done = run(
            &server,
            job("insert", "Contact"),
            &format!("lastname,{field}\nx,{value}\n"),
        )
        .await;
        assert_eq!(done["numberRecordsFailed"], 0, "{field} {value}");
        assert_eq!(stored(&server, field).await, expected, "{field} {value}");
    }
    for (field, value, error) in [
        (
            "Birthdate",
            "2024-02-30",
            "INVALID_TYPE_ON_FIELD_IN_RECORD:Birthdate: value not of required type: 2024-02-30:Birthdate --",
        ),
        ("EmailBouncedDate", "yesterday", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Tandem_Seq__c", "many", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Tandem_Seq__c", "inf", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Status__c", "Nope", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("Title", &"x".repeat(129), "STRING_TOO_LONG"),
        ("CreatedDate", "2024-01-01T00:00:00Z", "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("Id", "003000000000000AAA", "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("AccountId", "001000000000000AAA", "INVALID_CROSS_REFERENCE_KEY"),
    ] {
        let done = run(
            &server,
            job("insert", "Contact"),
            &format!("LastName,{field}\nx,{value}\n"),
        )
        .await;
        let told = errors(&server, &done).await;
        assert!(told[0].1.starts_with(error), "{field} {value}: {told:?}");
    }
}

#[tokio::test]
async fn checkboxes() {
    let server = Server::start().await;
    for (value, expected) in [
        ("true", Some(true)),
        ("FALSE", Some(false)),
        ("1", Some(true)),
        ("0", Some(false)),
        ("Yes", Some(true)),
        ("no", Some(false)),
        ("maybe", None),
    ] {
        let data = format!("Name,StageName,CloseDate,IsPrivate\n{value},Prospecting,2024-01-01,{value}\n");
        let done = run(&server, job("insert", "Opportunity"), &data).await;
        let rows = server
            .query(&format!("SELECT IsPrivate FROM Opportunity WHERE Name = '{value}'"))
            .await;
        match expected {
            Some(expected) => assert_eq!(rows.body["records"][0]["IsPrivate"], expected, "M: {value}"),
            None => assert!(
                errors(&server, &done).await[0]
                    .1
                    .starts_with("INVALID_TYPE_ON_FIELD_IN_RECORD")
            ),
        }
    }
}

#[tokio::test]
async fn parents_by_external_id() {
    let server = Server::start().await;
    let account = server
        .create("Account", json!({"Name": "a", "Tandem_Key__c": "A-1"}))
        .await;
    for header in [
        "Account.Tandem_Key__c",
        "account.tandem_key__c",
        "Account:Account.Tandem_Key__c",
        "AccountId",
    ] {
        let key = if header == "AccountId" { account.as_str() } else { "A-1" };
        let done = run(
            &server,
            job("insert", "Contact"),
            &format!("LastName,{header}\nx,{key}\n"),
        )
        .await;
        assert_eq!(done["numberRecordsFailed"], 0, "{header}");
        assert_eq!(stored(&server, "AccountId").await, account, "{header}");
    }
    let done = run(
        &server,
        job("insert", "Contact"),
        "LastName,Account.Tandem_Key__c\nx,A-2\ny,\n",
    )
    .await;
    let told = errors(&server, &done).await;
    assert_eq!(told.len(), 1);
    assert!(
        told[0]
            .1
            .starts_with("INVALID_FIELD:Foreign key external ID: A-2 not found"),
        "{told:?}"
    );
    let id = server.query("SELECT Id FROM Contact ORDER BY Id LIMIT 1").await.body["records"][0]["Id"].clone();
    let data = format!("Id,Account.Tandem_Key__c\n{},#N/A\n", id.as_str().unwrap());
    run(&server, job("update", "Contact"), &data).await;
    let rows = server.query("SELECT AccountId FROM Contact ORDER BY Id LIMIT 1").await;
    assert_eq!(rows.body["records"][0]["AccountId"], Value::Null);
}

#[tokio::test]
async fn parents_of_several_kinds() {
    let server = Server::start().await;
    server
        .create("Contact", json!({"LastName": "c", "Email": "one@x.example"}))
        .await;
    let lead = server
        .create(
            "Lead",
            json!({"LastName": "l", "Company": "x", "Email": "one@x.example"}),
        )
        .await;
    let task = |header: &str| format!("Subject,{header}\nx,one@x.example\n");
    let done = run(&server, job("insert", "Task"), &task("Lead:Who.Email")).await;
    assert_eq!(done["numberRecordsFailed"], 0, "{:?}", errors(&server, &done).await);
    let made = server.query("SELECT WhoId FROM Task").await;
    assert_eq!(made.body["records"][0]["WhoId"], lead);
    for header in ["Who.Email", "Account:Who.Email"] {
        let done = run(&server, job("insert", "Task"), &task(header)).await;
        let words = format!("InvalidBatch : Field name not found : {header}");
        assert_eq!(done["errorMessage"], words, "M");
    }
}

//! Bodies and answers of sObject Collections.

use bytes::Bytes;
use tandem::port::org::{Org, WriteAnswer, WriteCall, WriteRow};
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::engine::classify::{Class, RowOutcome};
use tandem_core::engine::commit::Verb;

use crate::rig::{React, Rig, org};

const A: &str = "003000000000001AAA";
const B: &str = "003000000000002AAA";

fn row(id: Option<&str>, members: &'static str) -> WriteRow {
    WriteRow {
        id: id.map(|t| SalesforceId::parse(t).unwrap()),
        members: Bytes::from_static(members.as_bytes()),
    }
}

fn call(verb: Verb, rows: Vec<WriteRow>) -> WriteCall {
    WriteCall {
        sobject: "Contact".into(),
        verb,
        external_id: "Tandem_Key__c".into(),
        rows,
    }
}

async fn answered(verb: Verb, rows: Vec<WriteRow>, body: &str) -> WriteAnswer {
    let rig = Rig::start().await;
    rig.stub.next(React::json(200, body));
    rig.org.write(call(verb, rows)).await
}

#[tokio::test]
async fn bodies_are_spliced_as_salesforce_reads_them() {
    let rig = Rig::start().await;
    let ok = format!(r#"[{{"id":"{A}","success":true,"errors":[]}},{{"id":"{B}","success":true,"errors":[]}}]"#);

    rig.stub.next(React::json(200, ok.clone()));
    let rows = vec![row(Some(A), r#""Email":"ä@x","Tandem_Seq__c":7"#), row(Some(B), "")];
    assert!(rig.org.write(call(Verb::Update, rows)).await.outcome.is_ok());

    rig.stub.next(React::json(200, ok.clone()));
    let rows = vec![
        row(None, r#""Tandem_Key__c":"1","LastName":"L""#),
        row(None, r#""Tandem_Key__c":"2""#),
    ];
    assert!(rig.org.write(call(Verb::Create, rows)).await.outcome.is_ok());

    rig.stub.next(React::json(200, ok));
    assert!(
        rig.org
            .write(call(Verb::Delete, vec![row(Some(A), ""), row(Some(B), "")]))
            .await
            .outcome
            .is_ok()
    );

    let seen = rig.stub.data_calls();
    assert_eq!(seen[0].line, "PATCH /services/data/v67.0/composite/sobjects HTTP/1.1");
    assert_eq!(
        seen[0].body,
        format!(
            r#"{{"allOrNone":false,"records":[{{"attributes":{{"type":"Contact"}},"id":"{A}","Email":"ä@x","Tandem_Seq__c":7}},{{"attributes":{{"type":"Contact"}},"id":"{B}"}}]}}"#
        )
    );
    assert_eq!(
        seen[1].line,
        "PATCH /services/data/v67.0/composite/sobjects/Contact/Tandem_Key__c HTTP/1.1"
    );
    assert_eq!(
        seen[1].body,
        r#"{"allOrNone":false,"records":[{"attributes":{"type":"Contact"},"Tandem_Key__c":"1","LastName":"L"},{"attributes":{"type":"Contact"},"Tandem_Key__c":"2"}]}"#
    );
    assert_eq!(
        seen[2].line,
        format!("DELETE /services/data/v67.0/composite/sobjects?ids={A},{B}&allOrNone=false HTTP/1.1")
    );
    assert_eq!(seen[2].body, "");
    for body in [&seen[0].body, &seen[1].body] {
        serde_json::from_str::<serde_json::Value>(body).unwrap();
    }
}

#[tokio::test]
async fn headers_of_calls_are_what_the_contract_wants() {
    let rig = Rig::start().await;
    let ok = format!(r#"[{{"id":"{A}","success":true,"errors":[]}}]"#);
    let wants_duplicates = org(&rig.http, &rig.keeper, Some("allowSave=true"));
    for target in [&rig.org, &wants_duplicates] {
        rig.stub.next(React::json(200, ok.clone()));
        assert!(
            target
                .write(call(Verb::Update, vec![row(Some(A), "")]))
                .await
                .outcome
                .is_ok()
        );
    }
    rig.stub.next(React::json(200, "{}"));
    rig.org.describe("Contact".into()).await.unwrap();

    let seen = rig.stub.data_calls();
    assert_eq!(seen[0].header("accept"), Some("application/json"));
    assert_eq!(seen[0].header("accept-encoding"), Some("gzip"));
    assert_eq!(seen[0].header("content-type"), Some("application/json; charset=UTF-8"));
    assert_eq!(seen[0].header("sforce-call-options"), Some("client=tandem"));
    assert_eq!(seen[0].header("sforce-auto-assign"), Some("FALSE"));
    assert_eq!(seen[0].header("authorization"), Some("Bearer 00D000000000001!token1"));
    assert_eq!(seen[0].header("sforce-duplicate-rule-header"), None);
    assert_eq!(seen[1].header("sforce-duplicate-rule-header"), Some("allowSave=true"));
    assert_eq!(seen[2].header("sforce-auto-assign"), None);
}

#[tokio::test]
async fn partial_success_is_read_row_by_row() {
    let body = format!(
        r#"[ {{"id":"{A}","success":true,"errors":[]}},
             {{"success":false,"errors":[{{"statusCode":"REQUIRED_FIELD_MISSING","message":"Required fields are missing: [LastName]","fields":["LastName"]}}]}} ]"#
    );
    let answer = answered(Verb::Update, vec![row(Some(A), ""), row(Some(B), "")], &body).await;
    let rows = answer.outcome.unwrap();
    assert!(matches!(&rows[0], RowOutcome::Done { id, created: false } if id.to_string() == A));
    let RowOutcome::Failed(fault) = &rows[1] else {
        panic!("row 2 is done")
    };
    assert_eq!(
        (fault.class, fault.code.as_ref()),
        (Class::Reject, "REQUIRED_FIELD_MISSING")
    );
    assert_eq!(
        fault.fields.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        ["LastName"]
    );
    assert!(fault.message.expose().contains("LastName"));
}

#[tokio::test]
async fn creates_tell_whether_they_created() {
    let body = format!(
        r#"[{{"id":"{A}","success":true,"errors":[],"created":true}},{{"id":"{B}","success":true,"errors":[],"created":false}},
            {{"success":false,"created":true,"errors":[{{"statusCode":"DUPLICATE_VALUE","message":"m","fields":[]}}]}}]"#
    );
    let rows = answered(Verb::Create, vec![row(None, ""), row(None, ""), row(None, "")], &body)
        .await
        .outcome
        .unwrap();
    assert!(matches!(rows[0], RowOutcome::Done { created: true, .. }));
    assert!(matches!(rows[1], RowOutcome::Done { created: false, .. }));
    assert!(matches!(&rows[2], RowOutcome::Failed(fault) if fault.code.as_ref() == "DUPLICATE_VALUE"));
}

#[tokio::test]
async fn answers_that_do_not_fit_leave_the_whole_batch_unknown() {
    let one = format!(r#"{{"id":"{A}","success":true,"errors":[]}}"#);
    let table = [
        ("a row too few", format!("[{one}]"), "TRUNCATED"),
        ("a row too many", format!("[{one},{one},{one}]"), "TRUNCATED"),
        ("cut inside", format!("[{one},{{\"id\":\"{B}\",\"succ"), "TRUNCATED"),
        ("cut before the end", format!("[{one},{one}"), "TRUNCATED"),
        ("more after the end", format!("[{one},{one}]]"), "NOT_UNDERSTOOD"),
        (
            "another order",
            format!(r#"[{{"id":"{B}","success":true,"errors":[]}},{one}]"#),
            "NOT_UNDERSTOOD",
        ),
        (
            "an id that is none",
            format!(r#"[{one},{{"id":"x","success":true,"errors":[]}}]"#),
            "NOT_UNDERSTOOD",
        ),
        ("no success", format!(r#"[{one},{{"id":"{B}"}}]"#), "NOT_UNDERSTOOD"),
        ("an object", "{}".to_owned(), "NOT_UNDERSTOOD"),
        ("null", "null".to_owned(), "NOT_UNDERSTOOD"),
        ("a string", r#""ok""#.to_owned(), "NOT_UNDERSTOOD"),
    ];
    for (name, body, code) in table {
        let answer = answered(Verb::Update, vec![row(Some(A), ""), row(Some(B), "")], &body).await;
        let fault = answer.outcome.unwrap_err();
        assert_eq!(
            (fault.class, fault.code.as_ref()),
            (Class::Unknown, code),
            "{name}: {}",
            fault.detail
        );
    }
    let answer = answered(Verb::Create, vec![row(None, "")], r#"[{"success":true,"errors":[]}]"#).await;
    assert_eq!(
        answer.outcome.unwrap_err().class,
        Class::Unknown,
        "created, but which record?"
    );
}

#[tokio::test]
async fn an_update_that_leaves_the_id_out_is_the_row_that_was_sent() {
    for body in [
        r#"[{"success":true,"errors":[]}]"#,
        r#"[{"id":null,"success":true}]"#,
        r#"[{"id":"","success":true,"errors":[]}]"#,
    ] {
        let rows = answered(Verb::Update, vec![row(Some(A), "")], body)
            .await
            .outcome
            .unwrap();
        assert!(
            matches!(&rows[0], RowOutcome::Done { id, .. } if id.to_string() == A),
            "{body}"
        );
    }
}

#[tokio::test]
async fn of_several_errors_the_weightiest_decides() {
    let error = |code: &str, field: &str| format!(r#"{{"statusCode":"{code}","message":"m","fields":["{field}"]}}"#);
    let table = [
        (
            vec![error("UNABLE_TO_LOCK_ROW", "x"), error("REQUIRED_FIELD_MISSING", "x")],
            Class::Reject,
        ),
        (
            vec![
                error("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Email"),
                error("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Tandem_Seq__c"),
            ],
            Class::Fence,
        ),
        (vec![error("UNABLE_TO_LOCK_ROW", "x")], Class::Retry),
        (vec![], Class::Reject),
    ];
    for (errors, class) in table {
        let body = format!(r#"[{{"success":false,"errors":[{}]}}]"#, errors.join(","));
        let rows = answered(Verb::Update, vec![row(Some(A), "")], &body)
            .await
            .outcome
            .unwrap();
        let RowOutcome::Failed(fault) = &rows[0] else {
            panic!("done")
        };
        assert_eq!(fault.class, class, "{body}");
    }
}

#[tokio::test]
async fn calls_that_make_no_sense_are_not_sent() {
    let mut bad_name = call(Verb::Update, vec![row(Some(A), "")]);
    bad_name.sobject = "Contact/../Account".into();
    let mut bad_key = call(Verb::Create, vec![row(None, "")]);
    bad_key.external_id = "Key?x=1".into();
    let table = [
        (call(Verb::Update, vec![]), "ROWS_REFUSED"),
        (call(Verb::Update, vec![row(Some(A), ""); 201]), "ROWS_REFUSED"),
        (call(Verb::Update, vec![row(None, "")]), "ROW_WITHOUT_ID"),
        (call(Verb::Delete, vec![row(None, "")]), "ROW_WITHOUT_ID"),
        (bad_name, "NAME_REFUSED"),
        (bad_key, "NAME_REFUSED"),
    ];
    let rig = Rig::start().await;
    for (call, code) in table {
        let answer = rig.org.write(call).await;
        assert_eq!(answer.requests, 0);
        let fault = answer.outcome.unwrap_err();
        assert_eq!((fault.class, fault.code.as_ref()), (Class::Configuration, code));
    }
    assert!(rig.stub.seen().is_empty());
}

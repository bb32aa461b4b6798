//! Records by id, and describes.

use tandem::port::org::Org;
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::engine::classify::Class;

use crate::rig::{React, Rig};

const A: &str = "003000000000001AAA";
const B: &str = "003000000000002AAA";

fn ids(texts: &[&str]) -> Vec<SalesforceId> {
    texts.iter().map(|t| SalesforceId::parse(t).unwrap()).collect()
}

#[tokio::test]
async fn records_are_read_by_post_and_missing_ones_are_none() {
    let rig = Rig::start().await;
    let record = format!(r#"{{ "attributes":{{"type":"Contact","url":"/x"}}, "Email":"é@x", "Id":"{A}" }}"#);
    rig.stub.next(React::json(200, format!("[{record}, null]")));
    let rows = rig
        .org
        .read("Contact".into(), ids(&[A, B]), vec!["Email".into(), "id".into()])
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (rows[0].id.to_string().as_str(), rows[0].fields.as_deref()),
        (A, Some(record.as_bytes()))
    );
    assert_eq!((rows[1].id.to_string().as_str(), rows[1].fields.as_deref()), (B, None));

    let seen = &rig.stub.data_calls()[0];
    assert_eq!(
        seen.line,
        "POST /services/data/v67.0/composite/sobjects/Contact HTTP/1.1"
    );
    assert_eq!(seen.body, format!(r#"{{"ids":["{A}","{B}"],"fields":["Id","Email"]}}"#));
}

#[tokio::test]
async fn garbled_reads_are_asked_again() {
    let record = |id: &str| format!(r#"{{"Id":"{id}"}}"#);
    for body in [
        format!("[{}]", record(A)),
        format!("[{},{}]", record(B), record(A)),
        format!("[{},{{}}]", record(A)),
        format!("[{},7]", record(A)),
        "{}".to_owned(),
        format!("[{},", record(A)),
    ] {
        let rig = Rig::start().await;
        rig.stub.next(React::json(200, body.clone()));
        let fault = rig.org.read("Contact".into(), ids(&[A, B]), vec![]).await.unwrap_err();
        assert_eq!((fault.class, fault.status), (Class::Retry, 200), "{body}");
    }
}

#[tokio::test]
async fn reads_that_make_no_sense_are_not_sent() {
    let rig = Rig::start().await;
    let many = vec![ids(&[A])[0]; 2_001];
    for (sobject, ids, fields) in [
        ("Contact", vec![], vec!["Email".into()]),
        ("Contact", many, vec!["Email".into()]),
        ("Contact\"", ids(&[A]), vec!["Email".into()]),
        ("Contact", ids(&[A]), vec!["Em\"ail".into()]),
    ] {
        let fault = rig.org.read(sobject.into(), ids, fields).await.unwrap_err();
        assert_eq!(fault.class, Class::Configuration);
    }
    assert!(rig.stub.seen().is_empty());
}

#[tokio::test]
async fn a_describe_is_its_body() {
    let rig = Rig::start().await;
    rig.stub.next(React::json(200, r#"{"name":"Contact"}"#));
    assert_eq!(
        rig.org.describe("Contact".into()).await.unwrap().as_ref(),
        br#"{"name":"Contact"}"#
    );
    assert_eq!(
        rig.stub.data_calls()[0].line,
        "GET /services/data/v67.0/sobjects/Contact/describe HTTP/1.1"
    );
}

/// `{"name":"Contact"}` as gzip.
const ZIPPED: &[u8] = &[
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xab, 0x56, 0xca, 0x4b, 0xcc, 0x4d, 0x55, 0xb2, 0x52,
    0x72, 0xce, 0xcf, 0x2b, 0x49, 0x4c, 0x2e, 0x51, 0xaa, 0x05, 0x00, 0xdb, 0x04, 0x70, 0xe4, 0x12, 0x00, 0x00, 0x00,
];

#[tokio::test]
async fn compressed_answers_are_read_and_cut_ones_are_noticed() {
    let rig = Rig::start().await;
    let gzip = "Content-Encoding: gzip\r\nContent-Type: application/json\r\n";
    rig.stub.next(React::Say(200, gzip, ZIPPED.to_vec()));
    let body = rig.org.describe("Contact".into()).await.unwrap();
    assert_eq!(body.as_ref(), br#"{"name":"Contact"}"#);
    for length in 1..ZIPPED.len() {
        rig.stub.next(React::Say(200, gzip, ZIPPED[..length].to_vec()));
        let fault = rig.org.describe("Contact".into()).await.unwrap_err();
        assert_eq!(
            (fault.class, fault.code.as_ref()),
            (Class::Retry, "TRUNCATED"),
            "{length}"
        );
    }
}

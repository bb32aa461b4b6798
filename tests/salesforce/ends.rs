//! Every way a call can end, for a write and for a read: one row each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tandem::port::org::{Org, WriteAnswer, WriteCall, WriteRow};
use tandem::salesforce::client::BODY_BYTES_MAX;
use tandem::salesforce::session::SessionKeeper;
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::engine::call::ApiUsage;
use tandem_core::engine::classify::Class;
use tandem_core::engine::commit::Verb;

use crate::rig::{React, Rig, client_credentials, http, org, tenant};
use crate::tokens::MemoryTokens;

const ID: &str = "003000000000001AAA";

fn update() -> WriteCall {
    WriteCall {
        sobject: "Contact".into(),
        verb: Verb::Update,
        external_id: "Tandem_Key__c".into(),
        rows: vec![WriteRow {
            id: SalesforceId::parse(ID).ok(),
            members: r#""LastName":"L""#.into(),
        }],
    }
}

fn fault(answer: WriteAnswer) -> (Class, u16, String) {
    let fault = answer.outcome.unwrap_err();
    (fault.class, fault.status, fault.code.to_string())
}

fn error(status: u16, code: &str, message: &str) -> React {
    React::json(status, format!(r#"[{{"message":"{message}","errorCode":"{code}"}}]"#))
}

#[tokio::test]
async fn the_end_of_a_call_decides_what_is_known() {
    use Class::{Concurrency, Configuration, Retry, SlowDown, Unknown};
    let whole = format!(r#"[{{"id":"{ID}","success":true,"errors":[]}}]"#).into_bytes();
    // What comes, then: what a write knows, what a read does, status, code.
    let table = [
        ("reset without a byte", React::Close, Unknown, Retry, 0, "RESET"),
        (
            "half of the body",
            React::Half(200, whole.clone()),
            Unknown,
            Retry,
            200,
            "TRUNCATED",
        ),
        (
            "half of an error",
            React::Half(500, b"<html>....</html>".to_vec()),
            Unknown,
            Retry,
            500,
            "TRUNCATED",
        ),
        ("200 and HTML", React::html(200), Unknown, Retry, 200, "NOT_UNDERSTOOD"),
        (
            "200 and nothing",
            React::Say(200, "", vec![]),
            Unknown,
            Retry,
            200,
            "TRUNCATED",
        ),
        (
            "204 and nothing",
            React::Say(204, "", vec![]),
            Unknown,
            Retry,
            204,
            "HTTP_204",
        ),
        ("500 HTML", React::html(500), Unknown, Retry, 500, "HTTP_500"),
        (
            "500 JSON",
            error(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred"),
            Unknown,
            Retry,
            500,
            "UNKNOWN_EXCEPTION",
        ),
        (
            "500 with a lock",
            error(500, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access"),
            Retry,
            Retry,
            500,
            "UNABLE_TO_LOCK_ROW",
        ),
        ("502 edge", React::html(502), Unknown, Retry, 502, "HTTP_502"),
        ("504 edge", React::html(504), Unknown, Retry, 504, "HTTP_504"),
        ("503 HTML", React::html(503), Retry, Retry, 503, "HTTP_503"),
        (
            "503 JSON",
            error(503, "SERVER_UNAVAILABLE", "Server Unavailable"),
            Retry,
            Retry,
            503,
            "SERVER_UNAVAILABLE",
        ),
        ("420 edge", React::html(420), Retry, Retry, 420, "HTTP_420"),
        (
            "406 bodyless",
            React::Say(406, "", vec![]),
            Retry,
            Retry,
            406,
            "HTTP_406",
        ),
        ("429", React::html(429), Concurrency, Concurrency, 429, "HTTP_429"),
        (
            "running too long",
            error(400, "REQUEST_RUNNING_TOO_LONG", "x"),
            Unknown,
            Retry,
            400,
            "REQUEST_RUNNING_TOO_LONG",
        ),
        (
            "daily calls",
            error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
            SlowDown,
            SlowDown,
            403,
            "REQUEST_LIMIT_EXCEEDED",
        ),
        (
            "concurrent calls",
            error(
                403,
                "REQUEST_LIMIT_EXCEEDED",
                "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
            ),
            Concurrency,
            Concurrency,
            403,
            "REQUEST_LIMIT_EXCEEDED",
        ),
        (
            "long apex",
            error(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."),
            Concurrency,
            Concurrency,
            403,
            "REQUEST_LIMIT_EXCEEDED",
        ),
        (
            "API off",
            error(403, "API_DISABLED_FOR_ORG", "x"),
            Configuration,
            Configuration,
            403,
            "API_DISABLED_FOR_ORG",
        ),
        (
            "no such field",
            error(400, "INVALID_FIELD", "No such column 'foo' on sobject of type Contact"),
            Configuration,
            Configuration,
            400,
            "INVALID_FIELD",
        ),
        (
            "no such key",
            error(
                404,
                "NOT_FOUND",
                "Provided external ID field does not exist or is not accessible: X",
            ),
            Configuration,
            Configuration,
            404,
            "NOT_FOUND",
        ),
        (
            "version gone",
            error(410, "UNSUPPORTED_API_VERSION", "x"),
            Configuration,
            Configuration,
            410,
            "UNSUPPORTED_API_VERSION",
        ),
    ];
    for (name, react, write, read, status, code) in table {
        let rig = Rig::start().await;
        rig.stub.next(react.clone()).next(react);
        assert_eq!(
            fault(rig.org.write(update()).await),
            (write, status, code.to_owned()),
            "{name}, written"
        );
        let ids = vec![SalesforceId::parse(ID).unwrap()];
        let fault = rig
            .org
            .read("Contact".into(), ids, vec!["LastName".into()])
            .await
            .unwrap_err();
        assert_eq!(
            (fault.class, fault.status, fault.code.as_ref()),
            (read, status, code),
            "{name}, read"
        );
        assert_eq!(rig.stub.logins(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_call_that_never_left_is_told_from_one_that_may_have() {
    // Nobody listens: nothing was sent.
    let rig = Rig::start().await;
    let dead = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    rig.stub.next_login(crate::rig::grant("x", &format!("http://{dead}")));
    assert_eq!(
        fault(rig.org.write(update()).await),
        (Class::Retry, 0, "CONNECT".to_owned())
    );

    // Somebody listens and never answers: it may have been done.
    let stub = crate::rig::Stub::start().await;
    let http = http(Duration::from_millis(200));
    let login = client_credentials(&http, &stub.url(), None);
    let keeper = Arc::new(SessionKeeper::new(
        tenant(),
        login,
        Arc::clone(&http),
        Arc::new(MemoryTokens::default()),
    ));
    stub.next(React::Hang);
    let began = Instant::now();
    let answer = org(&http, &keeper, None).write(update()).await;
    assert!(answer.took >= Duration::from_millis(200) && began.elapsed() < Duration::from_secs(10));
    assert_eq!(fault(answer), (Class::Unknown, 0, "TIMEOUT".to_owned()));
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    let rig = Rig::start().await;
    let body = vec![b' '; BODY_BYTES_MAX + 1];
    rig.stub.next(React::Say(200, "", body));
    assert_eq!(
        fault(rig.org.write(update()).await),
        (Class::Unknown, 200, "TOO_LARGE".to_owned())
    );
}

#[tokio::test]
async fn usage_requests_and_waiting_times_are_told() {
    let rig = Rig::start().await;
    let limit = "Sforce-Limit-Info: api-usage=18/5000; per-app-api-usage=17/250(appName=x)\r\nRetry-After: 7\r\n";
    rig.stub.next(React::Say(503, limit, vec![]));
    let answer = rig.org.write(update()).await;
    assert_eq!(answer.usage, Some(ApiUsage { used: 18, limit: 5000 }));
    assert_eq!(answer.requests, 2, "a login and the call");
    assert_eq!(answer.outcome.unwrap_err().retry_after, Some(Duration::from_secs(7)));

    rig.stub
        .next(React::json(401, r#"[{"errorCode":"INVALID_SESSION_ID","message":""}]"#));
    rig.stub.next(React::json(
        200,
        format!(r#"[{{"id":"{ID}","success":true,"errors":[]}}]"#),
    ));
    let answer = rig.org.write(update()).await;
    assert_eq!(answer.requests, 3, "the call, a login, the call again");
    assert!(answer.outcome.is_ok());
}

#[tokio::test]
async fn error_texts_that_can_hold_values_are_kept_back() {
    let rig = Rig::start().await;
    rig.stub.next(error(
        400,
        "JSON_PARSER_ERROR",
        "Cannot deserialize instance of date from VALUE_STRING value jane@example.com",
    ));
    let fault = rig.org.write(update()).await.outcome.unwrap_err();
    assert!(!format!("{fault:?}").contains("jane"), "{fault:?}");
}

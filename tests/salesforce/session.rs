//! One token for all workers: found, shared, renewed once, stored before it is used, given up when refused.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::future::join_all;
use secrecy::ExposeSecret;
use tandem::port::org::Org;
use tandem::salesforce::session::{REFUSED_FOR, SessionKeeper};
use tandem_core::engine::classify::{CallFault, Class};

use crate::rig::{React, Rig, client_credentials, org, tenant};

const EXPIRED: &str = r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;

async fn describe(rig: &Rig) -> Result<(), CallFault> {
    rig.org.describe("Contact".into()).await.map(|_| ())
}

fn bearers(rig: &Rig) -> Vec<String> {
    let calls = rig.stub.data_calls();
    calls
        .iter()
        .map(|s| {
            s.header("authorization")
                .unwrap_or_default()
                .rsplit('!')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect()
}

#[tokio::test]
async fn many_workers_cause_one_login() {
    let rig = Rig::start().await;
    for _ in 0..20 {
        rig.stub.next(React::json(200, "{}"));
    }
    assert!(
        join_all((0..20).map(|_| describe(&rig)))
            .await
            .iter()
            .all(Result::is_ok)
    );
    assert_eq!(rig.stub.logins(), 1);
    assert!(bearers(&rig).iter().all(|b| b == "token1"));
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_for_all_and_the_calls_are_repeated() {
    let rig = Rig::start().await;
    rig.stub.next(React::json(200, "{}"));
    describe(&rig).await.unwrap();
    // Eight calls are refused together; then all are repeated.
    for _ in 0..8 {
        rig.stub.next(React::json(401, EXPIRED));
    }
    for _ in 0..8 {
        rig.stub.next(React::json(200, "{}"));
    }
    let answers = join_all((0..8).map(|_| describe(&rig))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(rig.stub.logins(), 2);
    assert_eq!(bearers(&rig).iter().filter(|b| *b == "token2").count(), 8);
}

#[tokio::test]
async fn a_second_401_does_not_cause_a_second_login() {
    let rig = Rig::start().await;
    rig.stub.next(React::json(401, EXPIRED)).next(React::json(401, EXPIRED));
    let fault = describe(&rig).await.unwrap_err();
    assert_eq!((fault.class, fault.status), (Class::Reauthorise, 401));
    assert_eq!((rig.stub.logins(), rig.stub.data_calls().len()), (2, 2));
}

#[tokio::test]
async fn an_org_that_refuses_every_new_session_is_not_logged_into_for_ever() {
    let rig = Rig::start().await;
    for _ in 0..40 {
        rig.stub.next(React::json(401, EXPIRED));
    }
    for _ in 0..15 {
        assert_eq!(describe(&rig).await.unwrap_err().class, Class::Reauthorise);
    }
    assert_eq!(rig.stub.logins(), 3);
    let fault = describe(&rig).await.unwrap_err();
    assert_eq!(fault.code.as_ref(), "SESSION_REFUSED");

    // After its time it is tried again.
    tokio::time::pause();
    tokio::time::advance(REFUSED_FOR).await;
    tokio::time::resume();
    describe(&rig).await.unwrap_err();
    assert_eq!(rig.stub.logins(), 4);
}

#[tokio::test]
async fn a_401_by_policy_is_not_renewed() {
    for words in [
        "This session is not valid for use with the REST API",
        "Connected app is not attached to Agent",
    ] {
        let rig = Rig::start().await;
        rig.stub.next(React::json(
            401,
            format!(r#"[{{"message":"{words}","errorCode":"INVALID_SESSION_ID"}}]"#),
        ));
        assert_eq!(describe(&rig).await.unwrap_err().class, Class::Configuration);
        assert_eq!((rig.stub.logins(), rig.stub.data_calls().len()), (1, 1));
    }
}

#[tokio::test]
async fn an_org_that_moved_is_called_at_its_new_place() {
    let (old, new) = (Rig::start().await, Rig::start().await);
    old.stub.next(React::Say(
        302,
        "Location: https://elsewhere.my.salesforce.com/\r\n",
        vec![],
    ));
    old.stub.next_login(crate::rig::grant("first", &old.stub.url()));
    old.stub.next_login(crate::rig::grant("second", &new.stub.url()));
    new.stub.next(React::json(200, "{}"));
    describe(&old).await.unwrap();
    assert_eq!((old.stub.data_calls().len(), new.stub.data_calls().len()), (1, 1));

    // Redirected again: it is moving still, and the redirect is not followed.
    let rig = Rig::start().await;
    for _ in 0..2 {
        rig.stub.next(React::Say(
            301,
            "Location: https://elsewhere.my.salesforce.com/\r\n",
            vec![],
        ));
    }
    assert_eq!(describe(&rig).await.unwrap_err().class, Class::Retry);
    assert_eq!((rig.stub.logins(), rig.stub.data_calls().len()), (2, 2));
}

#[tokio::test]
async fn a_stored_token_is_used_without_a_login() {
    let first = Rig::start().await;
    let secret = {
        first.org.session().await.unwrap();
        first.tokens.now().1.unwrap()
    };
    let again = keeper(&first);
    let session = org(&first.http, &again, None).session().await.unwrap();
    assert!(session.token.expose_secret().ends_with("!token1"));
    assert_eq!(first.stub.logins(), 1);

    // Another app's token, a forbidden host, another org and junk are not used.
    for bad in [
        secret.replace("consumer-key", "other-key"),
        secret.replace(
            &format!("\"instance_url\":\"{}", first.stub.url()),
            "\"instance_url\":\"https://evil.com",
        ),
        secret.replace("00D000000000001EAA\"", "junk\""),
        "junk".to_owned(),
    ] {
        assert_ne!(bad, secret);
        let rig = Rig::start().await;
        rig.tokens.put(&bad);
        let session = rig.org.session().await.unwrap();
        assert!(session.token.expose_secret().ends_with("!token1"));
        assert_eq!((rig.stub.logins(), rig.tokens.now().0), (1, 2));
    }
}

fn keeper(rig: &Rig) -> Arc<SessionKeeper> {
    let login = client_credentials(&rig.http, &rig.stub.url(), None);
    Arc::new(SessionKeeper::new(
        tenant(),
        login,
        Arc::clone(&rig.http),
        rig.tokens.clone(),
    ))
}

#[tokio::test]
async fn a_token_that_another_node_renewed_is_taken_over() {
    let rig = Rig::start().await;
    let other = keeper(&rig);
    let other_org = org(&rig.http, &other, None);
    rig.stub.next(React::json(200, "{}")).next(React::json(200, "{}"));
    describe(&rig).await.unwrap();
    other_org.describe("Contact".into()).await.unwrap();
    assert_eq!(rig.stub.logins(), 1);

    rig.stub.next(React::json(401, EXPIRED)).next(React::json(200, "{}"));
    describe(&rig).await.unwrap();
    rig.stub.next(React::json(401, EXPIRED)).next(React::json(200, "{}"));
    other_org.describe("Contact".into()).await.unwrap();
    assert_eq!(
        rig.stub.logins(),
        2,
        "the other node logged in although a new token was stored"
    );
}

#[tokio::test]
async fn a_token_that_could_not_be_stored_is_not_used_and_not_asked_for_again() {
    let rig = Rig::start().await;
    for fails in [&rig.tokens.loads_fail, &rig.tokens.stores_fail] {
        fails.store(true, Ordering::SeqCst);
        for _ in 0..3 {
            let fault = describe(&rig).await.unwrap_err();
            assert_eq!((fault.class, fault.code.as_ref()), (Class::Retry, "TOKEN_STORE"));
        }
        fails.store(false, Ordering::SeqCst);
    }
    // The login that the failed stores followed was one, and its token was not used.
    assert_eq!((rig.stub.logins(), rig.stub.data_calls().len()), (1, 0));
    rig.stub.next(React::json(200, "{}"));
    describe(&rig).await.unwrap();
    assert_eq!((rig.stub.logins(), rig.tokens.now().0), (1, 1));
}

#[tokio::test]
async fn a_refused_login_is_not_repeated_until_told() {
    let rig = Rig::start().await;
    rig.stub.next_login(React::json(
        400,
        r#"{"error":"invalid_grant","error_description":"inactive user"}"#,
    ));
    for _ in 0..5 {
        let fault = describe(&rig).await.unwrap_err();
        assert_eq!(
            (fault.class, fault.code.as_ref()),
            (Class::Reauthorise, "invalid_grant")
        );
        assert!(fault.detail.contains("activate the user"), "{}", fault.detail);
        assert_eq!(fault.retry_after, Some(REFUSED_FOR));
    }
    assert_eq!(rig.stub.logins(), 1);

    rig.keeper.try_again().await;
    rig.stub.next(React::json(200, "{}"));
    describe(&rig).await.unwrap();
    assert_eq!(rig.stub.logins(), 2);
}

#[tokio::test]
async fn a_refused_login_is_tried_again_after_its_time() {
    let rig = Rig::start().await;
    rig.stub.next_login(React::json(
        400,
        r#"{"error":"invalid_grant","error_description":"inactive user"}"#,
    ));
    describe(&rig).await.unwrap_err();
    rig.stub.next(React::json(200, "{}"));
    tokio::time::pause();
    tokio::time::advance(REFUSED_FOR).await;
    tokio::time::resume();
    describe(&rig).await.unwrap();
    assert_eq!(rig.stub.logins(), 2);
}

#[tokio::test]
async fn workers_that_wait_for_a_failing_login_share_its_failure() {
    let rig = Rig::start().await;
    rig.stub.next_login(React::html(503));
    let answers = join_all((0..10).map(|_| describe(&rig))).await;
    assert!(answers.iter().all(|a| a.as_ref().unwrap_err().class == Class::Retry));
    assert_eq!(rig.stub.logins(), 1);
    // The next one tries anew: nothing was refused.
    rig.stub.next(React::json(200, "{}"));
    describe(&rig).await.unwrap();
}

//! Both flows on the wire, and what each refusal means.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::SecretString;
use tandem::port::org::Org;
use tandem::salesforce::auth::{Login, LoginSettingsError, Refusal};
use tandem::salesforce::hosts::AllowedHosts;
use tandem::salesforce::session::SessionKeeper;
use tandem_core::engine::classify::Class;

use crate::rig::{ORG, React, Rig, Stub, grant, http, org, tenant};
use crate::tokens::MemoryTokens;

#[tokio::test]
async fn client_credentials_are_posted_as_a_form() {
    let rig = Rig::start().await;
    let session = rig.org.session().await.unwrap();
    assert_eq!((session.org_id.as_str(), session.instance_url), (ORG.1, rig.stub.url()));

    let seen = rig.stub.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].line, "POST /services/oauth2/token HTTP/1.1");
    assert_eq!(
        seen[0].header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(seen[0].header("authorization"), None);
    let mut form: Vec<_> = seen[0].body.split('&').collect();
    form.sort_unstable();
    assert_eq!(
        form,
        [
            "client_id=consumer-key",
            "client_secret=consumer-secret",
            "grant_type=client_credentials"
        ]
    );
}

fn key_pair() -> (SecretString, KeyPair) {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let text = STANDARD.encode(der.as_ref());
    (
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n").into(),
        pair,
    )
}

#[tokio::test]
async fn jwt_bearer_signs_what_salesforce_checks() {
    let (pem, pair) = key_pair();
    let stub = Stub::start().await;
    let http = http(Duration::from_secs(20));
    let audience = "https://login.salesforce.com";
    let login = Login::jwt_bearer(
        http.hosts(),
        &stub.url(),
        "consumer-key",
        "sync@acme.example",
        audience,
        &pem,
        None,
    )
    .unwrap();
    let keeper = SessionKeeper::new(tenant(), login, Arc::clone(&http), Arc::new(MemoryTokens::default()));
    let session = org(&http, &Arc::new(keeper), None).session().await.unwrap();
    assert_eq!(session.org_id, ORG.1);

    let seen = stub.seen();
    assert_eq!(
        seen[0].header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    let grant_type = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    let assertion = seen[0].body.strip_prefix(grant_type).unwrap();

    let public = aws_lc_rs::signature::KeyPair::public_key(&pair);
    let mut checks = Validation::new(Algorithm::RS256);
    checks.set_audience(&[audience]);
    let key = DecodingKey::from_rsa_der(public.as_ref());
    let claims = jsonwebtoken::decode::<serde_json::Value>(assertion, &key, &checks)
        .unwrap()
        .claims;
    assert_eq!(claims["iss"], "consumer-key");
    assert_eq!(claims["sub"], "sync@acme.example");
    let left = claims["exp"].as_u64().unwrap() - jsonwebtoken::get_current_timestamp();
    assert!((170..=180).contains(&left), "{left}");
}

#[test]
fn settings_that_cannot_work_are_refused_at_the_start() {
    let hosts = AllowedHosts::default();
    let secret = || SecretString::from("s");
    let credentials =
        |url: &str, id: &str, org: Option<&str>| Login::client_credentials(&hosts, url, id, secret(), org).err();
    let own = "https://acme.my.salesforce.com";
    assert!(credentials(own, "id", None).is_none());
    assert!(credentials(own, "id", Some(ORG.0)).is_none());
    assert!(matches!(
        credentials("https://login.salesforce.com", "id", None),
        Some(LoginSettingsError::SharedHost(_))
    ));
    assert!(matches!(
        credentials("https://test.salesforce.com", "id", None),
        Some(LoginSettingsError::SharedHost(_))
    ));
    assert!(matches!(
        credentials("https://evil.com", "id", None),
        Some(LoginSettingsError::Host(_))
    ));
    assert!(matches!(
        credentials(own, "", None),
        Some(LoginSettingsError::Empty("client_id"))
    ));
    assert!(matches!(
        credentials(own, "id", Some("001000000000001")),
        Some(LoginSettingsError::OrgId(_))
    ));

    let jwt = |user: &str, audience: &str, pem: SecretString| {
        Login::jwt_bearer(&hosts, "https://login.salesforce.com", "id", user, audience, &pem, None).err()
    };
    assert!(matches!(
        jwt("u", "a", "no key".into()),
        Some(LoginSettingsError::Key(_))
    ));
    assert!(matches!(
        jwt("", "a", key_pair().0),
        Some(LoginSettingsError::Empty("username"))
    ));
    assert!(matches!(
        jwt("u", "", key_pair().0),
        Some(LoginSettingsError::Empty("audience"))
    ));
    assert!(jwt("u", "a", key_pair().0).is_none());
}

#[test]
fn every_refusal_of_the_catalogue_has_a_class_a_reason_and_a_remedy() {
    use Class::{Configuration as K, Reauthorise as A, Retry as T, SlowDown as Q};
    let table = [
        (
            "invalid_grant",
            "user hasn't approved this consumer",
            K,
            "pre-authorise",
        ),
        ("invalid_grant", "audience is invalid", K, "audience"),
        ("invalid_grant", "invalid assertion", K, "private_key_file"),
        ("invalid_grant", "expired assertion", K, "clock"),
        ("invalid_grant", "expired access/refresh token", A, "connect"),
        ("invalid_grant", "expired authorization code", T, "tried again"),
        ("invalid_grant", "inactive user", A, "activate"),
        ("invalid_grant", "ip restricted or invalid login hours", K, "address"),
        ("invalid_grant", "authentication failure", K, "credentials"),
        (
            "invalid_grant",
            "authentication failure - Invalid Password",
            K,
            "credentials",
        ),
        (
            "invalid_grant",
            "request not supported on this domain",
            K,
            "my.salesforce.com",
        ),
        ("invalid_grant", "no client credentials user enabled", K, "run-as"),
        ("invalid_grant", "words never seen", K, "login history"),
        ("invalid_grant", "", K, "login history"),
        (
            "invalid_app_access",
            "user is not admin approved to access this app",
            K,
            "permission set",
        ),
        ("invalid_client_id", "client identifier invalid", K, "client_id"),
        ("invalid_client", "invalid client credentials", K, "secret"),
        (
            "app_not_found",
            "External client app is not installed in this org",
            K,
            "install",
        ),
        ("OAUTH_APP_BLOCKED", "", K, "unblock"),
        ("OAUTH_EC_APP_NOT_FOUND", "", K, "install"),
        ("OAUTH_APPROVAL_ERROR_GENERIC", "", K, "administrator"),
        ("inactive_user", "user is inactive", A, "activate"),
        (
            "inactive_org",
            "organization is locked, closed, or suspended",
            A,
            "Salesforce",
        ),
        ("rate_limit_exceeded", "number of logins exceeded", Q, "later"),
        ("unsupported_grant_type", "grant type not supported", K, "flow"),
        ("invalid_request", "", K, "check"),
        ("invalid_scope", "", K, "scopes"),
        ("access_denied", "end-user denied authorization", K, "approve"),
        ("brand_new_code", "whatever", K, "look the code up"),
    ];
    for (error, description, class, remedy) in table {
        let refusal = Refusal::of(error, description);
        assert_eq!((refusal.class, refusal.code.as_str()), (class, error), "{description}");
        assert!(refusal.remedy.contains(remedy), "{error} {description}: {refusal}");
        assert!(!refusal.reason.is_empty());
    }
}

#[tokio::test]
async fn refused_and_failed_logins_are_told_apart_on_the_wire() {
    let refusal =
        |error: &str, words: &str| React::json(400, format!(r#"{{"error":"{error}","error_description":"{words}"}}"#));
    let table = [
        (
            refusal("invalid_grant", "inactive user"),
            Class::Reauthorise,
            "invalid_grant",
        ),
        (
            refusal("invalid_client", "invalid client credentials"),
            Class::Reauthorise,
            "invalid_client",
        ),
        (
            refusal("rate_limit_exceeded", "number of logins exceeded"),
            Class::SlowDown,
            "rate_limit_exceeded",
        ),
        (
            refusal("invalid_grant", "expired authorization code"),
            Class::Retry,
            "invalid_grant",
        ),
        (React::html(503), Class::Retry, "LOGIN_UNAVAILABLE"),
        (React::html(420), Class::Retry, "LOGIN_UNAVAILABLE"),
        (React::Say(406, "", vec![]), Class::Retry, "LOGIN_UNAVAILABLE"),
        (React::html(429), Class::Retry, "LOGIN_BUSY"),
        (React::Close, Class::Retry, "RESET"),
        (
            React::Half(200, br#"{"access_token":"x"}"#.to_vec()),
            Class::Retry,
            "TRUNCATED",
        ),
        // A login page, a redirect, and answers that lack what is needed.
        (React::html(200), Class::Reauthorise, "LOGIN_ANSWER"),
        (React::html(404), Class::Reauthorise, "LOGIN_ANSWER"),
        (
            React::Say(302, "Location: https://evil.com/\r\n", vec![]),
            Class::Reauthorise,
            "LOGIN_ANSWER",
        ),
        (React::json(200, "{}"), Class::Reauthorise, "LOGIN_ANSWER"),
        (
            React::json(200, r#"{"access_token":"00D000000000001!x","token_type":"Bearer"}"#),
            Class::Reauthorise,
            "LOGIN_ANSWER",
        ),
        (React::json(200, "not json"), Class::Reauthorise, "LOGIN_ANSWER"),
        // Instances that must not be called.
        (grant("x", "https://evil.com"), Class::Reauthorise, "HOST_REFUSED"),
        (
            grant("x", "https://login.salesforce.com@evil.com"),
            Class::Reauthorise,
            "HOST_REFUSED",
        ),
        (
            grant("x", "http://acme.my.salesforce.com"),
            Class::Reauthorise,
            "HOST_REFUSED",
        ),
    ];
    for (react, class, code) in table {
        let rig = Rig::start().await;
        rig.stub.next_login(react);
        let fault = rig.org.session().await.map(|_| ()).unwrap_err();
        assert_eq!((fault.class, fault.code.as_ref()), (class, code), "{}", fault.detail);
        assert_eq!(rig.tokens.now().1, None, "{code}: something was stored");
    }
}

#[tokio::test]
async fn another_org_than_the_settings_name_is_refused() {
    let rig = Rig::with_org_id(Some("00D000000000002")).await;
    let fault = rig.org.session().await.map(|_| ()).unwrap_err();
    assert_eq!((fault.class, fault.code.as_ref()), (Class::Reauthorise, "WRONG_ORG"));

    let rig = Rig::with_org_id(Some(ORG.1)).await;
    assert_eq!(rig.org.session().await.unwrap().org_id, ORG.1);

    // The identity URL and the token must name the same org.
    let rig = Rig::start().await;
    rig.stub.next_login(React::json(
        200,
        format!(
            r#"{{"access_token":"00D000000000002!x","instance_url":"{}","id":"https://x/id/{}/u","token_type":"Bearer"}}"#,
            rig.stub.url(),
            ORG.1
        ),
    ));
    assert_eq!(
        rig.org.session().await.map(|_| ()).unwrap_err().code.as_ref(),
        "LOGIN_ANSWER"
    );
}

#[tokio::test]
async fn no_secret_and_no_token_is_shown() {
    let rig = Rig::start().await;
    rig.stub.next_login(React::json(
        200,
        r#"{"access_token":"00D000000000001!very-secret","token_type":7}"#,
    ));
    let fault = rig.org.session().await.map(|_| ()).unwrap_err();
    let shown = format!("{fault:?}");
    assert!(
        !shown.contains("very-secret") && !shown.contains("consumer-secret"),
        "{shown}"
    );
}

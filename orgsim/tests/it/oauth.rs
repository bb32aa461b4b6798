//! Tokens (contract 1).

use base64::Engine;
use orgsim::Options;
use serde_json::{Value, json};

use crate::server::{Answer, Server, V};

async fn ask(server: &Server, form: &[(&str, &str)]) -> Answer {
    let url = format!("{}/services/oauth2/token", server.simulator.http_url());
    server.send(server.client.post(url).form(form)).await
}

fn text<'o>(org: &'o Value, key: &str) -> &'o str {
    org[key].as_str().unwrap()
}

#[tokio::test]
async fn every_flow_gives_a_token_that_works() {
    let server = Server::start().await;
    let org = &server.orgs[0];
    let (id, secret) = (text(org, "client_id"), text(org, "client_secret"));
    let by_form = ask(
        &server,
        &[
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
        ],
    )
    .await;
    let url = format!("{}/services/oauth2/token", server.simulator.http_url());
    let by_basic = server
        .client
        .post(url)
        .basic_auth(id, Some(secret))
        .form(&[("grant_type", "client_credentials")]);
    let by_basic = server.send(by_basic).await;
    let by_password = ask(
        &server,
        &[
            ("grant_type", "password"),
            ("client_id", id),
            ("client_secret", secret),
            ("username", text(org, "username")),
            ("password", text(org, "password")),
        ],
    )
    .await;
    for answer in [by_form, by_basic, by_password] {
        assert_eq!(answer.status, 200, "{}", answer.text);
        let token = text(&answer.body, "access_token");
        // V:RF-FIX: opaque, 15 characters of the org, `!`; instance_url without a slash; issued_at is a text of milliseconds.
        assert_eq!(token.split_once('!').unwrap().0, &text(org, "org_id")[..15]);
        assert_eq!(text(&answer.body, "instance_url"), server.simulator.http_url());
        assert!(text(&answer.body, "issued_at").parse::<u64>().unwrap() > 1_700_000_000_000);
        assert_eq!(answer.body.get("expires_in"), None, "V:I-xagent-1459");
        assert_eq!(
            answer.header("sforce-limit-info"),
            "",
            "R rfdb: token answers have none"
        );
        let limits = server
            .client
            .get(format!("{}{V}/limits", server.simulator.http_url()))
            .bearer_auth(token);
        assert_eq!(server.send(limits).await.status, 200);
        let identity = server.client.get(text(&answer.body, "id")).bearer_auth(token);
        assert_eq!(server.send(identity).await.body["organization_id"], org["org_id"]);
    }
}

#[tokio::test]
async fn refusals_are_objects() {
    let server = Server::start().await;
    let org = &server.orgs[0];
    let (id, secret) = (text(org, "client_id"), text(org, "client_secret"));
    let username = text(org, "username");
    for (form, error, description) in [
        // F restforce.
        (
            vec![
                ("grant_type", "password"),
                ("client_id", id),
                ("client_secret", secret),
                ("username", username),
                ("password", "x"),
            ],
            "invalid_grant",
            "authentication failure",
        ),
        (
            vec![
                ("grant_type", "client_credentials"),
                ("client_id", "x"),
                ("client_secret", secret),
            ],
            "invalid_client_id",
            "client identifier invalid",
        ),
        (
            vec![
                ("grant_type", "client_credentials"),
                ("client_id", id),
                ("client_secret", "x"),
            ],
            "invalid_client",
            "invalid client credentials",
        ),
        (
            vec![("grant_type", "magic")],
            "unsupported_grant_type",
            "grant type not supported",
        ),
        (
            vec![
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                ("assertion", "a.b.c"),
            ],
            "invalid_grant",
            "invalid assertion",
        ),
    ] {
        let answer = ask(&server, &form).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert_eq!(answer.body, json!({"error": error, "error_description": description}));
    }
}

#[tokio::test]
async fn tokens_die() {
    let server = Server::start().await;
    assert_eq!(server.get("/limits").await.status, 200);
    server.admin("POST", "/orgs/acme/expire-tokens", json!({})).await;
    let dead = server.get("/limits").await;
    assert_eq!(dead.status, 401);
    // F restforce, used by all clients.
    assert_eq!(
        dead.body,
        json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])
    );
    let url = format!("{}{V}/limits", server.simulator.http_url());
    let without = server.send(server.client.get(url)).await;
    // R dahlia.
    assert_eq!(
        without.body,
        json!([{"message": "INVALID_AUTH_HEADER", "errorCode": "INVALID_AUTH_HEADER"}])
    );
    let userinfo = server.send(server.request("GET", "/services/oauth2/userinfo")).await;
    assert_eq!(
        (userinfo.status.as_u16(), userinfo.text.as_str()),
        (403, "Bad_OAuth_Token")
    );
}

#[tokio::test]
async fn an_unused_token_dies_after_two_hours_and_a_revoked_one_at_once() {
    let server = Server::start().await;
    for (hours, status) in [(1.9, 200), (3.8, 200), (5.9, 401)] {
        server
            .admin("POST", "/clock", json!({"offset_ms": (hours * 3_600_000.0) as i64}))
            .await;
        assert_eq!(server.get("/limits").await.status, status, "{hours} h");
    }
    let server = Server::start().await;
    let url = format!("{}/services/oauth2/revoke", server.simulator.http_url());
    let revoke = || server.client.post(&url).form(&[("token", server.token())]);
    let first = server.send(revoke()).await;
    assert_eq!((first.status.as_u16(), first.text.as_str()), (200, ""));
    assert_eq!(server.get("/limits").await.status, 401);
    let second = server.send(revoke()).await;
    assert_eq!(second.status, 400);
    assert!(second.text.starts_with("error="), "V:JSF-OAUTH: urlencoded");
}

#[tokio::test]
async fn one_seed_gives_one_world() {
    let start = |seed| {
        Server::with(Options {
            seed,
            orgs: vec!["a".into(), "b".into()],
            ..Options::default()
        })
    };
    let (one, same, other) = (start(7).await, start(7).await, start(8).await);
    for key in [
        "org_id",
        "client_id",
        "client_secret",
        "password",
        "user_id",
        "access_token",
    ] {
        assert_eq!(one.orgs[0][key], same.orgs[0][key]);
        assert_ne!(one.orgs[0][key], other.orgs[0][key]);
        assert_ne!(one.orgs[0][key], one.orgs[1][key]);
    }
    assert_eq!(
        one.create("Account", json!({"Name": "a"})).await,
        same.create("Account", json!({"Name": "a"})).await
    );
}

#[tokio::test]
async fn jwt_bearer_needs_the_key_of_the_app() {
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    let server = Server::start().await;
    let org = &server.orgs[0];
    let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let (private, public) = pems(&key);
    let signed = |claims: &Value| {
        encode(
            &Header::new(Algorithm::RS256),
            claims,
            &EncodingKey::from_rsa_pem(private.as_bytes()).unwrap(),
        )
        .unwrap()
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let claims = |change: Value| {
        let mut claims = json!({"iss": org["client_id"], "sub": org["username"], "aud": "https://login.salesforce.com", "exp": now + 180});
        claims
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        signed(&claims)
    };
    let ask = async |token: String| {
        ask(
            &server,
            &[
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                ("assertion", &token),
            ],
        )
        .await
    };
    assert_eq!(
        ask(claims(json!({}))).await.body["error_description"],
        "invalid assertion",
        "no key yet"
    );
    server
        .admin("POST", "/orgs/acme/jwt-key", json!({"public_key_pem": public}))
        .await;
    for (change, description) in [
        (json!({"exp": now - 10}), "expired assertion"),
        (json!({"aud": "https://example.com"}), "audience is invalid"),
        (json!({"iss": "other"}), "invalid assertion"),
        (json!({"sub": "nobody"}), "user hasn't approved this consumer"),
    ] {
        assert_eq!(ask(claims(change)).await.body["error_description"], description);
    }
    // V:SFAUTH: the official client sends milliseconds as exp, far ahead.
    for change in [
        json!({}),
        json!({"exp": now * 1_000}),
        json!({"aud": server.simulator.http_url()}),
    ] {
        let answer = ask(claims(change)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.body.get("issued_at"), None, "V:NPM-JWT");
    }
}

pub(crate) fn pems(key: &aws_lc_rs::rsa::KeyPair) -> (String, String) {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
    use aws_lc_rs::signature::KeyPair;
    let pem = |label: &str, der: &[u8]| {
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        let lines: Vec<&str> = (0..body.len())
            .step_by(64)
            .map(|i| &body[i..(i + 64).min(body.len())])
            .collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    };
    let private: Pkcs8V1Der<'_> = key.as_der().unwrap();
    let public: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
    (pem("PRIVATE KEY", private.as_ref()), pem("PUBLIC KEY", public.as_ref()))
}

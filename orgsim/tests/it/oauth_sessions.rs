//! What tokens are good for, and what shows it (contract 1.8 and 1.9).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::oauth_flow::{App, parameter};
use crate::server::{Answer, Server, V};

const MINUTE_MS: i64 = 60_000;

async fn wait(server: &Server, ms: i64) {
    server.admin("POST", "/clock", json!({"offset_ms": ms})).await;
}

async fn with_scope(app: &App<'_>, scope: &str, changes: &[(&str, &str)]) -> Answer {
    let mut all = vec![("scope", scope)];
    all.extend(changes);
    let back = app.authorize(&all).await;
    app.exchange(&parameter(&back, "code").unwrap(), &[]).await
}

fn claims(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

async fn check_signature(server: &Server, token: &str) {
    let url = format!("{}/.well-known/openid-configuration", server.simulator.http_url());
    let found = server.send(server.client.get(url)).await;
    assert_eq!(found.body["issuer"], server.simulator.http_url());
    let keys = server
        .send(server.client.get(found.body["jwks_uri"].as_str().unwrap()))
        .await;
    let key: jsonwebtoken::jwk::Jwk = serde_json::from_value(keys.body["keys"][0].clone()).unwrap();
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    rules.validate_aud = false;
    let key = jsonwebtoken::DecodingKey::from_jwk(&key).unwrap();
    jsonwebtoken::decode::<Value>(token, &key, &rules).unwrap();
}

#[tokio::test]
async fn a_token_dies_after_the_time_of_its_app() {
    let server = Server::start().await;
    let app = App::with(&server, json!({"session_timeout_minutes": 15})).await;
    let (short, _) = app.tokens().await;
    for (minutes, status) in [(14, 200), (28, 200), (44, 401)] {
        wait(&server, minutes * MINUTE_MS).await;
        assert_eq!(app.data(&short).await.status, status, "{minutes} min: use prolongs it");
    }
    server
        .admin(
            "POST",
            "/orgs/acme/login-settings",
            json!({"session_timeout_minutes": 30}),
        )
        .await;
    app.set(json!({"session_timeout_minutes": null})).await;
    let (token, _) = app.tokens().await;
    wait(&server, (44 + 31) * MINUTE_MS).await;
    assert_eq!(app.data(&token).await.refusal(), (401, "INVALID_SESSION_ID"));
}

#[tokio::test]
async fn a_token_without_api_opens_no_data() {
    let server = Server::start().await;
    let app = App::new(&server).await;
    let answer = with_scope(&app, "id openid", &[]).await;
    let token = answer.body["access_token"].as_str().unwrap();
    let refused = app.data(token).await;
    assert_eq!(refused.status, 401);
    let text = "This session is not valid for use with the REST API";
    assert_eq!(
        refused.body,
        json!([{"message": text, "errorCode": "INVALID_SESSION_ID"}]),
        "V:JSF-HTTP"
    );
    let identity = server
        .client
        .get(answer.body["id"].as_str().unwrap())
        .bearer_auth(token);
    assert_eq!(server.send(identity).await.status, 200, "but shows who it is");
}

#[tokio::test]
async fn tokens_in_jwt_format() {
    let server = Server::start().await;
    let app = App::with(&server, json!({"token_format": "jwt", "session_timeout_minutes": 20})).await;
    let (token, refresh) = app.tokens().await;
    assert_eq!(token.split('.').count(), 3);
    check_signature(&server, &token).await;
    let claims = claims(&json!(token));
    assert_eq!(claims["client_id"], app.id.as_str());
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        20 * 60
    );
    assert_eq!(app.data(&token).await.status, 200);
    for garbled in [
        format!("x{token}"),
        format!("{}x", &token[..token.len() - 9]),
        "a.b.c".to_owned(),
        token.replacen(".", ".e", 1),
    ] {
        assert_eq!(
            app.data(&garbled).await.refusal(),
            (401, "INVALID_JWT_FORMAT"),
            "{garbled}"
        );
    }
    wait(&server, 15 * MINUTE_MS).await;
    assert_eq!(app.data(&token).await.status, 200);
    wait(&server, 21 * MINUTE_MS).await;
    assert_eq!(
        app.data(&token).await.refusal(),
        (401, "INVALID_SESSION_ID"),
        "use does not prolong it"
    );
    let again = app.refresh(&refresh, &[]).await;
    assert_eq!(again.body["token_format"], "jwt");
    let token = again.body["access_token"].as_str().unwrap();
    assert_eq!(app.data(token).await.status, 200);
    let url = format!("{}/services/oauth2/revoke", server.simulator.http_url());
    assert_eq!(
        server
            .send(server.client.post(url).form(&[("token", token)]))
            .await
            .status,
        200
    );
    assert_eq!(app.data(token).await.refusal(), (401, "INVALID_SESSION_ID"));
}

#[tokio::test]
async fn id_tokens() {
    let server = Server::start().await;
    let app = App::new(&server).await;
    let answer = with_scope(&app, "openid api refresh_token", &[("nonce", "n-1")]).await;
    let id_token = answer.body["id_token"].as_str().unwrap();
    check_signature(&server, id_token).await;
    let claims = claims(&answer.body["id_token"]);
    assert_eq!(claims["sub"], answer.body["id"]);
    assert_eq!(claims["aud"], app.id.as_str());
    assert_eq!(claims["iss"], server.simulator.http_url());
    assert_eq!(claims["nonce"], "n-1");
}

#[tokio::test]
async fn introspection() {
    let server = Server::start().await;
    let app = App::new(&server).await;
    let (access, refresh) = app.tokens().await;
    let url = format!("{}/services/oauth2/introspect", server.simulator.http_url());
    let ask = async |token: &str, secret: &str| {
        let form = [("token", token), ("token_type_hint", "access_token")];
        server
            .send(server.client.post(&url).basic_auth(&app.id, Some(secret)).form(&form))
            .await
    };
    for (token, kind) in [(&access, "access_token"), (&refresh, "refresh_token")] {
        let answer = ask(token, &app.secret).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.body["active"], true);
        assert_eq!(answer.body["scope"], "api refresh_token");
        assert_eq!(answer.body["client_id"], app.id.as_str());
        assert_eq!(answer.body["username"], server.orgs[0]["username"]);
        assert_eq!(answer.body["token_type"], kind);
        let (iat, exp) = (answer.body["iat"].as_i64().unwrap(), answer.body["exp"].as_i64());
        assert_eq!(exp, (kind == "access_token").then_some(iat + 7_200));
    }
    assert_eq!(ask(&access, "x").await.body["error"], "invalid_client");
    for none in [server.token(), "x", "00D!x", ""] {
        assert_eq!(ask(none, &app.secret).await.body, json!({"active": false}), "{none}");
    }
    wait(&server, 121 * MINUTE_MS).await;
    assert_eq!(
        ask(&access, &app.secret).await.body,
        json!({"active": false}),
        "asking is no use"
    );
}

#[tokio::test]
async fn the_identity_url() {
    let server = Server::start().await;
    let org = &server.orgs[0];
    let base = server.simulator.http_url();
    let path = format!(
        "/id/{}/{}",
        org["org_id"].as_str().unwrap(),
        org["user_id"].as_str().unwrap()
    );
    let id = server.send(server.request("GET", &path)).await;
    assert_eq!(id.body["user_id"], org["user_id"]);
    let rest = format!("{base}/services/data/v{{version}}/");
    assert_eq!(id.body["urls"]["rest"], rest);
    let latest = server
        .send(server.request("GET", &format!("{path}?version=latest")))
        .await;
    assert_eq!(latest.body["urls"]["rest"], format!("{base}{V}/"));
    let in_query = server
        .client
        .get(format!("{base}{path}"))
        .query(&[("oauth_token", server.token())]);
    assert_eq!(server.send(in_query).await.status, 200);
    for (request, status, text) in [
        (server.client.get(format!("{base}{path}")), 403, "Missing_OAuth_Token"),
        (
            server.client.get(format!("{base}{path}")).bearer_auth("x"),
            403,
            "Bad_OAuth_Token",
        ),
        (
            server.client.get(format!("{base}/services/oauth2/userinfo")),
            403,
            "Missing_OAuth_Token",
        ),
        (
            server.request("GET", "/id/00D000000000001/005000000000001"),
            403,
            "Wrong_Org",
        ),
        (server.request("GET", &path.replace("/005", "/006")), 404, "Bad_Id"),
    ] {
        let answer = server.send(request).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (status, text));
    }
}

#[tokio::test]
async fn answers_come_as_asked_for() {
    let server = Server::start().await;
    let org = &server.orgs[0];
    let url = format!("{}/services/oauth2/token", server.simulator.http_url());
    let ask = async |format: &str, accept: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", org["client_id"].as_str().unwrap()),
            ("client_secret", org["client_secret"].as_str().unwrap()),
            ("format", format),
        ];
        let form = if format.is_empty() { &form[..3] } else { &form[..] };
        server
            .send(server.client.post(&url).header("accept", accept).form(form))
            .await
    };
    let xml = ask("xml", "*/*").await;
    assert!(
        xml.text.contains("<OAuth>") && xml.text.contains("<token_type>Bearer</token_type>"),
        "{}",
        xml.text
    );
    let pairs = ask("", "application/x-www-form-urlencoded").await;
    assert!(
        pairs.text.contains("token_type=Bearer") && pairs.text.contains("%21AQ"),
        "{}",
        pairs.text
    );
    assert_eq!(ask("json", "application/xml").await.body["token_type"], "Bearer");
}

#[tokio::test]
async fn a_moved_org_answers_elsewhere() {
    let server = Server::start().await;
    let app = App::new(&server).await;
    let (access, refresh) = app.tokens().await;
    let moved = server.admin("POST", "/orgs/acme/move", json!({})).await;
    assert_eq!(moved.status, 200, "{}", moved.text);
    let new = moved.body["instance_url"].as_str().unwrap();
    assert_eq!(new, server.simulator.http_url().replace("127.0.0.1", "localhost"));
    let old = app.data(&access).await;
    assert_eq!(old.status.as_u16(), 420);
    assert!(old.text.starts_with("<html>"));
    let there = async |token: &str| {
        let request = server.client.get(format!("{new}{V}/limits")).bearer_auth(token);
        server.send(request).await.status
    };
    assert_eq!(there(&access).await, 200);
    let answer = app.refresh(&refresh, &[]).await;
    assert_eq!(answer.status, 200, "the login host is where it was: {}", answer.text);
    assert_eq!(answer.body["instance_url"], new, "V:I-jsforce-196");
    let id = answer.body["id"].as_str().unwrap();
    assert!(id.starts_with(&server.simulator.http_url()));
    let back = json!({"old": "invalid_session", "end_sessions": true});
    server.admin("POST", "/orgs/acme/move", back).await;
    assert_eq!(there(answer.body["access_token"].as_str().unwrap()).await, 401);
    let answer = app.refresh(&refresh, &[]).await;
    assert_eq!(answer.body["instance_url"], server.simulator.http_url());
    let token = answer.body["access_token"].as_str().unwrap();
    assert_eq!(app.data(token).await.status, 200);
    assert_eq!(there(token).await, 401);
}

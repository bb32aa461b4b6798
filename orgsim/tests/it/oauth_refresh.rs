//! Refresh tokens (contract 1.5).

use serde_json::{Value, json};

use crate::oauth_flow::App;
use crate::server::{Answer, Server};

const HOUR_MS: i64 = 60 * 60 * 1_000;

fn refresh_token(answer: &Answer) -> Option<&str> {
    answer.body["refresh_token"].as_str()
}

fn refused(description: &str) -> Value {
    json!({"error": "invalid_grant", "error_description": description})
}

async fn wait(server: &Server, ms: i64) {
    server.admin("POST", "/clock", json!({"offset_ms": ms})).await;
}

#[tokio::test]
async fn without_rotation_the_token_stays_and_access_tokens_pile_up() {
    let server = Server::start().await;
    let app = App::new(&server).await;
    let (access, refresh) = app.tokens().await;
    let answer = app.refresh(&refresh, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(refresh_token(&answer), None, "V:D-RTR");
    assert_eq!(answer.body["scope"], "api refresh_token");
    assert_ne!(answer.body["access_token"], access);
    assert!(
        answer.body["issued_at"].is_string() && answer.body["signature"].is_string(),
        "V:RF-FIX"
    );
    assert_eq!(app.data(&access).await.status, 200);
    assert_eq!(app.refresh(&refresh, &[]).await.status, 200);
}

#[tokio::test]
async fn with_rotation_the_old_token_is_dead_at_once() {
    let server = Server::start().await;
    let app = App::with(&server, json!({"rotation": true})).await;
    let (_, first) = app.tokens().await;
    let answer = app.refresh(&first, &[]).await;
    let second = refresh_token(&answer).unwrap();
    assert_ne!(first, second);
    // V:SEGMENT: the loser of a race is told so; later it is an old token as others.
    assert_eq!(
        app.refresh(&first, &[]).await.body,
        refused("expired authorization code")
    );
    wait(&server, 61_000).await;
    assert_eq!(
        app.refresh(&first, &[]).await.body,
        refused("expired access/refresh token")
    );
    assert_eq!(app.refresh(second, &[]).await.status, 200);
}

#[tokio::test]
async fn of_concurrent_refreshes_one_wins() {
    let server = Server::start().await;
    let app = App::with(&server, json!({"rotation": true})).await;
    let (_, token) = app.tokens().await;
    let answers = futures::future::join_all((0..8).map(|_| app.refresh(&token, &[]))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 7));
    for answer in lost {
        assert_eq!(answer.status, 400);
        assert_eq!(answer.body, refused("expired authorization code"));
    }
    assert_eq!(app.refresh(refresh_token(won[0]).unwrap(), &[]).await.status, 200);
}

#[tokio::test]
async fn the_sixth_authorization_ends_the_oldest() {
    let server = Server::start().await;
    let app = App::new(&server).await;
    let mut tokens = Vec::new();
    for _ in 0..6 {
        tokens.push(app.tokens().await);
    }
    let other = App::new(&server).await;
    other.tokens().await;
    assert_eq!(
        app.refresh(&tokens[0].1, &[]).await.body,
        refused("expired access/refresh token"),
        "V:I-appsmith-38961"
    );
    assert_eq!(
        app.data(&tokens[0].0).await.status,
        401,
        "its access token went with it"
    );
    for (access, refresh) in &tokens[1..] {
        assert_eq!(app.data(access).await.status, 200);
        assert_eq!(app.refresh(refresh, &[]).await.status, 200);
    }
    let apps = server.admin("GET", "/orgs/acme/apps", Value::Null).await;
    let app = apps
        .body
        .as_array()
        .unwrap()
        .iter()
        .find(|a| a["client_id"] == app.id.as_str())
        .unwrap();
    assert_eq!(app["live_refresh_tokens"], 5);
}

#[tokio::test]
async fn an_idle_token_dies_after_the_apps_days() {
    let server = Server::start().await;
    let app = App::new(&server).await;
    let forever = App::with(&server, json!({"refresh_idle_days": 0})).await;
    let (_, token) = app.tokens().await;
    let (_, other) = forever.tokens().await;
    wait(&server, 29 * 24 * HOUR_MS).await;
    assert_eq!(app.refresh(&token, &[]).await.status, 200);
    wait(&server, 58 * 24 * HOUR_MS).await;
    assert_eq!(app.refresh(&token, &[]).await.status, 200, "29 days after its last use");
    wait(&server, 89 * 24 * HOUR_MS).await;
    assert_eq!(
        app.refresh(&token, &[]).await.body,
        refused("expired access/refresh token")
    );
    assert_eq!(forever.refresh(&other, &[]).await.status, 200);
}

#[tokio::test]
async fn what_a_refresh_may_not_say() {
    let server = Server::start().await;
    let app = App::new(&server).await;
    let (_, token) = app.tokens().await;
    let other = App::new(&server).await;
    for (change, error, description) in [
        // C LibreChat#13412, V:I-appsmith-30239.
        (("scope", "api"), "invalid_request", "scope parameter not supported"),
        (("client_secret", ""), "invalid_client", "invalid client credentials"),
        (
            ("refresh_token", "5Aep861x"),
            "invalid_grant",
            "expired access/refresh token",
        ),
    ] {
        let answer = app.refresh(&token, &[change]).await;
        assert_eq!(
            answer.body,
            json!({"error": error, "error_description": description}),
            "{change:?}"
        );
    }
    assert_eq!(
        other.refresh(&token, &[]).await.body,
        refused("expired access/refresh token")
    );
    app.set(json!({"secret_for_refresh": false})).await;
    assert_eq!(app.refresh(&token, &[("client_secret", "")]).await.status, 200);
    let without = app.authorize(&[("scope", "api")]).await;
    let code = crate::oauth_flow::parameter(&without, "code").unwrap();
    assert_eq!(
        refresh_token(&app.exchange(&code, &[]).await),
        None,
        "its scope was not asked for"
    );
}

#[tokio::test]
async fn a_refresh_token_ends_with_its_access_tokens() {
    let server = Server::start().await;
    let app = App::new(&server).await;
    let url = format!("{}/services/oauth2/revoke", server.simulator.http_url());
    let (access, refresh) = app.tokens().await;
    let more = app.refresh(&refresh, &[]).await;
    let more = more.body["access_token"].as_str().unwrap();
    let revoked = server.send(server.client.post(&url).form(&[("token", &access)])).await;
    assert_eq!((revoked.status.as_u16(), revoked.text.as_str()), (200, ""));
    assert_eq!(app.data(&access).await.status, 401);
    assert_eq!(app.data(more).await.status, 200);
    let revoked = server.send(server.client.get(&url).query(&[("token", &refresh)])).await;
    assert_eq!(revoked.status, 200, "by GET");
    assert_eq!(app.data(more).await.status, 401, "V:D-REVOKE");
    assert_eq!(
        app.refresh(&refresh, &[]).await.body,
        refused("expired access/refresh token")
    );
    let again = server.send(server.client.get(&url).query(&[("token", &refresh)])).await;
    assert_eq!(
        (again.status.as_u16(), again.text.as_str()),
        (400, "error=unsupported_token_type&error_description=invalid%20token")
    );
}

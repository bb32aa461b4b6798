//! The error catalogue (contract 1.7): each row by a real condition where there is one, and every row by a switch.

use serde_json::{Value, json};

use crate::oauth_flow::{App, parameter};
use crate::server::{Answer, Server};

/// Name of the switch, error, description.
const CATALOGUE: [(&str, &str, &str); 38] = [
    ("not_approved", "invalid_grant", "user hasn't approved this consumer"),
    ("audience", "invalid_grant", "audience is invalid"),
    ("invalid_assertion", "invalid_grant", "invalid assertion"),
    ("expired_assertion", "invalid_grant", "expired assertion"),
    ("expired_token", "invalid_grant", "expired access/refresh token"),
    ("expired_code", "invalid_grant", "expired authorization code"),
    ("invalid_code", "invalid_grant", "invalid authorization code"),
    ("invalid_verifier", "invalid_grant", "invalid code verifier"),
    ("missing_verifier", "invalid_request", "missing required code verifier"),
    ("inactive_user", "invalid_grant", "inactive user"),
    (
        "login_restricted",
        "invalid_grant",
        "ip restricted or invalid login hours",
    ),
    ("authentication_failure", "invalid_grant", "authentication failure"),
    (
        "invalid_password",
        "invalid_grant",
        "authentication failure - Invalid Password",
    ),
    (
        "not_admin_approved",
        "invalid_app_access",
        "user is not admin approved to access this app",
    ),
    ("client_id", "invalid_client_id", "client identifier invalid"),
    ("client", "invalid_client", "invalid client credentials"),
    (
        "app_not_found",
        "app_not_found",
        "External client app is not installed in this org",
    ),
    ("app_blocked", "OAUTH_APP_BLOCKED", "this app is blocked by admin"),
    (
        "ec_app_not_found",
        "OAUTH_EC_APP_NOT_FOUND",
        "External client app is not installed in this org",
    ),
    (
        "approval_error",
        "OAUTH_APPROVAL_ERROR_GENERIC",
        "An unexpected error has occurred during authentication. Please try again.",
    ),
    ("inactive_user_code", "inactive_user", "user is inactive"),
    (
        "inactive_org",
        "inactive_org",
        "organization is locked, closed, or suspended",
    ),
    ("rate_limit", "rate_limit_exceeded", "number of logins exceeded"),
    (
        "unsupported_grant_type",
        "unsupported_grant_type",
        "grant type not supported",
    ),
    (
        "unsupported_response_type",
        "unsupported_response_type",
        "response type not supported",
    ),
    ("must_post", "invalid_request", "must use HTTP POST"),
    ("scope_on_refresh", "invalid_request", "scope parameter not supported"),
    (
        "missing_challenge",
        "invalid_request",
        "missing required code challenge",
    ),
    ("invalid_challenge", "invalid_request", "invalid code challenge"),
    ("invalid_prompt", "invalid_request", "invalid prompt"),
    (
        "immediate_unsuccessful",
        "immediate_unsuccessful",
        "user is not logged in",
    ),
    ("invalid_scope", "invalid_scope", "the requested scope is not allowed"),
    (
        "redirect_mismatch",
        "redirect_uri_mismatch",
        "redirect_uri must match configuration",
    ),
    ("redirect_missing", "redirect_uri_missing", "redirect_uri not provided"),
    ("access_denied", "access_denied", "end-user denied authorization"),
    ("no_run_as_user", "invalid_grant", "no client credentials user enabled"),
    ("wrong_domain", "invalid_grant", "request not supported on this domain"),
    ("invalid_token", "unsupported_token_type", "invalid token"),
];

async fn switch(server: &Server, rules: Value) {
    let set = server
        .admin("POST", "/orgs/acme/oauth-faults", json!({ "rules": rules }))
        .await;
    assert_eq!(set.status, 200, "{}", set.text);
}

fn client_credentials(app: &App<'_>) -> [(&'static str, String); 3] {
    [
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", app.id.clone()),
        ("client_secret", app.secret.clone()),
    ]
}

/// A client-credentials request of an app.
async fn ask(app: &App<'_>) -> Answer {
    let form = client_credentials(app);
    let form = [0, 1, 2].map(|i| (form[i].0, form[i].1.as_str()));
    app.token(&form, &[]).await
}

async fn running(server: &Server) -> App<'_> {
    App::with(
        server,
        json!({"client_credentials": true, "run_as": "human@acme.example"}),
    )
    .await
}

#[tokio::test]
async fn every_row_by_a_switch() {
    let server = Server::start().await;
    let app = running(&server).await;
    app.code().await;
    for (name, error, description) in CATALOGUE {
        switch(
            &server,
            json!([{"at": "token", "refusal": name}, {"at": "authorize", "refusal": name}]),
        )
        .await;
        let answer = ask(&app).await;
        assert_eq!(answer.status, 400, "{name}");
        assert_eq!(
            answer.body,
            json!({"error": error, "error_description": description}),
            "{name}"
        );
        assert_eq!(answer.header("cache-control"), "no-cache, no-store");
        let back = app.authorize(&[]).await;
        assert_eq!(parameter(&back, "error").as_deref(), Some(error), "{name}");
        assert_eq!(
            parameter(&back, "error_description").as_deref(),
            Some(description),
            "{name}"
        );
    }
}

#[tokio::test]
async fn switches_strike_where_and_as_often_as_told() {
    let server = Server::start().await;
    let app = running(&server).await;
    let (_, token) = app.tokens().await;
    switch(
        &server,
        json!([
            {"at": "token", "grant": "refresh_token", "refusal": "expired_code", "times": 2},
            {"at": "token", "grant": "client_credentials", "refusal": "rate_limit", "status": 429, "times": 1},
            {"at": "token", "grant": "client_credentials", "status": 500, "body": "{\"no\":1", "times": 1},
        ]),
    )
    .await;
    for _ in 0..2 {
        assert_eq!(
            app.refresh(&token, &[]).await.body["error_description"],
            "expired authorization code"
        );
    }
    assert_eq!(app.refresh(&token, &[]).await.status, 200);
    let limited = ask(&app).await;
    assert_eq!(
        (limited.status.as_u16(), &limited.body["error"]),
        (429, &json!("rate_limit_exceeded"))
    );
    let broken = ask(&app).await;
    assert_eq!((broken.status.as_u16(), broken.text.as_str()), (500, "{\"no\":1"));
    assert_eq!(ask(&app).await.status, 200);
    let report = server.admin("GET", "/orgs/acme/oauth-faults", Value::Null).await;
    assert_eq!(report.body["rules"][0]["struck"], 2);
    for rules in [
        json!([{"at": "token", "refusal": "nothing"}]),
        json!([{"at": "token", "percent": 101}]),
    ] {
        let refused = server
            .admin("POST", "/orgs/acme/oauth-faults", json!({ "rules": rules }))
            .await;
        assert!(refused.status.is_client_error(), "{}", refused.text);
    }
}

#[tokio::test]
async fn what_the_admin_does_to_an_app() {
    let server = Server::start().await;
    let app = running(&server).await;
    let (access, refresh) = app.tokens().await;
    for (settings, error, description) in [
        (
            json!({"client_credentials": false}),
            "invalid_grant",
            "no client credentials user enabled",
        ),
        (
            json!({"client_credentials": true, "run_as": null}),
            "invalid_grant",
            "no client credentials user enabled",
        ),
        (
            json!({"run_as": "human@acme.example", "blocked": true}),
            "OAUTH_APP_BLOCKED",
            "this app is blocked by admin",
        ),
        (
            json!({"blocked": false, "client_secret": "new"}),
            "invalid_client",
            "invalid client credentials",
        ),
    ] {
        app.set(settings).await;
        let answer = ask(&app).await;
        assert_eq!(answer.body, json!({"error": error, "error_description": description}));
    }
    app.set(json!({"client_secret": app.secret})).await;
    assert_eq!(
        app.data(&access).await.refusal(),
        (401, "INVALID_SESSION_ID"),
        "blocking ended it"
    );
    let (access, refresh_after) = {
        let answer = app.refresh(&refresh, &[]).await;
        assert_eq!(answer.status, 200, "the block is over: {}", answer.text);
        (answer.body["access_token"].as_str().unwrap().to_owned(), refresh)
    };
    app.set(json!({"permitted": "admin_approved"})).await;
    assert_eq!(
        app.refresh(&refresh_after, &[]).await.body["error"],
        "invalid_app_access"
    );
    app.set(json!({"permitted": "self_authorize", "installed": false}))
        .await;
    assert_eq!(ask(&app).await.body["error"], "app_not_found");
    assert_eq!(app.data(&access).await.refusal(), (401, "INVALID_SESSION_ID"));
    app.set(json!({"installed": true})).await;
    assert_eq!(
        app.refresh(&refresh_after, &[]).await.body["error_description"],
        "expired access/refresh token",
        "taking the app out ended it"
    );
    let host = "other.my.salesforce.com";
    let url = format!("{}/services/oauth2/token", server.simulator.http_url());
    let form = client_credentials(&app);
    let elsewhere = server
        .send(server.client.post(&url).header("host", host).form(&form))
        .await;
    assert_eq!(elsewhere.status, 200, "a host of no org decides nothing");
    let get = server.send(server.client.get(&url)).await;
    assert_eq!(get.body["error_description"], "must use HTTP POST");
}

#[tokio::test]
async fn what_the_admin_does_to_a_user() {
    let server = Server::start().await;
    let app = running(&server).await;
    let new = json!({"username": "nina@acme.example", "first_name": "Nina", "password": "secret1"});
    let made = server.admin("POST", "/orgs/acme/users", new).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let id = made.body["user_id"].as_str().unwrap();
    let found = server
        .query(&format!("SELECT Name, IsActive FROM User WHERE Id = '{id}'"))
        .await;
    assert_eq!(found.body["records"][0]["Name"], "Nina User");
    let password = async |password: &str| {
        let form = [
            ("grant_type", "password"),
            ("client_id", app.id.as_str()),
            ("client_secret", &app.secret),
            ("username", "NINA@acme.example"),
            ("password", password),
        ];
        app.token(&form, &[]).await
    };
    let set = async |settings: Value| {
        let mut all = json!({"username": "nina@acme.example"});
        all.as_object_mut()
            .unwrap()
            .extend(settings.as_object().unwrap().clone());
        let answer = server.admin("POST", "/orgs/acme/users", all).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    for (settings, back, description) in [
        (json!({"active": false}), json!({"active": true}), "inactive user"),
        (json!({"frozen": true}), json!({"frozen": false}), "inactive user"),
        (
            json!({"locked": true}),
            json!({"locked": false}),
            "authentication failure",
        ),
        (
            json!({"login_hours": [0, 0]}),
            json!({"login_hours": null}),
            "ip restricted or invalid login hours",
        ),
        (
            json!({"ip_restricted": true}),
            json!({"ip_restricted": false}),
            "ip restricted or invalid login hours",
        ),
        (
            json!({"security_token_needed": true}),
            json!({"security_token_needed": false}),
            "authentication failure",
        ),
    ] {
        set(settings.clone()).await;
        let answer = password("secret1").await;
        assert_eq!(answer.body["error_description"], description, "{settings}");
        set(back).await;
        assert_eq!(password("secret1").await.status, 200);
    }
    // Deactivation and a new password end access tokens; a deactivated user's refresh token says why.
    let login = password("secret1").await;
    let token = login.body["access_token"].as_str().unwrap();
    assert_eq!(app.data(token).await.status, 200);
    set(json!({"password": "secret2"})).await;
    assert_eq!(app.data(token).await.refusal(), (401, "INVALID_SESSION_ID"));
    assert_eq!(
        password("secret1").await.body["error_description"],
        "authentication failure"
    );
    let (access, refresh) = app.tokens().await;
    let integration = server.orgs[0]["username"].as_str().unwrap();
    let active = async |active: bool| {
        let body = json!({"username": integration, "active": active});
        server.admin("POST", "/orgs/acme/users", body).await
    };
    active(false).await;
    assert_eq!(app.data(&access).await.status, 401);
    assert_eq!(
        app.refresh(&refresh, &[]).await.body["error_description"],
        "inactive user",
        "V:I-restforce-303"
    );
    active(true).await;
    assert_eq!(app.refresh(&refresh, &[]).await.status, 200);
    // Wrong passwords lock.
    for _ in 0..10 {
        password("x").await;
    }
    assert_eq!(
        password("secret2").await.body["error_description"],
        "authentication failure"
    );
    set(json!({"locked": false})).await;
    assert_eq!(password("secret2").await.status, 200);
}

#[tokio::test]
async fn what_the_platform_does_to_an_org() {
    let server = Server::start().await;
    let app = running(&server).await;
    let settings = async |body: Value| {
        let answer = server.admin("POST", "/orgs/acme/login-settings", body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    settings(json!({"logins_per_hour": 2})).await;
    for status in [200, 200, 400] {
        assert_eq!(ask(&app).await.status, status);
    }
    assert_eq!(ask(&app).await.body["error"], "rate_limit_exceeded");
    settings(json!({"rate_limit_status": 429})).await;
    assert_eq!(ask(&app).await.status, 429, "V:I-supaglue-622");
    server.admin("POST", "/clock", json!({"offset_ms": 3_600_000})).await;
    assert_eq!(ask(&app).await.status, 200, "an hour later");
    let (access, refresh) = app.tokens().await;
    settings(json!({"locked": true})).await;
    assert_eq!(app.data(&access).await.refusal(), (401, "INVALID_SESSION_ID"));
    assert_eq!(app.refresh(&refresh, &[]).await.body["error"], "inactive_org");
    assert_eq!(ask(&app).await.body["error"], "inactive_org");
}

#[tokio::test]
async fn assertions_need_an_approval() {
    let server = Server::start().await;
    let app = App::new(&server).await;
    let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let (private, public) = crate::oauth::pems(&key);
    app.set(json!({"public_key_pem": public})).await;
    let user = server.orgs[0]["username"].as_str().unwrap();
    let assertion = jsonwebtoken::encode(
        &jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256),
        &json!({"iss": app.id, "prn": user, "aud": "https://test.salesforce.com", "exp": 4_000_000_000_i64}),
        &jsonwebtoken::EncodingKey::from_rsa_pem(private.as_bytes()).unwrap(),
    )
    .unwrap();
    let ask = async || {
        let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
        app.token(&[grant, ("assertion", &assertion)], &[]).await
    };
    let approve = async |scope: &str| app.authorize(&[("scope", scope), ("prompt", "consent")]).await;
    let refused = "user hasn't approved this consumer";
    assert_eq!(ask().await.body["error_description"], refused, "V:SE-207685");
    approve("api").await;
    assert_eq!(
        ask().await.body["error_description"],
        refused,
        "V:SE-184363: with refresh_token only"
    );
    approve("api refresh_token").await;
    let answer = ask().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.body.get("refresh_token"), None, "V:NPM-JWT");
    server
        .admin(
            "POST",
            "/orgs/acme/revoke",
            json!({"username": user, "client_id": app.id}),
        )
        .await;
    assert_eq!(
        ask().await.body["error_description"],
        refused,
        "the approval was taken back"
    );
    app.set(json!({"permitted": "admin_approved"})).await;
    assert_eq!(ask().await.body["error"], "invalid_app_access", "V:JWT-JA");
    app.set(json!({"pre_authorized": [user]})).await;
    assert_eq!(ask().await.status, 200);
}

#[tokio::test]
async fn nonsense_is_refused_and_breaks_nothing() {
    let server = Server::start().await;
    let base = server.simulator.http_url();
    let bodies: [&[u8]; 8] = [
        b"",
        b"\xff\xfe\x00",
        b"grant_type",
        b"grant_type=%zz%",
        b"grant_type=authorization_code&code=%ff&client_id=%00",
        b"grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=e30.bnVsbA.",
        b"grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=e30.eyJpc3MiOiJQbGF0Zm9ybUNMSSJ9.e30",
        b"grant_type=refresh_token&client_id=PlatformCLI&refresh_token=",
    ];
    for path in ["token", "introspect", "authorize", "revoke"] {
        for body in bodies {
            let url = format!("{base}/services/oauth2/{path}");
            let plain = server.client.post(&url).body(body.to_vec());
            let basic = server
                .client
                .post(&url)
                .header("authorization", "Basic =:=")
                .body(body.to_vec());
            for request in [plain, basic] {
                let answer = server.send(request).await;
                // A public app may ask about tokens without a secret.
                let inactive = answer.body == json!({"active": false});
                assert!(answer.status == 400 || inactive, "{path} {body:?}: {}", answer.text);
            }
        }
    }
    for token in ["!", "00D!", "..", "a.b.c", "e30.e30.e30", "eyJ0bmsiOiIvIn0.e30.e30"] {
        let request = server
            .client
            .get(format!("{base}/services/oauth2/userinfo"))
            .bearer_auth(token);
        assert_eq!(server.send(request).await.status, 403, "{token}");
        let request = server
            .client
            .get(format!("{base}{}/limits", crate::server::V))
            .bearer_auth(token);
        assert_eq!(server.send(request).await.status, 401, "{token}");
    }
    assert_eq!(server.get("/limits").await.status, 200);
}

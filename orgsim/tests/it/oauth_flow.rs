//! The web-server flow, driven without a browser (contract 1.4).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::server::{Answer, Server};

/// Where the app of these tests is sent back to.
pub(crate) const REDIRECT: &str = "http://app.example/callback?tenant=7";
/// A verifier of the shortest length.
pub(crate) const VERIFIER: &str = "verifier-verifier-verifier-verifier-verifie";

/// An app of the first org and the browser of its user.
pub(crate) struct App<'s> {
    pub(crate) server: &'s Server,
    pub(crate) id: String,
    pub(crate) secret: String,
    browser: reqwest::Client,
}

impl<'s> App<'s> {
    /// A new app with [`REDIRECT`] and these settings.
    pub(crate) async fn with(server: &'s Server, settings: Value) -> Self {
        let mut all = json!({"redirect_uris": ["http://other.example", REDIRECT], "label": "Tandem <test>"});
        all.as_object_mut()
            .unwrap()
            .extend(settings.as_object().unwrap().clone());
        let made = server.admin("POST", "/orgs/acme/apps", all).await;
        assert_eq!(made.status, 200, "{}", made.text);
        let text = |key: &str| made.body[key].as_str().unwrap().to_owned();
        Self {
            server,
            id: text("client_id"),
            secret: text("client_secret"),
            browser: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
        }
    }

    pub(crate) async fn new(server: &'s Server) -> Self {
        Self::with(server, json!({})).await
    }

    /// Changes settings of the app.
    pub(crate) async fn set(&self, settings: Value) {
        let mut all = json!({"client_id": self.id});
        all.as_object_mut()
            .unwrap()
            .extend(settings.as_object().unwrap().clone());
        let set = self.server.admin("POST", "/orgs/acme/apps", all).await;
        assert_eq!(set.status, 200, "{}", set.text);
    }

    fn url(&self, name: &str) -> String {
        format!("{}/services/oauth2/{name}", self.server.simulator.http_url())
    }

    /// The parameters of a good authorize request, changed by `changes`; an empty value leaves one out.
    pub(crate) fn parameters(&self, changes: &[(&str, &str)]) -> Vec<(String, String)> {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
        let mut all: Vec<(String, String)> = [
            ("response_type", "code"),
            ("client_id", self.id.as_str()),
            ("redirect_uri", REDIRECT),
            ("scope", "api refresh_token"),
            ("state", "s t/a&te"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .to_vec();
        for (name, value) in changes {
            all.retain(|(n, _)| n != name);
            if !value.is_empty() {
                all.push(((*name).to_owned(), (*value).to_owned()));
            }
        }
        all
    }

    pub(crate) async fn begin(&self, changes: &[(&str, &str)]) -> Answer {
        let request = self.browser.get(self.url("authorize")).query(&self.parameters(changes));
        self.server.send(request).await
    }

    pub(crate) async fn post(&self, form: &[(&str, &str)]) -> Answer {
        self.server
            .send(self.browser.post(self.url("authorize")).form(form))
            .await
    }

    /// Sends the login form of a page.
    pub(crate) async fn log_in(&self, page: &Answer) -> Answer {
        let org = &self.server.orgs[0];
        let (user, password) = (org["username"].as_str().unwrap(), org["password"].as_str().unwrap());
        self.post(&[("step", &step(page)), ("username", user), ("password", password)])
            .await
    }

    /// The whole way to a code, with consent where it is asked for.
    pub(crate) async fn authorize(&self, changes: &[(&str, &str)]) -> Answer {
        let page = self.begin(changes).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let after = self.log_in(&page).await;
        if after.status == 302 {
            return after;
        }
        self.post(&[("step", &step(&after)), ("decision", "allow")]).await
    }

    pub(crate) async fn code(&self) -> String {
        let back = self.authorize(&[]).await;
        parameter(&back, "code").unwrap()
    }

    /// The form of a good code exchange, changed by `changes`; an empty value leaves one out.
    pub(crate) async fn exchange(&self, code: &str, changes: &[(&str, &str)]) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("client_id", &self.id),
            ("client_secret", &self.secret),
            ("code_verifier", VERIFIER),
        ];
        self.token(&form, changes).await
    }

    pub(crate) async fn refresh(&self, token: &str, changes: &[(&str, &str)]) -> Answer {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", &self.id),
            ("client_secret", &self.secret),
        ];
        self.token(&form, changes).await
    }

    /// A token request, changed by `changes`; an empty value leaves a parameter out.
    pub(crate) async fn token(&self, form: &[(&str, &str)], changes: &[(&str, &str)]) -> Answer {
        let mut form = form.to_vec();
        for (name, value) in changes {
            form.retain(|(n, _)| n != name);
            if !value.is_empty() {
                form.push((name, value));
            }
        }
        self.server.send(self.browser.post(self.url("token")).form(&form)).await
    }

    /// Access token and refresh token of a new authorization.
    pub(crate) async fn tokens(&self) -> (String, String) {
        let answer = self.exchange(&self.code().await, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let text = |key: &str| answer.body[key].as_str().unwrap().to_owned();
        (text("access_token"), text("refresh_token"))
    }

    /// Status and first error of a data call with a token.
    pub(crate) async fn data(&self, token: &str) -> Answer {
        let url = format!("{}{}/limits", self.server.simulator.http_url(), crate::server::V);
        self.server.send(self.browser.get(url).bearer_auth(token)).await
    }
}

/// The hidden token of a page.
pub(crate) fn step(page: &Answer) -> String {
    assert!(page.text.contains("<form"), "{page:?}");
    let (_, rest) = page.text.split_once("name=\"step\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// A parameter of the address that an answer redirects to.
pub(crate) fn parameter(back: &Answer, name: &str) -> Option<String> {
    assert_eq!(back.status, 302, "{back:?}");
    let url = reqwest::Url::parse(back.header("location")).unwrap();
    url.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned())
}

#[tokio::test]
async fn the_whole_way() {
    let server = Server::start().await;
    let app = App::new(&server).await;
    let login = app.begin(&[("login_hint", "\"who@acme.example")]).await;
    assert_eq!(login.status, 200);
    assert!(
        login.text.contains("value=\"&quot;who@acme.example\""),
        "the hint is in the form, and no markup"
    );
    assert!(!login.text.contains("<script"));
    let consent = app.log_in(&login).await;
    for part in [
        "Tandem &lt;test&gt;",
        "acme",
        "<li>api</li><li>refresh_token</li>",
        "Allow",
        "Deny",
    ] {
        assert!(consent.text.contains(part), "{part}: {}", consent.text);
    }
    let back = app.post(&[("step", &step(&consent)), ("decision", "allow")]).await;
    assert_eq!(back.status, 302);
    let location = back.header("location");
    // M: the code has `==`, and arrives percent-encoded; what the redirect URI had stays.
    assert!(location.starts_with(&format!("{REDIRECT}&code=aPrx")), "{location}");
    assert!(location.contains("%3D%3D&state="), "{location}");
    assert_eq!(parameter(&back, "state").as_deref(), Some("s t/a&te"));
    let answer = app.exchange(&parameter(&back, "code").unwrap(), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.body["scope"], "api refresh_token");
    assert_eq!(answer.body.get("expires_in"), None, "V:I-xagent-1459");
    assert_eq!(answer.body.get("id_token"), None, "openid was not asked for");
    let id = answer.body["id"].as_str().unwrap();
    let signed = format!("{id}{}", answer.body["issued_at"].as_str().unwrap());
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, app.secret.as_bytes());
    let signature = base64::engine::general_purpose::STANDARD.encode(aws_lc_rs::hmac::sign(&key, signed.as_bytes()));
    assert_eq!(answer.body["signature"], signature);
    assert_eq!(
        app.data(answer.body["access_token"].as_str().unwrap()).await.status,
        200
    );
    assert_eq!(
        app.refresh(answer.body["refresh_token"].as_str().unwrap(), &[])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_form_is_good_once() {
    let server = Server::start().await;
    let app = App::new(&server).await;
    let login = app.begin(&[]).await;
    let consent = app.log_in(&login).await;
    let again = app.log_in(&login).await;
    assert_eq!(again.status, 400, "{}", again.text);
    let decide = async |decision| app.post(&[("step", &step(&consent)), ("decision", decision)]).await;
    assert_eq!(decide("allow").await.status, 302);
    assert_eq!(decide("allow").await.status, 400);
    // A wrong password shows the form again, under another token.
    let login = app.begin(&[]).await;
    let wrong = app
        .post(&[("step", &step(&login)), ("username", "x<y"), ("password", "z")])
        .await;
    assert!(
        wrong.text.contains("id=\"error\"") && wrong.text.contains("x&lt;y"),
        "{}",
        wrong.text
    );
    assert_ne!(step(&login), step(&wrong));
    assert_eq!(app.log_in(&wrong).await.status, 302, "agreed before");
    // A page that lay open too long.
    let login = app.begin(&[]).await;
    server.admin("POST", "/clock", json!({"offset_ms": 16 * 60_000})).await;
    assert_eq!(app.log_in(&login).await.status, 400);
}

#[tokio::test]
async fn a_user_is_asked_once_and_again_on_demand_and_for_more() {
    let server = Server::start().await;
    let app = App::new(&server).await;
    app.code().await;
    let straight = app.log_in(&app.begin(&[]).await).await;
    assert_eq!(straight.status, 302);
    for changes in [("prompt", "login consent"), ("scope", "api refresh_token openid")] {
        let asked = app.log_in(&app.begin(&[changes]).await).await;
        assert!(asked.text.contains("Allow"), "{changes:?}: {}", asked.text);
    }
    // A user whom the admin approved is not asked.
    let app = App::with(
        &server,
        json!({"permitted": "admin_approved", "pre_authorized": [server.orgs[0]["username"]]}),
    )
    .await;
    assert_eq!(app.log_in(&app.begin(&[]).await).await.status, 302);
}

#[tokio::test]
async fn codes() {
    let server = Server::start().await;
    let app = App::new(&server).await;
    let code = app.code().await;
    for (change, error, description) in [
        (
            ("redirect_uri", "http://other.example"),
            "redirect_uri_mismatch",
            "redirect_uri must match configuration",
        ),
        (
            ("code_verifier", ""),
            "invalid_request",
            "missing required code verifier",
        ),
        (("code_verifier", "short"), "invalid_grant", "invalid code verifier"),
        (("client_secret", ""), "invalid_client", "invalid client credentials"),
        (("client_secret", "x"), "invalid_client", "invalid client credentials"),
        (("client_id", "x"), "invalid_client_id", "client identifier invalid"),
        (("code", "x"), "invalid_grant", "invalid authorization code"),
    ] {
        let answer = app.exchange(&code, &[change]).await;
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.body,
            json!({"error": error, "error_description": description}),
            "{change:?}"
        );
    }
    assert_eq!(
        app.exchange(&code, &[]).await.status,
        200,
        "what was refused did not use it up"
    );
    let expired = json!({"error": "invalid_grant", "error_description": "expired authorization code"});
    assert_eq!(app.exchange(&code, &[]).await.body, expired, "used twice");
    let code = app.code().await;
    server
        .admin("POST", "/clock", json!({"offset_ms": 15 * 60_000 + 1_000}))
        .await;
    assert_eq!(app.exchange(&code, &[]).await.body, expired, "15 minutes");
    // Another app cannot use it.
    let other = App::new(&server).await;
    let code = app.code().await;
    assert_eq!(
        other.exchange(&code, &[]).await.body["error_description"],
        "invalid authorization code"
    );
}

#[tokio::test]
async fn public_apps_send_no_secret() {
    let server = Server::start().await;
    let app = App::with(&server, json!({"public": true})).await;
    let code = app.code().await;
    assert_eq!(
        app.exchange(&code, &[]).await.body["error"],
        "invalid_client",
        "V:D-ECA"
    );
    let answer = app.exchange(&code, &[("client_secret", "")]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let token = answer.body["refresh_token"].as_str().unwrap();
    assert_eq!(app.refresh(token, &[]).await.body["error"], "invalid_client");
    assert_eq!(app.refresh(token, &[("client_secret", "")]).await.status, 200);
}

#[tokio::test]
async fn refusals_that_go_back_to_the_app() {
    let server = Server::start().await;
    let app = App::new(&server).await;
    for (change, error, description) in [
        (
            ("response_type", "token"),
            "unsupported_response_type",
            "response type not supported",
        ),
        (
            ("scope", "api magic"),
            "invalid_scope",
            "the requested scope is not allowed",
        ),
        (
            ("code_challenge", ""),
            "invalid_request",
            "missing required code challenge",
        ),
        (
            ("code_challenge_method", "plain"),
            "invalid_request",
            "invalid code challenge",
        ),
        (("prompt", "perhaps"), "invalid_request", "invalid prompt"),
        (("prompt", "none"), "immediate_unsuccessful", "user is not logged in"),
    ] {
        let back = app.begin(&[change]).await;
        assert_eq!(back.status, 302, "{change:?} {}", back.text);
        assert!(back.header("location").starts_with(REDIRECT));
        assert_eq!(parameter(&back, "error").as_deref(), Some(error), "{change:?}");
        assert_eq!(
            parameter(&back, "error_description").as_deref(),
            Some(description),
            "{change:?}"
        );
        assert_eq!(parameter(&back, "state").as_deref(), Some("s t/a&te"));
    }
    let consent = app.log_in(&app.begin(&[]).await).await;
    let denied = app.post(&[("step", &step(&consent)), ("decision", "deny")]).await;
    assert_eq!(parameter(&denied, "error").as_deref(), Some("access_denied"));
    // What the app does not have, and what the admin did to it, is known after the login.
    let scope = app.log_in(&app.begin(&[("scope", "api web")]).await).await;
    assert_eq!(parameter(&scope, "error").as_deref(), Some("invalid_scope"));
    for (settings, error) in [
        (json!({"permitted": "admin_approved"}), "invalid_app_access"),
        (json!({"blocked": true}), "OAUTH_APP_BLOCKED"),
        (json!({"installed": false}), "OAUTH_EC_APP_NOT_FOUND"),
    ] {
        app.set(settings).await;
        let back = app.log_in(&app.begin(&[]).await).await;
        assert_eq!(parameter(&back, "error").as_deref(), Some(error), "{}", back.text);
    }
}

#[tokio::test]
async fn refusals_that_nobody_vouches_for_stay_here() {
    let server = Server::start().await;
    let app = App::new(&server).await;
    for (change, error) in [
        (("client_id", "nobody"), "invalid_client_id"),
        (
            ("redirect_uri", "http://evil.example/<script>"),
            "redirect_uri_mismatch",
        ),
        (("redirect_uri", "http://app.example/callback"), "redirect_uri_mismatch"),
        (("redirect_uri", ""), "redirect_uri_missing"),
    ] {
        let page = app.begin(&[change]).await;
        assert_eq!((page.status.as_u16(), page.header("location")), (400, ""), "{change:?}");
        assert!(page.text.contains(&format!("error={error}&amp;")), "{}", page.text);
        assert!(!page.text.contains("<script>"));
    }
}

#[tokio::test]
async fn one_app_in_many_orgs_gets_the_org_of_the_user() {
    let server = Server::with(orgsim::Options {
        orgs: vec!["acme".into(), "globex".into()],
        ..orgsim::Options::default()
    })
    .await;
    let app = App::new(&server).await;
    let other = &server.orgs[1];
    let (user, password) = (other["username"].as_str().unwrap(), other["password"].as_str().unwrap());
    let login = async || {
        let step = step(&app.begin(&[]).await);
        app.post(&[("step", &step), ("username", user), ("password", password)])
            .await
    };
    let missing = login().await;
    assert_eq!(parameter(&missing, "error").as_deref(), Some("OAUTH_EC_APP_NOT_FOUND"));
    let url = format!("{}/services/oauth2/token", server.simulator.http_url());
    let at = async |host: &str| {
        let grant = [
            ("grant_type", "client_credentials"),
            ("client_id", app.id.as_str()),
            ("client_secret", &app.secret),
        ];
        server
            .send(server.client.post(&url).header("host", host).form(&grant))
            .await
    };
    let elsewhere = at("globex.my.salesforce.com").await;
    assert_eq!(
        elsewhere.body["error_description"],
        "request not supported on this domain"
    );
    let same = json!({"client_id": app.id, "client_secret": app.secret, "redirect_uris": [REDIRECT]});
    server.admin("POST", "/orgs/globex/apps", same).await;
    let consent = login().await;
    let back = app.post(&[("step", &step(&consent)), ("decision", "allow")]).await;
    let answer = app.exchange(&parameter(&back, "code").unwrap(), &[]).await;
    assert!(
        answer.body["id"]
            .as_str()
            .unwrap()
            .contains(other["org_id"].as_str().unwrap()),
        "{}",
        answer.text
    );
    let refreshed = app.refresh(answer.body["refresh_token"].as_str().unwrap(), &[]).await;
    assert_eq!(refreshed.body["id"], answer.body["id"]);
    // A My Domain host decides where the user does not.
    for org in ["acme", "globex"] {
        let run_as = format!("human@{org}.example");
        let settings = json!({"client_id": app.id, "client_credentials": true, "run_as": run_as});
        server.admin("POST", &format!("/orgs/{org}/apps"), settings).await;
    }
    for (host, org) in [("acme.my.salesforce.com", 0), ("globex.my.salesforce.com", 1)] {
        let answer = at(host).await;
        let org_id = server.orgs[org]["org_id"].as_str().unwrap();
        assert!(answer.body["id"].as_str().unwrap().contains(org_id), "{}", answer.text);
    }
}

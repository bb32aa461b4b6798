//! The SOAP login, as jsforce and simple-salesforce send and read it (observed.md).

use orgsim::Options;
use serde_json::json;

use crate::server::{Answer, Server};

async fn post(server: &Server, path: &str, body: String) -> Answer {
    let url = format!("{}/services/Soap/{path}", server.simulator.http_url());
    let request = server
        .client
        .post(url)
        .header("content-type", "text/xml")
        .header("soapaction", "\"\"");
    server.send(request.body(body)).await
}

/// As jsforce spells it.
fn login(username: &str, password: &str) -> String {
    format!(
        "<se:Envelope xmlns:se=\"http://schemas.xmlsoap.org/soap/envelope/\"><se:Header/><se:Body><login \
         xmlns=\"urn:partner.soap.sforce.com\"><username>{username}</username><password>{password}</password></login>\
         </se:Body></se:Envelope>"
    )
}

/// As simple-salesforce spells it.
fn prefixed(username: &str, password: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n<env:Envelope xmlns:env=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:urn=\"urn:partner.soap.sforce.com\">\n<env:Header><urn:CallOptions><urn:client>RestForce</urn:client>\
         <urn:defaultNamespace>sf</urn:defaultNamespace></urn:CallOptions></env:Header>\n<env:Body>\n<n1:login \
         xmlns:n1=\"urn:partner.soap.sforce.com\">\n<n1:username>{username}</n1:username>\n<n1:password>{password}\
         </n1:password>\n</n1:login>\n</env:Body>\n</env:Envelope>"
    )
}

fn with_session(session: &str, operation: &str) -> String {
    format!(
        "<se:Envelope xmlns:se=\"http://schemas.xmlsoap.org/soap/envelope/\"><se:Header><SessionHeader \
         xmlns=\"urn:partner.soap.sforce.com\"><sessionId>{session}</sessionId></SessionHeader></se:Header><se:Body>\
         <{operation} xmlns=\"urn:partner.soap.sforce.com\"/></se:Body></se:Envelope>"
    )
}

/// What `<name>([^<]+)</name>` finds.
fn element<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let begin = format!("<{name}>");
    assert!(answer.text.contains(&begin), "no {name}: {}", answer.text);
    let (_, rest) = answer.text.split_once(&begin).unwrap();
    rest.split_once(&format!("</{name}>")).unwrap().0
}

#[tokio::test]
async fn both_clients_log_in() {
    let server = Server::start().await;
    let org = &server.orgs[0];
    let text = |key: &str| org[key].as_str().unwrap();
    let users = server.admin("GET", "/orgs/acme/users", serde_json::Value::Null).await;
    let with_token = format!(
        "{}{}",
        text("password"),
        users.body[0]["security_token"].as_str().unwrap()
    );
    let id15 = &text("org_id")[..15];
    for (path, body) in [
        ("u/62.0", login(text("username"), text("password"))),
        ("u/59.0", prefixed(text("username"), &with_token)),
        ("c/59.0", prefixed(&text("username").to_uppercase(), &with_token)),
        (&format!("u/50.0/{id15}"), login(text("username"), text("password"))),
    ] {
        let answer = post(&server, path, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("content-type"), "text/xml;charset=utf-8");
        assert_eq!(element(&answer, "userId"), text("user_id"));
        assert_eq!(element(&answer, "organizationId"), text("org_id"));
        assert_eq!(element(&answer, "sessionSecondsValid"), "7200");
        let version = &path[..6];
        let url = format!("{}/services/Soap/{version}/{id15}", server.simulator.http_url());
        assert_eq!(element(&answer, "serverUrl"), url);
        let session = element(&answer, "sessionId");
        let limits = format!("{}{}/limits", server.simulator.http_url(), crate::server::V);
        assert_eq!(
            server
                .send(server.client.get(&limits).bearer_auth(session))
                .await
                .status,
            200
        );
        let info = post(&server, path, with_session(session, "getUserInfo")).await;
        assert_eq!(element(&info, "userName"), text("username"));
        let out = post(&server, path, with_session(session, "logout")).await;
        assert_eq!(out.status, 200, "{}", out.text);
        assert_eq!(
            server
                .send(server.client.get(&limits).bearer_auth(session))
                .await
                .status,
            401
        );
        let dead = post(&server, path, with_session(session, "getUserInfo")).await;
        assert_eq!(
            (dead.status.as_u16(), element(&dead, "sf:exceptionCode")),
            (500, "INVALID_SESSION_ID")
        );
    }
}

#[tokio::test]
async fn refused_logins_are_faults() {
    let server = Server::start().await;
    let org = &server.orgs[0];
    let (user, password) = (org["username"].as_str().unwrap(), org["password"].as_str().unwrap());
    let refused = async |body: String, code: &str| {
        let answer = post(&server, "u/59.0", body).await;
        assert_eq!(answer.status, 500, "{}", answer.text);
        assert_eq!(element(&answer, "sf:exceptionCode"), code);
        let message = element(&answer, "sf:exceptionMessage");
        assert_eq!(element(&answer, "faultstring"), format!("{code}: {message}"));
    };
    let invalid = "INVALID_LOGIN";
    refused(login(user, "x"), invalid).await;
    refused(login("nobody@acme.example", password), invalid).await;
    let set = async |changes: serde_json::Value| {
        let mut all = json!({"username": user});
        all.as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        assert_eq!(server.admin("POST", "/orgs/acme/users", all).await.status, 200);
    };
    for (changes, back, code) in [
        (json!({"active": false}), json!({"active": true}), invalid),
        (json!({"locked": true}), json!({"locked": false}), invalid),
        (
            json!({"security_token_needed": true}),
            json!({"security_token_needed": false}),
            invalid,
        ),
        (
            json!({"login_hours": [24, 24]}),
            json!({"login_hours": null}),
            "LOGIN_DURING_RESTRICTED_TIME",
        ),
    ] {
        set(changes).await;
        refused(prefixed(user, password), code).await;
        set(back).await;
        assert_eq!(post(&server, "u/59.0", login(user, password)).await.status, 200);
    }
    server
        .admin("POST", "/orgs/acme/login-settings", json!({"logins_per_hour": 1}))
        .await;
    refused(login(user, password), "LOGIN_RATE_EXCEEDED").await;
    let rule = json!({"rules": [{"at": "soap", "refusal": "inactive_org", "times": 1}, {"at": "soap", "status": 503}]});
    server.admin("POST", "/orgs/acme/oauth-faults", rule).await;
    refused(login(user, password), "ORG_LOCKED").await;
    assert_eq!(post(&server, "u/59.0", login(user, password)).await.status, 503);
}

#[tokio::test]
async fn what_is_no_request() {
    let server = Server::with(Options::default()).await;
    for body in [
        "",
        "login",
        "<a",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><Envelope><Body><login><username>&b;</username></login></Body></Envelope>",
        "<Envelope><Body><query/></Body></Envelope>",
    ] {
        let answer = post(&server, "u/59.0", body.to_owned()).await;
        assert_eq!(answer.status, 500, "{body}");
        assert!(
            answer
                .text
                .contains("<faultcode>soapenv:Client</faultcode><faultstring>"),
            "{}",
            answer.text
        );
    }
    let version = post(&server, "u/99.0", login("a", "b")).await;
    assert_eq!(element(&version, "sf:exceptionCode"), "UNSUPPORTED_API_VERSION");
    assert_eq!(post(&server, "x/59.0", String::new()).await.status, 404);
}

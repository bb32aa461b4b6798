//! `/services/oauth2/…`: getting, showing and ending access tokens (contract 1).

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use jsonwebtoken::{Algorithm, Validation};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;

use super::identity;
use super::reply::{self, Reply};
use super::request::{Call, decode_form};
use crate::org::UserIdentity;
use crate::usage::Call as Kind;
use crate::world::{OrgHandle, World};

/// Hosts that an assertion's audience may name besides the simulator's own [V:SIMPLE-LOGIN].
const AUDIENCES: [&str; 2] = ["https://login.salesforce.com", "https://test.salesforce.com"];
const JWT_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What a JWT bearer assertion claims.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    #[serde(alias = "prn")]
    sub: String,
    aud: String,
    exp: i64,
}

type Login = (Arc<OrgHandle>, UserIdentity);

pub(super) fn handle(world: &World, call: &Call, rest: &[&str]) -> Reply {
    match rest {
        ["userinfo"] => identity::userinfo(world, call),
        ["token" | "revoke" | "introspect"] if call.method != Method::POST => {
            refusal("invalid_request", "must use HTTP POST")
        }
        ["token"] => token(world, call).unwrap_or_else(|refusal| refusal),
        ["revoke"] => revoke(world, call),
        ["introspect"] => introspect(world, call).unwrap_or_else(|refusal| refusal),
        _ => reply::html(404, "URL No Longer Exists"),
    }
}

fn refusal(error: &str, description: &str) -> Reply {
    let body = json!({"error": error, "error_description": description}).to_string();
    Reply::json(400, body)
        .with("cache-control", "no-cache, no-store")
        .with("pragma", "no-cache")
}

fn form(call: &Call) -> Vec<(String, String)> {
    let mut form = decode_form(&String::from_utf8_lossy(&call.body));
    form.extend(call.query.iter().cloned());
    form
}

fn value<'f>(form: &'f [(String, String)], name: &str) -> Option<&'f str> {
    form.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

fn token(world: &World, call: &Call) -> Result<Reply, Reply> {
    let form = form(call);
    let grant = value(&form, "grant_type").unwrap_or_default();
    let (org, user) = match grant {
        "client_credentials" => {
            let org = client(world, call, &form)?;
            let user = org.identity.integration.clone();
            (org, user)
        }
        "password" => {
            let org = client(world, call, &form)?;
            password(org, &form)?
        }
        JWT_GRANT => assertion(world, value(&form, "assertion").unwrap_or_default())?,
        _ => return Err(refusal("unsupported_grant_type", "grant type not supported")),
    };
    let now_ms = world.clock.now_ms();
    org.usage().count(Kind::Token, now_ms);
    let token = org.sessions().issue(&user, now_ms);
    Ok(granted(world, &org, &user, &token, grant != JWT_GRANT))
}

/// The answer to a good request; JWT bearer answers have no `issued_at` and `signature` [V:NPM-JWT].
fn granted(world: &World, org: &OrgHandle, user: &UserIdentity, token: &str, stamped: bool) -> Reply {
    let id = format!("{}/id/{}/{}", world.base_url(), org.identity.org_id, user.id);
    let mut body = json!({
        "access_token": token, "instance_url": world.base_url(), "id": id, "token_type": "Bearer",
        "scope": "api", "token_format": "opaque",
    });
    if stamped {
        let issued_at = world.clock.now_ms().to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, org.client_secret.as_bytes());
        let signature = hmac::sign(&key, format!("{id}{issued_at}").as_bytes());
        body["signature"] = json!(STANDARD.encode(signature));
        body["issued_at"] = json!(issued_at);
    }
    Reply::json(200, body.to_string())
        .with("cache-control", "no-cache, no-store")
        .with("pragma", "no-cache")
}

/// The org whose app's key and secret come by Basic or in the form.
fn client(world: &World, call: &Call, form: &[(String, String)]) -> Result<Arc<OrgHandle>, Reply> {
    let basic = call
        .header("authorization")
        .and_then(|h| h.strip_prefix("Basic "))
        .and_then(|b| STANDARD.decode(b.trim()).ok())
        .and_then(|b| String::from_utf8(b).ok())
        .and_then(|b| b.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned())));
    let (id, secret) = basic.unwrap_or_else(|| {
        let part = |name: &str| value(form, name).unwrap_or_default().to_owned();
        (part("client_id"), part("client_secret"))
    });
    let org = world.orgs.iter().find(|o| o.client_id == id);
    let org = org.ok_or_else(|| refusal("invalid_client_id", "client identifier invalid"))?;
    if org.client_secret != secret {
        return Err(refusal("invalid_client", "invalid client credentials"));
    }
    Ok(Arc::clone(org))
}

fn password(org: Arc<OrgHandle>, form: &[(String, String)]) -> Result<Login, Reply> {
    let user = value(form, "username").and_then(|u| org.user(u)).cloned();
    match user.filter(|_| value(form, "password") == Some(org.password.as_str())) {
        Some(user) => Ok((org, user)),
        None => Err(refusal("invalid_grant", "authentication failure")),
    }
}

/// JWT bearer: the key must have been given at the admin port. A far `exp` is let through (contract 1.3).
fn assertion(world: &World, token: &str) -> Result<Login, Reply> {
    let invalid = || refusal("invalid_grant", "invalid assertion");
    let mut rules = Validation::new(Algorithm::RS256);
    rules.validate_exp = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    let checked = world.orgs.iter().find_map(|org| {
        let key = org.jwt_key();
        let claims = jsonwebtoken::decode::<Claims>(token, key.as_ref()?, &rules)
            .ok()?
            .claims;
        (claims.iss == org.client_id).then(|| (Arc::clone(org), claims))
    });
    let (org, claims) = checked.ok_or_else(invalid)?;
    // Salesforce's own client library sends milliseconds (contract 1.3): far in the future, and accepted.
    if claims.exp < world.clock.now() {
        return Err(refusal("invalid_grant", "expired assertion"));
    }
    let audience = claims.aud.trim_end_matches('/');
    if !AUDIENCES.contains(&audience) && audience != world.base_url() {
        return Err(refusal("invalid_grant", "audience is invalid"));
    }
    let user = org.user(&claims.sub).cloned();
    let user = user.ok_or_else(|| refusal("invalid_grant", "user hasn't approved this consumer"))?;
    Ok((org, user))
}

/// 200 and nothing; an urlencoded error for a token that is none [V:JSF-OAUTH].
fn revoke(world: &World, call: &Call) -> Reply {
    let form = form(call);
    let token = value(&form, "token").unwrap_or_default();
    let org = token.split_once('!').and_then(|(org_id, _)| world.by_id(org_id));
    if org.is_some_and(|o| o.sessions().revoke(token)) {
        return Reply::empty(200);
    }
    let description = utf8_percent_encode("invalid token", NON_ALPHANUMERIC);
    Reply {
        status: 400,
        headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned())],
        body: format!("error=unsupported_token_type&error_description={description}"),
    }
}

fn introspect(world: &World, call: &Call) -> Result<Reply, Reply> {
    let form = form(call);
    let app = client(world, call, &form)?;
    let token = value(&form, "token").unwrap_or_default();
    let body = match world.session(token).filter(|(org, _)| Arc::ptr_eq(org, &app)) {
        None => json!({"active": false}),
        Some((org, user)) => json!({
            "active": true, "scope": "api", "client_id": org.client_id, "username": user.username,
            "sub": format!("{}/id/{}/{}", world.base_url(), org.identity.org_id, user.id), "token_type": "access_token",
        }),
    };
    Ok(Reply::json(200, body.to_string()))
}

//! The answer to a good token request (contract 1.2).

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::form::Form;
use super::uncached;
use crate::http::reply::Reply;
use crate::http::request::Call;
use crate::oauth::{Access, Login, TokenFormat};
use crate::world::{OrgHandle, World};

/// Life of an id token in seconds [from memory].
const ID_TOKEN_SECONDS: i64 = 120;

/// Gives out the tokens of a login; the members of the answer. `stamped` answers have `issued_at` and `signature`.
pub(super) fn answer(
    world: &World,
    org: &OrgHandle,
    access: &mut Access,
    login: &Login,
    stamped: bool,
) -> Map<String, Value> {
    let now_ms = world.clock.now_ms();
    let base = world.base_url();
    let instance_url = access.instance_url.clone().unwrap_or_else(|| base.to_owned());
    let id = format!("{base}/id/{}/{}", org.identity.org_id, login.user.id);
    let app = login.client_id.as_deref().and_then(|c| access.app(c)).cloned();
    let format = app.as_ref().map_or(TokenFormat::Opaque, |a| a.token_format);
    let session = access.session(login, now_ms);
    let ends_s = session.ends_ms().div_euclid(1_000);
    let token = match format {
        TokenFormat::Opaque => access.sessions.issue(session),
        TokenFormat::Jwt => {
            let token = jwt(world, org, access, login, &instance_url, ends_s).unwrap_or_default();
            access.sessions.adopt(token.clone(), session);
            token
        }
    };
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("access_token", json!(token));
    if let Some(refresh_token) = &login.refresh_token {
        put("refresh_token", json!(refresh_token));
    }
    if stamped {
        let issued_at = now_ms.to_string();
        let secret = app.as_ref().map_or("", |a| a.client_secret.as_str());
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = hmac::sign(&key, format!("{id}{issued_at}").as_bytes());
        put("signature", json!(STANDARD.encode(signature)));
        put("issued_at", json!(issued_at));
    }
    put("scope", json!(login.scopes.to_string()));
    if login.scopes.has("openid")
        && let Some(id_token) = id_token(world, login, &id, &token)
    {
        put("id_token", json!(id_token));
    }
    put("instance_url", json!(instance_url));
    put("id", json!(id));
    put("token_type", json!("Bearer"));
    put("token_format", json!(format));
    out
}

/// An access token in JWT format; its claims are from memory.
fn jwt(
    world: &World,
    org: &OrgHandle,
    access: &mut Access,
    login: &Login,
    instance_url: &str,
    ends_s: i64,
) -> Option<String> {
    let now = world.clock.now();
    let header = json!({"tnk": format!("core/prod/{}", org.identity.org_id), "ver": "1.0", "tty": "sfdc-core-token"});
    let claims = json!({
        "scp": login.scopes.to_string(), "aud": [instance_url], "sub": format!("uid:{}", login.user.id),
        "nbf": now, "iat": now, "exp": ends_s, "mty": "oauth", "sfi": access.secrets.text(32), "iss": instance_url,
        "client_id": login.client_id.as_deref(),
    });
    world.signing_key()?.sign(header, &claims)
}

fn id_token(world: &World, login: &Login, id: &str, token: &str) -> Option<String> {
    let now = world.clock.now();
    let hash = digest::digest(&digest::SHA256, token.as_bytes());
    let mut claims = json!({
        "at_hash": URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]), "sub": id, "aud": login.client_id.as_deref(),
        "iss": world.base_url(), "iat": now, "exp": now + ID_TOKEN_SECONDS,
    });
    if let Some(nonce) = &login.nonce {
        claims["nonce"] = json!(nonce);
    }
    world.signing_key()?.sign(json!({}), &claims)
}

/// The answer in the form that `format` or `Accept` asks for: JSON, XML or urlencoded [V:JSF-OAUTH].
pub(super) fn written(call: &Call, form: &Form, members: &Map<String, Value>) -> Reply {
    let accept = call.header("accept").unwrap_or_default();
    let asked = form.get("format").unwrap_or(match accept {
        "application/xml" => "xml",
        "application/x-www-form-urlencoded" => "urlencoded",
        _ => "json",
    });
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let reply = match asked {
        "xml" => {
            let inner: String = members
                .iter()
                .map(|(name, value)| format!("<{name}>{}</{name}>", super::page::escape(&text(value))))
                .collect();
            Reply {
                status: 200,
                headers: vec![("content-type".into(), "application/xml;charset=UTF-8".to_owned())],
                body: format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><OAuth>{inner}</OAuth>"),
            }
        }
        "urlencoded" => {
            let pairs: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{name}={}", utf8_percent_encode(&text(value), NON_ALPHANUMERIC)))
                .collect();
            Reply {
                status: 200,
                headers: vec![("content-type".into(), "application/x-www-form-urlencoded".to_owned())],
                body: pairs.join("&"),
            }
        }
        _ => Reply::json(200, Value::Object(members.clone()).to_string()),
    };
    uncached(reply)
}

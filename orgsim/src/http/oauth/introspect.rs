//! `POST /services/oauth2/introspect`: what a token is good for. The members are from memory.

use serde_json::json;

use super::client::{self, Client};
use super::form::Form;
use super::{refused, uncached};
use crate::http::reply::Reply;
use crate::http::request::Call;
use crate::world::World;

/// Tokens of other apps and orgs are as unknown ones.
pub(super) fn introspect(world: &World, call: &Call) -> Result<Reply, Reply> {
    let form = Form::of(call);
    let presented = Client::of(call, &form);
    let token = form.text("token");
    let now_ms = world.clock.now_ms();
    let org = client::org(world, call, &presented.id, |a| a.families.find(token).is_some()).map_err(refused)?;
    let org = world
        .org_of_token(token)
        .filter(|o| o.access().app(&presented.id).is_some())
        .map_or(org, Clone::clone);
    let mut access = org.access();
    let app = access.app(&presented.id).cloned();
    let app = app.ok_or_else(|| refused(crate::oauth::Refusal::ClientId))?;
    app.check_secret(presented.secret.as_deref(), true).map_err(refused)?;
    let sub = |user: &str| format!("{}/id/{}/{user}", world.base_url(), org.identity.org_id);
    let seconds = |ms: i64| ms.div_euclid(1_000);
    let mine = |client_id: Option<&str>| client_id == Some(&*app.client_id);
    let session = access
        .sessions
        .look(token, now_ms)
        .filter(|s| mine(s.client_id.as_deref()));
    let body = if let Some(s) = session {
        json!({
            "active": true, "scope": s.scopes.to_string(), "client_id": *app.client_id, "username": s.user.username,
            "sub": sub(&s.user.id), "token_type": "access_token", "iat": seconds(s.issued_ms), "nbf": seconds(s.issued_ms),
            "exp": seconds(s.ends_ms()),
        })
    } else if let Some(family) = access.families.find(token).and_then(|f| access.families.get(f))
        && mine(Some(&family.client_id))
        && let Some(account) = access.by_id(&family.user)
    {
        json!({
            "active": true, "scope": family.scopes.to_string(), "client_id": *app.client_id,
            "username": account.identity.username, "sub": sub(&family.user), "token_type": "refresh_token",
            "iat": seconds(family.opened_ms), "nbf": seconds(family.opened_ms),
        })
    } else {
        json!({"active": false})
    };
    Ok(uncached(Reply::json(200, body.to_string())))
}

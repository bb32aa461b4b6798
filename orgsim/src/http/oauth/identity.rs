//! Who a token belongs to: the identity URL and userinfo.

use std::sync::Arc;

use serde_json::{Value, json};

use super::form::Form;
use crate::http::reply::Reply;
use crate::http::request::Call;
use crate::org::UserIdentity;
use crate::world::{OrgHandle, World};

/// The token's org and user; any scope will do.
fn session(world: &World, call: &Call) -> Result<(Arc<OrgHandle>, UserIdentity), Reply> {
    let form = Form::of(call);
    let token = call
        .token()
        .or_else(|| form.filled("access_token"))
        .or_else(|| form.filled("oauth_token"))
        .ok_or_else(|| plain(403, "Missing_OAuth_Token"))?;
    let bad = || plain(403, "Bad_OAuth_Token");
    let org = world.org_of_token(token).ok_or_else(bad)?;
    let mut access = org.access();
    let session = access.sessions.enter(token, world.clock.now_ms()).ok_or_else(bad)?;
    Ok((Arc::clone(org), session.user.clone()))
}

/// What both resources answer a token or an address that is none [from memory].
fn plain(status: u16, text: &str) -> Reply {
    Reply {
        status,
        headers: vec![("content-type".into(), "text/html;charset=UTF-8".to_owned())],
        body: text.to_owned(),
    }
}

/// Addresses [R rfdb]; `{version}` is left for the client to fill in, or is the one it asked for.
fn urls(world: &World, org: &OrgHandle, user: &UserIdentity, version: &str) -> Value {
    let (base, id15) = (world.instance_url(org), &org.identity.org_id[..15]);
    let data = |rest: &str| format!("{base}/services/data/v{version}/{rest}");
    let soap = |kind: &str| format!("{base}/services/Soap/{kind}/{version}/{id15}");
    json!({
        "enterprise": soap("c"), "metadata": soap("m"), "partner": soap("u"), "rest": data(""),
        "sobjects": data("sobjects/"), "search": data("search/"), "query": data("query/"), "recent": data("recent/"),
        "tooling_soap": soap("T"), "tooling_rest": data("tooling/"), "profile": format!("{base}/{}", user.id),
        "feeds": data("chatter/feeds"), "groups": data("chatter/groups"), "users": data("chatter/users"),
        "feed_items": data("chatter/feed-items"), "feed_elements": data("chatter/feed-elements"), "custom_domain": base,
    })
}

/// What stands for `{version}`: `?version=latest` or a number fills it in [from memory].
fn version(world: &World, call: &Call) -> String {
    match call.parameter("version") {
        Some("latest") => format!("{}.0", world.newest_version),
        Some(number) if number.parse::<f32>().is_ok() => number.to_owned(),
        _ => "{version}".to_owned(),
    }
}

fn photos(world: &World, org: &OrgHandle) -> Value {
    let base = world.instance_url(org);
    json!({"picture": format!("{base}/profilephoto/005/F"), "thumbnail": format!("{base}/profilephoto/005/T")})
}

/// `GET /id/{org}/{user}`.
pub(super) fn identity(world: &World, call: &Call, org_id: &str, user_id: &str) -> Reply {
    let (org, user) = match session(world, call) {
        Ok(session) => session,
        Err(refusal) => return refusal,
    };
    if world.by_id(org_id).is_none_or(|o| !Arc::ptr_eq(o, &org)) {
        return plain(403, "Wrong_Org");
    }
    if crate::org::normalise(user_id).as_deref() != Some(&user.id) {
        return plain(404, "Bad_Id");
    }
    let (first, last) = &user.name;
    let id = format!("{}/id/{}/{}", world.base_url(), org.identity.org_id, user.id);
    let body = json!({
        "id": id, "asserted_user": true, "user_id": *user.id, "organization_id": org.identity.org_id,
        "username": user.username, "nick_name": last.to_lowercase(), "display_name": format!("{first} {last}"),
        "email": user.username, "email_verified": true, "photos": photos(world, &org), "addr_street": null, "addr_city": null,
        "addr_state": null, "addr_country": null, "addr_zip": null, "first_name": first, "last_name": last, "timezone": "GMT",
        "mobile_phone": null, "mobile_phone_verified": false, "status": {"created_date": null, "body": null},
        "urls": urls(world, &org, &user, &version(world, call)), "active": true, "user_type": "STANDARD", "language": "en_US",
        "locale": "en_US", "utcOffset": 0, "is_app_installed": true,
    });
    Reply::json(200, body.to_string())
}

/// `GET /services/oauth2/userinfo`.
pub(super) fn userinfo(world: &World, call: &Call) -> Reply {
    let (org, user) = match session(world, call) {
        Ok(session) => session,
        Err(refusal) => return refusal,
    };
    let (first, last) = &user.name;
    let id = format!("{}/id/{}/{}", world.base_url(), org.identity.org_id, user.id);
    let body = json!({
        "sub": id, "user_id": *user.id, "organization_id": org.identity.org_id, "preferred_username": user.username,
        "nickname": last.to_lowercase(), "name": format!("{first} {last}"), "email": user.username,
        "email_verified": true, "photos": photos(world, &org), "picture": format!("{}/profilephoto/005/F", world.instance_url(&org)),
        "profile": format!("{}/{}", world.instance_url(&org), user.id), "address": {}, "given_name": first, "family_name": last, "zoneinfo": "GMT",
        "urls": urls(world, &org, &user, &version(world, call)), "active": true, "user_type": "STANDARD", "language": "en_US",
        "locale": "en_US", "utcOffset": 0, "is_app_installed": true,
    });
    Reply::json(200, body.to_string())
}

//! Who a token belongs to: the identity URL and userinfo.

use std::sync::Arc;

use serde_json::{Value, json};

use super::reply::Reply;
use super::request::Call;
use crate::org::UserIdentity;
use crate::world::{OrgHandle, World};

fn session(world: &World, call: &Call) -> Option<(Arc<OrgHandle>, UserIdentity)> {
    let token = call
        .token()
        .or_else(|| call.parameter("access_token"))
        .or_else(|| call.parameter("oauth_token"))?;
    world.session(token)
}

/// What both resources answer a token that is none [from memory].
fn bad_token() -> Reply {
    Reply {
        status: 403,
        headers: vec![("content-type", "text/html;charset=UTF-8".to_owned())],
        body: "Bad_OAuth_Token".to_owned(),
    }
}

fn urls(world: &World, org: &OrgHandle, user: &UserIdentity) -> Value {
    let (base, id15) = (world.base_url(), &org.identity.org_id[..15]);
    json!({
        "enterprise": format!("{base}/services/Soap/c/{{version}}/{id15}"),
        "metadata": format!("{base}/services/Soap/m/{{version}}/{id15}"),
        "partner": format!("{base}/services/Soap/u/{{version}}/{id15}"),
        "rest": format!("{base}/services/data/v{{version}}/"),
        "sobjects": format!("{base}/services/data/v{{version}}/sobjects/"),
        "search": format!("{base}/services/data/v{{version}}/search/"),
        "query": format!("{base}/services/data/v{{version}}/query/"),
        "recent": format!("{base}/services/data/v{{version}}/recent/"),
        "profile": format!("{base}/{}", user.id),
    })
}

/// `GET /id/{org}/{user}`.
pub(super) fn identity(world: &World, call: &Call, org_id: &str, user_id: &str) -> Reply {
    let Some((org, user)) = session(world, call) else {
        return bad_token();
    };
    let same_org = world.by_id(org_id).is_some_and(|o| Arc::ptr_eq(o, &org));
    if !same_org || crate::org::normalise(user_id).as_deref() != Some(&user.id) {
        return bad_token();
    }
    let (first, last) = &user.name;
    let id = format!("{}/id/{}/{}", world.base_url(), org.identity.org_id, user.id);
    let body = json!({
        "id": id, "asserted_user": true, "user_id": *user.id, "organization_id": org.identity.org_id,
        "username": user.username, "nick_name": last.to_lowercase(), "display_name": format!("{first} {last}"),
        "email": user.username, "email_verified": true, "first_name": first, "last_name": last, "timezone": "GMT",
        "mobile_phone": null, "mobile_phone_verified": false, "status": {"created_date": null, "body": null},
        "urls": urls(world, &org, &user), "active": true, "user_type": "STANDARD", "language": "en_US",
        "locale": "en_US", "utcOffset": 0, "is_app_installed": true,
    });
    Reply::json(200, body.to_string())
}

/// `GET /services/oauth2/userinfo`.
pub(super) fn userinfo(world: &World, call: &Call) -> Reply {
    let Some((org, user)) = session(world, call) else {
        return bad_token();
    };
    let (first, last) = &user.name;
    let id = format!("{}/id/{}/{}", world.base_url(), org.identity.org_id, user.id);
    let body = json!({
        "sub": id, "user_id": *user.id, "organization_id": org.identity.org_id, "preferred_username": user.username,
        "nickname": last.to_lowercase(), "name": format!("{first} {last}"), "email": user.username,
        "email_verified": true, "given_name": first, "family_name": last, "zoneinfo": "GMT",
        "urls": urls(world, &org, &user), "active": true, "user_type": "STANDARD", "language": "en_US",
        "locale": "en_US", "utcOffset": 0, "is_app_installed": true,
    });
    Reply::json(200, body.to_string())
}

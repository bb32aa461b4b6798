//! What an admin, and the platform, do to the logins of an org.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Answer, bad, find};
use crate::oauth::{Moved, Rule};
use crate::world::World;

/// Most hosts that an org moved away from; the first is forgotten for the next.
const MAX_MOVES: usize = 16;

/// The refusals on purpose, each with how often it `struck`.
#[utoipa::path(get, path = "/orgs/{org}/oauth-faults", responses((status = 200, description = "The rules")))]
pub(super) async fn faults(State(world): State<Arc<World>>, Path(org): Path<String>) -> Answer {
    Ok(Json(find(&world, &org)?.access().switches.report()))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = OAuthFaultRules)]
pub(super) struct Rules {
    rules: Vec<Rule>,
}

/// Replaces all rules of refusals on purpose at the OAuth and SOAP endpoints.
#[utoipa::path(post, path = "/orgs/{org}/oauth-faults", request_body(content = Rules, example = json!({"rules": [{"at": "token", "refusal": "invalid_token", "times": 1}]})), responses((status = 200, description = "The rules")))]
pub(super) async fn set_faults(
    State(world): State<Arc<World>>,
    Path(org): Path<String>,
    Json(body): Json<Rules>,
) -> Answer {
    let mut access = find(&world, &org)?.access();
    if body.rules.iter().any(|r| !(0.0..=100.0).contains(&r.percent)) {
        return Err(bad("percent must be from 0 to 100"));
    }
    if body
        .rules
        .iter()
        .any(|r| r.status.is_some_and(|s| !(200..=599).contains(&s)))
    {
        return Err(bad("status must be from 200 to 599"));
    }
    access.switches.set(body.rules);
    Ok(Json(access.switches.report()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LoginSettings)]
pub(super) struct Settings {
    /// Logins of a user in an hour; refreshes are none.
    logins_per_hour: Option<usize>,
    /// HTTP status beyond that: 400 or 429.
    rate_limit_status: Option<u16>,
    /// Life of an unused access token.
    session_timeout_minutes: Option<u32>,
    /// The whole org.
    locked: Option<bool>,
}

/// What is left out stays. A timeout is of later tokens; locking the org ends its access tokens.
#[utoipa::path(post, path = "/orgs/{org}/login-settings", request_body(content = Settings, example = json!({"logins_per_hour": 3_600, "session_timeout_minutes": 120})), responses((status = 200, description = "The settings")))]
pub(super) async fn set_settings(
    State(world): State<Arc<World>>,
    Path(org): Path<String>,
    Json(body): Json<Settings>,
) -> Answer {
    if body.rate_limit_status.is_some_and(|s| s != 400 && s != 429) {
        return Err(bad("rate_limit_status must be 400 or 429"));
    }
    let mut access = find(&world, &org)?.access();
    access.logins_per_hour = body.logins_per_hour.unwrap_or(access.logins_per_hour);
    access.rate_limit_status = body.rate_limit_status.unwrap_or(access.rate_limit_status);
    access.locked = body.locked.unwrap_or(access.locked);
    if access.locked {
        access.sessions.end_where(|_| true);
    }
    if let Some(minutes) = body.session_timeout_minutes {
        access.timeout_ms = i64::from(minutes) * 60_000;
    }
    Ok(Json(json!({
        "logins_per_hour": access.logins_per_hour, "rate_limit_status": access.rate_limit_status,
        "session_timeout_minutes": access.timeout_ms / 60_000, "locked": access.locked,
    })))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Whose {
    username: Option<String>,
    client_id: Option<String>,
}

/// Ends all that a user, an app, or a user of an app was given.
#[utoipa::path(post, path = "/orgs/{org}/revoke", request_body(content = Whose, example = json!({"username": "human@acme.example"})), responses((status = 200, description = "Done")))]
pub(super) async fn revoke(
    State(world): State<Arc<World>>,
    Path(org): Path<String>,
    Json(body): Json<Whose>,
) -> Answer {
    let mut access = find(&world, &org)?.access();
    let user = match &body.username {
        None => None,
        Some(name) => {
            let account = access
                .account(name)
                .ok_or_else(|| bad(format!("there is no user {name}")))?;
            Some(Arc::clone(&account.identity.id))
        }
    };
    access.revoke_all(user.as_deref(), body.client_id.as_deref());
    Ok(Json(json!({"revoked": true})))
}

#[derive(Deserialize, ToSchema, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Old {
    #[default]
    NoRoute,
    InvalidSession,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Move {
    /// Base URL of the new instance; `localhost` for `127.0.0.1` and back when missing.
    instance_url: Option<String>,
    /// What the data API answers at the host that the org left: 420, or 401.
    #[serde(default)]
    old: Old,
    /// Also ends all access tokens.
    #[serde(default)]
    end_sessions: bool,
}

/// The other name of the same address: `localhost` for `127.0.0.1`, and the other way round.
fn other_name(url: &str) -> String {
    if url.contains("//127.0.0.1") {
        url.replacen("//127.0.0.1", "//localhost", 1)
    } else {
        url.replacen("//localhost", "//127.0.0.1", 1)
    }
}

/// The org is on another instance from now on. Token requests go on at the login host.
#[utoipa::path(post, path = "/orgs/{org}/move", request_body(content = Move, example = json!({"old": "invalid_session"})), responses((status = 200, description = "The new URL and the one that it left")))]
pub(super) async fn move_away(
    State(world): State<Arc<World>>,
    Path(org): Path<String>,
    Json(body): Json<Move>,
) -> Answer {
    let org = find(&world, &org)?;
    let old = world.instance_url(org);
    let new = body.instance_url.unwrap_or_else(|| other_name(&old));
    let new = new.trim_end_matches('/').to_owned();
    let host = |url: &str| url.split_once("://").map(|(_, host)| host.to_owned());
    let (Some(old_host), Some(new_host)) = (host(&old), host(&new)) else {
        return Err(bad("instance_url must be a URL such as http://localhost:8080"));
    };
    if old_host == new_host {
        return Err(bad(format!("the org is at {new} already; give another instance_url")));
    }
    let answers = match body.old {
        Old::NoRoute => Moved::NoRoute,
        Old::InvalidSession => Moved::InvalidSession,
    };
    let mut access = org.access();
    access.moved_from.retain(|(h, _)| *h != old_host && *h != new_host);
    if access.moved_from.len() >= MAX_MOVES {
        access.moved_from.remove(0);
    }
    access.moved_from.push((old_host, answers));
    access.instance_url = Some(new.clone());
    if body.end_sessions {
        access.sessions.end_where(|_| true);
    }
    Ok(Json(json!({"instance_url": new, "left": Value::from(old)})))
}

//! Users of an org, as its admin sees them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Answer, bad, find};
use crate::oauth::Account;
use crate::world::World;

/// Most users of an org.
const MAX_USERS: usize = 10_000;

/// What to set; what is left out stays as it is, or as a new user has it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserSettings)]
pub(super) struct Settings {
    username: String,
    first_name: Option<String>,
    last_name: Option<String>,
    password: Option<String>,
    security_token: Option<String>,
    security_token_needed: Option<bool>,
    active: Option<bool>,
    frozen: Option<bool>,
    locked: Option<bool>,
    /// First and last hour (UTC), the last not in it; null is all day.
    #[serde(default, deserialize_with = "super::given")]
    login_hours: Option<Option<(u8, u8)>>,
    ip_restricted: Option<bool>,
}

/// The users, with password and security token.
#[utoipa::path(get, path = "/orgs/{org}/users", responses((status = 200, description = "An array")))]
pub(super) async fn list(State(world): State<Arc<World>>, Path(org): Path<String>) -> Answer {
    let access = find(&world, &org)?.access();
    Ok(Json(Value::Array(access.accounts.iter().map(show).collect())))
}

fn show(account: &Account) -> Value {
    let (first, last) = &account.identity.name;
    json!({
        "user_id": *account.identity.id, "username": account.identity.username, "first_name": first, "last_name": last,
        "password": account.password, "security_token": account.security_token,
        "security_token_needed": account.token_needed, "active": account.active, "frozen": account.frozen,
        "locked": account.locked, "login_hours": account.login_hours, "ip_restricted": account.ip_restricted,
    })
}

/// Changes the user with this name, or adds one. Deactivating, freezing and a new password end the user's access tokens.
#[utoipa::path(post, path = "/orgs/{org}/users", request_body(content = Settings, example = json!({"username": "ann@acme.example", "first_name": "Ann", "login_hours": [8, 18]})), responses((status = 200, description = "The user")))]
pub(super) async fn set(
    State(world): State<Arc<World>>,
    Path(name): Path<String>,
    Json(settings): Json<Settings>,
) -> Answer {
    let org = find(&world, &name)?;
    let username = &settings.username;
    if let Some(Some((from, to))) = settings.login_hours
        && (from > 24 || to > 24)
    {
        return Err(bad("login_hours must be two hours from 0 to 24"));
    }
    if org.access().account(username).is_none() {
        // A login name is of one user in all of Salesforce.
        let other = world.orgs.iter().find(|o| o.access().account(username).is_some());
        if let Some(other) = other {
            return Err(bad(format!("{username} is a user of the org {}", other.identity.name)));
        }
        if username.is_empty() || org.access().accounts.len() >= MAX_USERS {
            return Err(bad(format!(
                "username must not be empty, and an org has at most {MAX_USERS} users"
            )));
        }
        let first = settings.first_name.as_deref().unwrap_or("New");
        let last = settings.last_name.as_deref().unwrap_or("User");
        let made = org.org().add_user(username, first, last, world.clock.now());
        let identity = made.ok_or_else(|| bad("the org takes no more users"))?;
        let mut access = org.access();
        let token = access.secrets.text(24);
        let account = Account::new(identity, org.password.clone(), token);
        access.accounts.push(account);
    }
    let id = org.access().account(username).map(|a| Arc::clone(&a.identity.id));
    if let (Some(active), Some(id)) = (settings.active, id) {
        org.org().set_user_active(&id, active, world.clock.now());
    }
    let mut access = org.access();
    let account = access.account_mut(username).ok_or_else(|| bad("the user is gone"))?;
    let ends = settings.active == Some(false) || settings.frozen == Some(true) || settings.password.is_some();
    apply(account, &settings);
    let (shown, id) = (show(account), Arc::clone(&account.identity.id));
    if ends {
        access.end_user_sessions(&id);
    }
    Ok(Json(shown))
}

fn apply(account: &mut Account, settings: &Settings) {
    if let Some(password) = &settings.password {
        account.password.clone_from(password);
    }
    if let Some(token) = &settings.security_token {
        account.security_token.clone_from(token);
    }
    account.token_needed = settings.security_token_needed.unwrap_or(account.token_needed);
    account.active = settings.active.unwrap_or(account.active);
    account.frozen = settings.frozen.unwrap_or(account.frozen);
    account.ip_restricted = settings.ip_restricted.unwrap_or(account.ip_restricted);
    account.login_hours = settings.login_hours.unwrap_or(account.login_hours);
    match settings.locked {
        Some(true) => account.locked = true,
        Some(false) => account.unlock(),
        None => {}
    }
}

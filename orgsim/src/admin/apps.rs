//! Apps of an org, as its admin sees them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Answer, Refusal, bad, find};
use crate::oauth::{Access, App, Permitted, Scopes, TokenFormat};
use crate::world::World;

/// Most apps of an org.
const MAX_APPS: usize = 1_000;

/// What to set; what is left out stays as it is, or as a new app has it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppSettings)]
pub(super) struct Settings {
    client_id: Option<String>,
    client_secret: Option<String>,
    label: Option<String>,
    redirect_uris: Option<Vec<String>>,
    pkce_required: Option<bool>,
    rotation: Option<bool>,
    public: Option<bool>,
    secret_for_refresh: Option<bool>,
    scopes: Option<String>,
    blocked: Option<bool>,
    installed: Option<bool>,
    permitted: Option<Permitted>,
    /// Login names.
    pre_authorized: Option<Vec<String>>,
    client_credentials: Option<bool>,
    /// Login name.
    #[serde(default, deserialize_with = "super::given")]
    run_as: Option<Option<String>>,
    token_format: Option<TokenFormat>,
    #[serde(default, deserialize_with = "super::given")]
    session_timeout_minutes: Option<Option<u32>>,
    refresh_idle_days: Option<u32>,
    public_key_pem: Option<String>,
}

/// The apps, each with `live_refresh_tokens`.
#[utoipa::path(get, path = "/orgs/{org}/apps", responses((status = 200, description = "An array")))]
pub(super) async fn list(State(world): State<Arc<World>>, Path(org): Path<String>) -> Answer {
    let access = find(&world, &org)?.access();
    let apps: Vec<Value> = access.apps.iter().map(|app| show(&access, app)).collect();
    Ok(Json(Value::Array(apps)))
}

fn show(access: &Access, app: &App) -> Value {
    let name = |id: &str| access.by_id(id).map(|a| a.identity.username.clone());
    let pre_authorized: Vec<_> = app.pre_authorized.iter().filter_map(|id| name(id)).collect();
    let live = access.families.iter().filter(|f| f.client_id == app.client_id).count();
    json!({
        "client_id": *app.client_id, "client_secret": app.client_secret, "label": app.label,
        "redirect_uris": app.redirect_uris, "pkce_required": app.pkce_required, "rotation": app.rotation,
        "public": app.public, "secret_for_refresh": app.secret_for_refresh, "scopes": app.scopes.to_string(),
        "blocked": app.blocked, "installed": app.installed, "permitted": app.permitted, "pre_authorized": pre_authorized,
        "client_credentials": app.client_credentials, "run_as": app.run_as.as_deref().and_then(name),
        "token_format": app.token_format, "session_timeout_minutes": app.session_timeout_minutes,
        "refresh_idle_days": app.refresh_idle_days, "assertions": app.jwt_key.is_some(), "live_refresh_tokens": live,
    })
}

/// Changes the app with this `client_id`, or adds one. Blocking ends its access tokens; taking it out of the org ends its
/// refresh tokens too.
#[utoipa::path(post, path = "/orgs/{org}/apps", request_body(content = Settings, example = json!({"label": "My app", "redirect_uris": ["https://app.example/callback"], "scopes": "api refresh_token", "rotation": true})), responses((status = 200, description = "The app")))]
pub(super) async fn set(
    State(world): State<Arc<World>>,
    Path(org): Path<String>,
    Json(settings): Json<Settings>,
) -> Answer {
    let mut access = find(&world, &org)?.access();
    let known = settings.client_id.as_deref().and_then(|id| access.app(id)).cloned();
    let mut app = match known {
        Some(app) => app,
        None if access.apps.len() >= MAX_APPS => return Err(bad(format!("an org has at most {MAX_APPS} apps"))),
        None => {
            let id = match &settings.client_id {
                Some(id) => id.clone(),
                None => format!("3MVG9{}", access.secrets.text(80)),
            };
            App::new(&id, access.secrets.text(64).to_uppercase(), "app")
        }
    };
    apply(&access, &mut app, settings)?;
    let (blocked, gone) = (app.blocked, !app.installed);
    let client_id = Arc::clone(&app.client_id);
    let shown = match access.apps.iter().position(|a| a.client_id == client_id) {
        Some(place) => {
            access.apps[place] = app;
            place
        }
        None => {
            access.apps.push(app);
            access.apps.len() - 1
        }
    };
    if blocked {
        access.end_app_sessions(&client_id);
    }
    if gone {
        access.revoke_all(None, Some(&client_id));
    }
    Ok(Json(show(&access, &access.apps[shown])))
}

fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn apply(access: &Access, app: &mut App, settings: Settings) -> Result<(), Refusal> {
    let user = |name: &String| {
        let account = access.account(name);
        account
            .map(|a| Arc::clone(&a.identity.id))
            .ok_or_else(|| bad(format!("there is no user {name}; GET /orgs/{{org}}/users lists them")))
    };
    if let Some(scopes) = &settings.scopes {
        app.scopes = Scopes::parse(scopes).map_err(|_| bad(format!("scopes has a name that is none: {scopes}")))?;
    }
    if let Some(names) = &settings.pre_authorized {
        app.pre_authorized = names.iter().map(user).collect::<Result<_, _>>()?;
    }
    if let Some(name) = &settings.run_as {
        app.run_as = name.as_ref().map(user).transpose()?;
    }
    if let Some(pem) = &settings.public_key_pem {
        app.jwt_key = Some(key(pem)?);
    }
    put(&mut app.client_secret, settings.client_secret);
    put(&mut app.label, settings.label);
    put(&mut app.redirect_uris, settings.redirect_uris);
    put(&mut app.pkce_required, settings.pkce_required);
    put(&mut app.rotation, settings.rotation);
    put(&mut app.public, settings.public);
    put(&mut app.secret_for_refresh, settings.secret_for_refresh);
    put(&mut app.blocked, settings.blocked);
    put(&mut app.installed, settings.installed);
    put(&mut app.permitted, settings.permitted);
    put(&mut app.client_credentials, settings.client_credentials);
    put(&mut app.token_format, settings.token_format);
    put(&mut app.session_timeout_minutes, settings.session_timeout_minutes);
    put(&mut app.refresh_idle_days, settings.refresh_idle_days);
    Ok(())
}

fn key(pem: &str) -> Result<DecodingKey, Refusal> {
    DecodingKey::from_rsa_pem(pem.as_bytes())
        .map_err(|e| bad(format!("public_key_pem is no RSA public key in SPKI PEM: {e}")))
}

#[derive(Deserialize, ToSchema)]
pub(super) struct JwtKey {
    /// RSA, SPKI.
    public_key_pem: String,
}

/// The key that assertions of the ready line's app are signed with.
#[utoipa::path(post, path = "/orgs/{org}/jwt-key", request_body = JwtKey, responses((status = 200, description = "Done")))]
pub(super) async fn jwt_key(
    State(world): State<Arc<World>>,
    Path(org): Path<String>,
    Json(body): Json<JwtKey>,
) -> Answer {
    let org = find(&world, &org)?;
    let key = key(&body.public_key_pem)?;
    if let Some(app) = org.access().apps.first_mut() {
        app.jwt_key = Some(key);
    }
    Ok(Json(json!({"set": true})))
}

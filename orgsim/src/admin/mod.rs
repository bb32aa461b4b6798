//! The admin port: what a test does to the orgs that no API client could.

mod apps;
mod edit;
mod load;
mod login;
mod look;
mod snapshot;
mod users;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::commit::Disturbance;
use crate::faults::Rule;
use crate::world::{OrgHandle, World};

/// An answer or a refusal.
type Answer = Result<Json<Value>, Refusal>;

/// Why an admin call was refused.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

fn bad(text: impl Into<String>) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, text.into())
}

/// The org that a path names.
fn find<'w>(world: &'w World, org: &str) -> Result<&'w Arc<OrgHandle>, Refusal> {
    world.find(org).ok_or_else(|| {
        Refusal(
            StatusCode::NOT_FOUND,
            format!("there is no org {org}; GET /orgs lists them"),
        )
    })
}

/// Serves the admin port until `stopped` becomes true.
pub(crate) async fn serve(world: Arc<World>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    let app = Router::new()
        .route("/orgs", get(orgs))
        .route("/orgs/{org}/edit", post(edit::edit))
        .route(
            "/orgs/{org}/load",
            post(load::load).layer(DefaultBodyLimit::max(load::BODY_MAX)),
        )
        .route("/orgs/{org}/records/{entity}", get(look::records))
        .route("/orgs/{org}/history/{entity}", get(look::history))
        .route(
            "/orgs/{org}/snapshot",
            get(snapshot::take)
                .put(snapshot::give)
                .layer(DefaultBodyLimit::max(snapshot::BODY_MAX)),
        )
        .route("/orgs/{org}/calls", get(calls))
        .route("/orgs/{org}/faults", get(faults).post(set_faults))
        .route("/orgs/{org}/expire-tokens", post(expire_tokens))
        .route("/orgs/{org}/jwt-key", post(apps::jwt_key))
        .route("/orgs/{org}/apps", get(apps::list).post(apps::set))
        .route("/orgs/{org}/users", get(users::list).post(users::set))
        .route("/orgs/{org}/oauth-faults", get(login::faults).post(login::set_faults))
        .route("/orgs/{org}/login-settings", post(login::set_settings))
        .route("/orgs/{org}/revoke", post(login::revoke))
        .route("/orgs/{org}/move", post(login::move_away))
        .route("/orgs/{org}/events", post(events))
        .route("/clock", get(clock).post(set_clock))
        .with_state(world);
    let served = axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            stopped.wait_for(|s| *s).await.ok();
        })
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the admin port stopped");
    }
}

async fn orgs(State(world): State<Arc<World>>) -> Json<Value> {
    Json(Value::Array(world.describe_orgs()))
}

async fn calls(State(world): State<Arc<World>>, Path(org): Path<String>) -> Answer {
    let org = find(&world, &org)?;
    let refusals = org.org().fence_refusals();
    let report = org.usage().report(refusals);
    Ok(Json(report))
}

async fn faults(State(world): State<Arc<World>>, Path(org): Path<String>) -> Answer {
    Ok(Json(find(&world, &org)?.faults().report()))
}

#[derive(Deserialize)]
struct Rules {
    rules: Vec<Rule>,
}

async fn set_faults(State(world): State<Arc<World>>, Path(org): Path<String>, Json(body): Json<Rules>) -> Answer {
    let org = find(&world, &org)?;
    if body.rules.iter().any(|r| !(0.0..=100.0).contains(&r.percent)) {
        return Err(bad("percent must be from 0 to 100"));
    }
    org.faults().set(body.rules);
    let report = org.faults().report();
    Ok(Json(report))
}

async fn expire_tokens(State(world): State<Arc<World>>, Path(org): Path<String>) -> Answer {
    find(&world, &org)?.access().sessions.end_where(|_| true);
    Ok(Json(json!({"expired": true})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Events {
    #[serde(default)]
    drop_percent: f64,
    #[serde(default)]
    delay_ms: u64,
    #[serde(default)]
    gap: bool,
    expire_replay_before: Option<String>,
}

async fn events(State(world): State<Arc<World>>, Path(org): Path<String>, Json(body): Json<Events>) -> Answer {
    let org = find(&world, &org)?;
    let expire = body
        .expire_replay_before
        .map(|hex| from_hex(&hex).ok_or_else(|| bad("expire_replay_before must be hex")))
        .transpose()?;
    let disturbance = Disturbance {
        drop_percent: body.drop_percent,
        delay_ms: body.delay_ms,
        gap: body.gap,
        expire_replay_before: expire,
    };
    world.disturb(&org.identity.org_id, disturbance);
    Ok(Json(json!({"set": true})))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok())
        .collect()
}

async fn clock(State(world): State<Arc<World>>) -> Json<Value> {
    Json(json!({"now_ms": world.clock.now_ms(), "offset_ms": world.clock.offset_ms()}))
}

#[derive(Deserialize)]
struct Offset {
    offset_ms: i64,
}

async fn set_clock(State(world): State<Arc<World>>, Json(body): Json<Offset>) -> Json<Value> {
    world.clock.set_offset(body.offset_ms);
    clock(State(world)).await
}

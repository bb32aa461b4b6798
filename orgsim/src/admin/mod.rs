//! The admin port: what a test does to the orgs that no API client could.

mod apps;
mod edit;
mod events;
mod limits;
mod load;
mod login;
mod look;
mod openapi;
mod schema;
mod snapshot;
mod users;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::faults::Rule;
use crate::world::{OrgHandle, World};

/// An answer or a refusal.
type Answer = Result<Json<Value>, Refusal>;

/// Why an admin call was refused.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(openapi::Problem { error: self.1 })).into_response()
    }
}

/// A key that is there, also with null.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
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
    let app = routes()
        .into_iter()
        .fold(Router::new(), |app, (path, methods)| app.route(path, methods))
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

/// Every path with its calls; the OpenAPI document tells of each.
fn routes() -> Vec<(&'static str, MethodRouter<Arc<World>>)> {
    vec![
        ("/openapi.json", get(openapi::document)),
        ("/orgs", get(orgs)),
        ("/orgs/{org}/edit", post(edit::edit)),
        (
            "/orgs/{org}/load",
            post(load::load).layer(DefaultBodyLimit::max(load::BODY_MAX)),
        ),
        ("/orgs/{org}/records/{entity}", get(look::records)),
        ("/orgs/{org}/history/{entity}", get(look::history)),
        (
            "/orgs/{org}/snapshot",
            get(snapshot::take)
                .put(snapshot::give)
                .layer(DefaultBodyLimit::max(snapshot::BODY_MAX)),
        ),
        ("/orgs/{org}/schema", get(schema::added).post(schema::extend)),
        ("/orgs/{org}/permissions", get(schema::permissions).post(schema::permit)),
        ("/orgs/{org}/calls", get(calls)),
        ("/orgs/{org}/limits", get(limits::limits).post(limits::set)),
        ("/orgs/{org}/faults", get(faults).post(set_faults)),
        ("/orgs/{org}/expire-tokens", post(expire_tokens)),
        ("/orgs/{org}/jwt-key", post(apps::jwt_key)),
        ("/orgs/{org}/apps", get(apps::list).post(apps::set)),
        ("/orgs/{org}/users", get(users::list).post(users::set)),
        ("/orgs/{org}/oauth-faults", get(login::faults).post(login::set_faults)),
        ("/orgs/{org}/login-settings", post(login::set_settings)),
        ("/orgs/{org}/revoke", post(login::revoke)),
        ("/orgs/{org}/move", post(login::move_away)),
        ("/orgs/{org}/events", post(events::events)),
        ("/orgs/{org}/channels", get(events::channels).post(events::set_channel)),
        ("/clock", get(clock).post(set_clock)),
    ]
}

/// The orgs, as the ready line has them.
#[utoipa::path(get, path = "/orgs", responses((status = 200, description = "An array")))]
async fn orgs(State(world): State<Arc<World>>) -> Json<Value> {
    Json(Value::Array(world.describe_orgs()))
}

/// Calls and rows by kind. `total` counts what Salesforce counts, token requests are only in `by`; with `fence_refusals`.
#[utoipa::path(get, path = "/orgs/{org}/calls", responses((status = 200, description = "The counts")))]
async fn calls(State(world): State<Arc<World>>, Path(org): Path<String>) -> Answer {
    let org = find(&world, &org)?;
    let refusals = org.org().fence_refusals();
    let report = org.usage().report(refusals);
    Ok(Json(report))
}

/// The rules in force, each with how often it `struck`.
#[utoipa::path(get, path = "/orgs/{org}/faults", responses((status = 200, description = "The rules")))]
async fn faults(State(world): State<Arc<World>>, Path(org): Path<String>) -> Answer {
    Ok(Json(find(&world, &org)?.faults().report()))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = FaultRules)]
struct Rules {
    rules: Vec<Rule>,
}

/// Replaces all rules of what goes wrong on data calls and bulk jobs.
#[utoipa::path(post, path = "/orgs/{org}/faults", request_body(content = Rules, example = json!({"rules": [{"kind": "status", "status": 503, "percent": 0.5}]})), responses((status = 200, description = "The rules")))]
async fn set_faults(State(world): State<Arc<World>>, Path(org): Path<String>, Json(body): Json<Rules>) -> Answer {
    let org = find(&world, &org)?;
    if let Some(problem) = body.rules.iter().find_map(Rule::problem) {
        return Err(bad(problem));
    }
    org.faults().set(body.rules);
    let report = org.faults().report();
    Ok(Json(report))
}

/// Ends all access tokens of the org.
#[utoipa::path(post, path = "/orgs/{org}/expire-tokens", responses((status = 200, description = "Done")))]
async fn expire_tokens(State(world): State<Arc<World>>, Path(org): Path<String>) -> Answer {
    find(&world, &org)?.access().sessions.end_where(|_| true);
    Ok(Json(json!({"expired": true})))
}

/// The time of all orgs.
#[utoipa::path(get, path = "/clock", responses((status = 200, description = "Milliseconds since 1970, and how far they are from the time of the machine")))]
async fn clock(State(world): State<Arc<World>>) -> Json<Value> {
    Json(json!({"now_ms": world.clock.now_ms(), "offset_ms": world.clock.offset_ms()}))
}

#[derive(Deserialize, ToSchema)]
struct Offset {
    /// From the time of the machine; negative is the past.
    offset_ms: i64,
}

/// Moves the time of all orgs.
#[utoipa::path(post, path = "/clock", request_body(content = Offset, example = json!({"offset_ms": 60_000})), responses((status = 200, description = "The new time")))]
async fn set_clock(State(world): State<Arc<World>>, Json(body): Json<Offset>) -> Json<Value> {
    world.clock.set_offset(body.offset_ms);
    for org in &world.orgs {
        org.org().commit_due(world.clock.now_ms());
    }
    clock(State(world)).await
}

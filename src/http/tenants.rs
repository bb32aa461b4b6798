//! `/v1/tenants`: what operators ask first.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tandem_core::domain::ids::TenantName;

use super::error::Problem;
use super::serve;

/// Tenants on a page when not asked otherwise, and at most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1_000;
/// Redis gets this long to tell lengths; the rest is told without them.
const STORE_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, serde::Deserialize)]
pub(super) struct Page {
    after: Option<String>,
    limit: Option<usize>,
}

/// `GET /v1/tenants?after=NAME&limit=N`.
pub(super) async fn list(State(state): State<serve::State>, Query(page): Query<Page>) -> Response {
    let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let tenants = state.directory.tenants(page.after.as_deref(), limit);
    let next = (tenants.len() == limit)
        .then(|| tenants.last().map(|t| t.tenant.clone()))
        .flatten();
    Json(serde_json::json!({ "node": state.directory.health().node, "tenants": tenants, "next": next })).into_response()
}

/// `GET /v1/tenants/{tenant}`.
pub(super) async fn show(State(state): State<serve::State>, Path(name): Path<String>) -> Response {
    let tenant = match TenantName::new(&name) {
        Ok(tenant) => tenant,
        Err(error) => {
            let remedy = "GET /v1/tenants lists the tenants";
            let status = StatusCode::BAD_REQUEST;
            return Problem {
                status,
                code: "bad_name",
                message: error.to_string(),
                remedy,
            }
            .into_response();
        }
    };
    let Some(status) = state.directory.tenant(&tenant) else {
        return Problem {
            status: StatusCode::NOT_FOUND,
            code: "unknown_tenant",
            message: format!("no tenant '{tenant}' is declared on this node"),
            remedy: "declare it in [tenants.NAME]; GET /v1/tenants lists the tenants",
        }
        .into_response();
    };
    let store = tokio::time::timeout(STORE_WITHIN, state.directory.store_view(&tenant)).await;
    let (view, problem) = match store {
        Ok(Ok(view)) => (Some(view), None),
        Ok(Err(error)) => (None, Some(error.to_string())),
        Err(_) => (None, Some("Redis did not answer within 2 s".to_owned())),
    };
    Json(serde_json::json!({ "tenant": status, "store": view, "store_error": problem })).into_response()
}

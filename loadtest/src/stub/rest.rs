//! The stub's HTTP port: tokens and collections.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};

use super::ledger::Row;
use super::rows::Deleted;
use super::told::{Change, Kind};
use super::{Arrival, Orgs, SECRET, ids, rows};

/// Largest body that is read, in bytes: 200 rows of the sample take a tenth of it.
const BODY_BYTES_MAX: usize = 2 << 20;
/// Where the stub listens, as tokens name it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) orgs: Arc<Orgs>,
    pub(super) url: String,
}

pub(super) fn router(place: Place) -> Router {
    let data = "/services/data/{version}/composite/sobjects";
    Router::new()
        .route("/services/oauth2/token", post(token))
        .route(data, patch(update).delete(delete))
        .route("/services/data/{version}/queryAll", get(look))
        .route(&format!("{data}/{{sobject}}/{{external}}"), patch(upsert))
        .fallback(unknown)
        .with_state(place)
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json;charset=UTF-8")], body).into_response()
}

fn refused(status: StatusCode, code: &str, message: &str) -> Response {
    json(
        status,
        serde_json::json!([{"message": message, "errorCode": code}]).to_string(),
    )
}

async fn token(State(place): State<Place>, body: String) -> Response {
    let value = |name: &str| {
        let mut pairs = body.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    };
    let tenant = ids::tenant_of_client(value("client_id")).filter(|tenant| *tenant < place.orgs.ledger.tenants());
    let known = value("grant_type") == "client_credentials" && value("client_secret") == SECRET;
    let Some(tenant) = tenant.filter(|_| known) else {
        let refusal = r#"{"error":"invalid_client","error_description":"invalid client credentials"}"#;
        return json(StatusCode::BAD_REQUEST, refusal.to_owned());
    };
    let url = &place.url;
    let body = serde_json::json!({
        "access_token": ids::token(tenant), "instance_url": url, "token_type": "Bearer", "scope": "api",
        "id": format!("{url}/id/{}/{}", ids::org(tenant), ids::user()), "issued_at": "1764000000000",
        "signature": "c3R1Yg==",
    });
    json(StatusCode::OK, body.to_string())
}

/// A poller looks for what changed: nothing ever does.
async fn look(State(place): State<Place>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let orgs = &place.orgs;
    orgs.ledger.called();
    let Some(looks) = tenant_of(orgs, &headers).and_then(|tenant| orgs.looks.get(tenant)) else {
        return session_refused();
    };
    if !query.is_some_and(|query| query.contains("SystemModstamp") && query.contains(crate::sample::SOBJECT)) {
        return unknown(State(place)).await;
    }
    looks.fetch_add(1, Ordering::Relaxed);
    json(StatusCode::OK, r#"{"totalSize":0,"done":true,"records":[]}"#.to_owned())
}

async fn unknown(State(place): State<Place>) -> Response {
    place.orgs.ledger.strange();
    refused(
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
        "The requested resource does not exist",
    )
}

fn tenant_of(orgs: &Orgs, headers: &HeaderMap) -> Option<usize> {
    let bearer = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let tenant = ids::tenant_of_token(bearer.strip_prefix("Bearer ")?)?;
    (tenant < orgs.ledger.tenants()).then_some(tenant)
}

async fn update(State(place): State<Place>, request: Request) -> Response {
    write(&place.orgs, request, false).await
}

async fn upsert(
    State(place): State<Place>,
    Path((_, sobject, external)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    if sobject != crate::sample::SOBJECT || external != "Tandem_Key__c" {
        return unknown(State(place)).await;
    }
    write(&place.orgs, request, true).await
}

async fn write(orgs: &Orgs, request: Request<Body>, creates: bool) -> Response {
    let at = Instant::now();
    orgs.ledger.called();
    let (head, body) = request.into_parts();
    let Some(tenant) = tenant_of(orgs, &head.headers) else {
        return session_refused();
    };
    let parsed = match to_bytes(body, BODY_BYTES_MAX).await {
        Ok(body) => rows::parse(tenant, creates, &body),
        Err(_) => None,
    };
    let Some(parsed) = parsed else {
        orgs.ledger.strange();
        return refused(
            StatusCode::BAD_REQUEST,
            "JSON_PARSER_ERROR",
            "not a collection of the stub's contacts",
        );
    };
    for row in parsed.rows.iter().flatten() {
        if let Some(arrivals) = &orgs.arrivals {
            let Row { number, round, .. } = *row;
            // Nobody listens any more: the run is at its end.
            arrivals
                .send(Arrival {
                    tenant,
                    number,
                    round,
                    at,
                })
                .unwrap_or_default();
        }
    }
    let made = orgs.ledger.write(tenant, &parsed.rows, creates);
    if let Some(told) = orgs.told.get(tenant).filter(|_| orgs.echoes.load(Ordering::Relaxed)) {
        told.push(parsed.rows.iter().flatten().map(|row| Change {
            number: row.number,
            round: row.round,
            kind: if creates {
                Kind::Create(row.seq)
            } else {
                Kind::Update(row.seq)
            },
        }));
    }
    let right = |at: usize| parsed.rows.get(at).is_some_and(Option::is_some);
    let body = rows::answer(&parsed.ids, right, creates.then_some(&made));
    answered(orgs, at, body).await
}

async fn delete(State(place): State<Place>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let at = Instant::now();
    let orgs = &place.orgs;
    orgs.ledger.called();
    let Some(tenant) = tenant_of(orgs, &headers) else {
        return session_refused();
    };
    let Some(Deleted { numbers, ids }) = rows::deleted(tenant, query.as_deref().unwrap_or_default()) else {
        orgs.ledger.strange();
        return refused(StatusCode::BAD_REQUEST, "MALFORMED_ID", "ids are missing or too many");
    };
    let gone = orgs.ledger.delete(tenant, &numbers);
    let body = rows::answer(&ids, |at| gone.get(at).is_some_and(|gone| *gone), None);
    answered(orgs, at, body).await
}

fn session_refused() -> Response {
    refused(
        StatusCode::UNAUTHORIZED,
        "INVALID_SESSION_ID",
        "Session expired or invalid",
    )
}

/// The answer, so long after the request's head came.
async fn answered(orgs: &Orgs, at: Instant, body: String) -> Response {
    let latency = orgs.latency_ms.load(Ordering::Relaxed);
    if latency > 0 {
        tokio::time::sleep_until((at + Duration::from_millis(latency)).into()).await;
    }
    let mut response = json(StatusCode::OK, body);
    let used = format!("api-usage={}/100000000", orgs.ledger.counts().calls);
    if let Ok(used) = used.parse() {
        response.headers_mut().insert("sforce-limit-info", used);
    }
    response
}

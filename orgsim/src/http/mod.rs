//! The HTTP port: OAuth, the SOAP login and the REST data API of all orgs.

mod bulk;
mod bulk_ingest;
mod bulk_query;
mod bulk_run;
mod collections;
mod cometd;
mod composite;
mod condition;
mod connection;
mod data;
#[cfg(test)]
mod fuzz_test;
mod meta;
mod multipart;
mod oauth;
mod query;
mod reply;
mod request;
mod rows;
mod soap;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use futures::StreamExt;
use http::HeaderMap;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::faults::Cut;
use crate::world::World;
use connection::{CuttableListener, Cutter};
use reply::Reply;
use request::Call;

/// How long half an answer lies on the wire before the connection closes.
const HALF_ANSWER: Duration = Duration::from_millis(20);

#[derive(Clone)]
struct Shared {
    world: Arc<World>,
    request_limit: Duration,
}

/// Serves the HTTP port until `stopped` becomes true.
pub(crate) async fn serve(
    world: Arc<World>,
    listener: TcpListener,
    request_limit: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    let app = Router::new()
        .fallback(entry)
        .with_state(Shared { world, request_limit });
    let service = app.into_make_service_with_connect_info::<Cutter>();
    let served = axum::serve(CuttableListener::new(listener), service)
        .with_graceful_shutdown(async move {
            stopped.wait_for(|s| *s).await.ok();
        })
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the HTTP port stopped");
    }
}

/// Reads a request and works on it in a task of its own: it goes on when its client leaves.
async fn entry(
    State(shared): State<Shared>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    request: axum::extract::Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let gzip = reply::accepts_gzip(&parts.headers);
    let call = match request::read(parts, body).await {
        Ok(call) => call,
        Err(refusal) => return finish(refusal, Cut::Whole, gzip, &cutter),
    };
    let limit = shared.request_limit;
    let work = tokio::spawn(async move {
        match tokio::time::timeout(limit, work(&shared.world, call)).await {
            Ok(done) => done,
            Err(_) => (
                reply::error(
                    503,
                    "REQUEST_RUNNING_TOO_LONG",
                    "Your request was running for too long, and has been stopped.",
                ),
                Cut::Whole,
            ),
        }
    });
    let (reply, cut) = match work.await {
        Ok(done) => done,
        Err(error) => {
            tracing::error!(%error, "a request failed inside the simulator");
            (
                reply::error(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred."),
                Cut::Whole,
            )
        }
    };
    finish(reply, cut, gzip, &cutter)
}

async fn work(world: &Arc<World>, call: Call) -> (Reply, Cut) {
    let segments: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["services", "oauth2", ..] | ["id", ..] | [".well-known", ..] => {
            (oauth::handle(world, &call, &segments), Cut::Whole)
        }
        ["services", "Soap", rest @ ..] => (soap::handle(world, &call, rest), Cut::Whole),
        ["cometd", _] => (cometd::handle(world, &call).await, Cut::Whole),
        ["services", "data", rest @ ..] => data::handle(world, &call, rest).await,
        _ => (reply::html(404, "URL No Longer Exists"), Cut::Whole),
    }
}

fn finish(reply: Reply, cut: Cut, gzip: bool, cutter: &Cutter) -> Response {
    let Reply { status, headers, body } = reply;
    let mut map = HeaderMap::with_capacity(headers.len() + 2);
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, http::HeaderValue::from_str(&value)) {
            map.insert(name, value);
        }
    }
    let mut body = Bytes::from(body);
    if gzip && let Some(packed) = reply::gzip(&body) {
        body = packed.into();
        map.insert("content-encoding", http::HeaderValue::from_static("gzip"));
    }
    let body = match cut {
        Cut::Whole => Body::from(body),
        Cut::Nothing => {
            cutter.cut();
            Body::empty()
        }
        Cut::Half => {
            map.insert("content-length", body.len().into());
            let half = body.slice(..body.len() / 2);
            let broken = || std::io::Error::other("the answer is cut on purpose");
            let first = futures::stream::iter([Ok(half)]);
            let then = futures::stream::once(async move {
                tokio::time::sleep(HALF_ANSWER).await;
                Err(broken())
            });
            Body::from_stream(first.chain(then))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = map;
    response
}

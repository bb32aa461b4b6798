//! An org as a file, and an org out of one.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use serde_json::json;

use super::{Answer, Refusal, bad, find};
use crate::org::Restored;
use crate::world::World;

/// Bytes of a packed snapshot that is sent.
pub(super) const BODY_MAX: usize = 1024 * 1024 * 1024;

/// The org's rows, recycle bin and running numbers as a packed file. Not in it: apps, logins, tokens, faults, counts, events,
/// histories.
#[utoipa::path(get, path = "/orgs/{org}/snapshot", responses((status = 200, description = "The file", content_type = "application/gzip", body = Vec<u8>)))]
pub(super) async fn take(State(world): State<Arc<World>>, Path(org): Path<String>) -> Result<Response, Refusal> {
    let handle = find(&world, &org)?;
    let snapshot = handle.org().snapshot();
    let name = format!("attachment; filename=\"{}.orgsim.gz\"", handle.identity.name);
    let packed = tokio::task::spawn_blocking(move || {
        let mut packed = Vec::new();
        snapshot.write(&mut packed).map(|()| packed)
    });
    match packed.await {
        Ok(Ok(packed)) => Ok((
            [
                (CONTENT_TYPE, "application/gzip".to_owned()),
                (CONTENT_DISPOSITION, name),
            ],
            packed,
        )
            .into_response()),
        _ => Err(Refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the snapshot could not be made".to_owned(),
        )),
    }
}

/// The org's rows are those of the file from now on, and no change event tells of it. Seed and name of the org must be those
/// that the file was made with.
#[utoipa::path(put, path = "/orgs/{org}/snapshot", request_body(content = Vec<u8>, content_type = "application/gzip", description = "The file"), responses((status = 200, description = "Done")))]
pub(super) async fn give(State(world): State<Arc<World>>, Path(org): Path<String>, body: Bytes) -> Answer {
    let handle = Arc::clone(find(&world, &org)?);
    let (schema, added) = {
        let org = handle.org();
        (Arc::clone(&org.schema), org.added.clone())
    };
    let restored = tokio::task::spawn_blocking(move || Restored::read(&*body, &schema, &added));
    let restored = restored.await.map_err(|_| bad("the snapshot could not be read"))?;
    let restored = restored.map_err(|problem| bad(problem.to_string()))?;
    let mut org = handle.org();
    org.restore(restored).map_err(|problem| bad(problem.to_string()))?;
    handle.views.replace(Arc::clone(&org.schema));
    Ok(Json(json!({"restored": true})))
}

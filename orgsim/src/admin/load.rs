//! Rows that were there before anybody listened: many at once, all or none, and no change event tells of them.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::edit::refused;
use super::{Refusal, bad, find};
use crate::org::{Json, RowError, Transaction};
use crate::world::World;

/// Rows of one load.
const ROWS_MAX: usize = 20_000;
/// Bytes of a load's body.
pub(super) const BODY_MAX: usize = 50 * 1024 * 1024;

/// Up to 20,000 new rows in one transaction of a person's, all or none, that no change event tells of: what the org held
/// before anybody listened.
#[utoipa::path(post, path = "/orgs/{org}/load", request_body(content = Object, example = json!({"entity": "Account", "rows": [{"Name": "Acme"}]})), responses((status = 200, description = "The ids, in the order of the rows"), (status = 400, description = "A row was refused: the error array of the REST API")))]
pub(super) async fn load(
    State(world): State<Arc<World>>,
    Path(org): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let handle = find(&world, &org)?;
    let body: Json<'_> = serde_json::from_slice(&body).map_err(|e| bad(format!("the body is no JSON: {e}")))?;
    let Some(Json::Array(rows)) = body.get("rows") else {
        return Err(bad("rows must be a list of objects, each with a record's fields"));
    };
    if rows.len() > ROWS_MAX {
        return Err(bad(format!("at most {ROWS_MAX} rows a load; there are {}", rows.len())));
    }
    let caller = handle.person(&handle.identity.human);
    let mut org = handle.org();
    let entity = body.get("entity").and_then(Json::as_text).unwrap_or_default();
    let place = org
        .schema
        .place(entity)
        .ok_or_else(|| bad(format!("there is no object {entity}")))?;
    let mut tx = Transaction::begin(&mut org, &caller, world.clock.now());
    let made: Result<Vec<_>, RowError> = rows.iter().map(|row| tx.create(place, row.members())).collect();
    match made {
        Ok(records) => {
            tx.commit_untold();
            let ids: Vec<&str> = records
                .iter()
                .filter_map(|record| org.row(*record).map(|row| row.id()))
                .collect();
            Ok(axum::Json(json!({ "ids": ids })).into_response())
        }
        Err(error) => Ok(refused(&error)),
    }
}

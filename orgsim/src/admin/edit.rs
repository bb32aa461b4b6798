//! Edits as a person makes them in the UI: one transaction, no origin, no API call counted.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{Refusal, bad, find};
use crate::org::{Conversion, Json, Org, RecordRef, RowError, Transaction, code};
use crate::world::{OrgHandle, World};

/// One transaction as a person makes it: empty origin, no call counted. `op` is `create`, `update`, `delete`, `undelete`,
/// `purge` (out of the recycle bin for good), `merge` (with `losers`, one or two ids) or `convert` (of a lead; with `account`
/// and `contact` ids, the name of an `opportunity` and a `status`, where they are wanted; the answer's id is the contact's). With
/// `visible_after_ms` it takes its stamps now and commits so much later.
#[utoipa::path(post, path = "/orgs/{org}/edit", request_body(content = Object, example = json!({"entity": "Account", "op": "create", "fields": {"Name": "Acme"}, "as": "human"})), responses((status = 200, description = "Id and success"), (status = 400, description = "The row was refused: the error array of the REST API")))]
pub(super) async fn edit(
    State(world): State<Arc<World>>,
    Path(org): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let handle = find(&world, &org)?;
    let body: Json<'_> = serde_json::from_slice(&body).map_err(|e| bad(format!("the body is no JSON: {e}")))?;
    let text = |name: &str| body.get(name).and_then(Json::as_text);
    let user = match text("as").unwrap_or("human") {
        "human" => &handle.identity.human,
        "integration" => &handle.identity.integration,
        other => return Err(bad(format!("as must be human or integration, not {other}"))),
    };
    let fields = body.get("fields").map(Json::members).unwrap_or_default();
    let caller = handle.person(user);
    let mut org = handle.org_as(&user.id, world.clock.now());
    let entity = text("entity").unwrap_or_default();
    let place = org
        .schema
        .place(entity)
        .ok_or_else(|| bad(format!("there is no object {entity}")))?;
    let op = text("op").unwrap_or_default();
    let target = if op == "create" {
        None
    } else {
        Some(target(
            &org,
            place,
            text("id"),
            text("key"),
            matches!(op, "undelete" | "purge"),
        ))
    };
    let now = world.clock.now();
    if op == "purge" {
        let purged = target
            .unwrap_or_else(|| Err(RowError::not_found()))
            .and_then(|r| org.empty_bin(r, now));
        let done = || axum::Json(json!({"success": true, "errors": []})).into_response();
        return Ok(purged.map_or_else(|error| refused(&error), |()| done()));
    }
    let others = Others::read(&org, &body)?;
    let mut tx = Transaction::begin(&mut org, &caller, now);
    let done = match (op, target) {
        ("create", _) => tx.create(place, fields),
        ("update", Some(target)) => target.and_then(|r| tx.update(r, fields).map(|()| r)),
        ("delete", Some(target)) => target.and_then(|r| tx.delete(r).map(|()| r)),
        ("undelete", Some(target)) => target.and_then(|r| tx.undelete(r).map(|()| r)),
        ("merge", Some(target)) => target.and_then(|r| tx.merge(r, &others.losers, fields).map(|()| r)),
        ("convert", Some(target)) => target.and_then(|r| tx.convert(r, others.conversion).map(|done| done.contact)),
        _ => {
            return Err(bad(
                "op must be create, update, delete, undelete, merge, convert or purge",
            ));
        }
    };
    let late_ms = match body.get("visible_after_ms") {
        Some(Json::Number(ms)) => late(*ms)?,
        _ => 0,
    };
    match done {
        Ok(record) if late_ms > 0 => {
            let id = tx.row(record).map(|r| r.id().to_owned());
            if let Err(error) = tx.commit_late(world.clock.now_ms().saturating_add(late_ms)) {
                return Ok(refused(&error));
            }
            drop(org);
            commit_later(&world, handle, late_ms);
            Ok(axum::Json(json!({"id": id, "success": true, "errors": []})).into_response())
        }
        Ok(record) => {
            tx.commit();
            let id = org.row(record).map(|r| r.id().to_owned());
            Ok(axum::Json(json!({"id": id, "success": true, "errors": []})).into_response())
        }
        Err(error) => Ok(refused(&error)),
    }
}

/// Longest time that a transaction stays open, milliseconds: an hour.
const MAX_LATE_MS: f64 = 3_600_000.0;

fn late(ms: f64) -> Result<i64, Refusal> {
    #[expect(clippy::cast_possible_truncation, reason = "small, as checked")]
    let whole = ms as i64;
    let fits = (0.0..=MAX_LATE_MS).contains(&ms);
    fits.then_some(whole)
        .ok_or_else(|| bad(format!("visible_after_ms must be from 0 to {MAX_LATE_MS}")))
}

/// Commits what is due when the time has come, though nobody looks at the rows.
fn commit_later(world: &Arc<World>, handle: &Arc<OrgHandle>, ms: i64) {
    let (world, handle) = (Arc::downgrade(world), Arc::downgrade(handle));
    let wait = std::time::Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        if let (Some(world), Some(handle)) = (world.upgrade(), handle.upgrade()) {
            handle.org().commit_due(world.clock.now_ms());
        }
    });
}

/// The other rows that an edit names.
struct Others<'b> {
    losers: Vec<RecordRef>,
    conversion: Conversion<'b>,
}

impl<'b> Others<'b> {
    fn read(org: &Org, body: &'b Json<'b>) -> Result<Self, Refusal> {
        let located = |id: &str| org.locate(id).ok_or_else(|| bad(format!("there is no row {id}")));
        let row = |name: &str| body.get(name).and_then(Json::as_text).map(located).transpose();
        let losers = match body.get("losers") {
            None => Vec::new(),
            Some(Json::Array(ids)) => {
                let ids = ids
                    .iter()
                    .map(|id| id.as_text().ok_or_else(|| bad("losers must be a list of ids")));
                ids.map(|id| id.and_then(located)).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(bad("losers must be a list of ids")),
        };
        Ok(Self {
            losers,
            conversion: Conversion {
                account: row("account")?,
                contact: row("contact")?,
                opportunity: body.get("opportunity").and_then(Json::as_text),
                status: body.get("status").and_then(Json::as_text),
            },
        })
    }
}

/// The error array, with the status of its code.
pub(super) fn refused(error: &RowError) -> Response {
    let status = match error.code {
        code::NOT_FOUND | code::DELETED | code::CROSS_REFERENCE => StatusCode::NOT_FOUND,
        _ => StatusCode::BAD_REQUEST,
    };
    let told = |error: &RowError| {
        let fields: Vec<&str> = error.fields.iter().map(AsRef::as_ref).collect();
        json!({"message": error.message, "errorCode": error.code, "fields": fields})
    };
    let all: Vec<_> = std::iter::once(error).chain(&error.also).map(told).collect();
    let body = json!(all).to_string();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// The row that an id or a key names; a key names a live row, for undelete the last deleted one.
fn target(org: &Org, place: usize, id: Option<&str>, key: Option<&str>, deleted: bool) -> Result<RecordRef, RowError> {
    if let Some(id) = id {
        return org.record(place, id);
    }
    let field = org.schema.sobjects[place].fence.map(|(key, _)| key);
    let (Some(key), Some(field)) = (key, field) else {
        return Err(RowError::new(code::MISSING_ARGUMENT, "id or key is needed"));
    };
    let found = if deleted {
        let rows = org
            .table(place)
            .rows()
            .filter(|r| r.is_deleted() && r.cells[field].as_text() == Some(key));
        rows.last().and_then(|r| org.locate(r.id()))
    } else {
        org.find(place, field, key).first().copied()
    };
    found.ok_or_else(RowError::not_found)
}

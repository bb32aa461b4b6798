//! Rows and their history, for oracles.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Map, Value, json};

use super::{Answer, Refusal, bad, find};
use crate::commit::ChangeKind;
use crate::org::{Row, value_of, write_stored};
use crate::schema::Schema;
use crate::world::World;

/// Rows written into one piece of the answer.
const ROWS_A_PIECE: usize = 500;

fn place(schema: &Schema, entity: &str) -> Result<usize, Refusal> {
    schema
        .place(entity)
        .ok_or_else(|| bad(format!("there is no object {entity}")))
}

/// Rows as one moment had them, streamed; all live ones without a parameter.
#[utoipa::path(get, path = "/orgs/{org}/records/{entity}", params(("org" = String, Path), ("entity" = String, Path, description = "API name of the object"), ("key" = Option<String>, Query, description = "The live row with this key"), ("id" = Option<String>, Query, description = "The row with this id, deleted or not"), ("deleted" = Option<bool>, Query, description = "The recycle bin"), ("fields" = Option<String>, Query, description = "API names with commas between; all when missing")), responses((status = 200, description = "An array of records")))]
pub(super) async fn records(
    State(world): State<Arc<World>>,
    Path((org, entity)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Refusal> {
    let org = find(&world, &org)?;
    let (schema, columns, rows) = {
        let org = org.org();
        let place = place(&org.schema, &entity)?;
        let key_field = org.schema.sobjects[place].fence.map(|(key, _)| key);
        let key = query.get("key");
        if key.is_some() && key_field.is_none() {
            return Err(bad(format!("{entity} has no key field")));
        }
        let id = query.get("id").map(|id| org.record(place, id).ok());
        let deleted = query.get("deleted").is_some_and(|v| v == "true");
        let wanted = |row: &Arc<Row>| match (key, &id) {
            (Some(key), _) => !row.is_deleted() && key_field.is_some_and(|f| row.cells[f].as_text() == Some(key)),
            (None, Some(record)) => record.and_then(|r| org.row(r)).is_some_and(|r| Arc::ptr_eq(r, row)),
            (None, None) => row.is_deleted() == deleted,
        };
        // A key finds its row by index; everything else looks at all rows.
        let rows: Vec<Arc<Row>> = match (key, key_field) {
            (Some(key), Some(field)) => org
                .find(place, field, key)
                .into_iter()
                .filter_map(|r| org.row(r).cloned())
                .collect(),
            _ => org.table(place).rows().filter(|r| wanted(r)).cloned().collect(),
        };
        let sobject = &org.schema.sobjects[place];
        let column = |name: &str| {
            let field = sobject.field(name);
            field.ok_or_else(|| bad(format!("{entity} has no field {name}")))
        };
        let columns = match query.get("fields") {
            Some(names) => names.split(',').map(column).collect::<Result<Vec<_>, _>>()?,
            None => sobject.kept().collect(),
        };
        ((Arc::clone(&org.schema), place), columns, rows)
    };
    let base = format!("/services/data/v{}.0", world.newest_version);
    let (schema, place) = schema;
    let pieces = rows.len().div_ceil(ROWS_A_PIECE).max(1);
    let body = stream::iter((0..pieces).map(move |piece| {
        let sobject = &schema.sobjects[place];
        let mut out = String::from(if piece == 0 { "[" } else { "" });
        for (i, row) in rows.iter().enumerate().skip(piece * ROWS_A_PIECE).take(ROWS_A_PIECE) {
            out.push_str(if i > 0 { ",\n" } else { "\n" });
            write_stored(&mut out, sobject, row, &base, &columns);
        }
        if piece + 1 == pieces {
            out.push_str("\n]");
        }
        Ok::<_, std::convert::Infallible>(Bytes::from(out))
    }));
    Ok(([(CONTENT_TYPE, "application/json")], Body::from_stream(body)).into_response())
}

/// Committed changes of the rows that ever had the key, and of the rows named, in commit order; the newest 1,000 a row.
#[utoipa::path(get, path = "/orgs/{org}/history/{entity}", params(("org" = String, Path), ("entity" = String, Path, description = "API name of the object"), ("key" = String, Query, description = "Value of the key field"), ("ids" = Option<String>, Query, description = "Ids with commas between, of rows that the key was never written to")), responses((status = 200, description = "An array of changes")))]
pub(super) async fn history(
    State(world): State<Arc<World>>,
    Path((org, entity)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let org = find(&world, &org)?.org();
    let place = place(&org.schema, &entity)?;
    let key = query.get("key").ok_or_else(|| bad("the parameter key is needed"))?;
    let ids = query
        .get("ids")
        .map_or("", String::as_str)
        .split(',')
        .filter(|id| !id.is_empty());
    let also: Vec<_> = ids.filter_map(|id| org.locate(id)).collect();
    let fields = &org.schema.sobjects[place].fields;
    let entries: Vec<Value> = org
        .history(place, key, &also)
        .into_iter()
        .map(|entry| {
            let changed: Map<String, Value> = entry
                .changed()
                .map(|(field, cell)| (fields[field].name.to_string(), value_of(cell)))
                .collect();
            let kind = match entry.kind {
                ChangeKind::Create => "create",
                ChangeKind::Update => "update",
                ChangeKind::Delete => "delete",
                ChangeKind::Undelete => "undelete",
            };
            json!({"commit_ms": entry.stamp.commit_ms, "commit_number": entry.stamp.commit_number,
                "user": *entry.stamp.user, "origin": *entry.stamp.origin, "kind": kind, "changed": changed})
        })
        .collect();
    Ok(Json(Value::Array(entries)))
}

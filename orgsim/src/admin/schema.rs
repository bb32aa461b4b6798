//! What an admin adds to an org while it lives, and what its users may do.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Answer, bad, find};
use crate::schema::{Access, SchemaFile};
use crate::world::World;

/// Most schema files that are added to one org.
const MAX_ADDED: usize = 1_000;

/// What was added to the org's schema while it lived: schema files as JSON.
#[utoipa::path(get, path = "/orgs/{org}/schema", responses((status = 200, description = "An array")))]
pub(super) async fn added(State(world): State<Arc<World>>, Path(org): Path<String>) -> Answer {
    Ok(Json(Value::Array(find(&world, &org)?.org().added.clone())))
}

/// Adds objects, fields, record types, validation rules and automations, as a schema file does. Rows and ids stay.
#[utoipa::path(post, path = "/orgs/{org}/schema",
    request_body(content = Object, description = "A schema file, as JSON, or as TOML with the type application/toml",
        example = json!({"field": [{"object": "Account", "name": "Ext_Id__c", "type": "string", "length": 80, "external_id": true, "unique": true}]})),
    responses((status = 200, description = "How often the schema was changed")))]
pub(super) async fn extend(
    State(world): State<Arc<World>>,
    Path(org): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let handle = find(&world, &org)?;
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let source: Value = if kind.contains("toml") {
        let text = std::str::from_utf8(&body).map_err(|e| bad(format!("the body is no text: {e}")))?;
        toml::from_str(text).map_err(|e| bad(format!("the body is no TOML: {e}")))?
    } else {
        serde_json::from_slice(&body).map_err(|e| bad(format!("the body is no JSON: {e}")))?
    };
    let file = SchemaFile::deserialize(&source).map_err(|e| bad(format!("no schema file: {e}")))?;
    let mut org = handle.org();
    if org.added.len() >= MAX_ADDED {
        return Err(bad(format!("at most {MAX_ADDED} schema files are added to an org")));
    }
    org.extend(&file, source, world.clock.now())
        .map_err(|problem| bad(problem.to_string()))?;
    handle.views.replace(Arc::clone(&org.schema));
    Ok(Json(json!({"changes": org.schema_version})))
}

/// What a user may do with an object from now on. What is left out is allowed; nothing but the names takes all restrictions
/// of the object away.
#[derive(Deserialize, ToSchema)]
pub(super) struct Permit {
    /// Login name.
    username: String,
    /// API name of the object.
    object: String,
    #[serde(flatten)]
    access: Access,
}

/// Restricts what a user may do with an object and its fields.
#[utoipa::path(post, path = "/orgs/{org}/permissions",
    request_body(content = Permit, example = json!({"username": "human@acme.example", "object": "Contact", "delete": false, "hidden": ["Birthdate"], "read_only": ["Email"]})),
    responses((status = 200, description = "The user's restrictions, by object")))]
pub(super) async fn permit(
    State(world): State<Arc<World>>,
    Path(org): Path<String>,
    Json(body): Json<Permit>,
) -> Answer {
    let org = find(&world, &org)?;
    let user = user(org, &body.username)?;
    let schema = org.views.full();
    let place = schema
        .place(&body.object)
        .ok_or_else(|| bad(format!("there is no object {}", body.object)))?;
    let object = &schema.sobjects[place];
    let named = body.access.hidden.iter().chain(&body.access.read_only);
    if let Some(unknown) = named.clone().find(|name| object.field(name).is_none()) {
        return Err(bad(format!("{} has no field {unknown}", object.name)));
    }
    org.views.permit(&user, &object.name, body.access);
    Ok(Json(json!(org.views.permissions(&user))))
}

/// Whose restrictions.
#[derive(Deserialize)]
pub(super) struct Of {
    username: String,
}

/// What a user may not do, by object.
#[utoipa::path(get, path = "/orgs/{org}/permissions", params(("org" = String, Path), ("username" = String, Query, description = "Login name")), responses((status = 200, description = "The restrictions")))]
pub(super) async fn permissions(
    State(world): State<Arc<World>>,
    Path(org): Path<String>,
    Query(of): Query<Of>,
) -> Answer {
    let org = find(&world, &org)?;
    let user = user(org, &of.username)?;
    Ok(Json(json!(org.views.permissions(&user))))
}

fn user(org: &crate::world::OrgHandle, username: &str) -> Result<Arc<str>, super::Refusal> {
    let access = org.access();
    let account = access
        .account(username)
        .ok_or_else(|| bad(format!("there is no user {username}")))?;
    Ok(Arc::clone(&account.identity.id))
}

//! Change events: which are told, on which channels, and how their delivery is disturbed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Answer, bad, find, given};
use crate::bus::{Channel, Filter, is_stream_error};
use crate::commit::Disturbance;
use crate::schema::Schema;
use crate::world::World;

/// Most custom channels of an org [V: Platform Events guide].
const MAX_CHANNELS: usize = 100;

/// How events are delivered from now on; what is left out is as live orgs have it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(super) struct Events {
    /// Chance of an event not to be persisted.
    drop_percent: f64,
    /// Chance of an event to be delivered twice, with another replay id.
    duplicate_percent: f64,
    /// Chance of an event to overtake the one before it in its transaction.
    swap_percent: f64,
    /// Milliseconds from commit to delivery.
    delay_ms: u64,
    /// The next change is told as a gap (once).
    gap: bool,
    /// Streams stay open, and neither an event nor a sign of life comes.
    silent: bool,
    /// Streams that may be open at once.
    max_clients: Option<usize>,
    /// Events that may still be delivered to all subscribers together; null is no limit. Stays as it is when left out.
    #[serde(deserialize_with = "given")]
    delivery_limit: Option<Option<u64>>,
    /// Ends all open streams with this error code, e.g. `service.unavailable`, or `reset`.
    end_streams: Option<String>,
    /// A replay id in hex: it and all before it are gone.
    expire_replay_before: Option<String>,
    /// API names of the objects whose changes are told. Stays as it is when left out.
    captured: Option<Vec<String>>,
}

/// Disturbs the delivery of change events, and says which are told.
#[utoipa::path(post, path = "/orgs/{org}/events", request_body(content = Events, example = json!({"delay_ms": 0, "captured": ["Account", "Contact", "Opportunity"]})), responses((status = 200, description = "Done")))]
pub(super) async fn events(
    State(world): State<Arc<World>>,
    Path(org): Path<String>,
    Json(body): Json<Events>,
) -> Answer {
    let org = find(&world, &org)?;
    let chances = [body.drop_percent, body.duplicate_percent, body.swap_percent];
    if chances.iter().any(|percent| !(0.0..=100.0).contains(percent)) {
        return Err(bad("a chance must be from 0 to 100"));
    }
    if let Some(code) = body.end_streams.as_deref().filter(|code| !is_stream_error(code)) {
        return Err(bad(format!("no stream ends with the error code {code}")));
    }
    let expire = body
        .expire_replay_before
        .map(|hex| from_hex(&hex).ok_or_else(|| bad("expire_replay_before must be hex")))
        .transpose()?;
    if let Some(captured) = &body.captured {
        let mut rows = org.org();
        let mut schema = Schema::clone(&rows.schema);
        if let Some(unknown) = captured.iter().find(|name| schema.place(name).is_none()) {
            return Err(bad(format!("there is no object {unknown}")));
        }
        for sobject in &mut schema.sobjects {
            sobject.captured = captured.iter().any(|name| name.eq_ignore_ascii_case(&sobject.name));
        }
        rows.set_schema(schema, world.clock.now());
        org.views.replace(Arc::clone(&rows.schema));
    }
    let disturbance = Disturbance {
        drop_percent: body.drop_percent,
        duplicate_percent: body.duplicate_percent,
        swap_percent: body.swap_percent,
        delay_ms: body.delay_ms,
        gap: body.gap,
        silent: body.silent,
        max_clients: body.max_clients,
        allowance: body.delivery_limit,
        end_streams: body.end_streams,
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

/// A custom channel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewChannel {
    /// Ends in `__chn`.
    name: String,
    /// API names of its objects; all captured ones when empty.
    #[serde(default)]
    entities: Vec<String>,
    /// Whether updates and deletes carry the key, and merged events come apart.
    #[serde(default)]
    enriched: bool,
    /// Over `ChangeEventHeader.entityName`, `.changeType`, `.changeOrigin`, `.commitUser` and fields of the record, with `=`, `!=`, AND, OR,
    /// NOT.
    filter: Option<String>,
}

/// The custom channels that were made; `Tandem__chn` is always there.
#[utoipa::path(get, path = "/orgs/{org}/channels", responses((status = 200, description = "An array")))]
pub(super) async fn channels(State(world): State<Arc<World>>, Path(org): Path<String>) -> Answer {
    let org = find(&world, &org)?;
    let channels: Vec<Value> = org.channels().values().map(|channel| channel.to_json()).collect();
    Ok(Json(Value::Array(channels)))
}

/// Makes a custom channel, or another one of its name. Streams that are open keep the one that they began with.
#[utoipa::path(post, path = "/orgs/{org}/channels", request_body(content = NewChannel, example = json!({"name": "Orders__chn", "entities": ["Account"], "filter": "ChangeEventHeader.changeType != 'DELETE'"})), responses((status = 200, description = "The channel")))]
pub(super) async fn set_channel(
    State(world): State<Arc<World>>,
    Path(org): Path<String>,
    Json(body): Json<NewChannel>,
) -> Answer {
    let org = find(&world, &org)?;
    let letters = body.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !body.name.ends_with("__chn") || !letters || body.name.len() > 80 {
        return Err(bad("name must end in __chn, and have letters, digits and _ only"));
    }
    let schema = org.views.full();
    if let Some(unknown) = body.entities.iter().find(|name| schema.place(name).is_none()) {
        return Err(bad(format!("there is no object {unknown}")));
    }
    let filter = body.filter.as_deref().map(Filter::parse).transpose();
    let channel = Arc::new(Channel {
        name: body.name.clone(),
        entities: body.entities,
        enriched: body.enriched,
        filter: filter.map_err(|problem| bad(format!("filter: {problem}")))?,
    });
    let mut channels = org.channels();
    if channels.len() >= MAX_CHANNELS && !channels.contains_key(&body.name) {
        return Err(bad(format!("an org has at most {MAX_CHANNELS} custom channels")));
    }
    let told = channel.to_json();
    channels.insert(body.name, channel);
    Ok(Json(told))
}

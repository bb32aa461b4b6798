//! What the org can do: versions, resources, limits, describes, change lists.

use std::hash::BuildHasher;

use serde_json::{Value, json};

use super::condition::Version;
use super::data::Session;
use super::reply::{self, Reply};
use crate::bus;
use crate::directory::Directory;
use crate::org::{RowError, format_instant, parse_instant};
use crate::schema::{self, Schema, column};
use crate::world::World;

/// Megabytes for rows that an org without a limit shows.
const STORAGE_MB: u64 = 10_240;
/// Delivered events of a day that an org without a limit shows [V:S19].
const DELIVERED_EVENTS: u64 = 10_000;
/// API versions began with a release each winter, spring and summer; v20.0 was Winter '11 [V:RF-FIX].
const WINTER_11: u32 = 20;
/// `start` must lie this many seconds before `end` [V:D-GETDEL-SOAP].
const SHORTEST_WINDOW: i64 = 60;
/// How far back getUpdated and getDeleted look, in seconds [V:D-GETUPD, D-GETDEL].
const UPDATED_HORIZON: i64 = 30 * 86_400;
const DELETED_HORIZON: i64 = 15 * 86_400;
/// When the standard schema was made: 2026-05-06, in seconds since 1970 (observed 2026).
const SCHEMA_MODIFIED: i64 = 1_778_025_600;

/// `GET /services/data`: no token, not counted.
pub(super) fn versions(world: &World) -> Reply {
    let versions: Vec<Value> = (WINTER_11..=world.newest_version)
        .map(|v| {
            let release = v - WINTER_11;
            let season = ["Winter", "Spring", "Summer"][usize::try_from(release % 3).unwrap_or(0)];
            let year = 11 + release / 3;
            json!({"label": format!("{season} '{year}"), "url": format!("/services/data/v{v}.0"), "version": format!("{v}.0")})
        })
        .collect();
    Reply::json(200, Value::Array(versions).to_string())
}

pub(super) fn resources(session: &Session<'_>) -> Reply {
    let base = &session.base;
    let identity = format!(
        "{}/id/{}/{}",
        session.world.base_url(),
        session.org.identity.org_id,
        session.user.id
    );
    let body = json!({
        "limits": format!("{base}/limits"), "sobjects": format!("{base}/sobjects"), "query": format!("{base}/query"),
        "queryAll": format!("{base}/queryAll"), "composite": format!("{base}/composite"), "jobs": format!("{base}/jobs"),
        "identity": identity,
    });
    Reply::json(200, body.to_string())
}

pub(super) fn limits(session: &Session<'_>) -> Reply {
    let (max, remaining) = session.org.usage().daily();
    let (storage, stored) = {
        let org = session.rows();
        (org.storage_mb.unwrap_or(STORAGE_MB), org.stored_mb())
    };
    // Without a limit of the admin's the number is a developer org's, and nothing is held back above it.
    let bus = session.world.bus();
    let (delivered, allowance) = bus.map_or((0, None), |bus| bus.allocation(&session.org.identity.org_id));
    let (events, left) = match allowance {
        Some(left) => (delivered + left, left),
        None => (DELIVERED_EVENTS, DELIVERED_EVENTS.saturating_sub(delivered)),
    };
    let fixed = |n: u64| json!({"Max": n, "Remaining": n});
    let mut body = json!({
        "DailyApiRequests": {"Max": max, "Remaining": remaining},
        "DataStorageMB": {"Max": storage, "Remaining": storage.saturating_sub(stored)}, "FileStorageMB": fixed(1_024),
        "DailyDeliveredPlatformEvents": {"Max": events, "Remaining": left}, "HourlyPublishedPlatformEvents": fixed(50_000),
    });
    for (name, max, remaining) in session.org.jobs().limits(session.world.clock.now_ms()) {
        body[name] = json!({"Max": max, "Remaining": remaining});
    }
    Reply::json(200, body.to_string())
}

/// Objects without rows are left out [V:CCI-CASS].
pub(super) fn record_count(session: &Session<'_>) -> Reply {
    let wanted: Option<Vec<&str>> = session
        .call
        .parameter("sObjects")
        .map(|t| t.split(',').map(str::trim).collect());
    let org = session.rows();
    let counts: Vec<Value> = org
        .schema
        .sobjects
        .iter()
        .enumerate()
        .filter(|(_, s)| {
            wanted
                .as_ref()
                .is_none_or(|w| w.iter().any(|n| n.eq_ignore_ascii_case(&s.name)))
        })
        .map(|(place, s)| (s, org.table(place).rows().filter(|r| !r.is_deleted()).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(s, count)| json!({"count": count, "name": *s.name}))
        .collect();
    Reply::json(200, json!({ "sObjects": counts }).to_string())
}

pub(super) fn describe_global(session: &Session<'_>) -> Result<Reply, Reply> {
    described(session, |schema| schema::describe_global(schema, &session.base))
}

pub(super) fn sobject(session: &Session<'_>, place: usize) -> Reply {
    let schema = std::sync::Arc::clone(&session.rows().schema);
    let summary = schema::sobject_summary(&schema.sobjects[place], &session.base);
    Reply::json(200, json!({"objectDescribe": summary, "recentItems": []}).to_string())
}

pub(super) fn describe(session: &Session<'_>, place: usize) -> Result<Reply, Reply> {
    described(session, |schema| {
        schema::describe(schema, &schema.sobjects[place], &session.base)
    })
}

/// A describe, unless the client has it already: each user has ETags of its own, as fields may be hidden.
fn described(session: &Session<'_>, describe: impl Fn(&Schema) -> Value) -> Result<Reply, Reply> {
    let (schema, changed) = {
        let org = session.rows();
        (std::sync::Arc::clone(&org.schema), org.schema_changed)
    };
    let body = describe(&schema).to_string();
    let version = Version {
        etag: Some(etag(&body)),
        modified: changed.max(SCHEMA_MODIFIED),
    };
    version.check(session.call)?;
    Ok(version.stamp(Reply::json(200, body)))
}

/// Eight hex digits, as recorded [R nango].
pub(super) fn etag(text: &str) -> String {
    let hash = foldhash::quality::FixedState::with_seed(0).hash_one(text);
    format!("\"{:08x}\"", hash & 0xFFFF_FFFF)
}

/// `…/event/eventSchema/{id}` and `…/sobjects/{event}/eventSchema` [V:S15]. Only the present schema of an object has an id.
pub(super) fn event_schema(session: &Session<'_>, wanted: EventSchema<'_>) -> Result<Reply, Reply> {
    let missing = || reply::row_error(&RowError::not_found());
    let world: &dyn Directory = &**session.world;
    let org_id = &session.org.identity.org_id;
    let of = |entity: &str| Some(bus::event_schema(org_id, &world.entity(org_id, entity)?));
    let captured = world.captured(org_id);
    let (id, text) = match wanted {
        EventSchema::Id(id) => captured
            .iter()
            .filter_map(|entity| of(entity))
            .find(|(known, _)| known == id),
        EventSchema::Event(event) => bus::entity_of_event(event)
            .filter(|e| captured.contains(e))
            .and_then(|e| of(&e)),
    }
    .ok_or_else(missing)?;
    let reply = Reply::json(200, text);
    Ok(reply.with("event-schema-id", id))
}

/// What names an event schema.
pub(super) enum EventSchema<'n> {
    Id(&'n str),
    Event(&'n str),
}

/// `…/updated` and `…/deleted`: seconds of `start` and `end` are ignored [V:D-GETDEL-SOAP].
pub(super) fn changed(session: &Session<'_>, place: usize, deleted: bool) -> Result<Reply, Reply> {
    let time = |name: &str| {
        let text = session.call.parameter(name).unwrap_or_default().replace(' ', "+");
        parse_instant(&text).map(|t| t - t.rem_euclid(60)).ok_or_else(|| {
            reply::error(
                400,
                "INVALID_REPLICATION_DATE",
                &format!("{name} is no date and time: {text}"),
            )
        })
    };
    let (start, end) = (time("start")?, time("end")?);
    let horizon = session.now() - if deleted { DELETED_HORIZON } else { UPDATED_HORIZON };
    if end - start < SHORTEST_WINDOW {
        return Err(reply::error(
            400,
            "INVALID_REPLICATION_DATE",
            "startDate must be before endDate by more than one minute",
        ));
    }
    if start < horizon {
        let text = "startDate before org replication enabled date";
        return Err(reply::error(400, "INVALID_REPLICATION_DATE", text));
    }
    let org = session.rows();
    let stamp = |row: &crate::org::Row| match row.cells[column::MODSTAMP] {
        crate::org::Cell::Instant(at) => at,
        _ => i64::MIN,
    };
    let rows: Vec<_> = org
        .table(place)
        .rows()
        .filter(|r| r.is_deleted() == deleted && (start..end).contains(&stamp(r)))
        .collect();
    // A transaction that is still open may bring rows with older stamps.
    let settled = org.oldest_open().unwrap_or(i64::MAX).min(session.now());
    let covered = format_instant(end.min(settled - settled.rem_euclid(60)));
    let body = if deleted {
        let purged = org.table(place).purged().filter(|(_, at)| (start..end).contains(at));
        let records: Vec<Value> = rows
            .iter()
            .map(|r| (r.id(), stamp(r)))
            .chain(purged)
            .map(|(id, at)| json!({"id": id, "deletedDate": format_instant(at)}))
            .collect();
        json!({"deletedRecords": records, "earliestDateAvailable": format_instant(horizon), "latestDateCovered": covered})
    } else {
        let ids: Vec<&str> = rows.iter().map(|r| r.id()).collect();
        json!({"ids": ids, "latestDateCovered": covered})
    };
    if rows.len() > 600_000 {
        return Err(reply::row_error(&RowError::new(
            "EXCEEDED_ID_LIMIT",
            "too many ids in the window",
        )));
    }
    Ok(Reply::json(200, body.to_string()))
}

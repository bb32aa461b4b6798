//! The limits of an org, and how much of them others use.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Answer, bad, find};
use crate::world::{OrgHandle, World};

/// What to set; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    /// API calls of 24 hours.
    daily_calls: Option<u64>,
    /// From when on a request is a long one, milliseconds (20,000).
    long_request_ms: Option<u64>,
    /// Long requests at the same time (25; a developer org has 5).
    concurrent_long_requests: Option<usize>,
    /// Milliseconds for which the rows of a write, their masters and accounts stay locked to other requests (0).
    write_ms: Option<u64>,
    /// Megabytes for rows, 2 kB each; null is no limit.
    #[serde(default, deserialize_with = "super::given")]
    storage_mb: Option<Option<u64>>,
    /// Calls that other apps make, all at once now.
    foreign_calls: Option<u64>,
    /// Calls that other apps make from now on, a minute of the org's clock.
    foreign_calls_per_minute: Option<u64>,
}

/// The limits, with what other apps use.
#[utoipa::path(get, path = "/orgs/{org}/limits", responses((status = 200, description = "The settings")))]
pub(super) async fn limits(State(world): State<Arc<World>>, Path(org): Path<String>) -> Answer {
    Ok(Json(report(find(&world, &org)?)))
}

fn report(org: &OrgHandle) -> Value {
    let (long, most) = org.running.settings();
    let (storage, write_ms) = {
        let org = org.org();
        (org.storage_mb, org.write_ms)
    };
    let usage = org.usage();
    json!({
        "daily_calls": usage.daily().0, "long_request_ms": u64::try_from(long.as_millis()).unwrap_or(u64::MAX),
        "concurrent_long_requests": most, "storage_mb": storage, "write_ms": write_ms, "foreign_calls_per_minute": usage.foreign_per_minute(),
    })
}

/// Changes limits, and lets other apps use the day's calls.
#[utoipa::path(post, path = "/orgs/{org}/limits", request_body(content = Limits, example = json!({"daily_calls": 15_000, "foreign_calls_per_minute": 5})), responses((status = 200, description = "The settings")))]
pub(super) async fn set(State(world): State<Arc<World>>, Path(org): Path<String>, Json(body): Json<Limits>) -> Answer {
    let org = find(&world, &org)?;
    if body.daily_calls == Some(0) {
        return Err(bad("daily_calls must be at least 1"));
    }
    let (long, most) = org.running.settings();
    org.running.set(
        body.long_request_ms.map_or(long, Duration::from_millis),
        body.concurrent_long_requests.unwrap_or(most),
    );
    if let Some(ms) = body.write_ms {
        org.org().write_ms = ms;
    }
    if let Some(storage) = body.storage_mb {
        org.org().storage_mb = storage;
    }
    let now_ms = world.clock.now_ms();
    {
        let mut usage = org.usage();
        if let Some(daily) = body.daily_calls {
            usage.set_daily(daily);
        }
        if let Some(calls) = body.foreign_calls {
            usage.add_foreign(calls, now_ms);
        }
        if let Some(rate) = body.foreign_calls_per_minute {
            usage.set_foreign_per_minute(rate, now_ms);
        }
    }
    Ok(Json(report(org)))
}

//! Puts the history of a run together from the product's own log, the streams and the orgs.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, FromRedisValue};

use super::drive::Struck;
use super::session::{Session, World};
use crate::error::LoadError;
use crate::history::{History, LogCounts, TenantHistory};
use crate::org::collect;
use crate::product::stream_id;
use crate::stack::connect;

/// Reads everything. The run must be at rest.
///
/// # Errors
/// When Redis or an org does not answer.
pub(super) async fn history(world: &World, session: &Session, struck: &Struck) -> Result<History, LoadError> {
    let mut connection = connect(&world.redis_url).await?;
    let mut tenants = Vec::new();
    for (at, (seat, org)) in session.seats.iter().zip(&world.orgs).enumerate() {
        let mut tenant = {
            let product = seat.tenant.lock();
            TenantHistory {
                name: org.name.clone(),
                records: product.records.clone(),
                acknowledged: product.acknowledged,
                last_acknowledged: product.last_acknowledged,
                named_ids: product.named_ids.clone(),
                unlinked: seat.unlinked.load(Ordering::Relaxed),
                retries_allowed: struck.retries(at),
                rested: true,
                ..TenantHistory::default()
            }
        };
        tenant.log = log(&mut connection, &org.name).await?;
        let counters: BTreeMap<String, String> =
            connection.hgetall(format!("tandem:{{{}}}:counters", org.name)).await?;
        tenant.counters = counters
            .into_iter()
            .filter_map(|(name, count)| Some((name, count.parse().ok()?)))
            .collect();
        collect(&world.admin, org, &world.shapes, &mut tenant).await?;
        tenants.push(tenant);
    }
    Ok(History {
        shapes: world.shapes.clone(),
        tenants,
    })
}

async fn log(connection: &mut MultiplexedConnection, tenant: &str) -> Result<LogCounts, LoadError> {
    let mut counts = LogCounts::default();
    for inbox in ["changes", "backfill"] {
        let key = format!("tandem:{{{tenant}}}:{inbox}");
        if !connection.exists::<_, bool>(&key).await? {
            continue;
        }
        let info: HashMap<String, redis::Value> = redis::cmd("XINFO")
            .arg("STREAM")
            .arg(&key)
            .query_async(connection)
            .await?;
        let number = |name: &str| {
            info.get(name)
                .and_then(|value| u64::from_redis_value_ref(value).ok())
                .unwrap_or(0)
        };
        counts.added += number("entries-added");
        counts.length += number("length");
        if inbox == "changes" {
            let last = info
                .get("last-generated-id")
                .and_then(|value| String::from_redis_value_ref(value).ok());
            counts.last_id = last.map_or((0, 0), |last| stream_id(&last));
        }
    }
    Ok(counts)
}

//! The doorbell: names of tenants whose logs got entries, by keyspace notifications on a connection of its own.
//!
//! A name is rung at least once after an append and any number of appends may ring once. It says only 'look': an
//! append that nobody rang for is found by the sweep. Where the notifications may not be switched on or listened to,
//! the doorbell stays silent but open, and a log line says so. It ends if and only if its connection does. In a Redis
//! Cluster notifications stay on the node that they happen on: there the doorbell hears one node, the sweep all.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use redis::aio::MultiplexedConnection;
use redis::{Client, Msg, RedisResult};
use tandem_core::domain::ids::TenantName;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

use super::connection::{self, StoreSettings};
use super::keys;

/// Names that wait for the listener; further ones wait as a set, a name once.
const RUNG_MAX: usize = 1_024;

/// A connection that says nothing is asked this often whether it lives.
const PROBE_EVERY: Duration = Duration::from_secs(15);

/// Opens the connection and subscribes.
pub(super) async fn open(
    client: Client,
    settings: StoreSettings,
    runtime: Handle,
) -> RedisResult<mpsc::Receiver<Arc<str>>> {
    let config = connection::config(&settings);
    let mut admin = client.get_multiplexed_async_connection_with_config(&config).await?;
    if let Err(refused) = switch_on(&mut admin).await {
        tracing::warn!(
            reason = %refused,
            "Redis does not let Tandem switch keyspace notifications on (notify-keyspace-events Kt); unless they are on \
             already, appends are noticed by dirty sets and the sweep only"
        );
    }
    drop(admin);
    let (mut sink, stream) = within(settings.connect_timeout, client.get_async_pubsub())
        .await?
        .split();
    for pattern in keys::DOORBELL {
        match within(settings.response_timeout, sink.psubscribe(pattern)).await {
            Ok(()) => {}
            Err(refused) if refused.code() == Some("NOPERM") => {
                tracing::warn!(
                    "Redis does not let Tandem listen to keyspace notifications; appends are noticed by dirty sets and the sweep only"
                );
            }
            Err(lost) => return Err(lost),
        }
    }
    let (rung, listener) = mpsc::channel(RUNG_MAX);
    runtime.spawn(ring(stream, sink, rung, settings.response_timeout));
    Ok(listener)
}

/// The driver's answer, or its absence as the driver would say it.
async fn within<T>(patience: Duration, answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    timeout(patience, answer).await.map_err(std::io::Error::from)?
}

/// Adds what is missing to the server's notifications: keyspace events (`K`) of streams (`t`).
async fn switch_on(admin: &mut MultiplexedConnection) -> RedisResult<()> {
    const NAME: &str = "notify-keyspace-events";
    let found: HashMap<String, String> = redis::cmd("CONFIG").arg("GET").arg(NAME).query_async(admin).await?;
    let on = found.get(NAME).map(String::as_str).unwrap_or_default();
    let keyspace = on.contains('K');
    let streams = on.contains('t') || on.contains('A');
    if keyspace && streams {
        return Ok(());
    }
    let wanted = format!(
        "{on}{}{}",
        if keyspace { "" } else { "K" },
        if streams { "" } else { "t" }
    );
    redis::cmd("CONFIG")
        .arg("SET")
        .arg(NAME)
        .arg(wanted)
        .query_async(admin)
        .await
}

/// The tenant that a notification of an append names; nothing for deletes and trims.
fn appended_to(message: &Msg) -> Option<TenantName> {
    (message.get_payload_bytes() == b"xadd")
        .then(|| keys::tenant_of_channel(message.get_channel_name()))
        .flatten()
}

async fn ring(
    mut stream: redis::aio::PubSubStream,
    mut sink: redis::aio::PubSubSink,
    rung: mpsc::Sender<Arc<str>>,
    patience: Duration,
) {
    let mut waiting: BTreeSet<TenantName> = BTreeSet::new();
    let mut probe = interval(PROBE_EVERY);
    loop {
        tokio::select! {
            message = stream.next() => match message {
                Some(message) => waiting.extend(appended_to(&message)),
                None => return,
            },
            room = rung.reserve(), if !waiting.is_empty() => match (room, waiting.pop_first()) {
                (Ok(room), Some(tenant)) => room.send(tenant.as_str().into()),
                _ => return,
            },
            () = rung.closed() => return,
            _ = probe.tick() => {
                if !matches!(timeout(patience, sink.ping::<redis::Value>()).await, Ok(Ok(_))) {
                    return;
                }
            }
        }
    }
}

//! HTTP/2 channels to the Pub/Sub API, shared by the streams of many orgs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use super::schemas::SharedSchemas;
use crate::salesforce::hosts::Origin;

/// Streams of one channel: a connection takes 1,000 (change-events.md 1); the rest is for schemas.
const STREAMS_MAX: usize = 900;
/// How often an open connection is probed, and how long an answer may take.
const PROBE_EVERY: Duration = Duration::from_secs(30);
/// See [`PROBE_EVERY`].
const PROBE_TIMEOUT: Duration = Duration::from_secs(20);
/// What a connection may send before its streams read, in bytes: streams must not stand in each other's way.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// The same for one stream, in bytes.
const STREAM_WINDOW: u32 = 1024 * 1024;

/// Times of streams and their channels.
#[derive(Debug, Clone, Copy)]
pub struct StreamSettings {
    /// Until a connection stands, TLS included.
    pub connect_timeout: Duration,
    /// A stream that owes an answer and is silent for so long is dead. Salesforce promises a keep-alive within 270 s.
    pub silent_after: Duration,
    /// Credit is renewed at least this often while nothing is outstanding: Salesforce closes the stream after 60 s.
    pub keep_open_every: Duration,
    /// Until a schema is there.
    pub schema_timeout: Duration,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            silent_after: Duration::from_secs(300),
            keep_open_every: Duration::from_secs(40),
            schema_timeout: Duration::from_secs(20),
        }
    }
}

/// A channel could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The pool was built outside of a runtime.
    #[error("the Pub/Sub channels must be built inside the I/O runtime: {0}")]
    Runtime(#[from] tokio::runtime::TryCurrentError),
    /// TLS or the endpoint is not usable.
    #[error("no channel to {endpoint}: {source}; are the system's CA certificates installed?")]
    Transport {
        /// Where to.
        endpoint: Origin,
        /// The library's words.
        source: tonic::transport::Error,
    },
}

/// The process's channels.
pub struct ChannelPool {
    pub(super) settings: StreamSettings,
    pub(super) schemas: SharedSchemas,
    pub(super) runtime: Handle,
    channels: Mutex<HashMap<Origin, Vec<Weak<Slot>>>>,
}

struct Slot {
    channel: Channel,
    streams: AtomicUsize,
}

/// A place for one stream on a channel; given back when dropped. The channel closes with its last stream.
pub(super) struct Place {
    slot: Arc<Slot>,
}

impl ChannelPool {
    /// Build it inside the I/O runtime: channels and streams run there, whoever opens them.
    pub fn new(settings: StreamSettings) -> Result<Self, ChannelError> {
        Ok(Self {
            settings,
            schemas: SharedSchemas::default(),
            runtime: Handle::try_current()?,
            channels: Mutex::default(),
        })
    }

    /// Open channels to all endpoints.
    pub fn channels(&self) -> usize {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels
            .values()
            .flatten()
            .filter(|slot| slot.strong_count() > 0)
            .count()
    }

    pub(super) fn place(&self, endpoint: &Origin) -> Result<Place, ChannelError> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = channels.entry(endpoint.clone()).or_default();
        slots.retain(|slot| slot.strong_count() > 0);
        // Counted under the lock, so no two callers take the last place.
        for slot in slots.iter().filter_map(Weak::upgrade) {
            if slot.streams.load(Ordering::Relaxed) < STREAMS_MAX {
                slot.streams.fetch_add(1, Ordering::Relaxed);
                return Ok(Place { slot });
            }
        }
        let channel = self.connect(endpoint)?;
        let slot = Arc::new(Slot {
            channel,
            streams: AtomicUsize::new(1),
        });
        slots.push(Arc::downgrade(&slot));
        Ok(Place { slot })
    }

    fn connect(&self, endpoint: &Origin) -> Result<Channel, ChannelError> {
        let failed = |source| ChannelError::Transport {
            endpoint: endpoint.clone(),
            source,
        };
        let mut builder = Endpoint::from_shared(endpoint.as_str().to_owned())
            .map_err(failed)?
            .connect_timeout(self.settings.connect_timeout)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(PROBE_EVERY)
            .keep_alive_timeout(PROBE_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_stream_window_size(STREAM_WINDOW);
        if endpoint.is_https() {
            builder = builder
                .tls_config(ClientTlsConfig::new().with_enabled_roots())
                .map_err(failed)?;
        }
        let _inside = self.runtime.enter();
        Ok(builder.connect_lazy())
    }
}

impl Place {
    pub(super) fn channel(&self) -> Channel {
        self.slot.channel.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.slot.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::salesforce::hosts::AllowedHosts;

    #[tokio::test]
    async fn streams_fill_a_channel_before_the_next_is_opened() {
        let pool = ChannelPool::new(StreamSettings::default()).unwrap();
        let hosts = AllowedHosts::new(["127.0.0.1"]).unwrap();
        let one = hosts.check_pubsub("http://127.0.0.1:1").unwrap();
        let mut places: Vec<_> = (0..STREAMS_MAX).map(|_| pool.place(&one).unwrap()).collect();
        assert_eq!(pool.channels(), 1);
        places.push(pool.place(&one).unwrap());
        assert_eq!(pool.channels(), 2);
        places.swap_remove(0);
        places.push(pool.place(&one).unwrap());
        assert_eq!(pool.channels(), 2, "a place that was given back is taken again");
        let two = hosts.check_pubsub("http://127.0.0.1:2").unwrap();
        places.push(pool.place(&two).unwrap());
        assert_eq!(pool.channels(), 3);
        drop(places);
        assert_eq!(pool.channels(), 0);
    }
}

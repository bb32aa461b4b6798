//! A tenant's change events: opens streams, hands batches to their consumers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use super::channels::ChannelPool;
use super::ending;
use super::pump::{self, Pump};
use super::reading::Reader;
use super::schemas::OrgSchemas;
use crate::port::Answer;
use crate::port::changes::{ChangeFeed, ChangeStream, ChangesError, EventBatch, From};
use crate::salesforce::hosts::{AllowedHosts, HostRefused, Origin};
use crate::salesforce::session::SessionKeeper;

/// Opens streams for one tenant's org.
pub struct TenantFeed {
    pool: Arc<ChannelPool>,
    keeper: Arc<SessionKeeper>,
    endpoint: Origin,
    schemas: Arc<OrgSchemas>,
}

impl TenantFeed {
    /// `pubsub_url` is like `https://api.pubsub.salesforce.com:7443`. Nothing is called until a stream is opened.
    pub fn new(
        pool: Arc<ChannelPool>,
        keeper: Arc<SessionKeeper>,
        hosts: &AllowedHosts,
        pubsub_url: &str,
    ) -> Result<Self, HostRefused> {
        Ok(Self {
            pool,
            keeper,
            endpoint: hosts.check_pubsub(pubsub_url)?,
            schemas: Arc::default(),
        })
    }
}

impl ChangeFeed for TenantFeed {
    /// Answers at once. Salesforce may answer a subscription with its first event or keep-alive only, minutes later, so
    /// refusals come out of the stream's first [`ChangeStream::next`].
    fn subscribe(&self, topic: Arc<str>, from: From) -> Answer<Box<dyn ChangeStream>, ChangesError> {
        let (batches, receiver) = mpsc::channel(pump::BATCHES_MAX);
        let shared = Arc::new(Buffered::default());
        let pump = Pump {
            reader: Reader {
                pool: Arc::clone(&self.pool),
                keeper: Arc::clone(&self.keeper),
                schemas: Arc::clone(&self.schemas),
                topic: Arc::clone(&topic),
            },
            endpoint: self.endpoint.clone(),
            from,
            batches,
            shared: Arc::clone(&shared),
        };
        let runtime = self.pool.runtime.clone();
        async move {
            let task = runtime.spawn(pump.run()).abort_handle();
            Ok(Box::new(Subscription {
                topic,
                receiver,
                shared,
                task,
            }) as Box<dyn ChangeStream>)
        }
        .boxed()
    }
}

/// What the pump and the consumer tell each other.
#[derive(Default)]
pub(super) struct Buffered {
    /// Events that wait for the consumer.
    pub(super) events: AtomicUsize,
    /// The consumer asked for more.
    pub(super) wanted: Notify,
}

/// An open stream; dropping it closes it.
struct Subscription {
    topic: Arc<str>,
    receiver: mpsc::Receiver<Result<EventBatch, ChangesError>>,
    shared: Arc<Buffered>,
    task: AbortHandle,
}

impl ChangeStream for Subscription {
    /// A call that is dropped before it answers loses nothing: the next one answers the same.
    fn next(&mut self) -> BoxFuture<'_, Result<EventBatch, ChangesError>> {
        async move {
            self.shared.wanted.notify_one();
            match self.receiver.recv().await {
                Some(Ok(batch)) => {
                    self.shared.events.fetch_sub(batch.events.len(), Ordering::Relaxed);
                    Ok(batch)
                }
                Some(Err(end)) => Err(end),
                None => Err(ending::broken(&self.topic, "the stream has ended")),
            }
        }
        .boxed()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

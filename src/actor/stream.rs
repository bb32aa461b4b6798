//! A tenant's change stream: a task on the io runtime, and the shard's account of it.
//!
//! The task outlives the tenant's connection. It reads one batch, tells the shard, and waits until it is asked for the
//! next, so at most one batch of a tenant is in memory. A quiet tenant's first event wakes it; the new connection
//! names the place that Redis holds, and if that is where this stream stands, nothing is opened anew.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;
use futures::FutureExt;
use opentelemetry::KeyValue;
use tandem_core::domain::ids::ReplayId;
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::supervise::jittered;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::clock::Dice;
use super::messages::{Life, News, StreamTold};
use super::tenant::TenantSpec;
use super::watch::Generation;
use crate::port::changes::{ChangesError, EventBatch, From};
use crate::telemetry::Telemetry;
use crate::telemetry::names::Metric;
use crate::telemetry::panics;

/// Pause before a stream that broke is opened again; doubles up to `PAUSE_MAX`.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Pause when the org's daily deliveries, or its calls, are used up.
const PAUSE_LIMIT: Duration = Duration::from_secs(600);
/// A quiet tenant's keep-alives are passed over this long; then one wakes it, so that its stored place stays far
/// younger than the 72 h that Salesforce keeps events.
pub(super) const CURSOR_STORED_EVERY: Duration = Duration::from_secs(3600);

/// The shard's account of a tenant's stream.
pub(super) struct StreamSlot {
    pub(super) generation: Generation,
    /// The place that the tenant has stored, as far as is known here.
    acked: Option<ReplayId>,
    /// Came, and was given to nobody yet.
    held: Option<EventBatch>,
    /// Given to a machine that has not asked for more yet: its place.
    delivered: Option<ReplayId>,
    /// Who listens.
    listener: Option<Life>,
    /// Its place was lost, and it has gone on from then; no later place was stored yet.
    fresh: bool,
    /// Nobody was told of that yet.
    lost_untold: bool,
    /// When something was last given to a machine.
    told_at: Timestamp,
    /// Asks the task for more; holds one.
    orders: mpsc::Sender<()>,
    task: JoinHandle<()>,
}

/// What the shard is to do with news.
#[derive(Debug)]
pub(super) enum Told {
    /// Give them to the connection.
    Deliver(Life, News),
    /// Start the tenant; they are held until it subscribes.
    Wake,
    /// Nothing.
    Passed,
}

impl StreamSlot {
    /// Opens a stream for a machine that listens.
    pub(super) fn open(task: StreamTask, after: Option<ReplayId>, life: Life, now: Timestamp) -> Self {
        let (orders, asked) = mpsc::channel(1);
        let generation = task.generation;
        let acked = after.clone();
        let task = tokio::spawn(task.run(after, asked));
        let (held, delivered) = (None, None);
        Self {
            generation,
            acked,
            held,
            delivered,
            listener: Some(life),
            fresh: false,
            lost_untold: false,
            told_at: now,
            orders,
            task,
        }
    }

    /// A machine subscribes. What is held for it, if this stream stands where it wants to go on; nothing when the
    /// stream must be opened anew.
    pub(super) fn resume(&mut self, after: Option<&ReplayId>, life: Life, now: Timestamp) -> Option<Vec<News>> {
        if self.delivered.is_some() && self.delivered.as_ref() == after {
            // It was stored before the machine was lost.
            self.next(None);
        }
        let stands_there = self.acked.as_ref() == after || (self.fresh && after.is_none());
        if self.delivered.is_some() || !stands_there {
            return None;
        }
        self.listener = Some(life);
        self.told_at = now;
        let lost = std::mem::take(&mut self.lost_untold).then_some(News::CursorLost);
        let held = self.held.take().map(|batch| self.gave(batch));
        Some(lost.into_iter().chain(held).collect())
    }

    /// The machine wants more (`life`: only if it is the one that listens).
    pub(super) fn next(&mut self, life: Option<Life>) {
        if (life.is_none() || life == self.listener)
            && let Some(stored) = self.delivered.take()
        {
            self.acked = Some(stored);
            self.fresh = false;
            self.ask();
        }
    }

    /// Something came.
    pub(super) fn told(&mut self, news: News, now: Timestamp) -> Told {
        match (news, self.listener) {
            (News::CursorLost, listener) => {
                self.fresh = true;
                self.lost_untold = listener.is_none();
                listener.map_or(Told::Wake, |life| Told::Deliver(life, News::CursorLost))
            }
            (News::Batch(batch), Some(life)) => {
                self.told_at = now;
                Told::Deliver(life, self.gave(batch))
            }
            (News::Batch(batch), None) => {
                if batch.events.is_empty() && now.since(self.told_at) < CURSOR_STORED_EVERY {
                    self.ask();
                    return Told::Passed;
                }
                self.held = Some(batch);
                Told::Wake
            }
        }
    }

    /// The connection has died or stopped: nobody listens.
    pub(super) fn unheard(&mut self) {
        self.listener = None;
    }

    /// Whether a machine should come: something is held, or was given to one that stopped before it looked.
    pub(super) fn has_news(&self) -> bool {
        self.held.is_some() || self.delivered.is_some() || self.lost_untold
    }

    fn gave(&mut self, batch: EventBatch) -> News {
        self.delivered = Some(batch.latest.clone());
        News::Batch(batch)
    }

    fn ask(&self) {
        // The channel holds one order and the task one batch: a second order at a time cannot be.
        let _full_means_asked = self.orders.try_send(()).is_err();
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a stream's task works with.
pub(super) struct StreamTask {
    pub(super) spec: Arc<TenantSpec>,
    pub(super) generation: Generation,
    pub(super) shard: Recipient<StreamTold>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) dice: Arc<Dice>,
}

impl StreamTask {
    async fn run(self, after: Option<ReplayId>, mut asked: mpsc::Receiver<()>) {
        let mut place = after;
        let mut failures: u32 = 0;
        loop {
            let before = place.clone();
            let ended = AssertUnwindSafe(self.listen(&mut place, &mut asked))
                .catch_unwind()
                .await;
            if place != before {
                failures = 0;
            }
            let (word, pause) = match ended {
                Ok(None) => return,
                Ok(Some(error)) => {
                    tracing::info!(tenant = %self.spec.name, %error, "change stream ended");
                    match error {
                        ChangesError::CursorLost { .. } => {
                            // What was missed is the machine's affair; from here on nothing more is.
                            self.tell(News::CursorLost);
                            place = None;
                            ("cursor_lost", doubled(failures))
                        }
                        ChangesError::DeliveryLimit { .. } => ("delivery_limit", PAUSE_LIMIT),
                        ChangesError::CallLimit { .. } => ("call_limit", PAUSE_LIMIT),
                        ChangesError::Unauthorised { .. } => ("unauthorised", doubled(failures)),
                        ChangesError::Broken { .. } => ("broken", doubled(failures)),
                    }
                }
                Err(payload) => {
                    self.telemetry
                        .panicked("stream", self.spec.name.as_str(), panics::words(payload.as_ref()));
                    ("panic", doubled(failures))
                }
            };
            self.count(word);
            failures = failures.saturating_add(1);
            tokio::time::sleep(jittered(pause, self.dice.roll())).await;
        }
    }

    /// One subscription until it ends; nothing when nobody wants more.
    async fn listen(&self, place: &mut Option<ReplayId>, asked: &mut mpsc::Receiver<()>) -> Option<ChangesError> {
        let from = place.clone().map_or(From::Earliest, From::After);
        let mut stream = match self.spec.changes.subscribe(Arc::clone(&self.spec.topic), from).await {
            Ok(stream) => stream,
            Err(error) => return Some(error),
        };
        loop {
            match stream.next().await {
                Ok(batch) => {
                    *place = Some(batch.latest.clone());
                    self.tell(News::Batch(batch));
                }
                Err(error) => return Some(error),
            }
            asked.recv().await?;
        }
    }

    fn tell(&self, news: News) {
        // One for each order, and one for a lost place.
        self.shard.do_send(StreamTold {
            tenant: self.spec.name.clone(),
            generation: self.generation,
            news,
        });
    }

    fn count(&self, kind: &'static str) {
        self.telemetry
            .add(Metric::StreamFailures, 1, &[KeyValue::new("kind", kind)]);
    }
}

fn doubled(failures: u32) -> Duration {
    PAUSE_MIN
        .saturating_mul(2_u32.saturating_pow(failures.min(16)))
        .min(PAUSE_MAX)
}

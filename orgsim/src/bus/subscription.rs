//! One Subscribe call. There is no task behind it: the stream works only while the client's call is open.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::Stream;
use tokio::sync::watch;
use tonic::{Status, Streaming};

use super::event::event_id;
use super::look::{Cursor, Delivery, Look, Portion, Sight};
use super::org::OrgLog;
use super::refusal::Refusal;
use super::topic::Topic;
use super::{Shared, random, replay};
use crate::wire::{ConsumerEvent, FetchRequest, FetchResponse, ProducerEvent, ReplayPreset};

/// Events that a subscriber may have requested and not got; more is treated as this many.
pub(crate) const MAX_PENDING: usize = 100;
/// Payload bytes of one response: events above it go into the next.
const RESPONSE_BYTES: usize = 3_000_000;

/// State of one call.
pub(crate) struct Subscription {
    shared: Arc<Shared>,
    org: Arc<OrgLog>,
    /// Who listens.
    user: Option<Arc<str>>,
    rpc_id: String,
    /// How often streams were ended on purpose before this one.
    ended: u64,
    /// None once the client has sent its last request.
    requests: Option<Streaming<FetchRequest>>,
    /// Set by the first request.
    started: Option<Started>,
    pending: usize,
    /// When pending became 0, or when the last response went out.
    since: Instant,
    changes: watch::Receiver<()>,
    closing: watch::Receiver<bool>,
}

struct Started {
    name: String,
    topic: Topic,
    cursor: Cursor,
}

/// What a subscription waits for.
enum Wake {
    Request(FetchRequest),
    RequestsEnded,
    ClientGone,
    Changed,
    Deadline,
    Closing,
}

impl Subscription {
    pub(crate) fn new(
        shared: Arc<Shared>,
        org: Arc<OrgLog>,
        user: Option<Arc<str>>,
        rpc_id: String,
        requests: Streaming<FetchRequest>,
        closing: watch::Receiver<bool>,
    ) -> Self {
        let changes = org.changes();
        Self {
            ended: org.ended().0,
            shared,
            org,
            user,
            rpc_id,
            requests: Some(requests),
            started: None,
            pending: 0,
            since: Instant::now(),
            changes,
            closing,
        }
    }

    /// The responses of the call.
    pub(crate) fn responses(self) -> impl Stream<Item = Result<FetchResponse, Status>> + Send + 'static {
        futures::stream::unfold(Some(self), |subscription| async move {
            let mut subscription = subscription?;
            match subscription.next().await {
                Ok(Some(response)) => Some((Ok(response), Some(subscription))),
                Ok(None) => None,
                Err(refusal) => Some((Err(refusal.status("Subscribe", &subscription.rpc_id)), None)),
            }
        })
    }

    /// The next response; None when the stream closes without an error.
    async fn next(&mut self) -> Result<Option<FetchResponse>, Refusal> {
        loop {
            let again = match self.look()? {
                Found::Response(response) => return Ok(Some(response)),
                Found::Nothing { again } => again,
            };
            // Nothing is owed and nothing can be asked for any more.
            if self.pending == 0 && self.requests.is_none() {
                return Ok(None);
            }
            match self.wait(again).await {
                Wake::Request(request) => self.accept(request).await?,
                Wake::RequestsEnded => self.requests = None,
                Wake::ClientGone => return Ok(None),
                Wake::Changed => {}
                Wake::Closing => return Err(Refusal::Unavailable),
                // A silent stream lives without a sign of it.
                Wake::Deadline if self.org.is_silent() => self.since = Instant::now(),
                // Requests stopped coming: the server closes the stream.
                Wake::Deadline if self.pending == 0 => return Ok(None),
                Wake::Deadline => return Ok(Some(self.keep_alive())),
            }
        }
    }

    /// Delivers what there is, as far as it is asked for.
    fn look(&mut self) -> Result<Found, Refusal> {
        let (ended, refusal) = self.org.ended();
        if ended != self.ended {
            return Err(refusal);
        }
        if self.org.is_silent() {
            self.changes.borrow_and_update();
            return Ok(Found::Nothing { again: None });
        }
        let Some(started) = self.started.as_mut().filter(|_| self.pending > 0) else {
            return Ok(Found::Nothing { again: None });
        };
        // Marked before the look: what comes during it wakes us again.
        self.changes.borrow_and_update();
        let portion = Portion {
            events: self.pending,
            bytes: RESPONSE_BYTES,
        };
        let (directory, org_id, user) = (&self.shared.directory, &self.org.id, &self.user);
        let sight = Sight {
            directory: &**directory,
            org_id,
            user: user.as_deref(),
        };
        match self.org.look(&started.topic, &sight, started.cursor, portion) {
            Look::Events(deliveries, cursor) => {
                started.cursor = cursor;
                self.pending -= deliveries.len().min(self.pending);
                let latest = deliveries.last().map_or(cursor.id, |last| last.replay);
                Ok(Found::Response(self.respond(latest, deliveries)))
            }
            Look::Nothing { cursor, again } => {
                started.cursor = cursor;
                Ok(Found::Nothing { again })
            }
            Look::Lost => Err(Refusal::ReplayCorrupted),
            Look::Exhausted => Err(Refusal::LimitExceeded),
        }
    }

    /// An empty response: the stream lives, and may be resumed from here.
    fn keep_alive(&mut self) -> FetchResponse {
        let latest = self.started.as_ref().map_or(0, |started| started.cursor.id);
        self.respond(latest, Vec::new())
    }

    fn respond(&mut self, latest: u64, deliveries: Vec<Delivery>) -> FetchResponse {
        self.since = Instant::now();
        let org = random::mix(
            self.org
                .id
                .bytes()
                .fold(0, |sum, byte| random::mix(sum ^ u64::from(byte))),
        );
        FetchResponse {
            events: deliveries
                .into_iter()
                .map(|delivery| consumer_event(org, delivery))
                .collect(),
            latest_replay_id: replay_bytes(latest),
            rpc_id: self.rpc_id.clone(),
            pending_num_requested: i32::try_from(self.pending).unwrap_or(i32::MAX),
        }
    }

    /// How long until the server does something by itself.
    fn patience(&self) -> Duration {
        if self.pending == 0 {
            self.shared.options.idle_close
        } else {
            self.shared.options.keep_alive
        }
    }

    async fn wait(&mut self, again: Option<Instant>) -> Wake {
        let own = self.since + self.patience();
        let deadline = tokio::time::Instant::from_std(again.map_or(own, |again| again.min(own)));
        let delayed = again.is_some_and(|again| again <= own);
        let owed = self.pending > 0;
        let requests = &mut self.requests;
        let request = async {
            match requests {
                Some(requests) => requests.message().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            request = request => match request {
                Ok(Some(request)) => Wake::Request(request),
                Ok(None) => Wake::RequestsEnded,
                // Reset, or not a FetchRequest: nobody is left to be told.
                Err(_) => Wake::ClientGone,
            },
            _ = self.closing.wait_for(|closing| *closing) => Wake::Closing,
            // The sender lives as long as the org, so a change is all that can be reported.
            _ = self.changes.changed(), if owed => Wake::Changed,
            () = tokio::time::sleep_until(deadline) => if delayed { Wake::Changed } else { Wake::Deadline },
        }
    }

    async fn accept(&mut self, request: FetchRequest) -> Result<(), Refusal> {
        let asked = usize::try_from(request.num_requested).unwrap_or(0);
        if asked == 0 {
            return Err(Refusal::RequestedInvalid);
        }
        match &self.started {
            // The start is fixed; so is the topic, which may be left empty.
            Some(started) if !request.topic_name.is_empty() && request.topic_name != started.name => {
                return Err(Refusal::TopicChanged);
            }
            Some(_) => {}
            None => self.started = Some(self.start(request).await?),
        }
        if self.pending == 0 {
            self.since = Instant::now();
        }
        self.pending = (self.pending + asked).min(MAX_PENDING);
        Ok(())
    }

    async fn start(&self, request: FetchRequest) -> Result<Started, Refusal> {
        let topic = self.shared.topic(&self.org.id, &request.topic_name)?;
        if self.org.is_full() {
            return Err(Refusal::TooManyClients);
        }
        // What was published before this call is in the log before its start is looked up.
        self.shared.barrier().await;
        let cursor = match request.replay_preset() {
            ReplayPreset::Latest => self.org.latest(),
            ReplayPreset::Earliest => self.org.earliest(),
            ReplayPreset::Custom => {
                let id = replay::decode(&request.replay_id).ok_or(Refusal::ReplayInvalid)?;
                self.org.custom(id).ok_or(Refusal::ReplayCorrupted)?
            }
        };
        Ok(Started {
            name: request.topic_name,
            topic,
            cursor,
        })
    }
}

/// What a look brought for the client.
enum Found {
    Response(FetchResponse),
    Nothing { again: Option<Instant> },
}

fn consumer_event(org: u64, delivery: Delivery) -> ConsumerEvent {
    let event = ProducerEvent {
        id: event_id(org, delivery.replay),
        schema_id: delivery.schema.id.clone(),
        payload: delivery.payload,
        headers: Vec::new(),
    };
    ConsumerEvent {
        event: Some(event),
        replay_id: replay_bytes(delivery.replay),
    }
}

fn replay_bytes(id: u64) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(&replay::encode(id))
}

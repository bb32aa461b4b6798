//! The task behind one stream: keeps it open, keeps credit in bounds, turns responses into batches.
//!
//! Credit is the back-pressure: what was asked for and what waits for the consumer are together never more than
//! [`EVENTS_MAX`], so the task can always read on and no stream blocks its channel.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use tandem_core::domain::ids::ReplayId;
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::inbound::{ChangeEvent, ChangeKind};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status, Streaming};

use super::channels::{ChannelPool, Place};
use super::decode;
use super::ending::{self, Ending};
use super::feed::Buffered;
use super::schemas::{Known, OrgSchemas};
use super::wire::pub_sub_client::PubSubClient;
use super::wire::{ConsumerEvent, FetchRequest, FetchResponse, ReplayPreset, SchemaRequest};
use crate::port::changes::{ChangesError, EventBatch, From};
use crate::salesforce::hosts::Origin;
use crate::salesforce::session::{Held, SessionKeeper};

/// Events asked for or waiting for the consumer.
const EVENTS_MAX: usize = 200;
/// Events that Salesforce lets be outstanding (change-events.md 1).
const OUTSTANDING_MAX: usize = 100;
/// More is asked for when fewer are outstanding.
const OUTSTANDING_LOW: usize = 50;
/// Batches that wait for the consumer: one for each event that may wait, and room for keep-alives.
pub(super) const BATCHES_MAX: usize = EVENTS_MAX + OUTSTANDING_MAX + 20;
/// Requests on their way to the server.
const REQUESTS_MAX: usize = 8;
/// Lengths that a replay id can have, in bytes (change-events.md 1: 10, never less than 8).
const REPLAY_ID_BYTES: std::ops::RangeInclusive<usize> = 8..=64;
/// How far back an event that cannot be read may lie, in milliseconds: retention is 72 h and can lag.
const RETENTION_MS: u64 = 96 * 3_600 * 1_000;

type Message = Result<EventBatch, ChangesError>;
type Client = PubSubClient<tonic::transport::Channel>;

pub(super) struct Pump {
    pub(super) pool: Arc<ChannelPool>,
    pub(super) keeper: Arc<SessionKeeper>,
    pub(super) endpoint: Origin,
    pub(super) schemas: Arc<OrgSchemas>,
    pub(super) topic: Arc<str>,
    pub(super) from: From,
    pub(super) batches: mpsc::Sender<Message>,
    pub(super) shared: Arc<Buffered>,
}

/// Why one subscription ended.
enum End {
    /// Nobody listens any more.
    Unwanted,
    /// The server ended it. `heard`: something had come before.
    Status { status: Box<Status>, heard: bool },
    /// We ended it.
    Given(ChangesError),
}

/// The two halves of an open subscription, and what is outstanding on it.
struct Open {
    inbound: Streaming<FetchResponse>,
    requests: mpsc::Sender<FetchRequest>,
    client: Client,
    session: Arc<Held>,
    outstanding: usize,
    /// When credit ran out, or the newest time that anything came or was asked for while it had not.
    idle_since: Instant,
    heard: bool,
}

impl Pump {
    pub(super) async fn run(self) {
        if let Some(end) = self.until_end().await {
            tracing::debug!(tenant = %self.keeper.tenant(), topic = %self.topic, "change stream ended: {end}");
            // The consumer takes what waits before it, then this. An error means that it left.
            self.batches.send(Err(end)).await.unwrap_or_default();
        }
    }

    async fn until_end(&self) -> Option<ChangesError> {
        let place = match self.pool.place(&self.endpoint) {
            Ok(place) => place,
            Err(error) => return Some(ending::broken(&self.topic, error.to_string())),
        };
        let mut asked = self.keeper.current().await;
        let mut renewed = false;
        loop {
            let session = match asked.held {
                Ok(session) => session,
                Err(fault) => return Some(ending::no_session(&self.topic, &fault)),
            };
            let (status, heard) = match self.subscription(&place, Arc::clone(&session)).await {
                End::Unwanted => return None,
                End::Given(error) => return Some(error),
                End::Status { status, heard } => (status, heard),
            };
            if ending::of(&status) != Ending::Unauthorised {
                return Some(ending::error(&self.topic, &status));
            }
            if renewed {
                return Some(ending::error(&self.topic, &status));
            }
            renewed = true;
            asked = self.keeper.renew(&session).await;
            if heard {
                // The consumer knows where to go on; the next stream begins with the new session.
                return Some(ending::error(&self.topic, &status));
            }
        }
    }

    async fn subscription(&self, place: &Place, session: Arc<Held>) -> End {
        let open = tokio::select! {
            () = self.batches.closed() => return End::Unwanted,
            open = timeout(self.pool.settings.silent_after, self.open(place, session)) => open,
        };
        let mut open = match open {
            Ok(Ok(open)) => open,
            Ok(Err(status)) => {
                return End::Status {
                    status: Box::new(status),
                    heard: false,
                };
            }
            Err(_) => return self.silent(),
        };
        loop {
            let until_silent = open.idle_since + self.pool.settings.silent_after;
            let until_closed = open.idle_since + self.pool.settings.keep_open_every;
            let done = tokio::select! {
                () = self.batches.closed() => return End::Unwanted,
                message = open.inbound.message() => match message {
                    Ok(Some(response)) => self.take(&mut open, response).await,
                    Ok(None) => Err(ending::broken(&self.topic, "the server closed the stream")),
                    Err(status) => return End::Status { status: Box::new(status), heard: open.heard },
                },
                () = self.shared.wanted.notified() => self.ask(&mut open, OUTSTANDING_MAX),
                () = sleep_until(until_closed), if open.outstanding == 0 => self.ask(&mut open, 1),
                () = sleep_until(until_silent), if open.outstanding > 0 => return self.silent(),
            };
            if let Err(error) = done {
                return End::Given(error);
            }
        }
    }

    fn silent(&self) -> End {
        let silence = self.pool.settings.silent_after;
        End::Given(ending::broken(
            &self.topic,
            format!("nothing came for {silence:?}, not even a keep-alive"),
        ))
    }

    async fn open(&self, place: &Place, session: Arc<Held>) -> Result<Open, Status> {
        let (requests, outbound) = mpsc::channel(REQUESTS_MAX);
        let (replay_preset, replay_id) = match &self.from {
            From::Latest => (ReplayPreset::Latest, bytes::Bytes::new()),
            From::After(id) => (ReplayPreset::Custom, id.0.clone()),
        };
        let room = EVENTS_MAX.saturating_sub(self.shared.events.load(Ordering::Relaxed));
        let outstanding = room.min(OUTSTANDING_MAX);
        let first = FetchRequest {
            topic_name: self.topic.to_string(),
            replay_preset: replay_preset.into(),
            replay_id,
            num_requested: number(outstanding),
            auth_refresh: String::new(),
        };
        // The channel was made a line above and is empty.
        requests
            .try_send(first)
            .map_err(|_| Status::internal("the first request did not fit"))?;
        let mut client = PubSubClient::new(place.channel());
        let request = with_session(Request::new(ReceiverStream::new(outbound)), &session)?;
        let inbound = client.subscribe(request).await?.into_inner();
        Ok(Open {
            inbound,
            requests,
            client,
            session,
            outstanding,
            idle_since: Instant::now(),
            heard: false,
        })
    }

    /// Asks for more events: as many as there is room for, at most `at_most`, and none while enough are outstanding.
    fn ask(&self, open: &mut Open, at_most: usize) -> Result<(), ChangesError> {
        let taken = self.shared.events.load(Ordering::Relaxed) + open.outstanding;
        let more = OUTSTANDING_MAX
            .saturating_sub(open.outstanding)
            .min(EVENTS_MAX.saturating_sub(taken))
            .min(at_most);
        if open.outstanding >= OUTSTANDING_LOW || more == 0 {
            if open.outstanding == 0 {
                // The consumer is far behind. Should the server close the stream, it is opened again from the cursor.
                open.idle_since = Instant::now();
            }
            return Ok(());
        }
        let request = FetchRequest {
            num_requested: number(more),
            ..FetchRequest::default()
        };
        match open.requests.try_send(request) {
            Ok(()) => {
                if open.outstanding == 0 {
                    open.idle_since = Instant::now();
                }
                open.outstanding += more;
                Ok(())
            }
            // Requests are not taken off: they are asked for again at the next occasion.
            Err(mpsc::error::TrySendError::Full(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                Err(ending::broken(&self.topic, "the server stopped listening"))
            }
        }
    }

    async fn take(&self, open: &mut Open, response: FetchResponse) -> Result<(), ChangesError> {
        if !open.heard {
            open.heard = true;
            self.keeper.proved(&open.session).await;
        }
        open.idle_since = Instant::now();
        if response.events.is_empty() {
            // What is owed by the server's own count.
            open.outstanding = usize::try_from(response.pending_num_requested)
                .unwrap_or(0)
                .min(OUTSTANDING_MAX);
            let latest = ReplayId(response.latest_replay_id);
            if REPLAY_ID_BYTES.contains(&latest.0.len()) {
                // Without room for it, a later one will do.
                self.batches
                    .try_send(Ok(EventBatch {
                        events: Vec::new(),
                        latest,
                    }))
                    .unwrap_or_default();
            }
            return Ok(());
        }
        let count = response.events.len();
        if count > EVENTS_MAX + OUTSTANDING_MAX {
            return Err(ending::broken(
                &self.topic,
                format!("{count} events came at once, many more than asked for"),
            ));
        }
        open.outstanding = open.outstanding.saturating_sub(count);
        let batch = self.batch(open, response.events).await?;
        self.shared.events.fetch_add(count, Ordering::Relaxed);
        self.batches
            .try_send(Ok(batch))
            .map_err(|_| ending::broken(&self.topic, "more events came than were asked for"))
    }

    async fn batch(&self, open: &mut Open, events: Vec<ConsumerEvent>) -> Result<EventBatch, ChangesError> {
        let mut decoded = Vec::with_capacity(events.len());
        let mut latest = None;
        for event in events {
            let replay_id = ReplayId(event.replay_id);
            if !REPLAY_ID_BYTES.contains(&replay_id.0.len()) {
                return Err(ending::broken(&self.topic, "an event came without a usable replay id"));
            }
            let produced = event.event.unwrap_or_default();
            let schema = self.schema(open, &produced.schema_id).await?;
            latest = Some(replay_id.clone());
            decoded.push(self.decode(&schema, &produced.payload, replay_id));
        }
        match latest {
            Some(latest) => Ok(EventBatch {
                events: decoded,
                latest,
            }),
            None => Err(ending::broken(
                &self.topic,
                "a response without events was taken for one with events",
            )),
        }
    }

    fn decode(&self, schema: &Known, payload: &[u8], replay_id: ReplayId) -> ChangeEvent {
        let (sobject, why) = match schema {
            Known::Good(schema) => match decode::event(schema, payload, replay_id.clone()) {
                Ok(event) => return event,
                Err(error) => (&schema.sobject, error.to_string()),
            },
            Known::Bad { sobject, why } => (sobject, why.clone()),
        };
        tracing::error!(
            tenant = %self.keeper.tenant(), topic = %self.topic, %sobject,
            "a change event cannot be read: {why}; the object is read again as after an overflow"
        );
        unreadable(Arc::clone(sobject), replay_id)
    }

    async fn schema(&self, open: &mut Open, id: &str) -> Result<Arc<Known>, ChangesError> {
        if let Some(known) = self.schemas.get(id) {
            return Ok(known);
        }
        let request = with_session(
            Request::new(SchemaRequest {
                schema_id: id.to_owned(),
            }),
            &open.session,
        )
        .map_err(|status| ending::error(&self.topic, &status))?;
        let answer = timeout(self.pool.settings.schema_timeout, open.client.get_schema(request)).await;
        let text = match answer {
            Ok(Ok(answer)) => answer.into_inner().schema_json,
            Ok(Err(status)) if ending::of(&status) == Ending::Unauthorised => {
                // A stream outlives its token, a schema call does not: the next stream begins with a new session.
                if let Err(fault) = self.keeper.renew(&open.session).await.held {
                    return Err(ending::no_session(&self.topic, &fault));
                }
                return Err(ending::error(&self.topic, &status));
            }
            Ok(Err(status)) => return Err(ending::broken(&self.topic, format!("no schema: {}", words(&status)))),
            Err(_) => return Err(ending::broken(&self.topic, "no schema: timed out")),
        };
        let known = self.pool.schemas.parse(&text);
        let known = known.ok_or_else(|| ending::broken(&self.topic, "an event's schema is no schema"))?;
        if let Known::Bad { why, sobject } = known.as_ref() {
            tracing::error!(tenant = %self.keeper.tenant(), %sobject, "an event schema is not understood: {why}");
        }
        self.schemas.put(id, &known);
        Ok(known)
    }
}

/// Stands for an event that cannot be read: something of this object changed, within what is retained.
fn unreadable(sobject: Arc<str>, replay_id: ReplayId) -> ChangeEvent {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(0));
    ChangeEvent {
        replay_id,
        sobject,
        ids: Vec::new(),
        kind: ChangeKind::Overflow,
        committed: Timestamp(now.saturating_sub(RETENTION_MS)),
        commit_number: 0,
        transaction_key: "".into(),
        sequence: 0,
        commit_user: "".into(),
        origin: "".into(),
        fields: Vec::new(),
        unread: Vec::new(),
    }
}

fn with_session<T>(mut request: Request<T>, session: &Held) -> Result<Request<T>, Status> {
    let unusable = |_| Status::internal("the session does not fit into metadata");
    let value = |text: &str| MetadataValue::<Ascii>::try_from(text).map_err(unusable);
    let session = session.session();
    let mut token = value(secrecy::ExposeSecret::expose_secret(&session.token))?;
    token.set_sensitive(true);
    let metadata = request.metadata_mut();
    metadata.insert("accesstoken", token);
    metadata.insert("instanceurl", value(&session.instance_url)?);
    metadata.insert("tenantid", value(&session.org_id)?);
    Ok(request)
}

fn words(status: &Status) -> String {
    format!(
        "{:?}: {}",
        status.code(),
        crate::salesforce::fault::cut(status.message())
    )
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(1)
}

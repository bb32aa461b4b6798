//! The task behind one stream: keeps it open, keeps credit in bounds, turns responses into batches.
//!
//! Credit is the back-pressure: what was asked for and what waits for the consumer are together never more than
//! [`EVENTS_MAX`], so the task can always read on and no stream blocks its channel.
//!
//! There are thousands of these tasks, most of them waiting: what is needed only to open or to read lies in boxes that
//! are gone meanwhile.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::StreamExt as _;
use tandem_core::domain::ids::ReplayId;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};

use super::channels::Place;
use super::ending::{self, Ending};
use super::feed::Buffered;
use super::reading::{Client, REPLAY_ID_BYTES, Reader, Through};
use super::session_metadata::with_session;
use super::wire::{FetchRequest, FetchResponse, ReplayPreset};
use crate::port::changes::{ChangesError, EventBatch, From};
use crate::salesforce::hosts::Origin;
use crate::salesforce::session::Held;

/// Events asked for or waiting for the consumer.
const EVENTS_MAX: usize = 200;
/// Events that Salesforce lets be outstanding (change-events.md 1).
const OUTSTANDING_MAX: usize = 100;
/// More is asked for when fewer are outstanding.
const OUTSTANDING_LOW: usize = 50;
/// Batches that wait for the consumer: one for each event that may wait, and room for keep-alives.
pub(super) const BATCHES_MAX: usize = EVENTS_MAX + OUTSTANDING_MAX + 20;
/// Largest response, in bytes: Salesforce sends at most 3 MB (change-events.md 1).
const RESPONSE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Requests on their way to the server.
const REQUESTS_MAX: usize = 8;

type Message = Result<EventBatch, ChangesError>;

pub(super) struct Pump {
    pub(super) reader: Reader,
    pub(super) endpoint: Origin,
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
    /// Boxed: a channel has places for 32 of them.
    requests: mpsc::Sender<Box<FetchRequest>>,
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
            tracing::debug!(tenant = %self.reader.keeper.tenant(), topic = %self.reader.topic, "change stream ended: {end}");
            // The consumer takes what waits before it, then this. An error means that it left.
            self.batches.send(Err(end)).await.unwrap_or_default();
        }
    }

    async fn until_end(&self) -> Option<ChangesError> {
        let place = match self.reader.pool.place(&self.endpoint) {
            Ok(place) => place,
            Err(error) => return Some(ending::broken(&self.reader.topic, error.to_string())),
        };
        let mut asked = self.reader.keeper.current().await;
        let mut renewed = false;
        loop {
            let session = match asked.held {
                Ok(session) => session,
                Err(fault) => return Some(ending::no_session(&self.reader.topic, &fault)),
            };
            let (status, heard) = match self.subscription(&place, Arc::clone(&session)).await {
                End::Unwanted => return None,
                End::Given(error) => return Some(error),
                End::Status { status, heard } => (status, heard),
            };
            if ending::of(&status) != Ending::Unauthorised {
                return Some(ending::error(&self.reader.topic, &status));
            }
            if renewed {
                return Some(ending::error(&self.reader.topic, &status));
            }
            renewed = true;
            asked = self.reader.keeper.renew(&session).await;
            if heard {
                // The consumer knows where to go on; the next stream begins with the new session.
                return Some(ending::error(&self.reader.topic, &status));
            }
        }
    }

    async fn subscription(&self, place: &Place, session: Arc<Held>) -> End {
        let open = tokio::select! {
            () = self.batches.closed() => return End::Unwanted,
            open = timeout(self.reader.pool.settings.silent_after, Box::pin(self.open(place, session))) => open,
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
            let until_silent = open.idle_since + self.reader.pool.settings.silent_after;
            let until_closed = open.idle_since + self.reader.pool.settings.keep_open_every;
            let done = tokio::select! {
                () = self.batches.closed() => return End::Unwanted,
                message = open.inbound.message() => match message {
                    Ok(Some(response)) => Box::pin(self.take(&mut open, response)).await,
                    Ok(None) => Err(ending::broken(&self.reader.topic, "the server closed the stream")),
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
        let silence = self.reader.pool.settings.silent_after;
        End::Given(ending::broken(
            &self.reader.topic,
            format!("nothing came for {silence:?}, not even a keep-alive"),
        ))
    }

    async fn open(&self, place: &Place, session: Arc<Held>) -> Result<Open, Status> {
        let (requests, outbound) = mpsc::channel(REQUESTS_MAX);
        let (replay_preset, replay_id) = match &self.from {
            From::Earliest => (ReplayPreset::Earliest, bytes::Bytes::new()),
            From::After(id) => (ReplayPreset::Custom, id.0.clone()),
        };
        let room = EVENTS_MAX.saturating_sub(self.shared.events.load(Ordering::Relaxed));
        let outstanding = room.min(OUTSTANDING_MAX);
        let first = FetchRequest {
            topic_name: self.reader.topic.to_string(),
            replay_preset: replay_preset.into(),
            replay_id,
            num_requested: number(outstanding),
            auth_refresh: String::new(),
        };
        // The channel was made a line above and is empty.
        requests
            .try_send(Box::new(first))
            .map_err(|_| Status::internal("the first request did not fit"))?;
        let mut client = Client::new(place.channel()).max_decoding_message_size(RESPONSE_BYTES_MAX);
        let request = with_session(
            Request::new(ReceiverStream::new(outbound).map(|request| *request)),
            &session,
        )?;
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
        match open.requests.try_send(Box::new(request)) {
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
                Err(ending::broken(&self.reader.topic, "the server stopped listening"))
            }
        }
    }

    async fn take(&self, open: &mut Open, response: FetchResponse) -> Result<(), ChangesError> {
        if !open.heard {
            open.heard = true;
            self.reader.keeper.proved(&open.session).await;
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
                &self.reader.topic,
                format!("{count} events came at once, many more than asked for"),
            ));
        }
        open.outstanding = open.outstanding.saturating_sub(count);
        let mut through = Through {
            client: &mut open.client,
            session: &open.session,
        };
        let batch = self.reader.batch(&mut through, response.events).await?;
        self.shared.events.fetch_add(count, Ordering::Relaxed);
        self.batches
            .try_send(Ok(batch))
            .map_err(|_| ending::broken(&self.reader.topic, "more events came than were asked for"))
    }
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(1)
}

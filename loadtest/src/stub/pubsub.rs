//! The stub's Pub/Sub port: schemas and subscriptions (change-events.md 1).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::{Stream, stream};
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::{Request, Response, Status, Streaming};

use super::told::Told;
use super::{Orgs, event, ids};
use wire::pub_sub_server::PubSub;
use wire::{ConsumerEvent, FetchRequest, FetchResponse, ProducerEvent, ReplayPreset, SchemaInfo, SchemaRequest};

/// The published wire contract.
pub(super) mod wire {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        reason = "generated code; orgsim/proto/pubsub_api.proto documents it"
    )]
    tonic::include_proto!("eventbus.v1");
}

/// Events that may be asked for and not delivered; more is treated as this many.
const PENDING_MAX: usize = 100;
/// An empty response tells that a stream which owes events lives.
const KEEP_ALIVE: Duration = Duration::from_secs(270);

/// The service.
#[derive(Debug)]
pub(super) struct Service(pub(super) Arc<Orgs>);

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// One subscription.
struct Subscription {
    orgs: Arc<Orgs>,
    tenant: usize,
    requests: Streaming<FetchRequest>,
    length: watch::Receiver<usize>,
    /// Events delivered, those before the start included; nothing before the first request.
    place: Option<usize>,
    pending: usize,
    /// When a keep-alive is due. The first one falls anywhere into the interval, as streams of many ages would have it.
    quiet_until: Instant,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.orgs.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Subscription {
    fn open(orgs: Arc<Orgs>, tenant: usize, told: &Told, requests: Streaming<FetchRequest>) -> Self {
        let opened = orgs.streams.fetch_add(1, Ordering::Relaxed);
        // Spread by the golden ratio: even over the interval for any number of streams.
        let share = (opened as f64 * 0.618_033_988_75).fract();
        Self {
            length: told.listen(),
            orgs,
            tenant,
            requests,
            place: None,
            pending: 0,
            quiet_until: Instant::now() + KEEP_ALIVE.mul_f64(share),
        }
    }

    async fn next(&mut self) -> Option<Result<FetchResponse, Status>> {
        loop {
            if let Some(place) = self.place.filter(|_| self.pending > 0) {
                self.length.borrow_and_update();
                let changes = self.orgs.told.get(self.tenant)?.after(place, self.pending);
                if !changes.is_empty() {
                    let events = changes.iter().zip(place as u64 + 1..);
                    let events = events
                        .map(|(change, replay)| consumer(self.tenant, replay, *change))
                        .collect();
                    self.place = Some(place + changes.len());
                    self.pending -= changes.len();
                    return Some(Ok(self.respond(events)));
                }
            }
            let owed = self.pending > 0;
            tokio::select! {
                request = self.requests.message() => match request {
                    Ok(Some(request)) => {
                        if let Err(status) = self.take(&request) {
                            return Some(Err(status));
                        }
                    }
                    // The client closed the stream or went away.
                    Ok(None) | Err(_) => return None,
                },
                grown = self.length.changed(), if owed => grown.ok()?,
                () = tokio::time::sleep_until(self.quiet_until), if owed => return Some(Ok(self.respond(Vec::new()))),
            }
        }
    }

    fn take(&mut self, request: &FetchRequest) -> Result<(), Status> {
        let asked = usize::try_from(request.num_requested).unwrap_or(0);
        if asked == 0 {
            return Err(Status::invalid_argument("num_requested must be above 0"));
        }
        if self.place.is_none() {
            let counter = request.replay_id.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
            let place = match (request.replay_preset(), counter) {
                (ReplayPreset::Custom, Some(counter)) => usize::try_from(counter).unwrap_or(0),
                _ => 0,
            };
            self.place = Some(place);
        }
        self.pending = (self.pending + asked).min(PENDING_MAX);
        Ok(())
    }

    fn respond(&mut self, events: Vec<ConsumerEvent>) -> FetchResponse {
        self.quiet_until = Instant::now() + KEEP_ALIVE;
        FetchResponse {
            events,
            latest_replay_id: replay_id(self.place.unwrap_or(0) as u64),
            rpc_id: String::new(),
            pending_num_requested: i32::try_from(self.pending).unwrap_or(i32::MAX),
        }
    }
}

/// 8 bytes of a counter and two zero bytes, as live orgs have it.
fn replay_id(counter: u64) -> bytes::Bytes {
    let mut id = [0; 10];
    id[..8].copy_from_slice(&counter.to_be_bytes());
    bytes::Bytes::copy_from_slice(&id)
}

fn consumer(tenant: usize, replay: u64, change: super::told::Change) -> ConsumerEvent {
    let produced = ProducerEvent {
        id: format!("{replay:032x}"),
        schema_id: event::SCHEMA_ID.to_owned(),
        payload: event::payload(tenant, replay, change).into(),
        headers: Vec::new(),
    };
    ConsumerEvent {
        event: Some(produced),
        replay_id: replay_id(replay),
    }
}

impl Service {
    fn tenant(&self, metadata: &tonic::metadata::MetadataMap) -> Result<usize, Status> {
        let text = |key: &str| metadata.get(key).and_then(|value| value.to_str().ok());
        let by_token = text("accesstoken").and_then(ids::tenant_of_token);
        let by_org = text("tenantid").and_then(ids::tenant_of_org);
        by_token
            .filter(|tenant| by_org == Some(*tenant) && *tenant < self.0.told.len())
            .ok_or_else(|| Status::unauthenticated("the session is not this org's"))
    }
}

fn unsupported<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("the stub only streams"))
}

#[tonic::async_trait]
impl PubSub for Service {
    type SubscribeStream = Responses<FetchResponse>;
    type PublishStreamStream = Responses<wire::PublishResponse>;
    type ManagedSubscribeStream = Responses<wire::ManagedFetchResponse>;

    async fn subscribe(
        &self,
        request: Request<Streaming<FetchRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let tenant = self.tenant(request.metadata())?;
        let told = self.0.told.get(tenant);
        let told = told.ok_or_else(|| Status::unauthenticated("there is no such org"))?;
        let subscription = Subscription::open(Arc::clone(&self.0), tenant, told, request.into_inner());
        let responses = stream::unfold(subscription, |mut subscription| async move {
            let response = subscription.next().await?;
            Some((response, subscription))
        });
        Ok(Response::new(Box::pin(responses)))
    }

    async fn get_schema(&self, request: Request<SchemaRequest>) -> Result<Response<SchemaInfo>, Status> {
        self.tenant(request.metadata())?;
        if request.get_ref().schema_id != event::SCHEMA_ID {
            return Err(Status::invalid_argument("there is no such schema"));
        }
        Ok(Response::new(SchemaInfo {
            schema_json: event::schema(),
            schema_id: event::SCHEMA_ID.to_owned(),
            rpc_id: String::new(),
        }))
    }

    async fn get_topic(&self, _: Request<wire::TopicRequest>) -> Result<Response<wire::TopicInfo>, Status> {
        unsupported()
    }

    async fn publish(&self, _: Request<wire::PublishRequest>) -> Result<Response<wire::PublishResponse>, Status> {
        unsupported()
    }

    async fn publish_stream(
        &self,
        _: Request<Streaming<wire::PublishRequest>>,
    ) -> Result<Response<Self::PublishStreamStream>, Status> {
        unsupported()
    }

    async fn managed_subscribe(
        &self,
        _: Request<Streaming<wire::ManagedFetchRequest>>,
    ) -> Result<Response<Self::ManagedSubscribeStream>, Status> {
        unsupported()
    }
}

//! Streams of a server that misbehaves.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{Stream, StreamExt};
use orgsim::wire::pub_sub_server::{PubSub, PubSubServer};
use orgsim::wire::{
    ConsumerEvent, FetchRequest, FetchResponse, ManagedFetchRequest, ManagedFetchResponse, ProducerEvent,
    PublishRequest, PublishResponse, SchemaInfo, SchemaRequest, TopicInfo, TopicRequest,
};
use tandem::port::changes::{ChangeFeed, ChangeStream, ChangesError, EventBatch, From};
use tandem::salesforce::hosts::AllowedHosts;
use tandem::salesforce::pubsub::channels::{ChannelPool, StreamSettings};
use tandem::salesforce::pubsub::feed::TenantFeed;
use tandem_core::domain::ids::ReplayId;
use tandem_core::engine::inbound::ChangeKind;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use crate::rig::{ORG, Rig};

const SCHEMA: &str = r#"{"name":"ContactChangeEvent","type":"record","fields":[{"name":"ChangeEventHeader","type":
    {"name":"ChangeEventHeader","type":"record","fields":[{"name":"entityName","type":"string"}]}}]}"#;

#[derive(Clone)]
enum Step {
    Say(FetchResponse),
    Fail(Status),
    /// Nothing more, and no end.
    Silence,
}

#[derive(Default)]
struct Script {
    steps: Mutex<VecDeque<Step>>,
    schema: Mutex<Option<Result<String, Status>>>,
    asked: Mutex<Vec<FetchRequest>>,
    sessions: Mutex<Vec<[String; 3]>>,
    schemas_asked: Mutex<u32>,
}

struct Server(Arc<Script>);

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl PubSub for Server {
    type SubscribeStream = Responses<FetchResponse>;
    type PublishStreamStream = Responses<PublishResponse>;
    type ManagedSubscribeStream = Responses<ManagedFetchResponse>;

    async fn subscribe(
        &self,
        call: Request<Streaming<FetchRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let text = |key: &str| call.metadata().get(key).unwrap().to_str().unwrap().to_owned();
        self.0
            .sessions
            .lock()
            .unwrap()
            .push([text("accesstoken"), text("instanceurl"), text("tenantid")]);
        let script = Arc::clone(&self.0);
        let mut requests = call.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(request)) = requests.message().await {
                script.asked.lock().unwrap().push(request);
            }
        });
        let steps: Vec<_> = self.0.steps.lock().unwrap().drain(..).collect();
        let responses = futures::stream::iter(steps).then(|step| async {
            match step {
                Step::Say(response) => Ok(response),
                Step::Fail(status) => Err(status),
                Step::Silence => std::future::pending().await,
            }
        });
        Ok(Response::new(Box::pin(responses)))
    }

    async fn get_schema(&self, call: Request<SchemaRequest>) -> Result<Response<SchemaInfo>, Status> {
        *self.0.schemas_asked.lock().unwrap() += 1;
        let schema_json = self.0.schema.lock().unwrap().clone().unwrap_or(Ok(SCHEMA.to_owned()))?;
        Ok(Response::new(SchemaInfo {
            schema_json,
            schema_id: call.into_inner().schema_id,
            rpc_id: String::new(),
        }))
    }

    async fn get_topic(&self, _: Request<TopicRequest>) -> Result<Response<TopicInfo>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn publish(&self, _: Request<PublishRequest>) -> Result<Response<PublishResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn publish_stream(
        &self,
        _: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStreamStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn managed_subscribe(
        &self,
        _: Request<Streaming<ManagedFetchRequest>>,
    ) -> Result<Response<Self::ManagedSubscribeStream>, Status> {
        Err(Status::unimplemented(""))
    }
}

struct World {
    script: Arc<Script>,
    feed: TenantFeed,
    rig: Rig,
}

async fn world(steps: Vec<Step>, settings: StreamSettings) -> World {
    let script = Arc::new(Script::default());
    script.steps.lock().unwrap().extend(steps);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = PubSubServer::new(Server(Arc::clone(&script)));
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let rig = Rig::start().await;
    let pool = Arc::new(ChannelPool::new(settings).unwrap());
    let hosts = AllowedHosts::new(["127.0.0.1"]).unwrap();
    let feed = TenantFeed::new(pool, Arc::clone(&rig.keeper), &hosts, &url).unwrap();
    World { script, feed, rig }
}

async fn open(world: &World, from: From) -> Box<dyn ChangeStream> {
    world.feed.subscribe("/data/ChangeEvents".into(), from).await.unwrap()
}

async fn next(stream: &mut Box<dyn ChangeStream>) -> Result<EventBatch, ChangesError> {
    tokio::time::timeout(Duration::from_secs(20), stream.next())
        .await
        .expect("nothing came")
}

async fn first(steps: Vec<Step>) -> Result<EventBatch, ChangesError> {
    let world = world(steps, StreamSettings::default()).await;
    let mut stream = open(&world, From::Earliest).await;
    next(&mut stream).await
}

fn event(payload: &'static [u8], replay: &'static [u8]) -> ConsumerEvent {
    let produced = ProducerEvent {
        id: String::new(),
        schema_id: "S1".to_owned(),
        payload: payload.into(),
        headers: vec![],
    };
    ConsumerEvent {
        event: Some(produced),
        replay_id: replay.into(),
    }
}

fn response(events: Vec<ConsumerEvent>, latest: &'static [u8], pending: i32) -> Step {
    Step::Say(FetchResponse {
        events,
        latest_replay_id: latest.into(),
        rpc_id: String::new(),
        pending_num_requested: pending,
    })
}

const REPLAY: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 9, 0, 0];

#[tokio::test]
async fn the_first_request_and_the_session_are_what_the_contract_wants() {
    let world = world(
        vec![response(vec![], REPLAY, 100), Step::Silence],
        StreamSettings::default(),
    )
    .await;
    let mut stream = open(&world, From::After(ReplayId(REPLAY.into()))).await;
    assert_eq!(next(&mut stream).await.unwrap().latest, ReplayId(REPLAY.into()));
    let asked = world.script.asked.lock().unwrap().clone();
    assert_eq!(asked[0].topic_name, "/data/ChangeEvents");
    assert_eq!(
        (
            asked[0].replay_preset,
            asked[0].replay_id.as_ref(),
            asked[0].num_requested
        ),
        (2, REPLAY, 100)
    );
    let sessions = world.script.sessions.lock().unwrap().clone();
    let want = [
        "00D000000000001!token1".to_owned(),
        world.rig.stub.url(),
        ORG.1.to_owned(),
    ];
    assert_eq!(sessions, [want]);
}

#[tokio::test]
async fn a_silent_stream_is_dead_after_its_time() {
    let settings = StreamSettings {
        silent_after: Duration::from_millis(150),
        ..StreamSettings::default()
    };
    let world = world(vec![response(vec![], REPLAY, 100), Step::Silence], settings).await;
    let mut stream = open(&world, From::Earliest).await;
    next(&mut stream).await.unwrap();
    let ChangesError::Broken { detail, .. } = next(&mut stream).await.unwrap_err() else {
        panic!("not broken")
    };
    assert!(detail.contains("nothing came for 150ms"), "{detail}");
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_told_in_time() {
    let dead = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let rig = Rig::start().await;
    let pool = Arc::new(ChannelPool::new(StreamSettings::default()).unwrap());
    let hosts = AllowedHosts::new(["127.0.0.1"]).unwrap();
    let feed = TenantFeed::new(pool, Arc::clone(&rig.keeper), &hosts, &format!("http://{dead}")).unwrap();
    let mut stream = feed
        .subscribe("/data/ChangeEvents".into(), From::Earliest)
        .await
        .unwrap();
    assert!(matches!(next(&mut stream).await, Err(ChangesError::Broken { .. })));
}

#[tokio::test]
async fn events_that_cannot_be_read_ask_for_a_re_read_and_do_not_stop_the_stream() {
    let steps = vec![
        response(vec![event(b"junk", REPLAY), event(b"", REPLAY)], REPLAY, 98),
        Step::Silence,
    ];
    let batch = first(steps).await.unwrap();
    assert_eq!(batch.events.len(), 2);
    for event in &batch.events {
        assert_eq!(
            (event.kind, event.sobject.as_ref(), event.ids.len()),
            (ChangeKind::Overflow, "Contact", 0)
        );
        assert!(event.committed.0 > 1_700_000_000_000);
    }
    assert_eq!(batch.latest, ReplayId(REPLAY.into()));
}

#[tokio::test]
async fn a_schema_is_asked_for_once() {
    let three = || response(vec![event(b"", REPLAY)], REPLAY, 90);
    let world = world(
        vec![three(), three(), three(), Step::Silence],
        StreamSettings::default(),
    )
    .await;
    let mut stream = open(&world, From::Earliest).await;
    for _ in 0..3 {
        next(&mut stream).await.unwrap();
    }
    assert_eq!(*world.script.schemas_asked.lock().unwrap(), 1);
}

#[tokio::test]
async fn schemas_that_are_not_understood_do_not_lose_events() {
    let table = [
        (
            Ok(r#"{"name":"Invoice__ChangeEvent","type":"record","fields":[]}"#.to_owned()),
            Ok("Invoice__c"),
        ),
        (Ok("nonsense".to_owned()), Err("no schema")),
        (
            Err(Status::unavailable("The service is unavailable.")),
            Err("no schema: Unavailable"),
        ),
    ];
    for (schema, want) in table {
        let world = world(
            vec![response(vec![event(b"x", REPLAY)], REPLAY, 99), Step::Silence],
            StreamSettings::default(),
        )
        .await;
        *world.script.schema.lock().unwrap() = Some(schema);
        let mut stream = open(&world, From::Earliest).await;
        match (next(&mut stream).await, want) {
            (Ok(batch), Ok(sobject)) => {
                assert_eq!(
                    (batch.events[0].kind, batch.events[0].sobject.as_ref()),
                    (ChangeKind::Overflow, sobject)
                );
            }
            (Err(ChangesError::Broken { detail, .. }), Err(words)) => assert!(detail.contains(words), "{detail}"),
            (other, want) => panic!("{want:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn servers_that_break_the_contract_are_left() {
    let many: Vec<_> = (0..301).map(|_| event(b"", REPLAY)).collect();
    for (name, steps) in [
        ("no replay id", vec![response(vec![event(b"", b"")], REPLAY, 99)]),
        (
            "a short replay id",
            vec![response(vec![event(b"", &[1, 2, 3])], REPLAY, 99)],
        ),
        ("far too many events", vec![response(many, REPLAY, 0)]),
        ("an end without words", vec![]),
        (
            "an unknown error",
            vec![Step::Fail(Status::internal(
                "The service is unavailable. Try again later.",
            ))],
        ),
    ] {
        let end = first(steps).await;
        assert!(matches!(end, Err(ChangesError::Broken { .. })), "{name}: {end:?}");
    }
    // A keep-alive without a usable cursor is no cursor; the next one is.
    let steps = vec![response(vec![], b"", 100), response(vec![], REPLAY, 100), Step::Silence];
    assert_eq!(first(steps).await.unwrap().latest, ReplayId(REPLAY.into()));
}

#[tokio::test]
async fn what_came_before_the_error_is_delivered_before_it() {
    let mut status = Status::invalid_argument("words");
    let code = "sfdc.platform.eventbus.grpc.subscription.fetch.replayid.corrupted"
        .parse()
        .unwrap();
    status.metadata_mut().insert("error-code", code);
    let world = world(
        vec![response(vec![event(b"", REPLAY)], REPLAY, 99), Step::Fail(status)],
        StreamSettings::default(),
    )
    .await;
    let mut stream = open(&world, From::After(ReplayId(REPLAY.into()))).await;
    assert_eq!(next(&mut stream).await.unwrap().events.len(), 1);
    assert!(matches!(next(&mut stream).await, Err(ChangesError::CursorLost { .. })));
}

#[tokio::test]
async fn credit_is_topped_up_when_it_runs_low_and_never_asks_for_nothing() {
    let forty = || response((0..40).map(|_| event(b"", REPLAY)).collect(), REPLAY, 60);
    let world = world(
        vec![forty(), forty(), forty(), Step::Silence],
        StreamSettings::default(),
    )
    .await;
    let mut stream = open(&world, From::Earliest).await;
    for _ in 0..3 {
        assert_eq!(next(&mut stream).await.unwrap().events.len(), 40);
    }
    // When credit was found low, as much again was asked for, and no more than 100 were ever owed.
    let asked = || {
        world
            .script
            .asked
            .lock()
            .unwrap()
            .iter()
            .map(|r| r.num_requested)
            .collect::<Vec<_>>()
    };
    while asked().len() < 2 {
        tokio::task::yield_now().await;
    }
    let asked = asked();
    assert!(asked.iter().all(|n| (1..=100).contains(n)), "{asked:?}");
    assert!((150..=220).contains(&asked.iter().sum::<i32>()), "{asked:?}");
}

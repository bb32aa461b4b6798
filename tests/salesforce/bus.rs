//! Change events of the simulated org's bus, through the feed that the engine uses.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use orgsim::bus::{Bus, BusOptions, serve};
use orgsim::commit::{ChangeKind as RowKind, Commit, CommitSink, Disturbance, RowChange};
use orgsim::directory::{Directory, EntityField, EntitySchema};
use serde_json::{Value, json};
use tandem::port::changes::{ChangeFeed, ChangeStream, ChangesError, EventBatch, From};
use tandem::salesforce::hosts::AllowedHosts;
use tandem::salesforce::pubsub::channels::{ChannelPool, StreamSettings};
use tandem::salesforce::pubsub::feed::TenantFeed;
use tandem_core::domain::ids::ReplayId;
use tandem_core::engine::inbound::{ChangeEvent, ChangeKind, SalesforceValue};

use crate::rig::{ORG, React, Rig};

const TOPIC: &str = "/data/ChangeEvents";
/// Far above what anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// One org with Contact; tokens `…!token1` to `…!tokenN` may be allowed one by one.
struct Directories {
    good: std::sync::Mutex<Vec<String>>,
}

impl Directory for Directories {
    fn authorise(&self, org_id: &str, token: &str) -> Option<String> {
        let good = self.good.lock().unwrap();
        (org_id == ORG.1 && good.iter().any(|g| token.ends_with(g.as_str()))).then(|| ORG.1.to_owned())
    }

    fn entity(&self, _: &str, entity: &str) -> Option<EntitySchema> {
        let mut place = 0;
        let mut field = |name: &str, sf_type: &str, compound: Option<&str>| {
            place += 1;
            EntityField {
                name: name.to_owned(),
                sf_type: sf_type.to_owned(),
                custom_field_id: None,
                compound: compound.map(str::to_owned),
                place,
            }
        };
        (entity == "Contact").then(|| EntitySchema {
            name: "Contact".to_owned(),
            fields: vec![
                field("Id", "id", None),
                field("LastName", "string", Some("Name")),
                field("FirstName", "string", Some("Name")),
                field("Salutation", "picklist", Some("Name")),
                field("Name", "string", None),
                field("MailingStreet", "textarea", Some("MailingAddress")),
                field("MailingCity", "string", Some("MailingAddress")),
                field("MailingPostalCode", "string", Some("MailingAddress")),
                field("MailingAddress", "address", None),
                field("Email", "email", None),
                field("Birthdate", "date", None),
                field("Tandem_Seq__c", "double", None),
                field("LastModifiedDate", "datetime", None),
            ],
        })
    }

    fn captured(&self, _: &str) -> Vec<String> {
        vec!["Contact".to_owned()]
    }
}

/// A bus, its server, and a tenant that reads it.
struct World {
    bus: Arc<Bus>,
    directory: Arc<Directories>,
    rig: Rig,
    pool: Arc<ChannelPool>,
    feed: TenantFeed,
    commits: std::cell::Cell<i64>,
}

/// As live orgs have it, with more keep-alives.
fn quick() -> BusOptions {
    BusOptions {
        keep_alive: Duration::from_millis(50),
        ..BusOptions::default()
    }
}

impl World {
    async fn start(options: BusOptions, settings: StreamSettings) -> Self {
        let directory = Arc::new(Directories {
            good: std::sync::Mutex::new(vec!["token1".to_owned()]),
        });
        let bus = Bus::with_options(directory.clone(), 7, options);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(Arc::clone(&bus), listener, None, std::future::pending()));
        let rig = Rig::start().await;
        let pool = Arc::new(ChannelPool::new(settings).unwrap());
        let hosts = AllowedHosts::new(["127.0.0.1"]).unwrap();
        let feed = TenantFeed::new(Arc::clone(&pool), Arc::clone(&rig.keeper), &hosts, &url).unwrap();
        Self {
            bus,
            directory,
            rig,
            pool,
            feed,
            commits: std::cell::Cell::new(0),
        }
    }

    async fn usual() -> Self {
        Self::start(quick(), StreamSettings::default()).await
    }

    fn commit(&self, kind: RowKind, id: &str, before: Value, after: Value) {
        let number = self.commits.get() + 1;
        self.commits.set(number);
        let contact = self.directory.entity(ORG.1, "Contact").unwrap();
        let row = |value: &Value| {
            let members = value.as_object().filter(|members| !members.is_empty())?;
            Some(Arc::new(contact.row(members).unwrap()))
        };
        let change = RowChange {
            entity: "Contact".into(),
            id: id.into(),
            kind,
            before: row(&before),
            after: row(&after),
        };
        self.bus.publish(Commit {
            org_id: ORG.1.to_owned(),
            transaction_key: format!("00065380-d1a9-a64a-9341-{number:012}"),
            commit_ms: 1_714_170_102_000,
            commit_number: number,
            commit_user: "005000000000001AAA".to_owned(),
            change_origin: "com/salesforce/api/rest/67.0;client=tandem".to_owned(),
            changes: vec![change],
        });
    }

    fn create(&self, email: &str) {
        self.commit(
            RowKind::Create,
            ID,
            json!({}),
            json!({"Id": ID, "LastName": "Doe", "Email": email}),
        );
    }

    async fn subscribe(&self, from: From) -> Box<dyn ChangeStream> {
        self.feed.subscribe(TOPIC.into(), from).await.unwrap()
    }

    /// Subscribes to new events and waits for a keep-alive: from then on nothing is missed.
    async fn listen(&self) -> Box<dyn ChangeStream> {
        let mut stream = self.subscribe(From::Earliest).await;
        assert!(next(&mut stream).await.unwrap().events.is_empty());
        stream
    }
}

const ID: &str = "003000000000001AAA";

async fn next(stream: &mut Box<dyn ChangeStream>) -> Result<EventBatch, ChangesError> {
    tokio::time::timeout(LONG, stream.next()).await.expect("nothing came")
}

/// The next events; keep-alives are passed over.
async fn events(stream: &mut Box<dyn ChangeStream>, count: usize) -> Vec<ChangeEvent> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(next(stream).await.unwrap().events);
    }
    all
}

fn email(event: &ChangeEvent) -> String {
    match event.field("Email") {
        Some(SalesforceValue::Text(text)) => text.to_string(),
        other => panic!("no e-mail: {other:?}"),
    }
}

#[tokio::test]
async fn changes_of_the_org_arrive_decoded() {
    let world = World::usual().await;
    let mut stream = world.listen().await;
    let before = json!({"Id": ID, "LastName": "Doe", "FirstName": "Jane", "Name": "Jane Doe", "Email": "a@x",
        "MailingCity": "Bern", "MailingStreet": "Weg 1", "Birthdate": "1990-05-24", "Tandem_Seq__c": 1});
    let mut after = before.clone();
    for (field, value) in [
        ("FirstName", json!("June")),
        ("Name", json!("June Doe")),
        ("Email", Value::Null),
        ("MailingCity", json!("Basel")),
        ("MailingStreet", Value::Null),
        ("Tandem_Seq__c", json!(2)),
        ("LastModifiedDate", json!("2024-04-26T22:21:42.000+0000")),
    ] {
        after[field] = value;
    }
    world.commit(RowKind::Create, ID, json!({}), before.clone());
    world.commit(RowKind::Update, ID, before, after.clone());
    world.commit(RowKind::Delete, ID, after.clone(), json!({}));
    world.commit(RowKind::Undelete, ID, json!({}), after);

    let got = events(&mut stream, 4).await;
    assert_eq!(
        got.iter().map(|e| e.kind).collect::<Vec<_>>(),
        [
            ChangeKind::Create,
            ChangeKind::Update,
            ChangeKind::Delete,
            ChangeKind::Undelete
        ]
    );
    for event in &got {
        assert_eq!(
            (event.sobject.as_ref(), event.ids[0].to_string().as_str()),
            ("Contact", ID)
        );
        assert_eq!(event.origin.as_ref(), "com/salesforce/api/rest/67.0;client=tandem");
    }
    let text = |event: &ChangeEvent, name: &str| match event.field(name) {
        Some(SalesforceValue::Text(text)) => text.to_string(),
        other => panic!("{name}: {other:?}"),
    };
    let create = &got[0];
    assert_eq!(
        [
            text(create, "FirstName"),
            text(create, "MailingCity"),
            text(create, "Email")
        ],
        ["Jane", "Bern", "a@x"]
    );
    // 1990-05-24 as milliseconds since 1970.
    assert_eq!(create.field("Birthdate"), Some(&SalesforceValue::Int(643_507_200_000)));
    assert_eq!(create.field("MailingPostalCode"), Some(&SalesforceValue::Null));

    let mut update: Vec<_> = got[1].fields.iter().map(|(name, _)| name.as_ref()).collect();
    update.sort_unstable();
    assert_eq!(
        update,
        [
            "Email",
            "FirstName",
            "LastModifiedDate",
            "MailingCity",
            "MailingStreet",
            "Tandem_Seq__c"
        ]
    );
    assert_eq!(
        [text(&got[1], "FirstName"), text(&got[1], "MailingCity")],
        ["June", "Basel"]
    );
    assert_eq!(got[1].field("Email"), Some(&SalesforceValue::Null));
    assert_eq!(got[1].field("MailingStreet"), Some(&SalesforceValue::Null));
    assert_eq!(got[1].field("Tandem_Seq__c"), Some(&SalesforceValue::Double(2.0)));
    assert!(got[2].fields.is_empty());
    assert_eq!(text(&got[3], "FirstName"), "June");
}

#[tokio::test]
async fn a_stream_resumes_strictly_after_its_cursor() {
    let world = World::usual().await;
    let mut stream = world.listen().await;
    for n in 0..10 {
        world.create(&format!("{n}@x"));
    }
    let got = events(&mut stream, 10).await;
    drop(stream);
    let mut resumed = world.subscribe(From::After(got[3].replay_id.clone())).await;
    let rest: Vec<_> = events(&mut resumed, 6).await.iter().map(email).collect();
    assert_eq!(rest, ["4@x", "5@x", "6@x", "7@x", "8@x", "9@x"]);
}

#[tokio::test]
async fn a_batch_is_covered_by_its_cursor() {
    let world = World::usual().await;
    let mut stream = world.listen().await;
    for n in 0..250 {
        world.create(&format!("{n}@x"));
    }
    let mut seen = Vec::new();
    while seen.len() < 250 {
        let batch = next(&mut stream).await.unwrap();
        if batch.events.is_empty() {
            continue;
        }
        assert_eq!(batch.events.last().map(|e| &e.replay_id), Some(&batch.latest));
        assert!(batch.events.len() <= 100);
        seen.extend(batch.events.iter().map(email));
    }
    assert_eq!(seen, (0..250).map(|n| format!("{n}@x")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_consumer_that_does_not_ask_gets_no_more_than_the_buffer_holds_and_keeps_its_stream() {
    let options = BusOptions {
        idle_close: Duration::from_millis(400),
        ..quick()
    };
    let settings = StreamSettings {
        keep_open_every: Duration::from_millis(100),
        ..StreamSettings::default()
    };
    let world = World::start(options, settings).await;
    let mut stream = world.listen().await;
    for n in 0..1_000 {
        world.create(&format!("{n}@x"));
    }
    // The first credit is used up; then one event at a time keeps the stream open, far beyond the server's patience.
    while world.bus.delivered(ORG.1) < 110 {
        assert_eq!(world.bus.subscribers(ORG.1), 1, "the stream was closed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(world.bus.delivered(ORG.1) < 200);
    let got: Vec<_> = events(&mut stream, 1_000).await.iter().map(email).collect();
    assert_eq!(got, (0..1_000).map(|n| format!("{n}@x")).collect::<Vec<_>>());
}

#[tokio::test]
async fn keep_alives_move_the_cursor() {
    let world = World::usual().await;
    let mut stream = world.listen().await;
    world.create("a@x");
    let last = events(&mut stream, 1).await.remove(0).replay_id;
    let batch = next(&mut stream).await.unwrap();
    assert!(batch.events.is_empty());
    assert!(batch.latest.0 >= last.0, "the cursor went back");
    world.create("b@x");
    let mut resumed = world.subscribe(From::After(batch.latest)).await;
    assert_eq!(email(&events(&mut resumed, 1).await[0]), "b@x");
}

#[tokio::test]
async fn lost_cursors_are_told_whatever_their_cause() {
    let world = World::usual().await;
    let mut stream = world.listen().await;
    world.create("a@x");
    world.create("b@x");
    let got = events(&mut stream, 2).await;
    drop(stream);
    let expired = got[1].replay_id.0.to_vec();
    world.bus.disturb(
        ORG.1,
        Disturbance {
            expire_replay_before: Some(expired),
            ..Disturbance::default()
        },
    );
    for bad in [
        got[0].replay_id.0.clone(),
        (&b"25242328"[..]).into(),
        (&[0xff; 10][..]).into(),
        (&[1][..]).into(),
    ] {
        let mut stream = world.subscribe(From::After(ReplayId(bad.clone()))).await;
        let end = next(&mut stream).await.unwrap_err();
        assert!(matches!(end, ChangesError::CursorLost { .. }), "{bad:?}: {end}");
    }
}

#[tokio::test]
async fn gaps_are_told() {
    let world = World::usual().await;
    let mut stream = world.listen().await;
    world.bus.disturb(
        ORG.1,
        Disturbance {
            gap: true,
            ..Disturbance::default()
        },
    );
    world.create("a@x");
    let event = events(&mut stream, 1).await.remove(0);
    assert_eq!(
        (event.kind, event.ids.len(), event.fields.len()),
        (ChangeKind::Gap, 1, 0)
    );
}

#[tokio::test]
async fn used_up_deliveries_are_told() {
    let world = World::usual().await;
    let mut stream = world.listen().await;
    world.bus.set_delivery_allowance(ORG.1, Some(3));
    for n in 0..5 {
        world.create(&format!("{n}@x"));
    }
    let got = events(&mut stream, 3).await;
    let end = loop {
        if let Err(end) = next(&mut stream).await {
            break end;
        }
    };
    assert!(matches!(end, ChangesError::DeliveryLimit { .. }), "{end}");
    // After the end there is nothing more.
    assert!(matches!(next(&mut stream).await, Err(ChangesError::Broken { .. })));

    world.bus.set_delivery_allowance(ORG.1, None);
    let mut resumed = world.subscribe(From::After(got[2].replay_id.clone())).await;
    assert_eq!(
        events(&mut resumed, 2).await.iter().map(email).collect::<Vec<_>>(),
        ["3@x", "4@x"]
    );
}

#[tokio::test]
async fn a_refused_session_is_renewed_once() {
    let world = World::usual().await;
    *world.directory.good.lock().unwrap() = vec!["token2".to_owned()];
    let mut stream = world.listen().await;
    world.create("a@x");
    assert_eq!(email(&events(&mut stream, 1).await[0]), "a@x");
    assert_eq!(world.rig.stub.logins(), 2);

    // No token is good: one renewal, then the consumer is told.
    world.directory.good.lock().unwrap().clear();
    let mut stream = world.subscribe(From::Earliest).await;
    let end = next(&mut stream).await.unwrap_err();
    assert!(matches!(end, ChangesError::Unauthorised { .. }), "{end}");
    assert_eq!(world.rig.stub.logins(), 3);
}

#[tokio::test]
async fn a_refused_login_opens_no_stream() {
    let world = World::usual().await;
    world.rig.stub.next_login(React::json(
        400,
        r#"{"error":"invalid_grant","error_description":"inactive user"}"#,
    ));
    let mut stream = world.subscribe(From::Earliest).await;
    assert!(matches!(
        next(&mut stream).await,
        Err(ChangesError::Unauthorised { .. })
    ));
    assert_eq!(world.bus.subscribers(ORG.1), 0);
}

#[tokio::test]
async fn a_dropped_stream_is_closed_and_streams_share_a_channel() {
    let world = World::usual().await;
    let mut streams = Vec::new();
    for _ in 0..50 {
        streams.push(world.listen().await);
    }
    assert_eq!(world.bus.subscribers(ORG.1), 50);
    assert_eq!(world.pool.channels(), 1);
    world.create("a@x");
    for stream in &mut streams {
        assert_eq!(email(&events(stream, 1).await[0]), "a@x");
    }
    drop(streams);
    let closed = async {
        while world.bus.subscribers(ORG.1) > 0 || world.pool.channels() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, closed)
        .await
        .expect("streams were left open");
}

#[tokio::test]
async fn an_unknown_topic_is_no_lost_cursor() {
    let world = World::usual().await;
    let mut stream = world
        .feed
        .subscribe("/data/NothingChangeEvent".into(), From::Earliest)
        .await
        .unwrap();
    assert!(matches!(next(&mut stream).await, Err(ChangesError::Broken { .. })));
}

#[test]
fn pubsub_hosts_are_checked_and_pools_need_a_runtime() {
    assert!(ChannelPool::new(StreamSettings::default()).is_err());
    let hosts = AllowedHosts::default();
    assert!(hosts.check_pubsub("https://api.pubsub.salesforce.com:7443").is_ok());
    assert!(hosts.check_pubsub("http://api.pubsub.salesforce.com:7443").is_err());
    assert!(hosts.check_pubsub("https://pubsub.evil.com:7443").is_err());
}

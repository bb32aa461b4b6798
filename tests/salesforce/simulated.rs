//! The whole adapter against the simulated org: its REST API, its logins, its faults and its event bus.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use orgsim::bus::{Bus, BusOptions};
use orgsim::{Options, Simulator};
use serde_json::{Value, json};
use tandem::port::changes::{ChangeFeed, From};
use tandem::port::org::{FindCall, Org, WriteAnswer, WriteCall, WriteRow};
use tandem::salesforce::auth::Login;
use tandem::salesforce::client::Http;
use tandem::salesforce::org::TenantOrg;
use tandem::salesforce::pubsub::channels::{ChannelPool, StreamSettings};
use tandem::salesforce::pubsub::feed::TenantFeed;
use tandem::salesforce::session::SessionKeeper;
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::engine::call::Literal;
use tandem_core::engine::classify::{Class, RowFault, RowOutcome};
use tandem_core::engine::commit::Verb;
use tandem_core::engine::inbound::{ChangeKind, SalesforceValue};

use crate::rig::{http, org, tenant};
use crate::tokens::MemoryTokens;

/// A simulator with one org, its bus, and a tenant that is bound to it.
pub(crate) struct World {
    simulator: Simulator,
    pubsub_url: String,
    described: Value,
    http: Arc<Http>,
    keeper: Arc<SessionKeeper>,
    pub(crate) org: TenantOrg,
}

impl World {
    pub(crate) async fn start() -> Self {
        let mut made = None;
        let options = BusOptions {
            keep_alive: Duration::from_millis(50),
            ..BusOptions::default()
        };
        let simulator = Simulator::start_with(Options::default(), |directory| {
            let bus = Bus::with_options(directory, 7, options);
            made = Some(Arc::clone(&bus));
            bus
        })
        .await
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pubsub_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(orgsim::bus::serve(
            made.unwrap(),
            listener,
            None,
            std::future::pending(),
        ));
        let described = simulator.orgs().remove(0);
        let http = http(Duration::from_secs(20));
        let text = |key: &str| described[key].as_str().unwrap();
        let login = Login::client_credentials(
            http.hosts(),
            text("login_url"),
            text("client_id"),
            text("client_secret").to_owned().into(),
            Some(text("org_id")),
        )
        .unwrap();
        let keeper = keeper(&http, login);
        let org = org(&http, &keeper, None);
        Self {
            simulator,
            pubsub_url,
            described,
            http,
            keeper,
            org,
        }
    }

    /// The org's clock goes ahead by so many milliseconds.
    pub(crate) async fn later(&self, ms: u64) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/clock", self.simulator.admin_url());
        let answer = client.post(url).json(&json!({ "offset_ms": ms })).send().await.unwrap();
        assert!(answer.status().is_success());
    }

    pub(crate) async fn admin(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/orgs/acme/{path}", self.simulator.admin_url());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.post(url).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap_or_default()
    }

    async fn write(&self, verb: Verb, id: Option<SalesforceId>, members: &str) -> WriteAnswer {
        let rows = vec![WriteRow {
            id,
            members: Bytes::copy_from_slice(members.as_bytes()),
        }];
        let (sobject, external_id) = ("Contact".into(), "Tandem_Key__c".into());
        self.org
            .write(WriteCall {
                sobject,
                verb,
                external_id,
                rows,
            })
            .await
    }

    pub(crate) async fn create(&self, key: &str) -> SalesforceId {
        let members = format!(r#""Tandem_Key__c":"{key}","LastName":"Doe","Tandem_Seq__c":5"#);
        match done(self.write(Verb::Create, None, &members).await) {
            (id, true) => id,
            (id, false) => panic!("{id} was there"),
        }
    }
}

fn keeper(http: &Arc<Http>, login: Login) -> Arc<SessionKeeper> {
    Arc::new(SessionKeeper::new(
        tenant(),
        login,
        Arc::clone(http),
        Arc::new(MemoryTokens::default()),
    ))
}

fn done(answer: WriteAnswer) -> (SalesforceId, bool) {
    match answer.outcome.unwrap().remove(0) {
        RowOutcome::Done { id, created } => (id, created),
        RowOutcome::Failed(fault) => panic!("{fault:?}: {}", fault.message.expose()),
    }
}

fn failed(answer: WriteAnswer) -> RowFault {
    match answer.outcome.unwrap().remove(0) {
        RowOutcome::Failed(fault) => fault,
        RowOutcome::Done { id, .. } => panic!("{id} was written"),
    }
}

#[tokio::test]
async fn a_record_lives_and_dies() {
    let world = World::start().await;
    let id = world.create("c1").await;
    let again = world
        .write(
            Verb::Create,
            None,
            r#""Tandem_Key__c":"c1","LastName":"Doe","Tandem_Seq__c":5"#,
        )
        .await;
    let usage = again.usage.unwrap();
    assert_eq!((usage.used, usage.limit), (2, 100_000));
    assert_eq!(done(again), (id, false), "a create that is sent twice finds the first");

    let update = world
        .write(
            Verb::Update,
            Some(id),
            r#""Email":"jane@example.com","Tandem_Seq__c":6"#,
        )
        .await;
    assert_eq!(done(update), (id, false));

    let fields = ["Email", "Tandem_Seq__c"].map(Into::into).to_vec();
    let missing = SalesforceId::parse("003000000ZZZZZZ").unwrap();
    let rows = world
        .org
        .read("Contact".into(), vec![id, missing], fields)
        .await
        .unwrap();
    let read: Value = serde_json::from_slice(rows[0].fields.as_ref().unwrap()).unwrap();
    assert_eq!(
        (&read["Email"], read["Tandem_Seq__c"].as_f64()),
        (&json!("jane@example.com"), Some(6.0))
    );
    assert_eq!((rows[0].id, rows[1].fields.as_ref()), (id, None));

    // The fence refuses what is older.
    let fault = failed(
        world
            .write(Verb::Update, Some(id), r#""Email":"old@example.com","Tandem_Seq__c":4"#)
            .await,
    );
    assert_eq!((fault.class, fault.fields[0].as_ref()), (Class::Fence, "Tandem_Seq__c"));
    // The key is written once.
    let fault = failed(
        world
            .write(Verb::Update, Some(id), r#""Tandem_Key__c":"other","Tandem_Seq__c":7"#)
            .await,
    );
    assert_eq!(fault.class, Class::Conflict);

    assert_eq!(done(world.write(Verb::Delete, Some(id), "").await), (id, false));
    let fault = failed(
        world
            .write(Verb::Update, Some(id), r#""Email":"a@example.com","Tandem_Seq__c":8"#)
            .await,
    );
    assert_eq!((fault.class, fault.code.as_ref()), (Class::Gone, "ENTITY_IS_DELETED"));
    let fault = failed(world.write(Verb::Delete, Some(id), "").await);
    assert_eq!(fault.class, Class::Gone);
}

#[tokio::test]
async fn two_hundred_rows_are_answered_in_order() {
    let world = World::start().await;
    let row = |n: usize| {
        let last = if n % 10 == 3 {
            String::new()
        } else {
            format!(r#","LastName":"L{n}""#)
        };
        WriteRow {
            id: None,
            members: format!(r#""Tandem_Key__c":"k{n}"{last}"#).into(),
        }
    };
    let (sobject, external_id) = ("Contact".into(), "Tandem_Key__c".into());
    let rows = (0..200).map(row).collect();
    let answer = world
        .org
        .write(WriteCall {
            sobject,
            verb: Verb::Create,
            external_id,
            rows,
        })
        .await;
    let outcomes = answer.outcome.unwrap();
    assert_eq!(outcomes.len(), 200);
    for (n, outcome) in outcomes.iter().enumerate() {
        match outcome {
            RowOutcome::Done { created, .. } => assert!(*created && n % 10 != 3, "{n}"),
            RowOutcome::Failed(fault) => {
                assert_eq!(
                    (n % 10, fault.class, fault.code.as_ref()),
                    (3, Class::Reject, "REQUIRED_FIELD_MISSING")
                );
            }
        }
    }
}

#[tokio::test]
async fn records_are_found_by_values_whatever_their_case() {
    let world = World::start().await;
    for n in 0..450 {
        let email = if n < 3 {
            "Ada.O'Hara@x.org".to_owned()
        } else {
            format!("p{n}@x.org")
        };
        let fields = json!({"LastName": "Lovelace", "Email": email});
        world
            .admin("edit", json!({"entity": "Contact", "op": "create", "fields": fields}))
            .await;
    }
    let find = |values: Vec<String>| {
        let values = values.into_iter().map(Literal::Text).collect();
        world.org.find(FindCall {
            sobject: "Contact".into(),
            fields: vec!["Email".into(), "Tandem_Key__c".into(), "SystemModstamp".into()],
            any_of: vec![("Email".into(), values)],
        })
    };
    let same = find(vec!["ADA.O'HARA@X.ORG".to_owned(), "nobody@x.org".to_owned()])
        .await
        .unwrap();
    assert_eq!(
        same.len(),
        3,
        "SOQL compares without regard to case, and a quote ends nothing"
    );
    let fields: Value = serde_json::from_slice(same[0].fields.as_ref().unwrap()).unwrap();
    assert_eq!(
        (&fields["Email"], &fields["Tandem_Key__c"]),
        (&json!("Ada.O'Hara@x.org"), &Value::Null)
    );
    assert!(fields["SystemModstamp"].is_string());
    let most: Vec<String> = (0..FindCall::ROWS_MAX).map(|n| format!("p{}@x.org", n + 3)).collect();
    assert_eq!(
        find(most).await.unwrap().len(),
        FindCall::ROWS_MAX,
        "200 values fit into one call"
    );
}

#[tokio::test]
async fn a_describe_names_the_fields() {
    let world = World::start().await;
    let body = world.org.describe("Contact".into()).await.unwrap();
    let described: Value = serde_json::from_slice(&body).unwrap();
    let fields = described["fields"].as_array().unwrap();
    assert!(
        fields
            .iter()
            .any(|f| f["name"] == "Tandem_Key__c" && f["externalId"] == true)
    );
    let fault = world.org.describe("Nothing__c".into()).await.unwrap_err();
    assert_eq!((fault.status, fault.code.as_ref()), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn expired_tokens_are_renewed_in_passing() {
    let world = World::start().await;
    let id = world.create("c1").await;
    world.admin("expire-tokens", json!({})).await;
    let answer = world.write(Verb::Update, Some(id), r#""Tandem_Seq__c":6"#).await;
    assert_eq!(answer.requests, 3, "refused, login, again");
    assert_eq!(done(answer), (id, false));
}

#[tokio::test]
async fn an_assertion_is_accepted_when_the_app_knows_its_key() {
    let world = World::start().await;
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let pem = |label: &str, der: &[u8]| {
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            STANDARD.encode(der)
        )
    };
    let private = pem("PRIVATE KEY", AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref());
    let public = AsDer::<PublicKeyX509Der<'_>>::as_der(aws_lc_rs::signature::KeyPair::public_key(&pair)).unwrap();
    let text = |key: &str| world.described[key].as_str().unwrap();
    let login = || {
        let hosts = world.http.hosts();
        let key = private.clone().into();
        let audience = "https://login.salesforce.com";
        Login::jwt_bearer(
            hosts,
            text("login_url"),
            text("client_id"),
            text("username"),
            audience,
            &key,
            None,
        )
        .unwrap()
    };
    // The app does not know the key yet.
    let fault = org(&world.http, &keeper(&world.http, login()), None)
        .session()
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        (fault.class, fault.code.as_ref()),
        (Class::Reauthorise, "invalid_grant")
    );

    world
        .admin("jwt-key", json!({"public_key_pem": pem("PUBLIC KEY", public.as_ref())}))
        .await;
    let session = org(&world.http, &keeper(&world.http, login()), None)
        .session()
        .await
        .unwrap();
    assert_eq!(session.org_id, text("org_id"));
}

#[tokio::test]
async fn faults_of_the_org_end_as_they_should() {
    let world = World::start().await;
    let id = world.create("c1").await;
    let table = [
        (
            json!({"kind": "status", "status": 503, "percent": 100}),
            Class::Retry,
            false,
        ),
        (
            json!({"kind": "status", "status": 500, "percent": 100}),
            Class::Unknown,
            false,
        ),
        (
            json!({"kind": "status", "status": 502, "percent": 100}),
            Class::Unknown,
            false,
        ),
        (
            json!({"kind": "status", "status": 420, "percent": 100}),
            Class::Retry,
            false,
        ),
        (json!({"kind": "drop", "percent": 100}), Class::Unknown, true),
        (json!({"kind": "truncate", "percent": 100}), Class::Unknown, true),
    ];
    for (n, (rule, class, applied)) in table.into_iter().enumerate() {
        let seq = 10 + n;
        world.admin("faults", json!({"rules": [rule]})).await;
        let answer = world
            .write(Verb::Update, Some(id), &format!(r#""Tandem_Seq__c":{seq}"#))
            .await;
        assert_eq!(answer.outcome.unwrap_err().class, class, "{rule}");
        world.admin("faults", json!({"rules": []})).await;
        let rows = world
            .org
            .read("Contact".into(), vec![id], vec!["Tandem_Seq__c".into()])
            .await
            .unwrap();
        let read: Value = serde_json::from_slice(rows[0].fields.as_ref().unwrap()).unwrap();
        assert_eq!(read["Tandem_Seq__c"].as_f64() == Some(seq as f64), applied, "{rule}");
    }
    world
        .admin("faults", json!({"rules": [{"kind": "lock", "percent": 100}]}))
        .await;
    let fault = failed(world.write(Verb::Update, Some(id), r#""Tandem_Seq__c":99"#).await);
    assert_eq!((fault.class, fault.code.as_ref()), (Class::Retry, "UNABLE_TO_LOCK_ROW"));
}

#[tokio::test]
async fn own_writes_and_peoples_edits_come_back_as_events() {
    let world = World::start().await;
    let pool = Arc::new(ChannelPool::new(StreamSettings::default()).unwrap());
    let feed = TenantFeed::new(pool, Arc::clone(&world.keeper), world.http.hosts(), &world.pubsub_url).unwrap();
    let mut stream = feed
        .subscribe("/data/ChangeEvents".into(), From::Earliest)
        .await
        .unwrap();
    assert!(
        stream.next().await.unwrap().events.is_empty(),
        "a keep-alive says that the stream stands"
    );

    let id = world.create("c1").await;
    world
        .admin(
            "edit",
            json!({"entity": "Contact", "op": "update", "key": "c1", "as": "human",
                   "fields": {"Email": "jane@example.com", "MailingCity": "Bern", "FirstName": "Jane"}}),
        )
        .await;
    let mut events = Vec::new();
    while events.len() < 2 {
        events.extend(stream.next().await.unwrap().events);
    }
    let [create, update] = &events[..] else {
        panic!("{} events", events.len())
    };
    assert_eq!((create.kind, &create.ids), (ChangeKind::Create, &vec![id]));
    // The name of the client is not documented to arrive with collections: nothing may depend on it.
    assert!(
        create.origin.starts_with("com/salesforce/api/rest/67.0"),
        "{}",
        create.origin
    );
    assert_eq!(create.field("Tandem_Key__c"), Some(&SalesforceValue::Text("c1".into())));
    assert_eq!(create.field("Tandem_Seq__c"), Some(&SalesforceValue::Double(5.0)));
    assert_eq!((update.kind, update.origin.as_ref()), (ChangeKind::Update, ""));
    assert_ne!(update.commit_user, create.commit_user);
    for (name, value) in [
        ("Email", "jane@example.com"),
        ("MailingCity", "Bern"),
        ("FirstName", "Jane"),
    ] {
        assert_eq!(update.field(name), Some(&SalesforceValue::Text(value.into())), "{name}");
    }
    assert_eq!(update.field("Tandem_Key__c"), None);
}

//! Changes by polling, against the simulated org.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tandem::port::changes::{ChangeFeed, ChangeStream, ChangesError, EventBatch, From};
use tandem::salesforce::poll::feed::{PollFeed, PollSettings};
use tandem_core::domain::ids::{FieldIdx, ReplayId};
use tandem_core::domain::plan::{Direction, FieldPlan, Kind, ObjectPlan, Policy, TenantPlan};
use tandem_core::engine::inbound::{ChangeEvent, ChangeKind, SalesforceValue};

use crate::simulated::World;

fn plan() -> TenantPlan {
    let field = |idx: u16, name: &str, salesforce: &str| FieldPlan {
        idx: FieldIdx(idx),
        name: name.into(),
        salesforce: salesforce.into(),
        kind: Kind::Text,
        direction: Direction::Both,
        on_conflict: Policy::Salesforce,
        personal: false,
        required: false,
        references: None,
        values: BTreeMap::default(),
        scale: None,
        group: None,
    };
    let object = ObjectPlan {
        object: "contact".into(),
        sobject: "Contact".into(),
        external_id: "Tandem_Key__c".into(),
        sequence: Some("Tandem_Seq__c".into()),
        direction: Direction::Both,
        fields: vec![field(0, "email", "Email"), field(1, "city", "MailingCity")],
        groups: Vec::new(),
        matching: None,
        version: 1,
        rank: 0,
    };
    TenantPlan {
        objects: vec![std::sync::Arc::new(object)],
    }
}

async fn polled(world: &World, from: From) -> Result<Box<dyn ChangeStream>, ChangesError> {
    let settings = PollSettings {
        every: Duration::from_millis(20),
        phase: 0.0,
    };
    PollFeed::new(&world.org, &plan(), settings)
        .subscribe("poll".into(), from)
        .await
}

/// The next batch with anything in it.
async fn news(stream: &mut Box<dyn ChangeStream>) -> EventBatch {
    let heard = async {
        loop {
            let batch = stream.next().await.unwrap();
            if !batch.events.is_empty() {
                return batch;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), heard)
        .await
        .expect("something is seen")
}

fn one(batch: EventBatch) -> ChangeEvent {
    assert_eq!(batch.events.len(), 1, "{:?}", batch.events);
    batch.events.into_iter().next().unwrap()
}

#[tokio::test]
async fn what_changed_is_seen_whole_and_once() {
    let world = World::start().await;
    let mut stream = polled(&world, From::Earliest).await.unwrap();
    assert!(
        stream.next().await.unwrap().events.is_empty(),
        "a round that found nothing moves the place"
    );
    let id = world.create("c1").await;
    let edit = |op: &str, fields: serde_json::Value| {
        let body = json!({"entity": "Contact", "op": op, "id": id.to_string(), "as": "human", "fields": fields});
        world.admin("edit", body)
    };
    let seen = one(news(&mut stream).await);
    assert_eq!((seen.kind, &seen.ids), (ChangeKind::Seen, &vec![id]));
    assert_eq!(seen.field("Tandem_Key__c"), Some(&SalesforceValue::Text("c1".into())));
    assert_eq!(
        seen.field("Email"),
        Some(&SalesforceValue::Null),
        "what is not set is told"
    );
    assert!(stream.next().await.unwrap().events.is_empty(), "it is told once");
    edit("update", json!({"Email": "joan@example.com"})).await;
    let joan = SalesforceValue::Text("joan@example.com".into());
    assert_eq!(
        one(news(&mut stream).await).field("Email"),
        Some(&joan),
        "whichever second that was"
    );
    world.later(2_000).await;
    edit("update", json!({"Email": "jane@example.com"})).await;
    let batch = news(&mut stream).await;
    let latest = batch.latest.clone();
    assert_eq!(
        one(batch).field("Email"),
        Some(&SalesforceValue::Text("jane@example.com".into()))
    );
    world.later(4_000).await;
    edit("delete", json!({})).await;
    let gone = one(news(&mut stream).await);
    assert_eq!((gone.kind, gone.fields.len()), (ChangeKind::Delete, 0));
    world.later(6_000).await;
    edit("undelete", json!({})).await;
    assert_eq!(one(news(&mut stream).await).kind, ChangeKind::Seen);

    let mut later = polled(&world, From::After(latest)).await.unwrap();
    let again = one(news(&mut later).await);
    assert_eq!(
        (again.kind, &again.ids),
        (ChangeKind::Seen, &vec![id]),
        "a new stream looks back"
    );
}

#[tokio::test]
async fn many_rows_of_one_second_come_each_once() {
    let world = World::start().await;
    let rows: Vec<_> = (0..4_500).map(|n| json!({"LastName": format!("n{n}")})).collect();
    world.admin("load", json!({"entity": "Contact", "rows": rows})).await;
    let mut stream = polled(&world, From::Earliest).await.unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for most in [2_000, 2_000, 500] {
        let batch = news(&mut stream).await;
        assert_eq!(batch.events.len(), most);
        seen.extend(batch.events.iter().map(|event| event.ids[0]));
    }
    assert_eq!(seen.len(), 4_500);
    assert!(stream.next().await.unwrap().events.is_empty());
}

#[tokio::test]
async fn a_place_of_something_else_is_lost_and_an_outage_is_said() {
    let world = World::start().await;
    for foreign in [
        &b""[..],
        b"\x00\x00\x00\x00\x00\x2c\x5e\x6f\x00\x00",
        b"\x01\x07Contact",
    ] {
        let refused = polled(&world, From::After(ReplayId(foreign.to_vec().into()))).await;
        assert!(matches!(refused, Err(ChangesError::CursorLost { .. })), "{foreign:?}");
    }
    let rule = json!({"rules": [{"kind": "status", "status": 503, "path": "/queryAll"}]});
    world.admin("faults", rule).await;
    let mut stream = polled(&world, From::Earliest).await.unwrap();
    let broken = stream.next().await.unwrap_err().to_string();
    assert!(broken.contains("a poll failed"), "{broken}");
    let body = r#"[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]"#;
    let rule = json!({"rules": [{"kind": "status", "status": 403, "path": "/queryAll", "body": body}]});
    world.admin("faults", rule).await;
    let refused = stream.next().await.unwrap_err();
    assert!(matches!(refused, ChangesError::CallLimit { .. }), "{refused}");
    world.admin("faults", json!({"rules": []})).await;
    assert!(
        stream.next().await.unwrap().events.is_empty(),
        "the same look is made again"
    );
}

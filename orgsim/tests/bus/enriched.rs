//! The custom channel: the key on updates and deletes, merged events taken apart (Change Data Capture guide,
//! "Considerations for Event Enrichment").

use orgsim::commit::{ChangeKind, CommitSink, Disturbance};
use orgsim::wire::ReplayPreset;
use serde_json::{Value, json};

use crate::client::Served;
use crate::orgs::{ORG, Orgs, change, commit, created, id};
use crate::reader::Told;

const CHANNEL: &str = "/data/Tandem__chn";

fn row(key: Option<&str>, email: &str) -> Value {
    json!({"Email": email, "Tandem_Key__c": key, "LastModifiedDate": "2024-04-26T22:21:42.000+0000"})
}

async fn told(served: &Served, events: usize) -> Vec<Told> {
    let mut call = served
        .client()
        .await
        .subscribe(CHANNEL, ReplayPreset::Earliest, b"", 100)
        .await;
    call.events(events).await
}

fn key(event: &Told) -> Option<&str> {
    event.body.get("Tandem_Key__c").map(|key| key.as_str().unwrap())
}

#[tokio::test]
async fn updates_and_deletes_carry_the_key() {
    let served = Served::new(Orgs::new());
    let update = change(
        "Contact",
        &id(1),
        ChangeKind::Update,
        row(Some("k1"), "a"),
        row(Some("k1"), "b"),
    );
    let delete = change("Contact", &id(1), ChangeKind::Delete, row(Some("k1"), "b"), json!({}));
    served.bus.publish(commit(1, vec![update]));
    served.bus.publish(commit(2, vec![delete]));
    let events = told(&served, 2).await;
    assert_eq!((key(&events[0]), key(&events[1])), (Some("k1"), Some("k1")));
    // The key is added, not changed.
    assert!(!events[0].changed.contains("Tandem_Key__c"));
    assert_eq!(events[0].body["Email"], "b");
    assert_eq!(events[1].body.len(), 1);
    // Other topics do not have it.
    let mut plain = served
        .client()
        .await
        .subscribe("/data/ChangeEvents", ReplayPreset::Earliest, b"", 2)
        .await;
    assert!(plain.events(2).await.iter().all(|event| key(event).is_none()));
}

#[tokio::test]
async fn gap_events_are_not_enriched() {
    let served = Served::new(Orgs::new());
    served.bus.disturb(
        ORG,
        Disturbance {
            gap: true,
            ..Disturbance::default()
        },
    );
    let update = change(
        "Contact",
        &id(1),
        ChangeKind::Update,
        row(Some("k1"), "a"),
        row(Some("k1"), "b"),
    );
    served.bus.publish(commit(1, vec![update]));
    let events = told(&served, 1).await;
    assert_eq!((events[0].kind.as_str(), events[0].body.len()), ("GAP_UPDATE", 0));
}

/// Ungrouped events share one replay id; each counts as one event of what was requested.
#[tokio::test]
async fn merged_events_are_taken_apart() {
    let served = Served::new(Orgs::new());
    let delete = |number: u32| {
        change(
            "Contact",
            &id(number),
            ChangeKind::Delete,
            row(Some(&format!("k{number}")), "a"),
            json!({}),
        )
    };
    served.bus.publish(commit(1, (1..=5).map(delete).collect()));
    served.bus.publish(commit(2, vec![created(6)]));
    let mut call = served
        .client()
        .await
        .subscribe(CHANNEL, ReplayPreset::Earliest, b"", 2)
        .await;
    let mut events = call.events(2).await;
    call.more(2).await;
    events.extend(call.events(2).await);
    call.more(100).await;
    events.extend(call.events(2).await);
    let keys: Vec<Option<&str>> = events.iter().map(key).collect();
    assert_eq!(
        keys,
        [Some("k1"), Some("k2"), Some("k3"), Some("k4"), Some("k5"), Some("k6")]
    );
    assert!(
        events[..5]
            .iter()
            .all(|event| event.records.len() == 1 && event.replay == events[0].replay)
    );
    assert_ne!(events[5].replay, events[0].replay);
    let mut plain = served
        .client()
        .await
        .subscribe("/data/ChangeEvents", ReplayPreset::Earliest, b"", 2)
        .await;
    assert_eq!(plain.events(2).await[0].records.len(), 5);
}

/// Enriched values are read at delivery: a replay shows newer ones.
#[tokio::test]
async fn a_replay_shows_the_key_of_now() {
    let served = Served::new(Orgs::new());
    let update = |before, after| vec![change("Contact", &id(1), ChangeKind::Update, before, after)];
    served.bus.publish(commit(1, update(row(None, "a"), row(None, "b"))));
    assert_eq!(key(&told(&served, 1).await[0]), None);
    served
        .bus
        .publish(commit(2, update(row(None, "b"), row(Some("k1"), "b"))));
    let events = told(&served, 2).await;
    assert_eq!((key(&events[0]), key(&events[1])), (Some("k1"), Some("k1")));
    assert!(!events[0].changed.contains("Tandem_Key__c") && events[1].changed.contains("Tandem_Key__c"));
}

/// An object without the field is on the channel as it is.
#[tokio::test]
async fn objects_without_key_are_delivered_unchanged() {
    let served = Served::new(Orgs::new());
    let update = change(
        "Visit__c",
        "a00000000000001AAA",
        ChangeKind::Update,
        json!({}),
        json!({"Rate__c": 1.5}),
    );
    served.bus.publish(commit(1, vec![update]));
    let events = told(&served, 1).await;
    assert_eq!(events[0].body["Rate__c"], 1.5);
}

//! The script `forward` against a real Redis.

use redis::AsyncCommands;
use redis::streams::StreamRangeReply;
use tandem::port::store::{Lane, OutboxEntry, StoreError};
use tandem::store::keys;
use tandem_core::domain::event::EventId;
use tandem_core::domain::ids::{Epoch, TenantName};
use tandem_core::domain::payload::RawJson;
use tandem_core::domain::stream::StreamId;
use tandem_core::engine::commit::{Commit, Script};
use tandem_core::engine::place::feed_partition;

use crate::fixture::*;

fn entry(at: StreamId, key: &str, revision: u64) -> OutboxEntry {
    OutboxEntry {
        id: at,
        event: changed(key, revision),
    }
}

async fn feed(o: &mut Owned, partition: u16) -> StreamRangeReply {
    o.raw.xrange_all(keys::events(partition)).await.unwrap()
}

fn home(o: &Owned, key: &str) -> u16 {
    feed_partition(&o.tenant, Some(&contact(key)), 4)
}

#[tokio::test]
async fn the_product_reads_the_contracts_fields() {
    let mut o = owned().await;
    o.lane
        .forward(&o.tenant, o.fence.epoch, vec![entry(id(1_000), "1", 7)])
        .await
        .unwrap();
    let partition = home(&o, "1");
    let feed = feed(&mut o, partition).await;
    let text = |name: &str| feed.ids[0].get::<String>(name).unwrap();
    let event_id = EventId::decode(&text("id")).unwrap();
    assert_eq!(
        (event_id.tenant, event_id.outbox, event_id.revision),
        (o.tenant.clone(), id(1_000), 7)
    );
    assert_eq!(event_id.says, changed("1", 7).says);
    assert_eq!(text("tenant"), "acme");
    assert_eq!(text("type"), "changed");
    assert_eq!((text("object"), text("key")), ("contact".into(), "1".into()));
    assert_eq!(text("salesforce_id"), sfid(4).to_string());
    assert_eq!(text("data"), "{\"email\":\"a\\u00e9@b\"}");
    assert_eq!(text("revision"), "7");
    assert_eq!(text("at"), "2023-11-14T22:13:20.123Z");
    assert_eq!(
        (text("traceparent"), text("detail")),
        ("00-aa-bb-01".into(), "{\"x\":1}".into())
    );
    assert!(!feed.ids[0].contains_key("says"));
}

#[tokio::test]
async fn a_record_is_always_in_the_same_partition_and_in_order() {
    let mut o = owned().await;
    let entries: Vec<_> = (1..=600).map(|n| entry(id(n), &(n % 30).to_string(), n)).collect();
    o.lane.forward(&o.tenant, o.fence.epoch, entries).await.unwrap();
    let (mut total, mut used) = (0, 0);
    for partition in 0..4 {
        let found = feed(&mut o, partition).await;
        used += usize::from(!found.ids.is_empty());
        let mut last = 0;
        for entry in &found.ids {
            assert_eq!(home(&o, &entry.get::<String>("key").unwrap()), partition);
            let revision: u64 = entry.get("revision").unwrap();
            assert!(revision > last);
            last = revision;
        }
        total += found.ids.len();
    }
    assert_eq!((total, used), (600, 4));
}

#[tokio::test]
async fn what_the_mark_covers_is_not_appended_again() {
    let mut o = owned().await;
    let partition = home(&o, "1");
    let first: Vec<_> = (1..=3).map(|n| entry(id(n), "1", n)).collect();
    o.lane.forward(&o.tenant, o.fence.epoch, first.clone()).await.unwrap();
    o.lane.forward(&o.tenant, o.fence.epoch, first).await.unwrap();
    let overlapping: Vec<_> = (2..=5).map(|n| entry(id(n), "1", n)).collect();
    o.lane
        .forward(&o.tenant, Epoch(o.fence.epoch.0 + 1), overlapping)
        .await
        .unwrap();
    let revisions: Vec<u64> = feed(&mut o, partition)
        .await
        .ids
        .iter()
        .map(|e| e.get("revision").unwrap())
        .collect();
    assert_eq!(revisions, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn an_older_owner_cannot_append_late() {
    let mut o = owned().await;
    let partition = home(&o, "1");
    o.lane
        .forward(&o.tenant, Epoch(20), vec![entry(id(1), "1", 1)])
        .await
        .unwrap();
    let late = o.lane.forward(&o.tenant, Epoch(19), vec![entry(id(2), "1", 2)]).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    assert_eq!(feed(&mut o, partition).await.ids.len(), 1);
}

#[tokio::test]
async fn tenants_have_marks_of_their_own() {
    let mut o = owned().await;
    let other = TenantName::new("globex").unwrap();
    o.lane
        .forward(&o.tenant, Epoch(20), vec![entry(id(900), "1", 1)])
        .await
        .unwrap();
    o.lane
        .forward(&other, Epoch(3), vec![entry(id(2), "1", 1)])
        .await
        .unwrap();
    let mut tenants = Vec::new();
    for partition in 0..4 {
        tenants.extend(
            feed(&mut o, partition)
                .await
                .ids
                .iter()
                .map(|e| e.get::<String>("tenant").unwrap()),
        );
    }
    tenants.sort();
    assert_eq!(tenants, ["acme", "globex"]);
}

#[tokio::test]
async fn an_event_of_five_megabytes_passes_byte_for_byte() {
    let mut o = owned().await;
    let big = format!("{{\"notes\":\"{}\\u0000\"}}", "ä".repeat(2_500_000));
    let mut event = changed("1", 1);
    event.data = Some(RawJson::from_checked(big.clone()));
    let fence = o.step();
    let commit = Commit {
        outbox: vec![event],
        ..Commit::default()
    };
    o.lane
        .commit(&o.tenant, &fence, Script::Emit, Box::new(commit))
        .await
        .unwrap();
    let out = o.lane.read_outbox(&o.tenant, StreamId::ZERO, 10).await.unwrap();
    o.lane.forward(&o.tenant, o.fence.epoch, out).await.unwrap();
    let partition = home(&o, "1");
    let data: String = feed(&mut o, partition).await.ids[0].get("data").unwrap();
    assert!(data == big, "the value changed on its way");
}

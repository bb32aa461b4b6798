//! The script `attach` against a real Redis.

use redis::AsyncCommands;
use tandem::port::store::{Lane, StoreError};
use tandem::store::keys;
use tandem_core::domain::ids::{Epoch, ReplayId};
use tandem_core::engine::commit::{Commit, Script};

use crate::fixture::*;
use crate::server::Server;

#[tokio::test]
async fn a_new_tenant_gets_the_layout_of_the_settings() {
    let mut o = owned().await;
    let owner = keys::owner(&o.tenant);
    let stored: Vec<String> = o
        .raw
        .hmget(&owner, &["node", "step", "partition_epoch", "buckets"])
        .await
        .unwrap();
    assert_eq!(stored, ["node-1", "0", "1", "8"]);
    assert_eq!(o.fence.step, 0);
}

#[tokio::test]
async fn the_epoch_is_the_time_and_grows_even_when_the_clock_stands() {
    let mut o = owned().await;
    let (now, _): (u64, u64) = redis::cmd("TIME").query_async(&mut o.raw).await.unwrap();
    assert!(o.fence.epoch.0.abs_diff(now * 1000) < 60_000);
    let ahead = o.fence.epoch.0 + 100_000_000;
    let _: () = o.raw.hset(keys::owner(&o.tenant), "epoch", ahead).await.unwrap();
    let next = o.lane.attach(&o.tenant, "node-2", Epoch(1)).await.unwrap();
    assert_eq!(next.fence.epoch, Epoch(ahead + 1));
    assert_ne!(next.fence.nonce, o.fence.nonce);
    assert!(next.redis_ms.abs_diff(now * 1000) < 60_000);
}

#[tokio::test]
async fn it_brings_intents_and_cursors() {
    let mut o = owned().await;
    let left = intent(batch(&o.fence, 1), &["1", "2"]);
    let fence = o.step();
    o.lane.begin(&o.tenant, &fence, left.clone(), vec![]).await.unwrap();
    let cursors = vec![(
        "/data/ChangeEvents".into(),
        ReplayId(vec![0, 255, 10, 13, 0, 0, 1, 2, 3, 4].into()),
    )];
    let commit = Commit {
        cursors: cursors.clone(),
        ..Commit::default()
    };
    let fence = o.step();
    o.lane
        .commit(&o.tenant, &fence, Script::Emit, Box::new(commit))
        .await
        .unwrap();
    let next = o.lane.attach(&o.tenant, "node-2", Epoch(2)).await.unwrap();
    assert_eq!(next.intents, vec![left]);
    assert_eq!(next.cursors, cursors);
}

#[tokio::test]
async fn a_tenant_keeps_its_buckets_when_the_setting_changes() {
    let mut o = owned().await;
    let record = contact("42");
    let fence = o.step();
    let commit = Commit {
        rows: vec![(record.clone(), row(5))],
        ..Commit::default()
    };
    o.lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(commit))
        .await
        .unwrap();
    let mut other = settings(&o.server);
    other.record_buckets = 1024;
    let lane = tandem::store::LaneFactory::new(other, sealer(), tokio::runtime::Handle::current())
        .unwrap()
        .open();
    lane.attach(&o.tenant, "node-2", Epoch(2)).await.unwrap();
    let loaded = lane.load(&o.tenant, vec![record], vec![]).await.unwrap();
    assert_eq!(loaded.records[0].row, Some(row(5)));
}

#[tokio::test]
async fn state_of_a_newer_version_is_left_alone() {
    let mut o = owned().await;
    let _: () = o.raw.hset(keys::owner(&o.tenant), "format", 99).await.unwrap();
    let before = o.everything().await;
    let refused = o.lane.attach(&o.tenant, "node-2", Epoch(9)).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Unexpected { detail, .. } if detail.contains("newer version")),
        "{refused}"
    );
    assert_eq!(o.everything().await, before);
}

#[tokio::test]
async fn what_needs_the_layout_needs_attach_first() {
    let server = Server::start().await;
    let refused = lane(&server)
        .load(&acme(), vec![contact("1")], vec![])
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("attach it first"));
}

#[tokio::test]
async fn an_empty_log_that_a_producer_pinned_in_the_future_begins_anew_and_still_counts() {
    let mut o = owned().await;
    let changes = keys::changes(&o.tenant);
    let far = format!("{}-{}", u64::MAX, u64::MAX);
    o.append("1").await;
    let _: String = o.raw.xadd(&changes, &far, &[("a", "b")]).await.unwrap();
    o.lane.attach(&o.tenant, "node-1", Epoch(1)).await.unwrap();
    let kept = o.lane.lengths(&o.tenant).await.unwrap();
    assert_eq!(
        (kept.changes, kept.changes_last.ms),
        (2, u64::MAX),
        "nothing is dropped unread"
    );

    let entries: Vec<(String, Vec<String>)> = o.raw.xrange(&changes, "-", "+").await.unwrap();
    for (id, _) in entries {
        let _: u64 = o.raw.xdel(&changes, &[id]).await.unwrap();
    }
    let before = o.lane.lengths(&o.tenant).await.unwrap();
    let attached = o.lane.attach(&o.tenant, "node-1", Epoch(1)).await.unwrap();
    let after = o.lane.lengths(&o.tenant).await.unwrap();
    assert_eq!(
        after.unaccounted, before.unaccounted,
        "what was ever added still counts"
    );
    assert_eq!(after.changes_last.ms, attached.redis_ms);
    let next = o.append("2").await;
    assert!(next.id.ms.abs_diff(attached.redis_ms) < 60_000, "{next:?}");

    o.lane.attach(&o.tenant, "node-1", Epoch(1)).await.unwrap();
    assert_eq!(o.lane.lengths(&o.tenant).await.unwrap().changes_last, next.id);
}

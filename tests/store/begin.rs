//! The script `begin` against a real Redis.

use redis::AsyncCommands;
use tandem::port::store::Lane;
use tandem::store::keys;
use tandem_core::domain::ids::Epoch;
use tandem_core::engine::commit::{Commit, Script};

use crate::fixture::*;

#[tokio::test]
async fn it_stores_the_intent_drops_old_ones_and_raises_the_step() {
    let mut o = owned().await;
    let (first, second) = (batch(&o.fence, 1), batch(&o.fence, 2));
    let fence = o.step();
    o.lane
        .begin(&o.tenant, &fence, intent(first, &["1"]), vec![])
        .await
        .unwrap();
    let fence = o.step();
    o.lane
        .begin(&o.tenant, &fence, intent(second, &["2"]), vec![first])
        .await
        .unwrap();
    let names: Vec<String> = o.raw.hkeys(keys::batches(&o.tenant)).await.unwrap();
    assert_eq!(names, [second.to_string()]);
    let step: u64 = o.raw.hget(keys::owner(&o.tenant), "step").await.unwrap();
    assert_eq!(step, 2);
}

#[tokio::test]
async fn more_than_a_thousand_old_intents_go_at_once() {
    let mut o = owned().await;
    let old: Vec<_> = (0..1_200).map(|n| batch(&o.fence, n)).collect();
    for name in &old {
        let _: () = o
            .raw
            .hset(keys::batches(&o.tenant), name.to_string(), "x")
            .await
            .unwrap();
    }
    let fence = o.step();
    o.lane
        .begin(&o.tenant, &fence, intent(batch(&o.fence, 5_000), &["1"]), old)
        .await
        .unwrap();
    let left: u64 = o.raw.hlen(keys::batches(&o.tenant)).await.unwrap();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn a_crash_after_begin_leaves_the_intent_to_the_next_owner_and_the_log_as_it_was() {
    let mut o = owned().await;
    let entry = o.append("1").await;
    let named = batch(&o.fence, 1);
    let fence = o.step();
    o.lane
        .begin(&o.tenant, &fence, intent(named, &["1"]), vec![])
        .await
        .unwrap();

    let next = o.lane.attach(&o.tenant, "node-2", Epoch(2)).await.unwrap();
    assert_eq!(next.intents, vec![intent(named, &["1"])]);
    let settle = Commit {
        batch: Some(named),
        delete: vec![entry],
        ..Commit::default()
    };
    let late = o.fence.clone();
    let refused = o
        .lane
        .commit(&o.tenant, &late, Script::Settle, Box::new(settle.clone()))
        .await;
    assert_eq!(fenced(refused), "FENCED");
    let done = o
        .lane
        .commit(&o.tenant, &next.fence, Script::Settle, Box::new(settle))
        .await
        .unwrap();
    assert_eq!(done.deleted, 1);
    let lengths = o.lane.lengths(&o.tenant).await.unwrap();
    assert_eq!(lengths.changes, 0);
}

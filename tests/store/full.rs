//! A full Redis: intake and what grows are refused whole, draining goes on.

use redis::AsyncCommands;
use tandem::port::store::{Lane, StoreError};
use tandem::store::keys;
use tandem_core::domain::ids::Epoch;
use tandem_core::domain::stream::{Log, StreamId};
use tandem_core::engine::commit::{Commit, Counters, Script};

use crate::fixture::*;

#[tokio::test]
async fn a_full_redis_drains_and_does_not_grow() {
    let mut o = owned().await;
    let entry = o.append("1").await;
    let fence = o.step();
    let commit = Commit {
        outbox: vec![changed("1", 1)],
        ..Commit::default()
    };
    o.lane
        .commit(&o.tenant, &fence, Script::Emit, Box::new(commit.clone()))
        .await
        .unwrap();
    let _: () = redis::cmd("CONFIG")
        .arg("SET")
        .arg("maxmemory")
        .arg("1mb")
        .query_async(&mut o.raw)
        .await
        .unwrap();
    let intake: Result<String, _> = o.raw.xadd(keys::changes(&o.tenant), "*", &[("a", "b")]).await;
    assert_eq!(intake.unwrap_err().code(), Some("OOM"));

    let before = o.everything().await;
    let refused = o
        .lane
        .commit(&o.tenant, &o.fence.clone(), Script::Emit, Box::new(commit))
        .await;
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    assert_eq!(o.everything().await, before, "refused whole");

    let name = batch(&o.fence, 1);
    let fence = o.step();
    o.lane
        .begin(&o.tenant, &fence, intent(name, &["1"]), vec![])
        .await
        .unwrap();
    let fence = o.step();
    let settle = Commit {
        batch: Some(name),
        delete: vec![entry],
        rows: vec![(contact("1"), row(9))],
        counters: Counters {
            settled: 1,
            ..Counters::default()
        },
        ..Commit::default()
    };
    let done = o
        .lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(settle))
        .await
        .unwrap();
    assert_eq!(done.deleted, 1);
    let fence = o.step();
    let compact = Commit {
        compacted_put: vec![(contact("2"), fold(1))],
        ..Commit::default()
    };
    o.lane
        .commit(&o.tenant, &fence, Script::Compact, Box::new(compact))
        .await
        .unwrap();
    let out = o.lane.read_outbox(&o.tenant, StreamId::ZERO, 10).await.unwrap();
    o.lane.forward(&o.tenant, o.fence.epoch, out.clone()).await.unwrap();
    o.lane
        .forwarded(&o.tenant, &o.fence, out.iter().map(|e| e.id).collect())
        .await
        .unwrap();
    o.lane.set_backpressure(&o.tenant, &o.fence, "stop").await.unwrap();
    let lengths = o.lane.lengths(&o.tenant).await.unwrap();
    assert_eq!((lengths.changes, lengths.outbox, lengths.compacted), (0, 0, 1));
    assert!(
        o.lane
            .read_log(&o.tenant, Log::Changes, StreamId::ZERO, 5)
            .await
            .unwrap()
            .entries
            .is_empty()
    );
    o.lane.attach(&o.tenant, "node-2", Epoch(2)).await.unwrap();
}

//! The script `forwarded` against a real Redis.

use redis::AsyncCommands;
use redis::streams::StreamRangeReply;
use tandem::port::store::Lane;
use tandem::store::keys;
use tandem_core::domain::ids::Epoch;
use tandem_core::domain::stream::StreamId;
use tandem_core::engine::commit::{Commit, Script};
use tandem_core::engine::place;

use crate::fixture::*;

#[tokio::test]
async fn what_the_feed_has_leaves_the_outbox_more_than_a_thousand_at_once() {
    let mut o = owned().await;
    for _ in 0..6 {
        let outbox = (0..210).map(|n| changed(&n.to_string(), n)).collect();
        let fence = o.step();
        let commit = Commit {
            outbox,
            ..Commit::default()
        };
        o.lane
            .commit(&o.tenant, &fence, Script::Emit, Box::new(commit))
            .await
            .unwrap();
    }
    let all = o.lane.read_outbox(&o.tenant, StreamId::ZERO, 10_000).await.unwrap();
    assert_eq!(all.len(), 1_260);
    o.lane.forward(&o.tenant, o.fence.epoch, all.clone()).await.unwrap();
    let gone: Vec<StreamId> = all.iter().take(1_200).map(|e| e.id).collect();
    o.lane.forwarded(&o.tenant, &o.fence, gone).await.unwrap();
    let left = o.lane.read_outbox(&o.tenant, StreamId::ZERO, 10_000).await.unwrap();
    assert_eq!(
        left.iter().map(|e| e.id).collect::<Vec<_>>(),
        all[1_200..].iter().map(|e| e.id).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_crash_between_forward_and_forwarded_doubles_nothing() {
    let mut o = owned().await;
    let fence = o.step();
    let commit = Commit {
        outbox: (1..=5).map(|n| changed("1", n)).collect(),
        ..Commit::default()
    };
    o.lane
        .commit(&o.tenant, &fence, Script::Emit, Box::new(commit))
        .await
        .unwrap();
    let out = o.lane.read_outbox(&o.tenant, StreamId::ZERO, 3).await.unwrap();
    o.lane.forward(&o.tenant, o.fence.epoch, out).await.unwrap();

    let next = o.lane.attach(&o.tenant, "node-2", Epoch(2)).await.unwrap().fence;
    let out = o.lane.read_outbox(&o.tenant, StreamId::ZERO, 10).await.unwrap();
    assert_eq!(out.len(), 5, "nothing left the outbox");
    o.lane.forward(&o.tenant, next.epoch, out.clone()).await.unwrap();
    let ids: Vec<StreamId> = out.iter().map(|e| e.id).collect();
    o.lane.forwarded(&o.tenant, &next, ids.clone()).await.unwrap();
    // The late owner's delete is refused, its append is too.
    assert_eq!(fenced(o.lane.forwarded(&o.tenant, &o.fence, ids).await), "FENCED");
    assert_eq!(fenced(o.lane.forward(&o.tenant, o.fence.epoch, out).await), "FENCED");

    let partition = place::feed_partition(&o.tenant, Some(&contact("1")), 4);
    let feed: StreamRangeReply = o.raw.xrange_all(keys::events(partition)).await.unwrap();
    let revisions: Vec<u64> = feed.ids.iter().map(|e| e.get("revision").unwrap()).collect();
    assert_eq!(revisions, [1, 2, 3, 4, 5]);
    assert_eq!(o.lane.lengths(&o.tenant).await.unwrap().outbox, 0);
}

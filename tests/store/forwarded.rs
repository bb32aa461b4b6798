use tandem::port::store::Lane;
use tandem_core::domain::stream::StreamId;
use tandem_core::engine::commit::{Commit, Script};

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

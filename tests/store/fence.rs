//! Every script of a tenant's slot refuses who is not its owner, or not where Redis stands, and writes nothing.

use tandem::port::store::{Lane, StoreError};
use tandem_core::domain::ids::{Epoch, Fence};
use tandem_core::domain::payload::RawJson;
use tandem_core::domain::stream::StreamId;
use tandem_core::engine::commit::{Commit, EngineEntry, Script};

use crate::fixture::*;

/// Runs each fenced request with this fence; the step matters to the first five.
async fn all(
    o: &Owned,
    entry: tandem_core::domain::stream::EntryRef,
    out: StreamId,
    fence: &Fence,
) -> Vec<Result<(), StoreError>> {
    let t = &o.tenant;
    let commit = Commit {
        delete: vec![entry],
        rows: vec![(contact("1"), row(9))],
        links: vec![(sfid(9), contact("1"))],
        compacted_put: vec![(contact("1"), fold(1))],
        append: vec![EngineEntry {
            record: contact("1"),
            data: Some(RawJson::null()),
            traceparent: None,
        }],
        outbox: vec![changed("1", 1)],
        ..Commit::default()
    };
    let run = |script| o.lane.commit(t, fence, script, Box::new(commit.clone()));
    vec![
        o.lane.begin(t, fence, intent(batch(fence, 9), &["1"]), vec![]).await,
        run(Script::Settle).await.map(drop),
        run(Script::Compact).await.map(drop),
        run(Script::Emit).await.map(drop),
        o.lane.forwarded(t, fence, vec![out]).await,
        o.lane.set_backpressure(t, fence, "stop").await,
    ]
}

async fn with_something() -> (Owned, tandem_core::domain::stream::EntryRef, StreamId) {
    let mut o = owned().await;
    let entry = o.append("1").await;
    let fence = o.step();
    let commit = Commit {
        outbox: vec![changed("1", 1)],
        ..Commit::default()
    };
    o.lane
        .commit(&o.tenant, &fence, Script::Emit, Box::new(commit))
        .await
        .unwrap();
    let out = o.lane.read_outbox(&o.tenant, StreamId::ZERO, 1).await.unwrap()[0].id;
    (o, entry, out)
}

async fn assert_refused(wrong: impl FnOnce(&Fence) -> Fence, code: &str, fenced_requests: usize) {
    let (mut o, entry, out) = with_something().await;
    let before = o.everything().await;
    let wrong = wrong(&o.fence);
    for (at, answer) in all(&o, entry, out, &wrong)
        .await
        .into_iter()
        .take(fenced_requests)
        .enumerate()
    {
        assert_eq!(fenced(answer), code, "request {at}");
    }
    if fenced_requests == 7 {
        assert_eq!(o.everything().await, before);
    }
}

#[tokio::test]
async fn a_foreign_nonce_is_fenced_off() {
    assert_refused(
        |f| Fence {
            nonce: "someone-else".into(),
            ..f.clone()
        },
        "FENCED",
        7,
    )
    .await;
}

#[tokio::test]
async fn an_old_epoch_is_fenced_off() {
    assert_refused(
        |f| Fence {
            epoch: Epoch(f.epoch.0 - 1),
            ..f.clone()
        },
        "FENCED",
        7,
    )
    .await;
}

#[tokio::test]
async fn a_tenant_that_nobody_owns_is_fenced_off() {
    let (mut o, entry, out) = with_something().await;
    let _: () = redis::cmd("DEL")
        .arg(tandem::store::keys::owner(&o.tenant))
        .query_async(&mut o.raw)
        .await
        .unwrap();
    for answer in all(&o, entry, out, &o.fence.clone()).await {
        assert_eq!(fenced(answer), "FENCED");
    }
}

#[tokio::test]
async fn a_step_behind_or_ahead_is_rewound_and_writes_nothing() {
    for ahead in [false, true] {
        let (mut o, entry, _) = with_something().await;
        let before = o.everything().await;
        let step = if ahead { o.fence.step + 1 } else { o.fence.step - 1 };
        let wrong = Fence {
            step,
            ..o.fence.clone()
        };
        let commit = Commit {
            delete: vec![entry],
            outbox: vec![changed("1", 2)],
            ..Commit::default()
        };
        for script in [Script::Settle, Script::Compact, Script::Emit] {
            let answer = o.lane.commit(&o.tenant, &wrong, script, Box::new(commit.clone())).await;
            assert_eq!(fenced(answer), "REWOUND");
        }
        assert_eq!(
            fenced(
                o.lane
                    .begin(&o.tenant, &wrong, intent(batch(&wrong, 1), &["1"]), vec![])
                    .await
            ),
            "REWOUND"
        );
        assert_eq!(o.everything().await, before);
    }
}

#[tokio::test]
async fn what_raises_no_step_does_not_look_at_it() {
    let (mut o, _, out) = with_something().await;
    let later = Fence {
        step: 99,
        ..o.fence.clone()
    };
    o.lane.forwarded(&o.tenant, &later, vec![out]).await.unwrap();
    o.lane.set_backpressure(&o.tenant, &later, "slow").await.unwrap();
    let step: u64 = redis::AsyncCommands::hget(&mut o.raw, tandem::store::keys::owner(&o.tenant), "step")
        .await
        .unwrap();
    assert_eq!(step, o.fence.step);
}

//! The store's lane against a real Redis.

use std::time::Duration;

use tandem::port::store::{Lane, StoreError};
use tandem_core::domain::ids::{Epoch, TenantName};
use tandem_core::domain::stream::{Log, StreamId};
use tandem_core::engine::commit::{Commit, Script};

use crate::fixture::*;
use crate::server::Server;

async fn flush_scripts(o: &mut Owned) {
    let _: () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut o.raw).await.unwrap();
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_loaded_and_the_order_is_kept() {
    let mut o = owned().await;
    flush_scripts(&mut o).await;
    let mut answers = Vec::new();
    for n in 1..=50 {
        let fence = o.step();
        let commit = Commit {
            rows: vec![(contact("1"), row(n))],
            ..Commit::default()
        };
        let written = o.lane.commit(&o.tenant, &fence, Script::Settle, Box::new(commit));
        let read = o.lane.load(&o.tenant, vec![contact("1")], vec![]);
        answers.push((n, written, read));
    }
    for (n, written, read) in answers {
        written.await.unwrap();
        assert_eq!(
            read.await.unwrap().records[0].row,
            Some(row(n)),
            "read {n} stands behind write {n}"
        );
    }
}

#[tokio::test]
async fn a_flush_in_the_middle_of_traffic_loses_nothing() {
    let mut o = owned().await;
    for round in 0..5 {
        let entries = o.append_many(40).await;
        let mut answers = Vec::new();
        for (n, entry) in entries.into_iter().enumerate() {
            if n == 20 {
                flush_scripts(&mut o).await;
            }
            let fence = o.step();
            let commit = Commit {
                delete: vec![entry],
                ..Commit::default()
            };
            answers.push(o.lane.commit(&o.tenant, &fence, Script::Settle, Box::new(commit)));
        }
        for answer in answers {
            assert_eq!(answer.await.unwrap().deleted, 1, "round {round}");
        }
    }
    assert_eq!(o.lane.lengths(&o.tenant).await.unwrap().changes, 0);
}

#[tokio::test]
async fn tenants_of_a_shard_share_a_lane() {
    let server = Server::start().await;
    let lane = lane(&server);
    let names: Vec<_> = (0..50).map(|n| TenantName::new(&format!("t{n}")).unwrap()).collect();
    let attaching: Vec<_> = names.iter().map(|t| lane.attach(t, "node-1", Epoch(1))).collect();
    let mut fences = Vec::new();
    for answer in attaching {
        fences.push(answer.await.unwrap().fence);
    }
    let writing: Vec<_> = names
        .iter()
        .zip(&fences)
        .zip(1..)
        .map(|((t, fence), n)| {
            let commit = Commit {
                rows: vec![(contact("1"), row(n))],
                ..Commit::default()
            };
            lane.commit(t, fence, Script::Settle, Box::new(commit))
        })
        .collect();
    for answer in writing {
        answer.await.unwrap();
    }
    for (t, n) in names.iter().zip(1..) {
        let loaded = lane.load(t, vec![contact("1")], vec![]).await.unwrap();
        assert_eq!(loaded.records[0].row, Some(row(n)));
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_time_breaks_the_lane() {
    let server = Server::start().await;
    let mut impatient = settings(&server);
    impatient.response_timeout = Duration::from_millis(200);
    let factory = tandem::store::LaneFactory::new(impatient, sealer(), tokio::runtime::Handle::current()).unwrap();
    let lane = factory.open();
    let fence = lane.attach(&acme(), "node-1", Epoch(1)).await.unwrap().fence;
    let mut raw = server.raw().await;
    let _: () = redis::cmd("CLIENT")
        .arg(&["PAUSE", "60000", "WRITE"])
        .query_async(&mut raw)
        .await
        .unwrap();
    let late = lane
        .begin(&acme(), &fence, intent(batch(&fence, 1), &["1"]), vec![])
        .await;
    assert!(matches!(late, Err(StoreError::Broken { .. })), "{late:?}");
    let _: () = redis::cmd("CLIENT").arg("UNPAUSE").query_async(&mut raw).await.unwrap();
    let after = lane.lengths(&acme()).await;
    assert!(
        matches!(after, Err(StoreError::Broken { .. })),
        "a lane never heals: {after:?}"
    );
    factory.open().attach(&acme(), "node-1", Epoch(1)).await.unwrap();
}

#[tokio::test]
async fn a_lane_to_nowhere_is_broken() {
    let mut nowhere = settings(&Server::start().await);
    nowhere.url = "redis://127.0.0.1:1".to_owned().into();
    let factory = tandem::store::LaneFactory::new(nowhere, sealer(), tokio::runtime::Handle::current()).unwrap();
    let answer = factory.open().attach(&acme(), "node-1", Epoch(1)).await;
    assert!(matches!(answer, Err(StoreError::Broken { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_queue_that_is_full_answers_broken_and_the_rest_still_runs() {
    let o = owned().await;
    // The lane's task does not run until this one waits.
    let answers: Vec<_> = (0..tandem::store::QUEUED_MAX + 10)
        .map(|_| o.lane.lengths(&o.tenant))
        .collect();
    let (mut good, mut broken) = (0, 0);
    for answer in answers {
        match answer.await {
            Ok(_) => good += 1,
            Err(StoreError::Broken { .. }) => broken += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((good, broken), (tandem::store::QUEUED_MAX, 10));
}

#[tokio::test]
async fn a_log_is_read_in_pages() {
    let mut o = owned().await;
    let all = o.append_many(25).await;
    let (mut after, mut read, mut ends) = (StreamId::ZERO, Vec::new(), Vec::new());
    for _ in 0..3 {
        let page = o.lane.read_log(&o.tenant, Log::Changes, after, 10).await.unwrap();
        after = page.entries.last().unwrap().at.id;
        read.extend(page.entries.into_iter().map(|e| e.at));
        ends.push(page.end);
    }
    assert_eq!(read, all);
    assert_eq!(ends, [false, false, true]);
}

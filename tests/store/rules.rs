//! The rules of the log road that live in the store, by number.

use redis::AsyncCommands;
use tandem::port::cluster::Cluster;
use tandem::port::store::{Lane, StoreError};
use tandem::store::{RedisView, keys};
use tandem_core::domain::change::IdempotencyKey;
use tandem_core::domain::ids::Epoch;
use tandem_core::domain::payload::RawJson;
use tandem_core::domain::stream::{Log, StreamId};
use tandem_core::engine::commit::{Commit, Counters, EngineEntry, Script};

use crate::fixture::*;
use crate::lease_acquire::{TTL, cluster, held};

#[tokio::test]
async fn rule_01_a_living_owner_notices_that_redis_was_rolled_back() {
    let mut o = owned().await;
    let entry = o.append("1").await;
    let before = o.everything().await;
    let fence = o.step();
    let commit = Commit {
        delete: vec![entry],
        rows: vec![(contact("1"), row(9))],
        ..Commit::default()
    };
    o.lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(commit))
        .await
        .unwrap();
    // An older state comes back under the same nonce and epoch.
    let _: () = redis::cmd("FLUSHDB").query_async(&mut o.raw).await.unwrap();
    for (key, dump) in &before {
        let _: () = redis::cmd("RESTORE")
            .arg(key)
            .arg(0)
            .arg(dump)
            .query_async(&mut o.raw)
            .await
            .unwrap();
    }
    let fence = o.step();
    let next = Commit {
        rows: vec![(contact("2"), row(9))],
        ..Commit::default()
    };
    let answer = o.lane.commit(&o.tenant, &fence, Script::Settle, Box::new(next)).await;
    assert_eq!(fenced(answer), "REWOUND");
    assert_eq!(o.everything().await, before);
}

#[tokio::test]
async fn rule_02_a_broken_connection_is_reported_and_never_healed_in_silence() {
    let mut o = owned().await;
    let _: () = redis::cmd("CLIENT")
        .arg(&["PAUSE", "60000", "WRITE"])
        .query_async(&mut o.raw)
        .await
        .unwrap();
    let first = o
        .lane
        .begin(&o.tenant, &o.fence, intent(batch(&o.fence, 1), &["1"]), vec![]);
    let behind = o.lane.lengths(&o.tenant);
    let _: u64 = redis::cmd("CLIENT")
        .arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"])
        .query_async(&mut o.raw)
        .await
        .unwrap();
    let _: () = redis::cmd("CLIENT")
        .arg("UNPAUSE")
        .query_async(&mut o.raw)
        .await
        .unwrap();
    assert!(matches!(first.await, Err(StoreError::Broken { .. })));
    assert!(matches!(behind.await, Err(StoreError::Broken { .. })));
    for _ in 0..3 {
        assert!(matches!(
            o.lane.lengths(&o.tenant).await,
            Err(StoreError::Broken { .. })
        ));
    }
    let fresh = lane(&o.server);
    fresh.attach(&o.tenant, "node-1", Epoch(1)).await.unwrap();
    fresh.lengths(&o.tenant).await.unwrap();
}

#[tokio::test]
async fn rule_03_a_lost_race_fails_at_begin_however_much_was_read() {
    let mut o = owned().await;
    o.append("1").await;
    let winner = lane(&o.server);
    winner.attach(&o.tenant, "node-2", Epoch(1)).await.unwrap();
    let read = o
        .lane
        .read_log(&o.tenant, Log::Changes, StreamId::ZERO, 10)
        .await
        .unwrap();
    assert_eq!(read.entries.len(), 1, "reads need no fence");
    let answer = o
        .lane
        .begin(&o.tenant, &o.fence, intent(batch(&o.fence, 1), &["1"]), vec![])
        .await;
    assert_eq!(fenced(answer), "FENCED");
    assert_eq!(
        winner.attach(&o.tenant, "node-2", Epoch(1)).await.unwrap().intents,
        vec![]
    );
}

#[tokio::test]
async fn rule_05_an_older_generation_is_refused_and_comes_back_above_it() {
    let o = owned().await;
    let cluster = cluster(&o.server);
    let lease = held(&cluster, "node-2", 0).await;
    o.lane
        .attach(&o.tenant, "forger", Epoch(lease.0 + 5_000_000))
        .await
        .unwrap();
    let refused = o.lane.attach(&o.tenant, "node-2", lease).await.unwrap_err();
    let StoreError::OldPartitionEpoch { seen, .. } = refused else {
        panic!("{refused}")
    };
    assert_eq!(seen, Epoch(lease.0 + 5_000_000));
    let above = held(&cluster, "node-2", seen.0).await;
    assert!(above > seen);
    o.lane.attach(&o.tenant, "node-2", above).await.unwrap();
    assert_eq!(
        cluster
            .renew("node-2", "nonce of node-2", TTL, vec![(3, above)])
            .await
            .unwrap(),
        [true]
    );
}

#[tokio::test]
async fn rule_13_duplicates_and_stale_entries_go_by_id_without_a_batch() {
    let mut o = owned().await;
    let (first, duplicate) = (o.append("1").await, o.append("1").await);
    let fence = o.step();
    let rows = vec![(contact("1"), row(9))];
    o.lane
        .commit(
            &o.tenant,
            &fence,
            Script::Settle,
            Box::new(Commit {
                rows,
                ..Commit::default()
            }),
        )
        .await
        .unwrap();
    let fence = o.step();
    let counters = Counters {
        duplicate: 1,
        ..Counters::default()
    };
    let drop = Commit {
        delete: vec![duplicate],
        counters,
        ..Commit::default()
    };
    let done = o
        .lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(drop))
        .await
        .unwrap();
    assert_eq!(done.deleted, 1);
    assert_eq!(
        o.row_of(&contact("1")).await,
        Some(row(9)),
        "the sequence does not move"
    );
    let log = o
        .lane
        .read_log(&o.tenant, Log::Changes, StreamId::ZERO, 10)
        .await
        .unwrap();
    assert_eq!(log.entries[0].at, first);
}

#[tokio::test]
async fn rule_15_a_stream_that_a_producer_exhausted_refuses_a_step_whole() {
    let mut o = owned().await;
    let last = format!("{}-{}", u64::MAX, u64::MAX);
    let _: String = o
        .raw
        .xadd(keys::changes(&o.tenant), &last, &[("a", "b")])
        .await
        .unwrap();
    let lengths = o.lane.lengths(&o.tenant).await.unwrap();
    assert_eq!(
        lengths.changes_last,
        StreamId {
            ms: u64::MAX,
            seq: u64::MAX
        },
        "it can be seen"
    );
    let before = o.everything().await;
    let entry = EngineEntry {
        record: contact("1"),
        data: Some(RawJson::null()),
        traceparent: None,
    };
    let commit = Commit {
        rows: vec![(contact("1"), row(9))],
        append: vec![entry],
        outbox: vec![changed("1", 1)],
        ..Commit::default()
    };
    let refused = o
        .lane
        .commit(&o.tenant, &o.fence.clone(), Script::Emit, Box::new(commit))
        .await;
    assert!(matches!(refused, Err(StoreError::Unexpected { .. })), "{refused:?}");
    assert_eq!(o.everything().await, before);
}

#[tokio::test]
async fn rule_18_what_is_asked_later_sees_what_was_written_before() {
    let mut o = owned().await;
    let entries = o.append_many(200).await;
    let mut answers = Vec::new();
    for (n, entry) in (1..).zip(entries) {
        let commit = Commit {
            delete: vec![entry],
            compacted_put: vec![(contact("1"), fold(n))],
            ..Commit::default()
        };
        let fence = o.step();
        let compacted = o.lane.commit(&o.tenant, &fence, Script::Compact, Box::new(commit));
        let loaded = o.lane.load(&o.tenant, vec![contact("1")], vec![]);
        let log = o.lane.read_log(&o.tenant, Log::Changes, StreamId::ZERO, 1_000);
        answers.push((n, compacted, loaded, log));
    }
    // Awaited backwards: order of calls is order of execution, not order of waiting.
    for (n, compacted, loaded, log) in answers.into_iter().rev() {
        assert_eq!(log.await.unwrap().entries.len() as u64, 200 - n);
        assert_eq!(
            loaded.await.unwrap().records[0].compacted.as_ref().map(|f| f.entries),
            Some(n)
        );
        assert_eq!(compacted.await.unwrap().deleted, 1);
    }
}

#[tokio::test]
async fn rule_21_a_key_is_remembered_by_the_step_that_removes_its_entry() {
    let mut o = owned().await;
    let keys: Vec<_> = (0..3_u8)
        .map(|n| IdempotencyKey {
            key: [n; 16],
            content: [n + 100; 8],
        })
        .collect();
    let entry = o.append("1").await;
    let seen = |o: &Owned| o.lane.load(&o.tenant, vec![], keys.clone());
    assert_eq!(seen(&o).await.unwrap().seen, [None; 3]);

    let fence = o.step();
    let commit = Commit {
        delete: vec![entry],
        seen: keys[..2].to_vec(),
        ..Commit::default()
    };
    o.lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(commit))
        .await
        .unwrap();
    assert_eq!(seen(&o).await.unwrap().seen, [Some([100; 8]), Some([101; 8]), None]);

    let rewound = tandem_core::domain::ids::Fence {
        step: 0,
        ..o.fence.clone()
    };
    let commit = Commit {
        seen: keys[2..].to_vec(),
        ..Commit::default()
    };
    assert_eq!(
        fenced(
            o.lane
                .commit(&o.tenant, &rewound, Script::Settle, Box::new(commit))
                .await
        ),
        "REWOUND"
    );
    assert_eq!(seen(&o).await.unwrap().seen[2], None);

    let mut days: Vec<String> = o.raw.keys("tandem:{acme}:seen:*").await.unwrap();
    let day = days.pop().unwrap();
    let left: u64 = o.raw.ttl(&day).await.unwrap();
    assert!(
        left > 86_400 && left <= 2 * 86_400 + 3_600,
        "{left} s: a day and what is left of this one"
    );
    // The same hash, as the next day finds it.
    let (name, number) = day.rsplit_once(':').unwrap();
    let yesterday = format!("{name}:{}", number.parse::<u64>().unwrap() - 1);
    let _: () = o.raw.rename(&day, &yesterday).await.unwrap();
    assert_eq!(seen(&o).await.unwrap().seen, [Some([100; 8]), Some([101; 8]), None]);
}

#[tokio::test]
async fn rule_24_a_trimmed_stream_shows_in_the_count() {
    let mut o = owned().await;
    let entries = o.append_many(2_600).await;
    let _: u64 = redis::cmd("XTRIM")
        .arg(keys::changes(&o.tenant))
        .arg(&["MAXLEN", "=", "2519"])
        .query_async(&mut o.raw)
        .await
        .unwrap();
    let fence = o.step();
    let commit = Commit {
        delete: entries,
        ..Commit::default()
    };
    let done = o
        .lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(commit))
        .await
        .unwrap();
    assert_eq!(done.deleted, 2_519);
    assert_eq!(o.lane.lengths(&o.tenant).await.unwrap().changes, 0);
}

#[tokio::test]
async fn rule_25_one_view_accounts_for_every_entry() {
    let mut o = owned().await;
    let view = RedisView::new(&settings(&o.server), tokio::runtime::Handle::current()).unwrap();
    let entries = o.append_many(100).await;
    let steps = [
        (
            Script::Settle,
            0..10,
            Counters {
                settled: 10,
                ..Counters::default()
            },
        ),
        (
            Script::Settle,
            10..12,
            Counters {
                duplicate: 1,
                stale: 1,
                ..Counters::default()
            },
        ),
        (
            Script::Settle,
            12..15,
            Counters {
                refused: 2,
                dead: 1,
                ..Counters::default()
            },
        ),
        (
            Script::Compact,
            15..55,
            Counters {
                compacted: 40,
                ..Counters::default()
            },
        ),
        (
            Script::Settle,
            55..55,
            Counters {
                compacted: -40,
                settled: 40,
                ..Counters::default()
            },
        ),
    ];
    for (script, range, counters) in steps {
        let fence = o.step();
        let commit = Commit {
            delete: entries[range].to_vec(),
            counters,
            ..Commit::default()
        };
        o.lane
            .commit(&o.tenant, &fence, script, Box::new(commit))
            .await
            .unwrap();
        assert_eq!(view.tenant(&o.tenant).await.unwrap().unaccounted(), 0);
    }
    // A write-back is an entry like any other.
    let fence = o.step();
    let entry = EngineEntry {
        record: contact("1"),
        data: Some(RawJson::null()),
        traceparent: None,
    };
    let commit = Commit {
        append: vec![entry],
        ..Commit::default()
    };
    o.lane
        .commit(&o.tenant, &fence, Script::Emit, Box::new(commit))
        .await
        .unwrap();
    let seen = view.tenant(&o.tenant).await.unwrap();
    assert_eq!(
        (seen.unaccounted(), seen.changes.added, seen.counters.compacted),
        (0, 101, 0)
    );
    let _: u64 = redis::cmd("XTRIM")
        .arg(keys::changes(&o.tenant))
        .arg(&["MAXLEN", "=", "30"])
        .query_async(&mut o.raw)
        .await
        .unwrap();
    assert_eq!(
        view.tenant(&o.tenant).await.unwrap().unaccounted(),
        16,
        "a producer's MAXLEN shows"
    );
}

#[tokio::test]
async fn rule_27_error_replies_have_a_code_and_a_text() {
    let mut o = owned().await;
    let script = tandem::store::script::ScriptName::Settle.script();
    let answer: redis::RedisResult<redis::Value> = redis::Script::new(&script.text)
        .key(keys::owner(&o.tenant))
        .arg("someone-else")
        .arg("1")
        .arg("1")
        .invoke_async(&mut o.raw)
        .await;
    let error = answer.unwrap_err();
    assert_eq!(error.code(), Some("FENCED"));
    assert!(error.detail().unwrap().contains("the tenant is at epoch"), "{error}");
}

//! Every key that a script touches is declared, and all keys of a call share a slot: seen on the wire, for all scripts.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use tandem::port::cluster::Cluster;
use tandem::port::store::Lane;
use tandem::port::token::TokenStore;
use tandem::store::{RedisTokens, RedisView, script};
use tandem_core::domain::change::IdempotencyKey;
use tandem_core::domain::ids::{Epoch, ReplayId};
use tandem_core::domain::payload::{PersonalText, RawJson};
use tandem_core::domain::stream::{EntryRef, Log, StreamId};
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::commit::{Commit, Counters, DeadContent, DeadKey, DeadLetter, EngineEntry, Script};
use tandem_core::engine::place;

use crate::fixture::*;
use crate::lease_acquire::{TTL, cluster, held};
use crate::server::Server;

/// A commit with something in every list.
fn full_commit(o: &Owned, entry: EntryRef) -> Commit {
    let letter = DeadLetter {
        code: "X".into(),
        fields: vec![],
        message: PersonalText::default(),
        at: Timestamp(1),
        content: DeadContent::Folded(fold(1)),
    };
    let done = vec![batch(&o.fence, 90), batch(&o.fence, 91)];
    Commit {
        batch: None,
        intent_left: Some(intent(batch(&o.fence, 92), &["1"])),
        intents_done: done,
        delete: vec![
            entry,
            EntryRef {
                log: Log::Backfill,
                id: id(1),
            },
        ],
        rows: (0..40).map(|n| (contact(n), row(n))).collect(),
        links: (0..40).map(|n| (sfid(n), contact(n))).collect(),
        rows_remove: (60..70).map(contact).collect(),
        unlinks: (50..60).map(sfid).collect(),
        questions: vec![(contact(1), Timestamp(1))],
        questions_remove: vec![contact(2)],
        compacted_put: vec![(contact(1), fold(1))],
        compacted_remove: vec![contact(2)],
        dead_put: vec![(DeadKey::Record(contact(1)), letter)],
        dead_remove: vec![DeadKey::Record(contact(2))],
        seen: vec![IdempotencyKey {
            key: [1; 16],
            content: [2; 8],
        }],
        append: vec![EngineEntry {
            record: contact(1),
            data: Some(RawJson::null()),
            traceparent: None,
        }],
        outbox: vec![changed("1", 1), changed("2", 1)],
        cursors: vec![("topic".into(), ReplayId(vec![1; 10].into()))],
        counters: Counters {
            settled: 1,
            events: 2,
            ..Counters::default()
        },
    }
}

/// Calls every script at least once.
async fn call_them_all(o: &mut Owned) {
    let entry = o.append("1").await;
    for script in [Script::Settle, Script::Compact, Script::Emit] {
        let fence = o.step();
        let commit = full_commit(o, entry);
        o.lane
            .commit(&o.tenant, &fence, script, Box::new(commit))
            .await
            .unwrap();
    }
    let fence = o.step();
    o.lane
        .begin(
            &o.tenant,
            &fence,
            intent(batch(&o.fence, 1), &["1"]),
            vec![batch(&o.fence, 92)],
        )
        .await
        .unwrap();
    let out = o.lane.read_outbox(&o.tenant, StreamId::ZERO, 10).await.unwrap();
    o.lane.forward(&o.tenant, o.fence.epoch, out.clone()).await.unwrap();
    o.lane
        .forwarded(&o.tenant, &o.fence, out.iter().map(|e| e.id).collect())
        .await
        .unwrap();
    o.lane.set_backpressure(&o.tenant, &o.fence, "ok").await.unwrap();
    let cluster = cluster(&o.server);
    cluster.heartbeat("a").await.unwrap();
    let epoch = held(&cluster, "a", 0).await;
    cluster.renew("a", "nonce of a", TTL, vec![(3, epoch)]).await.unwrap();
    cluster.release(3, "nonce of a", epoch, "b").await.unwrap();
    cluster
        .sweep(vec![(o.tenant.clone(), [StreamId::ZERO; 2])])
        .await
        .unwrap();
    RedisTokens::new(&settings(&o.server), sealer(), tokio::runtime::Handle::current())
        .unwrap()
        .put(&o.tenant, 0, "x".into())
        .await
        .unwrap();
    RedisView::new(&settings(&o.server), tokio::runtime::Handle::current())
        .unwrap()
        .tenant(&o.tenant)
        .await
        .unwrap();
}

/// The arguments of a line of MONITOR, and whether a script sent it. Bytes come escaped, which keeps them apart.
fn parse(line: &str) -> (bool, Vec<String>) {
    let script = line.split(']').next().is_some_and(|head| head.ends_with("lua"));
    let mut args = Vec::new();
    let mut rest = line.split_once('"').map_or("", |(_, rest)| rest);
    while !rest.is_empty() {
        let mut end = 0;
        let bytes = rest.as_bytes();
        while bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        args.push(rest[..end].to_owned());
        rest = rest[end + 1..].split_once('"').map_or("", |(_, rest)| rest);
    }
    (script, args)
}

#[tokio::test]
async fn every_key_is_declared_and_shares_the_slot() {
    let server = Server::start().await;
    let client = redis::Client::open(server.url()).unwrap();
    let monitor = client.get_async_monitor().await.unwrap();
    let mut lines = monitor.into_on_message::<String>();
    let watching = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(line) = lines.next().await {
            if line.contains("the end of the test") {
                return seen;
            }
            seen.push(line);
        }
        panic!("the monitor ended");
    });
    let mut raw = server.raw().await;
    let mut o = owned_on(server).await;
    call_them_all(&mut o).await;
    let _: String = redis::cmd("ECHO")
        .arg("the end of the test")
        .query_async(&mut raw)
        .await
        .unwrap();
    let seen = watching.await.unwrap();

    let names: BTreeMap<&str, &str> = script::all().iter().map(|s| (s.sha.as_str(), s.name)).collect();
    let (mut called, mut declared, mut current) = (BTreeSet::new(), BTreeSet::new(), "");
    let mut touched = 0;
    for (by_script, args) in seen.iter().map(|line| parse(line)) {
        if !by_script {
            if args[0].eq_ignore_ascii_case("evalsha") {
                current = names[args[1].as_str()];
                called.insert(current);
                let count: usize = args[2].parse().unwrap();
                declared = args[3..3 + count].iter().cloned().collect();
                let slots: BTreeSet<u16> = declared.iter().map(|key| place::slot(key)).collect();
                assert_eq!(slots.len(), 1, "{current} touches several slots: {declared:?}");
            }
            continue;
        }
        let key = match args[0].to_ascii_lowercase().as_str() {
            "time" => continue,
            "xinfo" => &args[2],
            _ => &args[1],
        };
        touched += 1;
        assert!(
            declared.contains(key),
            "{current} touches {key}, which it does not declare"
        );
    }
    assert_eq!(
        called,
        script::all().iter().map(|s| s.name).collect::<BTreeSet<_>>(),
        "every script was called"
    );
    assert!(touched > 100, "{touched} keys touched");
}

#[tokio::test]
async fn redis_cluster_takes_every_call() {
    let server = Server::with(&["--cluster-enabled", "yes"]).await;
    let mut raw = server.raw().await;
    let _: () = redis::cmd("CLUSTER")
        .arg(&["ADDSLOTSRANGE", "0", "16383"])
        .query_async(&mut raw)
        .await
        .unwrap();
    loop {
        let info: String = redis::cmd("CLUSTER").arg("INFO").query_async(&mut raw).await.unwrap();
        if info.contains("cluster_state:ok") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut o = owned_on(server).await;
    call_them_all(&mut o).await;
    assert_eq!(
        o.lane
            .attach(&o.tenant, "node-1", Epoch(1))
            .await
            .unwrap()
            .intents
            .len(),
        1
    );
}

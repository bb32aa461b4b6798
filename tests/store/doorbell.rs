//! The store's doorbell against a real Redis.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::AsyncCommands;
use tandem::port::cluster::Cluster;
use tandem::store::keys;
use tandem_core::domain::ids::TenantName;

use crate::fixture::acme;
use crate::lease_acquire::cluster;
use crate::server::Server;

const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn appends_ring_and_deletes_do_not() {
    let server = Server::with(&["--notify-keyspace-events", "Ex"]).await;
    let mut bell = cluster(&server).doorbell().await.unwrap();
    let mut raw = server.raw().await;
    let on: std::collections::HashMap<String, String> = redis::cmd("CONFIG")
        .arg("GET")
        .arg("notify-keyspace-events")
        .query_async(&mut raw)
        .await
        .unwrap();
    let on: BTreeSet<char> = on["notify-keyspace-events"].chars().collect();
    assert_eq!(on, BTreeSet::from(['E', 'K', 't', 'x']), "what was on stays on");

    let quiet = TenantName::new("quiet").unwrap();
    let id: String = raw.xadd(keys::outbox(&quiet), "*", &[("a", "b")]).await.unwrap();
    let _: u64 = raw.xdel(keys::outbox(&quiet), &[id]).await.unwrap();
    let _: u64 = raw.xdel(keys::changes(&quiet), &["1-1"]).await.unwrap();
    for _ in 0..500 {
        let _: String = raw.xadd(keys::changes(&acme()), "*", &[("a", "b")]).await.unwrap();
    }
    let last = TenantName::new("last").unwrap();
    let _: String = raw.xadd(keys::backfill(&last), "*", &[("a", "b")]).await.unwrap();
    let mut rung = Vec::new();
    while rung.last().map(String::as_str) != Some("last") {
        rung.push(
            tokio::time::timeout(PATIENCE, bell.recv())
                .await
                .unwrap()
                .unwrap()
                .to_string(),
        );
    }
    assert_eq!(
        BTreeSet::from_iter(&rung),
        BTreeSet::from([&"acme".to_owned(), &"last".to_owned()])
    );
}

#[tokio::test]
async fn names_that_nobody_takes_coalesce() {
    let server = Server::start().await;
    let mut bell = cluster(&server).doorbell().await.unwrap();
    let mut raw = server.raw().await;
    for _ in 0..5 {
        let mut pipe = redis::pipe();
        for n in 0..2_000 {
            pipe.xadd(
                keys::changes(&TenantName::new(&format!("t{n}")).unwrap()),
                "*",
                &[("a", "b")],
            )
            .ignore();
        }
        let () = pipe.query_async(&mut raw).await.unwrap();
    }
    // Notifications are in order: once this name is out, all before it were seen.
    let mut seen = BTreeSet::new();
    let mut rings = 0;
    while seen.len() < 2_000 {
        seen.insert(tokio::time::timeout(PATIENCE, bell.recv()).await.unwrap().unwrap());
        rings += 1;
    }
    assert!(rings <= 2_000 * 5);
}

#[tokio::test]
async fn it_ends_with_its_connection() {
    let server = Server::start().await;
    let mut bell = cluster(&server).doorbell().await.unwrap();
    let mut raw = server.raw().await;
    let _: u64 = redis::cmd("CLIENT")
        .arg(&["KILL", "TYPE", "pubsub"])
        .query_async(&mut raw)
        .await
        .unwrap();
    assert_eq!(tokio::time::timeout(PATIENCE, bell.recv()).await.unwrap(), None);
}

#[tokio::test]
async fn without_permission_it_stays_silent_but_open() {
    let server = Server::start().await;
    let mut raw = server.raw().await;
    let _: () = redis::cmd("ACL")
        .arg(&["SETUSER", "default", "-config", "-psubscribe"])
        .query_async(&mut raw)
        .await
        .unwrap();
    let mut bell = cluster(&server).doorbell().await.unwrap();
    let _: String = raw.xadd(keys::changes(&acme()), "*", &[("a", "b")]).await.unwrap();
    assert!(bell.try_recv().is_err());
    assert!(!bell.is_closed());
    let _: u64 = raw.sadd(keys::dirty(1), "acme").await.unwrap();
    assert_eq!(cluster(&server).dirty().await.unwrap(), [acme()]);
}

//! The script `heartbeat` against a real Redis.

use std::time::Duration;

use redis::AsyncCommands;
use tandem::port::cluster::Cluster;
use tandem::store::{FORGOTTEN_AFTER, keys};
use tandem_core::domain::ids::TenantName;
use tandem_core::engine::place::dirty_set;

use crate::lease_acquire::cluster;
use crate::server::Server;

#[tokio::test]
async fn living_nodes_are_listed_with_their_age_and_silent_ones_forgotten() {
    let server = Server::start().await;
    let (cluster, mut raw) = (cluster(&server), server.raw().await);
    let (now, _): (u64, u64) = redis::cmd("TIME").query_async(&mut raw).await.unwrap();
    let long_ago = now * 1000 - u64::try_from(FORGOTTEN_AFTER.as_millis()).unwrap() - 5_000;
    let _: () = raw.zadd(keys::nodes(), "quiet", now * 1000 - 30_000).await.unwrap();
    let _: () = raw.zadd(keys::nodes(), "gone", long_ago).await.unwrap();
    let mut members = cluster.heartbeat("me").await.unwrap();
    members.sort_by_key(|m| m.age);
    let names: Vec<_> = members.iter().map(|m| m.node.as_str()).collect();
    assert_eq!(names, ["me", "quiet"]);
    assert!(members[0].age < Duration::from_secs(5));
    assert!(members[1].age.abs_diff(Duration::from_secs(30)) < Duration::from_secs(5));
    cluster.leave("quiet").await.unwrap();
    assert_eq!(cluster.heartbeat("me").await.unwrap().len(), 1);
}

#[tokio::test]
async fn tenants_are_registered_once_and_dirty_ones_are_taken_once() {
    let server = Server::start().await;
    let (cluster, mut raw) = (cluster(&server), server.raw().await);
    let names: Vec<_> = ["acme", "globex", "initech"]
        .iter()
        .map(|n| TenantName::new(n).unwrap())
        .collect();
    cluster.register(names.clone()).await.unwrap();
    cluster.register(names.clone()).await.unwrap();
    let known: u64 = raw.hlen(keys::tenants()).await.unwrap();
    assert_eq!(known, 3);

    for name in &names {
        let _: () = raw.sadd(keys::dirty(dirty_set(name)), name.as_str()).await.unwrap();
    }
    let _: () = raw.sadd(keys::dirty(0), "Not A Name").await.unwrap();
    let mut taken = cluster.dirty().await.unwrap();
    taken.sort();
    assert_eq!(taken, names);
    assert_eq!(cluster.dirty().await.unwrap(), []);
}

//! The script `lease_acquire` against a real Redis.

use std::time::Duration;

use redis::AsyncCommands;
use tandem::port::cluster::{Cluster, LeaseAnswer};
use tandem::store::{RedisCluster, keys};
use tandem_core::domain::ids::Epoch;

use crate::fixture::settings;
use crate::server::Server;

pub const TTL: Duration = Duration::from_secs(20);

pub fn cluster(server: &Server) -> RedisCluster {
    RedisCluster::new(settings(server), tokio::runtime::Handle::current()).unwrap()
}

pub async fn held(cluster: &RedisCluster, node: &str, above: u64) -> Epoch {
    match cluster
        .acquire(3, node, &format!("nonce of {node}"), TTL, Epoch(above))
        .await
        .unwrap()
    {
        LeaseAnswer::Held(lease) => lease.epoch,
        taken => panic!("{taken:?}"),
    }
}

/// Lets the lease run out without waiting for it.
pub async fn run_out(server: &Server) {
    let _: () = server
        .raw()
        .await
        .hset(keys::leases(3), keys::lease_field(3, "expires_ms"), 1)
        .await
        .unwrap();
}

#[tokio::test]
async fn one_holds_it_and_the_other_learns_for_how_long() {
    let server = Server::start().await;
    let cluster = cluster(&server);
    held(&cluster, "a", 0).await;
    match cluster.acquire(3, "b", "nonce of b", TTL, Epoch(0)).await.unwrap() {
        LeaseAnswer::Taken { holder, left } => {
            assert_eq!(holder, "a");
            assert!(left <= TTL && left > TTL / 2, "{left:?}");
        }
        held => panic!("{held:?}"),
    }
}

#[tokio::test]
async fn epochs_begin_at_the_clock_and_only_grow() {
    let server = Server::start().await;
    let cluster = cluster(&server);
    let first = held(&cluster, "a", 0).await;
    let (now, _): (u64, u64) = redis::cmd("TIME").query_async(&mut server.raw().await).await.unwrap();
    assert!(first.0.abs_diff(now * 1000) < 60_000);
    assert_eq!(
        held(&cluster, "a", 0).await,
        first,
        "acquiring what one holds is renewing it"
    );
    let above = held(&cluster, "a", first.0 + 1_000_000_000).await;
    assert_eq!(above.0, first.0 + 1_000_000_001, "above what a refused attach named");
    run_out(&server).await;
    let taken = held(&cluster, "b", 0).await;
    assert_eq!(
        taken.0,
        above.0 + 1,
        "above the holder before, even where the clock is behind"
    );
}

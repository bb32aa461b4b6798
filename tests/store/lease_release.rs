//! The script `lease_release` against a real Redis.

use redis::AsyncCommands;
use tandem::port::cluster::{Cluster, LeaseAnswer};
use tandem::store::keys;
use tandem_core::domain::ids::Epoch;

use crate::lease_acquire::{TTL, cluster, held};
use crate::server::Server;

#[tokio::test]
async fn it_is_kept_for_a_moment_for_the_next_node() {
    let server = Server::start().await;
    let cluster = cluster(&server);
    let mine = held(&cluster, "a", 0).await;
    cluster.release(3, "nonce of a", mine, "b").await.unwrap();
    match cluster.acquire(3, "c", "nonce of c", TTL, Epoch(0)).await.unwrap() {
        LeaseAnswer::Taken { holder, left } => {
            assert_eq!(holder, "b");
            assert!(left <= tandem::store::KEPT_FOR_NEXT, "{left:?}");
        }
        held => panic!("{held:?}"),
    }
    assert!(held(&cluster, "b", 0).await > mine);
}

#[tokio::test]
async fn the_hint_runs_out() {
    let server = Server::start().await;
    let cluster = cluster(&server);
    let mine = held(&cluster, "a", 0).await;
    cluster.release(3, "nonce of a", mine, "never").await.unwrap();
    let _: () = server
        .raw()
        .await
        .hset(keys::leases(3), keys::lease_field(3, "next_until_ms"), 1)
        .await
        .unwrap();
    held(&cluster, "c", 0).await;
}

#[tokio::test]
async fn a_lost_lease_is_not_given_back() {
    let server = Server::start().await;
    let cluster = cluster(&server);
    let mine = held(&cluster, "a", 0).await;
    cluster.release(3, "nonce of a", Epoch(mine.0 - 1), "").await.unwrap();
    cluster.release(3, "nonce of b", mine, "").await.unwrap();
    assert_eq!(held(&cluster, "a", 0).await, mine);
    cluster.release(3, "nonce of a", mine, "").await.unwrap();
    assert!(held(&cluster, "b", 0).await > mine);
}

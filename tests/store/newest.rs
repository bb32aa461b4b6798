//! The script `newest` against a real Redis.

use redis::AsyncCommands;
use tandem::port::cluster::Cluster;
use tandem::store::keys;
use tandem_core::domain::ids::TenantName;
use tandem_core::domain::stream::StreamId;

use crate::fixture::acme;
use crate::lease_acquire::cluster;
use crate::server::Server;

#[tokio::test]
async fn a_sweep_sees_the_newest_ids_even_of_deleted_entries() {
    let server = Server::start().await;
    let (cluster, mut raw) = (cluster(&server), server.raw().await);
    let none = TenantName::new("quiet").unwrap();
    let _: String = raw.xadd(keys::changes(&acme()), "7-1", &[("a", "b")]).await.unwrap();
    let _: String = raw.xadd(keys::backfill(&acme()), "9-2", &[("a", "b")]).await.unwrap();
    let _: u64 = raw.xdel(keys::changes(&acme()), &["7-1"]).await.unwrap();
    let _: () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut raw).await.unwrap();
    let found = cluster.sweep(vec![none, acme()]).await.unwrap();
    let (seven, nine) = (StreamId { ms: 7, seq: 1 }, StreamId { ms: 9, seq: 2 });
    assert_eq!(found, [[StreamId::ZERO, StreamId::ZERO], [seven, nine]]);
    assert_eq!(cluster.sweep(vec![]).await.unwrap(), [] as [[StreamId; 2]; 0]);
}

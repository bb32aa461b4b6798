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
async fn a_sweep_names_tenants_with_entries_behind_the_known_ends_and_sees_deleted_ones_as_ends() {
    let server = Server::start().await;
    let (cluster, mut raw) = (cluster(&server), server.raw().await);
    let none = TenantName::new("quiet").unwrap();
    let _: String = raw.xadd(keys::changes(&acme()), "7-1", &[("a", "b")]).await.unwrap();
    let _: String = raw.xadd(keys::backfill(&acme()), "9-2", &[("a", "b")]).await.unwrap();
    let _: u64 = raw.xdel(keys::changes(&acme()), &["7-1"]).await.unwrap();
    let _: () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut raw).await.unwrap();
    let from = |ends| vec![(none.clone(), [StreamId::ZERO; 2]), (acme(), ends)];
    let found = cluster.sweep(from([StreamId::ZERO; 2])).await.unwrap();
    let ends = [StreamId { ms: 7, seq: 1 }, StreamId { ms: 9, seq: 2 }];
    assert_eq!(found, [(acme(), ends)]);
    assert_eq!(cluster.sweep(from(ends)).await.unwrap(), []);
    let _: String = raw.xadd(keys::changes(&acme()), "8-0", &[("a", "b")]).await.unwrap();
    let ends = [StreamId { ms: 8, seq: 0 }, ends[1]];
    assert_eq!(
        cluster
            .sweep(from([StreamId { ms: 7, seq: 1 }, ends[1]]))
            .await
            .unwrap(),
        [(acme(), ends)]
    );
    assert_eq!(cluster.sweep(vec![]).await.unwrap(), []);
}

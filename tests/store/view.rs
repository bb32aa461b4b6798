//! The store's view against a real Redis.

use tandem::port::cluster::Cluster;
use tandem::port::store::Lane;
use tandem::store::RedisView;
use tandem_core::domain::ids::{Epoch, TenantName};
use tandem_core::engine::commit::{Commit, Counters, Script};
use tandem_core::engine::place::tenant_partition;

use crate::fixture::*;
use crate::lease_acquire::{TTL, cluster};

#[tokio::test]
async fn a_status_page_sees_lengths_counters_owner_and_lease() {
    let mut o = owned().await;
    let partition = tenant_partition(&o.tenant);
    cluster(&o.server)
        .acquire(partition, "node-1", "n", TTL, Epoch(0))
        .await
        .unwrap();
    let gone = o.append("1").await;
    o.append("2").await;
    let fence = o.step();
    let counters = Counters {
        settled: 1,
        echoes: 4,
        ..Counters::default()
    };
    let commit = Commit {
        delete: vec![gone],
        counters,
        ..Commit::default()
    };
    o.lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(commit))
        .await
        .unwrap();

    let view = RedisView::new(&settings(&o.server), tokio::runtime::Handle::current()).unwrap();
    let seen = view.tenant(&o.tenant).await.unwrap();
    assert_eq!((seen.changes.length, seen.changes.added, seen.unaccounted()), (1, 2, 0));
    assert_eq!((seen.counters.settled, seen.counters.echoes), (1, 4));
    let owner = seen.owner.unwrap();
    assert_eq!(
        (owner.node.as_str(), owner.step, owner.partition_epoch),
        ("node-1", 1, 1)
    );
    let lease = seen.lease.unwrap();
    assert_eq!((lease.node.as_deref(), lease.partition), (Some("node-1"), partition));

    let nobody = view.tenant(&TenantName::new("nobody").unwrap()).await.unwrap();
    assert_eq!((nobody.owner, nobody.changes.added), (None, 0));
}

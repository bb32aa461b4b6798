//! The script `lease_renew` against a real Redis.

use tandem::port::cluster::Cluster;
use tandem_core::domain::ids::Epoch;

use crate::lease_acquire::{TTL, cluster, held, run_out};
use crate::server::Server;

#[tokio::test]
async fn only_the_holder_renews() {
    let server = Server::start().await;
    let cluster = cluster(&server);
    let mine = held(&cluster, "a", 0).await;
    // 67 lies in one hash with 3, and is another lease; the answers come in the order of the request.
    let leases = vec![(4, mine), (3, mine), (67, mine), (3, Epoch(mine.0 - 1))];
    assert_eq!(
        cluster.renew("a", "nonce of a", TTL, leases).await.unwrap(),
        [false, true, false, false]
    );
    assert_eq!(
        cluster.renew("b", "nonce of b", TTL, vec![(3, mine)]).await.unwrap(),
        [false]
    );
}

#[tokio::test]
async fn a_lease_that_ran_out_is_ours_until_another_takes_it() {
    let server = Server::start().await;
    let cluster = cluster(&server);
    let mine = held(&cluster, "a", 0).await;
    run_out(&server).await;
    assert_eq!(
        cluster.renew("a", "nonce of a", TTL, vec![(3, mine)]).await.unwrap(),
        [true]
    );
    run_out(&server).await;
    held(&cluster, "b", 0).await;
    assert_eq!(
        cluster.renew("a", "nonce of a", TTL, vec![(3, mine)]).await.unwrap(),
        [false]
    );
}

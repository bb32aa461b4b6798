//! The script `backpressure` against a real Redis.

use redis::AsyncCommands;
use tandem::port::store::Lane;
use tandem::store::keys;

use crate::fixture::*;

#[tokio::test]
async fn producers_see_the_level() {
    let mut o = owned().await;
    for level in ["ok", "slow", "stop"] {
        o.lane.set_backpressure(&o.tenant, &o.fence, level).await.unwrap();
        let seen: String = o.raw.get(keys::backpressure(&o.tenant)).await.unwrap();
        assert_eq!(seen, level);
    }
}

//! The script `lengths` against a real Redis.

use redis::AsyncCommands;
use tandem::port::store::Lane;
use tandem::store::keys;
use tandem_core::domain::stream::StreamId;
use tandem_core::engine::state::Lengths;

use crate::fixture::*;

#[tokio::test]
async fn an_empty_tenant_has_no_lengths_and_a_deleted_newest_entry_still_counts_as_newest_and_is_missed() {
    let mut o = owned().await;
    let zero = StreamId::ZERO;
    let empty = Lengths {
        changes: 0,
        backfill: 0,
        compacted: 0,
        changes_last: zero,
        backfill_last: zero,
        outbox: 0,
        open_questions: 0,
        unaccounted: 0,
    };
    assert_eq!(o.lane.lengths(&o.tenant).await.unwrap(), empty);
    let kept = o.append("1").await;
    let gone = o.append("2").await;
    let _: u64 = o
        .raw
        .xdel(keys::changes(&o.tenant), &[gone.id.to_string()])
        .await
        .unwrap();
    let lengths = o.lane.lengths(&o.tenant).await.unwrap();
    assert_eq!(
        lengths,
        Lengths {
            changes: 1,
            changes_last: gone.id,
            unaccounted: 1,
            ..empty
        }
    );
    assert!(kept.id < gone.id);
}

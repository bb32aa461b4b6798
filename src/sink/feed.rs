//! Forwards a tenant's outbox to the product's feed, in order, at least once.
//!
//! Every run begins at the outbox's beginning: what was put on the feed before is told apart by the feed's own marks
//! (`forward` appends above them only), so a run that broke off anywhere is repeated whole.

use std::sync::Arc;

use tandem_core::domain::ids::{Fence, TenantName};
use tandem_core::domain::stream::StreamId;

use crate::port::store::{Lane, StoreError};

/// Entries that are read, appended and deleted at once.
pub const ENTRIES_AT_ONCE: usize = 200;
/// Rounds of one run; a tenant with more asks again, so that others get their turn on the lane.
pub const ROUNDS_MAX: usize = 1_000;

/// Forwards until the outbox is empty. Run it once at a time for each tenant.
///
/// # Errors
/// The first error ends the run; entries that were appended and not yet deleted are passed over by the next run.
pub async fn forward_all(lane: Arc<dyn Lane>, tenant: TenantName, fence: Fence) -> Result<u64, StoreError> {
    let mut total = 0;
    let mut after = StreamId::ZERO;
    for _ in 0..ROUNDS_MAX {
        let entries = lane.read_outbox(&tenant, after, ENTRIES_AT_ONCE).await?;
        let Some(last) = entries.last() else { break };
        after = last.id;
        let count = entries.len();
        let ids = entries.iter().map(|e| e.id).collect();
        lane.forward(&tenant, fence.epoch, entries).await?;
        lane.forwarded(&tenant, &fence, ids).await?;
        total += u64::try_from(count).unwrap_or(u64::MAX);
        if count < ENTRIES_AT_ONCE {
            break;
        }
    }
    Ok(total)
}

//! Panics in I/O become errors of the request that they happened in.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;

use crate::port::store::StoreError;
use crate::telemetry::panics;

/// Awaits a request to Redis; a panic in it is an error like any other.
pub(super) async fn contained<T>(
    doing: &'static str,
    request: impl Future<Output = Result<T, StoreError>> + Send,
) -> Result<T, StoreError> {
    AssertUnwindSafe(request)
        .catch_unwind()
        .await
        .unwrap_or_else(|payload| {
            Err(StoreError::Unexpected {
                doing,
                detail: format!("panic: {}", panics::words(payload.as_ref())),
            })
        })
}

//! Local smoothing of one org's calls: how many run at once and how many start in a second.
//!
//! The quota of the day is decided elsewhere; this keeps bursts from running into the limit of 25 long calls at once
//! (contract.md 5).

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock;
use governor::{DefaultDirectRateLimiter, Quota};
use tandem_core::engine::classify::{CallFault, Class};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How fast one org is called.
#[derive(Debug, Clone, Copy)]
pub struct PaceSettings {
    /// Calls that may run at once.
    pub concurrent_calls: usize,
    /// Calls that may start in a second; also the largest burst.
    pub calls_per_second: NonZeroU32,
}

impl Default for PaceSettings {
    /// 25 at once: what production orgs and sandboxes allow for calls of 20 s and more; 50 a second.
    fn default() -> Self {
        Self {
            concurrent_calls: 25,
            calls_per_second: NonZeroU32::MIN.saturating_add(49),
        }
    }
}

pub(super) struct Pace {
    permits: Arc<Semaphore>,
    rate: DefaultDirectRateLimiter,
    clock: governor::clock::DefaultClock,
}

impl Pace {
    pub(super) fn new(settings: PaceSettings) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(settings.concurrent_calls.max(1))),
            rate: DefaultDirectRateLimiter::direct(Quota::per_second(settings.calls_per_second)),
            clock: governor::clock::DefaultClock::default(),
        }
    }

    /// Waits for a place; hold it while the call runs.
    pub(super) async fn pass(&self, at_most: Duration) -> Result<OwnedSemaphorePermit, CallFault> {
        match tokio::time::timeout(at_most, self.wait()).await {
            Ok(Some(permit)) => Ok(permit),
            Ok(None) | Err(_) => Err(CallFault {
                class: Class::Concurrency,
                status: 0,
                code: "LOCAL_PACE".into(),
                detail: format!("no place for another call within {at_most:?}; nothing was sent"),
                retry_after: None,
            }),
        }
    }

    async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        // Ends: each round waits until the limiter itself says that a place is free.
        while let Err(early) = self.rate.check() {
            tokio::time::sleep(early.wait_time_from(self.clock.now())).await;
        }
        Some(permit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_beyond_the_cap_wait_and_do_not_wait_for_ever() {
        let pace = Pace::new(PaceSettings {
            concurrent_calls: 2,
            ..PaceSettings::default()
        });
        let (first, _second) = (
            pace.pass(Duration::from_secs(9)).await.unwrap(),
            pace.pass(Duration::from_secs(9)).await.unwrap(),
        );
        let fault = pace.pass(Duration::from_millis(5)).await.unwrap_err();
        assert_eq!((fault.class, fault.code.as_ref()), (Class::Concurrency, "LOCAL_PACE"));
        drop(first);
        assert!(pace.pass(Duration::from_secs(9)).await.is_ok());
    }

    #[tokio::test]
    async fn starts_are_spread_over_time() {
        let twenty = NonZeroU32::MIN.saturating_add(19);
        let pace = Pace::new(PaceSettings {
            concurrent_calls: 100,
            calls_per_second: twenty,
        });
        let began = std::time::Instant::now();
        for _ in 0..25 {
            drop(pace.pass(Duration::from_secs(9)).await.unwrap());
        }
        // 20 at once, five more at 50 ms each.
        assert!(began.elapsed() >= Duration::from_millis(225), "{:?}", began.elapsed());
    }
}

//! The simulator's clock: real time plus an offset that tests may move.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Time of all orgs of one simulator.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset_ms: AtomicI64,
    stopped_at_ms: Option<i64>,
}

impl Clock {
    /// A clock that runs, or, when a time in milliseconds since 1970 is given, one that only [`Clock::set_offset`] moves.
    #[must_use]
    pub(crate) fn new(stopped_at_ms: Option<i64>) -> Self {
        Self {
            offset_ms: AtomicI64::new(0),
            stopped_at_ms,
        }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub(crate) fn now_ms(&self) -> i64 {
        let base = self.stopped_at_ms.unwrap_or_else(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        });
        base.saturating_add(self.offset_ms())
    }

    /// Whole seconds since 1970: the grain of every stamp of the platform.
    #[must_use]
    pub(crate) fn now(&self) -> i64 {
        self.now_ms().div_euclid(1_000)
    }

    /// How far ahead of its base the clock is, in milliseconds.
    #[must_use]
    pub(crate) fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::Relaxed)
    }

    /// Sets how far ahead of its base the clock is, in milliseconds.
    pub(crate) fn set_offset(&self, offset_ms: i64) {
        self.offset_ms.store(offset_ms, Ordering::Relaxed);
    }
}

//! Time and dice, passed in: nothing below asks the machine for either.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tandem_core::domain::time::Timestamp;

/// What the actors know of time.
pub trait Clock: Send + Sync {
    /// Wall time, for policy.
    fn now(&self) -> Timestamp;
    /// Time since boot; it runs while the machine is suspended and never goes back. For leases.
    fn since_boot(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct HostClock {
    started: tokio::time::Instant,
    /// Highest time since boot seen, in milliseconds: the file below has steps of 10 ms.
    highest_ms: AtomicU64,
}

impl HostClock {
    /// Call it on the io runtime.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: tokio::time::Instant::now(),
            highest_ms: AtomicU64::new(0),
        }
    }
}

impl Default for HostClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for HostClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn since_boot(&self) -> Duration {
        // Linux shows CLOCK_BOOTTIME here. Elsewhere a clock that stands still during suspend must do.
        let uptime = std::fs::read_to_string("/proc/uptime").ok();
        let seconds = uptime
            .as_deref()
            .and_then(|t| t.split(' ').next())
            .and_then(|t| t.parse::<f64>().ok());
        let now = seconds
            .and_then(|s| Duration::try_from_secs_f64(s).ok())
            .unwrap_or_else(|| self.started.elapsed());
        let ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.highest_ms.fetch_max(ms, Ordering::Relaxed).max(ms))
    }
}

/// A clock that follows tokio's, so that tests can pause it and weeks pass in seconds.
#[derive(Debug)]
pub struct TokioClock {
    started: tokio::time::Instant,
    wall: Timestamp,
}

impl TokioClock {
    /// Shows `wall` now.
    #[must_use]
    pub fn starting_at(wall: Timestamp) -> Self {
        Self {
            started: tokio::time::Instant::now(),
            wall,
        }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.wall.after(self.started.elapsed())
    }

    fn since_boot(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A source of random numbers; SplitMix64, good enough for jitter and fair for tests that name a seed.
#[derive(Debug)]
pub struct Dice(AtomicU64);

impl Dice {
    /// The same seed rolls the same numbers.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Different in every process.
    #[must_use]
    pub fn from_host() -> Self {
        Self::seeded(uuid::Uuid::new_v4().as_u64_pair().0)
    }

    /// The next number.
    pub fn roll(&self) -> u64 {
        let mut z = self
            .0
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

//! When a child that died is started again.

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::time::Timestamp;

/// Pause after the first crash; it doubles with each further one.
pub const PAUSE_MIN: Duration = Duration::from_secs(1);
/// No pause is longer.
pub const PAUSE_MAX: Duration = Duration::from_secs(300);
/// Crashes that are forgiven within `WINDOW`; one more is too many.
pub const CRASHES_MAX: usize = 5;
/// Crashes older than this are forgotten.
pub const WINDOW: Duration = Duration::from_secs(600);
/// A parked child is tried once more after this long, in case that the cause went away by itself.
pub const PARKED_FOR: Duration = Duration::from_secs(3600);

/// What to do with the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Start it again at this time.
    Again(Timestamp),
    /// It crashed too often: an operator should look. Tried once more at this time.
    Park(Timestamp),
}

/// One child's recent crashes.
#[derive(Debug, Clone, Default)]
pub struct Crashes {
    /// When, oldest first; at most `CRASHES_MAX`.
    times: VecDeque<Timestamp>,
    /// All since the process began.
    total: u64,
}

impl Crashes {
    /// Takes a crash in. The pause is `PAUSE_MIN · 2ⁿ`, between half and all of it by dice, n crashes in the window.
    pub fn crashed(&mut self, now: Timestamp, dice: u64) -> Verdict {
        self.forget(now);
        self.total = self.total.saturating_add(1);
        self.times.push_back(now);
        if self.times.len() >= CRASHES_MAX {
            self.times.pop_front();
            return Verdict::Park(now.after(PARKED_FOR));
        }
        let doublings = u32::try_from(self.times.len() - 1).unwrap_or(u32::MAX);
        let full = PAUSE_MIN.saturating_mul(2_u32.saturating_pow(doublings)).min(PAUSE_MAX);
        Verdict::Again(now.after(jittered(full, dice)))
    }

    /// Crashes since the process began.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// An operator says that the cause is gone.
    pub fn pardon(&mut self) {
        self.times.clear();
    }

    fn forget(&mut self, now: Timestamp) {
        while self.times.front().is_some_and(|at| now.since(*at) > WINDOW) {
            self.times.pop_front();
        }
    }
}

/// Between half of the span and all of it.
pub fn jittered(span: Duration, dice: u64) -> Duration {
    let half = span / 2;
    let millis = u64::try_from(half.as_millis()).unwrap_or(u64::MAX);
    half + Duration::from_millis(dice % millis.saturating_add(1))
}

#[cfg(test)]
mod tests;

//! How much of something an org may do in a rolling day (contract 4.3).

use std::collections::VecDeque;

/// The window in minutes.
const DAY_MINUTES: i64 = 24 * 60;

/// A number that a rolling day may not exceed.
#[derive(Debug)]
pub(crate) struct Daily {
    max: u64,
    /// Used by minute, oldest first.
    minutes: VecDeque<(i64, u64)>,
    used: u64,
}

impl Daily {
    /// Nothing used of `max`.
    #[must_use]
    pub(crate) fn new(max: u64) -> Self {
        Self {
            max,
            minutes: VecDeque::new(),
            used: 0,
        }
    }

    /// The day's number.
    #[must_use]
    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// What is left of it; `now_ms` since 1970.
    pub(crate) fn left(&mut self, now_ms: i64) -> u64 {
        let oldest = now_ms.div_euclid(60_000) - DAY_MINUTES;
        while let Some((minute, n)) = self.minutes.front().copied()
            && minute <= oldest
        {
            self.used -= n;
            self.minutes.pop_front();
        }
        self.max.saturating_sub(self.used)
    }

    /// Uses `n`, whether or not so much is left.
    pub(crate) fn add(&mut self, n: u64, now_ms: i64) {
        let minute = now_ms.div_euclid(60_000);
        match self.minutes.back_mut() {
            Some((last, used)) if *last >= minute => *used += n,
            _ => self.minutes.push_back((minute, n)),
        }
        self.used += n;
    }

    /// Uses one, if there is one.
    pub(crate) fn take(&mut self, now_ms: i64) -> bool {
        let left = self.left(now_ms) > 0;
        if left {
            self.add(1, now_ms);
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_comes_back_after_a_day() {
        let mut daily = Daily::new(2);
        let hour = 3_600_000;
        assert!(daily.take(0) && daily.take(hour) && !daily.take(2 * hour));
        assert_eq!(daily.left(24 * hour - 1), 0);
        assert_eq!(daily.left(24 * hour), 1);
        assert!(daily.take(24 * hour) && !daily.take(24 * hour));
        daily.add(9, 60 * hour);
        assert_eq!(daily.left(60 * hour), 0);
    }
}

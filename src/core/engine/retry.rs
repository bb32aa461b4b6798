//! When to try again, and how often altogether. What may be tried again is `classify`'s matter.

use std::time::Duration;

use super::classify::Class;
use crate::domain::time::Timestamp;

/// Longest wait that a hint of Salesforce is believed for.
pub const HINT_MAX: Duration = Duration::from_mins(15);

/// How one class of failure is waited out.
struct Pace {
    /// Never sooner.
    floor: Duration,
    /// First try at the latest after this; doubles with each.
    base: Duration,
    /// Never later.
    cap: Duration,
}

/// How long to wait before the next try. `attempt` counts the tries that failed so far, from 1; `dice` are 64 random bits.
///
/// Full jitter: evenly spread between the class's floor and base × 2^(attempt − 1), at most its cap. A hint of
/// Salesforce (`Retry-After`) replaces that; it is cut to [`HINT_MAX`] and spread by the class's base, so that waiters
/// do not come back all at once. A class that is not tried again by itself (reject, configuration) waits longest.
pub fn delay(class: Class, attempt: u32, hint: Option<Duration>, dice: u64) -> Duration {
    let pace = pace(class);
    if let Some(hint) = hint {
        return hint.min(HINT_MAX).max(pace.floor) + roll(pace.base, dice);
    }
    let doublings = attempt.saturating_sub(1).min(31);
    let latest = pace.base.saturating_mul(1 << doublings).min(pace.cap);
    pace.floor + roll(latest.saturating_sub(pace.floor), dice)
}

fn pace(class: Class) -> Pace {
    let (floor_ms, base_ms, cap_ms) = match class {
        // Every tenant is to move within 40 s once Salesforce is back (design 2).
        Class::Retry => (50, 500, 30_000),
        Class::Unknown => (50, 1_000, 30_000),
        // Quota comes back as old calls leave the 24 h window: minutes.
        Class::SlowDown => (10_000, 30_000, 900_000),
        Class::Concurrency => (500, 2_000, 60_000),
        Class::Reauthorise => (500, 1_000, 60_000),
        Class::Gone => (500, 1_000, 60_000),
        // Numbers must not be lifted at once: older content would overtake newer (log-road rules 6 and 7).
        Class::Fence => (1_000, 2_000, 60_000),
        // Locks of an approval last hours.
        Class::Conflict => (1_000, 30_000, 3_600_000),
        Class::Configuration | Class::Reject => (30_000, 60_000, 3_600_000),
    };
    let [floor, base, cap] = [floor_ms, base_ms, cap_ms].map(Duration::from_millis);
    Pace { floor, base, cap }
}

/// Evenly between zero and `span`, whole milliseconds.
fn roll(span: Duration, dice: u64) -> Duration {
    let ms = span.as_millis().min(u128::from(u32::MAX));
    // The product's upper half: even, and without the modulus's bias.
    Duration::from_millis((((ms + 1) * u128::from(dice)) >> 64) as u64)
}

/// Bounds how much of a tenant's traffic may be retries: each first try earns a fifth of one, and one every 5 s comes
/// by itself, so that a tenant in trouble goes on trying without doubling its load.
#[derive(Debug, Clone)]
pub struct RetryBudget {
    credits: u32,
    refilled: Timestamp,
}

impl RetryBudget {
    /// Credits that a retry costs; a first try earns one.
    pub const RETRY_COST: u32 = 5;
    /// Credits kept at most: 100 retries in a burst.
    pub const CREDITS_MAX: u32 = 500;
    /// A credit comes by itself every so many milliseconds.
    pub const TRICKLE_MS: u64 = 1_000;

    /// A budget of ten retries.
    pub fn new(now: Timestamp) -> Self {
        Self {
            credits: 10 * Self::RETRY_COST,
            refilled: now,
        }
    }

    /// A call was made that is no retry.
    pub fn deposit(&mut self) {
        self.credits = (self.credits + 1).min(Self::CREDITS_MAX);
    }

    /// Whether one retry may be made now; if so, it is paid.
    #[must_use]
    pub fn withdraw(&mut self, now: Timestamp) -> bool {
        self.refill(now);
        match self.credits.checked_sub(Self::RETRY_COST) {
            Some(left) => {
                self.credits = left;
                true
            }
            None => false,
        }
    }

    /// When one retry will be affordable if nothing else happens.
    pub fn wake_at(&self) -> Timestamp {
        let missing = u64::from(Self::RETRY_COST.saturating_sub(self.credits));
        self.refilled.after(Duration::from_millis(missing * Self::TRICKLE_MS))
    }

    fn refill(&mut self, now: Timestamp) {
        let came = now.0.saturating_sub(self.refilled.0) / Self::TRICKLE_MS;
        self.refilled = self
            .refilled
            .after(Duration::from_millis(came.saturating_mul(Self::TRICKLE_MS)));
        let came = u32::try_from(came).unwrap_or(Self::CREDITS_MAX);
        self.credits = self.credits.saturating_add(came).min(Self::CREDITS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLASSES: [Class; 10] = [
        Class::Retry,
        Class::SlowDown,
        Class::Concurrency,
        Class::Reauthorise,
        Class::Reject,
        Class::Conflict,
        Class::Gone,
        Class::Fence,
        Class::Configuration,
        Class::Unknown,
    ];

    fn class() -> impl Strategy<Value = Class> {
        prop::sample::select(CLASSES.to_vec())
    }

    #[test]
    fn windows_double_up_to_the_cap() {
        let latest = |attempt| delay(Class::Retry, attempt, None, u64::MAX);
        let expected = [500, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
        for (attempt, ms) in expected.into_iter().enumerate() {
            assert_eq!(latest(attempt as u32), Duration::from_millis(ms), "attempt {attempt}");
        }
        assert_eq!(latest(u32::MAX), Duration::from_secs(30));
        assert_eq!(delay(Class::Retry, 9, None, 0), Duration::from_millis(50));
        assert!(
            delay(Class::Fence, 1, None, 0) >= Duration::from_secs(1),
            "a refused number waits its grace time"
        );
    }

    #[test]
    fn jitter_is_even() {
        let middle = delay(Class::Retry, 20, None, u64::MAX / 2);
        assert_eq!(middle, Duration::from_millis(50 + (30_000 - 50) / 2));
    }

    #[test]
    fn hints_are_followed_within_bounds() {
        let hinted = |secs, dice| delay(Class::Retry, 1, Some(Duration::from_secs(secs)), dice);
        assert_eq!(hinted(20, 0), Duration::from_secs(20));
        assert_eq!(hinted(20, u64::MAX), Duration::from_millis(20_500));
        assert_eq!(hinted(0, 0), Duration::from_millis(50));
        assert_eq!(hinted(u64::MAX, 0), HINT_MAX);
    }

    proptest! {
        #[test]
        fn delays_are_bounded_and_grow_with_the_dice(class in class(), attempt: u32, dice: u64, more: u64, hint in prop::option::of(any::<u64>())) {
            let hint = hint.map(Duration::from_millis);
            let one = delay(class, attempt, hint, dice.min(more));
            let other = delay(class, attempt, hint, dice.max(more));
            prop_assert!(one <= other);
            prop_assert!(one >= Duration::from_millis(50));
            prop_assert!(other <= Duration::from_hours(1));
        }

        /// Over any run, retries ≤ start + a fifth of first tries + one every 5 s.
        #[test]
        fn retries_stay_within_the_budget(steps in prop::collection::vec((0_u64..3_000, any::<bool>()), 0..400)) {
            let mut now = Timestamp(1_000_000);
            let begun = now;
            let mut budget = RetryBudget::new(now);
            let (mut first, mut retries) = (0_u64, 0_u64);
            for (pause, is_retry) in steps {
                now = now.after(Duration::from_millis(pause));
                if is_retry {
                    retries += u64::from(budget.withdraw(now));
                } else {
                    first += 1;
                    budget.deposit();
                }
                let came = now.since(begun).as_secs();
                prop_assert!(retries * 5 <= 50 + first + came, "{retries} after {first} and {came} s");
            }
        }

        /// What `wake_at` promises holds, so a tenant that waits for it is never stuck.
        #[test]
        fn an_empty_budget_refills_when_it_says(drained in 0_u32..20, pause in 0_u64..10_000) {
            let mut now = Timestamp(5_000);
            let mut budget = RetryBudget::new(now);
            for _ in 0..drained {
                now = now.after(Duration::from_millis(u64::from(budget.withdraw(now))));
            }
            now = now.after(Duration::from_millis(pause)).max(budget.wake_at());
            prop_assert!(budget.withdraw(now));
        }
    }
}

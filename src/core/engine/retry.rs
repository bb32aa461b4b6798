//! When to try again: full jitter under a cap that grows with the attempts, by class of failure.

use std::time::Duration;

use super::classify::Class;

/// Longest hint of Salesforce that is followed.
const HINT_MAX: Duration = Duration::from_secs(600);

/// First cap and highest cap of a class.
const fn caps(class: Class) -> (Duration, Duration) {
    match class {
        Class::Retry | Class::Unknown => (Duration::from_millis(500), Duration::from_secs(60)),
        Class::Concurrency => (Duration::from_secs(2), Duration::from_secs(60)),
        Class::SlowDown => (Duration::from_secs(60), Duration::from_secs(900)),
        Class::Reauthorise => (Duration::from_secs(5), Duration::from_secs(900)),
        Class::Conflict | Class::Gone | Class::Fence | Class::Reject => (Duration::from_secs(2), Duration::from_secs(60)),
        Class::Configuration => (Duration::from_secs(60), Duration::from_secs(900)),
    }
}

/// How long to wait before attempt `attempt + 1` (attempts count from 1). At least a tenth of the cap, so that a lucky
/// die does not hammer; `hint` (a Retry-After) is kept to at least, clamped to ten minutes.
pub fn delay(class: Class, attempt: u32, hint: Option<Duration>, dice: u64) -> Duration {
    let (first, most) = caps(class);
    let cap = first.saturating_mul(1_u32 << attempt.saturating_sub(1).min(16)).min(most);
    let ms = u64::try_from(cap.as_millis()).unwrap_or(u64::MAX);
    let jittered = Duration::from_millis(ms / 10 + dice % (ms - ms / 10 + 1));
    hint.map_or(jittered, |hint| jittered.max(hint.min(HINT_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn delays_stay_between_a_tenth_of_the_cap_and_the_cap(attempt in 0_u32..100, dice: u64) {
            for class in [Class::Retry, Class::SlowDown, Class::Configuration, Class::Concurrency] {
                let (first, most) = caps(class);
                let got = delay(class, attempt, None, dice);
                prop_assert!(got >= first / 10 && got <= most);
            }
        }
    }

    #[test]
    fn a_hint_is_followed_within_reason() {
        let hint = Duration::from_secs(30);
        assert!(delay(Class::Retry, 1, Some(hint), 0) >= hint);
        assert!(delay(Class::Retry, 1, Some(Duration::from_secs(1 << 20)), 0) <= HINT_MAX);
    }
}

//! The tenant's breaker: stops sending when Salesforce does not work, probes with one call, starts again slowly.

use std::time::Duration;

use super::classify::Class;
use super::retry;
use crate::domain::time::Timestamp;

/// Calls that must fail in a row before the breaker opens.
const FAILURES_MAX: u32 = 5;
/// How long a refused login is left alone before the session is tried again.
const AUTHORISATION_PAUSE: Duration = Duration::from_secs(900);

/// Whether, and how much, may be sent.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    failures: u32,
    open_until: Option<Timestamp>,
    /// Calls in parallel that a slow start allows; none when there is no limit.
    slow_start: Option<usize>,
    unauthorised: bool,
    authorised_again: bool,
}

impl Breaker {
    /// Takes the end of one call in: `None` when it gave row outcomes.
    pub fn on_answer(&mut self, now: Timestamp, class: Option<Class>, dice: u64) {
        let Some(class) = class else {
            self.failures = 0;
            self.authorised_again = self.unauthorised;
            self.unauthorised = false;
            if self.open_until.take().is_some() {
                self.slow_start = Some(1);
            }
            self.slow_start = self.slow_start.map(|n| n * 2).filter(|n| *n < 64);
            return;
        };
        self.failures = self.failures.saturating_add(1);
        let pause = match class {
            Class::Reauthorise => {
                self.unauthorised = true;
                Some(AUTHORISATION_PAUSE)
            }
            Class::SlowDown => Some(retry::delay(class, self.failures, None, dice)),
            Class::Concurrency => {
                self.slow_start = Some(1);
                Some(retry::delay(class, self.failures, None, dice))
            }
            Class::Retry | Class::Unknown if self.failures >= FAILURES_MAX => {
                Some(retry::delay(class, self.failures - FAILURES_MAX + 1, None, dice))
            }
            Class::Retry | Class::Unknown | Class::Reject | Class::Conflict | Class::Gone | Class::Fence | Class::Configuration => None,
        };
        if let Some(pause) = pause {
            self.open_until = Some(now.after(pause));
        }
    }

    /// Whether a further call may be sent while `in_flight` are on their way; after a pause one probe goes first.
    pub fn may_send(&self, now: Timestamp, in_flight: usize) -> bool {
        match self.open_until {
            Some(until) if until > now => false,
            Some(_) => in_flight == 0,
            None => self.slow_start.is_none_or(|most| in_flight < most),
        }
    }

    /// Whether calls are held back at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.open_until.is_some_and(|until| until > now)
    }

    /// Whether the org refuses the tenant's credentials.
    pub fn needs_authorisation(&self) -> bool {
        self.unauthorised
    }

    /// True once after the org accepted the credentials again.
    pub fn take_authorised_again(&mut self) -> bool {
        std::mem::take(&mut self.authorised_again)
    }

    /// When the next probe may go.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.open_until
    }

    /// An operator says: try now.
    pub fn reset(&mut self) {
        self.failures = 0;
        self.open_until = self.open_until.map(|_| Timestamp::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn opens_after_failures_in_a_row_probes_with_one_call_and_starts_slowly() {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_MAX {
            assert!(breaker.may_send(NOW, 3));
            breaker.on_answer(NOW, Some(Class::Retry), 7);
        }
        assert!(!breaker.may_send(NOW, 0));
        let probe = breaker.wake_at().unwrap();
        assert!(breaker.may_send(probe, 0));
        assert!(!breaker.may_send(probe, 1));
        breaker.on_answer(probe, None, 7);
        assert!(breaker.may_send(probe, 1));
        assert!(!breaker.may_send(probe, 2));
        breaker.on_answer(probe, None, 7);
        assert!(breaker.may_send(probe, 3));
    }

    #[test]
    fn rows_that_are_refused_do_not_open_it() {
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            breaker.on_answer(NOW, Some(Class::Configuration), 7);
        }
        assert!(breaker.may_send(NOW, 0));
    }

    #[test]
    fn a_refused_session_is_said_and_recovers() {
        let mut breaker = Breaker::default();
        breaker.on_answer(NOW, Some(Class::Reauthorise), 7);
        assert!(breaker.needs_authorisation());
        assert!(!breaker.may_send(NOW, 0));
        breaker.reset();
        assert!(breaker.may_send(NOW, 0));
        breaker.on_answer(NOW, None, 7);
        assert!(!breaker.needs_authorisation());
        assert!(breaker.take_authorised_again());
        assert!(!breaker.take_authorised_again());
    }
}

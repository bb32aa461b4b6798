//! One tenant's breaker: an org that fails is left alone, then probed with one call, then taken up again slowly.
//!
//! ```text
//!            too many failures in a row, or no quota
//!  closed ────────────────────────────────────────────▶ open(until) ◀─┐
//!    ▲                                                     │ until    │ it failed
//!    │  it was answered: one batch at a time, then 2, 4, … ▼          │
//!    └──────────────────────────────────────────────── one probe ─────┘
//! ```

use super::classify::Class;
use super::retry;
use crate::domain::time::Timestamp;

/// Says whether a tenant may send another batch. Never blocks for ever: while nothing is in flight, a batch may be sent
/// now or at [`Breaker::wake_at`].
#[derive(Debug, Clone)]
pub struct Breaker {
    state: State,
    /// Batches that may be in flight.
    window: u32,
    /// Failures in a row.
    failures: u32,
    /// How often it opened since the window was last full.
    trips: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    /// Nothing is sent before this time, then one probe.
    Open(Timestamp),
}

impl Breaker {
    /// Batches in flight that a healthy org is given: the calls that may run long at once (contract.md 5).
    pub const WINDOW_MAX: u32 = 25;
    /// Failures in a row that open it; fewer while the window is smaller.
    pub const FAILURES_MAX: u32 = 3;

    /// Closed, and fully open for traffic.
    pub fn new() -> Self {
        Self {
            state: State::Closed,
            window: Self::WINDOW_MAX,
            failures: 0,
            trips: 0,
        }
    }

    /// A call was answered: `None` for success, else the class of the whole call's failure. `dice` are 64 random bits.
    ///
    /// Refusals show a healthy org. Too much at once halves the window. Answers that come while it is open are of calls
    /// that were made before, and change nothing.
    pub fn on_answer(&mut self, now: Timestamp, class: Option<Class>, dice: u64) {
        let probed = match self.state {
            State::Open(until) if now < until => return,
            State::Open(_) => true,
            State::Closed => false,
        };
        match class {
            None | Some(Class::Reject | Class::Conflict | Class::Gone | Class::Fence | Class::Configuration) => {
                self.answered(probed);
            }
            Some(class @ Class::Concurrency) => {
                if probed || self.window == 1 {
                    self.open(now, class, dice);
                }
                self.window = (self.window / 2).max(1);
            }
            Some(class @ Class::SlowDown) => self.open(now, class, dice),
            Some(class @ (Class::Retry | Class::Unknown | Class::Reauthorise)) => {
                self.failures = self.failures.saturating_add(1);
                if probed || self.failures >= Self::FAILURES_MAX.min(self.window) {
                    self.open(now, class, dice);
                }
            }
        }
    }

    /// Whether another batch may be sent, when `in_flight` are. While probing it waits for those that were sent before:
    /// their time limit bounds that.
    pub fn may_send(&self, now: Timestamp, in_flight: usize) -> bool {
        match self.state {
            State::Closed => in_flight < self.window as usize,
            State::Open(until) => now >= until && in_flight == 0,
        }
    }

    /// Whether calls are answered.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// When the probe may be sent; none while closed.
    pub fn wake_at(&self) -> Option<Timestamp> {
        match self.state {
            State::Closed => None,
            State::Open(until) => Some(until),
        }
    }

    /// Whether calls are held back at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Open(until) if now < until)
    }

    /// An operator says: probe now.
    pub fn probe_now(&mut self) {
        if let State::Open(until) = &mut self.state {
            *until = Timestamp::ZERO;
        }
    }

    fn answered(&mut self, probed: bool) {
        self.failures = 0;
        if probed {
            self.state = State::Closed;
            self.window = 1;
        } else if self.window < Self::WINDOW_MAX {
            // One more with each answer: the window doubles with each round.
            self.window += 1;
        } else {
            self.trips = 0;
        }
    }

    fn open(&mut self, now: Timestamp, class: Class, dice: u64) {
        self.trips = self.trips.saturating_add(1);
        self.failures = 0;
        self.state = State::Open(now.after(retry::delay(class, self.trips, None, dice)));
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use proptest::prelude::*;

    const T0: Timestamp = Timestamp(1_000_000);

    fn tripped() -> (Breaker, Timestamp) {
        let mut breaker = Breaker::new();
        for _ in 0..Breaker::FAILURES_MAX {
            breaker.on_answer(T0, Some(Class::Retry), u64::MAX);
        }
        let until = breaker.wake_at().unwrap();
        (breaker, until)
    }

    /// How many more may be sent now.
    fn room(breaker: &Breaker, now: Timestamp) -> usize {
        (0..100)
            .take_while(|in_flight| breaker.may_send(now, *in_flight))
            .count()
    }

    #[test]
    fn failures_in_a_row_open_it_and_others_do_not() {
        let mut breaker = Breaker::new();
        for _ in 0..10 {
            breaker.on_answer(T0, Some(Class::Retry), 7);
            breaker.on_answer(T0, Some(Class::Unknown), 7);
            breaker.on_answer(T0, Some(Class::Reject), 7);
        }
        assert_eq!(room(&breaker, T0), Breaker::WINDOW_MAX as usize);
        let (breaker, until) = tripped();
        assert_eq!(until, T0.after(Duration::from_millis(500)));
        assert_eq!(room(&breaker, T0), 0);
    }

    #[test]
    fn one_probe_then_slowly() {
        let (mut breaker, until) = tripped();
        assert_eq!(room(&breaker, Timestamp(until.0 - 1)), 0);
        assert_eq!(room(&breaker, until), 1);
        let mut rounds = Vec::new();
        for _ in 0..7 {
            let sent = room(&breaker, until);
            rounds.push(sent);
            (0..sent).for_each(|_| breaker.on_answer(until, None, 0));
        }
        assert_eq!(rounds, [1, 1, 2, 4, 8, 16, 25]);
        assert_eq!(breaker.wake_at(), None);
    }

    #[test]
    fn a_failed_probe_waits_longer() {
        let (mut breaker, mut until) = tripped();
        let mut waits = Vec::new();
        for _ in 0..8 {
            let now = until;
            breaker.on_answer(now, Some(Class::Retry), u64::MAX);
            until = breaker.wake_at().unwrap();
            waits.push(until.since(now).as_millis());
        }
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        breaker.on_answer(until, None, 0);
        breaker.on_answer(until, Some(Class::Retry), u64::MAX);
        assert!(
            breaker.wake_at().unwrap() > until,
            "one failure is enough while one is sent at a time"
        );
    }

    #[test]
    fn a_full_recovery_forgets_earlier_trips() {
        let (mut breaker, mut now) = tripped();
        breaker.on_answer(now, Some(Class::Retry), u64::MAX);
        now = breaker.wake_at().unwrap();
        (0..30).for_each(|_| breaker.on_answer(now, None, 0));
        (0..Breaker::FAILURES_MAX).for_each(|_| breaker.on_answer(now, Some(Class::Retry), u64::MAX));
        assert_eq!(
            breaker.wake_at(),
            Some(now.after(Duration::from_millis(500))),
            "as on the first trip"
        );
    }

    #[test]
    fn late_answers_of_calls_before_change_nothing() {
        let (mut breaker, until) = tripped();
        breaker.on_answer(T0, None, 0);
        breaker.on_answer(T0, Some(Class::Retry), 0);
        assert_eq!(breaker.wake_at(), Some(until));
    }

    #[test]
    fn too_much_at_once_halves_the_window() {
        let mut breaker = Breaker::new();
        let mut windows = Vec::new();
        for _ in 0..5 {
            breaker.on_answer(T0, Some(Class::Concurrency), u64::MAX);
            windows.push(room(&breaker, T0));
        }
        assert_eq!(windows, [12, 6, 3, 1, 0], "then it waits");
        assert_eq!(breaker.wake_at(), Some(T0.after(Duration::from_secs(2))));
    }

    #[test]
    fn a_used_up_quota_opens_it_at_once() {
        let mut breaker = Breaker::new();
        breaker.on_answer(T0, Some(Class::SlowDown), 0);
        assert!(breaker.wake_at().unwrap() >= T0.after(Duration::from_secs(10)));
    }

    fn answer() -> impl Strategy<Value = Option<Class>> {
        use Class::*;
        prop::option::of(prop::sample::select(vec![
            Retry,
            SlowDown,
            Concurrency,
            Reauthorise,
            Reject,
            Conflict,
            Gone,
            Fence,
            Configuration,
            Unknown,
        ]))
    }

    proptest! {
        /// Whatever was answered: it can always send again, soon enough, and never sends more than it may.
        #[test]
        fn it_never_locks_up(answers in prop::collection::vec((0_u64..40_000, answer(), any::<u64>()), 0..200)) {
            let mut breaker = Breaker::new();
            let mut now = T0;
            for (pause, class, dice) in answers {
                now = now.after(Duration::from_millis(pause));
                breaker.on_answer(now, class, dice);
                let next = breaker.wake_at().unwrap_or(now).max(now);
                prop_assert!(breaker.may_send(next, 0));
                prop_assert!(next.since(now) <= Duration::from_mins(15));
                prop_assert!(!breaker.may_send(next, Breaker::WINDOW_MAX as usize));
                if breaker.wake_at().is_some() {
                    prop_assert_eq!(room(&breaker, next), 1);
                }
                prop_assert_eq!(room(&breaker, now) > 0, next == now);
            }
        }

        /// Once the org is well, traffic is full again after the next probe and few rounds, whatever was before.
        #[test]
        fn it_recovers(answers in prop::collection::vec((0_u64..40_000, answer(), any::<u64>()), 0..50)) {
            let mut breaker = Breaker::new();
            let mut now = T0;
            for (pause, class, dice) in answers {
                now = now.after(Duration::from_millis(pause));
                breaker.on_answer(now, class, dice);
            }
            now = breaker.wake_at().unwrap_or(now).max(now);
            for _ in 0..7 {
                (0..room(&breaker, now)).for_each(|_| breaker.on_answer(now, None, 0));
            }
            prop_assert_eq!(room(&breaker, now), Breaker::WINDOW_MAX as usize);
        }
    }
}

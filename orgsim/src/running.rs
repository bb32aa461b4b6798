//! Requests in work: Salesforce lets only some of them run for long at the same time (contract 5).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A request is long from here on, and so many of them may run: of production orgs and sandboxes [V:D-APILIM].
const LONG: Duration = Duration::from_secs(20);
const MOST_LONG: usize = 25;

/// The requests of one org that are in work.
#[derive(Debug)]
pub(crate) struct Running(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    started: BTreeMap<u64, Instant>,
    next: u64,
    long: Duration,
    most: usize,
}

/// A request in work; it has ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Ticket<'r> {
    running: &'r Running,
    number: u64,
}

impl Ticket<'_> {
    /// The request's number; never 0.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl Default for Running {
    fn default() -> Self {
        Self(Mutex::new(Inner {
            started: BTreeMap::new(),
            next: 1,
            long: LONG,
            most: MOST_LONG,
        }))
    }
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request begins; None when too many long ones are in work.
    pub(crate) fn begin(&self, now: Instant) -> Option<Ticket<'_>> {
        let mut inner = self.lock();
        // Numbers grow with time: the long ones are the first.
        let long = inner.started.values().take(inner.most);
        let long = long
            .filter(|start| now.saturating_duration_since(**start) >= inner.long)
            .count();
        if long >= inner.most {
            return None;
        }
        let number = inner.next;
        inner.next += 1;
        inner.started.insert(number, now);
        Some(Ticket { running: self, number })
    }

    /// From when on a request is long, and how many such may run.
    pub(crate) fn settings(&self) -> (Duration, usize) {
        let inner = self.lock();
        (inner.long, inner.most)
    }

    /// Changes both.
    pub(crate) fn set(&self, long: Duration, most: usize) {
        let mut inner = self.lock();
        inner.long = long;
        inner.most = most;
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.running.lock().started.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_requests_stand_in_the_way() {
        let running = Running::default();
        running.set(LONG, 2);
        let start = Instant::now();
        let (first, second) = (running.begin(start), running.begin(start));
        assert!(running.begin(start + LONG - Duration::from_millis(1)).is_some());
        assert!(running.begin(start + LONG).is_none());
        drop(first);
        assert!(running.begin(start + LONG).is_some());
        drop(second);
        running.set(LONG, 0);
        assert!(running.begin(start).is_none());
    }
}

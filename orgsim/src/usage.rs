//! API calls as Salesforce counts them: per org, over a rolling day (contract 5).

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

/// The window in minutes.
const DAY_MINUTES: i64 = 24 * 60;

/// What a call did, for the counts by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    /// A token request: never counted against the day.
    Token,
    /// Anything on single rows and everything else.
    Rest,
    /// `POST /composite/sobjects`.
    CollectionsCreate,
    /// `PATCH /composite/sobjects`.
    CollectionsUpdate,
    /// `PATCH /composite/sobjects/{type}/{field}`.
    CollectionsUpsert,
    /// `DELETE /composite/sobjects`.
    CollectionsDelete,
    /// `POST /composite` and what lies below it, but for collections; a batch is counted by its parts.
    Composite,
    /// Describes.
    Describe,
    /// SOQL, following pages too.
    Query,
    /// `GET` and `POST /composite/sobjects/{type}`.
    Retrieve,
    /// Everything under `/jobs`, each look at a job too.
    Bulk,
}

impl Call {
    fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Rest => "rest",
            Self::CollectionsCreate => "collections_create",
            Self::CollectionsUpdate => "collections_update",
            Self::CollectionsUpsert => "collections_upsert",
            Self::CollectionsDelete => "collections_delete",
            Self::Composite => "composite",
            Self::Describe => "describe",
            Self::Query => "query",
            Self::Retrieve => "retrieve",
            Self::Bulk => "bulk",
        }
    }
}

/// Counts of one org.
#[derive(Debug)]
pub(crate) struct Usage {
    daily: u64,
    /// Counted calls by minute, oldest first.
    minutes: VecDeque<(i64, u64)>,
    in_window: u64,
    /// Calls of other apps a minute, and the minute up to which they are counted.
    foreign: (u64, i64),
    total: u64,
    by: BTreeMap<Call, u64>,
    rows: BTreeMap<&'static str, u64>,
}

impl Usage {
    /// Nothing used of `daily` calls a day.
    #[must_use]
    pub(crate) fn new(daily: u64) -> Self {
        let kinds = [
            Call::Token,
            Call::Rest,
            Call::CollectionsCreate,
            Call::CollectionsUpdate,
            Call::CollectionsUpsert,
            Call::CollectionsDelete,
            Call::Composite,
            Call::Describe,
            Call::Query,
            Call::Retrieve,
            Call::Bulk,
        ];
        Self {
            daily,
            minutes: VecDeque::new(),
            in_window: 0,
            foreign: (0, 0),
            total: 0,
            by: kinds.into_iter().map(|k| (k, 0)).collect(),
            rows: ["create", "update", "upsert", "delete"]
                .into_iter()
                .map(|k| (k, 0))
                .collect(),
        }
    }

    /// Counts one call; whether the day's number allowed it. A refused one is not counted.
    pub(crate) fn count(&mut self, call: Call, now_ms: i64) -> bool {
        self.age(now_ms);
        if call != Call::Token {
            if self.in_window >= self.daily {
                return false;
            }
            let minute = now_ms.div_euclid(60_000);
            match self.minutes.back_mut() {
                Some((last, n)) if *last >= minute => *n += 1,
                _ => self.minutes.push_back((minute, 1)),
            }
            self.in_window += 1;
            self.total += 1;
        }
        *self.by.entry(call).or_default() += 1;
        true
    }

    /// Counts rows that a call wanted to write.
    pub(crate) fn count_rows(&mut self, verb: &'static str, rows: usize) {
        *self.rows.entry(verb).or_default() += u64::try_from(rows).unwrap_or(u64::MAX);
    }

    /// Another number of calls a day.
    pub(crate) fn set_daily(&mut self, daily: u64) {
        self.daily = daily;
    }

    /// Calls that other apps made just now: they count against the day, and are nobody's here.
    pub(crate) fn add_foreign(&mut self, calls: u64, now_ms: i64) {
        self.age(now_ms);
        self.add(now_ms.div_euclid(60_000), calls);
    }

    /// Calls that other apps make from now on, a minute.
    pub(crate) fn set_foreign_per_minute(&mut self, calls: u64, now_ms: i64) {
        self.age(now_ms);
        self.foreign = (calls, now_ms.div_euclid(60_000));
    }

    /// Calls that other apps make, a minute.
    pub(crate) fn foreign_per_minute(&self) -> u64 {
        self.foreign.0
    }

    /// What others do never exceeds the day.
    fn add(&mut self, minute: i64, calls: u64) {
        let calls = calls.min(self.daily.saturating_sub(self.in_window));
        match self.minutes.back_mut() {
            Some((last, n)) if *last >= minute => *n += calls,
            _ => self.minutes.push_back((minute, calls)),
        }
        self.in_window += calls;
    }

    fn age(&mut self, now_ms: i64) {
        let (rate, counted) = self.foreign;
        if rate > 0 {
            let now = now_ms.div_euclid(60_000);
            for minute in counted.max(now - DAY_MINUTES) + 1..=now {
                self.add(minute, rate);
            }
            self.foreign.1 = now.max(counted);
        }
        let oldest = now_ms.div_euclid(60_000) - DAY_MINUTES;
        while let Some((minute, n)) = self.minutes.front().copied()
            && minute <= oldest
        {
            self.in_window -= n;
            self.minutes.pop_front();
        }
    }

    /// `api-usage=18/5000`.
    #[must_use]
    pub(crate) fn limit_info(&self) -> String {
        format!("api-usage={}/{}", self.in_window, self.daily)
    }

    /// The day's number and what is left of it.
    #[must_use]
    pub(crate) fn daily(&self) -> (u64, u64) {
        (self.daily, self.daily.saturating_sub(self.in_window))
    }

    /// The counts for the admin port.
    #[must_use]
    pub(crate) fn report(&self, fence_refusals: u64) -> Value {
        let by: BTreeMap<&str, u64> = self.by.iter().map(|(call, n)| (call.name(), *n)).collect();
        json!({"total": self.total, "by": by, "rows": self.rows, "fence_refusals": fence_refusals})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_back_as_they_age() {
        let hour = 3_600_000;
        // [V:D-APILIM] 14,500 calls at 05:00 and 499 at 23:00 leave one until 05:00 of the next day.
        let mut usage = Usage::new(15_000);
        usage.add_foreign(14_500, 5 * hour);
        usage.add_foreign(499, 23 * hour);
        assert!(usage.count(Call::Rest, 24 * hour));
        assert!(!usage.count(Call::Rest, 28 * hour));
        assert!(usage.count(Call::Rest, 29 * hour));
        assert_eq!(usage.daily(), (15_000, 14_499));
    }

    #[test]
    fn what_others_use_follows_the_clock_and_ends_with_the_day() {
        let mut usage = Usage::new(100);
        usage.set_foreign_per_minute(10, 0);
        assert!(usage.count(Call::Rest, 3 * 60_000));
        assert_eq!(usage.daily(), (100, 69));
        assert!(!usage.count(Call::Rest, 10 * 60_000));
        assert_eq!(usage.limit_info(), "api-usage=100/100");
    }
}

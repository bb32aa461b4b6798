//! What the oracle found.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Case;
use crate::history::{History, Step, TenantHistory};

/// The consistency promises, as the design numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Promise {
    /// Both sides equal, then nothing more is written.
    C1,
    /// No value that nobody wrote.
    C2,
    /// No edit lost in silence.
    C3,
    /// No record back from the dead.
    C4,
    /// One record a key, one key a record.
    C5,
    /// Nothing goes backwards.
    C6,
    /// No echo.
    C7,
    /// Honest quota: not judged here, always 0.
    C8,
    /// Nothing of another tenant.
    C9,
    /// The log's counts add up.
    C10,
}

impl Promise {
    /// All of them, in order.
    pub const ALL: [Self; 10] = [
        Self::C1,
        Self::C2,
        Self::C3,
        Self::C4,
        Self::C5,
        Self::C6,
        Self::C7,
        Self::C8,
        Self::C9,
        Self::C10,
    ];

    /// Its name in tables and JSON.
    pub fn name(self) -> String {
        format!("{self:?}")
    }
}

/// One violation: where and what, never with a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The promise that was broken.
    pub promise: Promise,
    /// The tenant it was broken for.
    pub tenant: String,
    /// The record (object and key); empty for the tenant as a whole.
    pub record: String,
    /// The field; empty for the record as a whole.
    pub field: String,
    /// What is wrong, in plain words.
    pub what: String,
}

/// The judgement of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Violations counted by promise.
    pub violations: BTreeMap<String, u64>,
    /// Fields and rows that differ between the sides at the end.
    pub divergences: u64,
    /// Events and writes that were caused by the engine's own write.
    pub echoes: u64,
    /// Records and links that exist twice.
    pub duplicates: u64,
    /// Edits lost in silence.
    pub lost: u64,
    /// Records of the orgs that have no key at the end.
    pub unlinked: u64,
    /// Conflict events that reached the product.
    pub conflicts: u64,
    /// `rejected` events that reached the product.
    pub rejected: u64,
    /// Product edits that an event of an older org edit overwrote in the product before the engine sent them, without
    /// a conflict event. Not a violation: the product itself wrote last.
    pub overwritten_unsent: u64,
    /// The first findings of each promise.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// Nothing was found.
    pub fn clean(&self) -> bool {
        self.violations.values().all(|&count| count == 0)
    }

    /// Violations of one promise.
    pub fn of(&self, promise: Promise) -> u64 {
        self.violations.get(&promise.name()).copied().unwrap_or(0)
    }
}

/// Findings kept in full for each promise; the rest is only counted.
const KEPT_A_PROMISE: u64 = 20;

/// Collects findings while the history is read.
#[derive(Debug, Default)]
pub(super) struct Findings {
    counts: BTreeMap<Promise, u64>,
    kept: Vec<Finding>,
    pub(super) divergences: u64,
    pub(super) echoes: u64,
    pub(super) duplicates: u64,
    pub(super) lost: u64,
    pub(super) overwritten_unsent: u64,
}

impl Findings {
    /// A violation at a field of a record, or at the record where `field` is empty.
    pub(super) fn at(&mut self, promise: Promise, case: &Case<'_>, field: &str, what: impl Into<String>) {
        let record = format!("{} {}", case.object.name, case.record.key);
        self.add(promise, 1, &case.tenant.name, record, field, what);
    }

    /// Violations of a tenant as a whole.
    pub(super) fn tenant(&mut self, promise: Promise, count: u64, tenant: &TenantHistory, what: impl Into<String>) {
        self.add(promise, count, &tenant.name, String::new(), "", what);
    }

    fn add(&mut self, promise: Promise, n: u64, tenant: &str, record: String, field: &str, what: impl Into<String>) {
        let count = self.counts.entry(promise).or_insert(0);
        *count += n;
        if *count <= KEPT_A_PROMISE.max(n) {
            let (tenant, field) = (tenant.to_owned(), field.to_owned());
            self.kept.push(Finding {
                promise,
                tenant,
                record,
                field,
                what: what.into(),
            });
        }
    }

    pub(super) fn into_verdict(mut self, history: &History) -> Verdict {
        let steps = || {
            history
                .tenants
                .iter()
                .flat_map(|tenant| &tenant.records)
                .flat_map(|record| &record.steps)
        };
        self.kept.sort_by_key(|finding| finding.promise);
        Verdict {
            violations: Promise::ALL
                .iter()
                .map(|promise| (promise.name(), self.counts.get(promise).copied().unwrap_or(0)))
                .collect(),
            divergences: self.divergences,
            echoes: self.echoes,
            duplicates: self.duplicates,
            lost: self.lost,
            unlinked: history
                .tenants
                .iter()
                .map(|tenant| tenant.unkeyed_rows + tenant.unasked_rows)
                .sum(),
            conflicts: steps().filter(|step| matches!(step, Step::Conflict { .. })).count() as u64,
            rejected: steps().filter(|step| matches!(step, Step::Rejected(_))).count() as u64,
            overwritten_unsent: self.overwritten_unsent,
            findings: self.kept,
        }
    }
}

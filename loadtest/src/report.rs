//! The result of a run: one table for people, one JSON file with stable names.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::Ordering;

use serde::Serialize;

use crate::error::LoadError;
use crate::mixed::{Judged, Session, World};
use crate::oracle::Finding;

/// Findings shown in the table; the JSON holds more.
const FINDINGS_SHOWN: usize = 20;

/// The result. Names are stable: other programs read them.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Records the product made.
    pub records: u64,
    /// Changes by people in the product; rows of the trigger and deliberate copies not counted.
    pub product_changes: u64,
    /// Edits by people in the orgs.
    pub org_edits: u64,
    /// Records of the orgs that have no key at the end: of objects that are not matched.
    pub unlinked: u64,
    /// Records made in an org whose key the product was asked for.
    pub taken_in: u64,
    /// Events that reached the product, copies not counted.
    pub product_events: u64,
    /// Conflict events among them.
    pub conflicts: u64,
    /// API calls the orgs counted.
    pub calls: u64,
    /// The least number of calls for what was appended.
    pub calls_floor: u64,
    /// Fields and rows that differ at the end.
    pub divergences: u64,
    /// Writes and events that the engine's own writes caused.
    pub echoes: u64,
    /// Records and links that exist twice.
    pub duplicates: u64,
    /// Edits lost in silence.
    pub lost: u64,
    /// Violations by promise, C1 to C10. C8 is not judged by this run and always 0.
    pub violations: BTreeMap<String, u64>,
    /// What struck the run, by kind.
    pub faults: BTreeMap<String, u64>,
    /// The whole run from the first edit to the judgement.
    pub seconds: f64,
    /// From the last edit until both sides were equal.
    pub rest_seconds: f64,
    /// The seed of the edits.
    pub seed: u64,
    /// Tenants.
    pub tenants: u64,
    /// `rejected` events.
    pub rejected: u64,
    /// Rows the fence in the orgs refused.
    pub fence_refusals: u64,
    /// Appends held back because the log said `stop`, counted a second each.
    pub held_seconds: u64,
    /// See [`crate::oracle::Verdict::overwritten_unsent`].
    pub overwritten_unsent: u64,
    /// Calls by kind, as the orgs counted them.
    pub calls_by: BTreeMap<String, u64>,
    /// Events by type.
    pub events_by: BTreeMap<String, u64>,
    /// The first findings of each promise.
    pub findings: Vec<Finding>,
    /// The story of the records found wrong, for a file of its own.
    #[serde(skip)]
    pub evidence: String,
}

impl Report {
    /// Puts a result together.
    pub fn new(world: &World, session: &Session, judged: Judged, faults: BTreeMap<String, u64>, seconds: f64) -> Self {
        let verdict = judged.verdict;
        let mut report = Self {
            org_edits: session.org_edits.load(Ordering::Relaxed),
            product_events: session.applied.load(Ordering::Relaxed),
            held_seconds: session.held.load(Ordering::Relaxed) as u64,
            conflicts: verdict.conflicts,
            rejected: verdict.rejected,
            divergences: verdict.divergences,
            echoes: verdict.echoes,
            duplicates: verdict.duplicates,
            lost: verdict.lost,
            unlinked: verdict.unlinked,
            overwritten_unsent: verdict.overwritten_unsent,
            violations: verdict.violations,
            findings: verdict.findings,
            evidence: judged.evidence,
            rest_seconds: judged.rest_seconds,
            seed: world.seed,
            tenants: world.orgs.len() as u64,
            faults,
            seconds,
            ..Self::default()
        };
        for seat in &session.seats {
            let product = seat.tenant.lock();
            report.records += product.records.len() as u64;
            report.product_changes += product.changes;
            report.calls_floor += product.floor.calls();
            report.taken_in += product.identity.offered;
            for (kind, count) in &product.events {
                *report.events_by.entry(kind.clone()).or_insert(0) += count;
            }
        }
        for calls in &judged.calls {
            report.calls += calls.total;
            report.fence_refusals += calls.fence_refusals;
            for (kind, count) in &calls.by {
                *report.calls_by.entry(kind.clone()).or_insert(0) += count.as_u64().unwrap_or(0);
            }
        }
        report
    }

    /// The oracle found nothing.
    pub fn clean(&self) -> bool {
        self.violations.values().all(|&count| count == 0)
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let mut table = String::new();
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            // Writing to a string cannot fail.
            writeln!(table, "{name:<18}{value:>12}").unwrap_or_default();
        };
        let numbers: [(&str, &dyn std::fmt::Display); 19] = [
            ("tenants", &self.tenants),
            ("records", &self.records),
            ("product changes", &self.product_changes),
            ("org edits", &self.org_edits),
            ("unlinked", &self.unlinked),
            ("taken in", &self.taken_in),
            ("product events", &self.product_events),
            ("conflicts", &self.conflicts),
            ("rejected", &self.rejected),
            ("calls", &self.calls),
            ("calls floor", &self.calls_floor),
            ("divergences", &self.divergences),
            ("echoes", &self.echoes),
            ("duplicates", &self.duplicates),
            ("lost", &self.lost),
            ("fence refusals", &self.fence_refusals),
            ("seed", &self.seed),
            ("seconds", &format!("{:.1}", self.seconds)),
            ("seconds to rest", &format!("{:.1}", self.rest_seconds)),
        ];
        for (name, value) in numbers {
            line(name, value);
        }
        for (kind, count) in self.faults.iter().filter(|(_, count)| **count > 0) {
            line(&format!("fault {kind}"), count);
        }
        let mut promises: Vec<(&String, &u64)> = self.violations.iter().collect();
        promises.sort_by_key(|(name, _)| (name.len(), name.as_str()));
        for (promise, count) in promises {
            line(promise, if promise == "C8" { &"not judged" } else { count });
        }
        for finding in self.findings.iter().take(FINDINGS_SHOWN) {
            let place = [&finding.tenant, &finding.record, &finding.field]
                .map(String::as_str)
                .join(" ");
            writeln!(table, "{:?} {}: {}", finding.promise, place.trim(), finding.what).unwrap_or_default();
        }
        let verdict = if self.clean() { "clean" } else { "VIOLATED" };
        writeln!(table, "{verdict}").unwrap_or_default();
        table
    }
}

/// Writes a result's JSON file.
///
/// # Errors
/// When the file cannot be written.
pub fn write_json(result: &impl Serialize, path: &Path) -> Result<(), LoadError> {
    let mut text = serde_json::to_string_pretty(result).map_err(|error| LoadError::Stack(error.to_string()))?;
    text.push('\n');
    std::fs::write(path, text).map_err(LoadError::io(format!("writing {}", path.display())))
}

/// One line of progress on stderr. A closed stderr must not end the run.
pub fn say(line: &str) {
    writeln!(std::io::stderr().lock(), "{line}").unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_other_programs_read_are_there() {
        let json = serde_json::to_value(Report::default()).expect("plain data");
        let names = "records product_changes org_edits unlinked product_events conflicts calls calls_floor divergences \
                     echoes duplicates lost violations faults seconds";
        for name in names.split_whitespace() {
            assert!(json.get(name).is_some(), "{name}");
        }
    }

    #[test]
    fn one_violation_makes_the_table_say_so() {
        let clean = Report {
            violations: [("C1".to_owned(), 0)].into(),
            ..Report::default()
        };
        assert!(clean.clean() && clean.table().ends_with("clean\n"));
        let found = Report {
            violations: [("C10".to_owned(), 2), ("C1".to_owned(), 0)].into(),
            ..clean
        };
        assert!(!found.clean() && found.table().ends_with("VIOLATED\n"));
    }
}

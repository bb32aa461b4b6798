//! One place that turns what happened into counts and log lines.

use opentelemetry::KeyValue;
use tandem_core::domain::ids::TenantName;
use tandem_core::engine::tenant::{Lost, Note};
use tracing::{error, info, warn};

use super::metrics::Telemetry;
use super::names::Metric;

/// What one tenant did since this process took it: for the API, where tenants have names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// Batches that ended.
    pub batches: u64,
    /// Rows written.
    pub rows_done: u64,
    /// Rows to be sent again.
    pub rows_retried: u64,
    /// Rows refused for good.
    pub rows_dead: u64,
    /// Rows of unknown outcome.
    pub rows_unknown: u64,
    /// Calls that failed as a whole.
    pub calls_failed: u64,
    /// Log entries read.
    pub entries: u64,
    /// Of them refused.
    pub entries_refused: u64,
    /// Change events taken in.
    pub events: u64,
    /// Of them own writes.
    pub echoes: u64,
    /// Of them told to the product.
    pub told: u64,
    /// Conflicts decided.
    pub conflicts: u64,
    /// Times the tenant was lost and attached again.
    pub restarts: u64,
}

/// A word for metrics and logs.
#[must_use]
pub fn lost_word(lost: Lost) -> &'static str {
    match lost {
        Lost::Broken => "broken",
        Lost::Fenced => "fenced",
        Lost::OldPartition(_) => "old_partition",
        Lost::Full => "full",
        Lost::Unexpected => "unexpected",
    }
}

impl Telemetry {
    /// Counts and logs a machine's note, and adds it to the tenant's totals.
    pub fn note(&self, tenant: &TenantName, note: &Note, totals: &mut Totals) {
        match note {
            Note::Batch {
                sobject,
                rows,
                done,
                retried,
                dead,
                unknown,
                took,
                oldest_age,
            } => {
                let by_object = [KeyValue::new("sobject", sobject.to_string())];
                self.add(Metric::Batches, 1, &by_object);
                self.record(Metric::CallDuration, took.as_secs_f64(), &by_object);
                self.record(Metric::BatchRows, as_f64(*rows), &[]);
                self.record(Metric::EditAge, oldest_age.as_secs_f64(), &[]);
                for (outcome, count) in [
                    ("done", done),
                    ("retried", retried),
                    ("dead", dead),
                    ("unknown", unknown),
                ] {
                    self.add(Metric::Rows, as_u64(*count), &[KeyValue::new("outcome", outcome)]);
                }
                totals.batches += 1;
                totals.rows_done += as_u64(*done);
                totals.rows_retried += as_u64(*retried);
                totals.rows_dead += as_u64(*dead);
                totals.rows_unknown += as_u64(*unknown);
                let took_ms = took.as_millis();
                if *dead > 0 || *unknown > 0 {
                    warn!(%tenant, %sobject, rows, done, retried, dead, unknown, took_ms, "batch ended with rows that were not written");
                } else {
                    tracing::debug!(%tenant, %sobject, rows, done, retried, took_ms, "batch ended");
                }
            }
            Note::CallFailed { code, status } => {
                self.add(Metric::CallsFailed, 1, &[KeyValue::new("status", i64::from(*status))]);
                totals.calls_failed += 1;
                warn!(%tenant, %code, status, "a call to Salesforce failed");
            }
            Note::Folded {
                entries,
                refused,
                duplicate,
                stale,
            } => {
                let folded = entries
                    .saturating_sub(*refused)
                    .saturating_sub(*duplicate)
                    .saturating_sub(*stale);
                let outcomes = [
                    ("folded", folded),
                    ("refused", *refused),
                    ("duplicate", *duplicate),
                    ("stale", *stale),
                ];
                for (outcome, count) in outcomes {
                    self.add(Metric::LogEntries, as_u64(count), &[KeyValue::new("outcome", outcome)]);
                }
                totals.entries += as_u64(*entries);
                totals.entries_refused += as_u64(*refused);
                if *refused > 0 {
                    info!(%tenant, entries, refused, "log entries were refused; the product is told by rejected events");
                }
            }
            Note::Events {
                events,
                echoes,
                told,
                conflicts,
                unlinked,
            } => {
                let fates = [
                    ("received", events),
                    ("echo", echoes),
                    ("told", told),
                    ("conflict", conflicts),
                    ("unlinked", unlinked),
                ];
                for (fate, count) in fates {
                    self.add(Metric::Events, as_u64(*count), &[KeyValue::new("fate", fate)]);
                }
                totals.events += as_u64(*events);
                totals.echoes += as_u64(*echoes);
                totals.told += as_u64(*told);
                totals.conflicts += as_u64(*conflicts);
            }
            Note::Matched { one, many, none } => {
                for (result, count) in [("one", one), ("many", many), ("none", none)] {
                    self.add(Metric::Matched, as_u64(*count), &[KeyValue::new("result", result)]);
                }
            }
            Note::Compacted { records, entries } => {
                self.add(Metric::CompactedRecords, as_u64(*records), &[]);
                self.add(Metric::CompactedEntries, as_u64(*entries), &[]);
                info!(%tenant, records, entries, "log entries became folds");
            }
            Note::FenceRefused { records } => {
                self.add(Metric::FenceRefused, as_u64(*records), &[]);
                warn!(%tenant, records, "the org knows higher sequences than this owner; they are lifted");
            }
            Note::FenceStuck => {
                self.add(Metric::FenceStuck, 1, &[]);
                error!(%tenant, "refused again after the sequence was lifted; look for another writer of Tandem's fields");
            }
            Note::Trimmed { entries } => {
                self.add(Metric::LogAlarms, 1, &[KeyValue::new("kind", "trimmed")]);
                error!(%tenant, entries, "log entries vanished that were not settled; a producer trims its stream (MAXLEN or XTRIM): remove that");
            }
            Note::LogMismatch => {
                self.add(Metric::LogAlarms, 1, &[KeyValue::new("kind", "mismatch")]);
                warn!(%tenant, "memory and log disagree; attaching again");
            }
            Note::FutureEntry => {
                self.add(Metric::LogAlarms, 1, &[KeyValue::new("kind", "future_entry")]);
                error!(%tenant, "a log entry's id is far ahead of the clock, so all that follow are too and are refused until the log is empty and is made anew; let Redis make ids (XADD with *)");
            }
            Note::CursorLost => {
                self.add(Metric::CursorsLost, 1, &[]);
                error!(%tenant, "the change stream's place was lost; Salesforce changes were missed until now");
            }
            Note::Gap { records } => {
                self.add(Metric::Gaps, 1, &[]);
                info!(%tenant, records, "the change stream has a gap; records are read again");
            }
        }
    }

    /// A tenant was lost and begins anew.
    pub fn restarted(&self, tenant: &TenantName, reason: Lost, totals: &mut Totals) {
        totals.restarts += 1;
        let reason = lost_word(reason);
        self.add(Metric::Restarts, 1, &[KeyValue::new("reason", reason)]);
        warn!(%tenant, reason, "tenant lost; attaching again after a pause");
    }

    /// A panic was contained.
    pub fn panicked(&self, actor: &'static str, of: &str, text: &str) {
        self.add(Metric::Panics, 1, &[KeyValue::new("actor", actor)]);
        error!(actor, of, panic = text, "an actor panicked; it is built anew");
    }
}

fn as_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn as_f64(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::from(u32::MAX), f64::from)
}

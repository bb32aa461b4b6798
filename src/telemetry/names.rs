//! Every metric: its name as Prometheus shows it, its kind and what it means.

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

impl Kind {
    /// The word in `# TYPE` lines.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One line a metric: variant, kind, exposed name, unit (UCUM), help.
macro_rules! metrics {
    ($($variant:ident, $kind:ident, $name:literal, $unit:literal, $help:literal;)+) => {
        /// All metrics that exist.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Metric {
            $(#[doc = $help] $variant,)+
        }

        impl Metric {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name as exposed.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Counter, gauge or histogram.
            #[must_use]
            pub fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)+ }
            }

            /// The unit.
            #[must_use]
            pub fn unit(self) -> &'static str {
                match self { $(Self::$variant => $unit,)+ }
            }

            /// What it means.
            #[must_use]
            pub fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)+ }
            }
        }
    };
}

metrics! {
    Batches, Counter, "tandem_batches_total", "{batch}", "Batches that ended, by sObject.";
    Rows, Counter, "tandem_rows_total", "{row}", "Rows sent, by outcome: done, retried, dead, unknown.";
    CallsFailed, Counter, "tandem_calls_failed_total", "{call}", "Calls to Salesforce that failed as a whole, by HTTP status (0: no answer).";
    CallDuration, Histogram, "tandem_call_duration_seconds", "s", "From asking Salesforce to its answer, by sObject.";
    BatchRows, Histogram, "tandem_batch_rows", "{row}", "Rows in a batch.";
    EditAge, Histogram, "tandem_edit_age_seconds", "s", "Age of the oldest edit of a batch when Salesforce had answered.";
    LogEntries, Counter, "tandem_log_entries_total", "{entry}", "Log entries read, by outcome: folded, refused, duplicate, stale.";
    Events, Counter, "tandem_events_total", "{event}", "Change events taken in, by what became of them: received, echo, told, conflict, unlinked.";
    CompactedEntries, Counter, "tandem_compacted_entries_total", "{entry}", "Log entries replaced by folds.";
    CompactedRecords, Counter, "tandem_compacted_records_total", "{record}", "Records whose log entries were replaced by one fold.";
    FenceRefused, Counter, "tandem_fence_refused_total", "{record}", "Records that the org refused because it knows a higher sequence.";
    FenceStuck, Counter, "tandem_fence_stuck_total", "{record}", "Records refused again after their sequence was lifted: someone else writes Tandem's fields.";
    LogAlarms, Counter, "tandem_log_alarms_total", "{alarm}", "Log faults by kind: trimmed (a producer deletes entries), mismatch (memory and log disagree), future_entry (an id far ahead of the clock).";
    CursorsLost, Counter, "tandem_cursors_lost_total", "{stream}", "Change streams whose stored place was no longer valid: changes were missed.";
    Matched, Counter, "tandem_matched_records_total", "{record}", "Records that a partner was looked for, by result.";
    Gaps, Counter, "tandem_gaps_total", "{event}", "Events that say only that something changed.";
    StreamFailures, Counter, "tandem_stream_failures_total", "{stream}", "Change streams that broke, by kind: broken, unauthorised, cursor_lost, delivery_limit, panic.";
    FeedForwarded, Counter, "tandem_feed_forwarded_total", "{event}", "Events put on the product's feed.";
    FeedFailures, Counter, "tandem_feed_failures_total", "{attempt}", "Attempts to forward events that failed.";
    Restarts, Counter, "tandem_tenant_restarts_total", "{restart}", "Tenants that were lost and attached again, by reason: broken, fenced, old_partition, full, unexpected.";
    Panics, Counter, "tandem_panics_total", "{panic}", "Panics that were contained, by actor.";
    LaneBreaks, Counter, "tandem_lane_breaks_total", "{connection}", "Redis connections of shards that broke.";
    LeasesLost, Counter, "tandem_leases_lost_total", "{lease}", "Partition leases that were lost or no longer trusted.";
    ShardLag, Histogram, "tandem_shard_lag_seconds", "s", "How late a shard's timer ran: the load of its event loop.";
    Tenants, Gauge, "tandem_tenants", "{tenant}", "Tenants on this node by state.";
    OldestEdit, Gauge, "tandem_tenant_oldest_edit_age_seconds", "s", "Age of the oldest unsent edit: the 20 worst tenants of this node.";
    PendingRecords, Gauge, "tandem_pending_records", "{record}", "Records with something to send, all tenants of this node.";
    PendingEntries, Gauge, "tandem_pending_entries", "{entry}", "Log entries in memory, all tenants of this node.";
    InFlight, Gauge, "tandem_in_flight_records", "{record}", "Records being written to Salesforce now.";
    Unknown, Gauge, "tandem_unknown_records", "{record}", "Records whose last write has an unknown outcome.";
    LeasesHeld, Gauge, "tandem_leases_held", "{lease}", "Partition leases of this node.";
    NodesAlive, Gauge, "tandem_nodes_alive", "{node}", "Nodes that gave a heartbeat lately, as this node sees it.";
    RedisSilence, Gauge, "tandem_redis_silence_seconds", "s", "Time since Redis answered this node's heartbeat.";
}

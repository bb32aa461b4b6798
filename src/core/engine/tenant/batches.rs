//! Batches between their intent and their outcome, and the intents that earlier outcomes left behind.

use std::collections::HashMap;
use std::sync::Arc;

use super::table::{Fixed, QueueName};
use crate::domain::ids::{BatchId, RecordKey};
use crate::domain::plan::ObjectPlan;
use crate::domain::time::Timestamp;
use crate::engine::call::WriteCall;
use crate::engine::commit::{Intent, Verb};

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its intent is being stored; a worker waits for it.
    Beginning,
    /// It was [cut ahead](super::ahead) and has no worker yet.
    Ahead {
        /// Whether its intent is stored.
        begun: bool,
    },
    /// It was sent.
    Sent,
}

/// A batch on its way.
#[derive(Debug)]
pub(super) struct Batch {
    /// How far it is.
    pub stage: Stage,
    /// The queue that it was cut from.
    pub queue: QueueName,
    /// Its object.
    pub object: Arc<ObjectPlan>,
    /// Its records, in row order.
    pub records: Vec<RecordKey>,
    /// Kept until it is sent.
    pub call: Option<WriteCall>,
    /// When the oldest edit in it was made.
    pub oldest: Timestamp,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Batches {
    pub batches: HashMap<BatchId, Batch, Fixed>,
    /// Intents in Redis whose records' outcomes are unknown, with the records still concerned.
    pub doubtful: HashMap<BatchId, Vec<RecordKey>, Fixed>,
    /// Intents in Redis that are dealt with; the next script removes them.
    pub done: Vec<BatchId>,
    /// Grants asked for and not answered.
    pub wanted: usize,
    /// When a batch of this object and verb was last cut.
    pub last_cut: HashMap<(Arc<str>, Verb), Timestamp, Fixed>,
    number: u64,
}

impl Batches {
    /// The next batch's number.
    pub fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Batches that have a worker.
    pub fn in_flight(&self) -> usize {
        self.batches.len() - self.ahead().count()
    }

    /// Batches that were cut ahead and not sent yet.
    pub fn ahead(&self) -> impl Iterator<Item = &BatchId> {
        let ahead = |(_, batch): &(_, &Batch)| matches!(batch.stage, Stage::Ahead { .. });
        self.batches.iter().filter(ahead).map(|(id, _)| id)
    }

    /// Records on their way.
    pub fn records_in_flight(&self) -> usize {
        self.batches.values().map(|b| b.records.len()).sum()
    }

    /// Notes what an earlier owner, or an unknown outcome, left.
    pub fn doubt(&mut self, batch: BatchId, records: Vec<RecordKey>) {
        self.doubtful.insert(batch, records);
    }

    /// A record is begun again or settled: older intents no longer speak of it.
    pub fn resolved(&mut self, record: &RecordKey) {
        self.doubtful.retain(|batch, records| {
            records.retain(|r| r != record);
            if records.is_empty() {
                self.done.push(*batch);
            }
            !records.is_empty()
        });
    }

    /// Takes the intents that can be removed.
    pub fn take_done(&mut self) -> Vec<BatchId> {
        std::mem::take(&mut self.done)
    }
}

/// The intent of a batch.
pub(super) fn intent(batch: BatchId, begun: Timestamp, records: Vec<crate::engine::commit::IntentRecord>) -> Intent {
    Intent { batch, begun, records }
}

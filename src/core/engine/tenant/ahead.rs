//! Batches cut ahead: while every lane waits for Salesforce, the next full ones are cut and their intents stored, so that
//! a lane that comes free goes on at once instead of waiting for Redis.

use std::collections::VecDeque;

use super::batches::{Batch, Stage};
use super::table::QueueName;
use super::{Effect, Machine};
use crate::domain::ids::{BatchId, RecordKey};
use crate::engine::commit::{Commit, Script};

impl Machine {
    /// Cuts one batch ahead, up to as many as are on their way. Only full ones: what waits for company is cut when it
    /// goes, with the newest data.
    pub(super) fn cut_ahead(&mut self, out: &mut Vec<Effect>) {
        if let Some(queue) = self.to_cut_ahead().cloned() {
            self.cut(&queue, Stage::Ahead { begun: false }, out);
        }
    }

    /// The queue of the next batch to cut ahead, if there is one to cut now.
    pub(super) fn to_cut_ahead(&self) -> Option<&QueueName> {
        let lanes = self.batches.in_flight();
        let busy = self.batches.wanted == 0 && lanes > 0 && !self.has_lane(lanes);
        if !busy || !self.may_cut_ahead() || self.batches.ahead().count() >= lanes {
            return None;
        }
        let full = |keys: &VecDeque<RecordKey>| keys.len() >= self.settings.batch_rows;
        self.table
            .ready
            .iter()
            .find(|(_, keys)| full(keys))
            .map(|(name, _)| name)
    }

    /// Whether batches may lie ready: not while nothing may be sent.
    fn may_cut_ahead(&self) -> bool {
        self.phase == super::Phase::Live && !self.paused && !self.draining && self.breaker.is_closed()
    }

    /// Batches that lie ready.
    pub(super) fn ready_ahead(&self) -> impl Iterator<Item = (&BatchId, &Batch)> {
        let ready = |(_, batch): &(&BatchId, &Batch)| {
            batch.stage == Stage::Ahead { begun: true } && !self.held_objects.contains_key(&batch.object.object)
        };
        self.batches.batches.iter().filter(ready)
    }

    /// The most urgent of them.
    pub(super) fn next_ahead(&self) -> Option<(BatchId, &QueueName)> {
        let ready = self.ready_ahead().map(|(id, batch)| (*id, &batch.queue));
        ready.min_by_key(|(id, queue)| (*queue, id.number))
    }

    /// Takes batches back that lie ready where nothing may be sent: their records wait with what comes meanwhile.
    pub(super) fn take_back(&mut self, out: &mut Vec<Effect>) {
        if self.may_cut_ahead() {
            return;
        }
        let begun = |id: &&BatchId| {
            let batch = self.batches.batches.get(id);
            batch.is_some_and(|b| b.stage == Stage::Ahead { begun: true })
        };
        let ids: Vec<BatchId> = self.batches.ahead().filter(begun).copied().collect();
        for id in ids {
            let Some(batch) = self.batches.batches.remove(&id) else {
                continue;
            };
            for key in &batch.records {
                let Some(flight) = self.land(key) else { continue };
                self.unsent(key, flight);
            }
            // The next owner is not to take them for writes whose outcome nobody knows, but where an earlier one is.
            let unsent = Commit {
                batch: Some(id),
                intent_left: self.intent_left(id, &batch),
                intents_done: self.batches.take_done(),
                ..Commit::default()
            };
            self.commit(Script::Settle, unsent, out);
        }
    }
}

//! Where a record stands: in which queue, or what it waits for.

use std::sync::Arc;
use std::time::Duration;

use super::Machine;
use super::matching::needs_partner;
use super::questions::asks_which;
use super::table::{QueueName, Record};
use crate::domain::ids::RecordKey;
use crate::domain::plan::ObjectPlan;
use crate::domain::stream::Log;
use crate::domain::time::Timestamp;
use crate::engine::commit::{Folded, Verb};

/// What is to be done with a record's pending fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Write it like this.
    Write(Verb),
    /// There is nothing in Salesforce to delete.
    Nothing,
    /// Wait until then.
    Wait(Timestamp),
}

/// How a pending fold is to be written, given what is known of the record (design 6, 'write verb').
pub(super) fn next(record: &Record, fold: &Folded, strict: bool, request_limit: Duration, now: Timestamp) -> Next {
    let linked = record.row.salesforce_id.is_some() && record.row.tombstone.is_none();
    let verb = match (fold.delete, fold.upsert, linked) {
        (true, false, _) if record.row.salesforce_id.is_some() => Verb::Delete,
        (true, false, _) if record.doubt.is_some_and(|d| d.verb == Verb::Create) => {
            return wait_or(record, request_limit, now, Next::Nothing);
        }
        (true, false, _) => return Next::Nothing,
        (_, _, true) => Verb::Update,
        (_, _, false) => Verb::Create,
    };
    let write = Next::Write(verb);
    let Some(doubt) = record.doubt else { return write };
    // No rule of Salesforce guards inserts and deletes, so they wait until an earlier write of unknown outcome cannot
    // happen any more; without the fence every write does.
    let after_delete = verb == Verb::Create && (record.row.tombstone.is_some() || fold.delete);
    let unguarded = verb == Verb::Delete || after_delete || doubt.verb == Verb::Delete;
    if unguarded || !strict {
        wait_or(record, request_limit, now, write)
    } else {
        write
    }
}

fn wait_or(record: &Record, request_limit: Duration, now: Timestamp, then: Next) -> Next {
    let until = record.doubt.map_or(Timestamp::ZERO, |d| d.since.after(request_limit));
    if until > now { Next::Wait(until) } else { then }
}

impl Machine {
    /// Puts a record into the queue it belongs to, or holds it. Safe to call at any time.
    pub(super) fn place(&mut self, key: &RecordKey) {
        if !self.reading.rebuilt() && self.phase != super::Phase::Live {
            return;
        }
        self.end_doubt(key);
        let Some(record) = self.table.records.get(key) else {
            return;
        };
        let (Some(pending), None, false) = (&record.pending, &record.flight, record.waits_for_link()) else {
            return;
        };
        // An own entry that is not read yet may say that a value lost: it is folded first.
        if record.not_before > self.now || !record.unread.is_empty() {
            return;
        }
        let Some(plan) = self.plan.object(&key.object).cloned() else {
            return;
        };
        if let Some(until) = self.held_objects.get(&key.object).copied() {
            self.table.hold(key, until);
            return;
        }
        let limit = self.settings.request_limit;
        let verb = match next(record, &pending.fold, self.settings.strict, limit, self.now) {
            Next::Write(verb) => verb,
            // Settled at the next cut, without a call.
            Next::Nothing => Verb::Delete,
            Next::Wait(until) => {
                self.table.hold(key, until);
                return;
            }
        };
        let lane = pending.lane.unwrap_or(Log::Changes);
        if verb == Verb::Create && !self.may_create(key, &plan) {
            return;
        }
        let queue = QueueName {
            lane,
            rank: plan.rank,
            object: Arc::clone(&plan.object),
            verb,
        };
        self.table.enqueue(key, queue);
    }

    /// Whether a create may go: not while the product owes an answer about it, nor before a partner was looked for.
    fn may_create(&mut self, key: &RecordKey, plan: &ObjectPlan) -> bool {
        let now = self.now;
        let Some(record) = self.table.records.get(key) else {
            return false;
        };
        if asks_which(&record.row) && !record.look_again {
            return false;
        }
        let seek = |matching| needs_partner(record, matching, now);
        if plan.matching.as_ref().is_some_and(seek) {
            self.look_for_partner(key);
            return false;
        }
        let Some(until) = self.wait_for_values(key, plan) else {
            return true;
        };
        self.table.hold(key, until);
        false
    }

    /// A doubt ends when the request can run no longer and a later write is known to be in place.
    fn end_doubt(&mut self, key: &RecordKey) {
        let (now, limit) = (self.now, self.settings.request_limit);
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        let over = record
            .doubt
            .is_some_and(|d| d.since.after(limit) <= now && record.row.last_seq >= d.seq);
        if over {
            record.doubt = None;
            record.doubted.clear();
            self.batches.resolved(key);
            self.table.rest(key);
        }
    }

    /// When the first queue that waits for its window is due. Queues that are due already wait for a worker instead.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let waiting = self.table.ready.iter().filter(|(_, keys)| !keys.is_empty());
        waiting
            .map(|(name, _)| self.due_at(name))
            .filter(|due| *due > self.now)
            .min()
    }

    /// A queue is due when its object and verb had no call within the freshness window.
    pub(super) fn due_at(&self, queue: &QueueName) -> Timestamp {
        let last = self.batches.last_cut.get(&(Arc::clone(&queue.object), queue.verb));
        last.map_or(self.now, |cut| cut.after(self.settings.freshness))
    }

    pub(super) fn is_due(&self, queue: &QueueName, waiting: usize) -> bool {
        waiting >= self.settings.batch_rows || self.due_at(queue) <= self.now
    }
}

//! Cutting a batch, at the moment a worker is granted unless there is a backlog, so that the newest data goes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::batches::{Batch, Stage, intent};
use super::matching::needs_partner;
use super::place::{Next, next};
use super::reading::LoadFor;
use super::rows::{self, Built};
use super::table::{Flight, QueueName, Record};
use super::{Effect, Machine};
use crate::domain::ids::{BatchId, RecordKey};
use crate::domain::plan::ObjectPlan;
use crate::domain::stream::Log;
use crate::domain::time::Timestamp;
use crate::engine::call::{WriteCall, WriteRow};
use crate::engine::commit::{IntentRecord, Verb};

/// Records looked at for one batch at most; bounds the work of a cut whose records mostly wait.
const LOOKS_MAX: usize = 2_000;
/// How long a row waits for a parent that neither side knows, before it is sent by the parent's external id.
const ORPHAN_PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
/// How soon a record that waits for its parent is looked at again.
const PARENT_RECHECK: std::time::Duration = std::time::Duration::from_millis(500);

/// A batch under the knife.
#[derive(Default)]
struct Cut {
    rows: Vec<WriteRow>,
    records: Vec<RecordKey>,
    intents: Vec<IntentRecord>,
    bytes: usize,
    oldest: Option<Timestamp>,
    parents: BTreeSet<RecordKey>,
}

/// What became of one record at the cut.
enum Looked {
    /// It is in the batch.
    Taken,
    /// It is not, for now or for good.
    Passed,
    /// The batch has no room for it.
    Full,
}

impl Machine {
    /// Asks for as many workers as there are batches to cut.
    pub(super) fn want_workers(&mut self, out: &mut Vec<Effect>) {
        let busy = self.batches.in_flight() + self.batches.wanted;
        let room = self.settings.in_flight_batches.saturating_sub(busy);
        if room == 0 || !self.may_send() {
            return;
        }
        let mut batches = self.ready_ahead().count();
        for (name, keys) in &self.table.ready {
            if !keys.is_empty() && self.is_due(name, keys.len()) {
                batches += keys.len().div_ceil(self.settings.batch_rows);
            }
            if batches >= room + self.batches.wanted {
                break;
            }
        }
        for _ in 0..batches.saturating_sub(self.batches.wanted).min(room) {
            self.batches.wanted += 1;
            out.push(Effect::WantWorker);
        }
    }

    pub(super) fn may_send(&self) -> bool {
        self.phase == super::Phase::Live
            && !self.paused
            && !self.draining
            && self.breaker.may_send(self.now, self.batches.in_flight())
    }

    /// Whether another call may go besides so many.
    pub(super) fn has_lane(&self, lanes: usize) -> bool {
        lanes < self.settings.in_flight_batches && self.breaker.may_send(self.now, lanes)
    }

    /// A worker is free: a batch that lies ready goes, or one is cut, by urgency; or the worker is given back.
    pub(super) fn granted(&mut self, out: &mut Vec<Effect>) {
        self.batches.wanted = self.batches.wanted.saturating_sub(1);
        if !self.may_send() {
            out.push(Effect::ReturnWorker);
            return;
        }
        let ahead = self.next_ahead();
        let due: Vec<QueueName> = self
            .table
            .ready
            .iter()
            .filter(|(name, keys)| !keys.is_empty() && self.is_due(name, keys.len()))
            .map(|(name, _)| name)
            .take_while(|name| ahead.is_none_or(|(_, queue)| *name < queue))
            .cloned()
            .collect();
        let ready = ahead.map(|(id, _)| id);
        for queue in due {
            if self.cut(&queue, Stage::Beginning, out) {
                return;
            }
        }
        match ready {
            Some(batch) => self.send(batch, out),
            None => out.push(Effect::ReturnWorker),
        }
    }

    /// Cuts a batch from one queue; false when none of its records could go.
    pub(super) fn cut(&mut self, queue: &QueueName, stage: Stage, out: &mut Vec<Effect>) -> bool {
        let Some(plan) = self.plan.object(&queue.object).cloned() else {
            return false;
        };
        let epoch = self.fence.as_ref().map(|f| f.epoch).unwrap_or_default();
        let batch = BatchId {
            epoch,
            number: self.batches.next_number(),
        };
        let mut cut = Cut::default();
        let mut looks = 0;
        while cut.rows.len() < self.settings.batch_rows && looks < LOOKS_MAX {
            looks += 1;
            let Some(key) = self
                .table
                .ready
                .get_mut(queue)
                .and_then(std::collections::VecDeque::pop_front)
            else {
                break;
            };
            if self
                .table
                .records
                .get(&key)
                .is_none_or(|r| r.queued.as_ref() != Some(queue))
            {
                continue;
            }
            self.table.unqueue(&key);
            if let Looked::Full = self.look(&key, queue, &plan, &mut cut) {
                let keys = self.table.ready.entry(queue.clone()).or_default();
                keys.push_front(key.clone());
                if let Some(record) = self.table.records.get_mut(&key) {
                    record.queued = Some(queue.clone());
                }
                break;
            }
        }
        if self
            .table
            .ready
            .get(queue)
            .is_some_and(std::collections::VecDeque::is_empty)
        {
            self.table.ready.remove(queue);
        }
        let parents: Vec<RecordKey> = std::mem::take(&mut cut.parents).into_iter().collect();
        if !parents.is_empty() && !self.reading.loads.values().any(|l| matches!(l, LoadFor::Parents(_))) {
            self.load(LoadFor::Parents(parents), Vec::new(), out);
        }
        self.flush_drops(out);
        if cut.rows.is_empty() {
            return false;
        }
        self.begin(batch, plan, (queue, stage), cut, out);
        true
    }

    /// Looks at one record: into the batch, settled without a call, or held.
    fn look(&mut self, key: &RecordKey, queue: &QueueName, plan: &Arc<ObjectPlan>, cut: &mut Cut) -> Looked {
        self.above_doubt(key);
        let Some(record) = self.table.records.get(key) else {
            return Looked::Passed;
        };
        let (Some(pending), None, true) = (&record.pending, &record.flight, record.unread.is_empty()) else {
            return Looked::Passed;
        };
        let verb = match next(
            record,
            &pending.fold,
            self.settings.strict,
            self.settings.request_limit,
            self.now,
        ) {
            Next::Nothing => {
                self.settle_without_call(key);
                return Looked::Passed;
            }
            Next::Wait(_) => {
                self.place(key);
                return Looked::Passed;
            }
            Next::Write(verb) => verb,
        };
        let stale = plan
            .matching
            .as_ref()
            .is_some_and(|m| verb == Verb::Create && needs_partner(record, m, self.now));
        if stale || record.waits_for_link() {
            self.place(key);
            return Looked::Passed;
        }
        if verb != queue.verb || pending.lane.unwrap_or(Log::Changes) != queue.lane {
            self.place(key);
            return Looked::Passed;
        }
        if rows::replaces(record, &pending.fold, verb)
            && let Some(pending) = self.table.records.get_mut(key).and_then(|r| r.pending.as_mut())
        {
            rows::name_all(plan, &mut pending.fold);
        }
        let Some(record) = self.table.records.get(key) else {
            return Looked::Passed;
        };
        let Some(pending) = &record.pending else {
            return Looked::Passed;
        };
        let context = rows::Context {
            plan,
            tenant: &self.plan,
            digest: &self.digest,
            key,
            now: self.now,
        };
        let built = rows::build(&context, record, &pending.fold, verb, |parent| self.parent(parent));
        match built {
            Ok(Built::Row { row, write }) => {
                let bytes = row.members.len() + 64;
                if !cut.rows.is_empty() && cut.bytes + bytes > self.settings.batch_bytes {
                    return Looked::Full;
                }
                cut.bytes += bytes;
                let crashes = 0;
                cut.intents.push(IntentRecord {
                    record: key.clone(),
                    seq: write.seq,
                    verb,
                    crashes,
                });
                cut.rows.push(row);
                cut.records.push(key.clone());
                let Some(pending) = self.table.take_pending(key) else {
                    return Looked::Passed;
                };
                let oldest = pending.fold.oldest;
                cut.oldest = Some(cut.oldest.map_or(oldest, |o| o.min(oldest)));
                if let Some(record) = self.table.records.get_mut(key) {
                    record.orphan_since = None;
                    record.flight = Some(Flight {
                        verb,
                        pending,
                        write,
                        deleted: false,
                    });
                }
                Looked::Taken
            }
            Ok(Built::Same) => {
                self.settle_without_call(key);
                Looked::Passed
            }
            Ok(Built::ParentsUnknown(parents)) => {
                cut.parents.extend(parents);
                self.table.hold(key, self.now.after(PARENT_RECHECK));
                Looked::Passed
            }
            Ok(Built::ParentPending) => {
                self.wait_for_parent(key);
                Looked::Passed
            }
            Err(refusal) => {
                self.bury(key, refusal);
                Looked::Passed
            }
        }
    }

    /// What is sent again after an unknown outcome gets a sequence of its own: with the same one the fence would let the
    /// first request in after the second, and the second's event could not be told from somebody's edit.
    fn above_doubt(&mut self, key: &RecordKey) {
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        if let (Some(doubt), Some(pending)) = (record.doubt, &mut record.pending) {
            pending.fold.seq = pending.fold.seq.max(doubt.seq.saturating_add(1));
        }
    }

    /// What is known of a parent.
    fn parent(&self, key: &RecordKey) -> rows::Parent {
        let Some(record) = self.table.records.get(key) else {
            return rows::Parent::NotLoaded;
        };
        let Record {
            row, pending, flight, ..
        } = record.as_ref();
        match row.salesforce_id {
            Some(id) if row.tombstone.is_none() => rows::Parent::Id(id),
            _ if flight.is_some() || pending.as_ref().is_some_and(|p| p.fold.upsert) => rows::Parent::Coming,
            _ if row.dead_letter => rows::Parent::Coming,
            _ => rows::Parent::Unknown {
                patience: ORPHAN_PATIENCE,
            },
        }
    }

    fn wait_for_parent(&mut self, key: &RecordKey) {
        let now = self.now;
        if let Some(record) = self.table.records.get_mut(key) {
            record.orphan_since.get_or_insert(now);
        }
        self.table.hold(key, self.now.after(PARENT_RECHECK));
    }

    pub(super) fn parents_loaded(&mut self) {
        // Rows that wait for these parents are looked at again when their hold ends.
    }

    fn begin(
        &mut self,
        batch: BatchId,
        plan: Arc<ObjectPlan>,
        (queue, stage): (&QueueName, Stage),
        cut: Cut,
        out: &mut Vec<Effect>,
    ) {
        let verb = queue.verb;
        for key in &cut.records {
            self.batches.resolved(key);
            if let Some(record) = self.table.records.get_mut(key) {
                // The new intent speaks for it now; the doubt's age still counts for deletes and creates.
                record.queued = None;
            }
        }
        let call = WriteCall {
            sobject: Arc::clone(&plan.sobject),
            verb,
            external_id: Arc::clone(&plan.external_id),
            rows: cut.rows,
        };
        self.batches.last_cut.insert((Arc::clone(&plan.object), verb), self.now);
        let done = self.batches.take_done();
        let Some(fence) = self.fence_step() else { return };
        let intent = intent(batch, self.now, cut.intents);
        out.push(Effect::Begin { fence, intent, done });
        let oldest = cut.oldest.unwrap_or(self.now);
        self.batches.batches.insert(
            batch,
            Batch {
                stage,
                queue: queue.clone(),
                object: plan,
                records: cut.records,
                call: Some(call),
                oldest,
            },
        );
    }

    /// The intent is stored: the batch may go, as soon as it has a worker.
    pub(super) fn begun(&mut self, id: BatchId, out: &mut Vec<Effect>) {
        match self.batches.batches.get_mut(&id) {
            Some(batch) if matches!(batch.stage, Stage::Ahead { .. }) => batch.stage = Stage::Ahead { begun: true },
            _ => self.send(id, out),
        }
    }

    fn send(&mut self, id: BatchId, out: &mut Vec<Effect>) {
        let batch = self.batches.batches.get_mut(&id);
        let Some(call) = batch.and_then(|b| {
            b.stage = Stage::Sent;
            b.call.take()
        }) else {
            out.push(Effect::ReturnWorker);
            return;
        };
        self.calls += 1;
        #[cfg(feature = "sabotage")]
        let call = self.sabotaged(id, call, out);
        out.push(Effect::Send { batch: id, call });
    }
}

//! What a batch's answer means for each of its records: one fenced settlement, row by row.

use std::sync::Arc;
use std::time::Duration;

use super::batches::Batch;
use super::table::{Doubt, Flight, Lifting, await_event};
use super::{Effect, Machine, Note};
use crate::domain::ids::{BatchId, FieldIdx, RecordKey};
use crate::domain::row::{Row, Side};
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::time::Timestamp;
use crate::engine::call::WriteAnswer;
use crate::engine::classify::{CallFault, Class, RowFault, RowOutcome};
use crate::engine::commit::{Commit, DeadKey, Intent, IntentRecord, Script, Verb};
use crate::engine::retry;
use crate::engine::stamps::{self, Decided};

/// How long an object's writes wait after a configuration error of it.
const CONFIGURATION_HOLD: Duration = Duration::from_secs(60);
/// How long an owner waits before it sends again what the fence refused.
const FENCE_GRACE: Duration = Duration::from_secs(2);
/// How long a record waits for the event that says how it went, before it is taken for deleted.
const GONE_PATIENCE: u32 = 5;
/// Conflicts with other records (a unique value) are tried this often before they are dead letters.
const CONFLICT_TRIES: u32 = 3;

/// Counts of one answer, for the note.
#[derive(Default)]
struct Tally {
    done: usize,
    retried: usize,
    dead: usize,
    unknown: usize,
    fenced: usize,
}

impl Machine {
    pub(super) fn answered(&mut self, id: BatchId, answer: WriteAnswer, out: &mut Vec<Effect>) {
        let Some(batch) = self.batches.batches.remove(&id) else {
            return;
        };
        #[cfg(feature = "sabotage")]
        let answer = Self::without_late_rows(answer, batch.records.len());
        self.usage = answer.usage.or(self.usage);
        self.calls += u64::from(answer.requests.saturating_sub(1));
        let mut tally = Tally::default();
        let oldest_age = self.now.since(batch.oldest);
        match answer.outcome {
            Ok(outcomes) if outcomes.len() == batch.records.len() => {
                self.breaker.on_answer(self.now, None, self.dice);
                self.settle_rows(id, &batch, outcomes, &mut tally, out);
            }
            Ok(_) => {
                self.whole_batch(id, &batch, Class::Unknown, None, &mut tally);
            }
            Err(fault) => self.call_failed(id, &batch, &fault, &mut tally, out),
        }
        let Tally {
            done,
            retried,
            dead,
            unknown,
            fenced,
        } = tally;
        out.push(Effect::Note(Note::Batch {
            sobject: Arc::clone(&batch.object.sobject),
            rows: batch.records.len(),
            done,
            retried,
            dead,
            unknown,
            took: answer.took,
            oldest_age,
        }));
        if fenced > 0 {
            out.push(Effect::Note(Note::FenceRefused { records: fenced }));
        }
    }

    fn call_failed(&mut self, id: BatchId, batch: &Batch, fault: &CallFault, tally: &mut Tally, out: &mut Vec<Effect>) {
        out.push(Effect::Note(Note::CallFailed {
            code: Arc::clone(&fault.code),
            status: fault.status,
        }));
        self.note_error(&fault.code);
        self.breaker.on_answer(self.now, Some(fault.class), self.dice);
        if fault.class == Class::Configuration {
            self.held_objects
                .insert(Arc::clone(&batch.object.object), self.now.after(CONFIGURATION_HOLD));
        }
        if fault.class == Class::Reauthorise && !std::mem::replace(&mut self.unauthorised, true) {
            self.tell_tenant("authorisation_needed", &fault.detail);
        }
        self.whole_batch(id, batch, fault.class, fault.retry_after, tally);
    }

    /// The call as a whole did not come to row outcomes.
    fn whole_batch(&mut self, id: BatchId, batch: &Batch, class: Class, hint: Option<Duration>, tally: &mut Tally) {
        let mut doubtful = Vec::new();
        for key in &batch.records {
            let Some(flight) = self.land(key) else { continue };
            if class == Class::Unknown {
                tally.unknown += 1;
                self.in_doubt(key, &flight);
            } else {
                tally.retried += 1;
            }
            self.send_again(key, flight, class, hint);
            if self.table.records.get(key).is_some_and(|r| r.doubt.is_some()) {
                doubtful.push(key.clone());
            }
        }
        // The intent stays in Redis as it is while it names a record of which some write's outcome is not known.
        if doubtful.is_empty() {
            self.batches.done.push(id);
        } else {
            self.batches.doubt(id, doubtful);
        }
    }

    fn in_doubt(&mut self, key: &RecordKey, flight: &Flight) {
        let since = self.now;
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        let doubt = Doubt {
            since,
            seq: flight.write.seq,
            verb: flight.verb,
        };
        record.doubt = Some(doubt.and(record.doubt));
        if flight.deleted {
            return;
        }
        if record.doubted.len() >= Row::UNCONFIRMED_MAX {
            record.doubted.remove(0);
        }
        record.doubted.push(flight.write.clone());
    }

    /// Takes a record's flight out of the table.
    pub(super) fn land(&mut self, key: &RecordKey) -> Option<Flight> {
        self.table.records.get_mut(key)?.flight.take()
    }

    /// Retry: what was in flight goes beneath what came since; nothing is stored, the log is the failed change (rule 22).
    pub(super) fn send_again(&mut self, key: &RecordKey, flight: Flight, class: Class, hint: Option<Duration>) {
        if flight.deleted {
            // Somebody deleted the record meanwhile: what was on its way comes too late. What came since has seen it.
            self.lose(key, &flight.pending);
            self.place(key);
            return;
        }
        self.put_beneath(key, flight);
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        record.attempts = record.attempts.saturating_add(1);
        let until = self.now.after(retry::delay(class, record.attempts, hint, self.dice));
        self.table.hold(key, until);
    }

    /// What was cut and not sent goes beneath what came since.
    pub(super) fn unsent(&mut self, key: &RecordKey, flight: Flight) {
        if flight.deleted {
            self.lose(key, &flight.pending);
        } else {
            self.put_beneath(key, flight);
        }
        self.place(key);
    }

    fn put_beneath(&mut self, key: &RecordKey, flight: Flight) {
        let pending = match self.table.take_pending(key) {
            Some(newer) => newer.over(flight.pending),
            None => flight.pending,
        };
        self.table.put_pending(key, pending);
    }

    fn settle_rows(
        &mut self,
        id: BatchId,
        batch: &Batch,
        outcomes: Vec<RowOutcome>,
        tally: &mut Tally,
        out: &mut Vec<Effect>,
    ) {
        if std::mem::take(&mut self.unauthorised) {
            self.tell_tenant("active", "Salesforce accepts the tenant's session again");
        }
        let mut commit = Commit {
            batch: Some(id),
            ..Commit::default()
        };
        for (key, outcome) in batch.records.iter().zip(outcomes) {
            match outcome {
                RowOutcome::Done { id, .. } => {
                    tally.done += 1;
                    if let Some(flight) = self.land(key) {
                        self.settled(key, batch, flight, Some(id), &mut commit);
                    }
                }
                RowOutcome::Failed(fault) => self.row_failed(key, batch, fault, &mut commit, tally, out),
            }
            self.when_full(Script::Settle, &mut commit, out);
        }
        commit.intent_left = self.intent_left(id, batch);
        commit.intents_done = self.batches.take_done();
        commit.counters.events += i64::try_from(commit.outbox.len()).unwrap_or(i64::MAX);
        self.commit(Script::Settle, commit, out);
        for key in &batch.records {
            self.place(key);
            self.table.rest(key);
            if let Some(doubt) = self
                .table
                .records
                .get(key)
                .filter(|r| r.pending.is_none())
                .and_then(|r| r.doubt)
            {
                self.table.hold(key, doubt.since.after(self.settings.request_limit));
            }
        }
    }

    /// What the next owner must know of this batch: records of which a write, this one or an earlier one, is in doubt.
    pub(super) fn intent_left(&mut self, id: BatchId, batch: &Batch) -> Option<Intent> {
        let mut left = Vec::new();
        let mut since = Timestamp::ZERO;
        for key in &batch.records {
            if let Some(doubt) = self.table.records.get(key).and_then(|r| r.doubt) {
                since = since.max(doubt.since);
                left.push(IntentRecord {
                    record: key.clone(),
                    seq: doubt.seq,
                    verb: doubt.verb,
                    crashes: 0,
                });
            }
        }
        if left.is_empty() {
            return None;
        }
        self.batches.doubt(id, left.iter().map(|r| r.record.clone()).collect());
        Some(Intent {
            batch: id,
            begun: since,
            records: left,
        })
    }

    fn row_failed(
        &mut self,
        key: &RecordKey,
        batch: &Batch,
        fault: RowFault,
        commit: &mut Commit,
        tally: &mut Tally,
        out: &mut Vec<Effect>,
    ) {
        self.note_error(&fault.code);
        let Some(flight) = self.land(key) else { return };
        let attempts = self.table.records.get(key).map_or(0, |r| r.attempts);
        if flight.deleted && fault.class != Class::Unknown {
            // Refused, and too late all the same: nothing that a letter should keep or another try should bring about.
            tally.retried += 1;
            self.send_again(key, flight, fault.class, None);
            return;
        }
        match fault.class {
            Class::Gone if flight.verb == Verb::Delete => {
                tally.done += 1;
                self.settled(key, batch, flight, None, commit);
            }
            Class::Gone => self.gone(key, flight, attempts, tally),
            Class::Fence => {
                tally.fenced += 1;
                self.fence_refused(key, flight, out);
            }
            Class::Unknown => {
                tally.unknown += 1;
                self.in_doubt(key, &flight);
                self.send_again(key, flight, Class::Unknown, None);
            }
            Class::Conflict if attempts < CONFLICT_TRIES => {
                tally.retried += 1;
                self.send_again(key, flight, Class::Conflict, None);
            }
            Class::Reject | Class::Conflict => {
                tally.dead += 1;
                self.dead_letter(key, batch, flight, &fault, commit);
            }
            Class::Configuration => {
                tally.retried += 1;
                self.held_objects
                    .insert(Arc::clone(&batch.object.object), self.now.after(CONFIGURATION_HOLD));
                self.send_again(key, flight, Class::Configuration, None);
            }
            Class::Retry | Class::SlowDown | Class::Concurrency | Class::Reauthorise => {
                tally.retried += 1;
                self.send_again(key, flight, fault.class, None);
            }
        }
    }

    /// A record's write is in Salesforce: its log entries go, its row says so.
    fn settled(
        &mut self,
        key: &RecordKey,
        batch: &Batch,
        flight: Flight,
        id: Option<SalesforceId>,
        commit: &mut Commit,
    ) {
        let plan = Arc::clone(&batch.object);
        let (now, limit, imports_read) = (self.now, self.settings.request_limit, self.reading.imports_read());
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        record.attempts = 0;
        // An earlier write in doubt can still happen: deletes and creates go on waiting for it.
        record.doubt = record.doubt.filter(|d| d.since.after(limit) > now);
        record.lifting = Lifting::No;
        record.placed_seq = record.placed_seq.max(flight.write.seq);
        let row = &mut record.row;
        row.last_seq = row.last_seq.max(flight.write.seq);
        let fold = &flight.pending.fold;
        if flight.verb == Verb::Delete {
            if flight.deleted {
                // The event came first and settled it; by now somebody may have brought the record back.
                return;
            }
            let known = row.tombstone.map_or((Side::Product, 0), |t| (t.by, t.revision));
            if let Some(old) = row.die(known.0, known.1) {
                commit.unlinks.push(old);
                self.table.by_id.remove(&old);
            }
        } else if let Some(id) = id.filter(|_| !flight.deleted) {
            if row.salesforce_id != Some(id) || row.tombstone.is_some() {
                row.tombstone = None;
                row.salesforce_id = Some(id);
                commit.links.push((id, key.clone()));
                self.table.by_id.insert(id, key.clone());
                commit
                    .outbox
                    .push(super::product_event::linked(key, row, now, fold.traces.last().cloned()));
            }
            row.keyless = false;
            // Where its event came first, that event and those after it have set the base.
            if record.confirmed_seq < flight.write.seq {
                for (idx, hash) in &flight.write.fields {
                    row.base.set(plan.version, *idx, *hash);
                }
                await_event(row, flight.write.clone());
            }
        }
        stamp_fold(row, &flight.pending.fold, plan.fields.len(), now);
        if record.pending.is_none() {
            super::known::forget_answered(row, imports_read);
        }
        if flight.pending.from_dead {
            row.dead_letter = false;
            commit.dead_remove.push(DeadKey::Record(key.clone()));
        }
        if self.settings.receipts && !fold.receipts.is_empty() {
            commit.outbox.push(super::product_event::applied(key, row, fold, now));
        }
        let row = row.clone();
        self.uncount(&flight.pending, commit, key);
        let entries = i64::try_from(flight.pending.entries_total()).unwrap_or(i64::MAX);
        commit.counters.settled += entries;
        commit.rows.push((key.clone(), row));
    }

    /// Takes a pending fold's entries out of log, compacted folds and memory's counts.
    pub(super) fn uncount(&mut self, pending: &super::table::Pending, commit: &mut Commit, key: &RecordKey) {
        self.table.count_entries(&pending.entries, false);
        commit.delete.extend_from_slice(&pending.entries);
        commit.seen.extend_from_slice(&pending.keys);
        if pending.from_compacted {
            commit.compacted_remove.push(key.clone());
        }
        commit.counters.compacted -= i64::try_from(pending.compacted).unwrap_or(i64::MAX);
    }

    /// Salesforce says that the record is gone: the event that tells how is awaited; a recreate goes on as a create.
    fn gone(&mut self, key: &RecordKey, flight: Flight, attempts: u32, tally: &mut Tally) {
        tally.retried += 1;
        let recreate = flight.pending.fold.delete;
        let give_up = attempts >= GONE_PATIENCE;
        self.send_again(key, flight, Class::Gone, None);
        if recreate {
            if let Some(old) = self
                .table
                .records
                .get_mut(key)
                .and_then(|r| r.row.die(Side::Product, 0))
            {
                self.table.by_id.remove(&old);
                self.drops.unlinks.push(old);
                self.drops.rows.insert(key.clone());
            }
        } else if give_up {
            self.deleted_unseen(key);
        }
    }

    fn dead_letter(&mut self, key: &RecordKey, batch: &Batch, flight: Flight, fault: &RowFault, commit: &mut Commit) {
        let newer = self.table.take_pending(key);
        let now = self.now;
        let plan = Arc::clone(&batch.object);
        self.dead += 1;
        let names = super::product_event::product_names(&plan, &fault.fields);
        let letter = super::product_event::letter(
            &fault.code,
            names.clone(),
            fault.message.clone(),
            &flight.pending.fold,
            now,
        );
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        record.attempts = 0;
        record.lifting = Lifting::No;
        record.row.last_seq = record.row.last_seq.max(flight.write.seq);
        record.row.dead_letter = true;
        stamp_fold(&mut record.row, &flight.pending.fold, plan.fields.len(), now);
        let event = super::product_event::rejected(
            key,
            &record.row,
            &fault.code,
            &names,
            &fault.message,
            &flight.pending.fold,
            now,
        );
        commit.outbox.push(event);
        commit.dead_put.push((DeadKey::Record(key.clone()), letter.clone()));
        commit.counters.dead += i64::try_from(flight.pending.entries_total()).unwrap_or(i64::MAX);
        match (newer, letter.fold()) {
            // A newer change folds over the dead content (rule 23).
            (Some(mut newer), Some(buried)) => {
                newer.fold = crate::engine::fold::under(newer.fold, buried);
                newer.from_dead = true;
                self.table.put_pending(key, newer);
            }
            (newer, _) => {
                record.dead = Some(letter);
                newer.into_iter().for_each(|n| self.table.put_pending(key, n));
            }
        }
        if let Some(record) = self.table.records.get(key) {
            commit.rows.push((key.clone(), record.row.clone()));
        }
        self.uncount(&flight.pending, commit, key);
    }
}

/// Notes on the row what a fold decided.
pub(super) fn stamp_fold(
    row: &mut Row,
    fold: &crate::engine::commit::Folded,
    all: usize,
    now: crate::domain::time::Timestamp,
) {
    if fold.delete {
        stamps::stamp_all(
            row,
            Decided {
                version: fold.delete_version,
                packed: fold.packed,
            },
            now,
        );
    }
    let mut by: Vec<(Decided, Vec<FieldIdx>)> = Vec::new();
    for field in fold.fields.iter().filter(|f| !f.engine) {
        let decided = Decided {
            version: field.version,
            packed: field.packed,
        };
        match by.iter_mut().find(|(d, _)| *d == decided) {
            Some((_, fields)) => fields.push(field.idx),
            None => by.push((decided, vec![field.idx])),
        }
    }
    for (decided, fields) in by {
        stamps::stamp(row, &fields, decided, all, now);
    }
}

/// The grace before a refused sequence is sent again.
pub(super) fn fence_grace() -> Duration {
    FENCE_GRACE
}

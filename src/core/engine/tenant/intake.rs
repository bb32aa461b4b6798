//! Taking entries of the log in: parse, load what they are compared with, fold.

use std::collections::BTreeSet;
use std::time::Duration;

use super::reading::LoadFor;
use super::table::{Pending, Record};
use super::{Effect, Machine, Note};
use crate::domain::change::{Change, IdempotencyKey, Op, Origin, Rejection};
use crate::domain::change_parse::Parser;
use crate::domain::ids::FieldIdx;
use crate::domain::row::Side;
use crate::domain::stream::{Log, RawEntry};
use crate::engine::fold::{self, Accepted, Before};
use crate::engine::state::Loaded;

/// How long a settled idempotency key stays in memory: longer than any load takes that was issued before.
const KEYS_LINGER: Duration = Duration::from_secs(60);

/// An entry, understood or refused.
#[derive(Debug)]
pub(super) struct Parsed {
    raw: RawEntry,
    change: Result<Change, Rejection>,
}

/// Counts of one chunk.
#[derive(Debug, Default)]
struct Taken {
    entries: usize,
    refused: usize,
    duplicate: usize,
    stale: usize,
}

impl Machine {
    /// Takes a chunk of a log in; it waits for its records' state if some are not in memory.
    pub(super) fn take_chunk(&mut self, log: Log, entries: Vec<RawEntry>, out: &mut Vec<Effect>) {
        let parser = Parser {
            plan: &self.plan,
            digest: &self.digest,
            tenant: &self.settings.tenant,
        };
        let redis_now = self.redis_now();
        let parsed: Vec<Parsed> = entries
            .into_iter()
            .map(|raw| Parsed {
                change: parser.parse(&raw, redis_now),
                raw,
            })
            .collect();
        let mut unknown = BTreeSet::new();
        let mut keys: Vec<IdempotencyKey> = Vec::new();
        for change in parsed.iter().filter_map(|p| p.change.as_ref().ok()) {
            if !self.table.records.contains_key(&change.record) {
                unknown.insert(change.record.clone());
            }
            if let Some(key) = change.idempotency
                && !self.reading.keys.contains_key(&key.key)
            {
                keys.push(key);
            }
        }
        if unknown.is_empty() && keys.is_empty() {
            self.fold_chunk(parsed, &[], &[], out);
            return;
        }
        let ticket = self.load(LoadFor::Chunk(unknown.into_iter().collect()), keys, out);
        self.reading.chunk = Some((ticket, log, parsed));
    }

    /// Asks for records' state.
    pub(super) fn load(&mut self, what: LoadFor, keys: Vec<IdempotencyKey>, out: &mut Vec<Effect>) -> u64 {
        let ticket = self.ticket();
        let records = what.records().to_vec();
        self.reading.loads.insert(ticket, what);
        self.reading.asked_keys.insert(ticket, keys.clone());
        out.push(Effect::Load { ticket, records, keys });
        ticket
    }

    pub(super) fn loaded(&mut self, ticket: u64, loaded: Loaded, out: &mut Vec<Effect>) {
        let Some(what) = self.reading.loads.remove(&ticket) else {
            return;
        };
        for (key, state) in what.records().iter().zip(loaded.records) {
            // What is in memory already is newer than what was read.
            if self.table.records.contains_key(key) {
                continue;
            }
            let doubt = self.reading.doubts.remove(key);
            let row = state.row.unwrap_or_default();
            let holder = row.salesforce_id.and_then(|id| self.table.by_id.get(&id));
            if key.is_keyless() && holder.is_some_and(|holder| holder != key) {
                // It got its key while this was read.
                continue;
            }
            let dead = state.dead;
            self.table.records.insert(
                key.clone(),
                Box::new(Record {
                    row,
                    dead,
                    doubt,
                    ..Record::default()
                }),
            );
            self.table.index(key);
            if let Some(fold) = state.compacted {
                let tombstone = self.table.records.get(key).and_then(|r| r.row.tombstone);
                let late = tombstone.is_some_and(|t| {
                    t.by == Side::Salesforce && fold.seen_revision.is_none_or(|revision| revision < t.revision)
                });
                let compacted = fold.entries;
                let pending = Pending {
                    fold,
                    compacted,
                    from_compacted: true,
                    lane: Some(Log::Changes),
                    ..Pending::default()
                };
                self.table.put_pending(key, pending);
                if late {
                    self.lose_pending(key);
                } else {
                    self.place(key);
                }
            } else {
                self.table.rest(key);
            }
        }
        let keys = self.reading.asked_keys.remove(&ticket).unwrap_or_default();
        match what {
            LoadFor::Compacted(_) => {}
            LoadFor::Chunk(_) => {
                if let Some((_, _, parsed)) = self.reading.chunk.take() {
                    self.fold_chunk(parsed, &keys, &loaded.seen, out);
                }
            }
            LoadFor::Events(_) => self.inbound_loaded(),
            LoadFor::Parents(_) => self.parents_loaded(),
            LoadFor::Questions(keys) => self.remind(&keys),
        }
    }

    fn fold_chunk(
        &mut self,
        parsed: Vec<Parsed>,
        asked: &[IdempotencyKey],
        seen: &[Option<[u8; 8]>],
        out: &mut Vec<Effect>,
    ) {
        self.forget_old_keys();
        let mut taken = Taken {
            entries: parsed.len(),
            ..Taken::default()
        };
        let mut future = false;
        for Parsed { raw, change } in parsed {
            match change {
                Err(rejection) => {
                    taken.refused += 1;
                    future |= rejection.code == "future_id";
                    if let Some(record) = rejection
                        .record
                        .as_ref()
                        .and_then(|key| self.table.records.get_mut(key))
                    {
                        record.unread.clear();
                    }
                    self.refuse(&raw, rejection);
                }
                Ok(change) => self.take_change(&raw, change, asked, seen, &mut taken),
            }
            self.flush_full_drops(out);
        }
        if future {
            out.push(Effect::Note(Note::FutureEntry));
            self.reading.check_soon();
        }
        let Taken {
            entries,
            refused,
            duplicate,
            stale,
        } = taken;
        out.push(Effect::Note(Note::Folded {
            entries,
            refused,
            duplicate,
            stale,
        }));
    }

    fn take_change(
        &mut self,
        raw: &RawEntry,
        mut change: Change,
        asked: &[IdempotencyKey],
        seen: &[Option<[u8; 8]>],
        taken: &mut Taken,
    ) {
        if change.origin == Origin::Engine {
            self.read_back(&change);
        }
        if let Some(key) = change.idempotency {
            let stored = asked
                .iter()
                .position(|k| k.key == key.key)
                .and_then(|at| seen.get(at).copied().flatten());
            match self.reading.keys.get(&key.key).copied().or(stored) {
                Some(content) if content == key.content => {
                    taken.duplicate += 1;
                    self.drops.delete.push(change.entry);
                    self.drops.counters.duplicate += 1;
                    return;
                }
                Some(_) => {
                    taken.refused += 1;
                    self.refuse(raw, super::product_event::key_reused(&change));
                    return;
                }
                None => {
                    self.reading.keys.insert(key.key, key.content);
                }
            }
        }
        self.table.records.entry(change.record.clone()).or_default();
        match change.op {
            Op::Link => return self.take_link(change),
            Op::Refuse => return self.take_refusal(&change),
            Op::Upsert => self.take_answer(&change),
            Op::Delete => {}
        }
        if self.lost_to_delete(&change) {
            taken.refused += 1;
            self.lose_to_delete(&change);
            return;
        }
        if change.op == Op::Upsert && change.origin == Origin::Product && !self.drop_known(&mut change) {
            return;
        }
        if change.origin == Origin::Engine {
            self.heed(&change.record, &change.fields);
        }
        if self.fold_change(&change) == Accepted::Stale {
            taken.stale += 1;
            self.drops.delete.push(change.entry);
            self.drops.seen.extend(change.idempotency);
            self.drops.counters.stale += 1;
            self.table.rest(&change.record);
        }
    }

    /// An own entry was read: it holds its record back no longer.
    fn read_back(&mut self, change: &Change) {
        let Some(record) = self.table.records.get_mut(&change.record) else {
            return;
        };
        for (idx, _) in &change.fields {
            if let Some(at) = record.unread.iter().position(|i| i == idx) {
                record.unread.swap_remove(at);
            }
        }
        self.place(&change.record.clone());
    }

    /// Folds an accepted change over what is pending, with a dead letter's content beneath the first one.
    fn fold_change(&mut self, change: &Change) -> Accepted {
        let key = &change.record;
        let plan_version = self.plan.object(&key.object).map_or(0, |p| p.version);
        let mut pending = self.table.take_pending(key);
        let Some(record) = self.table.records.get_mut(key) else {
            return Accepted::Stale;
        };
        let before = Before {
            row: &record.row,
            in_flight: record.flight.as_ref().map(|f| &f.pending.fold),
            late: record.flight.as_ref().is_some_and(|f| f.deleted),
        };
        let mut fold = pending.as_mut().map(|p| std::mem::take(&mut p.fold));
        let accepted = fold::accept(&mut fold, before, change);
        if let Some(mut fold) = fold {
            let mut pending = pending.take().unwrap_or_default();
            if accepted == Accepted::Yes {
                if change.origin == Origin::Product
                    && let Some(dead) = record.dead.take().and_then(|letter| letter.fold())
                    && dead.plan == plan_version
                {
                    fold = fold::under(fold, dead);
                    pending.from_dead = true;
                }
                record.attempts = 0;
                pending.entries.push(change.entry);
                pending.keys.extend(change.idempotency);
                pending.lane = Some(pending.lane.map_or(change.entry.log, |lane| lane.min(change.entry.log)));
                self.table.count_entries(&[change.entry], true);
            }
            fold.plan = plan_version;
            pending.fold = fold;
            self.table.put_pending(key, pending);
            self.place(key);
        }
        accepted
    }

    /// An edit of a record that Salesforce deleted, made without having seen the delete, comes too late (C4).
    fn lost_to_delete(&self, change: &Change) -> bool {
        let Some(record) = self.table.records.get(&change.record) else {
            return false;
        };
        let Some(tombstone) = record.row.tombstone else {
            return false;
        };
        let seen = change.seen_revision.max(change.caused_by.as_ref().map(|e| e.revision));
        let upserts = change.op == Op::Upsert || change.origin == Origin::Product;
        tombstone.by == Side::Salesforce
            && upserts
            && (change.origin == Origin::Engine || seen.is_none_or(|revision| revision < tombstone.revision))
    }

    fn lose_to_delete(&mut self, change: &Change) {
        self.drops.delete.push(change.entry);
        self.drops.seen.extend(change.idempotency);
        self.drops.counters.refused += 1;
        if change.op == Op::Upsert && change.origin == Origin::Product && change.caused_by.is_none() {
            let fields: Vec<FieldIdx> = change.fields.iter().map(|(idx, _)| *idx).collect();
            self.tell_conflict(
                &change.record.clone(),
                &fields,
                Side::Salesforce,
                change.traceparent.clone(),
            );
        }
        self.table.rest(&change.record);
    }

    pub(super) fn remember_keys(&mut self, keys: &[IdempotencyKey]) {
        for key in keys {
            self.reading.old_keys.push_back((self.now.after(KEYS_LINGER), key.key));
        }
    }

    fn forget_old_keys(&mut self) {
        while let Some((until, key)) = self.reading.old_keys.front() {
            if *until > self.now {
                break;
            }
            self.reading.keys.remove(key);
            self.reading.old_keys.pop_front();
        }
    }
}

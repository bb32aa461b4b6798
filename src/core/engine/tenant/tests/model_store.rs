//! A tenant's state as the scripts keep it: one fence, two logs, rows through their real codec.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use crate::domain::event::Event;
use crate::domain::ids::{BatchId, Epoch, Fence, RecordKey, ReplayId};
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::stream::{EntryRef, Log, RawEntry, StreamId};
use crate::domain::{fold_codec, intent_codec, row_codec};
use crate::engine::commit::{Commit, DeadKey, DeadLetter, Intent, LogChunk, Script};
use crate::engine::state::{Attached, Committed, CompactedPage, Lengths, Loaded, LoadedRecord};
use crate::engine::step_size::VALUES_MAX;
use crate::engine::tenant::io::{Effect, Input, Lost};

type Fields = Vec<(Bytes, Bytes)>;

#[derive(Default)]
pub struct Store {
    pub log: BTreeMap<StreamId, Fields>,
    pub last: StreamId,
    pub backfill: BTreeMap<StreamId, Fields>,
    backfill_last: StreamId,
    pub added: i64,
    rows: HashMap<RecordKey, Vec<u8>>,
    ids: HashMap<SalesforceId, RecordKey>,
    pub compacted: BTreeMap<RecordKey, Vec<u8>>,
    pub dead: HashMap<RecordKey, DeadLetter>,
    batches: BTreeMap<BatchId, Vec<u8>>,
    seen: HashMap<[u8; 16], [u8; 8]>,
    pub outbox: Vec<(StreamId, Event)>,
    pub outbox_added: u64,
    cursor: Option<ReplayId>,
    fence: Option<Fence>,
    pub settled: i64,
    pub compacted_gauge: i64,
    pub echoes: i64,
    pub questions: BTreeMap<RecordKey, u64>,
}

impl Store {
    pub fn append(&mut self, log: Log, now: u64, fields: Vec<(&str, String)>) {
        let (entries, last) = match log {
            Log::Changes => (&mut self.log, &mut self.last),
            Log::Backfill => (&mut self.backfill, &mut self.backfill_last),
        };
        let ms = now.max(last.ms);
        let seq = if ms == last.ms { last.seq + 1 } else { 0 };
        *last = StreamId { ms, seq };
        self.added += 1;
        let fields = fields
            .into_iter()
            .map(|(n, v)| (Bytes::from(n.to_owned()), Bytes::from(v)))
            .collect();
        entries.insert(*last, fields);
    }

    fn entries(&self, log: Log) -> &BTreeMap<StreamId, Fields> {
        match log {
            Log::Changes => &self.log,
            Log::Backfill => &self.backfill,
        }
    }

    /// Whether the effect is a command to Redis.
    pub fn is_for(effect: &Effect) -> bool {
        matches!(
            effect,
            Effect::Attach
                | Effect::ReadLog { .. }
                | Effect::ScanCompacted { .. }
                | Effect::Load { .. }
                | Effect::Resolve { .. }
                | Effect::DueQuestions { .. }
                | Effect::Begin { .. }
                | Effect::Commit { .. }
                | Effect::Lengths
        )
    }

    /// Carries out a store effect; `None` when the effect is none of the store's.
    pub fn run(&mut self, effect: &Effect, now: u64) -> Option<Input> {
        Some(match effect {
            Effect::Attach => self.attach(now),
            Effect::ReadLog { log, after, count } => self.read(*log, *after, *count),
            Effect::ScanCompacted { .. } => Input::Compacted(CompactedPage {
                records: self.compacted.keys().cloned().collect(),
                next: 0,
            }),
            Effect::Load { ticket, records, keys } => {
                let records = records.iter().map(|key| self.load(key)).collect();
                let seen = keys.iter().map(|k| self.seen.get(&k.key).copied()).collect();
                Input::Loaded {
                    ticket: *ticket,
                    loaded: Loaded { records, seen },
                }
            }
            Effect::Resolve { ticket, ids } => Input::Resolved {
                ticket: *ticket,
                keys: ids.iter().map(|id| self.ids.get(id).cloned()).collect(),
            },
            Effect::DueQuestions { before, count } => {
                let due = self.questions.iter().filter(|(_, at)| **at <= before.0);
                Input::DueQuestions(due.map(|(key, _)| key.clone()).take(*count).collect())
            }
            Effect::Begin { fence, intent, done } => {
                if !self.pass(fence) {
                    return Some(Input::Lost(Lost::Fenced));
                }
                done.iter().for_each(|b| drop(self.batches.remove(b)));
                self.put_intent(intent);
                Input::Begun(intent.batch)
            }
            Effect::Commit {
                ticket,
                fence,
                script,
                commit,
            } => self.commit(*ticket, fence, *script, commit, now),
            Effect::Lengths => Input::Lengths(Lengths {
                changes: self.log.len() as u64,
                backfill: self.backfill.len() as u64,
                compacted: self.compacted.len() as u64,
                changes_last: self.last,
                backfill_last: self.backfill_last,
                outbox: self.outbox.len() as u64,
                open_questions: self.questions.len() as u64,
                unaccounted: 0,
            }),
            _ => return None,
        })
    }

    /// As if the stream had been read to this event before: the org's first records are from long ago.
    pub fn forget_events_until(&mut self, event: usize) {
        self.cursor = Some(ReplayId((event as u64).to_be_bytes().to_vec().into()));
    }

    fn attach(&mut self, now: u64) -> Input {
        let epoch = self.fence.as_ref().map_or(1, |f| f.epoch.0 + 1).max(now);
        let fence = Fence {
            nonce: format!("n{epoch}").into(),
            epoch: Epoch(epoch),
            step: 0,
        };
        self.fence = Some(fence.clone());
        let intents = self
            .batches
            .values()
            .map(|b| intent_codec::decode(b).unwrap())
            .collect();
        let cursors = self
            .cursor
            .iter()
            .map(|c| ("/data/ChangeEvents".into(), c.clone()))
            .collect();
        Input::Attached(Attached {
            fence,
            intents,
            cursors,
            redis_ms: now,
        })
    }

    fn pass(&mut self, named: &Fence) -> bool {
        let held = self.fence.as_mut().unwrap();
        let pass = held == named;
        if pass {
            held.step += 1;
        }
        pass
    }

    fn put_intent(&mut self, intent: &Intent) {
        self.batches.insert(intent.batch, intent_codec::encode(intent));
    }

    fn read(&self, log: Log, after: StreamId, count: usize) -> Input {
        let after = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        let range = self.entries(log).range(after).take(count);
        let entries: Vec<RawEntry> = range
            .map(|(id, f)| RawEntry {
                at: EntryRef { log, id: *id },
                fields: f.clone(),
            })
            .collect();
        let end = entries.len() < count;
        Input::Log(LogChunk { log, entries, end })
    }

    fn load(&self, key: &RecordKey) -> LoadedRecord {
        LoadedRecord {
            row: self.rows.get(key).map(|b| row_codec::decode(b).unwrap()),
            compacted: self.compacted.get(key).map(|b| fold_codec::decode(b).unwrap()),
            dead: self.dead.get(key).cloned(),
        }
    }

    fn commit(&mut self, ticket: u64, fence: &Fence, script: Script, commit: &Commit, now: u64) -> Input {
        if !self.pass(fence) {
            return Input::Lost(Lost::Fenced);
        }
        let size = commit.size() + 2 * commit.seen.len();
        assert!(size <= VALUES_MAX, "a step of {size} values");
        if script == Script::Settle
            && let Some(batch) = &commit.batch
        {
            assert!(self.batches.remove(batch).is_some(), "no settle without its batch");
        }
        if let Some(left) = &commit.intent_left {
            self.put_intent(left);
        }
        commit.intents_done.iter().for_each(|b| drop(self.batches.remove(b)));
        let mut deleted = 0;
        for entry in &commit.delete {
            let entries = match entry.log {
                Log::Changes => &mut self.log,
                Log::Backfill => &mut self.backfill,
            };
            deleted += u64::from(entries.remove(&entry.id).is_some());
        }
        for (key, row) in &commit.rows {
            let bytes = row_codec::encode(row);
            let old = self
                .rows
                .insert(key.clone(), bytes)
                .map(|b| row_codec::decode(&b).unwrap());
            assert!(
                old.is_none_or(|o| o.last_seq <= row.last_seq),
                "a row's sequence never falls"
            );
        }
        for key in &commit.rows_remove {
            self.rows.remove(key);
        }
        for key in &commit.questions_remove {
            self.questions.remove(key);
        }
        self.questions
            .extend(commit.questions.iter().map(|(key, at)| (key.clone(), at.0)));
        for id in &commit.unlinks {
            self.ids.remove(id);
        }
        for (id, key) in &commit.links {
            let old = self.ids.insert(*id, key.clone());
            assert!(
                old.is_none_or(|o| o == *key),
                "a Salesforce record has one key for ever"
            );
        }
        // As in the scripts: what is removed first, then what is written.
        for key in &commit.compacted_remove {
            self.compacted.remove(key);
        }
        for (key, fold) in &commit.compacted_put {
            self.compacted.insert(key.clone(), fold_codec::encode(fold));
        }
        for key in &commit.dead_remove {
            if let DeadKey::Record(key) = key {
                self.dead.remove(key);
            }
        }
        for (key, letter) in &commit.dead_put {
            if let DeadKey::Record(key) = key {
                self.dead.insert(key.clone(), letter.clone());
            }
        }
        self.seen.extend(commit.seen.iter().map(|k| (k.key, k.content)));
        for entry in &commit.append {
            let data = entry
                .data
                .as_ref()
                .map(|d| String::from_utf8(d.expose().to_vec()).unwrap());
            let mut fields = vec![
                ("object", entry.record.object.to_string()),
                ("key", entry.record.key.to_string()),
                ("op", if data.is_some() { "upsert" } else { "delete" }.to_owned()),
                ("origin", "engine".to_owned()),
            ];
            fields.extend(data.map(|d| ("data", d)));
            self.append(Log::Changes, now, fields);
        }
        for event in &commit.outbox {
            assert!(event.says.is_empty() || event.says.plan != 0, "hashes have a layout");
            self.outbox_added += 1;
            self.outbox.push((
                StreamId {
                    ms: self.outbox_added,
                    seq: 0,
                },
                event.clone(),
            ));
        }
        for (_, place) in &commit.cursors {
            self.cursor = Some(place.clone());
        }
        let c = &commit.counters;
        self.settled += c.settled + c.duplicate + c.stale + c.refused + c.dead;
        self.compacted_gauge += c.compacted;
        self.echoes += c.echoes;
        Input::Committed {
            ticket,
            done: Committed {
                deleted,
                ..Committed::default()
            },
        }
    }
}

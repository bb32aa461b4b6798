//! Reading a tenant's state in: folds that were compacted, then the logs, as far as memory's bounds allow.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use super::intake::Parsed;
use super::table::{Doubt, Fixed};
use super::{Effect, Machine, Note, Phase};
use crate::domain::change::IdempotencyKey;
use crate::domain::change_parse::AHEAD_MAX;
use crate::domain::ids::RecordKey;
use crate::domain::stream::{Log, StreamId};
use crate::domain::time::Timestamp;
use crate::engine::state::{Attached, CompactedPage, Lengths};

/// Sooner than an idle tenant becomes a row. How often an idle owner compares the logs' lengths with what it holds (log-road rules 19 and 25).
const CHECK_EVERY: Duration = Duration::from_secs(20);
/// Records of compacted folds named at once.
const SCAN_RECORDS: usize = 500;

/// What an outstanding load is for.
#[derive(Debug)]
pub(super) enum LoadFor {
    /// Compacted folds found by the scan.
    Compacted(Vec<RecordKey>),
    /// The log chunk that waits in `Reading::chunk`.
    Chunk(Vec<RecordKey>),
    /// Change events.
    Events(Vec<RecordKey>),
    /// Parents that rows to be sent refer to.
    Parents(Vec<RecordKey>),
    /// Records whose questions are due.
    Questions(Vec<RecordKey>),
}

impl LoadFor {
    /// The records asked for.
    pub fn records(&self) -> &[RecordKey] {
        match self {
            Self::Compacted(r) | Self::Chunk(r) | Self::Events(r) | Self::Parents(r) | Self::Questions(r) => r,
        }
    }
}

/// How far one log was read.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct LogPlace {
    pub read_to: StreamId,
    pub end: bool,
    /// Whether the last look came to the log's end.
    reached: bool,
    /// The newest id that the log had when its length was last looked at; its entry may be gone.
    newest: StreamId,
}

/// The scan over compacted folds.
#[derive(Debug, Default, PartialEq, Eq)]
enum Scan {
    /// To be begun (again).
    #[default]
    Due,
    /// A page is asked for.
    Asked,
    /// The next page begins here.
    At(u64),
    /// Every fold is in memory, or was forgotten on purpose since.
    Done,
}

/// Where reading stands.
#[derive(Debug, Default)]
pub(super) struct Reading {
    scan: Scan,
    changes: LogPlace,
    backfill: LogPlace,
    /// Whether an answer of `ReadLog` is to come.
    asked: bool,
    /// Whether the log may have grown since it was asked: the answer then does not speak of its end.
    woken: bool,
    /// A chunk that waits for its records' state.
    pub chunk: Option<(u64, Log, Vec<Parsed>)>,
    /// Outstanding loads.
    pub loads: BTreeMap<u64, LoadFor>,
    /// Idempotency keys that outstanding loads ask for.
    pub asked_keys: BTreeMap<u64, Vec<IdempotencyKey>>,
    /// Records whose last writer's outcome is unknown: not sent before the fold has reached this seq, or the log's end.
    pub doubts: HashMap<RecordKey, Doubt, Fixed>,
    /// Idempotency keys of entries in memory, and of those settled a short time ago.
    pub keys: HashMap<[u8; 16], [u8; 8], Fixed>,
    pub old_keys: VecDeque<(Timestamp, [u8; 16])>,
    /// Redis's clock less ours, in milliseconds.
    pub redis_ahead_ms: i64,
    checked: Timestamp,
    /// Entries that were missing when it was last told.
    missing: i64,
    /// The last ticket when the lengths were asked for: a script issued since makes the answer history.
    check_asked: Option<u64>,
    bounded: bool,
}

impl Reading {
    /// The log may have grown.
    pub fn wake(&mut self) {
        self.woken = self.asked;
        self.changes.end = false;
        self.backfill.end = false;
    }

    /// Whether everything in Redis is in memory.
    pub fn caught_up(&self) -> bool {
        self.scan == Scan::Done && self.changes.end && self.backfill.end && self.chunk.is_none()
    }

    /// Whether nothing of the backfill log waits to be read, as of the last look at it.
    pub fn imports_read(&self) -> bool {
        self.backfill.reached
    }

    /// Whether sending may begin: all that earlier owners left is known, or memory holds no more.
    pub fn rebuilt(&self) -> bool {
        (self.scan == Scan::Done && self.changes.end && self.chunk.is_none()) || self.bounded
    }

    /// Whether memory's bounds keep the rest of the log unread.
    pub fn blocked_by_bounds(&self) -> bool {
        self.bounded
    }

    /// The smallest ticket of an outstanding load.
    pub fn oldest_load(&self) -> Option<u64> {
        self.loads.first_key_value().map(|(ticket, _)| *ticket)
    }

    /// The lengths are to be compared as soon as the log was read to its end.
    pub fn check_soon(&mut self) {
        self.checked = Timestamp::ZERO;
    }

    /// When the lengths are to be compared next.
    pub fn check_at(&self) -> Option<Timestamp> {
        (self.caught_up() && self.check_asked.is_none()).then(|| self.checked.after(CHECK_EVERY))
    }

    fn place(&mut self, log: Log) -> &mut LogPlace {
        match log {
            Log::Changes => &mut self.changes,
            Log::Backfill => &mut self.backfill,
        }
    }
}

impl Machine {
    pub(super) fn attached(&mut self, attached: Attached, out: &mut Vec<Effect>) {
        self.phase = Phase::Rebuilding;
        self.fence = Some(attached.fence);
        self.reading.redis_ahead_ms =
            i64::try_from(attached.redis_ms).unwrap_or(0) - i64::try_from(self.now.0).unwrap_or(0);
        self.reading.checked = self.now;
        for intent in attached.intents {
            let records: Vec<RecordKey> = intent.records.iter().map(|r| r.record.clone()).collect();
            for sent in intent.records {
                let doubt = Doubt {
                    since: intent.begun,
                    seq: sent.seq,
                    verb: sent.verb,
                };
                let known = self.reading.doubts.remove(&sent.record);
                self.reading.doubts.insert(sent.record, doubt.and(known));
            }
            self.batches.doubt(intent.batch, records);
        }
        let cursor = attached
            .cursors
            .into_iter()
            .find(|(topic, _)| *topic == self.settings.topic);
        out.push(Effect::Subscribe {
            after: cursor.map(|(_, place)| place),
        });
        out.push(Effect::Forward);
    }

    /// Asks for what comes next, within memory's bounds.
    pub(super) fn read_on(&mut self, out: &mut Vec<Effect>) {
        let full = self.table.pending_records >= self.settings.table_records
            || self.table.pending_bytes >= self.settings.table_bytes
            || self.table.entries_total() >= self.settings.compact_after_entries.saturating_mul(2);
        self.reading.bounded = full && !self.reading.caught_up();
        if !full {
            self.scan_on(out);
            self.read_log_on(out);
        }
        if self.phase == Phase::Rebuilding && self.reading.rebuilt() {
            self.phase = Phase::Live;
            let keys: Vec<RecordKey> = self.table.records.keys().cloned().collect();
            for key in keys {
                self.place(&key);
            }
        }
        self.check_lengths(out);
    }

    fn scan_on(&mut self, out: &mut Vec<Effect>) {
        // What was compacted and forgotten is read again when memory has room.
        let room = self.table.pending_records * 2 < self.settings.table_records
            && self.table.pending_bytes * 2 < self.settings.table_bytes;
        if self.reading.scan == Scan::Done && self.table.forgotten > 0 && room {
            self.reading.scan = Scan::Due;
        }
        let waiting = self.reading.loads.values().any(|l| matches!(l, LoadFor::Compacted(_)));
        let cursor = match self.reading.scan {
            Scan::Due => 0,
            Scan::At(cursor) => cursor,
            Scan::Asked | Scan::Done => return,
        };
        if waiting {
            return;
        }
        if self.reading.scan == Scan::Due {
            self.table.forgotten = 0;
        }
        self.reading.scan = Scan::Asked;
        out.push(Effect::ScanCompacted {
            cursor,
            count: SCAN_RECORDS,
        });
    }

    pub(super) fn compacted_page(&mut self, page: CompactedPage, out: &mut Vec<Effect>) {
        if self.fence.is_none() {
            return;
        }
        self.reading.scan = if page.next == 0 {
            Scan::Done
        } else {
            Scan::At(page.next)
        };
        // A record in memory has folded its compacted content already, or made it itself (rule 18).
        let mut unknown: Vec<RecordKey> = page
            .records
            .into_iter()
            .filter(|key| !self.table.records.contains_key(key))
            .collect();
        unknown.sort();
        unknown.dedup();
        if !unknown.is_empty() {
            self.load(LoadFor::Compacted(unknown), Vec::new(), out);
        }
    }

    fn read_log_on(&mut self, out: &mut Vec<Effect>) {
        let scanned =
            self.reading.scan == Scan::Done && !self.reading.loads.values().any(|l| matches!(l, LoadFor::Compacted(_)));
        if !scanned || self.reading.asked || self.reading.chunk.is_some() {
            return;
        }
        let log = if !self.reading.changes.end {
            Log::Changes
        } else if !self.reading.backfill.end {
            Log::Backfill
        } else {
            return;
        };
        self.reading.asked = true;
        let after = self.reading.place(log).read_to;
        out.push(Effect::ReadLog {
            log,
            after,
            count: self.settings.read_entries,
        });
    }

    pub(super) fn log_chunk(&mut self, chunk: crate::engine::commit::LogChunk, out: &mut Vec<Effect>) {
        if self.fence.is_none() {
            return;
        }
        self.reading.asked = false;
        let woken = std::mem::take(&mut self.reading.woken);
        let place = self.reading.place(chunk.log);
        place.end = chunk.end && !woken;
        place.reached = chunk.end;
        if let Some(last) = chunk.entries.last() {
            place.read_to = last.at.id;
        }
        if place.end {
            // It was asked after that look: what was there then has been read, or trimmed.
            place.read_to = place.read_to.max(place.newest);
        }
        if !chunk.entries.is_empty() {
            self.take_chunk(chunk.log, chunk.entries, out);
        }
    }

    fn check_lengths(&mut self, out: &mut Vec<Effect>) {
        let due = self.reading.check_at().is_some_and(|at| at <= self.now);
        if self.phase == Phase::Live && due && self.commits.is_empty() {
            self.reading.check_asked = Some(self.next_ticket);
            self.reading.checked = self.now;
            out.push(Effect::Lengths);
        }
    }

    /// At the log's end its length equals what the owner holds; otherwise something was lost or is stuck.
    pub(super) fn lengths(&mut self, lengths: Lengths, out: &mut Vec<Effect>) {
        let asked = self.reading.check_asked.take();
        self.open_questions = lengths.open_questions;
        self.reading.changes.newest = lengths.changes_last;
        self.reading.backfill.newest = lengths.backfill_last;
        let new = lengths.changes_last > self.reading.changes.read_to
            || lengths.backfill_last > self.reading.backfill.read_to;
        if new {
            self.reading.wake();
            return;
        }
        if !self.reading.caught_up() || asked != Some(self.next_ticket) {
            return;
        }
        let held = |log| self.table.entries.get(&log).copied().unwrap_or(0) as u64;
        let folds = self
            .table
            .records
            .values()
            .filter(|r| {
                let flight = r.flight.as_ref().is_some_and(|f| f.pending.from_compacted);
                flight || r.pending.as_ref().is_some_and(|p| p.from_compacted)
            })
            .count()
            + self.table.forgotten;
        let agree = lengths.changes == held(Log::Changes)
            && lengths.backfill == held(Log::Backfill)
            && lengths.compacted == folds as u64;
        if !agree {
            out.push(Effect::Note(Note::LogMismatch));
            self.lost(super::Lost::Unexpected, out);
            return;
        }
        let missing = lengths.unaccounted.saturating_sub(self.reading.missing);
        if let Ok(entries @ 1..) = u64::try_from(missing) {
            self.reading.missing = lengths.unaccounted;
            out.push(Effect::Note(Note::Trimmed { entries }));
        }
        if self.pinned(lengths.changes, lengths.changes_last) || self.pinned(lengths.backfill, lengths.backfill_last) {
            // `attach` makes an empty log anew that begins far in the future.
            self.lost(super::Lost::Unexpected, out);
        }
    }

    /// Whether whatever is appended to an empty log gets an id that is refused (log-road rule 15).
    fn pinned(&self, length: u64, last: StreamId) -> bool {
        length == 0 && Timestamp(last.ms) > self.redis_now().after(AHEAD_MAX)
    }

    /// The time by the clock of Redis.
    pub(super) fn redis_now(&self) -> Timestamp {
        Timestamp(self.now.0.saturating_add_signed(self.reading.redis_ahead_ms))
    }
}

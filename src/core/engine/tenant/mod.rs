//! The tenant machine: everything that one live tenant's connection decides.
//!
//! The shell (`actor::connection`) translates messages into [`Input`]s, calls [`Machine::step`] and carries the
//! [`Effect`]s out in the order given. Effects that name a `fence` are queued on the shard's lane before the next
//! effect is looked at: the machine counts steps ahead, so their order is what keeps them valid.
//!
//! Memory is written as soon as the effect that makes it true is issued. When that effect fails the machine is lost
//! ([`Input::Lost`]): it forgets everything and attaches again, so a wrong guess never outlives its life.

mod adopt;
mod ahead;
mod batches;
mod compaction;
mod cut;
mod decide_delete;
mod decide_event;
mod drops;
mod inbound;
mod intake;
pub mod io;
mod known;
mod lifting;
mod linking;
mod matching;
mod merge;
mod outcome;
mod own_writes;
mod partners;
mod place;
mod product_event;
mod questions;
mod reading;
mod rows;
#[cfg(feature = "sabotage")]
mod sabotage;
pub mod settings;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub use io::{Effect, Input, Lost, Note, Phase, Snapshot};
pub use settings::TenantSettings;

use self::batches::Batches;
use self::drops::Drops;
use self::inbound::Inbound;
use self::linking::Linking;
use self::matching::Matching;
use self::partners::Errands;
use self::questions::DueQuestions;
use self::reading::Reading;
use self::table::{Fixed, Table};
use crate::domain::digest::Digester;
use crate::domain::ids::{Fence, RecordKey};
use crate::domain::plan::TenantPlan;
use crate::domain::time::Timestamp;
use crate::engine::breaker::Breaker;
use crate::engine::call::ApiUsage;
use crate::engine::commit::{Commit, Script};
use crate::engine::step_size::KEYS_MAX;

/// Pauses between losing a tenant and attaching again: at least this, with as much jitter on top.
const RESTART_PAUSE: Duration = Duration::from_millis(200);
/// Errors shown in a snapshot.
const ERRORS_KEPT: usize = 10;

/// One tenant's decisions. See the module's words.
#[derive(Debug)]
pub struct Machine {
    settings: TenantSettings,
    plan: Arc<TenantPlan>,
    digest: Digester,
    phase: Phase,
    paused: bool,
    draining: bool,
    drained: bool,
    fence: Option<Fence>,
    next_ticket: u64,
    /// Scripts on their way: ticket → log entries that should be there to delete.
    commits: BTreeMap<u64, u64>,
    table: Table,
    reading: Reading,
    batches: Batches,
    drops: Drops,
    inbound: Inbound,
    matching: Matching,
    linking: Linking,
    errands: Errands,
    due_questions: DueQuestions,
    breaker: Breaker,
    /// Whether the org refuses the tenant's credentials.
    unauthorised: bool,
    /// Objects whose writes wait: configuration errors.
    held_objects: HashMap<Arc<str>, Timestamp, Fixed>,
    /// Reads that lift sequences, by ticket.
    lifts: HashMap<u64, Vec<RecordKey>, Fixed>,
    to_lift: Vec<RecordKey>,
    looked_for_stragglers: Timestamp,
    /// Whether the product was told in this life that Redis is behind the org.
    told_behind: bool,
    errors: VecDeque<Arc<str>>,
    usage: Option<ApiUsage>,
    calls: u64,
    dead: u64,
    /// As the lengths told last.
    open_questions: u64,
    conflicts: u64,
    last_event: Option<Timestamp>,
    now: Timestamp,
    dice: u64,
    backpressure: &'static str,
    #[cfg(feature = "sabotage")]
    mischief: sabotage::Mischief,
}

impl Machine {
    /// A machine that waits for [`Input::Start`]. `digest_key` is the tenant's own.
    pub fn new(settings: TenantSettings, plan: Arc<TenantPlan>, digest_key: [u8; 32]) -> Self {
        Self {
            digest: Digester::new(digest_key),
            settings,
            plan,
            phase: Phase::Detached,
            paused: false,
            draining: false,
            drained: false,
            fence: None,
            next_ticket: 0,
            commits: BTreeMap::new(),
            table: Table::default(),
            reading: Reading::default(),
            batches: Batches::default(),
            drops: Drops::default(),
            inbound: Inbound::default(),
            matching: Matching::default(),
            linking: Linking::default(),
            errands: Errands::default(),
            due_questions: DueQuestions::default(),
            breaker: Breaker::new(),
            unauthorised: false,
            held_objects: HashMap::default(),
            lifts: HashMap::default(),
            to_lift: Vec::new(),
            looked_for_stragglers: Timestamp::ZERO,
            told_behind: false,
            errors: VecDeque::new(),
            usage: None,
            calls: 0,
            dead: 0,
            open_questions: 0,
            conflicts: 0,
            last_event: None,
            now: Timestamp::ZERO,
            dice: 0,
            backpressure: "",
            #[cfg(feature = "sabotage")]
            mischief: sabotage::Mischief::default(),
        }
    }

    /// Takes one input in; what follows is pushed to `out`, in order.
    pub fn step(&mut self, now: Timestamp, dice: u64, input: Input, out: &mut Vec<Effect>) {
        self.now = self.now.max(now);
        self.dice = dice;
        // What is done in the step that sends delays what it sends; the timer comes at once.
        let sends = matches!(input, Input::Granted | Input::Begun(_));
        match input {
            Input::Start => self.start(out),
            Input::Attached(attached) => self.attached(attached, out),
            Input::Compacted(page) => self.compacted_page(page, out),
            Input::Log(chunk) => self.log_chunk(chunk, out),
            Input::Loaded { ticket, loaded } => self.loaded(ticket, loaded, out),
            Input::Resolved { ticket, keys } => self.resolved(ticket, keys, out),
            Input::Begun(batch) => self.begun(batch, out),
            Input::Answered { batch, answer } => self.answered(batch, answer, out),
            Input::Committed { ticket, done } => self.committed(ticket, done, out),
            Input::Read { ticket, rows } | Input::Found { ticket, rows } => self.read(ticket, rows, out),
            Input::DueQuestions(keys) => self.questions_due(keys, out),
            Input::Lengths(lengths) => self.lengths(lengths, out),
            Input::Lost(reason) => self.lost(reason, out),
            Input::Granted => self.granted(out),
            Input::Events(batch) => self.events(batch, out),
            Input::CursorLost => out.push(Effect::Note(Note::CursorLost)),
            Input::Wake => self.reading.wake(),
            Input::Tick => {}
            Input::Drain => self.draining = true,
            Input::Pause => self.paused = true,
            Input::Resume => {
                self.paused = false;
                self.breaker.probe_now();
                self.held_objects.clear();
            }
        }
        if self.fence.is_some() {
            self.pump(out);
            if !sends {
                self.cut_ahead(out);
            }
        }
    }

    /// Everything that may go on without being asked, in a fixed order.
    fn pump(&mut self, out: &mut Vec<Effect>) {
        for key in self.table.release(self.now) {
            self.place(&key);
        }
        self.held_objects.retain(|_, until| *until > self.now);
        self.flush_drops(out);
        self.read_on(out);
        self.compact(out);
        self.read_numbers(out);
        self.inbound_on(out);
        self.look_for_questions(out);
        self.link_on(out);
        self.look_on(out);
        self.take_back(out);
        self.want_workers(out);
        self.tell_backpressure(out);
        self.table.evict(
            Table::IDLE_MAX.min(self.settings.table_records),
            self.reading.oldest_load(),
        );
        if self.draining && !self.drained && self.batches.batches.is_empty() && self.commits.is_empty() {
            self.drained = true;
            out.push(Effect::Drained);
        }
    }

    fn start(&mut self, out: &mut Vec<Effect>) {
        self.phase = Phase::Attaching;
        out.push(Effect::Attach);
    }

    /// Forgets this life. What was true is in Redis.
    fn lost(&mut self, reason: Lost, out: &mut Vec<Effect>) {
        if self.phase == Phase::Detached {
            return;
        }
        self.phase = Phase::Detached;
        self.fence = None;
        self.commits.clear();
        self.table = Table::default();
        self.reading = Reading::default();
        self.batches = Batches::default();
        self.drops = Drops::default();
        self.inbound = Inbound::default();
        self.matching = Matching::default();
        self.linking = Linking::default();
        self.errands = Errands::default();
        self.due_questions = DueQuestions::default();
        self.lifts.clear();
        self.to_lift.clear();
        self.told_behind = false;
        self.backpressure = "";
        let jitter = Duration::from_millis(self.dice % (RESTART_PAUSE.as_millis() as u64 + 1));
        let pause = match reason {
            Lost::Full => Duration::from_secs(1),
            Lost::Broken | Lost::Fenced | Lost::OldPartition(_) | Lost::Unexpected => RESTART_PAUSE,
        };
        out.push(Effect::Restart {
            pause: pause + jitter,
            reason,
        });
    }

    fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }

    /// Names the fence for the next mutating script and counts the step ahead.
    fn fence_step(&mut self) -> Option<Fence> {
        let fence = self.fence.as_mut()?;
        let named = fence.clone();
        fence.step += 1;
        Some(named)
    }

    /// Issues a fenced script.
    fn commit(&mut self, script: Script, mut commit: Commit, out: &mut Vec<Effect>) -> u64 {
        // Too many of one record: they follow. Should that fail, versions tell repeats as they do when a day has too many.
        let late = commit.seen.split_off(commit.seen.len().min(KEYS_MAX));
        let ticket = self.issue(script, commit, out);
        for keys in late.chunks(KEYS_MAX) {
            let keys = Commit {
                seen: keys.to_vec(),
                ..Commit::default()
            };
            self.issue(Script::Settle, keys, out);
        }
        ticket
    }

    fn issue(&mut self, script: Script, commit: Commit, out: &mut Vec<Effect>) -> u64 {
        let ticket = self.ticket();
        for (key, _) in &commit.rows {
            if let Some(record) = self.table.records.get_mut(key) {
                record.touched = ticket;
            }
        }
        self.remember_keys(&commit.seen);
        let tells = !commit.outbox.is_empty();
        let expected = commit.delete.len() as u64;
        if let Some(fence) = self.fence_step() {
            self.commits.insert(ticket, expected);
            out.push(Effect::Commit {
                ticket,
                fence,
                script,
                commit: Box::new(commit),
            });
            if tells {
                out.push(Effect::Forward);
            }
        }
        ticket
    }

    /// Issues what a step holds so far, where it is as much as one step may carry.
    fn when_full(&mut self, script: Script, commit: &mut Commit, out: &mut Vec<Effect>) {
        if commit.is_full() {
            let mut full = std::mem::take(commit);
            // The batch and its intent are done with when its last record is.
            commit.batch = full.batch.take();
            full.counters.events += i64::try_from(full.outbox.len()).unwrap_or(i64::MAX);
            self.commit(script, full, out);
        }
    }

    /// Issues a step of which the product is told.
    fn emit(&mut self, mut commit: Commit, out: &mut Vec<Effect>) {
        commit.counters.events += i64::try_from(commit.outbox.len()).unwrap_or(i64::MAX);
        self.commit(Script::Emit, commit, out);
    }

    fn committed(&mut self, ticket: u64, done: crate::engine::state::Committed, out: &mut Vec<Effect>) {
        let Some(expected) = self.commits.remove(&ticket) else {
            return;
        };
        if !done.refused_links.is_empty() {
            self.note_error(&Arc::from("already_linked"));
        }
        let missing = expected.saturating_sub(done.deleted);
        if missing > 0 {
            self.drops.counters.trimmed += i64::try_from(missing).unwrap_or(i64::MAX);
            out.push(Effect::Note(Note::Trimmed { entries: missing }));
        }
        self.inbound_committed(ticket, out);
    }

    fn note_error(&mut self, code: &Arc<str>) {
        if self.errors.len() >= ERRORS_KEPT {
            self.errors.pop_front();
        }
        self.errors.push_back(Arc::clone(code));
    }

    fn tell_backpressure(&mut self, out: &mut Vec<Effect>) {
        let held = self.table.entries_total();
        let most = self.settings.compact_after_entries;
        let level = if self.reading.blocked_by_bounds() && held >= most {
            "stop"
        } else if held * 2 >= most
            || self.table.pending_records * 2 >= self.settings.table_records
            || self.table.pending_bytes * 2 >= self.settings.table_bytes
        {
            "slow"
        } else {
            "ok"
        };
        if level != self.backpressure
            && let Some(fence) = self.fence.clone()
        {
            self.backpressure = level;
            out.push(Effect::Backpressure { fence, level });
        }
    }

    /// The tenant as operators see it.
    pub fn snapshot(&self) -> Snapshot {
        // One walk: a tenant with a long backlog posts this a few times a second.
        let (mut oldest, mut unknown, mut waiting_for_answer, mut waiting_for_parent) = (None, 0, 0, 0);
        for record in self.table.records.values() {
            let flight = record.flight.as_ref().map(|f| f.pending.fold.oldest);
            for time in record.pending.as_ref().map(|p| p.fold.oldest).into_iter().chain(flight) {
                oldest = Some(oldest.map_or(time, |known: Timestamp| known.min(time)));
            }
            unknown += usize::from(record.doubt.is_some());
            waiting_for_answer += usize::from(questions::asks_which(&record.row));
            waiting_for_parent += usize::from(record.orphan_since.is_some());
        }
        Snapshot {
            phase: self.shown_phase(),
            epoch: self.fence.as_ref().map_or(0, |f| f.epoch.0),
            pending_records: self.table.pending_records,
            pending_entries: self.table.entries_total(),
            in_flight: self.batches.records_in_flight(),
            unknown,
            waiting_for_answer,
            waiting_for_parent,
            dead: self.dead,
            open_questions: self.open_questions,
            oldest_ms: oldest.map(|t| t.0),
            caught_up: self.reading.caught_up(),
            last_errors: self.errors.iter().cloned().collect(),
            calls: self.calls,
            api_used: self.usage.map(|u| u.used),
            api_limit: self.usage.map(|u| u.limit),
            last_event_ms: self.last_event.map(|t| t.0),
            wake_at: self.wake_at(),
        }
    }

    /// Where the tenant stands, without the cost of a whole snapshot.
    pub fn shown_phase(&self) -> Phase {
        match self.phase {
            Phase::Live if self.draining => Phase::Draining,
            Phase::Live if self.paused => Phase::Paused,
            Phase::Live if self.unauthorised => Phase::AuthorisationNeeded,
            Phase::Live if self.breaker.is_open(self.now) => Phase::BackingOff,
            other => other,
        }
    }

    /// Whether anything is unsettled: an owner with work stays live.
    pub fn has_work(&self) -> bool {
        self.phase != Phase::Live
            || self.table.pending_records > 0
            || !self.batches.batches.is_empty()
            || !self.commits.is_empty()
            || self.inbound.is_busy()
            || self.errands.len() > 0
            || !self.linking.is_empty()
            || !self.reading.caught_up()
    }

    /// When something is due if no input comes.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let held = self.table.held.first_key_value().map(|((until, _), ())| *until);
        let objects = self.held_objects.values().min().copied();
        let freshness = self.next_due();
        let probe = self.breaker.wake_at().filter(|at| *at > self.now);
        [
            held,
            objects,
            freshness,
            probe,
            self.reading.check_at(),
            self.inbound.wake_at(),
            self.linking.due_at(),
            self.matching.due_at(self.settings.freshness),
            self.due_questions.look_at(),
            self.to_cut_ahead().map(|_| self.now),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

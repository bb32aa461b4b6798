//! The events of one org, in replay-id order, and who may still read which of them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arcstr::ArcStr;
use tokio::sync::watch;

use super::event::Event;
use super::look::Cursor;
use super::random::{self, Chance};
use super::refusal::Refusal;
use super::replay;
use super::schema::{self, EventSchema};
use crate::commit::Disturbance;
use crate::directory::EntitySchema;

/// How long events are kept (Pub/Sub API guide, "Event Message Durability").
pub(crate) const RETENTION: Duration = Duration::from_hours(72);
/// Schema versions that `GetSchema` knows of one org.
const SCHEMAS_KEPT: usize = 10_000;
/// Records whose key changed after an event, kept for enriched replays. Above it, replays show the key of commit time.
const KEY_CHANGES_KEPT: usize = 1_000_000;

/// The event log of one org.
pub(crate) struct OrgLog {
    /// 18-character org id.
    pub(crate) id: String,
    retained: usize,
    chance: Chance,
    state: Mutex<State>,
    changes: watch::Sender<()>,
}

/// What is behind the log's lock.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) events: VecDeque<Placed>,
    /// The newest id that was given away, to an event or to nothing.
    tip: u64,
    /// Ids up to here are no longer valid to start from.
    floor: u64,
    /// The newest id of an event that is gone.
    pub(crate) purged: u64,
    /// Newest commit time and when it came: together the org's clock.
    clock: Option<(i64, Instant)>,
    disturbance: Disturbance,
    /// How often streams were ended on purpose, and with what the last time.
    ended: u64,
    end_with: Option<Refusal>,
    schemas: HashMap<String, Arc<EventSchema>>,
    by_entity: HashMap<String, (u64, Arc<EventSchema>)>,
    pub(crate) keys: HashMap<ArcStr, Option<ArcStr>>,
    pub(crate) allowance: Option<u64>,
    pub(crate) delivered: u64,
}

/// An event in the log.
pub(crate) struct Placed {
    pub(crate) id: u64,
    commit_ms: i64,
    /// Subscribers see it from here on.
    pub(crate) visible: Instant,
    pub(crate) event: Arc<Event>,
}

impl OrgLog {
    pub(crate) fn new(id: &str, retained: usize, seed: u64) -> Self {
        let chance = Chance::new(id.bytes().fold(seed, |sum, byte| random::mix(sum ^ u64::from(byte))));
        // Live ids are in the millions; where an org starts says nothing.
        let base = 1_000_000 + chance.next() % 9_000_000;
        let state = State {
            tip: base,
            floor: base - 1,
            purged: base - 1,
            ..State::default()
        };
        Self {
            id: id.to_owned(),
            retained: retained.max(1),
            chance,
            state: Mutex::new(state),
            changes: watch::Sender::new(()),
        }
    }

    /// Wakes whenever there may be something new to find.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// How many Subscribe calls are open.
    pub(crate) fn subscribers(&self) -> usize {
        self.changes.receiver_count()
    }

    /// Adds the events of one commit of `changes` rows. Rows without event use up ids too: ids are not contiguous.
    pub(crate) fn append(
        &self,
        commit_ms: i64,
        changes: usize,
        events: Vec<Event>,
        key_changes: Vec<(ArcStr, Option<ArcStr>)>,
    ) {
        let now = Instant::now();
        let mut state = self.lock();
        if state.clock.is_none_or(|(newest, _)| newest <= commit_ms) {
            state.clock = Some((commit_ms, now));
        }
        for (record, key) in key_changes {
            if state.keys.len() < KEY_CHANGES_KEPT || state.keys.contains_key(&record) {
                state.keys.insert(record, key);
            }
        }
        let unseen = u64::from(events.is_empty() && changes > 0);
        state.tip += unseen;
        let delay = Duration::from_millis(state.disturbance.delay_ms);
        let swap_percent = state.disturbance.swap_percent;
        let mut first = None;
        for event in events {
            // Three of four ids follow each other directly.
            let roll = self.chance.next();
            state.tip += if roll.is_multiple_of(4) {
                2 + (roll >> 32) % 6
            } else {
                1
            };
            if self.chance.strikes(state.disturbance.drop_percent) {
                continue;
            }
            let event = Arc::new(event);
            if let Some(last) = state
                .events
                .back_mut()
                .filter(|last| first.is_some_and(|first| last.id >= first))
                && self.chance.strikes(swap_percent)
            {
                // It overtakes the one before it, of the same transaction: ids stay in order.
                let before = std::mem::replace(&mut last.event, event);
                state.push(commit_ms, now + delay, before);
                continue;
            }
            first.get_or_insert(state.tip);
            if self.chance.strikes(state.disturbance.duplicate_percent) {
                state.push(commit_ms, now + delay, Arc::clone(&event));
                state.tip += 1;
            }
            state.push(commit_ms, now + delay, event);
        }
        state.purge(self.retained, now);
        drop(state);
        self.changes.send_replace(());
    }

    /// Replaces the disturbance; expiry of replay ids happens now.
    pub(crate) fn disturb(&self, disturbance: Disturbance) {
        let mut state = self.lock();
        if let Some(point) = &disturbance.expire_replay_before {
            match replay::decode(point) {
                Some(point) => {
                    // Ids that are still to be given away stay good.
                    let point = point.min(state.tip + 1);
                    state.floor = state.floor.max(point.saturating_sub(1));
                    while state.events.front().is_some_and(|placed| placed.id < point) {
                        state.drop_oldest();
                    }
                }
                None => tracing::warn!(org = %self.id, "expire_replay_before is no replay id: ignored"),
            }
        }
        if let Some(allowance) = disturbance.allowance {
            state.allowance = allowance;
        }
        if let Some(refusal) = disturbance.end_streams.as_deref().and_then(Refusal::named) {
            state.ended += 1;
            state.end_with = Some(refusal);
        }
        state.disturbance = disturbance;
        drop(state);
        self.changes.send_replace(());
    }

    /// How often streams were ended on purpose, and with what.
    pub(crate) fn ended(&self) -> (u64, Refusal) {
        let state = self.lock();
        (state.ended, state.end_with.clone().unwrap_or(Refusal::Unavailable))
    }

    /// Whether streams stay open and say nothing.
    pub(crate) fn is_silent(&self) -> bool {
        self.lock().disturbance.silent
    }

    /// Whether as many streams as allowed are open, the one that asks among them.
    pub(crate) fn is_full(&self) -> bool {
        let most = self.lock().disturbance.max_clients;
        most.is_some_and(|most| self.subscribers() > most)
    }

    /// Whether the next change is to become a gap event; asked once an armed gap.
    pub(crate) fn take_gap(&self) -> bool {
        std::mem::take(&mut self.lock().disturbance.gap)
    }

    /// The event schema of an object that looks like `described` now.
    pub(crate) fn schema(&self, described: &EntitySchema) -> Arc<EventSchema> {
        let print = schema::fingerprint(described);
        let mut state = self.lock();
        if let Some((known, schema)) = state.by_entity.get(&described.name)
            && *known == print
        {
            return Arc::clone(schema);
        }
        let schema = Arc::new(EventSchema::new(&self.id, described));
        state
            .by_entity
            .insert(described.name.clone(), (print, Arc::clone(&schema)));
        if state.schemas.len() < SCHEMAS_KEPT {
            state.schemas.insert(schema.id.clone(), Arc::clone(&schema));
        } else {
            tracing::warn!(org = %self.id, "too many schema versions: GetSchema will not know the newest");
        }
        schema
    }

    /// The schema with this id, if it was ever in use.
    pub(crate) fn schema_by_id(&self, id: &str) -> Option<Arc<EventSchema>> {
        self.lock().schemas.get(id).cloned()
    }

    /// `Some(n)`: n more events may be delivered to all subscribers together; None: no limit.
    pub(crate) fn set_allowance(&self, allowance: Option<u64>) {
        self.lock().allowance = allowance;
        self.changes.send_replace(());
    }

    /// Events delivered to all subscribers together.
    pub(crate) fn delivered(&self) -> u64 {
        self.lock().delivered
    }

    /// Events delivered so far, and how many more may be.
    pub(crate) fn allocation(&self) -> (u64, Option<u64>) {
        let state = self.lock();
        (state.delivered, state.allowance)
    }

    /// The place after everything that is visible now.
    pub(crate) fn latest(&self) -> Cursor {
        Cursor::after(self.lock().visible_tip(Instant::now()))
    }

    /// The place before the oldest event kept.
    pub(crate) fn earliest(&self) -> Cursor {
        let mut state = self.lock();
        state.purge(self.retained, Instant::now());
        Cursor::after(state.purged.max(state.floor))
    }

    /// The place after `id`, or None when the id was never given away or is no longer kept.
    pub(crate) fn custom(&self, id: u64) -> Option<Cursor> {
        let mut state = self.lock();
        state.purge(self.retained, Instant::now());
        (id > state.floor && id <= state.tip).then(|| Cursor::after(id))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Puts an event at the tip.
    fn push(&mut self, commit_ms: i64, visible: Instant, event: Arc<Event>) {
        // An event never overtakes one before it, also when the delay was shortened.
        let visible = self.events.back().map_or(visible, |last| last.visible.max(visible));
        self.events.push_back(Placed {
            id: self.tip,
            commit_ms,
            visible,
            event,
        });
    }

    /// The newest id that a subscriber who saw everything visible may resume from.
    pub(crate) fn visible_tip(&self, now: Instant) -> u64 {
        let visible = self.events.partition_point(|placed| placed.visible <= now);
        self.events.get(visible).map_or(self.tip, |hidden| hidden.id - 1)
    }

    /// Drops what is too old or too much.
    fn purge(&mut self, retained: usize, now: Instant) {
        let limit = i64::try_from(RETENTION.as_millis()).unwrap_or(i64::MAX);
        let org_now = self.clock.map_or(i64::MIN, |(newest, came)| {
            let passed = i64::try_from(now.saturating_duration_since(came).as_millis()).unwrap_or(i64::MAX);
            newest.saturating_add(passed)
        });
        while self.events.len() > retained
            || self
                .events
                .front()
                .is_some_and(|oldest| oldest.commit_ms < org_now.saturating_sub(limit))
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(gone) = self.events.pop_front() {
            self.purged = gone.id;
            self.floor = self.floor.max(gone.id);
        }
    }
}

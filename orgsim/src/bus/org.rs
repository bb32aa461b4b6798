//! The events of one org, in replay-id order, and who may still read which of them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::watch;

use super::event::Event;
use super::random::{self, Chance};
use super::replay;
use super::schema::{self, EventSchema};
use super::topic::Topic;
use crate::commit::Disturbance;
use crate::directory::EntitySchema;

/// How long events are kept (Pub/Sub API guide, "Event Message Durability").
pub(crate) const RETENTION: Duration = Duration::from_hours(72);
/// Schema versions that `GetSchema` knows of one org.
const SCHEMAS_KEPT: usize = 10_000;
/// Records whose key changed after an event, kept for enriched replays. Above it, replays show the key of commit time.
const KEY_CHANGES_KEPT: usize = 1_000_000;
/// Events that one look at the log goes through before it lets others have the lock.
const LOOK: usize = 10_000;

/// The event log of one org.
pub(crate) struct OrgLog {
    /// 18-character org id.
    pub(crate) id: String,
    retained: usize,
    state: Mutex<State>,
    changes: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    events: VecDeque<Placed>,
    /// The newest id that was given away, to an event or to nothing.
    tip: u64,
    /// Ids up to here are no longer valid to start from.
    floor: u64,
    /// The newest id of an event that is gone.
    purged: u64,
    /// Newest commit time and when it came: together the org's clock.
    clock: Option<(i64, Instant)>,
    disturbance: Disturbance,
    schemas: HashMap<String, Arc<EventSchema>>,
    by_entity: HashMap<String, (u64, Arc<EventSchema>)>,
    keys: HashMap<Box<str>, Option<Box<str>>>,
    allowance: Option<u64>,
    delivered: u64,
}

/// An event in the log.
struct Placed {
    id: u64,
    commit_ms: i64,
    /// Subscribers see it from here on.
    visible: Instant,
    event: Arc<Event>,
}

/// A place in the log: everything up to `id` was read, and `partly` records of the merged event after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) id: u64,
    partly: usize,
}

impl Cursor {
    pub(crate) fn after(id: u64) -> Self {
        Self { id, partly: 0 }
    }
}

/// One event ready for a subscriber.
pub(crate) struct Delivery {
    pub(crate) replay: u64,
    pub(crate) schema: Arc<EventSchema>,
    pub(crate) payload: Bytes,
}

/// What a look at the log found.
pub(crate) enum Look {
    /// Events, and the place after them.
    Events(Vec<Delivery>, Cursor),
    /// Nothing for this subscriber up to the cursor; `again` when a delayed event becomes visible.
    Nothing { cursor: Cursor, again: Option<Instant> },
    /// Events between the cursor and the oldest one kept are gone.
    Lost,
    /// The org's delivery allowance is used up.
    Exhausted,
}

/// How much one look may bring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portion {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

impl OrgLog {
    pub(crate) fn new(id: &str, retained: usize, seed: u64) -> Self {
        // Live ids are in the millions; where an org starts says nothing.
        let base = 1_000_000
            + random::mix(seed ^ id.bytes().fold(0, |sum, byte| random::mix(sum ^ u64::from(byte)))) % 9_000_000;
        let state = State {
            tip: base,
            floor: base - 1,
            purged: base - 1,
            ..State::default()
        };
        Self {
            id: id.to_owned(),
            retained: retained.max(1),
            state: Mutex::new(state),
            changes: watch::Sender::new(()),
        }
    }

    /// Wakes whenever there may be something new to find.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Adds the events of one commit of `changes` rows. Rows without event use up ids too: ids are not contiguous.
    pub(crate) fn append(
        &self,
        commit_ms: i64,
        changes: usize,
        events: Vec<Event>,
        key_changes: Vec<(Box<str>, Option<Box<str>>)>,
        chance: &Chance,
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
        for event in events {
            // Three of four ids follow each other directly.
            let roll = chance.next();
            state.tip += if roll.is_multiple_of(4) {
                2 + (roll >> 32) % 6
            } else {
                1
            };
            if chance.strikes(state.disturbance.drop_percent) {
                continue;
            }
            let id = state.tip;
            // An event never overtakes one before it, also when the delay was shortened.
            let visible = state.events.back().map_or(now, |last| last.visible).max(now + delay);
            state.events.push_back(Placed {
                id,
                commit_ms,
                visible,
                event: Arc::new(event),
            });
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
        state.disturbance = disturbance;
        drop(state);
        self.changes.send_replace(());
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

    /// The next events of `topic` after `cursor`.
    pub(crate) fn look(&self, topic: &Topic, mut cursor: Cursor, portion: Portion) -> Look {
        loop {
            match self.glance(topic, cursor, portion) {
                Ok(look) => return look,
                Err(further) => cursor = further,
            }
        }
    }

    /// Goes through at most `LOOK` events; Err is the place to go on from.
    fn glance(&self, topic: &Topic, cursor: Cursor, portion: Portion) -> Result<Look, Cursor> {
        let now = Instant::now();
        let mut state = self.lock();
        if state.allowance == Some(0) {
            return Ok(Look::Exhausted);
        }
        if cursor.id < state.purged {
            return Ok(Look::Lost);
        }
        let allowed = state
            .allowance
            .map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let most = portion.events.min(allowed);
        let mut found = Found {
            deliveries: Vec::new(),
            bytes: 0,
            cursor,
        };
        let first = state.events.partition_point(|placed| placed.id <= cursor.id);
        let mut again = None;
        let mut seen = 0;
        for placed in state.events.range(first..) {
            if placed.visible > now {
                again = Some(placed.visible);
                break;
            }
            if seen == LOOK {
                break;
            }
            seen += 1;
            if topic.selects(&placed.event.schema.entity)
                && !found.take(placed, topic, &state.keys, most, portion.bytes)
            {
                break;
            }
            found.cursor = Cursor::after(placed.id);
            if found.deliveries.len() >= most {
                break;
            }
        }
        if !found.deliveries.is_empty() {
            let count = found.deliveries.len() as u64;
            state.delivered += count;
            if let Some(left) = &mut state.allowance {
                *left = left.saturating_sub(count);
            }
            return Ok(Look::Events(found.deliveries, found.cursor));
        }
        if seen == LOOK {
            return Err(found.cursor);
        }
        // All that is visible was looked at: ids given to nothing are passed too.
        let id = found.cursor.id.max(state.visible_tip(now));
        Ok(Look::Nothing {
            cursor: Cursor::after(id),
            again,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a look has gathered so far.
struct Found {
    deliveries: Vec<Delivery>,
    bytes: usize,
    cursor: Cursor,
}

impl Found {
    /// Takes what fits of one event; false when records of it are left.
    fn take(
        &mut self,
        placed: &Placed,
        topic: &Topic,
        keys: &HashMap<Box<str>, Option<Box<str>>>,
        most: usize,
        bytes: usize,
    ) -> bool {
        let event = &placed.event;
        let parts = if *topic == Topic::Enriched {
            event.records().len()
        } else {
            1
        };
        let mut part = self.cursor.partly;
        while part < parts {
            let payload = if *topic == Topic::Enriched {
                let current = event
                    .records()
                    .get(part)
                    .and_then(|record| keys.get(record))
                    .map(Option::as_deref);
                event.enriched(part, current).unwrap_or_else(|| event.payload.clone())
            } else {
                event.payload.clone()
            };
            let full = self.deliveries.len() >= most || self.bytes + payload.len() > bytes;
            // A single event always fits.
            if full && !self.deliveries.is_empty() {
                self.cursor.partly = part;
                return false;
            }
            self.bytes += payload.len();
            self.deliveries.push(Delivery {
                replay: placed.id,
                schema: Arc::clone(&event.schema),
                payload,
            });
            part += 1;
        }
        self.cursor.partly = 0;
        true
    }
}

impl State {
    /// The newest id that a subscriber who saw everything visible may resume from.
    fn visible_tip(&self, now: Instant) -> u64 {
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

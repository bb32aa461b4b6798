//! A subscriber's look at an org's log: what comes next for it, and how far it has read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use arcstr::ArcStr;
use bytes::Bytes;

use super::org::{OrgLog, Placed};
use super::schema::EventSchema;
use super::topic::Topic;
use crate::directory::Directory;

/// Events that one look goes through before it lets others have the log's lock.
const STRETCH: usize = 10_000;

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

/// What a subscriber may be told.
pub(crate) struct Sight<'d> {
    pub(crate) directory: &'d dyn Directory,
    pub(crate) org_id: &'d str,
    /// None where the directory knows no users.
    pub(crate) user: Option<&'d str>,
}

impl Sight<'_> {
    fn may(&self, entity: &str) -> bool {
        self.user
            .is_none_or(|user| self.directory.may_receive(self.org_id, user, entity))
    }

    fn hidden(&self, entity: &str) -> Vec<usize> {
        self.user
            .map(|user| self.directory.hidden(self.org_id, user, entity))
            .unwrap_or_default()
    }
}

impl OrgLog {
    /// The next events of `topic` after `cursor`.
    pub(crate) fn look(&self, topic: &Topic, sight: &Sight<'_>, mut cursor: Cursor, portion: Portion) -> Look {
        loop {
            match self.glance(topic, sight, cursor, portion) {
                Ok(look) => return look,
                Err(further) => cursor = further,
            }
        }
    }

    /// Goes through at most `STRETCH` events; Err is the place to go on from.
    fn glance(&self, topic: &Topic, sight: &Sight<'_>, cursor: Cursor, portion: Portion) -> Result<Look, Cursor> {
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
            if seen == STRETCH {
                break;
            }
            seen += 1;
            if topic.selects(&placed.event)
                && sight.may(&placed.event.schema.entity)
                && !found.take(placed, topic, sight, &state.keys, (most, portion.bytes))
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
        if seen == STRETCH {
            return Err(found.cursor);
        }
        // All that is visible was looked at: ids given to nothing are passed too.
        let id = found.cursor.id.max(state.visible_tip(now));
        Ok(Look::Nothing {
            cursor: Cursor::after(id),
            again,
        })
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
        sight: &Sight<'_>,
        keys: &HashMap<ArcStr, Option<ArcStr>>,
        (most, bytes): (usize, usize),
    ) -> bool {
        let event = &placed.event;
        let hidden = sight.hidden(&event.schema.entity);
        let parts = if topic.is_enriched() { event.records().len() } else { 1 };
        let mut part = self.cursor.partly;
        while part < parts {
            let payload = if topic.is_enriched() {
                let current = event
                    .records()
                    .get(part)
                    .and_then(|record| keys.get(record))
                    .map(Option::as_deref);
                event
                    .enriched(part, current, &hidden)
                    .unwrap_or_else(|| event.payload(&hidden))
            } else {
                event.payload(&hidden)
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

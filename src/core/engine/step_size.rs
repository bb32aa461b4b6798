//! How much one fenced step may carry: a long script holds Redis up for everybody.
//!
//! A step that is full is issued, and what comes after goes into the next one. What belongs to one record is never parted:
//! its row, its events, its place in the index and its log entries move together (C3, C5, C10).

use super::commit::Commit;
use crate::domain::event::Event;

/// Values that one step may carry in all: names and values of entries, rows, ids, keys.
pub const VALUES_MAX: usize = 7_000;
/// Values, idempotency keys aside, from which a step is full: the last record may bring some hundred more.
pub const FULL: usize = 4_800;
/// Idempotency keys of one step, two values each.
pub const KEYS_MAX: usize = 800;

/// A field and its value, and where a bucket has but one of them: its place, its key, and the count.
pub const IN_BUCKET: usize = 5;
/// An entry of the engine's own has six names with values at most, and their count.
const OWN_ENTRY: usize = 13;

/// The most that an event's entry takes: a count, and names with values.
pub fn of_event(event: &Event) -> usize {
    let record = event.record.as_ref().map_or(0, |_| 3);
    let optional = [
        event.salesforce_id.is_some(),
        event.data.is_some(),
        event.detail.is_some(),
        event.traceparent.is_some(),
        !event.says.is_empty(),
    ];
    let named = optional.into_iter().filter(|there| *there).count();
    1 + 2 * (2 + record + named)
}

impl Commit {
    /// Whether the next record's part should go into another step.
    pub fn is_full(&self) -> bool {
        self.seen.len() >= KEYS_MAX || self.size() >= FULL
    }

    /// The most values that the step has, idempotency keys aside.
    pub fn size(&self) -> usize {
        let events: usize = self.outbox.iter().map(of_event).sum();
        let bucketed = self.rows.len() + self.rows_remove.len() + self.links.len() + self.unlinks.len();
        let pairs = self.compacted_put.len() + self.dead_put.len() + self.questions.len() + self.cursors.len();
        let names = self.compacted_remove.len() + self.dead_remove.len() + self.questions_remove.len();
        events
            + bucketed * IN_BUCKET
            + pairs * 2
            + names
            + self.append.len() * OWN_ENTRY
            + self.intents_done.len()
            + self.delete.len() / 100
    }
}

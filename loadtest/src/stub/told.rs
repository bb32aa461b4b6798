//! What an org has to tell on its change stream: everything since its beginning, as numbers.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// Why an event is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The engine made the record, with this sequence.
    Create(u64),
    /// The engine wrote it, with this sequence.
    Update(u64),
    /// A person edited one field.
    Edit,
}

/// One event: its values follow from record and round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) number: u32,
    pub(super) round: u8,
    pub(super) kind: Kind,
}

/// The events of one org. The first has replay id 1.
#[derive(Debug)]
pub(super) struct Told {
    changes: Mutex<Vec<Change>>,
    /// How many there are.
    length: watch::Sender<usize>,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            changes: Mutex::default(),
            length: watch::Sender::new(0),
        }
    }
}

impl Told {
    /// Appends events and wakes who listens.
    pub(super) fn push(&self, more: impl IntoIterator<Item = Change>) {
        let length = {
            let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            changes.extend(more);
            changes.len()
        };
        // Two calls at once may come here in the other order.
        self.length.send_if_modified(|known| {
            let grown = length > *known;
            *known = length.max(*known);
            grown
        });
    }

    /// Tells of growth.
    pub(super) fn listen(&self) -> watch::Receiver<usize> {
        self.length.subscribe()
    }

    /// Events after the first `from`, at most `most`.
    pub(super) fn after(&self, from: usize, most: usize) -> Vec<Change> {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = changes.get(from..).unwrap_or_default();
        rest.get(..most.min(rest.len())).unwrap_or_default().to_vec()
    }
}

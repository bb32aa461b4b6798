//! What was committed to each row, for oracles.

use std::collections::VecDeque;
use std::sync::Arc;

use super::cell::Cell;
use crate::commit::ChangeKind;

/// Most entries kept of one row; older ones are forgotten.
const MAX_ENTRIES: usize = 1_000;

/// One committed change of one row.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Commit time in milliseconds since 1970.
    pub commit_ms: i64,
    /// The transaction's number.
    pub commit_number: i64,
    /// 18-character id of the user.
    pub user: Arc<str>,
    /// Change origin of the transaction.
    pub origin: Arc<str>,
    /// What happened.
    pub kind: ChangeKind,
    /// Place and new value of each changed field; for a create all that are not null.
    pub changed: Vec<(u16, Cell)>,
}

/// The newest entries of one row, in commit order.
#[derive(Debug, Default)]
pub(super) struct History {
    entries: VecDeque<Entry>,
}

impl History {
    pub(super) fn add(&mut self, entry: Entry) {
        if self.entries.len() >= MAX_ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}

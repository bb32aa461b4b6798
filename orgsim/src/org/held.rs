//! Several transactions that become one: what a composite call or a graph does all of or none of.

use std::sync::Arc;

use super::organisation::{Caller, Org, RecordRef};
use super::row::Row;
use super::transaction::Transaction;
use crate::commit::ChangeKind;

/// Changes that are in the tables and told to nobody yet, oldest first, each with the row as it was before it.
#[derive(Debug, Default)]
pub(super) struct Held(Vec<(RecordRef, ChangeKind, Option<Arc<Row>>)>);

impl Held {
    /// Adds a change.
    pub(super) fn add(&mut self, record: RecordRef, kind: ChangeKind, before: Option<Arc<Row>>) {
        self.0.push((record, kind, before));
    }
}

impl Org {
    /// From now on transactions only seem to commit, until [`Org::keep_held`] or [`Org::undo_held`].
    pub fn hold(&mut self) {
        self.held = Some(Held::default());
    }

    /// Commits what was held as one transaction; `now` in seconds since 1970.
    pub fn keep_held(&mut self, caller: &Caller, now: i64) {
        let Some(Held(changes)) = self.held.take() else {
            return;
        };
        let mut tx = Transaction::begin(self, caller, now);
        for (record, kind, before) in changes {
            tx.adopt(record, kind, before);
        }
        tx.commit();
    }

    /// Takes back what was held.
    pub fn undo_held(&mut self) {
        let Some(Held(changes)) = self.held.take() else {
            return;
        };
        for (record, _, before) in changes.into_iter().rev() {
            self.tables[record.sobject].put(record.slot, before);
        }
    }
}

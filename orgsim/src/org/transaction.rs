//! One transaction: all of its changes are committed and told, or none.

use std::collections::HashMap;
use std::sync::Arc;

use arcstr::ArcStr;

use super::cell::Cell;
use super::history::{Entry, Stamp};
use super::organisation::{Caller, Org, RecordRef};
use super::row::Row;
use crate::commit::{ChangeKind, Commit, RowChange};
use crate::schema::{Sobject, column};

struct Change {
    record: RecordRef,
    kind: ChangeKind,
    before: Option<Arc<Row>>,
}

/// A transaction in progress. Dropping it without [`Transaction::commit`] rolls it back.
pub struct Transaction<'o> {
    pub(super) org: &'o mut Org,
    pub(super) caller: &'o Caller,
    /// Seconds since 1970.
    pub(super) now: i64,
    changes: Vec<Change>,
    by_record: HashMap<RecordRef, usize>,
}

impl<'o> Transaction<'o> {
    /// Starts one; `now` in seconds since 1970.
    pub fn begin(org: &'o mut Org, caller: &'o Caller, now: i64) -> Self {
        Self {
            org,
            caller,
            now,
            changes: Vec::new(),
            by_record: HashMap::new(),
        }
    }

    /// Replaces a row, remembering how it was before the transaction.
    pub(super) fn put(&mut self, record: RecordRef, kind: ChangeKind, row: Row) {
        let before = self.org.tables[record.sobject].put(record.slot, Some(Arc::new(row)));
        self.adopt(record, kind, before);
    }

    /// A row as the transaction has it by now.
    #[must_use]
    pub fn row(&self, record: RecordRef) -> Option<&Arc<Row>> {
        self.org.row(record)
    }

    /// Takes a change in that was made before, with the row as it was then.
    pub(super) fn adopt(&mut self, record: RecordRef, kind: ChangeKind, before: Option<Arc<Row>>) {
        let next = self.changes.len();
        self.by_record.entry(record).or_insert_with(|| {
            self.changes.push(Change { record, kind, before });
            next
        });
    }

    /// Puts a row that is shared with somebody.
    pub(super) fn put_shared(&mut self, record: RecordRef, kind: ChangeKind, row: Arc<Row>) {
        let before = self.org.tables[record.sobject].put(record.slot, Some(row));
        self.adopt(record, kind, before);
    }

    /// The rows changed so far, oldest first, and how.
    pub(super) fn changed_kinds(&self) -> Vec<(RecordRef, ChangeKind)> {
        self.changes.iter().map(|change| (change.record, change.kind)).collect()
    }

    /// The rows changed so far, oldest first, each as it was before.
    pub(super) fn changed(&self) -> Vec<(RecordRef, Option<Arc<Row>>)> {
        self.changes
            .iter()
            .map(|change| (change.record, change.before.clone()))
            .collect()
    }

    /// Makes the changes permanent, adds them to the histories and hands them to the bus.
    pub fn commit(self) {
        self.settle(true);
    }

    /// As [`Self::commit`], but no change event tells of it: as if it had been done before anybody captured changes.
    pub fn commit_untold(self) {
        self.settle(false);
    }

    fn settle(mut self, tell: bool) {
        self.roll_up();
        self.hold_locks();
        let changes = std::mem::take(&mut self.changes);
        if changes.is_empty() {
            return;
        }
        let org = &mut *self.org;
        if let Some(held) = &mut org.held {
            for change in changes {
                held.add(change.record, change.kind, change.before);
            }
            return;
        }
        // Live numbers grow with gaps; the seed keeps them the same each time.
        org.last_commit += 3;
        let commit_ms = self.now * 1_000;
        let schema = Arc::clone(&org.schema);
        let stamp = Arc::new(Stamp {
            commit_ms,
            commit_number: org.last_commit,
            user: self.caller.user.as_str().into(),
            origin: Arc::clone(&self.caller.origin),
        });
        let mut told = Vec::new();
        for change in changes {
            let sobject = &schema.sobjects[change.record.sobject];
            let Some(after) = org.row(change.record).cloned() else {
                continue;
            };
            let vanished = change.before.is_none() && after.is_deleted();
            if vanished {
                continue;
            }
            let entry = Entry::of(&stamp, change.kind, change.before.as_deref(), &after);
            let key = sobject.fence.map(|(key, _)| &after.cells[key]);
            org.tables[change.record.sobject].remember(change.record.slot, key, entry);
            if tell && sobject.captured {
                told.push(row_change(sobject, change, after));
            }
        }
        if told.is_empty() {
            return;
        }
        let commit = Commit {
            org_id: org.identity.org_id.clone(),
            transaction_key: org.uuids.uuid(),
            commit_ms,
            commit_number: org.last_commit,
            commit_user: self.caller.user.to_string(),
            change_origin: self.caller.origin.to_string(),
            changes: told,
        };
        org.sink.publish(commit);
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        for change in self.changes.drain(..).rev() {
            self.org.tables[change.record.sobject].put(change.record.slot, change.before);
        }
    }
}

fn row_change(sobject: &Sobject, change: Change, after: Arc<Row>) -> RowChange {
    let id = match &after.cells[column::ID] {
        Cell::Text(id) => id.clone(),
        _ => ArcStr::new(),
    };
    RowChange {
        entity: Arc::clone(&sobject.name),
        id,
        kind: change.kind,
        before: change.before.filter(|_| change.kind != ChangeKind::Create),
        after: (change.kind != ChangeKind::Delete).then_some(after),
    }
}

//! Transactions that take their stamps now and commit later, and the rows that parallel writers have locked.
//!
//! A stamp is set before the commit: readers see such rows minutes later, behind their cursors (contract: airbyte#27146).
//! While a transaction is open the tables show the rows as they were; other writers of them, and of unique values that it
//! holds, meet `UNABLE_TO_LOCK_ROW`.

use std::collections::HashMap;
use std::sync::Arc;

use super::cell::Cell;
use super::error::{RowError, code};
use super::organisation::{Caller, Org, RecordRef};
use super::row::Row;
use super::transaction::Transaction;
use crate::commit::ChangeKind;
use crate::faults::LOCKED;
use crate::schema::Schema;

/// Most transactions that are open at once.
const MAX_OPEN: usize = 1_000;

/// One open transaction.
#[derive(Debug)]
pub(super) struct Open {
    /// When it began, seconds since 1970, and when it commits, milliseconds.
    began: i64,
    due_ms: i64,
    caller: Caller,
    /// Each row as it will be.
    changes: Vec<(RecordRef, ChangeKind, Arc<Row>)>,
}

/// Rows that are locked.
#[derive(Debug, Default)]
pub(super) struct Locks {
    /// Transactions that commit later.
    open: Vec<Open>,
    /// Rows that a request wrote which is still in work, by the request's number.
    held: HashMap<RecordRef, u64>,
}

impl Locks {
    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.held.is_empty()
    }

    /// Whether somebody else than this request has the row.
    fn has(&self, record: RecordRef, request: u64) -> bool {
        self.held.get(&record).is_some_and(|holder| *holder != request)
            || self
                .open
                .iter()
                .any(|open| open.changes.iter().any(|(r, ..)| *r == record))
    }
}

impl Org {
    /// When the oldest open transaction began, seconds since 1970: nothing is certain about what came after it [V:D-POLL].
    #[must_use]
    pub fn oldest_open(&self) -> Option<i64> {
        self.locks.open.iter().map(|open| open.began).min()
    }

    /// Commits the open transactions whose time has come, the oldest first; their events get their place now.
    pub fn commit_due(&mut self, now_ms: i64) {
        while let Some(at) = self.locks.open.iter().position(|open| open.due_ms <= now_ms) {
            let open = self.locks.open.remove(at);
            let caller = open.caller;
            let mut tx = Transaction::begin(self, &caller, open.due_ms.div_euclid(1_000));
            for (record, kind, row) in open.changes {
                tx.put_shared(record, kind, row);
            }
            tx.commit();
        }
    }

    /// Lets go of the rows that a request has locked.
    pub(crate) fn release(&mut self, request: u64) {
        self.locks.held.retain(|_, holder| *holder != request);
    }
}

impl Transaction<'_> {
    /// Leaves the transaction open until `due_ms` (milliseconds since 1970).
    ///
    /// # Errors
    /// When too many are open; nothing is written then.
    pub fn commit_late(mut self, due_ms: i64) -> Result<(), RowError> {
        if self.org.locks.open.len() >= MAX_OPEN {
            return Err(RowError::new(
                code::LIMIT,
                format!("at most {MAX_OPEN} transactions are open at once"),
            ));
        }
        self.roll_up();
        let changes: Vec<(RecordRef, ChangeKind)> = self.changed_kinds();
        let rows = changes
            .iter()
            .filter_map(|(record, kind)| Some((*record, *kind, self.row(*record)?.clone())));
        let open = Open {
            began: self.now,
            due_ms,
            caller: self.caller.clone(),
            changes: rows.collect(),
        };
        self.org.locks.open.push(open);
        // Dropping it takes the rows back.
        drop(self);
        Ok(())
    }

    /// Refuses a row that somebody else has locked, or whose master or account is.
    pub(super) fn check_locks(
        &self,
        schema: &Schema,
        record: RecordRef,
        cells: &(impl std::ops::Index<usize, Output = Cell> + ?Sized),
    ) -> Result<(), RowError> {
        if self.org.locks.is_empty() {
            return Ok(());
        }
        let request = self.caller.manner.request;
        let mut wanted = vec![record];
        wanted.extend(self.locked_parents(schema, record.sobject, cells));
        match wanted.iter().find(|wanted| self.org.locks.has(**wanted, request)) {
            None => Ok(()),
            Some(taken) => {
                let id = self.row(*taken).map_or("", |row| row.id());
                Err(RowError::new(code::LOCK, format!("{LOCKED}: {id}")))
            }
        }
    }

    /// Refuses a unique value that an open transaction has for itself.
    pub(super) fn check_open_values(&self, schema: &Schema, sobject: usize, cells: &[Cell]) -> Result<(), RowError> {
        let rows = self
            .org
            .locks
            .open
            .iter()
            .flat_map(|open| &open.changes)
            .filter(|(r, ..)| r.sobject == sobject);
        for (_, _, row) in rows {
            for (place, _) in schema.sobjects[sobject]
                .fields
                .iter()
                .enumerate()
                .filter(|(_, f)| f.unique)
            {
                if row.cells[place].compare(&cells[place]) == Some(std::cmp::Ordering::Equal) {
                    return Err(RowError::new(code::LOCK, format!("{LOCKED}: ")));
                }
            }
        }
        Ok(())
    }

    /// The rows that a write locks besides its own: masters, and the account [V:I-jsforce-1018; which lookups, from memory].
    fn locked_parents(
        &self,
        schema: &Schema,
        sobject: usize,
        cells: &(impl std::ops::Index<usize, Output = Cell> + ?Sized),
    ) -> Vec<RecordRef> {
        let fields = schema.sobjects[sobject].fields.iter().enumerate();
        let locking = fields.filter(|(_, f)| f.master || &*f.name == "AccountId");
        locking
            .filter_map(|(place, _)| self.org.locate(cells[place].as_text()?))
            .collect()
    }

    /// Keeps the rows of this transaction, and their masters and accounts, locked until the request has ended.
    pub(super) fn hold_locks(&mut self) {
        let request = self.caller.manner.request;
        if request == 0 {
            return;
        }
        let schema = Arc::clone(&self.org.schema);
        for (record, _) in self.changed_kinds() {
            let parents = self
                .row(record)
                .map(|row| self.locked_parents(&schema, record.sobject, &row.cells));
            for locked in parents.into_iter().flatten().chain([record]) {
                self.org.locks.held.insert(locked, request);
            }
        }
    }
}

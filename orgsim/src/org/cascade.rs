//! Deleting and undeleting: children go to the recycle bin with their parent and come back with it.

use std::collections::HashSet;

use super::cell::Cell;
use super::error::{RowError, code};
use super::organisation::RecordRef;
use super::row::Row;
use super::transaction::Transaction;
use super::write::allowed;
use crate::commit::ChangeKind;
use crate::schema::column;

impl Transaction<'_> {
    /// Sends a row and the children that the describe says follow it to the recycle bin.
    ///
    /// # Errors
    /// `ENTITY_IS_DELETED` when it is there already.
    pub fn delete(&mut self, record: RecordRef) -> Result<(), RowError> {
        let row = self.org.row(record).ok_or_else(RowError::cross_reference)?;
        if row.is_deleted() {
            return Err(RowError::deleted());
        }
        if !self.org.schema.sobjects[record.sobject].writable {
            return Err(RowError::new(
                code::CROSS_REFERENCE_ACCESS,
                "insufficient access rights on cross-reference id",
            ));
        }
        let schema = std::sync::Arc::clone(&self.org.schema);
        allowed(!schema.sobjects[record.sobject].denied.delete)?;
        self.run_delete_rules(&schema, record, &row.cells)?;
        self.check_locks(&schema, record, &row.cells)?;
        let (mut family, mut seen) = (vec![record], HashSet::from([record]));
        let mut next = 0;
        while let Some(parent) = family.get(next).copied() {
            next += 1;
            for child in self.children(parent, true) {
                if seen.insert(child) {
                    family.push(child);
                }
            }
        }
        for member in &family[1..] {
            if let Some(row) = self.org.row(*member) {
                self.check_locks(&schema, *member, &row.cells)?;
            }
        }
        for member in &family {
            self.mark(*member, ChangeKind::Delete, true);
        }
        self.org.went_with.insert(record, family.split_off(1));
        Ok(())
    }

    /// Brings a row and what went with it back from the recycle bin.
    ///
    /// # Errors
    /// `UNDELETE_FAILED` when it is not there, `DUPLICATE_VALUE` when another row took its unique value meanwhile.
    pub fn undelete(&mut self, record: RecordRef) -> Result<(), RowError> {
        let row = self.org.row(record).ok_or_else(RowError::cross_reference)?.clone();
        if !row.is_deleted() {
            return Err(RowError::new(code::UNDELETE, "entity is not in the recycle bin"));
        }
        self.check_unique(record, &row.cells)?;
        self.mark(record, ChangeKind::Undelete, false);
        for child in self.org.went_with.remove(&record).unwrap_or_default() {
            let Some(row) = self.org.row(child).cloned() else {
                continue;
            };
            if row.is_deleted() && self.check_unique(child, &row.cells).is_ok() {
                self.mark(child, ChangeKind::Undelete, false);
            }
        }
        Ok(())
    }

    /// Live rows that name this one as their parent.
    fn children(&self, parent: RecordRef, cascading: bool) -> Vec<RecordRef> {
        let Some(row) = self.org.row(parent) else {
            return Vec::new();
        };
        let name = &self.org.schema.sobjects[parent.sobject].name;
        let mut children = Vec::new();
        for (sobject, field, cascade) in self.org.schema.children(name) {
            if cascade == cascading {
                let slots = self.org.tables[sobject].find(field, row.id()).unwrap_or_default();
                children.extend(slots.iter().map(|slot| RecordRef { sobject, slot: *slot }));
            }
        }
        children
    }

    /// Moves a row into or out of the recycle bin, with fresh stamps.
    fn mark(&mut self, record: RecordRef, kind: ChangeKind, deleted: bool) {
        self.mark_with(record, kind, deleted, None);
    }

    /// The same with one more value.
    pub(super) fn mark_with(
        &mut self,
        record: RecordRef,
        kind: ChangeKind,
        deleted: bool,
        value: Option<(usize, Cell)>,
    ) {
        let Some(row) = self.org.row(record) else { return };
        let fields = self.org.schema.sobjects[record.sobject].fields.len();
        let mut cells = row.cells.unpack(fields);
        cells[column::IS_DELETED] = Cell::Bool(deleted);
        if let Some((place, value)) = value {
            cells[place] = value;
        }
        if deleted {
            self.org.bin.push_back((self.now, record));
        }
        self.stamp(&mut cells);
        self.put(record, kind, Row::of(&cells));
    }

    /// Sets who changed the row and when.
    pub(super) fn stamp(&self, cells: &mut [Cell]) {
        cells[column::MODIFIED_DATE] = Cell::Instant(self.now);
        cells[column::MODSTAMP] = Cell::Instant(self.now);
        cells[column::MODIFIED_BY] = Cell::Text(self.caller.user.clone());
    }
}

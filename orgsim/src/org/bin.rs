//! The recycle bin: rows leave it for good after fifteen days, or when somebody empties it.

use super::error::RowError;
use super::organisation::{Org, RecordRef};
use crate::org::Cell;
use crate::schema::column;

/// Seconds that a row stays in the recycle bin [from memory].
const STAY: i64 = 15 * 86_400;
/// Most rows that one look takes out: the rest waits for the next.
const ROWS_A_LOOK: usize = 10_000;

impl Org {
    /// Takes out what lies in the bin for too long; `now` in seconds since 1970.
    pub(crate) fn expire_bin(&mut self, now: i64) {
        for _ in 0..ROWS_A_LOOK {
            match self.bin.front() {
                Some((at, _)) if at + STAY <= now => {}
                _ => return,
            }
            let Some((at, record)) = self.bin.pop_front() else {
                return;
            };
            // It may have come back, and gone again, meanwhile.
            let lies = self
                .row(record)
                .is_some_and(|row| row.is_deleted() && row.cells[column::MODSTAMP] == Cell::Instant(at));
            if lies {
                self.purge(record, at);
            }
        }
    }

    /// Takes a row out of the bin for good, and what went with it; `now` in seconds since 1970.
    ///
    /// # Errors
    /// `INVALID_CROSS_REFERENCE_KEY` when it does not lie there.
    pub fn empty_bin(&mut self, record: RecordRef, now: i64) -> Result<(), RowError> {
        if !self.row(record).is_some_and(|row| row.is_deleted()) {
            return Err(RowError::cross_reference());
        }
        self.purge(record, now);
        Ok(())
    }

    /// Fills the queue anew from the rows.
    pub(super) fn refill_bin(&mut self) {
        let mut bin: Vec<(i64, RecordRef)> = Vec::new();
        for (sobject, table) in self.tables.iter().enumerate() {
            for (slot, row) in table.filled().filter(|(_, row)| row.is_deleted()) {
                if let Cell::Instant(at) = row.cells[column::MODSTAMP] {
                    bin.push((at, RecordRef { sobject, slot }));
                }
            }
        }
        bin.sort_unstable();
        self.bin = bin.into();
    }
}

//! What the stub remembers of each record: its last sequence, its last round, and how often it was written.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One row of a call, as far as it was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// The record.
    pub(super) number: u32,
    /// The round that its values belong to.
    pub(super) round: u8,
    /// Its `Tandem_Seq__c`.
    pub(super) seq: u64,
}

/// What is remembered of one record.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    seq: u64,
    writes: u32,
    round: u8,
    alive: bool,
}

/// What the stub counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Data calls.
    pub calls: u64,
    /// Rows written.
    pub rows: u64,
    /// Rows that were not what their record should get: wrong values, a foreign or unknown record, a key or id twice
    /// in a call, a round that was written before, a sequence that did not rise.
    pub wrong: u64,
    /// Requests to the data API that the stub does not know.
    pub strange: u64,
}

/// What judging all records found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Records whose last write is not the expected one.
    pub missing: u64,
    /// Records written another number of times than expected.
    pub repeated: u64,
}

/// All tenants' records.
#[derive(Debug)]
pub(super) struct Ledger {
    tenants: Vec<Mutex<Vec<Kept>>>,
    calls: AtomicU64,
    rows: AtomicU64,
    wrong: AtomicU64,
    strange: AtomicU64,
}

impl Ledger {
    pub(super) fn new(tenants: usize, records: u32) -> Self {
        let room = vec![Kept::default(); records as usize];
        Self {
            tenants: (0..tenants).map(|_| Mutex::new(room.clone())).collect(),
            calls: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            wrong: AtomicU64::new(0),
            strange: AtomicU64::new(0),
        }
    }

    pub(super) fn tenants(&self) -> usize {
        self.tenants.len()
    }

    pub(super) fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            calls: read(&self.calls),
            rows: read(&self.rows),
            wrong: read(&self.wrong),
            strange: read(&self.strange),
        }
    }

    /// A data call came.
    pub(super) fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// A request came that is no data call known here.
    pub(super) fn strange(&self) {
        self.strange.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes the rows of one call; `None` stands for a row that was not understood or has wrong values. Tells for each
    /// whether it made its record.
    pub(super) fn write(&self, tenant: usize, rows: &[Option<Row>], creates: bool) -> Vec<bool> {
        self.rows.fetch_add(rows.len() as u64, Ordering::Relaxed);
        let Some(mut kept) = self.records(tenant) else {
            self.wrong.fetch_add(rows.len() as u64, Ordering::Relaxed);
            return vec![false; rows.len()];
        };
        let mut wrong = 0;
        let made = rows.iter().map(|row| {
            let Some((row, record)) = row.and_then(|row| Some((row, kept.get_mut(row.number as usize)?))) else {
                wrong += 1;
                return false;
            };
            let made = !record.alive;
            let newer = record.writes == 0 || row.round > record.round;
            // A second row of the same record in one call has the same round: it is found here as well.
            let right = made == creates && newer && row.seq > record.seq;
            wrong += u64::from(!right);
            *record = Kept {
                seq: row.seq.max(record.seq),
                writes: record.writes + 1,
                round: row.round.max(record.round),
                alive: true,
            };
            made
        });
        let made = made.collect();
        self.wrong.fetch_add(wrong, Ordering::Relaxed);
        made
    }

    /// Deletes the records of one call; tells for each whether it was there.
    pub(super) fn delete(&self, tenant: usize, numbers: &[Option<u32>]) -> Vec<bool> {
        self.rows.fetch_add(numbers.len() as u64, Ordering::Relaxed);
        let mut kept = self.records(tenant);
        let gone = numbers.iter().map(|number| {
            let record = kept
                .as_mut()
                .zip(*number)
                .and_then(|(kept, number)| kept.get_mut(number as usize));
            record.is_some_and(|record| std::mem::replace(&mut record.alive, false))
        });
        let gone: Vec<bool> = gone.collect();
        let wrong = gone.iter().filter(|gone| !**gone).count();
        self.wrong.fetch_add(wrong as u64, Ordering::Relaxed);
        gone
    }

    /// See [`super::Stub::judge`].
    pub(super) fn judge(&self, written: &[u32], round: u8, writes: u32) -> Verdict {
        let mut verdict = Verdict::default();
        for (tenant, expected) in written.iter().enumerate() {
            let Some(kept) = self.records(tenant) else { continue };
            for (number, record) in kept.iter().enumerate() {
                let (wanted, writes) = if number < *expected as usize {
                    (record.alive && record.round == round, writes)
                } else {
                    (!record.alive, 0)
                };
                verdict.missing += u64::from(!wanted);
                verdict.repeated += u64::from(record.writes > writes);
            }
        }
        verdict
    }

    fn records(&self, tenant: usize) -> Option<MutexGuard<'_, Vec<Kept>>> {
        let kept = self.tenants.get(tenant)?;
        Some(kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u32, round: u8, seq: u64) -> Option<Row> {
        Some(Row { number, round, seq })
    }

    #[test]
    fn right_rows_are_right_and_each_kind_of_wrong_one_is_found() {
        let ledger = Ledger::new(2, 3);
        assert_eq!(ledger.write(0, &[row(0, 0, 5), row(1, 0, 5)], true), [true, true]);
        assert_eq!(ledger.write(0, &[row(0, 1, 6)], false), [false]);
        assert_eq!(ledger.counts().wrong, 0);
        let verdict = |missing, repeated| Verdict { missing, repeated };
        assert_eq!(
            ledger.judge(&[1, 0], 1, 2),
            verdict(1, 1),
            "the second record is one too many"
        );
        assert_eq!(ledger.judge(&[2, 0], 1, 2), verdict(1, 0), "it did not get round 1");
        let wrongs: [(&[Option<Row>], bool); 6] = [
            (&[None], false),
            (&[row(9, 1, 9)], false),
            (&[row(1, 0, 9)], false),
            (&[row(1, 1, 5)], false),
            (&[row(2, 1, 9)], false),
            (&[row(0, 2, 9), row(0, 2, 10)], false),
        ];
        for (at, (rows, creates)) in wrongs.into_iter().enumerate() {
            ledger.write(0, rows, creates);
            assert_eq!(ledger.counts().wrong, at as u64 + 1, "case {at}");
        }
        assert_eq!(ledger.delete(0, &[Some(0), Some(0), None]), [true, false, false]);
        assert_eq!(ledger.counts().wrong, 8);
    }
}

//! A change event that says that a record is gone: as the product wanted, or by somebody's decision that it is told of.

use std::collections::BTreeSet;

use super::inbound::Tally;
use super::own_writes::{deleting, highest_seq};
use super::table::Pending;
use super::{Machine, product_event};
use crate::domain::ids::RecordKey;
use crate::domain::row::Side;
use crate::domain::salesforce_id::SalesforceId;
use crate::engine::commit::{Commit, Verb};

impl Machine {
    pub(super) fn decide_delete(
        &mut self,
        key: &RecordKey,
        id: SalesforceId,
        commit: &mut Commit,
        touched: &mut BTreeSet<RecordKey>,
        tally: &mut Tally,
    ) {
        let now = self.now;
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        if record.row.salesforce_id != Some(id) {
            return;
        }
        touched.insert(key.clone());
        commit.unlink(id);
        self.table.by_id.remove(&id);
        // What such a write still does, it does to a record that somebody has brought back: that is news.
        record.doubted.clear();
        let wanted = deleting(record);
        let fulfilled = match &mut record.flight {
            Some(flight) if flight.verb == Verb::Delete && !flight.deleted => {
                flight.deleted = true;
                Some(std::mem::take(&mut flight.pending))
            }
            None if wanted => self.table.take_pending(key),
            _ => None,
        };
        if let Some(pending) = fulfilled {
            self.fulfilled(key, &pending, commit);
            tally.echoes += 1;
            return;
        }
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        let in_place = record.confirmed_seq;
        if record.wishes().any(|p| p.fold.delete && p.fold.seq > in_place) {
            // The product has deleted the record too, and perhaps made it anew since.
            record.row.die(Side::Product, 0);
            tally.echoes += 1;
            return;
        }
        if let Some(flight) = &mut record.flight {
            flight.deleted = true;
        }
        // Whatever was sent so far and still happens is of the record that is gone.
        record.row.last_seq = highest_seq(record);
        commit.outbox.push(product_event::deleted(key, &mut record.row, now));
        tally.told += 1;
        // In the step that says so: a letter that outlived it would be put beneath the record's next life.
        record.dead = None;
        if std::mem::take(&mut record.row.dead_letter) {
            commit.remove_letter(key);
        }
        self.lose_pending(key);
    }

    /// The record is gone as the product wanted it, by our delete or somebody else's. The event settles the wish, whatever
    /// becomes of the answer: an undelete that comes after it has seen the delete, and no new owner deletes once more.
    fn fulfilled(&mut self, key: &RecordKey, pending: &Pending, commit: &mut Commit) {
        let now = self.now;
        let all = self.plan.object(&key.object).map_or(0, |p| p.fields.len());
        self.uncount(pending, commit, key);
        commit.counters.settled += i64::try_from(pending.entries_total()).unwrap_or(i64::MAX);
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        let row = &mut record.row;
        row.last_seq = row.last_seq.max(pending.fold.seq);
        super::outcome::stamp_fold(row, &pending.fold, all, now);
        row.die(Side::Product, 0);
        if pending.from_dead {
            row.dead_letter = false;
            commit.remove_letter(key);
        }
        if self.settings.receipts && !pending.fold.receipts.is_empty() {
            commit.outbox.push(product_event::applied(key, row, &pending.fold, now));
        }
    }
}

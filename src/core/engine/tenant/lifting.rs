//! The org knows a higher sequence than this rightful owner sent: Redis forgot something, or the window is behind.
//!
//! The record waits a grace time and is folded again; still refused, the org's number is read, written to the row
//! first, and only then is the record sent above it (log-road rule 6). Refused after that it is stuck, and said so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::outcome::fence_grace;
use super::table::{Flight, Lifting};
use super::{Effect, Machine, Note};
use crate::domain::ids::RecordKey;
use crate::domain::salesforce_id::SalesforceId;
use crate::engine::call::ReadRow;
use crate::engine::classify::{CallFault, Class};

/// How long a stuck record waits before it is tried again; also how long a read of the number may take.
const STUCK_HOLD: Duration = Duration::from_secs(60);
/// Ids in one read at most (contract.md 3.2).
const READ_MAX: usize = 2_000;

impl Machine {
    pub(super) fn fence_refused(&mut self, key: &RecordKey, flight: Flight, out: &mut Vec<Effect>) {
        self.send_again(key, flight, Class::Fence, None);
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        let (lifting, hold) = match (record.lifting, record.row.salesforce_id) {
            (Lifting::No, _) | (Lifting::Grace, None) => (Lifting::Grace, fence_grace()),
            (Lifting::Grace | Lifting::Reading, _) => (Lifting::Reading, STUCK_HOLD),
            (Lifting::Lifted, _) => {
                out.push(Effect::Note(Note::FenceStuck));
                (Lifting::Grace, STUCK_HOLD)
            }
        };
        record.lifting = lifting;
        self.table.hold(key, self.now.after(hold));
        if lifting == Lifting::Reading {
            self.to_lift.push(key.clone());
        }
    }

    /// Reads the numbers of records that were refused twice.
    pub(super) fn read_numbers(&mut self, out: &mut Vec<Effect>) {
        let mut by_object: BTreeMap<Arc<str>, Vec<(RecordKey, SalesforceId)>> = BTreeMap::new();
        for key in std::mem::take(&mut self.to_lift) {
            if let Some(id) = self.table.records.get(&key).and_then(|r| r.row.salesforce_id) {
                by_object.entry(Arc::clone(&key.object)).or_default().push((key, id));
            }
        }
        for (object, records) in by_object {
            let Some(plan) = self.plan.object(&object).cloned() else {
                continue;
            };
            let Some(sequence) = plan.sequence.clone() else {
                continue;
            };
            for chunk in records.chunks(READ_MAX) {
                let ticket = self.ticket();
                let ids = chunk.iter().map(|(_, id)| *id).collect();
                self.lifts
                    .insert(ticket, chunk.iter().map(|(key, _)| key.clone()).collect());
                self.calls += 1;
                out.push(Effect::Read {
                    ticket,
                    sobject: Arc::clone(&plan.sobject),
                    ids,
                    fields: vec![Arc::clone(&sequence)],
                });
            }
        }
    }

    pub(super) fn read(&mut self, ticket: u64, rows: Result<Vec<ReadRow>, CallFault>, out: &mut Vec<Effect>) {
        let Some(keys) = self.lifts.remove(&ticket) else {
            if let Err(rows) = self.partners_read(ticket, rows, out) {
                self.inbound_read(ticket, rows);
            }
            return;
        };
        let rows = match rows {
            Ok(rows) => rows,
            Err(fault) => {
                self.note_error(&fault.code);
                return;
            }
        };
        for (key, row) in keys.iter().zip(rows) {
            let Some(plan) = self.plan.object(&key.object) else {
                continue;
            };
            let number = row
                .fields
                .as_deref()
                .zip(plan.sequence.as_deref())
                .and_then(|(f, name)| number(f, name));
            if let Some(number) = number {
                self.lift(key, number);
            }
        }
    }

    /// Raises the row to the org's number, and what waits above it.
    fn lift(&mut self, key: &RecordKey, number: u64) {
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        record.lifting = Lifting::Lifted;
        record.row.last_seq = record.row.last_seq.max(number);
        let above = record.row.last_seq.saturating_add(1);
        if let Some(pending) = &mut record.pending {
            pending.fold.seq = pending.fold.seq.max(above);
        }
        self.drops.rows.insert(key.clone());
        self.table.hold(key, self.now);
    }
}

/// A whole number out of a record's JSON; Salesforce may print it as `1.2E7` (contract.md 7.3).
fn number(fields: &[u8], name: &str) -> Option<u64> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(fields).ok()?;
    let value = object.get(name)?;
    value
        .as_u64()
        .or_else(|| value.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64))
}

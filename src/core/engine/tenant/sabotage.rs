//! What the machine does wrong on purpose. Built only for tests of the oracle, which must find each of these.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::settings::Sabotage;
use super::{Effect, Machine};
use crate::domain::ids::{BatchId, RecordKey};
use crate::domain::salesforce_id::SalesforceId;
use crate::engine::call::{WriteAnswer, WriteCall, WriteRow};
use crate::engine::classify::RowOutcome;
use crate::engine::commit::Verb;

/// One change event in this many is dropped.
const DROP_EVERY: u64 = 500;
/// Every so many-th update is followed by the record's older content.
const REVERSE_EVERY: u64 = 20;

/// What has to be remembered to do wrong.
#[derive(Debug, Default)]
pub(super) struct Mischief {
    events: u64,
    updates: u64,
    sent: BTreeMap<RecordKey, Bytes>,
    late: Vec<(SalesforceId, Bytes)>,
}

impl Machine {
    fn does(&self, sabotage: Sabotage) -> bool {
        self.settings.sabotage == Some(sabotage)
    }

    /// `fence`: goes on although another owner holds the tenant.
    pub(super) fn ignores_the_fence(&self) -> bool {
        self.does(Sabotage::Fence)
    }

    /// `echo`: an own write's event is taken for an edit.
    pub(super) fn own_or_sabotaged(&self, own: Option<u64>) -> Option<u64> {
        own.filter(|_| !self.does(Sabotage::Echo))
    }

    /// `drop-event`: some events are lost and the cursor moves over them.
    pub(super) fn drop_events<T>(&mut self, events: &mut Vec<T>) {
        if !self.does(Sabotage::DropEvent) {
            return;
        }
        let count = &mut self.mischief.events;
        events.retain(|_| {
            *count += 1;
            !count.is_multiple_of(DROP_EVERY)
        });
    }

    /// What is done to a call that is about to be sent.
    pub(super) fn sabotaged(&mut self, batch: BatchId, mut call: WriteCall, out: &mut Vec<Effect>) -> WriteCall {
        self.settle_too_early(batch, &call, out);
        self.add_late_rows(&mut call);
        self.send_older_after_newer(batch, &call);
        call
    }

    /// An answer speaks of the rows that [`Self::add_late_rows`] added, too.
    pub(super) fn without_late_rows(mut answer: WriteAnswer, records: usize) -> WriteAnswer {
        if let Ok(outcomes) = &mut answer.outcome {
            outcomes.truncate(records);
        }
        answer
    }

    /// `settle`: updates count as written before Salesforce has answered.
    fn settle_too_early(&mut self, batch: BatchId, call: &WriteCall, out: &mut Vec<Effect>) {
        if !self.does(Sabotage::Settle) || call.verb != Verb::Update {
            return;
        }
        let done = |row: &WriteRow| row.id.map(|id| RowOutcome::Done { id, created: false });
        let Some(outcomes) = call.rows.iter().map(done).collect::<Option<Vec<_>>>() else {
            return;
        };
        let answer = WriteAnswer {
            outcome: Ok(outcomes),
            usage: None,
            took: std::time::Duration::ZERO,
            requests: 1,
        };
        self.answered(batch, answer, out);
    }

    /// `order`: after a newer update the record's older content is sent again, above its sequence.
    fn send_older_after_newer(&mut self, batch: BatchId, call: &WriteCall) {
        if !self.does(Sabotage::Order) || call.verb != Verb::Update {
            return;
        }
        let Some(records) = self.batches.batches.get(&batch).map(|b| b.records.clone()) else {
            return;
        };
        let mut older = Vec::new();
        for (key, row) in records.iter().zip(&call.rows) {
            let Some((content, seq)) = split_sequence(&row.members) else {
                continue;
            };
            self.mischief.updates += 1;
            let before = self.mischief.sent.insert(key.clone(), content);
            let again = before.filter(|_| self.mischief.updates.is_multiple_of(REVERSE_EVERY));
            older.extend(again.and_then(|content| Some((row.id?, content, seq + 1))));
        }
        let sequence = self.plan.by_sobject(&call.sobject).and_then(|p| p.sequence.clone());
        self.mischief.late = older
            .into_iter()
            .filter_map(|(id, content, seq)| Some((id, join_sequence(&content, sequence.as_deref()?, seq))))
            .collect();
    }

    /// The calls that [`Self::send_older_after_newer`] prepared ride at the end of the next one.
    fn add_late_rows(&mut self, call: &mut WriteCall) {
        if call.verb != Verb::Update {
            return;
        }
        for (id, members) in std::mem::take(&mut self.mischief.late) {
            if !call.rows.iter().any(|row| row.id == Some(id)) {
                call.rows.push(WriteRow { id: Some(id), members });
            }
        }
    }
}

/// A row's members without the sequence at their end, and the sequence.
fn split_sequence(members: &Bytes) -> Option<(Bytes, u64)> {
    let text = std::str::from_utf8(members).ok()?;
    let (content, last) = text.rsplit_once(',')?;
    let seq = last.rsplit_once(':')?.1.parse().ok()?;
    Some((Bytes::copy_from_slice(content.as_bytes()), seq))
}

fn join_sequence(content: &Bytes, sequence: &str, seq: u64) -> Bytes {
    Bytes::from([content.as_ref(), format!(",\"{sequence}\":{seq}").as_bytes()].concat())
}

//! What the machine does wrong on purpose. Built only for tests of the oracle, which must find each of these.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::merge::{Heard, Verdict, tell};
use super::settings::Sabotage;
use super::{Effect, Machine};
use crate::domain::ids::{BatchId, RecordKey};
use crate::domain::plan::{Kind, ObjectPlan};
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::salesforce_value::SalesforceValue;
use crate::engine::call::{WriteAnswer, WriteCall, WriteRow};
use crate::engine::classify::RowOutcome;
use crate::engine::commit::Verb;
use crate::engine::inbound::{ChangeEvent, ChangeKind};

/// One change event in this many is dropped.
const DROP_EVERY: u64 = 500;
/// The first after this many: a run's first edits all meet its first few records, and overwrite each other.
const DROP_AFTER: u64 = 250;
/// Of newer updates that give a field of the one before another value, one in this many is followed by the older one.
const REVERSE_EVERY: u64 = 5;

/// What has to be remembered to do wrong.
#[derive(Debug, Default)]
pub(super) struct Mischief {
    events: u64,
    dropped: u64,
    edited: BTreeSet<SalesforceId>,
    overtaking: u64,
    sent: BTreeMap<RecordKey, Bytes>,
    late: BTreeMap<Arc<str>, Vec<WriteRow>>,
}

impl Machine {
    fn does(&self, sabotage: Sabotage) -> bool {
        self.settings.sabotage == Some(sabotage)
    }

    /// `echo`: what an own write's event says is told to the product, as an edit made in Salesforce would be.
    pub(super) fn tell_echo(&self, plan: &ObjectPlan, ours: Vec<Heard>, verdict: &mut Verdict) {
        if self.does(Sabotage::Echo) {
            tell(plan, ours, verdict);
        }
    }

    /// `drop-event`: one event in [`DROP_EVERY`] is lost and the cursor moves over it. It is one whose loss matters: a
    /// person's edit of a record that no person has edited before, so that hardly a later edit hides it.
    pub(super) fn drop_events(&mut self, events: &mut Vec<ChangeEvent>) {
        if !self.does(Sabotage::DropEvent) {
            return;
        }
        let (plans, mischief) = (&self.plan, &mut self.mischief);
        events.retain(|event| {
            mischief.events += 1;
            let plan = plans.by_sobject(&event.sobject);
            let edit = event.kind == ChangeKind::Update && plan.is_some_and(|plan| says_an_edit(plan, event));
            let first = edit && event.ids.iter().all(|id| mischief.edited.insert(*id));
            let lost = first && mischief.events > DROP_AFTER + mischief.dropped * DROP_EVERY;
            mischief.dropped += u64::from(lost);
            !lost
        });
    }

    /// What is done to a call that is about to be sent.
    pub(super) fn sabotaged(&mut self, batch: BatchId, mut call: WriteCall, out: &mut Vec<Effect>) -> WriteCall {
        if call.verb == Verb::Update {
            self.settle_too_early(batch, &call, out);
            self.send_older_after_newer(batch, &mut call);
        }
        call
    }

    /// An answer speaks of the rows that [`Self::send_older_after_newer`] added, too.
    pub(super) fn without_late_rows(mut answer: WriteAnswer, records: usize) -> WriteAnswer {
        if let Ok(outcomes) = &mut answer.outcome {
            outcomes.truncate(records);
        }
        answer
    }

    /// `settle`: updates count as written before Salesforce has answered.
    fn settle_too_early(&mut self, batch: BatchId, call: &WriteCall, out: &mut Vec<Effect>) {
        if !self.does(Sabotage::Settle) {
            return;
        }
        let done = |row: &WriteRow| row.id.map(|id| RowOutcome::Done { id, created: false });
        let Some(outcomes) = call.rows.iter().map(done).collect::<Option<Vec<_>>>() else {
            return;
        };
        let answer = WriteAnswer {
            outcome: Ok(outcomes),
            usage: None,
            took: Duration::ZERO,
            requests: 1,
        };
        self.answered(batch, answer, out);
    }

    /// `order`: once a record's newer update is sent, the one before goes out after it, with a sequence that the fence
    /// lets pass: at the end of the object's next call.
    fn send_older_after_newer(&mut self, batch: BatchId, call: &mut WriteCall) {
        let plan = self.plan.by_sobject(&call.sobject).cloned();
        let Some(sequence) = plan
            .and_then(|p| p.sequence.clone())
            .filter(|_| self.does(Sabotage::Order))
        else {
            return;
        };
        let Some(records) = self.batches.batches.get(&batch).map(|b| &b.records) else {
            return;
        };
        let mischief = &mut self.mischief;
        let mut late = mischief.late.remove(&call.sobject).unwrap_or_default();
        // A call names a record once, and has a bound.
        late.retain(|old| call.rows.iter().all(|row| row.id != old.id));
        late.truncate(WriteCall::ROWS_MAX.saturating_sub(call.rows.len()));
        for (key, row) in records.iter().zip(&call.rows) {
            let Some((content, seq)) = split_sequence(&row.members) else {
                continue;
            };
            let Some(before) = mischief.sent.insert(key.clone(), content.clone()) else {
                continue;
            };
            if overtakes(&content, &before) {
                mischief.overtaking += 1;
                if mischief.overtaking.is_multiple_of(REVERSE_EVERY) {
                    let members = join_sequence(&before, &sequence, seq + 1);
                    let old = WriteRow { id: row.id, members };
                    mischief.late.entry(Arc::clone(&call.sobject)).or_default().push(old);
                }
            }
        }
        call.rows.append(&mut late);
    }
}

/// Whether a person wrote text into the record: our own writes carry a sequence, and other values tell little.
fn says_an_edit(plan: &ObjectPlan, event: &ChangeEvent) -> bool {
    let text = |name: &str| matches!(event.field(name), Some(SalesforceValue::Text(_)));
    let own = plan.sequence.as_deref().is_some_and(|name| event.field(name).is_some());
    let mut fields = plan
        .fields
        .iter()
        .filter(|f| f.kind == Kind::Text && f.direction.tells_product());
    !own && fields.any(|f| text(&f.salesforce))
}

/// Whether the newer content gives another value to a field of the older.
fn overtakes(newer: &Bytes, older: &Bytes) -> bool {
    let fields = |content: &Bytes| {
        let object = [b"{", content.as_ref(), b"}"].concat();
        serde_json::from_slice::<Map<String, Value>>(&object).unwrap_or_default()
    };
    let older = fields(older);
    fields(newer)
        .iter()
        .any(|(name, value)| older.get(name).is_some_and(|old| old != value))
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

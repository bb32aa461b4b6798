//! A key and a Salesforce record become one, and what both hold is merged without a base: every differing field goes by
//! its policy, and a blank gives way to a value.

use std::sync::Arc;

use super::Machine;
use super::merge::{Heard, Verdict, tell, units, write_back};
use super::partners::{Errand, Partner};
use super::product_event;
use super::questions;
use super::table::Record;
use crate::domain::change::Change;
use crate::domain::event::EventType;
use crate::domain::ids::{FieldIdx, RecordKey};
use crate::domain::payload::RawJson;
use crate::domain::plan::{ObjectPlan, Policy};
use crate::domain::row::Row;
use crate::engine::commit::{Commit, EngineEntry};

impl Machine {
    /// Links, tells the product, and has the key written back by a log entry. `answer` where the product named the record:
    /// what it holds beside what waits in the log is then not known, but what its question said of the record is.
    pub(super) fn adopt(
        &mut self,
        errand: &Errand,
        key: &RecordKey,
        partner: &Partner,
        answer: Option<&Change>,
        commit: &mut Commit,
    ) {
        let plan = Arc::clone(&errand.plan);
        let now = self.now;
        let heard = self.hear_partner(errand, partner);
        if let Some(stand_in) = self.holder(errand, partner.id).filter(RecordKey::is_keyless) {
            commit.unlinks.push(partner.id);
            commit.rows_remove.push(stand_in.clone());
            commit.questions_remove.push(stand_in.clone());
            self.table.forget(&stand_in);
        }
        self.close_question(key);
        let Some(record) = self.table.records.get(key) else {
            return;
        };
        let mut row = record.row.clone();
        row.salesforce_id = Some(partner.id);
        row.tombstone = None;
        row.keyless = partner.key(&plan).is_none();
        row.read_as_of_s = partner.changed_s();
        let trace = record.pending.as_ref().and_then(|p| p.fold.traces.last().cloned());
        commit
            .outbox
            .push(product_event::linked(key, &mut row, now, trace.clone()));
        commit.links.push((partner.id, key.clone()));
        let (verdict, unknown) = self.merge_without_base(&plan, record, &mut row, heard, answer);
        // Whatever waits takes the key along; with nothing there, the log gets an entry that does.
        if row.keyless && record.pending.is_none() && verdict.write_back.is_empty() {
            commit.append.push(EngineEntry {
                record: key.clone(),
                data: Some(RawJson::from_checked("{}")),
                traceparent: trace,
            });
            self.reading.wake();
        }
        self.table.by_id.insert(partner.id, key.clone());
        let (_, conflicts) = self.carry_out(&plan, key, (EventType::Changed, now), row, verdict, commit);
        commit.counters.conflicts += i64::try_from(conflicts).unwrap_or(i64::MAX);
        let Some(record) = self.table.records.get_mut(key) else {
            return;
        };
        // Asked after the product was told: what it answers is then what it holds with that.
        if !unknown.is_empty() {
            let wanted = questions::values(key, &mut record.row, &plan, unknown, "linked", now);
            commit.outbox.push(wanted);
            commit.questions.push((key.clone(), questions::due(now)));
        }
        commit.rows.push((key.clone(), record.row.clone()));
    }

    /// What each side has to hear of the other. Fields of the product's that have to be asked for come beside it.
    fn merge_without_base(
        &self,
        plan: &ObjectPlan,
        record: &Record,
        row: &mut Row,
        heard: Vec<Heard>,
        answer: Option<&Change>,
    ) -> (Verdict, Vec<FieldIdx>) {
        let mut verdict = Verdict::default();
        let mut unknown = Vec::new();
        let asked = answer.and_then(|change| change.answers.as_ref());
        let says = asked.map(|event| event.says.under(plan.version));
        let said = |idx: FieldIdx| {
            says.unwrap_or_default()
                .iter()
                .find(|(i, _)| *i == idx)
                .map(|(_, hash)| *hash)
        };
        let pending = record.pending.as_ref().filter(|p| p.fold.upsert);
        for unit in units(plan, heard) {
            for h in &unit {
                row.base.set(plan.version, h.idx, h.hash);
            }
            let blank = unit.iter().all(|h| h.told.as_ref().is_none_or(RawJson::is_null));
            let field = unit.first().and_then(|h| plan.at(h.idx));
            let product_wins = field.is_some_and(|f| f.on_conflict == Policy::Product);
            let writes = field.is_some_and(|f| f.direction.writes_salesforce());
            // Changed by somebody since the question told of it: no value of the product's is newer.
            let changed = unit.iter().any(|h| said(h.idx).is_some_and(|hash| hash != h.hash));
            let ours: Vec<_> = unit.iter().map(|h| self.pending_hash(plan, record, h.idx)).collect();
            if ours.iter().all(Option::is_none) {
                if answer.is_some() && pending.is_none() && writes && (product_wins || blank) && !changed {
                    unknown.extend(unit.iter().map(|h| h.idx));
                } else if !blank || changed {
                    tell(plan, unit, &mut verdict);
                }
                continue;
            }
            let differs = unit
                .iter()
                .zip(&ours)
                .any(|(h, ours)| ours.is_some_and(|hash| hash != h.hash));
            let only_says_it_back = unit
                .iter()
                .zip(&ours)
                .all(|(h, ours)| ours.is_none() || *ours == said(h.idx));
            if differs && changed && only_says_it_back {
                write_back(plan, &unit, &mut verdict);
                tell(plan, unit, &mut verdict);
                continue;
            }
            if !differs || blank {
                continue;
            }
            let ours_blank = pending.is_some_and(|p| {
                let given = p.fold.fields.iter().filter(|f| unit.iter().any(|h| h.idx == f.idx));
                given.clone().count() > 0 && given.into_iter().all(|f| f.value.is_null())
            });
            let fields = unit.iter().map(|h| h.idx);
            if product_wins && !ours_blank {
                verdict.lost_by_salesforce.extend(fields);
                continue;
            }
            if !ours_blank {
                verdict.lost_by_product.extend(fields);
            }
            write_back(plan, &unit, &mut verdict);
            tell(plan, unit, &mut verdict);
        }
        (verdict, unknown)
    }
}

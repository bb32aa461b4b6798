//! C3: an edit is at both ends, or was overwritten by a later edit that had seen it, or lost to a concurrent one with a
//! conflict event that names the field and the winner that the field's policy names.
//!
//! Each side's own log gives its order. An edit *reached* the other side when its (unique) value appears there. An edit
//! that did not reach the other side is lost only if nothing on its own side came after it.

use super::Case;
use super::verdict::{Findings, Promise};
use crate::history::{Commit, CommitKind, RecordHistory, Step, value_of};
use crate::shape::Policy;
use crate::value::{Side, Value};

pub(super) fn record(case: &Case<'_>, findings: &mut Findings) {
    for (at, field) in case.judged_once() {
        if field.unique() {
            product_edits(case, at, &field.name, findings);
            org_edits(case, at, &field.name, findings);
        }
    }
    deletes(case, findings);
    winners(case, findings);
}

/// Only the product's last own value of a field can be lost: an older one was overwritten by an edit that had seen it.
fn product_edits(case: &Case<'_>, field: u8, name: &str, findings: &mut Findings) {
    let record = case.record;
    let last = record
        .steps
        .iter()
        .enumerate()
        .rev()
        .find_map(|(step_at, step)| RecordHistory::own_value(step, field).map(|value| (step_at, value)));
    let Some((step_at, value)) = last.filter(|(_, value)| !value.is_empty()) else {
        return;
    };
    let in_org = record
        .commits
        .iter()
        .any(|commit| commit.engine && value_of(&commit.fields, field) == Some(value))
        || record
            .org_rows
            .iter()
            .any(|row| row.get(usize::from(field)) == Some(value));
    if record.was_deleted() || record.rejection_names(case.shapes, field) || record.conflict_names(case.shapes, field) {
        return;
    }
    if stands_over(record, step_at, field) {
        findings.lost += 1;
        findings.at(
            Promise::C3,
            case,
            name,
            "an edit of the product was overwritten by an older one of its own",
        );
        return;
    }
    if in_org || record.commits_cut {
        return;
    }
    let overwritten = record.steps.iter().skip(step_at).any(|step| match step {
        Step::Changed(fields) => value_of(fields, field).is_some(),
        _ => false,
    });
    if overwritten {
        findings.overwritten_unsent += 1;
        return;
    }
    findings.lost += 1;
    findings.at(Promise::C3, case, name, "an edit of the product never reached the org");
}

/// Both sides ended with a value that the product had itself replaced before this step: no edit stands between them.
fn stands_over(record: &RecordHistory, step_at: usize, field: u8) -> bool {
    let end = |row: &[Value]| row.get(usize::from(field)).filter(|value| !value.is_empty()).cloned();
    let product = record.product_row.as_deref().and_then(end);
    let org = record.org_rows.first().map(Vec::as_slice).and_then(end);
    let mut before = record.steps.iter().take(step_at);
    product.is_some() && product == org && before.any(|step| RecordHistory::own_value(step, field) == product.as_ref())
}

/// Only a value that no later person of the org overwrote can be lost.
fn org_edits(case: &Case<'_>, field: u8, name: &str, findings: &mut Findings) {
    let record = case.record;
    let last = record.commits.iter().rev().filter(|commit| !commit.engine);
    let last = last.filter_map(|commit| value_of(&commit.fields, field)).next();
    let Some(value) = last.filter(|value| !value.is_empty()) else {
        return;
    };
    if reached_product(record, field, value) || record.was_deleted() || record.conflict_names(case.shapes, field) {
        return;
    }
    findings.lost += 1;
    findings.at(Promise::C3, case, name, "an edit in the org never reached the product");
}

fn reached_product(record: &RecordHistory, field: u8, value: &Value) -> bool {
    let mut heard = record.steps.iter().filter_map(RecordHistory::heard);
    heard.any(|fields| value_of(fields, field) == Some(value))
}

/// A delete in the org that the product never heard of, while the product still has the row.
fn deletes(case: &Case<'_>, findings: &mut Findings) {
    let record = case.record;
    let by_people = record
        .commits
        .iter()
        .rposition(|commit| !commit.engine && commit.kind == CommitKind::Delete);
    let Some(deleted_at) = by_people else { return };
    let back = record
        .commits
        .iter()
        .skip(deleted_at)
        .any(|commit| matches!(commit.kind, CommitKind::Undelete | CommitKind::Create));
    let heard = record
        .steps
        .iter()
        .any(|step| matches!(step, Step::Deleted | Step::Delete));
    if record.product_row.is_some() && !heard && !back {
        findings.lost += 1;
        findings.at(Promise::C3, case, "", "a delete in the org never reached the product");
    }
}

/// Each conflict was won by the side that the policy of its fields names, or by the side that deleted the record:
/// policies are about fields, a delete wins over an edit that had not seen it.
fn winners(case: &Case<'_>, findings: &mut Findings) {
    for step in &case.record.steps {
        let Step::Conflict {
            fields,
            winner: Some(winner),
        } = step
        else {
            continue;
        };
        let wrong = match winner {
            Side::Product => Policy::Salesforce,
            Side::Org => Policy::Product,
        };
        let policies = || {
            fields
                .iter()
                .filter_map(|&at| case.object.fields.get(usize::from(at)))
                .map(|f| f.policy)
        };
        let deleted = match winner {
            Side::Product => case.record.steps.iter().any(|step| matches!(step, Step::Delete)),
            Side::Org => {
                let gone = |commit: &Commit| !commit.engine && commit.kind == CommitKind::Delete;
                case.record.commits.iter().any(gone)
            }
        };
        if !deleted && policies().count() > 0 && policies().all(|policy| policy == wrong) {
            findings.at(
                Promise::C3,
                case,
                "",
                "a conflict was won by the side that the policy does not name",
            );
        }
    }
}

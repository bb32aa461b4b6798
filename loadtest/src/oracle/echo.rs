//! C7: no write and no event is caused by the engine's own write.

use super::Case;
use super::verdict::{Findings, Promise};
use crate::history::{CommitKind, Fields, RecordHistory, Step, value_of};
use crate::value::Value;

pub(super) fn record(case: &Case<'_>, findings: &mut Findings) {
    events(case, findings);
    writes(case, findings);
}

/// A `changed` event that only says what the product itself had last written, or a `deleted` event for a record that
/// only the product deleted.
fn events(case: &Case<'_>, findings: &mut Findings) {
    let deleted_by_people = case
        .record
        .commits
        .iter()
        .any(|commit| !commit.engine && commit.kind == CommitKind::Delete);
    let mut row: Vec<(Value, bool)> = vec![(Value::default(), false); case.object.fields.len()];
    for step in &case.record.steps {
        match step {
            Step::Create(fields) | Step::Edit(fields) => set(&mut row, fields, true),
            Step::TakenIn(fields) => set(&mut row, fields, false),
            Step::Changed(fields) => {
                if says_only_own_values(case, &row, fields) {
                    findings.echoes += 1;
                    findings.at(
                        Promise::C7,
                        case,
                        "",
                        "an event said only what the product had written itself",
                    );
                }
                set(&mut row, fields, false);
            }
            Step::Deleted if !deleted_by_people && !case.record.commits_cut => {
                findings.echoes += 1;
                findings.at(
                    Promise::C7,
                    case,
                    "",
                    "a deleted event for a record that no person deleted",
                );
            }
            _ => {}
        }
    }
}

fn set(row: &mut [(Value, bool)], fields: &Fields, own: bool) {
    for (at, value) in fields {
        if let Some(place) = row.get_mut(usize::from(*at)) {
            *place = (value.clone(), own);
        }
    }
}

/// Fields whose values are not unique say nothing: a person may choose the same value.
fn says_only_own_values(case: &Case<'_>, row: &[(Value, bool)], fields: &Fields) -> bool {
    let telling: Vec<&(u8, Value)> = fields
        .iter()
        .filter(|(at, value)| {
            !value.is_empty()
                && case
                    .object
                    .fields
                    .get(usize::from(*at))
                    .is_some_and(crate::shape::Field::unique)
        })
        .collect();
    !telling.is_empty()
        && telling.iter().all(|(at, value)| {
            row.get(usize::from(*at))
                .is_some_and(|(known, own)| *own && known == value)
        })
}

/// Engine writes ≤ edits + retries, and one that brings its key to a record that people made; and writes that change nothing ≤ what edits and retries explain.
fn writes(case: &Case<'_>, findings: &mut Findings) {
    let record = case.record;
    let retries = case.tenant.retries_allowed;
    let edits = record.steps.iter().filter(|step| {
        matches!(
            step,
            Step::Create(_) | Step::Edit(_) | Step::TakenIn(_) | Step::Delete | Step::Wanted
        )
    });
    let by_people = record.commits.iter().filter(|commit| !commit.engine).count();
    let allowed = (edits.count() + by_people) as u64 + retries;
    let written = record.commits.iter().filter(|commit| commit.engine).count() as u64;
    let over = written.saturating_sub(allowed);

    let empty = record
        .commits
        .iter()
        .filter(|commit| commit.engine && commit.kind == CommitKind::Update && commit.fields.is_empty());
    let explained = record
        .steps
        .iter()
        .filter(|step| may_change_nothing(case, step))
        .count() as u64
        + retries;
    let idle = (empty.count() as u64).saturating_sub(explained);

    let echoes = over.max(idle);
    if echoes > 0 {
        findings.echoes += echoes;
        findings.at(
            Promise::C7,
            case,
            "",
            format!("{echoes} writes that no edit and no retry explains"),
        );
    }
}

/// An edit whose write may find the org already equal: it never brought a value of its own to the org.
fn may_change_nothing(case: &Case<'_>, step: &Step) -> bool {
    let (Step::Create(fields) | Step::Edit(fields)) = step else {
        return matches!(step, Step::Wanted | Step::TakenIn(_));
    };
    !fields.iter().any(|(at, value)| {
        let unique = case
            .object
            .fields
            .get(usize::from(*at))
            .is_some_and(crate::shape::Field::unique);
        unique && !value.is_empty() && arrived(case.record, *at, value)
    })
}

fn arrived(record: &RecordHistory, field: u8, value: &Value) -> bool {
    record
        .commits
        .iter()
        .any(|commit| commit.engine && value_of(&commit.fields, field) == Some(value))
}

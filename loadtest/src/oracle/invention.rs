//! C2: every final value was written by some edit, and a group is never mixed.

use std::collections::HashSet;

use super::Case;
use super::verdict::{Findings, Promise};
use crate::history::{RecordHistory, TenantHistory, value_of};
use crate::shape::Object;
use crate::value::{Mark, Value};

/// No row of the org carries a key that the product never gave.
pub(super) fn tenant(tenant: &TenantHistory, findings: &mut Findings) {
    if tenant.unknown_keys > 0 {
        let what = "rows of the org with keys that the product never gave";
        findings.tenant(Promise::C2, tenant.unknown_keys, tenant, what);
    }
}

pub(super) fn record(case: &Case<'_>, findings: &mut Findings) {
    let record = case.record;
    let finals = || record.product_row.iter().chain(&record.org_rows);
    for (at, field) in case.fields() {
        let written = written(record, at);
        let invented = finals()
            .filter_map(|row| row.get(usize::from(at)))
            .filter(|value| !value.is_empty() && !written.contains(&***value));
        for _ in invented {
            findings.at(Promise::C2, case, &field.name, "a final value that no edit wrote");
        }
    }
    for row in finals() {
        for members in mixed_groups(case.object, row) {
            findings.at(Promise::C2, case, &members, "a final address mixed from two edits");
        }
    }
    replay(case, findings);
}

/// The values that edits of either side gave to a field.
fn written(record: &RecordHistory, field: u8) -> HashSet<&str> {
    let product = record
        .steps
        .iter()
        .filter_map(|step| RecordHistory::own_value(step, field));
    let people = record.commits.iter().filter(|commit| !commit.engine);
    let people = people.filter_map(|commit| value_of(&commit.fields, field));
    let tried = record
        .org_attempts
        .iter()
        .filter(|(at, _)| *at == field)
        .map(|(_, value)| value);
    product.chain(people).chain(tried).map(|value| &**value).collect()
}

/// Names of groups whose parts carry the marks of more than one edit.
fn mixed_groups(object: &Object, row: &[Value]) -> Vec<String> {
    let mixed = |members: &&Vec<usize>| {
        let marks: HashSet<Option<Mark>> = members
            .iter()
            .filter_map(|&at| row.get(at))
            .map(|value| Mark::find(value))
            .collect();
        marks.len() > 1
    };
    let names = |members: &Vec<usize>| {
        members
            .iter()
            .filter_map(|&at| object.fields.get(at))
            .map(|field| field.name.as_str())
            .collect::<Vec<_>>()
    };
    object
        .groups
        .iter()
        .filter(mixed)
        .map(|members| names(members).join("+"))
        .collect()
}

/// No commit of the engine leaves a mixed group in the org, not even for a moment.
fn replay(case: &Case<'_>, findings: &mut Findings) {
    if case.record.commits_cut || case.object.groups.is_empty() {
        return;
    }
    let mut row: Vec<Value> = vec![Value::default(); case.object.fields.len()];
    for commit in &case.record.commits {
        let before = mixed_groups(case.object, &row).len();
        for (at, value) in &commit.fields {
            if let Some(place) = row.get_mut(usize::from(*at)) {
                place.clone_from(value);
            }
        }
        let after = mixed_groups(case.object, &row);
        if commit.engine && after.len() > before {
            findings.at(
                Promise::C2,
                case,
                &after.join(", "),
                "a write mixed a group of two edits",
            );
        }
    }
}

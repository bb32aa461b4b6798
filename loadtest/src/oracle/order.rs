//! C6: what is applied to one record never goes backwards.

use std::collections::HashMap;

use super::Case;
use super::verdict::{Findings, Promise};
use crate::history::{RecordHistory, value_of};
use crate::value::Value;

pub(super) fn record(case: &Case<'_>, findings: &mut Findings) {
    sequence(case, findings);
    for (at, field) in case.judged_once() {
        if field.unique() {
            to_org(case, at, &field.name, findings);
            to_product(case, at, &field.name, findings);
        }
    }
}

/// `Tandem_Seq__c` never goes down.
fn sequence(case: &Case<'_>, findings: &mut Findings) {
    let seqs: Vec<u64> = case.record.commits.iter().filter_map(|commit| commit.seq).collect();
    let falls = seqs
        .windows(2)
        .filter(|pair| matches!(pair, [before, after] if after < before))
        .count();
    for _ in 0..falls {
        findings.at(Promise::C6, case, "Tandem_Seq__c", "the sequence went down");
    }
}

/// The product's values of a field appear in the org in the product's order.
fn to_org(case: &Case<'_>, field: u8, name: &str, findings: &mut Findings) {
    let steps = case
        .record
        .steps
        .iter()
        .filter_map(|step| RecordHistory::own_value(step, field));
    let place = places(steps);
    let seen = case.record.commits.iter().filter(|commit| commit.engine);
    let seen = seen.filter_map(|commit| value_of(&commit.fields, field));
    for _ in 0..falls(&place, seen) {
        findings.at(
            Promise::C6,
            case,
            name,
            "an older value of the product was written over a newer one",
        );
    }
}

/// People's values of a field reach the product in the org's order.
fn to_product(case: &Case<'_>, field: u8, name: &str, findings: &mut Findings) {
    let commits = case.record.commits.iter().filter(|commit| !commit.engine);
    let place = places(commits.filter_map(|commit| value_of(&commit.fields, field)));
    let events = case.record.steps.iter().filter_map(RecordHistory::heard);
    let events = events.filter_map(|fields| value_of(fields, field));
    for _ in 0..falls(&place, events) {
        findings.at(
            Promise::C6,
            case,
            name,
            "an older value of the org came to the product after a newer one",
        );
    }
}

fn places<'a>(values: impl Iterator<Item = &'a Value>) -> HashMap<&'a str, usize> {
    values
        .enumerate()
        .filter(|(_, value)| !value.is_empty())
        .map(|(at, value)| (&**value, at))
        .collect()
}

/// How often a sequence of values steps back behind one that came before; values without a place are passed over.
fn falls<'a>(place: &HashMap<&str, usize>, values: impl Iterator<Item = &'a Value>) -> usize {
    let mut highest = 0;
    let mut falls = 0;
    for at in values.filter_map(|value| place.get(&**value).copied()) {
        if at < highest {
            falls += 1;
        }
        highest = highest.max(at);
    }
    falls
}

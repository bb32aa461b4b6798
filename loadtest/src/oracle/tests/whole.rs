//! What is judged of a tenant as a whole, and what is told of what was found.

use super::*;
use crate::oracle::evidence;

#[test]
fn c9_a_value_of_another_tenant_is_found() {
    let mut record = Contact::imported("first_name", "First q7h1z");
    record.steps.push(Step::Wanted);
    assert_eq!(broken(record), [(Promise::C9, 1)]);
}

#[test]
fn c10_entries_that_vanish_and_lost_acknowledged_appends_are_found() {
    let mut history = run(Contact::synced());
    history.tenants[0].log.added = 9;
    assert_eq!(found(&judge(&history)), [(Promise::C10, 1)]);
    let mut history = run(Contact::synced());
    history.tenants[0].last_acknowledged = (9, 1);
    assert_eq!(found(&judge(&history)), [(Promise::C10, 1)]);
    let mut history = run(Contact::synced());
    history.tenants[0].acknowledged = 9;
    assert_eq!(found(&judge(&history)), [(Promise::C10, 1)]);
    let mut history = run(Contact::synced());
    history.tenants[0].counters.insert("trimmed".to_owned(), 1);
    history.tenants[0].log.length = 1;
    assert_eq!(found(&judge(&history)), [(Promise::C10, 1)]);
}

#[test]
fn the_evidence_tells_both_sides_of_a_record_found_wrong() {
    let mut record = Contact::edited("first_name", "First q0p2z");
    record.org_rows.clear();
    let history = run(record);
    let text = evidence(&history, &judge(&history));
    for part in [
        "== t01 contact contact-1",
        "C1",
        "edit     first_name=\"First q0p2z\"",
        "engine Update seq=20",
        "product at the end:",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let clean = run(Contact::synced());
    assert_eq!(evidence(&clean, &judge(&clean)), "");
}
